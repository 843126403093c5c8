package protocols

import (
	"cmp"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/mpc/spool"
	"consilium/testkit"
)

// TestTimeAxis: doubled times compare with any number as times do, and come back.
func TestTimeAxis(t *testing.T) {
	axis, err := newTimeAxis(&job.Dataset{Name: "trial", Schema: patientSchema()}, "time")
	if err != nil {
		t.Fatal(err)
	}
	least, greatest := axis.column.Codes()
	for eighths := int64(-400); eighths <= 400; eighths++ {
		at := big.NewRat(eighths, 8)
		after, from := axis.after(at), axis.from(at)
		if after < 1 || from < 1 || after >= 1<<axis.bits || from >= 1<<axis.bits {
			t.Fatalf("bounds %d and %d of %v", after, from, at)
		}
		for code := least; code <= greatest; code++ {
			doubled := 2 * (code - least + 1)
			time := new(big.Rat).Mul(new(big.Rat).SetInt64(code), axis.column.StepRat())
			if (doubled > after) != (time.Cmp(at) > 0) || (doubled > from) != (time.Cmp(at) >= 0) || doubled == after || doubled == from {
				t.Fatalf("time %v stands at %d, %v between %d and %d", time, doubled, at, from, after)
			}
			if axis.value(new(big.Rat).SetInt64(doubled)).Cmp(time) != 0 {
				t.Fatalf("time %v does not come back", time)
			}
		}
	}
	// Far outside of what codes hold.
	far := new(big.Rat).SetFrac(new(big.Int).Lsh(big.NewInt(1), 80), big.NewInt(3))
	if axis.after(far) != 1<<axis.bits-1 || axis.after(far.Neg(far)) != 1 {
		t.Error("times far outside are not beyond all rows")
	}
}

// riskRow is a row in plain numbers.
type riskRow struct{ time, stratum, event, member, number int64 }

// riskChunk is a chunk for tests: of the rows that drawRiskRows draws some are one chunk
// and some several, with ties over their borders.
const riskChunk = 64

func drawRiskRows(t *rapid.T) []riskRow {
	n := rapid.OneOf(rapid.IntRange(1, 20), rapid.SampledFrom([]int{64, 65, 128, 150, 193})).Draw(t, "n")
	rows := make([]riskRow, n)
	for i := range rows {
		if rapid.Bool().Draw(t, "member") {
			rows[i] = riskRow{
				rapid.Int64Range(-4, 0).Draw(t, "time"), rapid.SampledFrom([]int64{-1, 2, 7}).Draw(t, "stratum"),
				rapid.Int64Range(0, 1).Draw(t, "event"), 1, int64(i + 1),
			}
		}
	}
	return rows
}

// columnOf is one column of rows.
func columnOf(rows []riskRow, of func(riskRow) int64) []int64 {
	out := make([]int64, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return out
}

// sampled puts vectors of a sample and, last, its members.
func sampled(s *mpc.Session, spill *rss.Spill, vectors []job.Vector, columns ...[]int64) *Sampled {
	rows := NewSampled(s, spill, len(columns[0]), Sample{Vectors: vectors})
	var all []rss.Vec
	for _, x := range columns {
		all = append(all, shared(s, x))
	}
	rows.Fill().Append(s, all...)
	return rows
}

// withSpill calls f with a Spill that ends with it.
func withSpill(t rapid.TB, dir *spool.Dir, f func(*rss.Spill)) {
	t.Helper()
	spill := rss.NewSpill(dir, riskChunk)
	f(spill)
	if err := spill.Close(); err != nil {
		t.Fatal(err)
	}
}

// riskSample is what TestByRisk sorts.
func riskSample(s *mpc.Session, spill *rss.Spill, rows []riskRow) (*Sampled, takeRisk) {
	vectors := []job.Vector{{Name: timeVector}, {Name: stratumVector}, {Name: endVector}, {Name: "-1"}, {Name: "2"}, {Name: "7"}, {Name: "number"}}
	columns := [][]int64{
		columnOf(rows, func(r riskRow) int64 { return r.time }),
		columnOf(rows, func(r riskRow) int64 { return r.stratum }),
		columnOf(rows, func(r riskRow) int64 { return r.event }),
	}
	for _, center := range []int64{-1, 2, 7} {
		columns = append(columns, columnOf(rows, func(r riskRow) int64 { return r.member * truth(r.stratum == center) }))
	}
	columns = append(columns, columnOf(rows, func(r riskRow) int64 { return r.number }), columnOf(rows, func(r riskRow) int64 { return r.member }))
	return sampled(s, spill, vectors, columns...), func(_ *mpc.Session, r *Rows) (rss.Vec, []rss.Vec) {
		return r.Value[endVector], r.values(vectors[3:])
	}
}

// TestByRisk: the order of the risk sets, ties and sums over these, with strata and
// without, in one block and in one for each stratum, of one chunk and of several.
func TestByRisk(t *testing.T) {
	dir, err := spool.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &job.Dataset{Name: "trial", Schema: patientSchema()}
	plain, err := newTimeAxis(d, "time")
	if err != nil {
		t.Fatal(err)
	}
	within, err := plain.within(d, "center")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		rows := drawRiskRows(rt)
		axis := rapid.SampledFrom([]timeAxis{plain, within}).Draw(rt, "axis")
		split := axis.strata == nil && rapid.Bool().Draw(rt, "split")
		var got []int64
		withSpill(rt, dir, func(spill *rss.Spill) {
			opened, _ := openedOf(rt, func(s *mpc.Session) rss.Vec {
				in, take := riskSample(s, spill, rows)
				sorted := byRisk(s.Step("sort"), axis, in, take)
				number := 3
				if split {
					sorted, number = sorted.split(s.Step("split"), 3), 0
				}
				return riskSums(s.Step("sums"), sorted, number)
			})
			got = opened.Int64()
		})
		var want [5][]int64
		blocks := []func(riskRow) bool{func(r riskRow) bool { return r.member == 1 }}
		if split {
			blocks = nil
			for _, center := range []int64{-1, 2, 7} {
				blocks = append(blocks, func(r riskRow) bool { return r.member == 1 && r.stratum == center })
			}
		}
		for _, in := range blocks {
			for i, x := range riskBlock(rows, axis.strata != nil, in) {
				want[i] = append(want[i], x...)
			}
		}
		if !slices.Equal(got, slices.Concat(want[:]...)) {
			rt.Fatalf("got %v, want %v", got, want)
		}
	})
}

