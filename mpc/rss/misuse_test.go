package rss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// everythingAt calls each operation on vectors of 3 elements and returns the
// lengths of what they return, and the session's error.
func everythingAt(s *mpc.Session) (map[string]int, error) {
	x := rss.Zero[ring.Vec64](3)
	return map[string]int{
		"Input":    rss.Input(s.Step("input"), 1, 3, only(s, 1, make(ring.Vec64, 3))).Len(),
		"Public":   rss.Public(s, make(ring.Vec64, 3)).Len(),
		"Add":      rss.Add(s, x, x).Len(),
		"Sub":      rss.Sub(s, x, x).Len(),
		"Neg":      rss.Neg(s, x).Len(),
		"Scale":    rss.Scale(s, x, 2).Len(),
		"AddConst": rss.AddConst(s, x, 2).Len(),
		"Sum":      rss.Sum(s, x).Len(),
		"Concat":   rss.Concat(s, x, x).Len(),
		"Slice":    rss.Slice(s, x, 1, 3).Len(),
		"Mul":      rss.Mul(s.Step("mul"), x, x).Len(),
		"Dot":      rss.Dot(s.Step("dot"), x, x).Len(),
		"Open":     rss.Open(s.Step("open it"), x).Len(),
		"RevealTo": rss.RevealTo(s.Step("reveal it"), 0, 3, x).Len(),
	}, s.Err()
}

// After a failure every operation returns zeros of the public length, sends
// nothing, and the first error stays.
func TestFailedSessionReturnsZeros(t *testing.T) {
	want := map[string]int{
		"Input": 3, "Public": 3, "Add": 3, "Sub": 3, "Neg": 3, "Scale": 3, "AddConst": 3, "Sum": 1,
		"Concat": 6, "Slice": 2, "Mul": 3, "Dot": 1, "Open": 3, "RevealTo": 3,
	}
	w := memnet.New(memnet.Config{})
	err := w.Run(func(s *mpc.Session) error {
		if s.Self() != 0 {
			<-s.Context().Done()
			return s.Err()
		}
		s.Step("start").Fail(errors.New("no power"))
		got, err := everythingAt(s)
		for name, n := range want {
			if got[name] != n {
				return fmt.Errorf("%s returned %d elements, want %d", name, got[name], n)
			}
		}
		return err
	})
	for p, err := range w.Errors() {
		if err == nil || !strings.Contains(err.Error(), "p0, step start: no power") {
			t.Errorf("p%d: %v", p, err)
		}
	}
	if err == nil || strings.Contains(err.Error(), "returned") {
		t.Error(err)
	}
	for _, r := range w.Transcript() {
		if r.Step != "abort" {
			t.Errorf("sent after the failure: %v", r)
		}
	}
}

// What fails in the middle of an operation gives zeros too, not half a secret.
func TestFailureWithinAnOperationReturnsZeros(t *testing.T) {
	for _, step := range []string{"input", "input/compare", "mul", "open/open", "reveal/reveal"} {
		cfg := memnet.Config{Seed: 3, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
			if m.Channel.Step == step {
				return m.Frame[1:], true
			}
			return m.Frame, true
		}}}
		w := memnet.New(cfg)
		_ = w.Run(func(s *mpc.Session) error {
			x := rss.Input(s.Step("input"), 0, 2, only(s, 0, ring.Vec64{5, 6}))
			y := rss.Mul(s.Step("mul"), x, x)
			all := []ring.Vec64{y.A, y.B, rss.Open(s.Step("open"), y)}
			got := rss.RevealTo(s.Step("reveal"), 1, 2, y)
			if s.Self() == 1 {
				all = append(all, got)
			}
			if strings.HasPrefix(step, "input") {
				all = append(all, x.A, x.B)
			}
			if step == "open/open" || step == "reveal/reveal" {
				all = all[2:]
			}
			if step == "reveal/reveal" {
				all = all[1:]
			}
			for i, v := range all {
				if len(v) != 2 || v[0] != 0 || v[1] != 0 {
					t.Errorf("%s at %s: vector %d is not zeros of length 2", step, s.Name(s.Self()), i)
				}
			}
			return s.Err()
		})
		if w.Errors()[1] == nil {
			t.Errorf("%s: no error at the receiver", step)
		}
	}
}

