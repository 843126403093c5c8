package rss_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// function is a numerical function with what its doc comment promises.
type function struct {
	name   string
	frac   int // of the argument
	bits   int
	rounds int // on short vectors
	bytes  int // an element, the mean of the parties, on long vectors
	op     func(s *mpc.Session, x rss.Fixed) rss.Vec
}

// functions are all numerical functions with arguments as a study has them.
func functions() []function {
	return []function{
		{"Round", 24, 28, 2, 12, func(s *mpc.Session, x rss.Fixed) rss.Vec { return x.Round(s, 12).Share }},
		{"Mul", 24, 28, 2, 12, func(s *mpc.Session, x rss.Fixed) rss.Vec { return x.Mul(s, x, 24).Share }},
		{"Reciprocal", 16, 28, 28, 200, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Reciprocal(s, x, 24).Share }},
		{"Divide", 16, 30, 30, 215, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Divide(s, x, x, 16, 31).Share }},
		{"Sqrt", 16, 31, 35, 230, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Sqrt(s, x, 16).Share }},
		{"InvSqrt", 16, 31, 36, 240, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.InvSqrt(s, x, 24).Share }},
		{"Exp", 24, 27, 3, 28, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Exp(s, x, 24).Share }},
		{"Exp to 16", 24, 28, 5, 52, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Exp(s, x, 24).Share }},
		{"Log", 16, 31, 28, 202, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Log(s, x, 24).Share }},
		{"Sigmoid", 24, 28, 20, 132, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Sigmoid(s, x, 24).Share }},
		{"Sigmoid cut", 24, 34, 20, 165, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Sigmoid(s, x, 24).Share }},
		{"Softplus", 24, 28, 18, 145, func(s *mpc.Session, x rss.Fixed) rss.Vec { return rss.Softplus(s, x, 24).Share }},
		{"Clamp", 24, 34, 8, 40, func(s *mpc.Session, x rss.Fixed) rss.Vec { y, _ := rss.Clamp(s, x, -8, 8); return y.Share }},
		{"Poly", 28, 28, 8, 84, func(s *mpc.Session, x rss.Fixed) rss.Vec {
			return rss.Poly(s, x, []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 24).Share
		}},
	}
}

// matrixFunctions are those on 2 x 2 matrices.
func matrixFunctions() []function {
	const p, frac, bits = 2, 40, 41
	wide := func(s *mpc.Session, x rss.Fixed) rss.Fixed128 {
		return rss.NewFixed128(s, rss.Lift(s.Step("lift"), x.Share), frac, bits)
	}
	return []function{
		{"Solve", frac, bits, 74, 0, func(s *mpc.Session, x rss.Fixed) rss.Vec {
			_, weak := rss.Inverse(s, wide(s, x), p, frac+10, 0x1p-20)
			return weak
		}},
		{"NewtonSchulz", frac, bits, 48, 0, func(s *mpc.Session, x rss.Fixed) rss.Vec {
			a := wide(s, x)
			rss.NewtonSchulz(s.Step("steps"), a, rss.StartInverse(s.Step("start"), a, p, frac).Within(s, frac+10), p, 4)
			return x.Share
		}},
	}
}

// run computes one function of x among three parties.
func (f function) run(w *memnet.World, x ring.Vec64) error {
	return w.Run(func(s *mpc.Session) error {
		f.op(s.Step("op"), rss.NewFixed(s, rss.Public(s, x), f.frac, f.bits))
		return s.Err()
	})
}

// argument returns n positive numbers that f takes.
func (f function) argument(n int, salt uint64) ring.Vec64 {
	x := make(ring.Vec64, n)
	for i := range x {
		x[i] = (uint64(i) + salt) * 0x9e3779b97f4a7c15 >> (64 - f.bits)
	}
	return x
}

// The rounds and bytes that the doc comments promise.
func TestFunctionCosts(t *testing.T) {
	const long = 3 << 14
	for _, f := range append(functions(), matrixFunctions()...) {
		w := memnet.New(memnet.Config{Seed: 1})
		if err := f.run(w, f.argument(8, 3)); err != nil {
			t.Fatal(f.name, err)
		}
		rounds := w.Rounds()
		if rounds > f.rounds {
			t.Errorf("%s takes %d rounds, want %d", f.name, rounds, f.rounds)
		}
		if f.bytes == 0 {
			t.Logf("%-12s %2d rounds", f.name, rounds)
			continue
		}
		if err := f.run(w, f.argument(long, 3)); err != nil {
			t.Fatal(f.name, err)
		}
		sum := 0
		for p := range mpc.PartyID(3) {
			sum += w.Transcript().Bytes(p)
		}
		bytes := float64(sum) / (3 * long)
		t.Logf("%-12s %2d rounds, %5.1f bytes", f.name, rounds, bytes)
		if bytes > float64(f.bytes)+0.1 {
			t.Errorf("%s sends %.1f bytes an element, want %d", f.name, bytes, f.bytes)
		}
	}
}

