package protocols

import (
	"cmp"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
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

func drawRiskRows(t *rapid.T) []riskRow {
	rows := make([]riskRow, rapid.IntRange(1, 20).Draw(t, "n"))
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

// TestByRisk: the order of the risk sets, ties and sums over these, with strata and
// without, in one block and in one for each stratum.
func TestByRisk(t *testing.T) {
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
		opened, _ := openedOf(rt, func(s *mpc.Session) rss.Vec {
			of := func(f func(riskRow) int64) rss.Vec { return shared(s, columnOf(rows, f)) }
			in := &Rows{N: len(rows), Member: of(func(r riskRow) int64 { return r.member }), Value: map[string]rss.Vec{
				timeVector:    of(func(r riskRow) int64 { return r.time }),
				stratumVector: of(func(r riskRow) int64 { return r.stratum }),
			}}
			columns := []rss.Vec{of(func(r riskRow) int64 { return r.number })}
			for _, center := range []int64{-1, 2, 7} {
				columns = append(columns, of(func(r riskRow) int64 { return r.member * truth(r.stratum == center) }))
			}
			sorted := byRisk(s.Step("sort"), axis, in, of(func(r riskRow) int64 { return r.event }), columns...)
			if split {
				sorted = sorted.split(s.Step("split"), sorted.carried[1:], sorted.carried[0])
			}
			last := sorted.lastOfTie(s.Step("last"))
			events := rss.Mul(s.Step("events"), last, sorted.tieSums(s.Step("sums"), last, sorted.event)[0])
			return rss.Concat(s, sorted.carried[0], sorted.event, last, events)
		})
		got := opened.Int64()
		var want [4][]int64
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

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// riskBlock returns the numbers, events, last rows of ties and their events of a
// block.
func riskBlock(rows []riskRow, strata bool, in func(riskRow) bool) [4][]int64 {
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
	var out [4][]int64
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
	return out
}

// TestLastNotBelow holds the search against looking at each row.
func TestLastNotBelow(t *testing.T) {
	const width = 6
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOfN(rapid.Int64Range(0, 1<<width-1), 1, 30).Draw(rt, "keys")
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
		opened, _ := openedOf(rt, func(s *mpc.Session) rss.Vec {
			key := shared(s, keys)
			return rss.Concat(s, lastNotBelow(s.Step("search"), key, width, bounds, shared(s, places), key)...)
		})
		if !slices.Equal(opened.Int64(), want) {
			rt.Fatalf("%v from %v: %v, want %v", bounds, keys, opened.Int64(), want)
		}
	})
}
