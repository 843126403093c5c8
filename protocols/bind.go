package protocols

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"consilium/job"
	"consilium/mpc"
)

// binding is a signed job tied to its study and its session: all that nodes and
// recipient derive alike from the same signed bytes.
type binding struct {
	id      job.Hash
	job     *job.Job
	roster  *job.Roster
	plan    *Plan
	session mpc.SessionID
}

// planner is PlanJob, or what takes its place with another set of analyses.
type planner func(*job.Job, *job.Roster) (*Plan, error)

// bind verifies the job's signature, its signer, the roster that it names and
// every node's decision, and plans it. It does not look at the expiry: a node
// does before it accepts, and a job that was accepted in time may end later.
func bind(plan planner, signed *job.Signed, file *job.RosterFile, decisions []job.Decision) (*binding, error) {
	j, err := signed.Verify()
	if err != nil {
		return nil, err
	}
	if j.Roster != file.Hash {
		return nil, fmt.Errorf("the job was signed under roster %v, this is roster %v: all must use the same", j.Roster, file.Hash)
	}
	if _, ok := file.Roster.ClientByKey(signed.Signer); !ok {
		return nil, errors.New("the job's signer is no client of the roster")
	}
	b := &binding{id: signed.ID(), job: j, roster: file.Roster}
	if b.plan, err = plan(j, file.Roster); err != nil {
		return nil, err
	}
	session, err := job.SessionID(b.id, j, file.Roster, decisions)
	if err != nil {
		return nil, err
	}
	b.session = session
	return b, nil
}

// confirmSession names the exchange in which the nodes compare the session that
// each derived. It cannot be derived from that session: nodes with different
// ones have to meet in it.
func (b *binding) confirmSession() mpc.SessionID {
	text := "consilium confirm v1\x00" + string(b.id[:]) + string(b.job.Roster[:])
	return sha256.Sum256([]byte(text))
}

// participants returns who takes part, in the roster's order.
func (b *binding) participants() []mpc.PartyID { return b.indexes(b.roster.Participants(b.job)) }

// indexes returns nodes' places in the roster.
func (b *binding) indexes(names []string) []mpc.PartyID {
	var out []mpc.PartyID
	for _, name := range names {
		out = append(out, mpc.PartyID(b.roster.NodeIndex(name)))
	}
	return out
}

// parties returns who computes and seals, in the order of their roles: the compute
// parties or, under engine mhe, the sites.
func (b *binding) parties() []mpc.PartyID {
	return b.indexes(b.roster.Sealers(b.job))
}

// sites returns who holds rows of the dataset, in the roster's order.
func (b *binding) sites() []mpc.PartyID {
	var out []mpc.PartyID
	if b.plan.scoring != nil {
		return nil // the rows are the asker's
	}
	if b.plan.match != nil {
		return b.indexes(b.plan.matchSites())
	}
	if b.plan.program != nil {
		return nil // the parties keep them
	}
	for _, s := range b.plan.Dataset.Sites {
		out = append(out, mpc.PartyID(b.roster.NodeIndex(s.Node)))
	}
	return out
}
