package node

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"consilium/job"
)

// Verify holds the record against a roster, as an auditor does who believes
// neither the node nor its disk: the job is signed by the client whom the record
// names; this node's answer is signed with its roster key; the session of a job
// that was started follows from every node's signed acceptance; what a node that
// seals let out is the share that it signed for that session, and the outcome is
// the one that was told. Reveals are this program's words for the signed job, and
// times are the node's own: no signature covers them.
//
// The roster is the one that the job names. Of a rejected job it may be another,
// that of the node: naming the wrong one is a reason to reject.
func (r *Record) Verify(roster *job.RosterFile) error {
	if err := r.verify(roster); err != nil {
		return fmt.Errorf("record of job %s: %w", r.Job.Short(), err)
	}
	return nil
}

func (r *Record) verify(roster *job.RosterFile) error {
	j, err := r.Signed.Verify()
	if err != nil {
		return err
	}
	if r.Signed.ID() != r.Job {
		return fmt.Errorf("its job is %s", r.Signed.ID().Short())
	}
	if j.Roster != roster.Hash && r.State != Rejected {
		return fmt.Errorf("it was signed under roster %s, this is roster %s; give the roster of then", j.Roster, roster.Hash)
	}
	if err := r.verifyNames(j, roster.Roster); err != nil {
		return err
	}
	if err := r.verifyDecision(roster.Roster); err != nil {
		return err
	}
	if err := r.verifySession(j, roster); err != nil {
		return err
	}
	return r.verifyOutcome(j, roster.Roster)
}

func (r *Record) verifyNames(j *job.Job, roster *job.Roster) error {
	signer, ok := roster.ClientByKey(r.Signed.Signer)
	if !ok {
		return errors.New("its signer is no client of the roster")
	}
	if signer.Name != r.Signer {
		return fmt.Errorf("it is signed by %s, the record names %q", signer.Name, r.Signer)
	}
	if name := recipientName(j, roster); r.State != Rejected && name != r.Recipient {
		return fmt.Errorf("its result goes to %q, the record names %q", name, r.Recipient)
	}
	return nil
}

func (r *Record) verifyDecision(roster *job.Roster) error {
	index := roster.NodeIndex(r.Decision.Node)
	if index < 0 {
		return fmt.Errorf("node %q is not in the roster", r.Decision.Node)
	}
	if r.Decision.Job != r.Job {
		return fmt.Errorf("its decision is on job %s", r.Decision.Job.Short())
	}
	if err := r.Decision.Verify(roster.NodeKey(index)); err != nil {
		return err
	}
	if r.Decision.Accept == (r.State == Rejected) {
		return fmt.Errorf("its state is %s, which its decision is not", r.State)
	}
	return nil
}

// verifySession derives the session of a started job from the decisions.
func (r *Record) verifySession(j *job.Job, roster *job.RosterFile) error {
	if len(r.Session) == 0 && len(r.Decisions) == 0 {
		if r.State == Running || r.State == Done {
			return fmt.Errorf("it is %s without a session", r.State)
		}
		return nil
	}
	session, err := job.SessionID(r.Job, j, roster.Roster, r.Decisions)
	if err != nil {
		return err
	}
	if !bytes.Equal(session[:], r.Session) {
		return errors.New("its session does not follow from the nodes' decisions")
	}
	own := func(d job.Decision) bool {
		return d.Node == r.Decision.Node && bytes.Equal(d.Signature, r.Decision.Signature)
	}
	if !slices.ContainsFunc(r.Decisions, own) {
		return errors.New("its session was made with another decision of this node than the one on record")
	}
	return nil
}

// verifyOutcome compares what was told with what is kept of it. A node that seals
// and is done keeps the receipt of its share, nobody else has one.
func (r *Record) verifyOutcome(j *job.Job, roster *job.Roster) error {
	sealed := r.State == Done && slices.Contains(roster.Sealers(j), r.Decision.Node)
	if sealed != (r.Share != nil) {
		return errors.New("a node that seals keeps the receipt of the share that it sealed, and nobody else keeps one; here it is otherwise")
	}
	if sealed {
		if r.Share.Party != r.Decision.Node || !bytes.Equal(r.Share.Session[:], r.Session) {
			return errors.New("its share is not this node's of this session")
		}
		if err := r.Share.Verify(r.Job, roster.NodeKey(roster.NodeIndex(r.Share.Party))); err != nil {
			return err
		}
	}
	if !r.told() {
		if r.Outcome != nil {
			return fmt.Errorf("it is %s and has an outcome", r.State)
		}
		return nil
	}
	if hash := job.OutcomeHash(r.Job, r.Error, r.Share); !bytes.Equal(hash[:], r.Outcome) {
		return errors.New("its error or share is not the one that was told")
	}
	return nil
}

// told says whether the job ended in a way that the coordinator was told: one
// that was withdrawn before its start was not.
func (r *Record) told() bool {
	switch r.State {
	case Done, Failed:
		return true
	case Cancelled:
		return len(r.Session) > 0
	}
	return false
}
