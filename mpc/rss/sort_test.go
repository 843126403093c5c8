package rss_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// keySpec is a key without its column.
type keySpec struct {
	bits               int
	signed, descending bool
}

// span returns the least and greatest value of the key.
func (k keySpec) span() (lo, hi int64) {
	switch {
	case k.signed:
		return -1 << (k.bits - 1), 1<<(k.bits-1) - 1
	case k.bits == 64:
		return math.MinInt64, math.MaxInt64 // as unsigned numbers: all
	default:
		return 0, 1<<k.bits - 1
	}
}

func (k keySpec) compare(a, b int64) int {
	c := cmp.Compare(a, b)
	if !k.signed {
		c = cmp.Compare(uint64(a), uint64(b))
	}
	if k.descending {
		return -c
	}
	return c
}

func (k keySpec) on(x rss.Vec) rss.Key {
	return rss.Key{Column: x, Bits: k.bits, Signed: k.signed, Descending: k.descending}
}

// sortedRows is the oracle: the rows in the order of the keys, stable.
func sortedRows(specs []keySpec, columns [][]int64) []int {
	order := make([]int, len(columns[0]))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		for k, spec := range specs {
			if c := spec.compare(columns[k][i], columns[k][j]); c != 0 {
				return c
			}
		}
		return 0
	})
	return order
}

func genKey() *rapid.Generator[keySpec] {
	return rapid.Custom(func(t *rapid.T) keySpec {
		return keySpec{
			rapid.SampledFrom([]int{1, 2, 3, 4, 5, 16, 31, 32, 33, 63, 64}).Draw(t, "bits"),
			rapid.Bool().Draw(t, "signed"), rapid.Bool().Draw(t, "descending"),
		}
	})
}

// genColumn draws a column for a key.
func genColumn(t *rapid.T, n int, k keySpec) []int64 {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 1))
	lo, hi := k.span()
	return column(rng, rapid.SampledFrom(columnShapes).Draw(t, "shape"), n, lo, hi)
}

func TestSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(1, 70)).Draw(t, "rows")
		specs := rapid.SliceOfN(genKey(), 1, 3).Draw(t, "keys")
		var columns [][]int64
		for _, k := range specs {
			columns = append(columns, genColumn(t, n, k))
		}
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, x []rss.Vec) []rss.Vec {
			var keys []rss.Key
			for i, k := range specs {
				keys = append(keys, k.on(x[i]))
			}
			sorted, carried := rss.Sort(s, keys, x[len(specs)], x[0])
			return append(sorted, carried...)
		}, append(slices.Clone(columns), upTo(n))...)
		order := sortedRows(specs, columns)
		for i := range specs {
			if want := at(columns[i], order); !slices.Equal(got[i], want) {
				t.Fatalf("key %d: got %v, want %v", i, got[i], want)
			}
		}
		if want := at(upTo(n), order); !slices.Equal(got[len(specs)], want) {
			t.Fatalf("rows: got %v, want %v", got[len(specs)], want)
		}
		if want := at(columns[0], order); !slices.Equal(got[len(specs)+1], want) {
			t.Fatalf("payload: got %v, want %v", got[len(specs)+1], want)
		}
	})
}

// Sizes at which the plan of comparisons changes, and where frames and chunks end.
func TestSortManyRows(t *testing.T) {
	sizes := []int{255, 256, 257, 300, 5000}
	if soak(0) > 0 {
		sizes = append(sizes, 131_072, 131_073, soak(0))
	}
	for _, n := range sizes {
		for _, shape := range columnShapes {
			k := keySpec{bits: 12, signed: true}
			lo, hi := k.span()
			x := column(rand.New(rand.NewPCG(7, uint64(n))), shape, n, lo, hi)
			got := evaluate(t, 9, func(s *mpc.Session, v []rss.Vec) []rss.Vec {
				_, carried := rss.Sort(s, []rss.Key{k.on(v[0])}, v[1])
				return carried
			}, x, upTo(n))
			if want := at(upTo(n), sortedRows([]keySpec{k}, [][]int64{x})); !slices.Equal(got[0], want) {
				t.Errorf("%d rows, %s: wrong order", n, shape)
			}
		}
	}
}

// Columns can be brought into the order later, and back.
func TestSortPermutation(t *testing.T) {
	x := []int64{3, 1, 2, 1, 3, 0}
	got := evaluate(t, 4, func(s *mpc.Session, v []rss.Vec) []rss.Vec {
		p := rss.SortPermutation(s.Step("order"), rss.Key{Column: v[0], Bits: 2})
		there := rss.Permute(s.Step("there"), p, v[1])
		back := rss.Unpermute(s.Step("back"), p, there[0], v[1])
		return append(there, back...)
	}, x, upTo(6))
	if want := []int64{5, 1, 3, 2, 0, 4}; !slices.Equal(got[0], want) {
		t.Errorf("sorted: got %v, want %v", got[0], want)
	}
	if !slices.Equal(got[1], upTo(6)) {
		t.Errorf("back: got %v", got[1])
	}
	if want := []int64{4, 1, 3, 2, 5, 0}; !slices.Equal(got[2], want) { // each row's rank
		t.Errorf("ranks: got %v, want %v", got[2], want)
	}
}

