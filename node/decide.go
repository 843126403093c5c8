package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"consilium/job"
	"consilium/protocols"
)

// decider answers offered jobs, alone and for good: what it has answered once
// is stored, and the same job gets the same bytes ever after.
type decider struct {
	identity *job.Identity
	roster   *job.RosterFile
	policy   string // path; read for each job, so that an operator's change counts at once
	data     *datasets
	store    *store
	log      *slog.Logger
}

// decide returns this node's signed decision on an offered job. The decision is
// on disk before decide returns. The error says that the store failed; then
// nothing may leave the node.
//
// Jobs whose signature does not hold, or whose signer is no client of the
// roster, are rejected without a trace in the store: anybody can make them, and
// as many as the disk would hold.
func (d *decider) decide(ctx context.Context, signed *job.Signed) (*job.Decision, error) {
	id := signed.ID()
	j, err := signed.Verify()
	if err != nil {
		return d.reject(id, err.Error()), nil
	}
	client, ok := d.roster.Roster.ClientByKey(signed.Signer)
	if !ok {
		return d.reject(id, "the job's signer is no client of the study's roster; sign with a client's key, or have the client added by the study's administrators"), nil
	}
	if stored, err := d.store.record(ctx, id); err != nil {
		return nil, err
	} else if stored != nil {
		return &stored.Decision, nil
	}
	if owner, seen, err := d.store.nonceOwner(ctx, signed.Signer, j.Nonce); err != nil {
		return nil, err
	} else if seen {
		return d.reject(id, fmt.Sprintf("its nonce was consumed by job %s: this is a replay; sign a new job", owner.Short())), nil
	}
	record := &Record{Job: id, Signed: *signed, Signer: client.Name, Decided: time.Now(), State: Accepted}
	if err := d.judge(ctx, j, record); err != nil {
		record.State = Rejected
		record.Decision = *d.reject(id, err.Error())
	} else {
		record.Decision = *d.accept(id)
	}
	if err := d.store.decide(ctx, record, j.Nonce); err != nil {
		return nil, err
	}
	return &record.Decision, nil
}

// judge returns nil when this node takes part in the job. It completes the
// record with what the job would reveal.
func (d *decider) judge(ctx context.Context, j *job.Job, record *Record) error {
	r := d.roster
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
	record.Reveals = plan.Reveals
	record.Recipient = recipientName(j, r.Roster)
	policy, err := readPolicy(d.policy, r.Roster)
	if err != nil {
		d.log.Error("the policy file is broken: every job is rejected until it is mended", "error", err)
		return errors.New("its policy file is broken, so it rejects every job; its operator's log says where")
	}
	if err := policy.Decide(record.Signer, plan, j); err != nil {
		return fmt.Errorf("%w; the operator of %s can change that in the node's policy file", err, d.identity.Name)
	}
	return d.data.available(ctx, j.Dataset, d.log)
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
