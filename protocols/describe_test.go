package protocols

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

func TestReferenceDescriptions(t *testing.T) {
	leakFree(t)
	s := referenceStudy(t, "lung", "pima", "pbc")
	for _, id := range []string{"describe-lung", "describe-pima-where", "describe-pbc-by-stage"} {
		checkReference(t, s, id)
	}
}

// quantile is type 7 by the book, in fourths, of sorted numbers.
func quantile(sorted []int64, quarter int64) *big.Int {
	h := int64(len(sorted)-1) * quarter
	x := big.NewInt(sorted[h/4])
	y := big.NewInt(sorted[min(h/4+1, int64(len(sorted)-1))])
	rise := new(big.Int).Mul(y.Sub(y, x), big.NewInt(h%4))
	return rise.Add(rise, x.Lsh(x, 2))
}

// TestQuartiles compares with sorting, over groups of which some are empty, and
// columns of every width.
func TestQuartiles(t *testing.T) {
	grades := job.Column{Name: "grade", Type: job.Integer, Min: "-1", Max: "1", Categories: []string{"-1", "0", "1"}}
	quarters := shownQuarters(job.Disclosure{AllowMinimum: true, AllowMaximum: true})
	for _, column := range []*job.Column{
		{Name: "x", Type: job.Integer, Min: "0", Max: "4"},
		{Name: "x", Type: job.Integer, Min: "50", Max: "50"},
		{Name: "x", Type: job.Integer, Min: "-9", Max: "-2"},
		{Name: "x", Type: job.Integer, Min: "-800000000000000000", Max: "999999999999999999"},
	} {
		low, high := column.Codes()
		spills := []*rss.Spill{testkit.NewSpill(t, rss.ChunkRows), testkit.NewSpill(t, 64)}
		rapid.Check(t, func(t *rapid.T) {
			spill := rapid.SampledFrom(spills).Draw(t, "spill")
			n := rapid.SampledFrom([]int{rapid.IntRange(1, 40).Draw(t, "n"), 129, 150}).Draw(t, "rows")
			rows := map[string][]int64{"x": make([]int64, n), "grade": make([]int64, n)}
			member := make([]int64, n)
			groups := make([][]int64, 3)
			for i := range n {
				if member[i] = rapid.Int64Range(0, 1).Draw(t, "member"); member[i] == 0 {
					continue
				}
				g := rapid.IntRange(0, 2).Draw(t, "group")
				x := rapid.Int64Range(low, high).Draw(t, "x")
				rows["x"][i], rows["grade"][i] = x, int64(g-1)
				groups[g] = append(groups[g], x)
			}
			var want []*big.Int
			sizes := make([]int64, len(groups))
			for g := range groups {
				slices.Sort(groups[g])
				sizes[g] = int64(len(groups[g]))
			}
			for _, k := range quarters {
				for _, x := range groups {
					if len(x) == 0 {
						want = append(want, new(big.Int))
					} else {
						want = append(want, quantile(x, int64(k)))
					}
				}
			}
			got := threeParties128(t, func(s *mpc.Session) rss.Vec128 {
				in := NewSampled(s, spill, n, Sample{"rows", columnVectors("x", "grade")})
				in.Fill().Append(s, shared(s, rows["x"]), shared(s, rows["grade"]), shared(s, member))
				defer in.Close()
				sorted := sortedColumn(s.Step("sort"), in, []factor{{column: &grades, levels: []int64{-1, 0, 1}}}, column)
				defer sorted.rows.Close()
				return quartiles(s.Step("quartiles"), sorted, shared(s, sizes), quarters)
			})
			if !slices.EqualFunc(got, want, func(x, y *big.Int) bool { return x.Cmp(y) == 0 }) {
				t.Fatalf("%s to %s: got %v, want %v of %v", column.Min, column.Max, got, want, groups)
			}
		})
	}
}

// TestPick looks up places in columns of many lengths, in one chunk and in several, by
// either way.
func TestPick(t *testing.T) {
	spills := map[int]*rss.Spill{}
	for _, chunk := range []int{rss.ChunkRows, 64, 192} {
		spills[chunk] = testkit.NewSpill(t, chunk)
	}
	for _, c := range []struct{ n, places, chunk int }{
		{1, 1, 64},
		{2, 2, 64},
		{3, 3, 64},
		{64, 9, 64},
		{65, 9, 64},
		{65, 9, 192},
		{30, mostUnits + 1, 64},
		{1000, 20, rss.ChunkRows},
		{1000, 20, 64},
		{1000, 20, 192},
		{10_000, 9, 64},
		{193, mostUnits + 1, 64},
		{400, mostUnits + 1, 192},
	} {
		column, places, want := make([]int64, c.n), make([]int64, c.places), make([]int64, c.places)
		for i := range column {
			column[i] = int64(i*i) - 1<<61
		}
		for i := range places {
			places[i] = int64((i*i + c.n - 1) % c.n)
			want[i] = column[places[i]]
		}
		got, _ := threeParties(t, func(s *mpc.Session) rss.Vec {
			rows := laidOut(s, spills[c.chunk], rowNumbers(s, 0, c.n), shared(s, column))
			defer rows.Close()
			return pick(s, rows, 1, shared(s, places))
		})
		if !slices.Equal(got, want) {
			t.Errorf("%d places of %d rows in chunks of %d: got %v, want %v", c.places, c.n, c.chunk, got, want)
		}
	}
}

