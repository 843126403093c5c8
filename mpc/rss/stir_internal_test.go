package rss

import (
	"fmt"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/spool"
)

func spillForTest(t *testing.T) *Spill {
	t.Helper()
	dir, err := spool.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sp := NewSpill(dir, 64)
	t.Cleanup(func() {
		if err := sp.Close(); err != nil {
			t.Error(err)
		}
	})
	return sp
}

// inSession runs f in a session of one participant.
func inSession(t *testing.T, f func(s *mpc.Session)) {
	t.Helper()
	if err := memnet.New(memnet.Config{N: 1}).Run(func(s *mpc.Session) error {
		f(s)
		return s.Err()
	}); err != nil {
		t.Fatal(err)
	}
}

// TestBins: rows come back by bin, in their order, from memory and from many records.
func TestBins(t *testing.T) {
	sp := spillForTest(t)
	inSession(t, func(s *mpc.Session) {
		const n, count = 5000, 7
		b := newBins(s, sp, count, 2)
		defer b.close()
		want := make([][]uint64, count)
		for lo := uint64(0); lo < n; lo += 100 {
			var to []int32
			columns := []ring.Vec64{nil, nil}
			for i := lo; i < lo+100; i++ {
				bin := int32(i*i%9) % (count - 1) // none falls into the last one
				to = append(to, bin)
				columns[0], columns[1] = append(columns[0], i), append(columns[1], -i)
				want[bin] = append(want[bin], i)
			}
			b.add(s, to, columns)
		}
		var spare []ring.Vec64
		for bin := range want {
			spare = b.take(s, bin, spare)
			if !slices.Equal([]uint64(spare[0]), want[bin]) && len(want[bin]) > 0 {
				t.Errorf("bin %d has %v, want %v", bin, spare[0], want[bin])
			}
			for i, x := range spare[1] {
				if x != -want[bin][i] {
					t.Fatalf("row %d of bin %d is torn", i, bin)
				}
			}
		}
	})
}

// stirred returns rows 0 to n-1 in the order of a stirring with so many bins.
func stirred(s *mpc.Session, sp *Spill, coins *mpc.Coins, n, bins int) []int32 {
	m := &stirring{dice: dice{coins: coins}, width: 2, bins: newBins(s, sp, bins, 2)}
	defer m.close()
	for i := range n {
		m.add(s, []ring.Vec64{{uint64(i)}, {uint64(i) + 7}})
	}
	var order []int32
	m.each(s, 3, func(part []ring.Vec64) {
		for i, x := range part[0] {
			if part[1][i] != x+7 {
				s.Fail(fmt.Errorf("row %d is torn", x))
			}
			order = append(order, int32(x))
		}
	})
	return order
}

// One pair's permutation of rows on disk is uniform, whatever the number of bins:
// chi-square over all orders of 4 rows.
func TestStirringIsUniform(t *testing.T) {
	const runs = 24 * 100
	sp := spillForTest(t)
	for _, bins := range []int{1, 2, 3, 9} {
		counts := make(map[[4]int32]int)
		inSession(t, func(s *mpc.Session) {
			coins := s.Step("coins").OwnCoins()
			for range runs {
				counts[[4]int32(stirred(s, sp, coins, 4, bins))]++
			}
		})
		sum := 0.0
		for _, k := range counts {
			sum += float64((k-100)*(k-100)) / 100
		}
		if len(counts) != 24 || sum > 58 { // 23 degrees of freedom: exceeded once in 10^4
			t.Errorf("%d bins: %d orders, chi-square %.1f", bins, len(counts), sum)
		}
	}
}

// What is opened of rows on disk is the place of each among shuffled ones: where the
// first row comes to lie is uniform, and every row comes once, with what belongs to it.
func TestShuffledRowsAreUniform(t *testing.T) {
	const n, runs, parts = 130, 300, 10
	sp := spillForTest(t)
	var counts [parts]int
	all, err := memnet.Collect(memnet.New(memnet.Config{Seed: 4}), func(s *mpc.Session) ([]int, error) {
		rows := sp.New(s, n, 1, 0)
		fill := rows.Fill()
		fill.Append(s, AddConst(s, numberedFrom(s, 0, n), 1000))
		var places []int
		for run := range runs {
			s := s.Step("run", run)
			var order []int64
			shuffleRows(s.Step("shuffle"), rows, 64, func(columns []Vec) {
				number := Open(s.Step("number", len(order)), columns[1]).Int64()
				value := Open(s.Step("value", len(order)), columns[0]).Int64()
				for i, x := range value {
					if x != 1000+number[i] {
						s.Fail(fmt.Errorf("row %d is torn", number[i]))
					}
				}
				order = append(order, number...)
			})
			places = append(places, slices.Index(order, 0))
			slices.Sort(order)
			for i, x := range order {
				if x != int64(i) {
					s.Fail(fmt.Errorf("row %d is missing", i))
					break
				}
			}
		}
		return places, s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range all[0] {
		counts[place*parts/n]++
	}
	sum := 0.0
	for _, k := range counts {
		sum += float64((k-runs/parts)*(k-runs/parts)) / (runs / parts)
	}
	if sum > 34 { // 9 degrees of freedom: exceeded once in 10^4
		t.Errorf("the first row came to %v, chi-square %.1f", counts, sum)
	}
}

// TestBisect: rows find their place among splits, equal ones behind them.
func TestBisect(t *testing.T) {
	for _, splits := range []int{1, 7, 63} {
		ranks := make([]int32, splits)
		for i := range ranks {
			ranks[i] = int32(10 * (i + 1))
		}
		rows := shuffledRanks(10*(splits+1), 2)
		j := &judge{ranks: append(ranks, rows...)}
		for i, bucket := range bisect(splits, len(j.ranks), j) {
			if bucket != rows[i]/10 {
				t.Fatalf("%d splits: %d is in bucket %d", splits, rows[i], bucket)
			}
		}
	}
}
