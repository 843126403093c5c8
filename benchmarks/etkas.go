package main

import (
	"cmp"
	"fmt"
	"time"

	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/protocols/match"
)

// A kidney donor is matched with waiting lists by the whole ETKAS policy: the list is
// ranked, candidates who stand on it twice are looked for, and each hospital's own
// rows of it are made. What sites and recipients do is not measured.

const (
	hospitals  = 4
	bestOffers = 50
	// mostListed is up to how many candidates there are: every process draws them
	// all and computes what their hospitals would.
	mostListed = 250_000
)

// setupETKAS ranks N candidates and returns the best 50, or the best C of R.
func setupETKAS(d *dealer, n size) task {
	return setupWaiting(d, n.rows, min(n.rows, cmp.Or(n.cols, bestOffers)))
}

// setupETKASFull ranks N candidates and returns the whole list.
func setupETKASFull(d *dealer, n size) task { return setupWaiting(d, n.rows, n.rows) }

func setupWaiting(d *dealer, n, k int) task {
	l, expected, err := waiting(d, n)
	if err != nil {
		return task{
			run:   func(s *mpc.Session) output { s.Fail(err); return output{} },
			check: func(*checker, output) error { return err },
		}
	}
	return task{
		run: func(s *mpc.Session) output { return matched(s, l, k) },
		check: func(c *checker, out output) error {
			return checkOffers(c, out.vecs, expected, func(row int) int64 { return hospitalOf(n, row) })
		},
	}
}

// waiting shares n candidates of all hospitals and a donor, and ranks them in the
// clear.
func waiting(d *dealer, n int) (*match.List, []policy.Ranked, error) {
	text, err := policies.FS.ReadFile("etkas.yaml")
	if err != nil {
		return nil, nil, err
	}
	p, err := policy.Parse(text, policies.FS)
	if err != nil {
		return nil, nil, err
	}
	candidates, donor, err := drawnRows(p, n)
	if err != nil {
		return nil, nil, err
	}
	expected, err := p.Program.Evaluate(candidates, donor.Row(0))
	if err != nil {
		return nil, nil, err
	}
	l := &match.List{Program: p.Program}
	for h := range hospitals {
		l.Sites = append(l.Sites, (h+1)*n/hospitals-h*n/hospitals)
	}
	for _, column := range candidates.Columns {
		l.Candidates = append(l.Candidates, d.vec(n, func(i int) int64 { return column[i] }))
	}
	for _, column := range donor.Columns {
		l.Donor = append(l.Donor, d.vec(1, func(int) int64 { return column[0] }))
	}
	return l, expected, nil
}

// drawnRows draws candidates and a donor, and casts them as sites do.
func drawnRows(p *policy.Policy, n int) (candidates, donor *policy.Rows, err error) {
	from, err := newPopulation()
	if err != nil {
		return nil, nil, err
	}
	day := time.Date(2024, time.April, 1, 0, 0, 0, 0, time.UTC)
	file, err := from.people(1, n)
	if err != nil {
		return nil, nil, err
	}
	if candidates, err = p.ReadCandidates(file, day); err != nil {
		return nil, nil, err
	}
	if file, err = from.people(0, 1); err != nil {
		return nil, nil, err
	}
	donor, err = p.ReadDonors(file, day)
	return candidates, donor, err
}

// hospitalOf returns the number of the hospital that row i of n lies at.
func hospitalOf(n, i int) int64 {
	h := 1
	for i >= h*n/hospitals {
		h++
	}
	return int64(h)
}

// matched returns the counts of who is eligible and who stands twice on the list, the
// list, each hospital's own rows of it, and for each which of its candidates stand
// twice.
func matched(s *mpc.Session, l *match.List, k int) output {
	r := match.Rank(s.Step("rank"), l, k)
	flags, twice := match.Duplicates(s.Step("duplicates"), l)
	out := output{vecs: append([]rss.Vec{r.Eligible, twice}, columnsOf(&r.Rows)...)}
	for _, own := range r.Of(s.Step("own"), 0, 1, 2, 3) {
		out.vecs = append(out.vecs, columnsOf(own)...)
	}
	out.vecs = append(out.vecs, flags...)
	return out
}

func columnsOf(r *match.Rows) []rss.Vec {
	out := []rss.Vec{r.Ranked}
	for _, c := range r.Columns {
		out = append(out, c.Values)
	}
	return out
}

// checkOffers compares what matched returned with the policy's evaluation in the
// clear.
func checkOffers(c *checker, out []rss.Vec, expected []policy.Ranked, hospital func(row int) int64) error {
	for i, want := range []int{len(expected), 0} {
		if got := c.open(out[i])[0]; got != int64(want) {
			return fmt.Errorf("wrong result: count %d is %d, want %d", i+1, got, want)
		}
	}
	fields := []func(r *policy.Ranked) int64{
		func(*policy.Ranked) int64 { return 1 },
		func(r *policy.Ranked) int64 { return int64(r.Tier) },
		func(r *policy.Ranked) int64 { return r.Points },
		func(r *policy.Ranked) int64 { return r.ID },
		func(r *policy.Ranked) int64 { return hospital(r.Row) },
		func(r *policy.Ranked) int64 { return r.Shown[0] },
	}
	for part := range 1 + hospitals { // the whole list, and each hospital's
		for i, field := range fields {
			err := c.same(out[2+part*len(fields)+i], func(place int) int64 {
				if place >= len(expected) || part > 0 && hospital(expected[place].Row) != int64(part) {
					return 0
				}
				return field(&expected[place])
			})
			if err != nil {
				return fmt.Errorf("part %d, column %d: %w", part, i+1, err)
			}
		}
	}
	return nil
}
