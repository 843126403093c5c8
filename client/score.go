package client

import (
	"context"
	"errors"
	"fmt"

	"consilium/job"
	"consilium/protocols"
)

// PrepareScore encrypts the features of some patients under a fresh key, and plans the
// job that has them scored by the model of that name at its owner. Of each patient rows
// has the codes of the features, which are columns of the dataset in the order of its
// schema. The key is in what it returns and nowhere else.
func (c *Client) PrepareScore(owner, model, dataset string, features []string, rows [][]int64) (*Prepared, error) {
	roster := c.roster.Roster
	d, ok := roster.Dataset(dataset)
	if !ok {
		return nil, fmt.Errorf("study %s has no dataset %.64q: %s", roster.Study, dataset, job.Near(dataset, roster.DatasetNames()))
	}
	if _, ok := roster.Node(owner); !ok {
		return nil, fmt.Errorf("study %s has no node %.64q: %s", roster.Study, owner, job.Near(owner, roster.Names()))
	}
	query, attachment, err := protocols.NewScoreQuery(d, features, rows)
	if err != nil {
		return nil, err
	}
	p, err := c.Prepare(&job.File{
		Study: roster.Study, Dataset: dataset, Analysis: protocols.ScoreName, Engine: job.EngineMHE, Nodes: []string{owner},
		Args:       map[string]any{"model": model, "features": features, "rows": len(rows)},
		Attachment: job.AttachmentHash(attachment),
	})
	if err != nil {
		return nil, err
	}
	p.attachment, p.query = attachment, query
	return p, nil
}

// errAsked says that the key of a private score would be used for a second answer.
var errAsked = errors.New("the rows are encrypted under a key for one answer: prepare the scores anew")

// Attachment is what the job brings along; nil where it brings nothing.
func (p *Prepared) Attachment() []byte { return p.attachment }

// Result opens the result of the job, which was signed here, as Conn.Result does; of a
// private score by the key that was made for it.
func (p *Prepared) Result(ctx context.Context, conn *Conn, signed *job.Signed) (*protocols.Result, error) {
	if p.query == nil {
		return conn.Result(ctx, signed)
	}
	f, err := conn.Fetch(ctx, signed.ID())
	if err != nil {
		return nil, err
	}
	if err := sameJob(signed, f.Job); err != nil {
		return nil, fmt.Errorf("job %s: %w; its result is refused", signed.ID().Short(), err)
	}
	return p.query.Open(signed, p.client.roster, f.Decisions, f.Shares)
}
