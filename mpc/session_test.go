package mpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// solo starts a session of participant 0 among n on a network, whose other ends
// the test plays itself.
func solo(t *testing.T, net *memnet.Network, n int, timeout time.Duration) *mpc.Session {
	t.Helper()
	names := []string{"a", "b", "c", "d"}[:n]
	s, err := mpc.NewSession(t.Context(), mpc.Config{
		Names: names, Transport: net.Transport(0), Timeout: timeout,
		Seeds: mpc.Seeds{Own: mpc.Seed{1}, Pair: map[mpc.PartyID]mpc.Seed{1: {2}, 2: {3}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// wantErr checks a session's error.
func wantErr(t *testing.T, s *mpc.Session, want string) {
	t.Helper()
	if err := s.Err(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestConfigIsChecked(t *testing.T) {
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	good := mpc.Config{
		Names: []string{"a", "b"}, Compute: []mpc.PartyID{0, 1}, Transport: net.Transport(0), Timeout: time.Second,
		Seeds: mpc.Seeds{Own: mpc.Seed{1}, Pair: map[mpc.PartyID]mpc.Seed{1: {2}}},
	}
	for want, change := range map[string]func(*mpc.Config){
		"self is 2 of 2":                   func(c *mpc.Config) { c.Self = 2 },
		"self is -1 of 2":                  func(c *mpc.Config) { c.Self = -1 },
		"no transport":                     func(c *mpc.Config) { c.Transport = nil },
		"no timeout":                       func(c *mpc.Config) { c.Timeout = 0 },
		"compute party 2 of 2":             func(c *mpc.Config) { c.Compute = []mpc.PartyID{0, 2} },
		"b is a compute party twice":       func(c *mpc.Config) { c.Compute = []mpc.PartyID{1, 0, 1} },
		"own seed is zero":                 func(c *mpc.Config) { c.Seeds.Own = mpc.Seed{} },
		"shared with participant 1 is zer": func(c *mpc.Config) { c.Seeds.Pair = map[mpc.PartyID]mpc.Seed{1: {}} },
	} {
		c := good
		change(&c)
		if s, err := mpc.NewSession(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v; want %q", s, err, want)
		}
	}
	s, err := mpc.NewSession(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := s.Err(); err == nil || err.Error() != "the session is closed" {
		t.Errorf("after Close: %v", err)
	}
}

func TestSteps(t *testing.T) {
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	var heard []string
	s, err := mpc.NewSession(t.Context(), mpc.Config{
		ID: mpc.SessionID{0xab}, Self: 1, Names: []string{"a", "b"}, Compute: []mpc.PartyID{1}, Transport: net.Transport(1),
		Timeout: time.Second, Seeds: mpc.Seeds{Own: mpc.Seed{1}}, Progress: func(step string) { heard = append(heard, step) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	deep := s.Step("fit").Step("round", 3, 1).Step("abort")
	if got, want := deep.Path(), "fit/round.3.1/abort"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(heard), "[fit fit/round.3.1 fit/round.3.1/abort]"; got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
	if s.Path() != "" || s.Role() != 0 || s.N() != 2 || s.Self() != 1 || s.Name(0) != "a" || s.ID().String() != "ab00000000000000" {
		t.Errorf("%q %d %d %d %s %v", s.Path(), s.Role(), s.N(), s.Self(), s.Name(0), s.ID())
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

func TestStepNames(t *testing.T) {
	for name, want := range map[string]string{
		"":      `a: "" cannot name a step`,
		"a/b":   `a, step a/b: "a/b" cannot name a step`,
		"abort": "a, step abort: the session keeps this name for itself",
		"agree": "a, step agree: the session keeps this name for itself",
	} {
		s := solo(t, memnet.NewNetwork(2, 0, memnet.Hooks{}), 2, time.Second)
		s.Step(name)
		wantErr(t, s, want)
	}
}

func TestClaim(t *testing.T) {
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	s := solo(t, net, 2, time.Second)
	if !s.Step("x").Claim("channel") || !s.Step("x").Claim("coins") || !s.Step("x", 1).Claim("channel") {
		t.Error("a first claim is refused")
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	if s.Step("x").Claim("channel") {
		t.Error("a second claim is granted")
	}
	if !errors.Is(s.Err(), mpc.ErrStepReused) {
		t.Errorf("got %v", s.Err())
	}
	wantErr(t, s, "a, step x: step used twice: channel")
}

// One session never ends another: the same step in two sessions is no reuse.
func TestClaimsAreOfOneSession(t *testing.T) {
	one := solo(t, memnet.NewNetwork(2, 0, memnet.Hooks{}), 2, time.Second)
	two := solo(t, memnet.NewNetwork(2, 0, memnet.Hooks{}), 2, time.Second)
	one.Step("x").OwnCoins()
	one.Step("x").OwnCoins()
	two.Step("x").OwnCoins()
	if one.Err() == nil || two.Err() != nil {
		t.Errorf("%v, %v", one.Err(), two.Err())
	}
}

func TestFrameLengths(t *testing.T) {
	for name, c := range map[string]struct {
		length int
		recv   func(s *mpc.Session) []byte
		want   string
	}{
		"cut":      {3, func(s *mpc.Session) []byte { return s.Recv(1, 4) }, "a, step x: frame from b has 3 bytes, want 4"},
		"too long": {5, func(s *mpc.Session) []byte { return s.Recv(1, 4) }, "a, step x: frame from b has 5 bytes, want 4"},
		"exact":    {4, func(s *mpc.Session) []byte { return s.Recv(1, 4) }, ""},
		"empty":    {0, func(s *mpc.Session) []byte { return s.Recv(1, 0) }, ""},
		"at most":  {4, func(s *mpc.Session) []byte { return s.RecvAtMost(1, 4) }, ""},
		"above":    {5, func(s *mpc.Session) []byte { return s.RecvAtMost(1, 4) }, "a, step x: frame from b has 5 bytes, want at most 4"},
	} {
		t.Run(name, func(t *testing.T) {
			net := memnet.NewNetwork(2, 0, memnet.Hooks{})
			s := solo(t, net, 2, time.Minute)
			if err := net.Transport(1).Send(t.Context(), 0, mpc.Channel{Step: "x"}, make([]byte, c.length)); err != nil {
				t.Fatal(err)
			}
			got := c.recv(s.Step("x"))
			if c.want != "" {
				wantErr(t, s, c.want)
				if got != nil {
					t.Errorf("a refused frame comes through: %x", got)
				}
			} else if s.Err() != nil || got == nil || len(got) != c.length {
				t.Errorf("%x, %v", got, s.Err())
			}
		})
	}
	s := solo(t, memnet.NewNetwork(2, 0, memnet.Hooks{}), 2, time.Minute)
	s.Step("x").Send(1, make([]byte, mpc.MaxFrame+1))
	wantErr(t, s, "a, step x: frame to b has 4194305 bytes, at most 4194304 travel in one")
}

func TestDeadlines(t *testing.T) {
	s := solo(t, memnet.NewNetwork(2, 0, memnet.Hooks{}), 2, time.Millisecond)
	if got := s.Step("x").Recv(1, 1); got != nil {
		t.Errorf("got %x", got)
	}
	wantErr(t, s, "a, step x: receive from b: b sends nothing for 1ms")

	s = solo(t, memnet.NewNetwork(2, 1, memnet.Hooks{}), 2, time.Millisecond)
	x := s.Step("x")
	x.Send(1, nil)
	x.Send(1, nil)
	wantErr(t, s, "a, step x: send to b: b takes nothing for 1ms")
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	s, err := mpc.NewSession(ctx, mpc.Config{
		Names: []string{"a", "b"}, Transport: net.Transport(0),
		Timeout: time.Minute, Seeds: mpc.Seeds{Own: mpc.Seed{1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	done := make(chan struct{})
	go func() { s.Step("x").Recv(1, 1); close(done) }()
	cancel(errors.New("the job was cancelled"))
	<-done
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "the job was cancelled") {
		t.Errorf("got %v", err)
	}
	<-s.Context().Done()
}

func TestAbortReachesAll(t *testing.T) {
	w := memnet.New(memnet.Config{N: 5, Timeout: time.Minute})
	err := w.Run(func(s *mpc.Session) error {
		if s.Self() == 3 {
			s.Step("fit", 2).Fail(errors.New("it does not fit"))
			s.Step("late").Fail(errors.New("a later error is dropped"))
			return s.Err()
		}
		s.Step("elsewhere").Recv((s.Self()+1)%5, 1)
		return s.Err()
	})
	if err == nil || strings.Contains(err.Error(), "dropped") {
		t.Error(err)
	}
	for p, err := range w.Errors() {
		if err == nil || !strings.HasSuffix(err.Error(), "p3, step fit.2: it does not fit") {
			t.Errorf("p%d: %v", p, err)
		}
	}
}

// With the abort lost on the way to one, it hears the cause from another.
func TestAbortIsPassedOn(t *testing.T) {
	w := memnet.New(memnet.Config{Timeout: time.Minute, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		return m.Frame, !(m.From == 0 && m.To == 2)
	}}})
	_ = w.Run(func(s *mpc.Session) error {
		if s.Self() == 0 {
			s.Step("fit").Fail(errors.New("it does not fit"))
		}
		<-s.Context().Done()
		return s.Err()
	})
	if err := w.Errors()[2]; err == nil || err.Error() != "p1 aborted: p0, step fit: it does not fit" {
		t.Error(err)
	}
}

// A peer's own words win over "peer has ended the session".
func TestAbortBeforeTheEnd(t *testing.T) {
	for range 200 {
		net := memnet.NewNetwork(2, 0, memnet.Hooks{})
		if err := net.Transport(1).Send(t.Context(), 0, mpc.Channel{Step: "abort"}, []byte("b, step y: cause")); err != nil {
			t.Fatal(err)
		}
		net.End(1, mpc.SessionID{})
		s := solo(t, net, 2, time.Minute)
		s.Step("x").Recv(1, 1)
		wantErr(t, s, "b aborted: b, step y: cause")
	}
}

func TestAbortText(t *testing.T) {
	const dirty = "line\nred\x1b[31m caf\u00e9 \x7f\x00"
	for sent, want := range map[string]string{
		dirty:                    "b aborted: line?red?[31m caf?? ??",
		strings.Repeat("x", 999): "b aborted: " + strings.Repeat("x", 400),
		"":                       "b aborted: ",
	} {
		net := memnet.NewNetwork(2, 0, memnet.Hooks{})
		s := solo(t, net, 2, time.Minute)
		if err := net.Transport(1).Send(t.Context(), 0, mpc.Channel{Step: "abort"}, []byte(sent)); err != nil {
			t.Fatal(err)
		}
		<-s.Context().Done()
		wantErr(t, s, want)
	}
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	solo(t, net, 2, time.Minute).Step("x").Fail(errors.New(strings.Repeat("y", 999)))
	if got, err := net.Transport(1).Recv(t.Context(), 0, mpc.Channel{Step: "abort"}); err != nil || len(got) != 400 {
		t.Errorf("an abort frame of %d bytes, %v", len(got), err)
	}
}

func TestLostLink(t *testing.T) {
	net := memnet.NewNetwork(3, 0, memnet.Hooks{})
	s := solo(t, net, 3, time.Minute)
	s.Step("fit").Step("round", 2)
	net.Cut(0, 1, errors.New("cable pulled"))
	<-s.Context().Done()
	wantErr(t, s, "a, step fit/round.2: link to b: cable pulled")
	if got, err := net.Transport(2).Recv(t.Context(), 0, mpc.Channel{Step: "abort"}); err != nil || string(got) != s.Err().Error() {
		t.Errorf("c hears %q, %v", got, err)
	}
}

func TestLostLinkBeforeTheFirstStep(t *testing.T) {
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	net.Cut(0, 1, errors.New("cable pulled"))
	s := solo(t, net, 2, time.Minute)
	<-s.Context().Done()
	wantErr(t, s, "a, before the first step: link to b: cable pulled")
}

func TestNothingIsSentAfterAFailure(t *testing.T) {
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	s := solo(t, net, 2, time.Minute)
	s.Step("x").Fail(errors.New("cause"))
	s.Step("y").Send(1, []byte("secret"))
	if got := net.Transcript().Shape(); got != "abort 0>1 16\n" {
		t.Errorf("sent:\n%s", got)
	}
}

func TestCoinsOfSteps(t *testing.T) {
	s := solo(t, memnet.NewNetwork(3, 0, memnet.Hooks{}), 3, time.Minute)
	seen := make(map[[16]byte]bool)
	for _, c := range []*mpc.Coins{
		s.Step("a").OwnCoins(), s.Step("b").OwnCoins(), s.Step("a").Step("b").OwnCoins(),
		s.Step("a").PairCoins(1), s.Step("a").PairCoins(2), s.Step("b").PairCoins(1),
		s.Step("a").ExpandSeed(mpc.Seed{1}), s.Step("a").ExpandSeed(mpc.Seed{2}), s.Step("b").ExpandSeed(mpc.Seed{1}),
	} {
		var b [16]byte
		c.Fill(b[:])
		seen[b] = true
	}
	if len(seen) != 9 || s.Err() != nil {
		t.Errorf("%d of 9 streams differ, %v", len(seen), s.Err())
	}
	s.Step("a").PairCoins(1)
	if !errors.Is(s.Err(), mpc.ErrStepReused) {
		t.Errorf("got %v", s.Err())
	}
}

func TestSecretsPrintRedacted(t *testing.T) {
	seed := mpc.Seed([]byte(strings.Repeat("k", mpc.SeedSize)))
	seeds := mpc.Seeds{Own: seed, Pair: map[mpc.PartyID]mpc.Seed{1: seed}}
	agreement := mpc.Agreement{ID: mpc.SessionID{1}, Key: seed[:]}
	noTime := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // its digits could look like a seed's
		}
		return a
	}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%X", "%s", "%q", "%b"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+" "+verb+"\n", seed, seeds, &seeds, agreement)
	}
	fmt.Fprintln(&out, seed.String(), seed.GoString())
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, noTime), slog.NewJSONHandler(&out, noTime)} {
		slog.New(h).Info("start", "seed", seed, "seeds", seeds, "agreement", agreement)
	}
	if err := json.NewEncoder(&out).Encode(seeds); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"kkk", "107", "6b6b", "6B6B", "1101011", "a2tra"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is printed in\n%s", secret, out.String())
		}
	}
	if got, want := strings.Count(out.String(), "redacted"), 9*5+2+2*3+2; got != want {
		t.Errorf("redacted %d times, want %d:\n%s", got, want, out.String())
	}
}
