package rss_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// ledger is what was recorded of products at each party: how many of a form at a
// step.
type ledger struct {
	mu   sync.Mutex
	made [3]map[mpc.Products]int // with N 0
}

func (g *ledger) hear(at mpc.PartyID, made mpc.Products) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.made[at] == nil {
		g.made[at] = make(map[mpc.Products]int)
	}
	g.made[at][mpc.Products{Step: made.Step, Form: made.Form}] += made.N
}

// lines returns party 0's record, one line a step and form.
func (g *ledger) lines() []string {
	var out []string
	for k, n := range g.made[0] {
		out = append(out, fmt.Sprintf("%s %s %d", k.Step, k.Form, n))
	}
	slices.Sort(out)
	return out
}

// steps returns the steps at which there were products.
func (g *ledger) steps() map[string]bool {
	out := make(map[string]bool)
	for k := range g.made[0] {
		out[k.Step] = true
	}
	return out
}

// recordProducts runs op on n numbers and two planes and returns what was recorded
// and sent. It checks that the parties' records agree.
func recordProducts(t *testing.T, name string, n int, op func(s *mpc.Session, x rss.Vec, b rss.Bits)) (*ledger, memnet.Transcript) {
	t.Helper()
	var g ledger
	w := memnet.New(memnet.Config{Seed: 1, Products: g.hear})
	if err := w.Run(func(s *mpc.Session) error {
		x, b := operands(s, n, 3)
		op(s.Step("op"), x, b)
		return s.Err()
	}); err != nil {
		t.Fatal(name, err)
	}
	if !maps.Equal(g.made[0], g.made[1]) || !maps.Equal(g.made[0], g.made[2]) {
		t.Errorf("%s: the parties' records differ: %v", name, g.made)
	}
	return &g, w.Transcript()
}

// multiplications are all operations that this package's tests list, and some more.
func multiplications() []primitive {
	all := append([]primitive{
		{name: "Mul", op: func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Mul(s, x, x) }},
		{name: "Dot", op: func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Dot(s, x, x) }},
		{name: "MatMul", op: func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.MatMul(s, x, rss.Slice(s, x, 0, 2), x.Len(), 1, 2) }},
		{name: "Trunc128", op: func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Trunc128(s, rss.Lift(s.Step("lift"), x), 5) }},
	}, primitives...)
	for _, f := range append(functions(), matrixFunctions()...) {
		all = append(all, primitive{name: f.name, op: func(s *mpc.Session, x rss.Vec, _ rss.Bits) {
			f.op(s, rss.NewFixed(s, rss.Public(s, f.argument(x.Len(), 3)), f.frac, f.bits))
		}})
	}
	return all
}

// Each operation's products are recorded with their steps, and nothing else is
// sent but openings: there is no other way to multiply.
func TestEveryProductIsRecorded(t *testing.T) {
	var text strings.Builder
	for _, p := range multiplications() {
		g, tr := recordProducts(t, p.name, 8, p.op)
		steps := g.steps()
		for _, r := range tr {
			if last := path.Base(r.Step); !steps[r.Step] && last != "open" {
				t.Errorf("%s: at step %s a message that belongs to no product", p.name, r.Step)
			}
		}
		for step := range steps {
			if len(tr.At(step)) == 0 {
				t.Errorf("%s: products at step %s and no message", p.name, step)
			}
		}
		fmt.Fprintf(&text, "%s\n", p.name)
		for _, line := range g.lines() {
			fmt.Fprintf(&text, "  %s\n", line)
		}
	}
	testkit.Golden(t, "products.golden", text.String())
}

// Operations on rows move rows besides: permutations take part in no product.
func TestEveryProductOfRowsIsRecorded(t *testing.T) {
	moves := make(map[string]bool) // names of steps
	for _, o := range rowOperations {
		g, tr := recordProducts(t, o.name, 8, func(s *mpc.Session, x rss.Vec, _ rss.Bits) {
			o.op(s, rss.Public(s, ring.FromInt64(bytes8(x.Len(), 1))), x)
		})
		steps := g.steps()
		for _, r := range tr {
			if last := path.Base(r.Step); !steps[r.Step] && last != "open" {
				moves[last] = true
			}
		}
	}
	want := []string{"back", "merge", "move", "permute", "return", "shuffle", "there"}
	if got := slices.Sorted(maps.Keys(moves)); !slices.Equal(got, want) {
		t.Errorf("messages of no product at steps named %v, want those of moves, %v", got, want)
	}
}

// However a long vector is cut, as many products are recorded as there are.
func TestLongVectorsProducts(t *testing.T) {
	const n = 3*64*200 + 5
	for _, c := range []struct {
		name string
		want map[string]int // by form
		op   func(s *mpc.Session, x rss.Vec, b rss.Bits)
	}{
		{"Mul", map[string]int{"reshare": n}, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Mul(s, x, x) }},
		{"And", map[string]int{"reshare": 2 * ring.Stride(n)}, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.And(s, b, b) }},
		{"MulRound", map[string]int{"split": n, "deal": 2 * n, "exchange": n}, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.MulRound(s, x, x, 9) }},
		{"ToArith", map[string]int{"deal": 2 * n, "reply": 2 * n}, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.ToArith(s, b) }},
	} {
		g, _ := recordProducts(t, c.name, n, c.op)
		got := make(map[string]int)
		for k, n := range g.made[0] {
			got[k.Form] += n
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s of %d elements: %v, want %v", c.name, n, got, c.want)
		}
	}
}