// Nothing is opened, and what an eavesdropper sees depends on public shapes alone,
// also for arguments for which a result is not defined.
func TestFunctionShapes(t *testing.T) {
	for _, f := range append(functions(), matrixFunctions()...) {
		var shapes []string
		for _, x := range []ring.Vec64{f.argument(8, 3), f.argument(8, 77), make(ring.Vec64, 8), make(ring.Vec64, 8).AddConst(-1)} {
			w := memnet.New(memnet.Config{Seed: 1})
			if err := f.run(w, x); err != nil {
				t.Fatal(f.name, err)
			}
			if opened := w.Transcript().Openings(); len(opened) != 0 {
				t.Errorf("%s opens %v", f.name, opened)
			}
			shapes = append(shapes, w.Transcript().Shape())
		}
		for _, shape := range shapes[1:] {
			if shape != shapes[0] {
				t.Errorf("%s: the shape depends on the argument:\n%s\n%s", f.name, shapes[0], shape)
			}
		}
	}
}

// One line a function: the hash of its whole transcript; those of rounding and of
// powers, which nothing else is made of, in full.
func TestFunctionTranscripts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 8} {
		runtime.GOMAXPROCS(procs)
		var lines, full strings.Builder
		for _, f := range append(functions(), matrixFunctions()...) {
			w := memnet.New(memnet.Config{Seed: 7})
			if err := f.run(w, f.argument(8, 11)); err != nil {
				t.Fatal(f.name, err)
			}
			tr := w.Transcript()
			fmt.Fprintf(&lines, "%-12s %3d messages %x\n", f.name, len(tr), sha256.Sum256([]byte(tr.String())))
			if f.name == "Round" || f.name == "Exp" {
				fmt.Fprintf(&full, "%s\n%s", f.name, tr)
			}
		}
		testkit.Golden(t, "functions.golden", lines.String())
		testkit.Golden(t, "rounded.golden", full.String())
	}
}

// A party that vanishes, or a frame of another length, ends every function at
// everybody with an error that names the step.
func TestFunctionsEnd(t *testing.T) {
	for _, f := range append(functions(), matrixFunctions()...) {
		w := memnet.New(memnet.Config{Seed: 1})
		if err := f.run(w, f.argument(8, 3)); err != nil {
			t.Fatal(f.name, err)
		}
		tr := w.Transcript()
		for _, r := range []memnet.Record{tr[0], tr[len(tr)/2], tr[len(tr)-1]} {
			err := f.run(memnet.New(memnet.Config{Seed: 1, Hooks: hit(r, func(b []byte) ([]byte, bool) { return b[1:], true })}), f.argument(8, 3))
			want := fmt.Sprintf("step %s: frame from p%d has %d bytes, want %d", r.Step, r.From, r.Length-1, r.Length)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, a frame cut: %v; want %s", f.name, err, want)
			}
			lost := memnet.Config{Seed: 1, Timeout: 20 * time.Millisecond, Hooks: hit(r, func([]byte) ([]byte, bool) { return nil, false })}
			if err := f.run(memnet.New(lost), f.argument(8, 3)); err == nil || !strings.Contains(err.Error(), "step") {
				t.Errorf("%s, a frame lost: %v", f.name, err)
			}
		}
		w = memnet.New(memnet.Config{Seed: 1})
		_ = w.Run(func(s *mpc.Session) error {
			if s.Self() == 1 {
				return errors.New("no power")
			}
			z := f.op(s.Step("op"), rss.NewFixed(s, rss.Public(s, f.argument(8, 3)), f.frac, f.bits))
			rss.Open(s.Step("end"), z) // a dealer may not have waited for anybody before
			return s.Err()
		})
		for p, err := range w.Errors() {
			if p != 1 && (err == nil || !strings.Contains(err.Error(), "step ") || !strings.Contains(err.Error(), "has ended the session")) {
				t.Errorf("%s, a party gone: p%d says %v", f.name, p, err)
			}
		}
	}
}

func BenchmarkFunctions(b *testing.B) {
	const n = 100_000
	for _, f := range functions() {
		b.Run(f.name, func(b *testing.B) {
			x := f.argument(n, 3)
			for b.Loop() {
				if err := f.run(memnet.New(memnet.Config{}), x); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
