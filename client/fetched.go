package client

import (
	"fmt"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// maxShares caps the shares of a result. Which nodes' they must be is checked when
// they are opened.
const maxShares = job.MaxNodes

// Fetched is a finished job as the coordinator relays it: the job's signed
// bytes, every node's signed decision, and each sealer's signed share of the
// result, still sealed. Its form is checked, nothing of it is verified yet.
type Fetched struct {
	Job       *job.Signed
	Decisions []job.Decision
	Shares    []job.SealedShare
}

func fetchedFrom(r *api.FetchReply) (*Fetched, error) {
	signed, err := wire.SignedFrom(r.GetJob())
	if err != nil {
		return nil, err
	}
	decisions, err := wire.DecisionsFrom(r.GetDecisions(), job.MaxNodes)
	if err != nil {
		return nil, err
	}
	if n := len(r.GetShares()); n > maxShares {
		return nil, fmt.Errorf("%d result shares, at most %d", n, maxShares)
	}
	f := &Fetched{Job: signed, Decisions: decisions}
	for _, m := range r.GetShares() {
		share, err := wire.ShareFrom(m)
		if err != nil {
			return nil, err
		}
		f.Shares = append(f.Shares, *share)
	}
	return f, nil
}
