package match

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/organ/policy"
)

// TestProgramsOverPairs: every condition of a random program has for each donor and
// candidate the value that the evaluation in the clear gives it.
func TestProgramsOverPairs(t *testing.T) {
	shapes := map[shape]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 1))
		n, m := rapid.SampledFrom([]int{1, 5, 64, 65}).Draw(t, "candidates"), rapid.SampledFrom([]int{1, 2, 64, 67}).Draw(t, "donors")
		columns := make([][]int64, len(p.Candidate)+len(p.Donor))
		draw := func(first, rows int, inputs []policy.InputInfo) [][]int64 {
			var all [][]int64
			for range rows {
				row := fillInputs(rng, inputs)
				for i, v := range row {
					columns[first+i] = append(columns[first+i], v)
				}
				all = append(all, row)
			}
			return all
		}
		candidates, donors := draw(0, n, p.Candidate), draw(len(p.Candidate), m, p.Donor)
		var conditions []int
		for i := range p.Nodes {
			if p.Nodes[i].Boolean() {
				conditions = append(conditions, i)
			}
		}
		node := conditions[len(conditions)-1]
		own := newCircuit(p)
		bit := own.bit(node)
		shapes[own.code[bit].shape]++
		got, _ := onShares(t, columns, func(s *mpc.Session, x []rss.Vec) []rss.Vec {
			c := newCircuit(p)
			b := c.runAll(s.Step("all"), n, m, x[:len(p.Candidate)], x[len(p.Candidate):], c.bit(node))
			return []rss.Vec{rss.ToArith(s.Step("number"), b)}
		})
		for d, donor := range donors {
			for j, candidate := range candidates {
				if want := p.Run(candidate, donor)[node]; got[0][d*n+j] != want {
					t.Fatalf("node %d, %v, donor %d of %d and candidate %d of %d: %d, want %d", node, p.Nodes[node].Op, d, m, j, n, got[0][d*n+j], want)
				}
			}
		}
	})
	for _, of := range []shape{perCandidate, perDonor, perCandidate | perDonor} {
		if shapes[of] == 0 {
			t.Errorf("no condition differed by %d", of)
		}
	}
}

// TestSpread repeats what one side has for all of the other.
func TestSpread(t *testing.T) {
	e := &evaluation{n: rowUnit, m: 3}
	x := rss.Vec{A: []uint64{7, 8, 9}, B: []uint64{1, 2, 3}}
	z := e.spread(x, perDonor, perDonor|perCandidate)
	want := slices.Concat(slices.Repeat([]uint64{7}, rowUnit), slices.Repeat([]uint64{8}, rowUnit), slices.Repeat([]uint64{9}, rowUnit))
	if !slices.Equal(z.A, want) {
		t.Errorf("%v", z.A)
	}
	if z := e.spread(rss.Vec{A: []uint64{7}, B: []uint64{1}}, 0, perDonor); !slices.Equal(z.A, []uint64{7, 7, 7}) {
		t.Errorf("%v", z.A)
	}
}
