package mpc_test

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/node/linktest"
	"consilium/testkit"
)

// value is what p has as its k-th payload of a sum.
func value(p mpc.PartyID, k, size int) []byte {
	var block []byte
	for i := range 128 {
		block = binary.LittleEndian.AppendUint64(block, uint64((int(p)+1)*(k+3)*(i+7)))
	}
	return bytes.Repeat(block, size/len(block)+1)[:size]
}

// total is the sum of everybody's value, in the field of two elements.
func total(members []mpc.PartyID, k, size int) []byte {
	sum := make([]byte, size)
	for _, p := range members {
		subtle.XORBytes(sum, sum, value(p, k, size))
	}
	return sum
}

// sum adds everybody's values up the tree, sends the sums down at the same step
// and returns what came: the sums, at every member.
func sum(s *mpc.Session, tree *mpc.Tree, sizes []int) [][]byte {
	sums := make([][]byte, len(sizes))
	at := func(k int) []byte {
		if sums[k] == nil {
			sums[k] = value(s.Self(), k, sizes[k])
		}
		return sums[k]
	}
	tree.Up(s, sizes, at, func(k int, frame []byte) error {
		subtle.XORBytes(at(k), at(k), frame)
		return nil
	})
	tree.Down(s, sizes, at, func(k int, frame []byte) error {
		sums[k] = bytes.Clone(frame)
		return nil
	})
	return sums
}

// allTogether is everything of this file that a healthy network does: a sum of
// several payloads, a list, an exchange and an echo.
func allTogether(s *mpc.Session, tree *mpc.Tree, sizes []int) error {
	sums := sum(s.Step("sum"), tree, sizes)
	mine := value(s.Self(), 99, 16)
	list := tree.Collect(s.Step("list"), mine)
	others := mpc.Exchange(s.Step("exchange"), tree.Members(), mine)
	mpc.Echo(s.Step("echo"), tree.Members(), []byte("the same digest"), "things")
	if s.Err() != nil {
		return s.Err()
	}
	for k, size := range sizes {
		if want := total(tree.Members(), k, size); !bytes.Equal(sums[k], want) {
			return fmt.Errorf("sum %d of %d bytes is not the sum", k, size)
		}
	}
	for i, p := range tree.Members() {
		want := value(p, 99, 16)
		if !bytes.Equal(list[i], want) {
			return fmt.Errorf("list has %x for %d, want %x", list[i], p, want)
		}
		if p != s.Self() && !bytes.Equal(others[p], want) {
			return fmt.Errorf("exchange has %x for %d, want %x", others[p], p, want)
		}
	}
	if len(others) != len(list)-1 {
		return fmt.Errorf("exchange with %d others", len(others))
	}
	return nil
}

// shapes are the trees that tests with a network try: all of the small ones, and
// for each further number of members those that differ most.
func shapes() map[int][]int {
	out := make(map[int][]int)
	for n := 1; n <= 9; n++ {
		for b := 1; b <= max(1, n-1); b++ {
			out[n] = append(out[n], b)
		}
	}
	for n := 10; n <= 30; n++ {
		out[n] = []int{2, n - 1}
	}
	out[64], out[96], out[100] = []int{2}, []int{10}, []int{1, 2, 3, 99}
	return out
}

func TestTreesOverANetwork(t *testing.T) {
	for n, branchings := range shapes() {
		for _, b := range branchings {
			tree := newTree(t, people(n), b)
			w := memnet.New(memnet.Config{N: n, Window: 2, Timeout: time.Minute})
			err := w.Run(func(s *mpc.Session) error { return allTogether(s, tree, []int{8, 0, 40}) })
			if err != nil {
				t.Fatalf("%d members, branching %d: %v", n, b, err)
			}
		}
	}
}

// TestLongPayloads sends what needs several frames, through a window of two.
func TestLongPayloads(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		sizes := []int{2*mpc.MaxFrame + 8, mpc.MaxFrame}
		for _, b := range []int{1, 3} {
			tree := newTree(t, people(4), b)
			w := worlds(memnet.Config{N: 4, Window: 2, Timeout: time.Minute})
			err := w.Run(func(s *mpc.Session) error {
				if err := allTogether(s, tree, sizes); err != nil {
					return err
				}
				own := value(s.Self(), 1, mpc.MaxFrame+8)
				list := tree.Collect(s.Step("long list"), own)
				others := mpc.Exchange(s.Step("long exchange"), tree.Members(), own)
				for i, p := range tree.Members() {
					if want := value(p, 1, len(own)); s.Err() == nil && (!bytes.Equal(list[i], want) || p != s.Self() && !bytes.Equal(others[p], want)) {
						return fmt.Errorf("payload of %d is not what it sent", p)
					}
				}
				return s.Err()
			})
			if err != nil {
				t.Errorf("branching %d: %v", b, err)
			}
		}
	})
}

