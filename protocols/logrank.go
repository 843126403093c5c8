package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// LogRank compares the survival of groups: over the event times, and over strata, it
// sums how many events each group has more than its share of those at risk,
//
//	z_j = sum (d_j - d n_j/n),
//
// with the covariances of the hypergeometric distribution,
//
//	V_jl = sum d (n-d)/(n-1) (n_j/n) (1[j=l] - n_l/n),
//
// and the statistic is z' V^- z with as many degrees of freedom as there are groups
// with an expected event, less one (Mantel 1966; Peto, Peto: "Asymptotically
// efficient rank invariant test procedures", JRSS A 135, 1972; survdiff in R).
//
// The recipient learns the statistic and its degrees of freedom.
//
// Rows are in the order of the risk sets (see risk.go), for each stratum in a block of
// its own, where n is public at the last row of a time and n_j is a prefix sum. V has a
// zero eigenvalue, since z sums up to 0: it is scaled to correlations and 1 put in
// place of that, which changes nothing for z, so that the system has a solution
// whichever groups are empty. For three groups 330 rounds for few rows and 510 for
// 100,000, 36 more for each further group, and 40 for each chunk of each stratum after
// the first; 360 bytes a row and party, and 280 more for each stratum. Beside the sorts
// memory holds one chunk of rows at a time.
type LogRank struct{}

// Name implements Analysis.
func (LogRank) Name() string { return "logrank" }

const (
	logRankStatistic = "statistic" // in steps of 2^-logRankFrac
	logRankDF        = "df"
)

// rankTest is what Plan works out.
type rankTest struct {
	axis           timeAxis
	event          string
	end            job.Vector // the same, of rows
	group          *factor
	strata         []factor // none or one
	groups, blocks []job.Vector
}

// Plan implements Analysis. Arguments: time, event, group; strata (optional).
func (LogRank) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	time, event, group, by := args.String("time"), args.String("event"), args.String("group"), args.OptionalStrings("strata")
	if err := args.Err(); err != nil {
		return nil, err
	}
	if len(by) > 1 {
		return nil, errors.New("strata names several columns; give one")
	}
	axis, err := newTimeAxis(d, time)
	if err != nil {
		return nil, err
	}
	end, err := endOf(event, d)
	if err != nil {
		return nil, err
	}
	factors, _, err := grouped(d, append([]string{group}, by...))
	if err != nil {
		return nil, err
	}
	if len(factors[0].levels) < 2 {
		return nil, fmt.Errorf("group: column %q has one category; a comparison needs two", group)
	}
	l := &rankTest{axis: axis, event: event, end: end, group: &factors[0], strata: factors[1:], groups: factors[0].indicators()}
	what := fmt.Sprintf("the log-rank statistic of %s (event: %s) between the groups of %s", time, event, group)
	for _, f := range l.strata {
		l.blocks = f.indicators()
		what += " within strata of " + f.column.Name
	}
	sample := Sample{Name: "rows", Vectors: append(axis.vectors(), end)}
	sample.Vectors = append(append(sample.Vectors, l.groups...), l.blocks...)
	return &Plan{
		Samples:  []Sample{sample},
		Outputs:  []Output{{logRankStatistic, 1}, {logRankDF, 1}},
		Failures: []string{statusNoEvents, statusFewRows, statusSingular},
		Reveals:  []string{what + ", and its degrees of freedom (the groups with an expected event, less one)"},
		Detail:   l,
	}, nil
}

// Compute implements Analysis.
func (LogRank) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	l, rows := p.Detail.(*rankTest), in.Rows["rows"]
	n, sums := rows.sums(s, append([]job.Vector{l.end}, l.groups...)...)
	sorted := byRisk(s.Step("sort"), l.axis, rows, func(_ *mpc.Session, r *Rows) (rss.Vec, []rss.Vec) {
		return r.Value[endVector], r.values(slices.Concat(l.blocks, l.groups))
	})
	if len(l.blocks) > 0 {
		all := sorted
		sorted = all.split(s.Step("strata"), len(l.blocks))
		all.Close()
	}
	e := newExcess(s.Step("excess"), sorted, rows.Rows())
	sorted.Close()
	active := e.active(s.Step("active"))
	still := e.still(s.Step("still"), active)
	chi, weak := e.quadratic(s.Step("quadratic"), active)

	df := rss.AddConst(s, rss.Sum(s, active), -1)
	one := negatives(s.Step("groups"), rss.AddConst(s, df, -1))[0]
	return Outputs{
		Values: map[string]rss.Vec128{logRankStatistic: chi, logRankDF: rss.Lift(s.Step("df"), df)},
		Rows:   n,
		Counts: rss.Concat(s, append(sums[1:], e.observed)...),
		Failed: map[string]rss.Vec{
			statusNoEvents: isNone(s.Step("none"), sums[0]),
			statusFewRows:  one,
			statusSingular: rss.Add(s, weak, still),
		},
	}
}

// Finish implements Analysis.
func (LogRank) Finish(p *Plan, opened Opened) (*Result, error) {
	l := p.Detail.(*rankTest)
	df := opened[logRankDF][0]
	if df.Sign() <= 0 || df.Cmp(big.NewInt(int64(len(l.groups)-1))) > 0 {
		return nil, errImpossible
	}
	read, err := readFixed(opened[logRankStatistic], logRankFrac, math.Inf(1))
	if err != nil || read[0] < -1e-6 {
		return nil, errImpossible
	}
	return l.result(p, max(read[0], 0), df.Int64()), nil // nearly 0 may be rounded below
}

// result tells of the statistic with its degrees of freedom.
func (l *rankTest) result(p *Plan, statistic float64, df int64) *Result {
	tail := distuv.ChiSquared{K: float64(df)}.Survival(statistic)
	title := "Log-rank test by " + l.group.column.Name
	for _, f := range l.strata {
		title += ", stratified by " + f.column.Name
	}
	return &Result{
		Status: statusOK,
		Value:  map[string]any{"statistic": statistic, "df": df, "p": tail},
		Tables: []Table{{
			Title:  title,
			Header: []string{"Chi-square", "df", "p"},
			Rows:   [][]string{{printedStatistic(statistic), strconv.FormatInt(df, 10), printedP(tail)}},
			Notes: []string{filterNote(p), fmt.Sprintf("Time: %s, event: %s. Rows with a missing value are left out.",
				l.axis.column.Name, l.event)},
		}},
	}
}
