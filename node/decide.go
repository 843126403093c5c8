package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"consilium/job"
	"consilium/node/sharestore"
	"consilium/node/vault"
	"consilium/protocols"
)

// decider answers offered jobs, alone and for good: what it has answered once
// is stored, and the same job gets the same bytes ever after.
type decider struct {
	identity *job.Identity
	roster   *job.RosterFile
	policy   string // path; read for each job, so that an operator's change counts at once
	data     *datasets
	models   map[string]*protocols.ScoreModel
	vaults   *vault.Store      // nil without a key
	shares   *sharestore.Store // likewise
	store    *store
	log      *slog.Logger
}

// offer is a job that this node would take part in, if its file is there.
type offer struct {
	record *Record
	nonce  []byte   // the signer's, consumed with the decision
	reads  []string // datasets whose files are read at their sites
	budget Budget   // of the policy as it was when the job was judged
}

// consider answers an offered job, which came with an attachment or none, as far as no file is needed: it returns either
// the signed decision, which then is on disk if it has to be, or an offer that is
// still to be settled. The error says that the store failed; then nothing may
// leave the node.
//
// Jobs whose signature does not hold, which came with another attachment than the one
// that was signed, or whose signer is no client of the roster, are rejected without a
// trace in the store: anybody can make them, and as many as the disk would hold.
func (d *decider) consider(ctx context.Context, signed *job.Signed, attachment []byte) (*job.Decision, *offer, error) {
	id := signed.ID()
	j, err := signed.Verify()
	if err != nil {
		return d.reject(id, err.Error()), nil, nil
	}
	client, ok := d.roster.Roster.ClientByKey(signed.Signer)
	if !ok {
		return d.reject(id, "the job's signer is no client of the study's roster; sign with a client's key, or have the client added by the study's administrators"), nil, nil
	}
	if stored, err := d.store.record(ctx, id); err != nil {
		return nil, nil, err
	} else if stored != nil {
		return &stored.Decision, nil, nil
	}
	if err := j.CheckAttachment(attachment); err != nil { // whoever relays it can alter it
		return d.reject(id, err.Error()), nil, nil
	}
	if owner, seen, err := d.store.nonceOwner(ctx, signed.Signer, j.Nonce); err != nil {
		return nil, nil, err
	} else if seen {
		return d.replayed(id, owner), nil, nil
	}
	o := &offer{
		record: &Record{Job: id, Signed: *signed, Signer: client.Name, Dataset: j.Dataset, attachment: attachment},
		nonce:  j.Nonce,
	}
	if err := d.judge(j, o); err != nil {
		answer, err := d.settle(ctx, o, err)
		return answer, nil, err
	}
	return nil, o, nil
}

// judge returns nil when this node takes part in the job, its file apart. It
// completes the offer with what the job would reveal, and the budget.
func (d *decider) judge(j *job.Job, o *offer) error {
	r, record := d.roster, o.record
	if j.Roster != r.Hash {
		return fmt.Errorf("the job was signed under roster %s and this node pins %s; fetch the study anew and sign again, or ask this node's operator to approve the new roster", j.Roster.Short(), r.Hash.Short())
	}
	if err := j.CheckFresh(time.Now()); err != nil {
		return err
	}
	plan, err := protocols.PlanJob(j, r.Roster)
	if err != nil {
		return err
	}
	if err := plan.CheckClock(time.Now()); err != nil {
		return err
	}
	record.Reveals = plan.Reveals
	record.Recipient = recipientName(j, r.Roster)
	policy, err := readPolicy(d.policy, r.Roster)
	if err != nil {
		d.log.Error("the policy file is broken: every job is rejected until it is mended", "error", err)
		return errors.New("its policy file is broken, so it rejects every job; its operator's log says where")
	}
	if err := policy.Decide(record.Signer, record.Recipient, plan, j); err != nil {
		return withHint(err, d.identity)
	}
	o.budget, o.reads = policy.Budget, reads(plan, d.identity.Name)
	if limit, ok := plan.QueryLimit(); ok {
		record.limit = &limit
	}
	if model, _, ok := plan.Scored(); ok { // after the policy: not everybody may hear of models
		return plan.CheckScore(d.models[model], slices.Sorted(maps.Keys(d.models)), record.attachment)
	}
	return d.checkVault(j, plan)
}

// reads lists the datasets whose files a job reads at a node that is their site.
func reads(plan *protocols.Plan, node string) []string {
	if plan.ReadsRows() {
		return []string{plan.Dataset.Name}
	}
	return plan.ListsAt(node)
}

// checkVault refuses a job that this node cannot take its part in with what it keeps.
func (d *decider) checkVault(j *job.Job, plan *protocols.Plan) error {
	err := protocols.CheckVault(j, plan, d.roster.Roster, d.identity.Name, vaultOf(d.vaults, j.Dataset))
	if err == nil {
		err = protocols.CheckShares(j, plan, d.roster.Roster, d.identity.Name, sharesOf(d.shares, j.Dataset))
	}
	if err != nil && d.vaults == nil {
		return fmt.Errorf("%w: consilium node vault-key FILE makes it, and vault_key: FILE in its configuration names it", err)
	}
	return err
}

// settle makes and stores the decision: acceptance, or rejection for the reason
// that problem gives. It is on disk before settle returns; the error says that
// the store failed.
func (d *decider) settle(ctx context.Context, o *offer, problem error) (*job.Decision, error) {
	r := o.record
	r.Decided = time.Now()
	if problem != nil {
		r.State, r.Decision = Rejected, *d.reject(r.Job, problem.Error())
	} else {
		r.State, r.Decision = Accepted, *d.accept(r.Job)
	}
	err := d.store.decide(ctx, r, o.nonce, o.budget)
	if beyond := new(spent); errors.As(err, &beyond) {
		return d.settle(ctx, o, withHint(err, d.identity))
	}
	if often := new(frequent); errors.As(err, &often) {
		return d.settle(ctx, o, often)
	}
	if errors.Is(err, errNonceSeen) { // by another job that was offered meanwhile
		owner, _, err := d.store.nonceOwner(ctx, r.Signed.Signer, o.nonce)
		return d.replayed(r.Job, owner), err
	}
	return &r.Decision, err
}

func (d *decider) replayed(id, owner job.Hash) *job.Decision {
	return d.reject(id, fmt.Sprintf("its nonce was consumed by job %s: this is a replay; sign a new job", owner.Short()))
}

func (d *decider) accept(id job.Hash) *job.Decision {
	answer := &job.Decision{Node: d.identity.Name, Job: id, Accept: true, Nonce: make([]byte, job.NonceSize)}
	rand.Read(answer.Nonce) // never fails: it would end the process
	answer.Sign(d.identity.Key)
	return answer
}

func (d *decider) reject(id job.Hash, reason string) *job.Decision {
	answer := &job.Decision{Node: d.identity.Name, Job: id, Reason: line(reason)}
	answer.Sign(d.identity.Key)
	return answer
}

func recipientName(j *job.Job, r *job.Roster) string {
	for i := range r.Clients {
		if string(r.Clients[i].Recipient) == string(j.Recipient) {
			return r.Clients[i].Name
		}
	}
	return ""
}

// readPolicy reads and checks the policy file as it is now.
func readPolicy(path string, r *job.Roster) (*Policy, error) {
	b, err := job.ReadFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	p, err := ParsePolicy(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := p.Check(r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}
