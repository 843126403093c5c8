package rss_test

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// samples is how many elements a view is observed on: one strand, whose dealer is
// party 0, whose next is party 1.
const samples = 8192

// view is what a party sees of each element in an operation: low bits of its two
// components, and of these and all that it receives.
type view struct{ own, all []uint64 }

// views returns what each party sees in op on equal secrets.
func views(t *testing.T, seed uint64, secret int64, op func(s *mpc.Session, x rss.Vec)) (seen [3]view) {
	t.Helper()
	var mu sync.Mutex
	var frames [3]map[string][]byte // by what names them, so that their order is fixed
	for p := range frames {
		frames[p] = make(map[string][]byte)
	}
	cfg := four(seed)
	cfg.Hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
		if strings.HasPrefix(m.Channel.Step, "op") {
			mu.Lock()
			defer mu.Unlock()
			frames[m.To][name(m.Channel.Step, " ", m.From, " ", m.Index)] = slices.Clone(m.Frame)
		}
		return m.Frame, true
	}
	x := make(ring.Vec64, samples)
	for i := range x {
		x[i] = uint64(secret)
	}
	if err := memnet.New(cfg).Run(func(s *mpc.Session) error {
		in := rss.Input(s.Step("x"), site, samples, only(s, site, x))
		if s.Role() < 0 {
			return nil
		}
		own := make([]uint64, samples)
		for i := range own {
			own[i] = in.A[i]&3<<2 | in.B[i]&3
		}
		seen[s.Self()].own = own
		op(s.Step("op"), in)
		return s.Err()
	}); err != nil {
		t.Fatal(err)
	}
	for p := range seen {
		all := slices.Clone(seen[p].own)
		for _, key := range slices.Sorted(maps.Keys(frames[p])) {
			frame := frames[p][key]
			for size := bytesPerPart(frame); len(frame) > 0; frame = frame[size:] {
				bits := lowBits(frame[:size])
				for i := range all {
					all[i] = all[i]<<2 | bits(i)
				}
			}
		}
		seen[p].all = all
	}
	return seen
}

// bytesPerPart is how many bytes of a frame hold one thing of each element: a
// plane, or a vector of numbers.
func bytesPerPart(frame []byte) int {
	if len(frame)%(8*samples) == 0 {
		return 8 * samples
	}
	return samples / 8
}

// lowBits reads the bit or the two low bits that a part of a frame holds of an
// element.
func lowBits(part []byte) func(i int) uint64 {
	if len(part) == samples/8 {
		return func(i int) uint64 { return uint64(part[i/8] >> (i % 8) & 1) }
	}
	return func(i int) uint64 { return binary.LittleEndian.Uint64(part[8*i:]) & 3 }
}

// differ returns the chi-square statistic of the hypothesis that two samples come
// from one distribution, in standard deviations from its mean.
func differ(a, b []uint64) float64 {
	counts := make(map[uint64][2]float64)
	for i := range a {
		c := counts[a[i]]
		c[0]++
		counts[a[i]] = c
		c = counts[b[i]]
		c[1]++
		counts[b[i]] = c
	}
	chi := 0.0
	for _, c := range counts {
		chi += (c[0] - c[1]) * (c[0] - c[1]) / (c[0] + c[1])
	}
	free := float64(len(counts) - 1)
	return (chi - free) / math.Sqrt(2*free)
}

// What a party sees has the same distribution for every secret; what two parties
// see together has not.
func TestViewsAreIndependentOfSecrets(t *testing.T) {
	for what, op := range map[string]func(s *mpc.Session, x rss.Vec){
		"Less":      func(s *mpc.Session, x rss.Vec) { rss.LessPublic(s, x, 0, 2) },
		"Equal":     func(s *mpc.Session, x rss.Vec) { rss.EqualPublic(s, x, 1, 2) },
		"Decompose": func(s *mpc.Session, x rss.Vec) { rss.Decompose(s, x, 3) },
		"TruncFast": func(s *mpc.Session, x rss.Vec) { rss.TruncFast(s, x, 1) },
		"Lift":      func(s *mpc.Session, x rss.Vec) { rss.Lift(s, x) },
		"ToArith": func(s *mpc.Session, x rss.Vec) {
			rss.ToArith(s, rss.Bits{A: ring.Transpose(x.A, 1), B: ring.Transpose(x.B, 1)})
		},
	} {
		t.Run(what, func(t *testing.T) {
			base := views(t, 1, 0, op)
			for i, secret := range []int64{1, -2, 1 << 61} {
				other := views(t, uint64(2+i), secret, op)
				for p := range base {
					if d := differ(base[p].all, other[p].all); d > 6 {
						t.Errorf("party %d can tell 0 from %d: %.1f standard deviations", p, secret, d)
					}
				}
				if together := differ(joint(base), joint(other)); secret%4 != 0 && together < 100 {
					t.Errorf("the test does not tell 0 from %d even with two parties' views: %.1f", secret, together)
				}
			}
		})
	}
}

// joint puts together what two parties see of their own.
func joint(seen [3]view) []uint64 {
	out := make([]uint64, samples)
	for i := range out {
		out[i] = seen[0].own[i]<<4 | seen[1].own[i]
	}
	return out
}

// Every frame of every primitive is masked: over a long vector each bit is one half
// of the time, whatever the secret.
func TestCircuitFramesAreBalanced(t *testing.T) {
	var mu sync.Mutex
	cfg := memnet.Config{Seed: 4, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		if strings.Contains(m.Channel.Step, "open") {
			return m.Frame, true
		}
		ones := 0
		for _, b := range m.Frame {
			for ; b != 0; b &= b - 1 {
				ones++
			}
		}
		n := 8 * float64(len(m.Frame))
		if d := (float64(ones) - n/2) / (math.Sqrt(n) / 2); math.Abs(d) > 6 {
			mu.Lock()
			t.Errorf("%s %d>%d: %.1f standard deviations off balance", m.Channel.Step, m.From, m.To, d)
			mu.Unlock()
		}
		return m.Frame, true
	}}}
	if err := memnet.New(cfg).Run(func(s *mpc.Session) error {
		x, b := operands(s, samples, 0) // zeros, known to all: nothing but the coins is random
		for _, p := range primitives {
			p.op(s.Step(strings.ReplaceAll(p.name, " ", "")), x, b)
		}
		return s.Err()
	}); err != nil {
		t.Fatal(err)
	}
}