// TestOnlySomeTakePart leaves out participants of the session.
func TestOnlySomeTakePart(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tree := newTree(t, []mpc.PartyID{4, 1, 3}, 1)
		err := worlds(memnet.Config{N: 6}).Run(func(s *mpc.Session) error {
			if !slices.Contains(tree.Members(), s.Self()) {
				return nil
			}
			return allTogether(s, tree, []int{24})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestTreeTranscript(t *testing.T) {
	w := memnet.New(memnet.Config{N: 7})
	run := func() string {
		err := w.Run(func(s *mpc.Session) error { return allTogether(s, newTree(t, people(7), 2), []int{16, 8}) })
		if err != nil {
			t.Fatal(err)
		}
		return w.Transcript().String()
	}
	first := run()
	testkit.Golden(t, "tree.golden", first)
	if run() != first {
		t.Error("two runs differ")
	}
}

// TestRoundsOfTrees: what a tree costs is its height, there and back.
func TestRoundsOfTrees(t *testing.T) {
	for _, c := range []struct{ branching, want int }{{14, 2}, {2, 6}, {1, 28}} {
		w := memnet.New(memnet.Config{N: 15})
		tree := newTree(t, people(15), c.branching)
		if err := w.Run(func(s *mpc.Session) error { tree.Collect(s.Step("list"), []byte("x")); return nil }); err != nil {
			t.Fatal(err)
		}
		if got := w.Rounds(); got != c.want {
			t.Errorf("branching %d: %d rounds, want %d", c.branching, got, c.want)
		}
	}
}

// everybodySays checks that all participants, or all but one, failed with a text.
func everybodySays(t *testing.T, w *memnet.World, but mpc.PartyID, want string) {
	t.Helper()
	for p, err := range w.Errors() {
		if mpc.PartyID(p) != but && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("p%d: got %v, want %q", p, err, want)
		}
	}
}

const nobody = mpc.PartyID(-1)

// A silent member is named by everybody, however many wait for those who wait
// for it, wherever it stands in the tree and in whatever it falls silent.
func TestASilentMemberIsNamed(t *testing.T) {
	for _, c := range []struct {
		branching, place int
		after            string
	}{
		{2, 14, "nothing"},
		{2, 5, "nothing"},
		{2, 0, "nothing"},
		{14, 3, "nothing"},
		{1, 14, "nothing"},
		{1, 7, "nothing"},
		{3, 2, "nothing"},
		{2, 14, "up"},
		{2, 5, "up"},
		{2, 0, "up"},
		{14, 3, "up"},
		{1, 7, "up"},
		{3, 2, "up"},
		{2, 14, "list"},
		{2, 5, "list"},
		{2, 0, "list"},
		{14, 3, "list"},
		{1, 7, "list"},
		{3, 2, "list"},
	} {
		synctest.Test(t, func(t *testing.T) {
			tree := newTree(t, people(15), c.branching)
			silent := tree.Members()[c.place]
			w := memnet.New(memnet.Config{N: 15, Window: 2, Timeout: time.Second})
			sizes := make([]int, 6)
			began := time.Now()
			err := w.Run(func(s *mpc.Session) error {
				quiet := func(stage string) bool {
					if s.Self() == silent && c.after == stage {
						<-s.Context().Done()
						return true
					}
					return false
				}
				if quiet("nothing") {
					return s.Err()
				}
				own := func(int) []byte { return nil }
				take := func(int, []byte) error { return nil }
				tree.Up(s.Step("sum"), sizes, own, take)
				if quiet("up") {
					return s.Err()
				}
				tree.Down(s.Step("sums"), sizes, own, take)
				tree.Collect(s.Step("list"), []byte("x"))
				if quiet("list") {
					return s.Err()
				}
				mpc.Echo(s.Step("echo"), tree.Members(), []byte("x"), "things")
				return s.Err()
			})
			if err == nil {
				t.Fatalf("%+v: it went well", c)
			}
			for p, err := range w.Errors() { // who waits to send notices, too
				receives, sends := fmt.Sprintf("from p%d: p%d sends nothing for ", silent, silent), fmt.Sprintf("to p%d: p%d takes nothing for ", silent, silent)
				if err == nil || !strings.Contains(err.Error(), receives) && !strings.Contains(err.Error(), sends) {
					t.Errorf("%+v: p%d does not name p%d: %v", c, p, silent, err)
				}
			}
			if took := time.Since(began); took > 2*time.Second+10*time.Millisecond {
				t.Errorf("%+v: it took %v, more than two timeouts", c, took)
			}
		})
	}
}

// A member that does not take what is sent to it is named, too.
func TestAMemberThatTakesNothingIsNamed(t *testing.T) { synctest.Test(t, takesNothing) }

func takesNothing(t *testing.T) {
	tree := newTree(t, people(7), 2)
	deaf := tree.Members()[5]
	w := memnet.New(memnet.Config{N: 7, Window: 2, Timeout: time.Second})
	_ = w.Run(func(s *mpc.Session) error {
		if s.Self() == deaf {
			<-s.Context().Done()
			return s.Err()
		}
		tree.Down(s.Step("list"), make([]int, 10), func(int) []byte { return nil }, func(int, []byte) error { return nil })
		return s.Err()
	})
	everybodySays(t, w, nobody, fmt.Sprintf("send to p%d: p%d takes nothing for ", deaf, deaf))
}

// Only memory has links that can be cut; over real ones the tests of node/peer and
// node/overlay kill a peer.
func TestADeadMemberIsNamed(t *testing.T) { synctest.Test(t, dies) }

func dies(t *testing.T) {
	tree := newTree(t, people(7), 2)
	dead := tree.Members()[6]
	w := memnet.New(memnet.Config{N: 7, Timeout: 20 * time.Second})
	began := time.Now()
	_ = w.Run(func(s *mpc.Session) error {
		if s.Self() == dead {
			for p := range s.N() {
				if mpc.PartyID(p) != dead {
					w.Cut(dead, mpc.PartyID(p), errors.New("connection reset"))
				}
			}
			return errors.New("dead")
		}
		return allTogether(s, tree, []int{8})
	})
	everybodySays(t, w, dead, fmt.Sprintf(" p%d: connection reset", dead))
	if took := time.Since(began); took > 0 {
		t.Errorf("it took %v to see that p%d is lost", took, dead)
	}
}

func TestFramesOfAWrongLengthAreRefused(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tree := newTree(t, people(7), 2)
		liar, parent := tree.Members()[4], tree.Members()[1]
		for step, want := range map[string]string{
			"sum":      fmt.Sprintf("p%d, step sum: frame from p%d has 9 bytes, want 8", parent, liar),
			"list":     fmt.Sprintf("p%d, step list: frame from p%d has 17 bytes, want 16", parent, liar),
			"exchange": fmt.Sprintf("step exchange: frame from p%d has 17 bytes, want 16", liar),
			"echo":     fmt.Sprintf("step echo: frame from p%d has 16 bytes, want 15", liar),
		} {
			w := worlds(memnet.Config{N: 7, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
				if m.From == liar && m.Channel.Step == step {
					return append(m.Frame, 0), true
				}
				return m.Frame, true
			}}})
			if err := w.Run(func(s *mpc.Session) error { return allTogether(s, tree, []int{8}) }); err == nil {
				t.Fatalf("%s: a frame of a wrong length passed", step)
			}
			everybodySays(t, w, liar, want)
		}
	})
}

