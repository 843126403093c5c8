package match

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func ofTransplants(c cycle) float64 { return float64(len(c)) }

// graph is a random one of which arcs are as likely as not, or less.
func graph(rng *rand.Rand, n int) func(i, j int) bool {
	arcs, likely := make([]bool, n*n), []float64{.1, .25, .5}[rng.IntN(3)]
	for k := range arcs {
		arcs[k] = k/n != k%n && rng.Float64() < likely
	}
	return func(i, j int) bool { return arcs[i*n+j] }
}

// most tries all choices of cycles among the pairs that are left.
func most(cycles []cycle, left uint, known map[uint]int) int {
	if n, ok := known[left]; ok {
		return n
	}
	best := 0
	for _, c := range cycles {
		own := uint(0)
		for _, v := range c {
			own |= 1 << v
		}
		if left&own == own {
			best = max(best, len(c)+most(cycles, left&^own, known))
		}
	}
	known[left] = best
	return best
}

func TestMostTransplants(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 600 {
		n, limit := 1+rng.IntN(13), 2+i%2
		cycles := cyclesOf(n, limit, graph(rng, n))
		got, err := mostTransplants(t.Context(), n, cycles)
		if err != nil {
			t.Fatal(err)
		}
		checkDisjoint(t, got)
		if want := most(cycles, 1<<n-1, map[uint]int{}); worth(transplant).of(got) != want {
			t.Fatalf("%d transplants of cycles %v, want %d", worth(transplant).of(got), cycles, want)
		}
		if bound := relax(n, cycles, ofTransplants).bound; bound < float64(worth(transplant).of(got))-tolerance {
			t.Fatalf("the relaxation's bound is %v for %d transplants", bound, worth(transplant).of(got))
		}
	}
}

func checkDisjoint(t *testing.T, cycles []cycle) {
	t.Helper()
	for k, c := range cycles {
		for _, d := range cycles[:k] {
			if c.meets(d) {
				t.Fatalf("cycles %v and %v meet", c, d)
			}
		}
	}
}

// TestPairing compares with the number that the rank of a random matrix gives (Lovász):
// of large graphs, where matchings are hard to count otherwise.
func TestPairing(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 60 {
		n := 2 + rng.IntN(60)
		arc := graph(rng, n)
		cycles := cyclesOf(n, 2, arc)
		got := newPairing(n, cycles).most()
		checkDisjoint(t, got)
		if want := tutteRank(rng, n, cycles); worth(transplant).of(got) != want {
			t.Fatalf("%d pairs matched, want %d", worth(transplant).of(got), want)
		}
	}
}

// tutteRank is the rank of the skew-symmetric matrix of a graph with random weights,
// modulo a prime: twice the size of its maximum matchings, but for a chance of n/prime.
func tutteRank(rng *rand.Rand, n int, edges []cycle) int {
	const prime = 1<<31 - 1
	m := make([][]uint64, n)
	for i := range m {
		m[i] = make([]uint64, n)
	}
	for _, e := range edges {
		x := 1 + rng.Uint64N(prime-1)
		m[e[0]][e[1]], m[e[1]][e[0]] = x, prime-x
	}
	rank := 0
	for column := range n {
		row := rank
		for row < n && m[row][column] == 0 {
			row++
		}
		if row == n {
			continue
		}
		m[rank], m[row] = m[row], m[rank]
		inverse := power(m[rank][column], prime-2, prime)
		for r := rank + 1; r < n; r++ {
			factor := prime - m[r][column]*inverse%prime
			for c := column; c < n; c++ {
				m[r][c] = (m[r][c] + factor*m[rank][c]) % prime
			}
		}
		rank++
	}
	return rank
}

func power(x, e, prime uint64) uint64 {
	z := uint64(1)
	for ; e > 0; e /= 2 {
		if e%2 == 1 {
			z = z * x % prime
		}
		x = x * x % prime
	}
	return z
}

// TestRelaxation: the parts are a solution, and prices and parts are worth the same.
func TestRelaxation(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 100 {
		n := 2 + rng.IntN(30)
		cycles := cyclesOf(n, 3, graph(rng, n))
		r := relax(n, cycles, ofTransplants)
		worth, used := 0.0, make([]float64, n)
		for k, c := range cycles {
			worth += float64(len(c)) * r.part[k]
			for _, v := range c {
				used[v] += r.part[k]
			}
			if r.part[k] < -tolerance || r.gain(c) > tolerance {
				t.Fatalf("part %v of a cycle whose gain is %v", r.part[k], r.gain(c))
			}
		}
		for v, u := range used {
			if u > 1+1e-4 {
				t.Fatalf("pair %d is used %v times", v, u)
			}
		}
		if math.Abs(worth-r.bound) > 1e-3 {
			t.Fatalf("parts are worth %v, prices %v", worth, r.bound)
		}
	}
}

func TestSolverStops(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	arc := func(i, j int) bool { return i != j }
	if _, err := mostTransplants(ctx, 5, cyclesOf(5, 3, arc)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
