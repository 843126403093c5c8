package rss_test

import (
	"fmt"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// moved is what a party sees of columns that one permutation moved.
type moved struct {
	ids, squares, back []int64
	wide, wideBack     ring.Vec128
	bits, bitsBack     ring.Planes
}

// moveColumns moves the rows 0 to n-1, as numbers of both rings and as bits, there
// and back.
func moveColumns(t *testing.T, seed uint64, n int) moved {
	t.Helper()
	cfg := four(seed)
	cfg.Window = 2
	ids := ring.FromInt64(upTo(n))
	wide := make(ring.Vec128, n)
	for i := range wide {
		wide[i] = ring.U128{Lo: uint64(i), Hi: uint64(i) << 40}
	}
	planes := ring.Transpose(ids, 64)
	planes = ring.Planes{N: n, W: 70, Words: append(slices.Clone(planes.Words), ring.Transpose(ids, 6).Words...)}
	out, err := memnet.Collect(memnet.New(cfg), func(s *mpc.Session) (moved, error) {
		x := rss.Input(s.Step("x"), site, n, only(s, site, ids))
		w := rss.Input(s.Step("w"), site, n, only(s, site, wide))
		if s.Role() < 0 {
			return moved{}, s.Err()
		}
		b := rss.PublicBits(s, planes)
		p := rss.NewPermutation(s.Step("permutation"), n)
		cols := rss.Permute(s.Step("permute"), p, x, rss.Mul(s.Step("square"), x, x))
		ws := rss.Permute(s.Step("wide"), p, w)
		bs := rss.PermuteBits(s.Step("bits"), p, b)
		back := rss.Unpermute(s.Step("back"), p, cols[0])
		wsBack := rss.Unpermute(s.Step("wide back"), p, ws[0])
		bsBack := rss.UnpermuteBits(s.Step("bits back"), p, bs)
		return moved{
			rss.Open(s.Step("ids"), cols[0]).Int64(), rss.Open(s.Step("squares"), cols[1]).Int64(),
			rss.Open(s.Step("returned"), back[0]).Int64(),
			rss.Open(s.Step("wides"), ws[0]), rss.Open(s.Step("wides returned"), wsBack[0]),
			rss.OpenBits(s.Step("planes"), bs), rss.OpenBits(s.Step("planes returned"), bsBack),
		}, s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[1]
}

func TestPermuteMovesRows(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 65, 200, 70_000} {
		m := moveColumns(t, 3, n)
		seen := slices.Clone(m.ids)
		slices.Sort(seen)
		if !slices.Equal(seen, upTo(n)) {
			t.Fatalf("%d rows: not a permutation", n)
		}
		if n >= 64 && slices.Equal(m.ids, upTo(n)) {
			t.Errorf("%d rows did not move", n)
		}
		if !slices.Equal(m.back, upTo(n)) {
			t.Errorf("%d rows did not come back", n)
		}
		for i, id := range m.ids {
			if m.squares[i] != id*id {
				t.Fatalf("%d rows: columns part in row %d", n, i)
			}
			if want := (ring.U128{Lo: uint64(id), Hi: uint64(id) << 40}); m.wide[i] != want {
				t.Fatalf("%d rows: wide row %d is %v, want %v", n, i, m.wide[i], want)
			}
			if m.wideBack[i] != (ring.U128{Lo: uint64(i), Hi: uint64(i) << 40}) {
				t.Fatalf("%d rows: wide row %d did not come back", n, i)
			}
			for j := range 70 {
				bit := j % 64
				if m.bits.Bit(j, i) != (id>>bit&1 == 1) || m.bitsBack.Bit(j, i) != (i>>bit&1 == 1) {
					t.Fatalf("%d rows: bit %d of row %d is wrong", n, j, i)
				}
			}
		}
	}
}

// shuffles opens, in one session, how many shuffles of n rows come out.
func shuffles(t *testing.T, n, runs int) [][]int64 {
	t.Helper()
	ids := ring.FromInt64(upTo(n))
	out, err := memnet.Collect(memnet.New(memnet.Config{Seed: 5}), func(s *mpc.Session) ([][]int64, error) {
		x := rss.Public(s, ids)
		var orders [][]int64
		for i := range runs {
			shuffled := rss.Shuffle(s.Step("shuffle", i), x)
			orders = append(orders, rss.Open(s.Step("order", i), shuffled[0]).Int64())
		}
		return orders, s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// A published implementation favoured some permutations.
func TestShuffleIsUniform(t *testing.T) {
	const each = 100
	index := make(map[string]int)
	counts := make([]int, 24)
	for _, order := range shuffles(t, 4, 24*each) {
		name := fmt.Sprint(order)
		if _, known := index[name]; !known {
			index[name] = len(index)
		}
		counts[index[name]]++
	}
	if got := chiSquare(counts); len(index) != 24 || got > 58 { // 23 degrees of freedom: exceeded once in 10^4
		t.Errorf("%d permutations of 4 rows, chi-square %.1f", len(index), got)
	}
}

// Each of 6 rows is in each place equally often.
func TestShuffledPlacesAreUniform(t *testing.T) {
	counts := make([]int, 36)
	for _, order := range shuffles(t, 6, 1200) {
		for place, row := range order {
			counts[6*place+int(row)]++
		}
	}
	if got := chiSquare(counts); got > 60 { // 25 degrees of freedom: exceeded once in 10^4
		t.Errorf("chi-square of places is %.1f: %v", got, counts)
	}
}

func TestPermuteCosts(t *testing.T) {
	const n = 1000
	w := memnet.New(memnet.Config{Seed: 1})
	if err := w.Run(func(s *mpc.Session) error {
		x := rss.Public(s, ramp(n, 3))
		p := rss.NewPermutation(s.Step("draw"), n)
		rss.Permute(s.Step("there"), p, x, x)
		rss.Unpermute(s.Step("back"), p, x)
		return s.Err()
	}); err != nil {
		t.Fatal(err)
	}
	if got := w.Rounds(); got != 4 {
		t.Errorf("there and back take %d rounds, want 4", got)
	}
	for step, want := range map[string][3]int{"draw": {}, "there": {4 * n, 2 * n, 2 * n}, "back": {2 * n, n, n}} {
		for p := range want {
			if got := w.Transcript().At(step).Bytes(mpc.PartyID(p)); got != 8*want[p] {
				t.Errorf("%s: party %d sent %d bytes, want %d", step, p, got, 8*want[p])
			}
		}
	}
}
