package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// CumInc estimates the cumulative incidence of competing events: for each cause the
// sum of S d/n over the event times up to t, d being the events of that cause, n the
// patients at risk and S the survival of all causes just before (Aalen, Johansen:
// "An empirical transition matrix for non-homogeneous Markov chains based on
// censored observations", Scand. J. Statist. 5, 1978; survfit in R with an event
// that is a factor).
//
// The recipient learns the incidences at the times that the job asks for, and how
// many rows have each level of the event.
//
// In the order of the risk sets log S is a prefix sum (see risk.go), so that the
// logarithm of N S/n, which lies from 0 to log N for N declared rows, is local too.
// An exponential and one product for each cause give the terms of the sums, to
// 2^-26 of each. 65 rounds for few rows and 200 for 100,000, nearly all of them the
// sort's, and 9 for each chunk after the first; for three causes 240 bytes a row and
// party. Beside the sort memory holds one chunk of rows at a time.
type CumInc struct{}

// Name implements Analysis.
func (CumInc) Name() string { return "cuminc" }

const (
	causeCounts = "counts"    // of each level of the event in level order the rows
	incidences  = "incidence" // cause by cause, in steps of 2^-incidenceFrac / N
)

// incidenceFrac is how many fractional bits N S/n has.
const incidenceFrac = 30

// competing is what Plan works out.
type competing struct {
	axis     timeAxis
	event    *factor
	censored int   // of the levels
	causes   []int // the others
	vectors  []job.Vector
	times    []*big.Rat
}

// Plan implements Analysis. Arguments: time, event (a column), censored (one of its
// levels), times.
func (CumInc) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	time, event, censored, times := args.String("time"), args.String("event"), args.String("censored"), args.Decimals("times")
	if err := args.Err(); err != nil {
		return nil, err
	}
	axis, err := newTimeAxis(d, time)
	if err != nil {
		return nil, err
	}
	factors, _, err := grouped(d, []string{event})
	if err != nil {
		return nil, fmt.Errorf("event names the column that tells how a time ends: %w", err)
	}
	c := &competing{axis: axis, event: &factors[0], censored: -1, times: times}
	var keys, causes []string
	for i := range c.event.levels {
		keys = append(keys, c.event.key(i))
		if keys[i] == censored {
			c.censored = i
			continue
		}
		c.causes, causes = append(c.causes, i), append(causes, keys[i])
	}
	switch {
	case c.censored < 0:
		return nil, fmt.Errorf("censored: column %q has no category %.64q: %s", event, censored, job.Near(censored, keys))
	case len(causes) == 0:
		return nil, errors.New("event has no category beside the censored one; name the column that tells the causes")
	}
	indicators := c.event.indicators()
	for _, i := range c.causes {
		c.vectors = append(c.vectors, indicators[i])
	}
	return &Plan{
		Samples:  []Sample{{"rows", append(axis.vectors(), c.vectors...)}},
		Outputs:  []Output{{causeCounts, len(keys)}, {incidences, len(causes) * len(times)}},
		Failures: []string{statusNoEvents},
		Reveals: []string{
			fmt.Sprintf("how many selected rows with a value of %s have each category of %s", time, event),
			fmt.Sprintf("the cumulative incidence of %s at %d times", strings.Join(causes, ", "), len(times)),
		},
		Detail: c,
	}, nil
}

// Compute implements Analysis.
func (CumInc) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	c, rows := p.Detail.(*competing), in.Rows["rows"]
	causes := len(c.vectors)
	sorted := byRisk(s.Step("sort"), c.axis, rows, func(_ *mpc.Session, r *Rows) (rss.Vec, []rss.Vec) {
		columns := r.values(c.vectors)
		ended := columns[0]
		for _, x := range columns[1:] {
			ended = rss.Add(s, ended, x)
		}
		return ended, columns
	})
	sums := incidenceSums(s.Step("sums"), sorted)
	sorted.Close()
	found := c.axis.upTo(s.Step("times"), c.times, sums, causes)
	sums.Close()
	atRisk := found[causes]

	n, ended := rows.sums(s, c.vectors...)
	events := rss.Sum(s, rss.Concat(s, ended...))
	counts := make([]rss.Vec, len(c.event.levels))
	counts[c.censored] = rss.Sub(s, n, events)
	for i, level := range c.causes {
		counts[level] = ended[i]
	}
	levels := rss.Concat(s, counts...)
	values := map[string]rss.Vec{causeCounts: levels, incidences: rss.Concat(s, found[:causes]...)}
	return Outputs{
		Values: lifted(s.Step("lift"), p, values),
		Rows:   n,
		Counts: rss.Concat(s, levels, atRisk),
		Failed: map[string]rss.Vec{statusNoEvents: isNone(s.Step("none"), events)},
	}
}

