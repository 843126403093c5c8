package rss_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// rowCounts returns the lengths of columns.
func rowCounts(columns ...rss.Vec) []int {
	var out []int
	for _, x := range columns {
		out = append(out, x.Len())
	}
	return out
}

// rowResults calls each operation on columns x and y and returns by name the
// lengths of what it returns.
var rowResults = map[string]func(s *mpc.Session, x, y rss.Vec) []int{
	"Shuffle":   func(s *mpc.Session, x, y rss.Vec) []int { return rowCounts(rss.Shuffle(s, x, y)...) },
	"Permute":   func(s *mpc.Session, x, y rss.Vec) []int { return rowCounts(permuted(s, x, y)...) },
	"Unpermute": func(s *mpc.Session, x, y rss.Vec) []int { return rowCounts(unpermuted(s, x, y)...) },
	"Sort": func(s *mpc.Session, x, y rss.Vec) []int {
		sorted, carried := rss.Sort(s, []rss.Key{byte8(x)}, y)
		return rowCounts(append(sorted, carried...)...)
	},
	"SortPermutation": func(s *mpc.Session, x, y rss.Vec) []int {
		return []int{rss.SortPermutation(s, byte8(x), byte8(y)).Len()}
	},
	"TopK": func(s *mpc.Session, x, y rss.Vec) []int {
		top, carried := rss.TopK(s, byte8(x), 2, y)
		return rowCounts(append(carried, top)...)
	},
	"Max": func(s *mpc.Session, x, _ rss.Vec) []int { return rowCounts(rss.Max(s, x, 9)) },
	"ArgMax": func(s *mpc.Session, x, _ rss.Vec) []int {
		value, index := rss.ArgMax(s, x, 9)
		return rowCounts(value, index)
	},
	"PrefixSum":    func(s *mpc.Session, x, _ rss.Vec) []int { return rowCounts(rss.PrefixSum(s, x)) },
	"Differences":  func(s *mpc.Session, x, _ rss.Vec) []int { return rowCounts(rss.Differences(s, x)) },
	"SegmentedSum": func(s *mpc.Session, x, y rss.Vec) []int { return rowCounts(rss.SegmentedSum(s, x, y)...) },
	"Compact":      func(s *mpc.Session, x, y rss.Vec) []int { return rowCounts(rss.Compact(s, x, y)...) },
	"GroupBy": func(s *mpc.Session, x, y rss.Vec) []int {
		g := rss.GroupBy(s, []rss.Key{byte8(x)}, y)
		return rowCounts(g.Valid, g.Count, g.Keys[0], g.Sums[0])
	},
	"Join": func(s *mpc.Session, x, y rss.Vec) []int {
		j := rss.Join(s, byteTable(x, y), byteTable(y, y))
		return rowCounts(j.Valid, j.Left[0], j.Right[0])
	},
	"JoinMany": func(s *mpc.Session, x, y rss.Vec) []int {
		j, total := rss.JoinMany(s, byteTable(x, y), byteTable(y, y), 5)
		return rowCounts(j.Valid, j.Left[0], j.Right[0], total)
	},
	"Lookup":       func(s *mpc.Session, x, _ rss.Vec) []int { return rowCounts(rss.Lookup(s, []int64{1, 2, 3}, x)) },
	"LookupSecret": func(s *mpc.Session, x, y rss.Vec) []int { return rowCounts(rss.LookupSecret(s, y, x)) },
}

func permuted(s *mpc.Session, x, y rss.Vec) []rss.Vec {
	return rss.Permute(s.Step("there"), rss.NewPermutation(s.Step("draw"), x.Len()), x, y)
}

func unpermuted(s *mpc.Session, x, y rss.Vec) []rss.Vec {
	return rss.Unpermute(s.Step("back"), rss.NewPermutation(s.Step("draw"), x.Len()), x, y)
}

// After a failure every operation returns zeros of the public lengths and sends
// nothing.
func TestRowOperationsOfAFailedSession(t *testing.T) {
	want := map[string][]int{
		"Shuffle": {3, 3}, "Permute": {3, 3}, "Unpermute": {3, 3}, "Sort": {3, 3}, "SortPermutation": {3},
		"TopK": {2, 2}, "Max": {1}, "ArgMax": {1, 1}, "PrefixSum": {3}, "Differences": {3}, "SegmentedSum": {3},
		"Compact": {3}, "GroupBy": {3, 3, 3, 3}, "Join": {3, 3, 3}, "JoinMany": {5, 5, 5, 1}, "Lookup": {3}, "LookupSecret": {3},
	}
	if len(want) != len(rowResults) {
		t.Fatal("not all operations are tried")
	}
	w := memnet.New(memnet.Config{})
	_ = w.Run(func(s *mpc.Session) error {
		if s.Self() != 0 {
			<-s.Context().Done()
			return s.Err()
		}
		s.Step("start").Fail(errors.New("no power"))
		for name, op := range rowResults {
			x := rss.Zero[ring.Vec64](3)
			if got := op(s.Step(name), x, x); !slices.Equal(got, want[name]) {
				t.Errorf("%s returned lengths %v, want %v", name, got, want[name])
			}
		}
		return s.Err()
	})
	for p, err := range w.Errors() {
		if err == nil || !strings.Contains(err.Error(), "p0, step start: no power") {
			t.Errorf("p%d: %v", p, err)
		}
	}
	for _, r := range w.Transcript() {
		if r.Step != "abort" {
			t.Errorf("sent after the failure: %v", r)
		}
	}
}

