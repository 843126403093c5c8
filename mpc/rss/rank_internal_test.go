package rss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
)

// judge compares rows of known ranks and counts.
type judge struct {
	ranks             []int32
	batches, compared int
	stopAt            int // the batch that fails; 0: none
}

func (j *judge) below(x, y []int32) (ring.Planes, bool) {
	j.batches, j.compared = j.batches+1, j.compared+len(x)
	p := ring.MakePlanes(len(x), 1)
	for i := range x {
		if j.ranks[x[i]] < j.ranks[y[i]] {
			p.Words[i/64] |= 1 << (i % 64)
		}
	}
	return p, j.batches != j.stopAt
}

func (j *judge) move(lo int, from []int32) {
	pick(j.ranks[lo:lo+len(from)], slices.Clone(j.ranks[lo:lo+len(from)]), from)
}

// shuffledRanks returns the ranks of n rows in random order.
func shuffledRanks(n int, seed uint64) []int32 {
	ranks := make([]int32, n)
	for i, j := range rand.New(rand.NewPCG(seed, 1)).Perm(n) {
		ranks[i] = int32(j)
	}
	return ranks
}

// rows returns the row of each rank.
func rows(ranks []int32) []int32 {
	out := make([]int32, len(ranks))
	place(out, unmoved(len(ranks)), ranks)
	return out
}

func TestRankSorts(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 6, 7, 8, 255, 256, 257, 300, 1000, 5000} {
		for _, wanted := range []int{1, 2, n / 10, n / 2, n - 1, n} {
			if wanted < 1 || wanted > n {
				continue
			}
			ranks := shuffledRanks(n, uint64(n))
			got := rank(n, wanted, &judge{ranks: slices.Clone(ranks)})
			want := rows(ranks)
			if !slices.Equal(got[:wanted], want[:wanted]) {
				t.Errorf("the first %d of %d rows are not sorted", wanted, n)
			}
			slices.Sort(got)
			if !slices.Equal(got, unmoved(n)) {
				t.Errorf("%d rows, %d wanted: not all rows came back", n, wanted)
			}
		}
	}
}

// Rows need not lie in a random order for the result to be right: only the number
// of comparisons hopes for it.
func TestRankSortsAnyOrder(t *testing.T) {
	for _, n := range []int{300, 3000} {
		up := unmoved(n)
		down := slices.Clone(up)
		slices.Reverse(down)
		for name, ranks := range map[string][]int32{"up": up, "down": down} {
			if got := rank(n, n, &judge{ranks: slices.Clone(ranks)}); !slices.Equal(got, rows(ranks)) {
				t.Errorf("%d rows %s are not sorted", n, name)
			}
		}
	}
}

// The doc comments promise n (log2 n + 2) comparisons, few batches, and of few
// wanted rows about one comparison a row.
func TestRankCosts(t *testing.T) {
	for _, c := range []struct{ n, wanted, batches int }{
		{200, 200, 1}, {1000, 1000, 5}, {10_000, 10_000, 12}, {100_000, 100_000, 27}, {100_000, 10, 6},
	} {
		j := &judge{ranks: shuffledRanks(c.n, 3)}
		rank(c.n, c.wanted, j)
		most := float64(c.n) * (math.Log2(float64(c.n)) + 2.5)
		if c.wanted < c.n {
			most = 2 * float64(c.n)
		}
		most = max(most, float64(c.batches*roundWorth)) + roundWorth
		if j.batches > c.batches || float64(j.compared) > most {
			t.Errorf("%d of %d rows: %d comparisons in %d batches", c.wanted, c.n, j.compared, j.batches)
		}
	}
}

func TestSampleSizes(t *testing.T) {
	for _, rows := range []int{7, 100, 257, 5000, 1 << 16, 1 << 20, math.MaxInt32} {
		for _, b := range []int{7, 8, 9, 15, 16, 50, 256, 4000, 1 << 20, rows} {
			if b > rows {
				continue
			}
			size := int(sampleSize(b, rows))
			if size < 3 || size > b || size < b && size&(size+1) != 0 {
				t.Errorf("a sample of %d of %d of %d rows", size, b, rows)
			}
		}
	}
}

func TestRankStops(t *testing.T) {
	for stopAt := 1; stopAt < 5; stopAt++ {
		j := &judge{ranks: shuffledRanks(5000, 1), stopAt: stopAt}
		if got := rank(5000, 5000, j); j.batches != stopAt || !slices.Equal(got, unmoved(5000)) {
			t.Errorf("batch %d failed, %d were asked", stopAt, j.batches)
		}
	}
}

