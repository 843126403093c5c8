package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
)

// oddsOracle takes the measures by the textbook, Fisher's p-value from exact
// binomial coefficients.
func oddsOracle(table [][]float64) (string, map[string]any) {
	if len(table) == 0 {
		return statusEmpty, nil
	}
	if len(table) < 2 || len(table[0]) < 2 {
		return statusFewRows, nil
	}
	if len(table) > 2 || len(table[0]) > 2 {
		return statusManyLevels, nil
	}
	a, b, c, d := table[0][0], table[0][1], table[1][0], table[1][1]
	odds, se := a*d/(b*c), math.Sqrt(1/a+1/b+1/c+1/d)
	low, high := math.Exp(math.Log(odds)-1.959963984540054*se), math.Exp(math.Log(odds)+1.959963984540054*se)
	if a*b*c*d == 0 {
		low, high = math.NaN(), math.NaN()
	}
	choose := func(n, k float64) *big.Rat {
		return new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(k)))
	}
	tables := func(a float64) *big.Rat {
		return new(big.Rat).Mul(choose(table[0][0]+b, a), choose(c+d, table[0][0]+c-a))
	}
	total, tail := new(big.Rat), new(big.Rat)
	for x := range int(a + b + c + d + 1) {
		if ways := tables(float64(x)); float64(x) <= a+b && float64(x) <= a+c {
			total.Add(total, ways)
			if ways.Cmp(tables(a)) <= 0 {
				tail.Add(tail, ways)
			}
		}
	}
	fisher, _ := tail.Quo(tail, total).Float64()
	return statusOK, map[string]any{"odds_ratio": odds, "conf_int": []any{low, high}, "risk_ratio": d / (c + d) / (b / (a + b)), "fisher_p": fisher}
}

func TestOddsRatioReference(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "birthwt"), "oddsratio-smoke-low")
}

func TestOddsRatioAgainstOracle(t *testing.T) {
	leakFree(t)
	rapid.Check(t, func(r *rapid.T) {
		rows := drawRows(r)
		status, want := oddsOracle(crossCounts(rows, 2, 3))
		s := comparedStudy(t, rapid.IntRange(1, studyNodes).Draw(r, "sites"), rows, nil)
		got := s.result(ask{"trial", "oddsratio", "", `{"exposure":"g","outcome":"h"}`})
		checkResult(t, fmt.Sprint(rows), got, status, want)
	})
}

// TestOddsRatioLevels: a filter may leave two of three levels.
func TestOddsRatioLevels(t *testing.T) {
	leakFree(t)
	rows := manyRows(map[string]int{"a0": 12, "a1": 5, "b0": 7, "b1": 11, "c0": 3, "c1": 9}, "", "")
	s := comparedStudy(t, 4, rows, nil)
	for _, c := range []struct{ where, leave, status string }{
		{"", "abc", statusManyLevels},
		{"g <> 'b'", "ac", statusOK},
		{"g IN ('b', 'c')", "bc", statusOK},
		{"g = 'a'", "a", statusFewRows},
	} {
		kept := keptRows(rows, func(r *comparedRow) bool { return r[2] == c.leave[:1] || r[2] == c.leave[len(c.leave)-1:] })
		_, want := oddsOracle(crossCounts(kept, 2, 3))
		checkResult(t, c.where, s.result(ask{"trial", "oddsratio", c.where, `{"exposure":"g","outcome":"h"}`}), c.status, want)
	}
}

// TestFisher: R's fisher.test on tables whose tails are far out, or equal.
func TestFisher(t *testing.T) {
	for _, c := range []struct {
		table fourfold
		want  float64
	}{
		{fourfold{{3, 1}, {1, 3}}, 0.4857142857142857},
		{fourfold{{0, 5}, {5, 0}}, 2.0 / 252},
		{fourfold{{4, 4}, {4, 4}}, 1},
		{fourfold{{10, 2}, {3, 15}}, 0.0005367241},
	} {
		if got := c.table.fisher(); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: %v, want %v", c.table, got, c.want)
		}
	}
	if p := (&fourfold{{5000, 1}, {1, 5000}}).fisher(); p < 0 || p > 1e-300 {
		t.Errorf("a table far out has p = %v", p)
	}
}

// TestOddsRatioMinCount: every cell counts, and one that is empty tells of nobody.
func TestOddsRatioMinCount(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		minCount, cell int
		want           string
	}{{4, 4, statusOK}, {5, 4, statusSuppressed}, {5, 0, statusOK}, {5, 5, statusOK}} {
		rows := manyRows(map[string]int{"a0": 8, "a1": c.cell, "b0": 6, "b1": 9}, "", "")
		s := comparedStudy(t, 3, rows, func(r *job.Roster) { r.Disclosure.MinCount = c.minCount })
		if got := s.result(ask{"trial", "oddsratio", "", `{"exposure":"g","outcome":"h"}`}); got.Status != c.want {
			t.Errorf("min_count %d with a cell of %d: %q, want %q", c.minCount, c.cell, got.Status, c.want)
		}
	}
}

func TestOddsRatioTranscript(t *testing.T) {
	leakFree(t)
	one, other := comparedOthers(t)
	checkTranscript(t, "oddsratio", one, other, ask{"trial", "oddsratio", "", `{"exposure":"g","outcome":"h"}`})
}

func TestOddsRatioPaper(t *testing.T) {
	leakFree(t)
	s := comparedStudy(t, 3, manyRows(map[string]int{"a0": 12, "a1": 5, "b0": 7, "b1": 11, "c0": 3}, "", ""), nil)
	a := ask{"trial", "oddsratio", "g <> 'c'", `{"exposure":"g","outcome":"h"}`}
	checkTables(t, "oddsratio", s.result(a), s.result(ask{"trial", "oddsratio", "g <> 'b'", `{"exposure":"g","outcome":"h"}`}))
	p, err := PlanJob(s.job(a), s.roster.Roster)
	s.must(err)
	want := "[how many selected rows there are of each of the two levels of g with each of the two levels of h (hence odds ratio, interval, risk ratio and p-value)]"
	if fmt.Sprint(p.Reveals) != want {
		t.Errorf("reveals %q", p.Reveals)
	}
}

func TestOddsRatioRefusals(t *testing.T) {
	s := comparedStudy(t, 1, nil, nil)
	checkRefusals(t, s, "trial", "oddsratio", map[string]string{
		`{"outcome":"h"}`:                    `argument "exposure" is missing`,
		`{"exposure":"g"}`:                   `argument "outcome" is missing`,
		`{"exposure":"g","outcome":"v"}`:     "no list of categories",
		`{"exposure":"h","outcome":"h"}`:     "named twice",
		`{"exposure":"h","outcome":"h = 1"}`: "no column",
	})
	p, err := PlanJob(s.job(ask{"trial", "oddsratio", "", `{"exposure":"h","outcome":"g"}`}), s.roster.Roster)
	s.must(err)
	for _, cells := range [][]int64{{1, 0, 0, 0, 0, 0}, {1, 0, 0, 0, 0, -1}} {
		opened := Opened{statusOutput: {big.NewInt(0)}}
		for _, n := range cells {
			opened[cellCounts] = append(opened[cellCounts], big.NewInt(n))
		}
		if r, err := p.Finish(opened); !errors.Is(err, errImpossible) {
			t.Errorf("%v gives %v", cells, r)
		}
	}
}
