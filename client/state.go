package client

import (
	"fmt"
	"time"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// State is where a job is on its way, as the coordinator tells it.
type State string

// The states. Those from Done on are terminal.
const (
	Queued    State = "queued"
	Deciding  State = "deciding"
	Running   State = "running"
	Done      State = "done"
	Rejected  State = "rejected"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Expired   State = "expired"
)

// Terminal says that nothing follows.
func (s State) Terminal() bool {
	switch s {
	case Done, Rejected, Failed, Cancelled, Expired:
		return true
	}
	return false
}

func stateFrom(s api.State) (State, error) {
	switch s {
	case api.State_STATE_QUEUED:
		return Queued, nil
	case api.State_STATE_DECIDING:
		return Deciding, nil
	case api.State_STATE_RUNNING:
		return Running, nil
	case api.State_STATE_DONE:
		return Done, nil
	case api.State_STATE_REJECTED:
		return Rejected, nil
	case api.State_STATE_FAILED:
		return Failed, nil
	case api.State_STATE_CANCELLED:
		return Cancelled, nil
	case api.State_STATE_EXPIRED:
		return Expired, nil
	}
	return "", fmt.Errorf("the coordinator names a job state %d that this version does not know; use the coordinator's version of consilium", s)
}

// Reconnecting is the phase of an event that the client itself makes, with
// sequence 0, when the line to the coordinator broke and Watch tries again.
const Reconnecting = "reconnecting"

// Event is one step of a job's way, for a person who watches. It is what the
// coordinator says and proves nothing.
type Event struct {
	Sequence int64 // counts from 1 in a job
	Time     time.Time
	State    State
	Node     string // who reports; empty: the coordinator
	Phase    string // "accepted", "rejected", "sealing", "computing", "revealing", "done", "failed", …
	Detail   string // a step's path, or a reason
}

func eventFrom(e *api.Event) (Event, error) {
	state, err := stateFrom(e.GetState())
	if err != nil {
		return Event{}, err
	}
	return Event{
		Sequence: e.GetSequence(),
		Time:     time.UnixMilli(e.GetUnixMs()),
		State:    state,
		Node:     job.Printable(e.GetNode(), maxName),
		Phase:    job.Printable(e.GetPhase(), maxName),
		Detail:   job.Printable(e.GetDetail(), maxText),
	}, nil
}

// Status is what the coordinator knows of a job.
type Status struct {
	ID        job.Hash
	State     State
	Reason    string // of a terminal state other than Done
	Submitted time.Time
	Changed   time.Time
	Study     string
	Dataset   string
	Analysis  string
	Signer    string // the client's name in the roster
}

func statusFrom(s *api.JobStatus) (Status, error) {
	id, err := wire.HashFrom("job id", s.GetId())
	if err != nil {
		return Status{}, err
	}
	state, err := stateFrom(s.GetState())
	if err != nil {
		return Status{}, err
	}
	return Status{
		ID:        id,
		State:     state,
		Reason:    job.Printable(s.GetReason(), maxText),
		Submitted: time.UnixMilli(s.GetSubmittedUnixMs()),
		Changed:   time.UnixMilli(s.GetChangedUnixMs()),
		Study:     job.Printable(s.GetStudy(), maxName),
		Dataset:   job.Printable(s.GetDataset(), maxName),
		Analysis:  job.Printable(s.GetAnalysis(), maxName),
		Signer:    job.Printable(s.GetSigner(), maxName),
	}, nil
}

// EndedError says that a job ended without a result.
type EndedError struct {
	ID     job.Hash
	State  State // Rejected, Failed, Cancelled or Expired
	Node   string
	Reason string
}

// Error is one line: what became of the job, who said so, and why.
func (e *EndedError) Error() string {
	text := fmt.Sprintf("job %s %s", e.ID.Short(), map[State]string{
		Rejected: "was rejected", Failed: "failed", Cancelled: "was cancelled", Expired: "expired before it began",
	}[e.State])
	if e.Node != "" {
		text += " by " + e.Node
		if e.State == Failed {
			text = fmt.Sprintf("job %s failed at %s", e.ID.Short(), e.Node)
		}
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}