// incidenceSums returns for upTo the prefix sums of S d/n of each cause, which the carried
// columns are.
func incidenceSums(s *mpc.Session, r *riskRows) *rss.Chunked {
	logs := func(c *riskPiece) rss.Vec { return c.eventLogs(s, 0) } // no row comes after the last
	total := r.sum(s, logs)
	out := r.blocks[0].Like(s, soughtSums+r.carried, 0)
	var lastLog rss.Vec
	lasts := make([]rss.Vec, r.carried)
	for i, part := range r.parts() {
		s := s.Step("part", i)
		c := r.piece(s, part)
		sums := c.prefixSums(s, logs(c), &lastLog)
		// Rows behind a row are those of earlier events.
		survival := rss.Sub(s, sums, rss.Repeat(s, total, c.rows()))
		share := hazardShare(s.Step("share"), c, survival, r.blocks[0].Rows())
		terms := rss.Mul(s.Step("terms"), rss.Concat(s, c.carried...), rss.Repeat(s, share, r.carried))
		columns := []rss.Vec{c.time, c.places(s)}
		for j, x := range inParts(s, terms, r.carried) {
			columns = append(columns, c.prefixSums(s, x, &lasts[j]))
		}
		out.Put(s, part.chunk, columns)
	}
	return out
}

// hazardShare returns N S/n at each row: S, of which it takes the logarithm, is survival
// just before its event, n the number at risk and N that of all rows. It is at least 1,
// for S is least where no row was ever censored, n/N, and at most N.
func hazardShare(s *mpc.Session, c *riskPiece, survival rss.Vec, rows int) rss.Vec {
	perRisk := c.atRisk(func(n float64) float64 { return math.Ldexp(math.Log(float64(rows)/n), logFrac) })
	const most = 4 // log N < 2^4: see mostRiskRows
	x := rss.NewFixed(s, rss.Add(s, survival, rss.Public(s, perRisk)), logFrac, logFrac+most)
	return rss.Exp(s, x, incidenceFrac).Share
}

// Finish implements Analysis. A cause that no selected row has is left out.
func (CumInc) Finish(p *Plan, opened Opened) (*Result, error) {
	c := p.Detail.(*competing)
	levels, err := counts(p, opened[causeCounts])
	if err != nil {
		return nil, err
	}
	numbers := Table{Title: "Follow-up", Header: []string{c.event.column.Name, "n"}, Notes: []string{filterNote(p)}}
	table := Table{
		Title:  "Cumulative incidence",
		Header: []string{withUnit(c.axis.column)},
		Notes: []string{filterNote(p), "Aalen-Johansen estimates; the causes compete. Rows with a missing value in " +
			c.axis.column.Name + " or " + c.event.column.Name + " are left out."},
	}
	for _, t := range c.times {
		table.Rows = append(table.Rows, []string{shortest(t)})
	}
	for _, i := range nonzero(levels) {
		numbers.Rows = append(numbers.Rows, []string{c.event.key(i), strconv.FormatInt(levels[i], 10)})
	}
	value := map[string]any{}
	at, err := c.read(p, opened)
	if err != nil {
		return nil, err
	}
	for i, level := range c.causes {
		if levels[level] == 0 {
			continue
		}
		all := make([]any, len(c.times))
		for t := range c.times {
			x := at[i*len(c.times)+t]
			all[t] = x
			table.Rows[t] = append(table.Rows[t], printedFraction(x))
		}
		key := c.event.key(level)
		value[key], table.Header = all, append(table.Header, key)
	}
	return &Result{Status: statusOK, Value: value, Tables: []Table{numbers, table}}, nil
}

// read reads all incidences.
func (c *competing) read(p *Plan, opened Opened) ([]float64, error) {
	rows := float64(p.Dataset.Rows())
	const most = 1 + 1e-6 // rounding of the exponentials included
	at, err := readFixed(opened[incidences], incidenceFrac, rows*most)
	if err != nil {
		return nil, err
	}
	for i, x := range at {
		if x < 0 {
			return nil, errImpossible
		}
		at[i] = min(x/rows, 1)
	}
	return at, nil
}
