package mhe_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/linktest"
)

// ward is a session's worth of sites and their vectors.
type ward struct {
	worlds    linktest.Worlds
	layout    *mhe.Layout
	branching int
	treeOnly  bool
	vectors   [][]*big.Int // by site
	hooks     memnet.Hooks
	timeout   time.Duration // 0: memnet's own
}

// run sums the vectors and returns what every site has.
func (w ward) run() ([]mhe.Part, *memnet.World, error) {
	world := w.worlds(memnet.Config{N: w.layout.Sites, Compute: []mpc.PartyID{}, Hooks: w.hooks, Timeout: w.timeout, Window: 2})
	members := make([]mpc.PartyID, w.layout.Sites)
	for i := range members {
		members[i] = mpc.PartyID((i + 1) % len(members)) // the root is not participant 0
	}
	tree, err := mpc.NewTree(members, w.branching)
	if err != nil {
		return nil, nil, err
	}
	parts, err := memnet.Collect(world, func(s *mpc.Session) (mhe.Part, error) {
		return mhe.RevealSum(s, w.layout, mhe.Options{Tree: tree, TreeOnly: w.treeOnly}, w.vectors[s.Self()]), nil
	})
	return parts, world, err
}

// open is what the recipient does with them.
func (w ward) open(parts []mhe.Part) ([]*big.Int, error) {
	return w.layout.Open(together(parts))
}

// together is what the recipient gets of all parts that there are.
func together(parts []mhe.Part) (total []byte, seeds [][]byte) {
	for _, p := range parts {
		if p.Seed != nil {
			seeds = append(seeds, p.Seed)
		}
		if p.Total != nil {
			total = p.Total
		}
	}
	return total, seeds
}

// layout returns a layout or fails the test.
func layout(t testing.TB, values, bits, sites int) *mhe.Layout {
	t.Helper()
	l, err := mhe.NewLayout(values, bits, sites)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// vectors returns vectors whose sums reach the layout's bounds on both sides, and
// values in between, and the sums.
func vectors(l *mhe.Layout) (own [][]*big.Int, sums []*big.Int) {
	bound := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(l.Bits)), big.NewInt(1))
	own, sums = make([][]*big.Int, l.Sites), make([]*big.Int, l.Values)
	for v := range sums {
		sums[v] = new(big.Int)
		left := new(big.Int).Set(bound) // what the sites may still add in absolute value
		for i := range own {
			x := new(big.Int)
			switch v % 4 {
			case 0, 1: // to the bound exactly
				x.Quo(bound, big.NewInt(int64(l.Sites)))
				if i == l.Sites-1 {
					x.Set(left)
				}
			case 2:
				x.Mod(big.NewInt(int64(v)*7919*int64(i+1)), big.NewInt(1000))
				x.And(x, bound)
				x.Quo(x, big.NewInt(int64(l.Sites)))
			case 3: // cancels
				x.Rsh(bound, 3)
				if i%2 == 1 {
					x.Neg(x)
				}
				if i >= 6 {
					x.SetInt64(0)
				}
			}
			left.Sub(left, x)
			if v%4 == 1 {
				x.Neg(x)
				left.Add(left, new(big.Int))
			}
			own[i] = append(own[i], x)
			sums[v].Add(sums[v], x)
		}
	}
	return own, sums
}

func equal(t testing.TB, got, want []*big.Int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d sums, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Cmp(want[i]) != 0 {
			t.Fatalf("sum %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestSums(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		for _, c := range []struct{ values, bits, sites, branching int }{
			{1, 1, 2, 1}, {2, 1, 2, 1}, {17, 1, 2, 1}, {9, 17, 3, 2}, {8192*3 + 1, 15, 3, 2}, {7, 24, 5, 2}, {7, 25, 5, 2}, {8192, 51, 2, 1}, {8193, 52, 3, 1}, {100, 103, 5, 2}, {100, 126, 5, 4}, {20, 62, 12, 3},
		} {
			t.Run(fmt.Sprintf("%d of %d bits over %d", c.values, c.bits, c.sites), func(t *testing.T) {
				l := layout(t, c.values, c.bits, c.sites)
				t.Log(l)
				own, want := vectors(l)
				ward{worlds: worlds, layout: l, branching: c.branching, vectors: own}.checked(t, want)
			})
		}
	})
}

// checked sums the ward and wants the sums.
func (w ward) checked(t *testing.T, want []*big.Int) ([]mhe.Part, *memnet.World) {
	t.Helper()
	parts, world, err := w.run()
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.open(parts)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
	return parts, world
}