// Lengths that differ, nothing at all, and a caller that is no party are errors
// that say where and what.
func TestRowOperationsCheckColumns(t *testing.T) {
	three, four, none := rss.Zero[ring.Vec64](3), rss.Zero[ring.Vec64](4), rss.Zero[ring.Vec64](0)
	for name, op := range rowResults {
		for _, c := range []struct {
			at         mpc.PartyID
			x, y       rss.Vec
			alone      bool // also for operations on one column
			want, also string
		}{
			{0, three, four, false, "vectors of 3 and 4 elements meet", "a permutation of 3 rows meets a column of 4"},
			{0, none, none, true, "vector of 0 elements", ""},
			{site, three, three, true, "not a compute party", ""},
		} {
			single := slices.Contains([]string{"Max", "ArgMax", "PrefixSum", "Differences", "Lookup", "LookupSecret", "Join", "JoinMany"}, name)
			if single && !c.alone {
				continue
			}
			w := memnet.New(memnet.Config{N: 4})
			_ = w.Run(func(s *mpc.Session) error {
				if s.Self() == c.at {
					op(s.Step("rows"), c.x, c.y)
				} else {
					<-s.Context().Done()
				}
				return s.Err()
			})
			for p, err := range w.Errors() {
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("p%d, step rows", c.at)) ||
					!strings.Contains(err.Error(), c.want) && (c.also == "" || !strings.Contains(err.Error(), c.also)) {
					t.Errorf("%s, p%d: got %v, want %s", name, p, err, c.want)
				}
			}
		}
	}
}

func TestRowOperationsCheckArguments(t *testing.T) {
	x := rss.Zero[ring.Vec64](3)
	key := func(bits int) rss.Key { return rss.Key{Column: x, Bits: bits} }
	for name, c := range map[string]struct {
		op   func(s *mpc.Session)
		want string
	}{
		"no key":               {func(s *mpc.Session) { rss.Sort(s, nil, x) }, "no key to order by"},
		"no key to group by":   {func(s *mpc.Session) { rss.GroupBy(s, nil, x) }, "no key to order by"},
		"a key of no bits":     {func(s *mpc.Session) { rss.Sort(s, []rss.Key{key(0)}) }, "width of 0, want 1 to 64"},
		"a key too wide":       {func(s *mpc.Session) { rss.TopK(s, key(65), 1) }, "width of 65, want 1 to 64"},
		"none wanted":          {func(s *mpc.Session) { rss.TopK(s, key(8), 0) }, "the first 0 of 3 rows"},
		"too many wanted":      {func(s *mpc.Session) { rss.TopK(s, key(8), 4) }, "the first 4 of 3 rows"},
		"differences too few":  {func(s *mpc.Session) { rss.Max(s, x, 1) }, "differences of 1 bits, want 2 to 64"},
		"differences too many": {func(s *mpc.Session) { rss.ArgMin(s, x, 65) }, "differences of 65 bits, want 2 to 64"},
		"flags of other values": {func(s *mpc.Session) {
			rss.Compact(s, rss.Public(s, ring.Vec64{0, 2, 5}))
		}, "step op/order: flags are not all 0 or 1"},
		"keys of two widths": {func(s *mpc.Session) {
			rss.Join(s, rss.Table{Key: key(8)}, rss.Table{Key: key(9)})
		}, "keys of 8 and 9 bits meet"},
		"a join by too much": {func(s *mpc.Session) {
			rss.Join(s, rss.Table{Key: key(61)}, rss.Table{Key: key(61)})
		}, "a key of 61 bits, want 1 to 60 to join by"},
		"a result of no rows": {func(s *mpc.Session) {
			rss.JoinMany(s, rss.Table{Key: key(8)}, rss.Table{Key: key(8)}, 0)
		}, "vector of 0 elements"},
		"no table":        {func(s *mpc.Session) { rss.Lookup(s, nil, x) }, "a table of 0 elements, want 1 to 4096"},
		"a table too big": {func(s *mpc.Session) { rss.Lookup(s, make([]int64, 4097), x) }, "a table of 4097 elements, want 1 to 4096"},
		"another length": {func(s *mpc.Session) {
			rss.Permute(s.Step("there"), rss.NewPermutation(s.Step("draw"), 4), x)
		}, "step op/there: a permutation of 4 rows meets a column of 3"},
		"a permutation of nothing": {func(s *mpc.Session) { rss.NewPermutation(s, 0) }, "vector of 0 elements"},
	} {
		w := memnet.New(memnet.Config{})
		_ = w.Run(func(s *mpc.Session) error {
			c.op(s.Step("op"))
			return s.Err()
		})
		for p, err := range w.Errors() {
			if err == nil || !strings.Contains(err.Error(), "step op") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: p%d says %v, want %s", name, p, err, c.want)
			}
		}
	}
}

func TestPermutationsPrintRedacted(t *testing.T) {
	err := memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
		p := rss.NewPermutation(s.Step("draw"), 3)
		text, err := p.MarshalText()
		for _, got := range []string{fmt.Sprint(p), fmt.Sprintf("%d %#v %x", p, p, p), p.String(), p.GoString(), p.LogValue().String(), string(text)} {
			if strings.ReplaceAll(strings.ReplaceAll(got, "redacted", ""), " ", "") != "" {
				t.Errorf("a permutation prints as %s", got)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
