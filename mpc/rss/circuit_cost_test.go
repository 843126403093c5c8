package rss_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// primitive is one operation with what its doc comment promises.
type primitive struct {
	name   string
	thirds int // bits an element that all three parties send together
	rounds int // of a short vector
	op     func(s *mpc.Session, x rss.Vec, b rss.Bits)
}

// primitives take numbers x and two planes b.
var primitives = []primitive{
	{"And", 3 * 2, 1, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.And(s, b, b) }},
	{"Or", 3 * 2, 1, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.Or(s, b, b) }},
	{"AndAll", 3 * 4, 3, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.AndAll(s, rss.ConcatPlanes(b, b, b.Plane(0))) }},
	{"OrAll", 3 * 3, 2, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.OrAll(s, rss.ConcatPlanes(b, b)) }},
	{"OpenBits", 3 * 2 * 2, 1, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.OpenBits(s, b) }},
	{"Less 64", 335, 7, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Less(s, x, x, 64) }},
	{"Less 32", 162, 6, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Less(s, x, x, 32) }},
	{"Less 2", 4, 2, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Less(s, x, x, 2) }},
	{"LessPublic 33", 164, 6, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.LessPublic(s, x, 5, 33) }},
	{"Msb", 335, 7, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Msb(s, x) }},
	{"Equal 64", 64 + 3*63, 7, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Equal(s, x, x, 64) }},
	{"EqualPublic 16", 16 + 3*15, 5, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.EqualPublic(s, x, 1, 16) }},
	{"Decompose 64", 666, 8, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Decompose(s, x, 64) }},
	{"Decompose 4", 7 + 1 + 2*3, 2, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Decompose(s, x, 4) }},
	{"ToArith", 3 * 64 * 2, 2, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.ToArith(s, b) }},
	{"ToArith128", 3 * 128 * 2, 2, func(s *mpc.Session, _ rss.Vec, b rss.Bits) { rss.ToArith128(s, b) }},
	{"Select", 3 * 64, 1, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Select(s, x, x, x) }},
	{"SelectBit", 3 * 2 * 64, 3, func(s *mpc.Session, x rss.Vec, b rss.Bits) { rss.SelectBit(s, b.Plane(1), x, x) }},
	{"TruncFast", 4 * 64, 2, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.TruncFast(s, x, 16) }},
	{"Trunc", 5*64 + 79, 7, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Trunc(s, x, 16) }},
	{"Lift", 4 * 64, 2, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Lift(s, x) }},
	{"DotRows", 3 * 64 / 4, 1, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.DotRows(s, x, x, 4) }},
	{"Dots", 3 * 64 / 4, 1, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { fours := inFours(s, x); rss.Dots(s, fours, fours) }},
	{"Parity", 0, 0, func(s *mpc.Session, x rss.Vec, _ rss.Bits) { rss.Parity(s, x) }},
}

// inFours cuts a vector into vectors of four elements.
func inFours(s *mpc.Session, x rss.Vec) []rss.Vec {
	var out []rss.Vec
	for lo := 0; lo < x.Len(); lo += 4 {
		out = append(out, rss.Slice(s, x, lo, lo+4))
	}
	return out
}

// operands returns numbers and planes that hold something.
func operands(s *mpc.Session, n int, salt int64) (rss.Vec, rss.Bits) {
	p := ring.Transpose(ramp(n, salt), 2)
	return rss.Public(s, ramp(n, salt)), rss.PublicBits(s, p)
}

// A vector that goes in strands of one length loads all parties alike, with what
// the doc comments promise.
func TestCircuitCosts(t *testing.T) {
	const n = 3 * 64 * 200
	for _, p := range primitives {
		t.Run(p.name, func(t *testing.T) {
			w := memnet.New(memnet.Config{Seed: 1, Window: 2})
			if err := w.Run(func(s *mpc.Session) error {
				x, b := operands(s, n, 3)
				p.op(s.Step("op"), x, b)
				return s.Err()
			}); err != nil {
				t.Fatal(err)
			}
			for party := range mpc.PartyID(3) {
				if got, want := w.Transcript().Bytes(party), p.thirds*n/3/8; got != want {
					t.Errorf("party %d sent %d bytes, %.2f bits an element; want %d, %.2f", party, got, 8*float64(got)/n, want, 8*float64(want)/n)
				}
			}
		})
	}
}

func TestCircuitRounds(t *testing.T) {
	for _, p := range primitives {
		w := memnet.New(memnet.Config{Seed: 1})
		if err := w.Run(func(s *mpc.Session) error {
			x, b := operands(s, 8, 3)
			p.op(s.Step("op"), x, b)
			return s.Err()
		}); err != nil {
			t.Fatal(err)
		}
		if got := w.Rounds(); got != p.rounds {
			t.Errorf("%s: %d rounds, want %d", p.name, got, p.rounds)
		}
	}
}

// recordCircuits runs all primitives one after the other.
func recordCircuits(t *testing.T, seed uint64, n int, salt int64) memnet.Transcript {
	t.Helper()
	w := memnet.New(memnet.Config{Seed: seed, Window: 2})
	if err := w.Run(func(s *mpc.Session) error {
		x, b := operands(s, n, salt)
		for _, p := range primitives {
			p.op(s.Step(strings.ReplaceAll(p.name, " ", "")), x, b)
		}
		rss.MatMul(s.Step("MatMul"), x, rss.Slice(s, x, 0, 2), n, 1, 2)
		return s.Err()
	}); err != nil {
		t.Fatal(err)
	}
	return w.Transcript()
}

func TestGoldenCircuits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 8} {
		runtime.GOMAXPROCS(procs)
		tr := recordCircuits(t, 7, 8, 11)
		testkit.Golden(t, "circuits.golden", tr.String())
		testkit.Golden(t, "circuit_openings.golden", strings.Join(tr.Openings(), "\n")+"\n")
	}
}

// Strands run side by side, and yet what is sent is always the same.
func TestStrandsAreRepeatable(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.GOMAXPROCS(1)
	a := recordCircuits(t, 7, 8400, 11)
	runtime.GOMAXPROCS(8)
	if b := recordCircuits(t, 7, 8400, 11); !slices.Equal(a, b) {
		t.Error("two runs differ")
	}
}

func TestShapeOfCircuitsDoesNotDependOnInputs(t *testing.T) {
	for _, n := range []int{12, 8400} {
		a, b := recordCircuits(t, 1, n, 1), recordCircuits(t, 1, n, -987654321)
		if a.Shape() != b.Shape() {
			t.Errorf("shapes of %d elements differ", n)
		}
		if a.String() == b.String() {
			t.Error("contents are equal for different inputs: the test compares nothing")
		}
	}
}