func TestSumsDoNotDependOnTheTree(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		l := layout(t, 300, 70, 7)
		own, want := vectors(l)
		for _, treeOnly := range []bool{false, true} {
			for _, branching := range []int{1, 2, 3, 6} {
				t.Run(fmt.Sprintf("branching %d, tree only %v", branching, treeOnly), func(t *testing.T) {
					w := ward{worlds: worlds, layout: l, branching: branching, treeOnly: treeOnly, vectors: own}
					parts, _ := w.checked(t, want)
					totals := 0
					for _, p := range parts {
						if p.Digest != parts[0].Digest || len(p.Seed) != mhe.SeedSize {
							t.Error("parts do not belong together")
						}
						if p.Total != nil {
							totals++
						}
					}
					if totals != 1 || len(parts[1].Total) != l.TotalSize() {
						t.Errorf("%d totals, the root's of %d bytes", totals, len(parts[1].Total))
					}
				})
			}
		}
	})
}

// A vector that does not fit one frame from each site to each.
func TestSumsOfManyFrames(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		l := layout(t, 33*8192+5, 40, 2)
		own, want := vectors(l)
		ward{worlds: worlds, layout: l, branching: 1, vectors: own}.checked(t, want)
	})
}

func TestTranscriptDoesNotDependOnTheData(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		l := layout(t, 50, 60, 5)
		bounds, _ := vectors(l)
		zero := make([][]*big.Int, l.Sites)
		for i := range zero {
			for range l.Values {
				zero[i] = append(zero[i], new(big.Int))
			}
		}
		for _, treeOnly := range []bool{false, true} {
			var shapes []string
			for _, own := range [][][]*big.Int{bounds, zero} {
				_, world, err := ward{worlds: worlds, layout: l, branching: 2, treeOnly: treeOnly, vectors: own}.run()
				if err != nil {
					t.Fatal(err)
				}
				if opened := world.Transcript().Openings(); len(opened) > 0 {
					t.Errorf("steps %v open something", opened)
				}
				shapes = append(shapes, world.Transcript().Shape())
			}
			if shapes[0] != shapes[1] {
				t.Errorf("tree only %v: the shape depends on the data:\n%s\n%s", treeOnly, shapes[0], shapes[1])
			}
		}
	})
}

func TestValuesOutsideTheLayoutAreRefused(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		l := layout(t, 2, 10, 3)
		one := big.NewInt(1)
		for name, own := range map[string][]*big.Int{
			"too large": {one, big.NewInt(1024)}, "too small": {one, big.NewInt(-1024)},
			"too few": {one}, "too many": {one, one, one}, "nil": {one, nil},
		} {
			t.Run(name, func(t *testing.T) {
				good := []*big.Int{one, big.NewInt(-1023)}
				w := ward{worlds: worlds, layout: l, branching: 2, vectors: [][]*big.Int{good, own, good}}
				parts, _, err := w.run()
				if err == nil {
					t.Fatal("the sum went through")
				}
				for _, bad := range []string{"1024", "index"} {
					if strings.Contains(err.Error(), bad) {
						t.Errorf("the error tells of a value: %v", err)
					}
				}
				for _, p := range parts {
					if p.Total != nil || p.Seed != nil {
						t.Error("a part is left")
					}
				}
			})
		}
	})
}

// Parts within the bound whose sum is not: the recipient is told, not misled, also
// where several sums share a number.
func TestSumsBeyondTheLayoutAreRefused(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		for _, bits := range []int{1, 10, 24, 50, 52, 126} {
			bound := new(big.Int).Lsh(big.NewInt(1), uint(bits))
			most, zero := new(big.Int).Sub(bound, big.NewInt(1)), new(big.Int)
			for place := range 3 {
				for _, x := range []*big.Int{most, new(big.Int).Neg(most)} {
					own := []*big.Int{zero, zero, zero}
					own[place] = x
					w := ward{worlds: worlds, layout: layout(t, 3, bits, 2), branching: 1, vectors: [][]*big.Int{own, own}}
					parts, _, err := w.run()
					if err != nil {
						t.Fatal(err)
					}
					if sums, err := w.open(parts); err == nil || !strings.Contains(err.Error(), "beyond the bounds") {
						t.Errorf("twice %v below 2^%d is %v: %v", x, bits, sums, err)
					}
				}
			}
		}
	})
}

func TestSecretsPrintAsRedacted(t *testing.T) {
	l := layout(t, 1, 1, 2)
	secret, seed := mhe.NewSecret(l), mhe.Seed(bytes.Repeat([]byte{0xab}, mhe.SeedSize))
	part := mhe.Part{Seed: seed, Total: []byte("total")}
	noTime := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // its digits could look like a seed's
		}
		return a
	}}
	for _, v := range []any{secret, seed, part, &part, []mhe.Seed{seed}, struct{ S mhe.Seed }{seed}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, "abab") || strings.Contains(text, "171") || strings.Contains(text, "total") || len(text) > 100 {
				t.Errorf("%T by %s prints %q", v, verb, text)
			}
		}
		encoded, err := json.Marshal(v)
		if err != nil || bytes.Contains(encoded, []byte("q6ur")) || len(encoded) > 400 {
			t.Errorf("%T as JSON: %s %v", v, encoded, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, noTime)).Info("x", "v", v)
		if strings.Contains(log.String(), "abab") || strings.Contains(log.String(), "171") {
			t.Errorf("%T in a log: %s", v, log.String())
		}
	}
}
