package protocols

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// OddsRatio measures how an outcome of two levels goes with an exposure of two
// levels, the second level against the first in both: of the counts
//
//	            outcome 1  outcome 2
//	exposure 1      a          b
//	exposure 2      c          d
//
// it gives the odds ratio a d / (b c), its 95 % interval by Wald on the log scale
// (Woolf, "On estimating the relation between blood group and disease", 1955), the
// risk ratio d/(c+d) / (b/(a+b)), and the p-value of Fisher's exact test, two-sided
// as R's fisher.test has it. What a zero cell leaves without a finite value is
// undefined. A filter may leave two of more declared levels.
//
// The sites push down the count of each cell. The recipient learns the four counts
// and derives everything else. 35 rounds, 2 kB a party.
type OddsRatio struct{}

// Name implements Analysis.
func (OddsRatio) Name() string { return "oddsratio" }

// crossed are two factors, one in the rows and one in the columns of a table.
type crossed struct{ rows, columns factor }

// crossTable plans the counts of two factors, which the named arguments name.
func crossTable(args *job.Args, d *job.Dataset, rowArgument, columnArgument string) (*crossed, job.Summary, error) {
	names := []string{args.String(rowArgument), args.String(columnArgument)}
	if err := args.Err(); err != nil {
		return nil, job.Summary{}, err
	}
	factors, groups, err := grouped(d, names)
	if err != nil {
		return nil, job.Summary{}, err
	}
	for _, f := range factors {
		if len(f.levels) < 2 {
			return nil, job.Summary{}, fmt.Errorf("column %q has one category, and two are the least to compare; choose another column", f.column.Name)
		}
	}
	summary := job.Summary{Name: cellCounts, Complete: names, Groups: groups, Terms: []job.Term{{}}}
	return &crossed{factors[0], factors[1]}, summary, nil
}

// notes are what a table of both factors says below.
func (c *crossed) notes(p *Plan) []string {
	return []string{
		filterNote(p),
		fmt.Sprintf("Rows with a missing value in %s or %s are left out, as are levels that no row has.", c.rows.column.Name, c.columns.column.Name),
	}
}

// Plan implements Analysis. Arguments: exposure, outcome.
func (OddsRatio) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	c, summary, err := crossTable(j.Arguments(), d, "exposure", "outcome")
	if err != nil {
		return nil, err
	}
	return &Plan{
		Summaries: []job.Summary{summary},
		Outputs:   outputsOf([]job.Summary{summary}),
		Failures:  []string{statusFewRows, statusManyLevels},
		Reveals: []string{fmt.Sprintf("how many selected rows there are of each of the two levels of %s with each of the two levels of %s (hence odds ratio, interval, risk ratio and p-value)",
			c.rows.column.Name, c.columns.column.Name)},
		Detail: c,
	}, nil
}

// Compute implements Analysis.
func (OddsRatio) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	c := p.Detail.(*crossed)
	cells := rss.Narrow(s, in.Sums[cellCounts])
	rows, columns := margins(s, cells, len(c.columns.levels))
	levels := withRows(s.Step("levels"), rows, columns)
	wrong := negatives(s.Step("two"),
		rss.AddConst(s, levels[0], -2), rss.AddConst(s, levels[1], -2),
		subtractFrom(s, 2, levels[0]), subtractFrom(s, 2, levels[1]))
	return Outputs{
		Values: in.Sums,
		Rows:   rss.Sum(s, cells),
		Counts: cells,
		Failed: map[string]rss.Vec{
			statusFewRows:    rss.Add(s, wrong[0], wrong[1]),
			statusManyLevels: rss.Add(s, wrong[2], wrong[3]),
		},
	}
}

// PlanSums implements Summarizer.
func (o OddsRatio) PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	p, err := o.Plan(j, d, rules)
	if err != nil {
		return nil, err
	}
	p.Reveals = []string{p.Detail.(*crossed).reveals(&p.Summaries[0]) + " (hence odds ratio, interval, risk ratio and p-value)"}
	return p, nil
}

// reveals says that every cell of the table is shown.
func (c *crossed) reveals(cells *job.Summary) string {
	return fmt.Sprintf("the whole table: how many selected rows there are in each of the %d cells of %s by %s",
		cells.Cells(), c.rows.column.Name, c.columns.column.Name)
}

// FinishSums implements Summarizer.
func (o OddsRatio) FinishSums(p *Plan, sums Opened) (*Result, error) {
	c := p.Detail.(*crossed)
	flat, rows, err := cells(p, sums[cellCounts])
	if err != nil {
		return nil, err
	}
	first, second := c.margins(flat)
	row, column := nonzero(first), nonzero(second)
	if end := p.ending(rows, map[string]bool{
		statusFewRows:    len(row) < 2 || len(column) < 2,
		statusManyLevels: len(row) > 2 || len(column) > 2,
	}); end != nil {
		return end, nil
	}
	return o.Finish(p, sums)
}

