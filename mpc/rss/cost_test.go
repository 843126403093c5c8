package rss_test

import (
	"fmt"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// long is a vector of three frames, the last one short.
const long = 2*65536 + 3

// ramp returns n elements that all differ.
func ramp(n int, from int64) ring.Vec64 {
	v := make(ring.Vec64, n)
	for i := range v {
		v[i] = uint64(from) * uint64(i+1)
	}
	return v
}

// The doc comments promise what is sent; here it is counted.
func TestCosts(t *testing.T) {
	const hashes = 2 * 32
	for _, c := range []struct {
		name      string
		partyEls  int // elements that each party sends
		partyMore int // bytes that each party sends besides
		siteEls   int
		siteMore  int
		op        func(s *mpc.Session, x rss.Vec, v ring.Vec64)
	}{
		{"Input", 0, hashes, 2 * long, 4 * mpc.SeedSize, func(s *mpc.Session, _ rss.Vec, v ring.Vec64) {
			rss.Input(s.Step("op"), site, long, only(s, site, v))
		}},
		{"Mul", long, 0, 0, 0, func(s *mpc.Session, x rss.Vec, _ ring.Vec64) {
			if s.Role() >= 0 {
				rss.Mul(s.Step("op"), x, x)
			}
		}},
		{"Dot", 1, 0, 0, 0, func(s *mpc.Session, x rss.Vec, _ ring.Vec64) {
			if s.Role() >= 0 {
				rss.Dot(s.Step("op"), x, x)
			}
		}},
		{"Open", 2 * long, 0, 0, 0, func(s *mpc.Session, x rss.Vec, _ ring.Vec64) {
			if s.Role() >= 0 {
				rss.Open(s.Step("op"), x)
			}
		}},
		{"RevealTo", 2 * long, 0, 0, 0, func(s *mpc.Session, x rss.Vec, _ ring.Vec64) {
			rss.RevealTo(s.Step("op"), site, long, x)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := four(1)
			cfg.Window = 2
			w := memnet.New(cfg)
			v := ramp(long, 3)
			err := w.Run(func(s *mpc.Session) error {
				var x rss.Vec
				if s.Role() >= 0 {
					x = rss.Public(s, v)
				}
				c.op(s, x, v)
				return s.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			for p := range mpc.PartyID(3) {
				if got, want := w.Transcript().Bytes(p), 8*c.partyEls+c.partyMore; got != want {
					t.Errorf("party %d sent %d bytes, want %d", p, got, want)
				}
			}
			if got, want := w.Transcript().Bytes(site), 8*c.siteEls+c.siteMore; got != want {
				t.Errorf("the site sent %d bytes, want %d", got, want)
			}
			for _, r := range w.Transcript() {
				if r.Length > 8*65536 {
					t.Errorf("%s: a frame of %d bytes", r.Step, r.Length)
				}
			}
		})
	}
}

// Rounds are counted on short vectors: the frames of a long one make a chain.
func TestRounds(t *testing.T) {
	x := ramp(5, 3)
	for _, c := range []struct {
		name   string
		rounds int
		op     func(s *mpc.Session, a rss.Vec)
	}{
		{"Mul", 1, func(s *mpc.Session, a rss.Vec) { rss.Mul(s.Step("op"), a, a) }},
		{"Dot", 1, func(s *mpc.Session, a rss.Vec) { rss.Dot(s.Step("op"), a, a) }},
		{"Open", 1, func(s *mpc.Session, a rss.Vec) { rss.Open(s.Step("op"), a) }},
		{"RevealTo", 1, func(s *mpc.Session, a rss.Vec) { rss.RevealTo(s.Step("op"), 1, 5, a) }},
		{"Input", 2, func(s *mpc.Session, a rss.Vec) { rss.Input(s.Step("op"), 2, 5, only(s, 2, x)) }},
		{"two products", 2, func(s *mpc.Session, a rss.Vec) {
			b := rss.Mul(s.Step("op", 0), a, a)
			rss.Mul(s.Step("op", 1), a, b)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := memnet.New(memnet.Config{Seed: 1})
			if err := w.Run(func(s *mpc.Session) error {
				c.op(s, rss.Public(s, x))
				return s.Err()
			}); err != nil {
				t.Fatal(err)
			}
			if got := w.Rounds(); got != c.rounds {
				t.Errorf("%d rounds, want %d", got, c.rounds)
			}
		})
	}
}

// Vectors of several frames, over a network that holds two frames a channel.
func TestLongVectors(t *testing.T) {
	x, y := ramp(long, 3), ramp(long, -5)
	cfg := four(2)
	cfg.Window = 2
	w := memnet.New(cfg)
	product := x.Mul(y)
	check := func(what string, got ring.Vec64) error {
		if len(got) != long {
			return fmt.Errorf("%s has %d elements", what, len(got))
		}
		for i := range got {
			if got[i] != product[i] {
				return fmt.Errorf("%s is wrong at %d", what, i)
			}
		}
		return nil
	}
	err := w.Run(func(s *mpc.Session) error {
		a := rss.Input(s.Step("x"), site, long, only(s, site, x))
		b := rss.Input(s.Step("y"), 2, long, only(s, 2, y))
		var c rss.Vec
		if s.Role() >= 0 {
			c = rss.Mul(s.Step("mul"), a, b)
			if err := check("opened", rss.Open(s.Step("all"), c)); err != nil {
				return err
			}
		}
		if got := rss.RevealTo(s.Step("site"), site, long, c); s.Self() == site {
			return check("revealed", got)
		} else if len(got) != 0 {
			return fmt.Errorf("%d elements came to a participant that is not the receiver", len(got))
		}
		return s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if peak := w.Peak(); peak.Frames > 2*4*3*3 {
		t.Errorf("%d frames waited at once", peak.Frames)
	}
}