// riskSums returns a carried column, the events, the last rows of ties and the events of
// each, and sums of events over the risk sets.
func riskSums(s *mpc.Session, sorted *riskRows, carried int) rss.Vec {
	var out [5][]rss.Vec
	left, before := rss.Zero[ring.Vec64](1), rss.Vec{}
	for i, part := range sorted.parts() {
		s := s.Step("part", i)
		c := sorted.piece(s, part)
		last := c.lastOfTie(s.Step("last"))
		var tied rss.Vec
		tied, left = c.tieSums(s.Step("sums"), last, c.event, left)
		sums := c.prefixSums(s, c.event, &before)
		for j, x := range []rss.Vec{c.carried[carried], c.event, last, rss.Mul(s.Step("events"), last, tied), sums} {
			out[j] = append(out[j], x)
		}
	}
	return rss.Concat(s, slices.Concat(out[:]...)...)
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// riskBlock returns of a block what riskSums does.
func riskBlock(rows []riskRow, strata bool, in func(riskRow) bool) [5][]int64 {
	same := func(a, b riskRow) bool { return a.time == b.time && (!strata || a.stratum == b.stratum) }
	block := make([]riskRow, 0, len(rows))
	for _, r := range rows {
		if in(r) {
			block = append(block, r)
		}
	}
	slices.SortStableFunc(block, func(a, b riskRow) int {
		if strata && a.stratum != b.stratum {
			return cmp.Compare(b.stratum, a.stratum)
		}
		return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(a.event, b.event))
	})
	var out [5][]int64
	for i := range out {
		out[i] = make([]int64, len(rows))
	}
	for i, r := range block {
		out[0][i], out[1][i] = r.number, r.event
		if i+1 < len(block) && same(r, block[i+1]) {
			continue
		}
		out[2][i] = 1
		for _, other := range block {
			if same(r, other) {
				out[3][i] += other.event
			}
		}
	}
	sum := int64(0)
	for i, event := range out[1] {
		sum += event
		out[4][i] = sum
	}
	return out
}

// TestLastNotBelow holds the search against looking at each row.
func TestLastNotBelow(t *testing.T) {
	const width = 6
	dir, err := spool.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 30), rapid.SampledFrom([]int{64, 65, 150, 193})).Draw(rt, "n")
		keys := rapid.SliceOfN(rapid.Int64Range(0, 1<<width-1), n, n).Draw(rt, "keys")
		slices.SortFunc(keys, func(a, b int64) int { return cmp.Compare(b, a) })
		bounds := rapid.SliceOfN(rapid.Int64Range(1, 1<<width), 1, 4).Draw(rt, "bounds")
		places, want := make([]int64, len(keys)), make([]int64, 2*len(bounds))
		for i := range keys {
			places[i] = int64(i + 1)
		}
		for j, bound := range bounds {
			for i, k := range keys {
				if k >= bound {
					want[j], want[len(bounds)+j] = places[i], k
				}
			}
		}
		withSpill(rt, dir, func(spill *rss.Spill) {
			opened, _ := openedOf(rt, func(s *mpc.Session) rss.Vec {
				rows := sampled(s, spill, []job.Vector{{}}, keys, places)
				return rss.Concat(s, lastNotBelow(s.Step("search"), rows.Chunked, 0, width, bounds, 1, 0)...)
			})
			if !slices.Equal(opened.Int64(), want) {
				rt.Fatalf("%v from %v: %v, want %v", bounds, keys, opened.Int64(), want)
			}
		})
	})
}

// TestLastNotBelowOfMany: bounds that are too many to be sought together are all found.
func TestLastNotBelowOfMany(t *testing.T) {
	const rows, width, most = 65, 10, 600
	keys, bounds, columns := make([]int64, rows), make([]int64, most), make([]int, 100)
	for i := range keys {
		keys[i] = int64(10 * (rows - i))
	}
	var want []int64
	for j := range bounds {
		bounds[j] = int64(j + 1)
		want = append(want, (bounds[j]+9)/10*10)
	}
	if size := 9; most*size*(len(columns)+1) <= mostSought {
		t.Fatal("they are sought together")
	}
	spill := testkit.NewSpill(t, 64)
	opened, _ := openedOf(t, func(s *mpc.Session) rss.Vec {
		found := lastNotBelow(s, sampled(s, spill, []job.Vector{}, keys).Chunked, 0, width, bounds, columns...)
		return rss.Concat(s, found[0], found[len(columns)-1])
	})
	if got := opened.Int64(); !slices.Equal(got, slices.Concat(want, want)) {
		t.Errorf("%v, want twice %v", got, want)
	}
}