// TestWhatIsPassedOnMayBeChanged and is noticed: by who finds another entry for
// itself in a list, and by everybody at an echo.
func TestWhatIsPassedOnMayBeChanged(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tree := newTree(t, people(7), 2)
		relay, child := tree.Members()[1], tree.Members()[3]
		change := func(place int) memnet.Hooks {
			return memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
				if m.From == relay && m.To == child && m.Channel.Step == "list" {
					m.Frame[place]++
				}
				return m.Frame, true
			}}
		}
		collectAndEcho := func(s *mpc.Session) error {
			list := tree.Collect(s.Step("list"), []byte{byte(s.Self())})
			mpc.Echo(s.Step("echo"), tree.Members(), bytes.Join(list, nil), "names")
			return s.Err()
		}
		w := worlds(memnet.Config{N: 7, Hooks: change(3)})
		_ = w.Run(collectAndEcho)
		everybodySays(t, w, nobody, fmt.Sprintf("payload 1 of 1 from p%d: the list has something else for p%d than it sent", relay, child))
		w = worlds(memnet.Config{N: 7, Hooks: change(2)})
		_ = w.Run(collectAndEcho)
		everybodySays(t, w, nobody, "has seen other names than p")
	})
}

func TestEchoNamesWhoDiffers(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		w := worlds(memnet.Config{N: 4})
		_ = w.Run(func(s *mpc.Session) error {
			digest := []byte("one")
			if s.Self() == 2 {
				digest = []byte("two")
			}
			if mpc.Echo(s.Step("echo"), people(4), digest, "keys") {
				t.Errorf("%s saw no difference", s.Name(s.Self()))
			}
			return s.Err()
		})
		everybodySays(t, w, nobody, "has seen other keys than ")
		everybodySays(t, w, nobody, "p2")
	})
}

