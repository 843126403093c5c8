package client

import (
	"context"
	"errors"
	"fmt"

	"consilium/job"
	"consilium/protocols"
)

// Ranks fetches and opens what was revealed to this client of a match run with reveal:
// next, in the order of the ranks, each once. Jobs for a rank that gave nothing are
// passed over.
func (c *Conn) Ranks(ctx context.Context, run job.Hash) ([]protocols.Revealed, error) {
	ids, err := c.client.StoredIDs()
	if err != nil {
		return nil, err
	}
	var ranks []protocols.Revealed
	for _, id := range ids {
		stored, err := c.client.Stored(id)
		if err != nil || stored.Job.Analysis != protocols.MatchNext || stored.Job.Args[protocols.ArgRun] != run.String() {
			continue
		}
		rank, err := c.rank(ctx, stored.Signed)
		if err != nil {
			return nil, err
		}
		if rank != nil {
			ranks = append(ranks, *rank)
		}
	}
	return protocols.InOrder(ranks)
}

// rank fetches and opens a rank; nil if the job gave none.
func (c *Conn) rank(ctx context.Context, signed *job.Signed) (*protocols.Revealed, error) {
	roster, f, err := c.fetchOf(ctx, signed)
	if refused := new(RemoteError); errors.As(err, &refused) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	opened, plan, err := c.client.opened(signed, roster, f)
	if err != nil {
		return nil, err
	}
	_, n, ok := plan.Rank()
	if !ok {
		return nil, fmt.Errorf("job %s reveals no rank", signed.ID().Short())
	}
	result, err := plan.Finish(opened)
	if err != nil {
		return nil, err
	}
	return &protocols.Revealed{Sequence: n, Result: result}, nil
}

// fetchOf fetches a finished job, and finds its roster.
func (c *Conn) fetchOf(ctx context.Context, signed *job.Signed) (*job.RosterFile, *Fetched, error) {
	j, err := signed.Verify()
	if err != nil {
		return nil, nil, err
	}
	roster, err := c.client.rosterOf(j)
	if err != nil {
		return nil, nil, err
	}
	f, err := c.Fetch(ctx, signed.ID())
	return roster, f, err
}

// Plan is the public side of a job that was signed here.
func (c *Client) Plan(j *job.Job) (*protocols.Plan, error) {
	roster, err := c.rosterOf(j)
	if err != nil {
		return nil, err
	}
	return protocols.PlanJob(j, roster.Roster)
}