func TestTopK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(1, 400)).Draw(t, "rows")
		k := rapid.IntRange(1, n).Draw(t, "k")
		spec := genKey().Draw(t, "key")
		x := genColumn(t, n, spec)
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			top, carried := rss.TopK(s, spec.on(v[0]), k, v[1], v[0])
			return append([]rss.Vec{top}, carried...)
		}, x, upTo(n))
		order := sortedRows([]keySpec{spec}, [][]int64{x})[:k]
		for i, want := range [][]int64{at(x, order), at(upTo(n), order), at(x, order)} {
			if !slices.Equal(got[i], want) {
				t.Fatalf("column %d: got %v, want %v", i, got[i], want)
			}
		}
	})
}

func TestTopKOfMany(t *testing.T) {
	n := max(5000, soak(0))
	for _, shape := range columnShapes {
		x := column(rand.New(rand.NewPCG(8, 1)), shape, n, 0, 999)
		spec := keySpec{bits: 10, descending: true}
		got := evaluate(t, 2, func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			_, carried := rss.TopK(s, spec.on(v[0]), 10, v[1])
			return carried
		}, x, upTo(n))
		if want := at(upTo(n), sortedRows([]keySpec{spec}, [][]int64{x})[:10]); !slices.Equal(got[0], want) {
			t.Errorf("%s: got %v, want %v", shape, got[0], want)
		}
	}
}

// So many rows that those at the front are looked for first; keys of one and of
// two words with the row's number, and, of all equal ones, the first rows.
func TestTopKOfVeryMany(t *testing.T) {
	const n = 1<<17 + 3
	for _, c := range []struct {
		shape string
		bits  int
		k     int
	}{{"random", 10, 10}, {"random", 60, 700}, {"equal", 1, 2}} {
		x := column(rand.New(rand.NewPCG(8, 1)), c.shape, n, 0, 1<<c.bits-1)
		got := evaluate(t, 2, func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			top, carried := rss.TopK(s, rss.Key{Column: v[0], Bits: c.bits}, c.k, v[1])
			return append([]rss.Vec{top}, carried...)
		}, x, upTo(n))
		order := sortedRows([]keySpec{{bits: c.bits}}, [][]int64{x})[:c.k]
		if !slices.Equal(got[0], at(x, order)) || !slices.Equal(got[1], at(upTo(n), order)) {
			t.Errorf("%+v: wrong rows", c)
		}
	}
}

// What is compared depends on the ranks of shuffled rows alone: with the same
// coins, data of equal ranks give transcripts of equal shape, whatever is equal.
func TestSortShapeFollowsRanks(t *testing.T) {
	const n = 2000
	shape := func(seed uint64, x []int64) string {
		w := memnet.New(memnet.Config{Seed: seed})
		if err := w.Run(func(s *mpc.Session) error {
			rss.Sort(s.Step("sort"), []rss.Key{{Column: rss.Public(s, ring.FromInt64(x)), Bits: 20}})
			return s.Err()
		}); err != nil {
			t.Fatal(err)
		}
		return w.Transcript().Shape()
	}
	same := shape(1, make([]int64, n))
	if shape(1, upTo(n)) != same {
		t.Error("all keys equal and all different have different shapes")
	}
	ties := upTo(n)
	for i := range ties {
		ties[i] = 5 + ties[i]/7*3
	}
	if shape(1, ties) != same {
		t.Error("some keys equal and all equal have different shapes")
	}
	backwards := upTo(n)
	slices.Reverse(backwards)
	if shape(1, backwards) == same && shape(2, upTo(n)) == same {
		t.Error("other ranks and other coins have the same shape: the test compares nothing")
	}
}

// The doc comment of SortPermutation promises bytes and batches.
func TestSortCosts(t *testing.T) {
	const n = 10_000
	w := memnet.New(memnet.Config{Seed: 1})
	x := column(rand.New(rand.NewPCG(1, 1)), "random", n, 0, 1<<32-1)
	if err := w.Run(func(s *mpc.Session) error {
		rss.SortPermutation(s.Step("sort"), rss.Key{Column: rss.Public(s, ring.FromInt64(x)), Bits: 32})
		return s.Err()
	}); err != nil {
		t.Fatal(err)
	}
	for p := range mpc.PartyID(3) {
		if got := w.Transcript().Bytes(p) / n; got > 300 {
			t.Errorf("party %d sent %d bytes a row", p, got)
		}
	}
	if got := len(w.Transcript().Openings()); got > 12 {
		t.Errorf("%d batches", got)
	}
}

// BenchmarkSort sorts 32-bit keys among three parties in one process.
func BenchmarkSort(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := ring.FromInt64(column(rand.New(rand.NewPCG(1, 2)), "random", n, 0, 1<<32-1))
			w := memnet.New(memnet.Config{})
			for b.Loop() {
				if err := w.Run(func(s *mpc.Session) error {
					rss.Sort(s.Step("sort"), []rss.Key{{Column: rss.Public(s, x), Bits: 32}})
					return s.Err()
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.Transcript().Bytes(1))/float64(n), "B/row")
			b.ReportMetric(float64(w.Rounds()), "rounds")
		})
	}
}
