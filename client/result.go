package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"consilium/job"
	"consilium/protocols"
)

// Result fetches what was sealed for a finished job, and opens it. It
// believes nothing that the coordinator says: the job that comes back must be
// the one signed here to the last byte, every node must have accepted it under
// its own signature, and every node that seals must have signed shares that agree.
func (c *Conn) Result(ctx context.Context, signed *job.Signed) (*protocols.Result, error) {
	roster, f, err := c.fetchOf(ctx, signed)
	if err != nil {
		return nil, err
	}
	return c.client.open(signed, roster, f)
}

// rosterOf returns the roster under which a job was signed: the pinned one, or
// one that was approved here before. The job names it by its hash, so it can be
// no other, wherever the file comes from.
func (c *Client) rosterOf(j *job.Job) (*job.RosterFile, error) {
	if j.Roster == c.roster.Hash {
		return c.roster, nil
	}
	path := job.KeptRoster(c.dir, j.Roster)
	roster, err := job.ReadRoster(path, j.Roster)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the job was signed under roster %s, which is not among those kept here (%s is pinned); copy that roster's file to %s", j.Roster.Short(), c.roster.Hash.Short(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("the roster of the job: %w", err)
	}
	return roster, nil
}

// Dataset returns the dataset that a job asks, as the roster declares it under
// which the job was signed.
func (c *Client) Dataset(j *job.Job) (*job.Dataset, error) {
	roster, err := c.rosterOf(j)
	if err != nil {
		return nil, err
	}
	d, ok := roster.Roster.Dataset(j.Dataset)
	if !ok {
		return nil, fmt.Errorf("roster %s has no dataset %.64q", j.Roster.Short(), j.Dataset)
	}
	return d, nil
}

// Open opens a fetched result offline, with everything that Result checks.
func (c *Client) Open(signed *job.Signed, f *Fetched) (*protocols.Result, error) {
	j, err := signed.Verify()
	if err != nil {
		return nil, err
	}
	roster, err := c.rosterOf(j)
	if err != nil {
		return nil, err
	}
	return c.open(signed, roster, f)
}

func (c *Client) open(signed *job.Signed, roster *job.RosterFile, f *Fetched) (*protocols.Result, error) {
	opened, plan, err := c.opened(signed, roster, f)
	if err != nil {
		return nil, err
	}
	return plan.Finish(opened)
}

func (c *Client) opened(signed *job.Signed, roster *job.RosterFile, f *Fetched) (protocols.Opened, *protocols.Plan, error) {
	if err := sameJob(signed, f.Job); err != nil {
		return nil, nil, fmt.Errorf("job %s: %w; its result is refused", signed.ID().Short(), err)
	}
	return protocols.Open(signed, roster, f.Decisions, f.Shares, c.recipient.private)
}

// Replay fetches and opens the result of a match as Result does, runs the match once
// more in the clear from what its sites kept of it, and compares: see
// protocols.Plan.Replay. Of a run with reveal: next that is what was revealed so far,
// which the result then tells.
func (c *Conn) Replay(ctx context.Context, signed *job.Signed, runs []*protocols.MatchRun) (*protocols.Result, error) {
	roster, f, err := c.fetchOf(ctx, signed)
	if err != nil {
		return nil, err
	}
	opened, plan, err := c.client.opened(signed, roster, f)
	if err != nil {
		return nil, err
	}
	var ranks []protocols.Revealed
	if plan.KeepsRows() {
		if ranks, err = c.Ranks(ctx, signed.ID()); err != nil {
			return nil, err
		}
	}
	result, err := plan.Replay(ctx, opened, runs, ranks...)
	if err == nil && plan.KeepsRows() {
		plan.AddRanks(result, ranks)
	}
	return result, err
}

// sameJob compares what came back with what was signed. Where they differ it
// says the worst: a result sealed to somebody else.
func sameJob(signed, back *job.Signed) error {
	if bytes.Equal(back.Bytes, signed.Bytes) && bytes.Equal(back.Signer, signed.Signer) && bytes.Equal(back.Signature, signed.Signature) {
		return nil
	}
	mine, err := job.Decode(signed.Bytes)
	if err != nil {
		return err
	}
	if theirs, err := job.Decode(back.Bytes); err == nil && !bytes.Equal(theirs.Recipient, mine.Recipient) {
		return errors.New("the job that came back names another recipient key than the one signed here")
	}
	return errors.New("the job that came back is not the one signed here")
}