// margins returns the sums of a table's rows and of its columns.
func (c *crossed) margins(flat []int64) (rows, columns []int64) {
	rows, columns = make([]int64, len(c.rows.levels)), make([]int64, len(c.columns.levels))
	for cell, n := range flat {
		rows[cell/len(columns)] += n
		columns[cell%len(columns)] += n
	}
	return rows, columns
}

// Finish implements Analysis.
func (OddsRatio) Finish(p *Plan, opened Opened) (*Result, error) {
	c := p.Detail.(*crossed)
	flat, err := counts(p, opened[cellCounts])
	if err != nil {
		return nil, err
	}
	rows, columns := c.margins(flat)
	row, column := nonzero(rows), nonzero(columns)
	if len(row) != 2 || len(column) != 2 {
		return nil, errImpossible
	}
	var t fourfold
	for i := range 2 {
		for k := range 2 {
			t[i][k] = flat[row[i]*len(c.columns.levels)+column[k]]
		}
	}
	low, high := t.interval()
	value := map[string]any{
		"odds_ratio": figure(t.oddsRatio()),
		"conf_int":   []any{figure(low), figure(high)},
		"risk_ratio": figure(t.riskRatio()),
		"fisher_p":   t.fisher(),
	}
	return &Result{Status: statusOK, Value: value, Tables: c.fourfoldTables(p, t, row, column)}, nil
}

// fourfold is a table of two by two counts: exposure, then outcome.
type fourfold [2][2]int64

func (t *fourfold) cell(i, k int) float64 { return float64(t[i][k]) }

func (t *fourfold) oddsRatio() float64 {
	return t.cell(0, 0) * t.cell(1, 1) / (t.cell(0, 1) * t.cell(1, 0))
}

// interval is Wald's at 95 %: the log odds ratio has the variance
// 1/a + 1/b + 1/c + 1/d.
func (t *fourfold) interval() (low, high float64) {
	variance := 0.0
	for i := range 2 {
		for k := range 2 {
			variance += 1 / t.cell(i, k)
		}
	}
	if math.IsInf(variance, 1) {
		return math.NaN(), math.NaN()
	}
	const upper = 0.975
	half := distuv.UnitNormal.Quantile(upper) * math.Sqrt(variance)
	center := math.Log(t.oddsRatio())
	return math.Exp(center - half), math.Exp(center + half)
}

func (t *fourfold) riskRatio() float64 {
	risk := func(i int) float64 { return t.cell(i, 1) / (t.cell(i, 0) + t.cell(i, 1)) }
	return risk(1) / risk(0)
}

// fisher sums the probabilities, given the margins, of all tables that are not
// more probable than this one; probabilities that differ by rounding alone count
// as equal.
func (t *fourfold) fisher() float64 {
	first, second, outcome := t[0][0]+t[0][1], t[1][0]+t[1][1], t[0][0]+t[1][0]
	low, high := max(0, outcome-second), min(first, outcome)
	logProbability := func(a int64) float64 { return logChoose(first, a) + logChoose(second, outcome-a) }
	top := math.Inf(-1) // of the most probable table, relative to which the others are summed
	for a := low; a <= high; a++ {
		top = max(top, logProbability(a))
	}
	const sameProbability = 1e-7
	observed := math.Exp(logProbability(t[0][0])-top) * (1 + sameProbability)
	var total, tail float64
	for a := low; a <= high; a++ {
		probability := math.Exp(logProbability(a) - top)
		total += probability
		if probability <= observed {
			tail += probability
		}
	}
	return tail / total
}

// logChoose is the logarithm of a binomial coefficient.
func logChoose(n, k int64) float64 {
	factorial := func(n int64) float64 { l, _ := math.Lgamma(float64(n) + 1); return l }
	return factorial(n) - factorial(k) - factorial(n-k)
}

// fourfoldTables prints the counts, and the measures taken from them.
func (c *crossed) fourfoldTables(p *Plan, t fourfold, row, column []int) []Table {
	outcome := c.columns.column.Name
	cells := Table{
		Title:  fmt.Sprintf("%s (rows) by %s (columns)", c.rows.column.Name, outcome),
		Header: []string{withUnit(c.rows.column), outcome + " " + c.columns.key(column[0]), outcome + " " + c.columns.key(column[1]), "Total"},
		Notes:  c.notes(p),
	}
	for i, at := range row {
		line := []string{c.rows.key(at)}
		for _, n := range []int64{t[i][0], t[i][1], t[i][0] + t[i][1]} {
			line = append(line, strconv.FormatInt(n, 10))
		}
		cells.Rows = append(cells.Rows, line)
	}
	low, high := t.interval()
	measures := Table{
		Title:  fmt.Sprintf("%s %s against %s, for %s %s", c.rows.column.Name, c.rows.key(row[1]), c.rows.key(row[0]), outcome, c.columns.key(column[1])),
		Header: []string{"Measure", "Estimate", "p"},
		Rows: [][]string{
			{"Odds ratio (95% CI)", printedInterval(t.oddsRatio(), low, high), printedP(t.fisher())},
			{"Risk ratio", significant(t.riskRatio()), ""},
		},
		Notes: []string{"Interval by Wald on the log scale; p by Fisher's exact test, two-sided."},
	}
	return []Table{cells, measures}
}
