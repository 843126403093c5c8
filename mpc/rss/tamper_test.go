package rss_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

// hit returns hooks that do f to the one message of a record.
func hit(r memnet.Record, f func([]byte) ([]byte, bool)) memnet.Hooks {
	return memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		if m.Channel.Step == r.Step && m.From == r.From && m.To == r.To && m.Index == r.Index {
			return f(m.Frame)
		}
		return m.Frame, true
	}}
}

// Whatever happens to any single frame of everything, somebody notices, and
// nobody hangs. A changed product alone is not noticed by Mul, which is passive:
// it is when the two copies of a component meet in an opening.
func TestTamperedFrames(t *testing.T) {
	x, y := vectors(2, 3)
	for _, r := range record(t, 1, 2, 3) {
		for name, f := range map[string]func([]byte) ([]byte, bool){
			"first bit": func(b []byte) ([]byte, bool) { b[0] ^= 1; return b, true },
			"last bit":  func(b []byte) ([]byte, bool) { b[len(b)-1] ^= 0x80; return b, true },
			"cut":       func(b []byte) ([]byte, bool) { return b[:len(b)-1], true },
			"too long":  func(b []byte) ([]byte, bool) { return append(b, 0), true },
			"empty":     func(b []byte) ([]byte, bool) { return nil, true },
		} {
			cfg := four(1)
			cfg.Hooks = hit(r, f)
			w := memnet.New(cfg)
			err := w.Run(func(s *mpc.Session) error { return everything(s, x, y) })
			if err == nil {
				t.Errorf("%s %d>%d %s: not noticed", r.Step, r.From, r.To, name)
			} else if strings.Contains(err.Error(), "sends nothing for") {
				t.Errorf("%s %d>%d %s: noticed by a deadline only: %v", r.Step, r.From, r.To, name, err)
			}
			if name == "cut" && !strings.Contains(err.Error(), fmt.Sprintf("step %s: frame from p%d has %d bytes, want %d", r.Step, r.From, r.Length-1, r.Length)) {
				t.Errorf("%s %d>%d %s: the error names no cause: %v", r.Step, r.From, r.To, name, err)
			}
		}
	}
}

func TestDifferentSharesOfAnInput(t *testing.T) {
	x, y := vectors(2, 3)
	cfg := four(1)
	cfg.Hooks = hit(memnet.Record{Step: "input.0", From: site, To: 1, Index: 1},
		func(b []byte) ([]byte, bool) { b[3] ^= 4; return b, true })
	err := memnet.New(cfg).Run(func(s *mpc.Session) error { return everything(s, x, y) })
	if want := "step input.0/compare: the shares of p3 differ between p1 and p2"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLostFrames(t *testing.T) {
	x, y := vectors(2, 3)
	for _, r := range record(t, 1, 2, 3) {
		cfg := four(1)
		cfg.Timeout = 20 * time.Millisecond
		cfg.Hooks = hit(r, func([]byte) ([]byte, bool) { return nil, false })
		if err := memnet.New(cfg).Run(func(s *mpc.Session) error { return everything(s, x, y) }); err == nil {
			t.Errorf("%s %d>%d: loss not noticed", r.Step, r.From, r.To)
		}
	}
}

// Each participant in turn vanishes in each of three ways; every other one gets an error that names a step and the cause.
func TestVanishingParticipants(t *testing.T) {
	x, y := vectors(2, 3)
	errGone := errors.New("gone")
	for way, cause := range map[string]string{
		"returns":   "peer has ended the session",
		"cut off":   "cable pulled",
		"is silent": "sends nothing for 100ms",
	} {
		for who := range mpc.PartyID(4) {
			t.Run(fmt.Sprintf("p%d %s", who, way), func(t *testing.T) {
				cfg := four(1)
				if cfg.Timeout = time.Minute; way == "is silent" {
					cfg.Timeout = 100 * time.Millisecond
				}
				w := memnet.New(cfg)
				err := w.Run(func(s *mpc.Session) error {
					if s.Self() != who {
						return everything(s, x, y)
					}
					if way == "cut off" {
						for p := range mpc.PartyID(4) {
							if p != who {
								w.Cut(who, p, errors.New("cable pulled"))
							}
						}
					}
					if way != "returns" {
						<-s.Context().Done()
					}
					return errGone
				})
				if err == nil {
					t.Fatal("nobody noticed")
				}
				for p, err := range w.Errors() {
					if p == int(who) {
						continue
					}
					if err == nil || !strings.Contains(err.Error(), "step") || !strings.Contains(err.Error(), cause) {
						t.Errorf("p%d: %v; want a step and %q", p, err, cause)
					}
				}
			})
		}
	}
}

// A session whose context ends stops with the context's cause.
func TestCancelledContext(t *testing.T) {
	net := memnet.NewNetwork(3, 0, memnet.Hooks{})
	ctx, cancel := context.WithCancelCause(context.Background())
	s, err := mpc.NewSession(ctx, mpc.Config{
		Names: []string{"a", "b", "c"}, Compute: []mpc.PartyID{0, 1, 2}, Transport: net.Transport(0),
		Seeds:   mpc.Seeds{Own: mpc.Seed{1}, Pair: map[mpc.PartyID]mpc.Seed{1: {2}, 2: {3}}},
		Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cancel(errors.New("the job was cancelled"))
	if _, err := everythingAt(s); err == nil || !strings.Contains(err.Error(), "the job was cancelled") {
		t.Errorf("got %v", err)
	}
}
