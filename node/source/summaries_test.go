package source

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
)

func summaries(t *testing.T, s *Source, where job.Predicate, sums ...job.Summary) [][]*big.Int {
	t.Helper()
	got, err := s.Summaries(t.Context(), where, sums)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestHistogramCells(t *testing.T) {
	s := open(t, write(t, "h.csv", "x\n9\n10\n19\n20\n25\n30\n31\n\n\"\"\n"), schemaOf(integer("x", "0", "99")), 20)
	got := summaries(t, s, nil, job.Summary{
		Name: "counts", Complete: []string{"x"}, Terms: []job.Term{{}, {"x"}},
		Groups: []job.Grouping{{Column: "x", Edges: []int64{10, 20, 30}}},
	})
	// [10,20): 10, 19; [20,30]: 20, 25, 30; outside: 9, 31
	if want := []int64{2, 29, 3, 75, 2, 40}; !slices.Equal(ints(got[0]), want) {
		t.Errorf("%v, want %v", got[0], want)
	}
}

func TestCrossTableWithEmptyCells(t *testing.T) {
	s := open(t, write(t, "h.csv", "sex,abo\nf,O\nf,O\nm,A\nm,\n,A\n"), schemaOf(text("sex", "f", "m"), text("abo", "A", "B", "O")), 20)
	bySex := job.Grouping{Column: "sex", Levels: []int64{1, 0}}
	byABO := job.Grouping{Column: "abo", Levels: []int64{0, 1, 2}}
	got := summaries(t, s, nil,
		job.Summary{Name: "both", Terms: []job.Term{{}}, Groups: []job.Grouping{bySex, byABO}},
		job.Summary{Name: "sex", Terms: []job.Term{{}}, Groups: []job.Grouping{bySex}},
		job.Summary{Name: "some", Terms: []job.Term{{}}, Groups: []job.Grouping{{Column: "abo", Levels: []int64{2, 1}}}},
		job.Summary{Name: "others", Terms: []job.Term{{}}, Groups: []job.Grouping{{Column: "abo", Levels: []int64{1, 0}}}},
		job.Summary{Name: "complete", Complete: []string{"abo"}, Terms: []job.Term{{}}, Groups: []job.Grouping{bySex}},
		job.Summary{Name: "all", Terms: []job.Term{{}}},
	)
	for i, want := range [][]int64{{1, 0, 0, 0, 0, 2}, {2, 2}, {2, 0}, {0, 2}, {1, 2}, {5}} {
		if !slices.Equal(ints(got[i]), want) {
			t.Errorf("summary %d: %v, want %v", i, got[i], want)
		}
	}
}

// Zeros of the full public length where nothing is to be summed.
func TestNothingToSum(t *testing.T) {
	schema := schemaOf(integer("x", "0", "9"), integer("y", "0", "9"))
	sums := []job.Summary{
		{Name: "moments", Complete: []string{"x"}, Terms: []job.Term{{}, {"x"}, {"x", "x"}}},
		{Name: "bins", Terms: []job.Term{{}}, Groups: []job.Grouping{{Column: "x", Edges: []int64{0, 5, 9}}}},
	}
	for name, c := range map[string]struct {
		content string
		where   job.Predicate
	}{
		"empty file":   {"x,y\n", nil},
		"empty column": {"x,y\n,1\n,2\n", nil},
		"all filtered": {"x,y\n1,1\n2,2\n", job.Compare{Column: "y", Op: job.Gt, Value: 8}},
		"unknown":      {"x,y\n1,\n2,\n", job.Compare{Column: "y", Op: job.Ge, Value: 0}},
	} {
		t.Run(name, func(t *testing.T) {
			got := summaries(t, open(t, write(t, "h.csv", c.content), schema, 5), c.where, sums...)
			if !slices.Equal(ints(got[0]), make([]int64, 3)) || !slices.Equal(ints(got[1]), make([]int64, 3)) {
				t.Errorf("%v", got)
			}
		})
	}
}

// Products and sums are exact beyond 64 bits, with either sign.
func TestWideSums(t *testing.T) {
	const top = "999999999999999999" // 10^18 - 1
	s := open(t, write(t, "h.csv", "x,y\n"+strings.Repeat(top+",-"+top+"\n", 3)+"-"+top+",1\n"), schemaOf(integer("x", "-"+top, top), integer("y", "-"+top, top)), 4)
	got := summaries(t, s, nil, job.Summary{Name: "m", Complete: []string{"x", "y"}, Terms: []job.Term{{"x"}, {"x", "x"}, {"x", "y"}, {"y", "y"}}})
	v, ok := new(big.Int).SetString(top, 10)
	if !ok {
		t.Fatal("no number")
	}
	square := new(big.Int).Mul(v, v)
	times := func(x *big.Int, n int64) *big.Int { return new(big.Int).Mul(x, big.NewInt(n)) }
	for i, want := range []*big.Int{
		times(v, 2),
		times(square, 4),
		new(big.Int).Sub(times(square, -3), v),
		new(big.Int).Add(times(square, 3), big.NewInt(1)),
	} {
		if got[0][i].Cmp(want) != 0 {
			t.Errorf("term %d: %s, want %s", i, got[0][i], want)
		}
	}
}

// A sum that does not provably fit 128 bits is refused before any row is read.
func TestSummaryThatMayOverflow(t *testing.T) {
	s := open(t, write(t, "h.csv", "x\n1\n"), schemaOf(integer("x", "0", "4000000000000000000")), 1<<20)
	_, err := s.Summaries(t.Context(), nil, []job.Summary{{Name: "m", Complete: []string{"x"}, Terms: []job.Term{{"x", "x"}}}})
	if err == nil || !strings.Contains(err.Error(), "bits") {
		t.Errorf("error %v", err)
	}
}

func TestTextWithoutListInSummaries(t *testing.T) {
	s := open(t, write(t, "h.csv", "x,remark\n1,so\n2,\n4,\"\"\n8,thus\n"), schemaOf(integer("x", "0", "9"), text("remark")), 4)
	got := summaries(t, s, nil, job.Summary{Name: "s", Complete: []string{"x", "remark"}, Terms: []job.Term{{}, {"x"}}})
	if !slices.Equal(ints(got[0]), []int64{2, 9}) {
		t.Errorf("%v, want the rows with a remark: 2, 9", got[0])
	}
	_, err := s.Summaries(t.Context(), nil, []job.Summary{{Name: "s", Complete: []string{"remark"}, Terms: []job.Term{{"remark"}}}})
	if err == nil || !strings.Contains(err.Error(), "without a list of categories") {
		t.Errorf("error %v", err)
	}
}

// sum is the oracle: the definition in job.Summary, row by row.
func (w world) sum(where job.Predicate, s job.Summary) []int64 {
	vector := make([]int64, s.Len())
rows:
	for _, row := range w.rows {
		if !selects(where, row) {
			continue
		}
		for _, name := range s.Complete {
			if _, ok := row[name]; !ok {
				continue rows
			}
		}
		cell := 0
		for _, g := range s.Groups {
			at, ok := g.Cell(func(name string) (int64, bool) {
				code, ok := row[name]
				return code, ok
			})
			if !ok {
				continue rows
			}
			cell = cell*g.Cells() + at
		}
		for i, term := range s.Terms {
			product := int64(1)
			for _, name := range term {
				product *= row[name]
			}
			vector[cell*len(s.Terms)+i] += product
		}
	}
	return vector
}

func drawSummary(t *rapid.T) job.Summary {
	names := []string{"a", "b", "c"}
	s := job.Summary{Name: "s", Complete: rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(t, "complete")}
	for range rapid.IntRange(0, 2).Draw(t, "groups") {
		g := job.Grouping{Column: rapid.SampledFrom(names).Draw(t, "by")}
		switch rapid.IntRange(0, 3).Draw(t, "way") {
		case 0:
			g.Edges = rapid.SliceOfNDistinct(rapid.Int64Range(-4, 4), 2, 5, rapid.ID).Draw(t, "edges")
			slices.Sort(g.Edges)
		case 1:
			first := rapid.Int64Range(-4, 4).Draw(t, "first")
			g.Range = &job.Range{First: first, Last: first + rapid.Int64Range(0, 6).Draw(t, "more")}
		case 2:
			g = job.Grouping{Predicate: drawPredicate(t, 2)}
		default:
			g.Levels = rapid.SliceOfNDistinct(rapid.Int64Range(-4, 4), 1, 5, rapid.ID).Draw(t, "levels")
		}
		s.Groups = append(s.Groups, g)
	}
	s.Terms = []job.Term{{}}
	if len(s.Complete) > 0 {
		for range rapid.IntRange(0, 3).Draw(t, "terms") {
			s.Terms = append(s.Terms, rapid.SliceOfN(rapid.SampledFrom(s.Complete), 0, 3).Draw(t, "term"))
		}
	}
	return s
}

func TestSummariesAgreeWithTheirDefinition(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		var where job.Predicate
		if rapid.Bool().Draw(t, "filtered") {
			where = drawPredicate(t, 2)
		}
		sums := rapid.SliceOfN(rapid.Custom(drawSummary), 1, 4).Draw(t, "summaries")
		got, err := w.source.Summaries(t.Context(), where, sums)
		if err != nil {
			t.Fatal(err)
		}
		for i := range sums {
			if want := w.sum(where, sums[i]); !slices.Equal(ints(got[i]), want) {
				t.Errorf("%+v where %#v: %v, want %v", sums[i], where, got[i], want)
			}
		}
	})
}