func TestMisuse(t *testing.T) {
	three, four, none := rss.Zero[ring.Vec64](3), rss.Zero[ring.Vec64](4), rss.Zero[ring.Vec64](0)
	torn := rss.Vec{A: make(ring.Vec64, 3), B: make(ring.Vec64, 2)}
	for name, c := range map[string]struct {
		at   mpc.PartyID
		op   func(s *mpc.Session) int // returns the length of what came back
		n    int
		want string
	}{
		"Mul of two lengths":  {0, func(s *mpc.Session) int { return rss.Mul(s, three, four).Len() }, 3, "vectors of 3 and 4 elements meet"},
		"Dot of two lengths":  {0, func(s *mpc.Session) int { return rss.Dot(s, three, four).Len() }, 1, "vectors of 3 and 4 elements meet"},
		"Add of two lengths":  {0, func(s *mpc.Session) int { return rss.Add(s, four, three).Len() }, 4, "vectors of 4 and 3 elements meet"},
		"Mul of a torn share": {0, func(s *mpc.Session) int { return rss.Mul(s, torn, three).Len() }, 3, "vectors of 3 and 2 elements meet"},
		"Mul of nothing":      {0, func(s *mpc.Session) int { return rss.Mul(s, none, none).Len() }, 0, "vector of 0 elements"},
		"Sum of nothing":      {0, func(s *mpc.Session) int { return rss.Sum(s, none).Len() }, 1, "vector of 0 elements"},
		"Open of nothing":     {0, func(s *mpc.Session) int { return rss.Open(s, none).Len() }, 0, "vector of 0 elements"},
		"Concat of nothing":   {0, func(s *mpc.Session) int { return rss.Concat[ring.Vec64](s).Len() }, 0, "vector of 0 elements"},
		"Concat with nothing": {0, func(s *mpc.Session) int { return rss.Concat(s, three, none).Len() }, 3, "vector of 0 elements"},
		"Public of nothing":   {0, func(s *mpc.Session) int { return rss.Public(s, ring.Vec64{}).Len() }, 0, "vector of 0 elements"},
		"Slice out of bounds": {0, func(s *mpc.Session) int { return rss.Slice(s, three, 1, 4).Len() }, 3, "elements 1 to 3 of a vector of 3"},
		"Slice backwards":     {0, func(s *mpc.Session) int { return rss.Slice(s, three, 2, 1).Len() }, 0, "elements 2 to 0 of a vector of 3"},
		"Mul at a site":       {site, func(s *mpc.Session) int { return rss.Mul(s, three, three).Len() }, 3, "not a compute party"},
		"Sum at a site":       {site, func(s *mpc.Session) int { return rss.Sum(s, three).Len() }, 1, "not a compute party"},
		"Open at a site":      {site, func(s *mpc.Session) int { return rss.Open(s, three).Len() }, 3, "not a compute party"},
		"Input of no length":  {0, func(s *mpc.Session) int { return rss.Input[ring.Vec64](s, 0, 0, nil).Len() }, 0, "vector of 0 elements"},
		"Input of less":       {0, func(s *mpc.Session) int { return rss.Input(s, 0, 3, ring.Vec64{1}).Len() }, 3, "vector of 1 elements, announced with 3"},
		"Input of another's":  {0, func(s *mpc.Session) int { return rss.Input(s, 1, 1, ring.Vec64{1}).Len() }, 1, "vector of 1 elements, announced with 0"},
		"Input from nobody":   {0, func(s *mpc.Session) int { return rss.Input[ring.Vec64](s, 4, 2, nil).Len() }, 2, "participant 4 of 4"},
		"RevealTo nobody":     {0, func(s *mpc.Session) int { return rss.RevealTo(s, -1, 3, three).Len() }, 0, "participant -1 of 4"},
		"RevealTo of another": {0, func(s *mpc.Session) int { return rss.RevealTo(s, 0, 4, three).Len() }, 4, "vector of 3 elements, announced with 4"},
		"RevealTo of a torn":  {0, func(s *mpc.Session) int { return rss.RevealTo(s, 0, 3, torn).Len() }, 3, "vectors of 3 and 2 elements meet"},
		"RevealTo of nothing": {0, func(s *mpc.Session) int { return rss.RevealTo(s, 0, 0, none).Len() }, 0, "vector of 0 elements"},
	} {
		t.Run(name, func(t *testing.T) {
			w := memnet.New(memnet.Config{N: 4})
			_ = w.Run(func(s *mpc.Session) error {
				if s.Self() == c.at {
					if got := c.op(s.Step("cells")); got != c.n {
						t.Errorf("%d elements came back, want %d", got, c.n)
					}
				} else {
					<-s.Context().Done()
				}
				return s.Err()
			})
			want := fmt.Sprintf("p%d, step cells: %s", c.at, c.want)
			for p, err := range w.Errors() {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("p%d: got %v, want %s", p, err, want)
				}
			}
		})
	}
}