// TestPickCosts fixes what the comments say.
func TestPickCosts(t *testing.T) {
	cost := func(n, chunk int) (rounds, bytes int) {
		spill := testkit.NewSpill(t, chunk)
		return costOf(t, func(s *mpc.Session) rss.Vec {
			rows := laidOut(s, spill, rss.Zero[ring.Vec64](n))
			defer rows.Close()
			return pick(s, rows, 0, rss.Zero[ring.Vec64](1))
		})
	}
	few, _ := cost(25, 64)
	one, _ := cost(150, 192)
	three, _ := cost(150, 64)
	_, bytes := cost(1_000_000, 1<<20)
	_, more := cost(1_000_000, 1<<19)
	if few != 11 || three-one != 2 || bytes>>10 != 27 || (more-bytes)>>10 != 8 {
		t.Errorf("a pick costs %d rounds, %d more for 3 chunks, %d KB and %d KB for another chunk, the comment says 11, 2, 27 and 8",
			few, three-one, bytes>>10, (more-bytes)>>10)
	}
}

// TestDescribeBounds: minimum and maximum are there as far as the study allows.
func TestDescribeBounds(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		rules   job.Disclosure
		reveals string
		names   string
	}{
		{job.Disclosure{}, "of the same: their quartiles (the study withholds minimum and maximum)", "mean median missing n q25 q75 sd sum variance"},
		{job.Disclosure{AllowMinimum: true}, "of the same: their minimum and quartiles (the study withholds maximum)", "mean median min missing n q25 q75 sd sum variance"},
		{job.Disclosure{AllowMaximum: true}, "of the same: their maximum and quartiles (the study withholds minimum)", "max mean median missing n q25 q75 sd sum variance"},
	} {
		s := ruledWard(t, c.rules, fiveWardLines()...)
		a := ask{"ward", "describe", "", `{"columns":["age"]}`}
		plan, err := PlanJob(s.job(a), s.roster.Roster)
		s.must(err)
		if text := strings.Join(plan.Reveals, "\n"); !strings.HasSuffix(text, c.reveals) {
			t.Errorf("%+v: the plan says %q", c.rules, text)
		}
		age := s.result(a).Value.(map[string]any)["age"].(map[string]any)
		var names []string
		for name := range age {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != c.names {
			t.Errorf("%+v: fields %s, want %s", c.rules, got, c.names)
		}
		// ages: -3 33 40 55 61 70
		for name, want := range map[string]float64{"min": -3, "q25": 34.75, "median": 47.5, "q75": 59.5, "max": 70} {
			if x, ok := age[name]; ok && x != want {
				t.Errorf("%s is %v, want %v", name, x, want)
			}
		}
	}
}

// TestDescribeMinCount: a group of fewer rows, or of fewer values, hides all.
func TestDescribeMinCount(t *testing.T) {
	leakFree(t)
	s := ruledWard(t, job.Disclosure{MinCount: 3}, fiveWardLines()...)
	for _, c := range []struct{ where, args, want string }{
		{"", `{"columns":["age","dose"]}`, statusOK},
		{"", `{"columns":["dose"],"by":"sex"}`, statusOK},         // 3 of 4 f, 3 of 3 m
		{"", `{"columns":["age"],"by":"sex"}`, statusSuppressed},  // 2 of 3 m
		{"sex = 'f'", `{"columns":["age"],"by":"sex"}`, statusOK}, // nobody is m
		{"age > 55", `{"columns":["age"]}`, statusSuppressed},
		{"age > 119", `{"columns":["age"]}`, statusEmpty},
	} {
		if got := s.result(ask{"ward", "describe", c.where, c.args}); got.Status != c.want {
			t.Errorf("%s where %q: status %q, want %q", c.args, c.where, got.Status, c.want)
		}
	}
}

func TestDescribeTranscript(t *testing.T) {
	leakFree(t)
	checkTranscript(t, "describe", fiveWards(t), otherWards(t), ask{"ward", "describe", "age > 30", `{"columns":["age","dose"],"by":["sex"]}`})
}
