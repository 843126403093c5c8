package protocols

import (
	"fmt"
	"slices"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/protocols/oblivious"
)

// A stored job under engine shares is the same analysis of the same summaries and
// samples, which the three parties compute themselves, from the shares of the rows that
// they keep, before they go on as with any job: filters, events and groups are evaluated
// on shares (see oblivious). No site takes part. What is revealed, and to whom, does not
// differ from the same job on the sites' files.

// planShares completes a plan of sums and samples for what the parties keep.
func (p *Plan) planShares() error {
	q := &oblivious.Question{Schema: &p.Dataset.Schema, Rows: p.Dataset.Rows(), Where: p.Where, Summaries: p.Summaries}
	for _, sample := range p.Samples {
		q.Samples = append(q.Samples, sample.Vectors)
	}
	var err error
	p.program, err = oblivious.Compile(q)
	return err
}

// computeShares is a party's part in a stored job under engine shares.
func (w *work) computeShares(s *mpc.Session) *job.SealedShare {
	outputs := w.plan.Compute(s.Step(stepCompute), w.fromShares(s.Step(stepStored)))
	return w.reveal(s.Step(stepReveal), outputs)
}

// fromShares makes an analysis's inputs of what the parties keep, chunk by chunk: samples
// go from the store to the spill as they are computed. After a failure, which ends the
// session, it returns zeros.
func (w *work) fromShares(s *mpc.Session) Inputs {
	in := Inputs{Sums: map[string]rss.Vec128{}, Rows: map[string]*Sampled{}}
	var samples []*rss.Chunked
	for _, sample := range w.plan.Samples {
		rows := NewSampled(s, w.Spill, w.plan.Dataset.Rows(), sample)
		in.Rows[sample.Name], samples = rows, append(samples, rows.Chunked)
	}
	run := w.plan.program.Start(samples...)
	if err := w.addChunks(s, run); err != nil {
		s.Fail(err)
	}
	sums := run.End(s.Step("end"))
	for i, summary := range w.plan.Summaries {
		in.Sums[summary.Name] = sums[i]
	}
	return in
}

// addChunks runs the plan's program over the newest version that all parties have.
func (w *work) addChunks(s *mpc.Session, run *oblivious.Run) error {
	stored, err := w.openShares(s.Step("version"))
	if err != nil {
		return err
	}
	defer stored.Close()
	if err := w.fitsShares(stored.Version().Snapshot); err != nil {
		return err
	}
	return RunShares(s, stored, run)
}

// RunShares runs a program, at a party, over all chunks of what it keeps. While one is
// computed on the next is read.
func RunShares(s *mpc.Session, stored StoredShares, run *oblivious.Run) error {
	load := func(k int) (*oblivious.Chunk, error) {
		c, err := LoadChunk(stored, s.Role(), k, run.Columns()...)
		if err != nil {
			return nil, fmt.Errorf("read what is deposited: %w", err)
		}
		return c.oblivious(), nil
	}
	return ahead(len(stored.Version().Snapshot.Chunks), load, func(k int, c *oblivious.Chunk) error {
		run.Add(s.Step("chunk", k), c)
		return s.Err()
	})
}

func (c *ShareChunk) oblivious() *oblivious.Chunk {
	out := &oblivious.Chunk{Exists: c.Present, Columns: map[string]oblivious.Column{}}
	for name, codes := range c.Codes {
		out.Columns[name] = oblivious.Column{Codes: codes, Valid: c.Valid[name]}
	}
	return out
}

// ahead loads n things one after the other, each while the one before is used.
func ahead[T any](n int, load func(k int) (T, error), use func(k int, x T) error) error {
	type loaded struct {
		x   T
		err error
	}
	begin := func(k int) <-chan loaded {
		out := make(chan loaded, 1)
		if k < n {
			go func() {
				x, err := load(k)
				out <- loaded{x, err}
			}()
		} else {
			out <- loaded{}
		}
		return out
	}
	next := begin(0)
	for k := range n {
		now := <-next
		if now.err != nil {
			return now.err
		}
		next = begin(k + 1)
		if err := use(k, now.x); err != nil {
			<-next // it ends before what it reads from is closed
			return err
		}
	}
	return nil
}

// sharesFit is CheckShares for a stored job. Of two versions the parties may have either
// in common.
func (n *keeping) sharesFit() error {
	versions, err := n.shares.Versions()
	if err != nil {
		return err
	}
	problem := ErrNoShares
	for i := len(versions) - 1; i >= 0; i-- { // the newest last: what is wrong with it counts
		v := versions[i]
		if !v.Party {
			continue
		}
		if problem = n.fitsShares(v.Snapshot); problem == nil {
			return nil
		}
	}
	return problem
}

// fitsShares refuses a snapshot of another study's state, in which columns of the plan are
// missing, or that is not of the rows that the roster declares.
func (b *binding) fitsShares(v *ShareSnapshot) error {
	if err := b.checkVersion(v); err != nil {
		return err
	}
	p := b.plan
	var missing []string
	for _, name := range p.program.Columns() {
		if !slices.ContainsFunc(v.Columns, func(c ShareColumn) bool { return c.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		deposited := make([]string, len(v.Columns))
		for i, c := range v.Columns {
			deposited[i] = c.Name
		}
		all := slices.Sorted(slices.Values(append(deposited, missing...)))
		return fmt.Errorf("not deposited of dataset %s: %s; run consilium deposit %s --engine shares --columns %s",
			v.Dataset, strings.Join(missing, ", "), v.Dataset, asFlag(all))
	}
	rows := map[string]int{}
	for _, c := range v.Chunks {
		if _, ok := p.Dataset.Site(c.Site); !ok {
			return fmt.Errorf("%s has deposited rows of dataset %s and is no site of it any more: deposit it anew", c.Site, v.Dataset)
		}
		rows[c.Site] += c.Rows
	}
	for _, site := range p.Dataset.Sites {
		switch n := rows[site.Node]; {
		case n == 0:
			return fmt.Errorf("%s has deposited nothing of dataset %s: deposit it anew", site.Node, v.Dataset)
		case n > site.Rows:
			return fmt.Errorf("%s has deposited %d rows of dataset %s and the roster declares %d: agree on a roster with the new number", site.Node, n, v.Dataset, site.Rows)
		}
	}
	return nil
}

// asFlag writes names as a flag takes them.
func asFlag(names []string) string {
	list := strings.Join(names, ",")
	if strings.ContainsAny(list, " ") {
		return `"` + list + `"`
	}
	return list
}