// What is opened is the order of shuffled rows. It is uniform whatever the keys,
// all equal ones included: chi-square over all orders of 4 rows.
func TestOpenedRanksAreUniform(t *testing.T) {
	const runs = 24 * 20
	for name, keys := range map[string]ring.Vec64{
		"all equal": {5, 5, 5, 5}, "a tie": {3, 1, 3, 2}, "sorted": {1, 2, 3, 4},
	} {
		t.Run(name, func(t *testing.T) {
			orders, err := memnet.Collect(memnet.New(memnet.Config{Seed: 11}), func(s *mpc.Session) ([][4]int32, error) {
				key := []Key{{Column: Public(s, keys), Bits: 3}}
				var out [][4]int32
				for i := range runs {
					_, order := rankShuffled(s.Step("run", i), 4, key)
					out = append(out, [4]int32(order))
				}
				return out, s.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			counts := make(map[[4]int32]int)
			for i, o := range orders[0] {
				if o != orders[1][i] || o != orders[2][i] {
					t.Fatal("the parties disagree")
				}
				counts[o]++
			}
			sum := 0.0
			for _, k := range counts {
				sum += float64((k-20)*(k-20)) / 20
			}
			if len(counts) != 24 || sum > 58 { // 23 degrees of freedom: exceeded once in 10^4
				t.Errorf("%d orders, chi-square %.1f", len(counts), sum)
			}
		})
	}
}

// The kernel against its definition, on the components of one party.
func TestMeet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, digits := range []int{1, 3, 4, 5, 13} {
		c := &contest{digits: digits, words: ceil(digits, 4)}
		const n = 100
		c.rows = make([]uint64, 2*c.words*n)
		for i := range c.rows {
			c.rows[i] = rng.Uint64()
		}
		for _, count := range []int{1, 15, 16, 17, 64, 65, 200, 3000} {
			x, y := make([]int32, count), make([]int32, count)
			for i := range x {
				x[i], y[i] = rng.Int32N(n), rng.Int32N(n)
			}
			own := ring.MakePlanes(count, 2*digits-1)
			c.meeting(count%2).meet(own, x, y)
			for i := range x {
				less, equal := c.products(int(x[i]), int(y[i]))
				for d := range digits {
					if own.Bit(d, i) != less[d] || d > 0 && own.Bit(digits+d-1, i) != equal[d] {
						t.Fatalf("%d digits, %d pairs: pair %d differs in digit %d", digits, count, i, d)
					}
				}
			}
			c.move(10, []int32{3, 1, 0, 2}) // both meetings have to forget forms of rows
		}
	}
}

// products returns one party's part of the products of two rows, by digit.
func (c *contest) products(x, y int) (less, equal []bool) {
	bitOf := func(row, side, d, v int) bool {
		return c.rows[2*c.words*row+2*(d/4)+side]>>(16*(d%4)+v)&1 == 1
	}
	cross := func(d, v, w int) bool { // of bit v of x and bit w of y
		a, b, e, f := bitOf(x, 0, d, v), bitOf(x, 1, d, v), bitOf(y, 0, d, w), bitOf(y, 1, d, w)
		return (a && e) != (a && f) != (b && e)
	}
	less, equal = make([]bool, c.digits), make([]bool, c.digits)
	for d := range c.digits {
		for v := range 16 {
			equal[d] = equal[d] != cross(d, v, v)
			for w := v + 1; w < 16; w++ {
				less[d] = less[d] != cross(d, v, w)
			}
		}
	}
	return less, equal
}

// Rows move the same in memory of their own and along cycles.
func TestMove(t *testing.T) {
	for _, n := range []int{5, moveAtOnce/2 + 1} {
		c := &contest{digits: 1, words: 1, rows: make([]uint64, 2*(n+3))}
		for i := range c.rows {
			c.rows[i] = uint64(i)
		}
		order := shuffledRanks(n, 4)
		order[0], order[slices.Index(order, 0)] = 0, order[0] // one row that stays
		c.move(2, slices.Clone(order))
		for i := range n + 3 {
			want := i
			if i >= 2 && i < n+2 {
				want = 2 + int(order[i-2])
			}
			if got := c.rows[2*i : 2*i+2]; got[0] != uint64(2*want) || got[1] != uint64(2*want+1) {
				t.Fatalf("%d rows: place %d holds row %d, want %d", n, i, got[0]/2, want)
			}
		}
	}
}

func BenchmarkMeet(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := &contest{digits: 13, words: 4, rows: make([]uint64, 8*n)}
			x, y := make([]int32, 1<<20), make([]int32, 1<<20)
			for i := range x {
				x[i], y[i] = int32(i%n), rng.Int32N(1023)
			}
			own := ring.MakePlanes(len(x), 25)
			for b.Loop() {
				c.meeting(0).meet(own, x, y)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/pair")
		})
	}
}