func TestTwoPartiesAreTooFew(t *testing.T) {
	w := memnet.New(memnet.Config{N: 3, Compute: []mpc.PartyID{0, 1}})
	_ = w.Run(func(s *mpc.Session) error {
		rss.Input(s.Step("input"), 0, 1, only(s, 0, ring.Vec64{1}))
		return s.Err()
	})
	if err := w.Errors()[0]; err == nil || !strings.Contains(err.Error(), "needs 3 compute parties, not 2") {
		t.Error(err)
	}
}

// Parties need not be the first participants, nor in their order.
func TestNamedParties(t *testing.T) {
	w := memnet.New(memnet.Config{N: 6, Compute: []mpc.PartyID{5, 1, 3}})
	outs, err := memnet.Collect(w, func(s *mpc.Session) (ring.Vec64, error) {
		x := rss.Input(s.Step("x"), 0, 2, only(s, 0, ring.Vec64{3, 4}))
		if s.Role() >= 0 {
			x = rss.Mul(s.Step("mul"), x, rss.Public(s, ring.Vec64{5, 6}))
		}
		return rss.RevealTo(s.Step("out"), 3, 2, x), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for p, got := range outs {
		want := ""
		if p == 3 {
			want = "[15 24]"
		}
		if text := fmt.Sprint([]uint64(got)); text != want && !(want == "" && len(got) == 0) {
			t.Errorf("p%d learns %s", p, text)
		}
	}
}

// Two operations on one step would let masks cancel: the harness panics.
func TestStepUsedTwice(t *testing.T) {
	x := rss.Zero[ring.Vec64](1)
	for name, twice := range map[string]func(s *mpc.Session){
		"Mul, Mul":   func(s *mpc.Session) { rss.Mul(s, x, x); rss.Mul(s, x, x) },
		"Mul, Dot":   func(s *mpc.Session) { rss.Mul(s, x, x); rss.Dot(s, x, x) },
		"Mul, Open":  func(s *mpc.Session) { rss.Open(s, rss.Mul(s, x, x)) },
		"Open, Open": func(s *mpc.Session) { rss.Open(s, x); rss.Open(s, x) },
		"Input, Input": func(s *mpc.Session) {
			rss.Input(s, 0, 1, only(s, 0, ring.Vec64{1}))
			rss.Input(s, 0, 1, only(s, 0, ring.Vec64{1}))
		},
		"Reveal, Open": func(s *mpc.Session) { rss.RevealTo(s, 0, 1, x); rss.Open(s, x) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if err, ok := recover().(error); !ok || !errors.Is(err, mpc.ErrStepReused) || !strings.Contains(err.Error(), "step same") {
					t.Errorf("got %v", err)
				}
			}()
			_ = memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
				twice(s.Step("same"))
				return s.Err()
			})
		})
	}
}
