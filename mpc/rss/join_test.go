package rss_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/rss"
)

func TestGroupBy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 4), rapid.IntRange(1, 50)).Draw(t, "rows")
		specs := rapid.SliceOfN(genKey(), 1, 2).Draw(t, "keys")
		var columns [][]int64
		for _, k := range specs {
			columns = append(columns, genColumn(t, n, k))
		}
		values := rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "values")
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, x []rss.Vec) []rss.Vec {
			var keys []rss.Key
			for i, k := range specs {
				keys = append(keys, k.on(x[i]))
			}
			g := rss.GroupBy(s, keys, x[len(specs)])
			return append(append([]rss.Vec{g.Valid, g.Count}, g.Sums...), g.Keys...)
		}, append(slices.Clone(columns), values)...)

		want := make([][]int64, 3+len(specs))
		for i := range want {
			want[i] = make([]int64, n)
		}
		group := -1
		order := sortedRows(specs, columns)
		for i, row := range order {
			fresh := i == 0
			for k := range specs {
				fresh = fresh || columns[k][row] != columns[k][order[i-1]]
			}
			if fresh {
				group++
			}
			want[0][group] = 1
			want[1][group]++
			want[2][group] += values[row]
			for k := range specs {
				want[3+k][group] = columns[k][row]
			}
		}
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Fatalf("column %d: got %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// table is a table in the clear.
type table struct{ key, valid, column []int64 }

func (x table) share(v []rss.Vec, k keySpec) rss.Table {
	t := rss.Table{Key: k.on(v[0]), Columns: []rss.Vec{v[2]}}
	if x.valid != nil {
		t.Valid = v[1]
	}
	return t
}

// columns are what share wants to have shared.
func (x table) columns() [][]int64 {
	valid := x.valid
	if valid == nil {
		valid = x.key
	}
	return [][]int64{x.key, valid, x.column}
}

func (x table) counts(row int) bool { return x.valid == nil || x.valid[row] == 1 }

// genTable draws a table; its keys differ if they are to.
func genTable(t *rapid.T, k keySpec, rows int, unique bool) table {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "table"), 1))
	lo, hi := k.span()
	x := table{column: column(rng, "random", rows, -1<<63, 1<<63-1)}
	if rapid.Bool().Draw(t, "validity") {
		x.valid = column(rng, "random", rows, 0, 1)
	}
	if !unique {
		x.key = column(rng, rapid.SampledFrom(columnShapes).Draw(t, "shape"), rows, lo, hi)
		return x
	}
	for len(x.key) < rows {
		e := column(rng, rapid.SampledFrom([]string{"random", "few values", "extremes"}).Draw(t, "shape"), 1, lo, hi)[0]
		for !x.free(e) {
			if e++; e > hi {
				e = lo
			}
		}
		x.key = append(x.key, e)
	}
	return x
}

// free reports whether a valid row may have a key; rows that do not count may
// repeat it.
func (x table) free(key int64) bool {
	for i, e := range x.key {
		if e == key && (x.counts(i) && x.counts(len(x.key))) {
			return false
		}
	}
	return true
}

func genJoinKey() *rapid.Generator[keySpec] {
	return rapid.Custom(func(t *rapid.T) keySpec {
		return keySpec{bits: rapid.SampledFrom([]int{5, 6, 32, 59, 60}).Draw(t, "bits"), signed: rapid.Bool().Draw(t, "signed")}
	})
}

func TestJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := genJoinKey().Draw(t, "key")
		right := genTable(t, k, rapid.IntRange(1, 20).Draw(t, "right"), true)
		left := genTable(t, k, rapid.IntRange(1, 20).Draw(t, "left"), false)
		for i := range left.key { // most keys of wide ones would meet nobody
			if i%2 == 0 {
				left.key[i] = right.key[i%len(right.key)]
			}
		}
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			j := rss.Join(s, left.share(v[:3], k), right.share(v[3:], k))
			return []rss.Vec{j.Valid, j.Left[0], j.Right[0]}
		}, append(left.columns(), right.columns()...)...)
		for i, key := range left.key {
			want := [3]int64{}
			for r := range right.key {
				if right.key[r] == key && right.counts(r) && left.counts(i) {
					want = [3]int64{1, left.column[i], right.column[r]}
				}
			}
			if have := [3]int64{got[0][i], got[1][i], got[2][i]}; have != want {
				t.Fatalf("row %d: got %v, want %v", i, have, want)
			}
		}
	})
}

func TestJoinMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := genJoinKey().Draw(t, "key")
		right := genTable(t, k, rapid.IntRange(1, 12).Draw(t, "right"), false)
		left := genTable(t, k, rapid.IntRange(1, 12).Draw(t, "left"), false)
		for i := range left.key {
			if i%3 != 0 {
				left.key[i] = right.key[i%len(right.key)]
			}
		}
		rows := rapid.IntRange(1, 60).Draw(t, "rows")
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			j, total := rss.JoinMany(s, left.share(v[:3], k), right.share(v[3:], k), rows)
			return []rss.Vec{j.Valid, j.Left[0], j.Right[0], total}
		}, append(left.columns(), right.columns()...)...)
		var pairs [][3]int64
		for i := range left.key {
			for r := range right.key {
				if left.key[i] == right.key[r] && left.counts(i) && right.counts(r) {
					pairs = append(pairs, [3]int64{1, left.column[i], right.column[r]})
				}
			}
		}
		if got[3][0] != int64(len(pairs)) {
			t.Fatalf("%d pairs counted, want %d", got[3][0], len(pairs))
		}
		for i := range rows {
			want := [3]int64{}
			if i < len(pairs) {
				want = pairs[i]
			}
			if have := [3]int64{got[0][i], got[1][i], got[2][i]}; have != want {
				t.Fatalf("row %d of %d: got %v, want %v", i, len(pairs), have, want)
			}
		}
	})
}

func TestLookup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom([]int{1, 2, 3, 4, 5, 15, 16, 17, 100, 256}).Draw(t, "table")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 1))
		lo, hi := rapid.SampledFrom([][2]int64{{-1 << 63, 1<<63 - 1}, {0, 1}, {-5, 20}, {7, 7}}).Draw(t, "range"), int64(0)
		entries := column(rng, rapid.SampledFrom(columnShapes).Draw(t, "shape"), m, lo[0], lo[1])
		hi = int64(m) - 1
		index := column(rng, rapid.SampledFrom(columnShapes).Draw(t, "indices"), rapid.IntRange(1, 30).Draw(t, "rows"), 0, hi)
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			return []rss.Vec{rss.Lookup(s.Step("public"), entries, v[0]), rss.LookupSecret(s.Step("secret"), v[1], v[0])}
		}, index, entries)
		for i, j := range index {
			if got[0][i] != entries[j] || got[1][i] != entries[j] {
				t.Fatalf("element %d of %v: got %d and %d", j, entries, got[0][i], got[1][i])
			}
		}
	})
}

// The widest table, several chunks of indices, and indices beyond the table.
func TestLookupOfMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	entries := column(rng, "random", 4095, -100, 100)
	entries[17] = -100
	index := column(rng, "random", max(17_000, soak(0)/10), 0, 4095)
	index[0] = 4095
	got := evaluate(t, 1, func(s *mpc.Session, v []rss.Vec) []rss.Vec {
		return []rss.Vec{rss.Lookup(s, entries, v[0])}
	}, index)
	for i, j := range index {
		want := int64(-100)
		if j < 4095 {
			want = entries[j]
		}
		if got[0][i] != want {
			t.Fatalf("element %d: got %d, want %d", j, got[0][i], want)
		}
	}
}