func TestErrorsOfCallbacksNameTheSender(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tree := newTree(t, people(3), 1) // 2, 1, 0
		broken := errors.New("coefficient 5 is not reduced")
		none := func(int) []byte { return nil }
		for want, carry := range map[string]func(s *mpc.Session, take func(int, []byte) error){
			"p1, step sum: payload 1 of 2 from p0: ": func(s *mpc.Session, take func(int, []byte) error) { tree.Up(s, []int{0, 0}, none, take) },
			"p1, step sum: payload 1 of 2 from p2: ": func(s *mpc.Session, take func(int, []byte) error) { tree.Down(s, []int{0, 0}, none, take) },
		} {
			w := worlds(memnet.Config{N: 3})
			_ = w.Run(func(s *mpc.Session) error {
				carry(s.Step("sum"), func(int, []byte) error {
					if s.Self() == 1 { // alone, or another's abort may be here before
						return broken
					}
					return nil
				})
				return s.Err()
			})
			if err := w.Errors()[1]; !errors.Is(err, broken) || err.Error() != want+broken.Error() {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	})
}

func TestTreesEndWithTheirContext(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tree := newTree(t, people(5), 2)
		w := worlds(memnet.Config{N: 5, Timeout: time.Minute})
		_ = w.Run(func(s *mpc.Session) error {
			if s.Self() == 0 { // a leaf
				s.Fail(errors.New("job withdrawn"))
				return s.Err()
			}
			if list := tree.Collect(s.Step("list"), []byte("x")); list != nil {
				t.Errorf("%s has a list", s.Name(s.Self()))
			}
			return s.Err()
		})
		everybodySays(t, w, nobody, "job withdrawn")
	})
}

// What no protocol may do is an error of the session, and nothing is sent.
func TestMisuseOfTrees(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tree := newTree(t, people(2), 1)
		one := func(int) []byte { return []byte("1") }
		take := func(int, []byte) error { return nil }
		for want, use := range map[string]func(*mpc.Session){
			"is not a member of the tree":           func(s *mpc.Session) { newTree(t, []mpc.PartyID{1 - s.Self()}, 1).Up(s, nil, one, take) },
			"is not a member of the exchange":       func(s *mpc.Session) { mpc.Exchange(s, []mpc.PartyID{1 - s.Self()}, nil) },
			"participant 5 is not in the session":   func(s *mpc.Session) { newTree(t, []mpc.PartyID{0, 1, 5}, 1).Collect(s, nil) },
			"participant 1 is not in the session":   func(s *mpc.Session) { mpc.Exchange(s, []mpc.PartyID{0, 1, 1}, nil) },
			"has 1 bytes, want 2":                   func(s *mpc.Session) { tree.Up(s, []int{2}, one, take); tree.Down(s, []int{2}, one, take) },
			"channel up":                            func(s *mpc.Session) { tree.Up(s, nil, one, take); s.Claim("channel up") },
			"payload for p1 has 1 bytes, want 3":    func(s *mpc.Session) { newTree(t, []mpc.PartyID{0, 1}, 1).Down(s, []int{3}, one, take) },
			"payload for p0 has 1 bytes, want 1048": func(s *mpc.Session) { newTree(t, []mpc.PartyID{0, 1}, 1).Up(s, []int{1048}, one, take) },
		} {
			w := worlds(memnet.Config{N: 2, Timeout: time.Second})
			func() {
				defer func() {
					if v := recover(); v != nil && !strings.Contains(fmt.Sprint(v), want) {
						t.Errorf("%s: panic %v", want, v)
					}
				}()
				if err := w.Run(func(s *mpc.Session) error { use(s.Step("misuse")); return s.Err() }); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}()
		}
	})
}
