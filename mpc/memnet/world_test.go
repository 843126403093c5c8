package memnet_test

import (
	"errors"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

// ring passes a byte of own coins around and returns what came.
func around(s *mpc.Session) (byte, error) {
	s = s.Step("around")
	var b [1]byte
	s.OwnCoins().Fill(b[:])
	n := s.N()
	s.Send(mpc.PartyID((int(s.Self())+1)%n), b[:])
	got := s.Recv(mpc.PartyID((int(s.Self())+n-1)%n), 1)
	if got == nil {
		return 0, s.Err()
	}
	return got[0], nil
}

func TestRunsAreRepeatable(t *testing.T) {
	outputs := func(seed uint64) ([]byte, string) {
		w := memnet.New(memnet.Config{N: 5, Seed: seed})
		out, err := memnet.Collect(w, around)
		if err != nil {
			t.Fatal(err)
		}
		return out, w.Transcript().String()
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	a, ta := outputs(1)
	runtime.GOMAXPROCS(8)
	b, tb := outputs(1)
	if !slices.Equal(a, b) || ta != tb {
		t.Errorf("one seed gave %v and %v", a, b)
	}
	if _, tc := outputs(2); ta == tc {
		t.Error("two seeds gave one transcript")
	}
}

func TestRunsOfOneWorldDiffer(t *testing.T) {
	w := memnet.New(memnet.Config{})
	var ids []mpc.SessionID
	var transcripts []string
	for range 2 {
		if err := w.Run(func(s *mpc.Session) error {
			if s.Self() == 0 {
				ids = append(ids, s.ID())
			}
			_, err := around(s)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		transcripts = append(transcripts, w.Transcript().String())
	}
	if ids[0] == ids[1] || transcripts[0] == transcripts[1] {
		t.Error("the second run repeats the first")
	}
}

func TestOnlyPartiesSharePairSeeds(t *testing.T) {
	w := memnet.New(memnet.Config{N: 4, Compute: []mpc.PartyID{3, 1, 0}})
	pairs, err := memnet.Collect(w, func(s *mpc.Session) (map[mpc.PartyID][16]byte, error) {
		coins := make(map[mpc.PartyID][16]byte)
		for _, p := range s.Compute() {
			if s.Role() >= 0 && p != s.Self() {
				var b [16]byte
				s.Step("pair").PairCoins(p).Fill(b[:])
				coins[p] = b
			}
		}
		return coins, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pairs[0][1] != pairs[1][0] || pairs[0][3] != pairs[3][0] || pairs[1][3] != pairs[3][1] {
		t.Error("two parties have different coins")
	}
	if pairs[0][1] == pairs[0][3] || pairs[0][1] == pairs[1][3] {
		t.Error("two pairs have the same coins")
	}
	err = w.Run(func(s *mpc.Session) error {
		if s.Self() == 2 {
			s.Step("pair").PairCoins(0)
		}
		return s.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "p2, step pair: no shared seed with p0") {
		t.Errorf("a site has pair coins: %v", err)
	}
}

func TestRunReports(t *testing.T) {
	errOwn := errors.New("my own reason")
	for name, c := range map[string]struct {
		fn   func(s *mpc.Session) error
		want string
	}{
		"an error": {func(s *mpc.Session) error {
			if s.Self() == 1 {
				return errOwn
			}
			return nil
		}, "p1: my own reason"},
		"a session's error that fn does not return": {func(s *mpc.Session) error {
			s.Step("x").Fail(errOwn)
			return nil
		}, "step x: my own reason"},
		"a frame that nobody reads": {func(s *mpc.Session) error {
			if s.Self() == 2 {
				s.Step("x").Send(0, []byte("1"))
			}
			return nil
		}, "frames that nobody read: 1 of step x from 2 to 0"},
		"a goroutine that ends": {func(*mpc.Session) error {
			runtime.Goexit()
			return nil
		}, "ended its goroutine instead of returning"},
		"nothing, when a goroutine ends with its session": {func(s *mpc.Session) error {
			go func() { <-s.Context().Done() }()
			return nil
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := memnet.New(memnet.Config{}).Run(c.fn)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRunFindsGoroutinesLeft(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	done := make(chan error)
	go func() {
		done <- memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
			if s.Self() == 0 {
				go forgotten(stop)
			}
			return nil
		})
	}()
	err := <-done
	if err == nil || !strings.Contains(err.Error(), "goroutine left by the run") || !strings.Contains(err.Error(), "forgotten") {
		t.Errorf("got %v", err)
	}
}

func forgotten(stop <-chan struct{}) { <-stop }

func TestRunPanics(t *testing.T) {
	for name, c := range map[string]struct {
		fn   func(s *mpc.Session) error
		want string
	}{
		"when fn does": {func(s *mpc.Session) error {
			if s.Self() == 1 {
				panic("out of range")
			}
			<-s.Context().Done()
			return s.Err()
		}, "memnet: panic at p1: out of range"},
		"on a step used twice": {func(s *mpc.Session) error {
			s.Step("x").OwnCoins()
			s.Step("x").OwnCoins()
			return nil
		}, "step x: step used twice: own coins"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text := ""
				switch v := recover().(type) {
				case string:
					text = v
				case error:
					text = v.Error()
				}
				if !strings.Contains(text, c.want) {
					t.Errorf("got %q, want %q", text, c.want)
				}
			}()
			_ = memnet.New(memnet.Config{}).Run(c.fn)
		})
	}
}

func TestCutWithinARun(t *testing.T) {
	w := memnet.New(memnet.Config{N: 4, Timeout: time.Minute})
	err := w.Run(func(s *mpc.Session) error {
		if s.Self() == 0 {
			w.Cut(0, 3, errors.New("cable pulled"))
		}
		s.Step("wait").Recv((s.Self()+1)%4, 1)
		return s.Err()
	})
	if err == nil {
		t.Fatal("nobody noticed")
	}
	for p, err := range w.Errors() {
		if err == nil || !strings.Contains(err.Error(), "cable pulled") {
			t.Errorf("p%d: %v", p, err)
		}
	}
}

func TestNamesOfParticipants(t *testing.T) {
	w := memnet.New(memnet.Config{Names: []string{"a", "b", "c", "d"}})
	names, err := memnet.Collect(w, func(s *mpc.Session) (string, error) { return s.Name(s.Self()), nil })
	if err != nil || strings.Join(names, "") != "abcd" {
		t.Errorf("%v, %v", names, err)
	}
}

// The harness serves simulations too: it must not drag the testing package in.
func TestDoesNotImportTesting(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(strings.Fields(string(out)), "testing") {
		t.Error("memnet depends on testing")
	}
}
