package rss_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// rowOperation is an operation that moves or matches rows, on a column of keys of
// 8 bits and another column.
type rowOperation struct {
	name   string
	rounds int // on 8 rows
	op     func(s *mpc.Session, k, x rss.Vec)
}

// rowOperations are all such operations. What they return is in step tests.
var rowOperations = []rowOperation{
	{"Shuffle", 2, func(s *mpc.Session, k, x rss.Vec) { rss.Shuffle(s, k, x) }},
	{"Unpermute", 2, func(s *mpc.Session, k, x rss.Vec) {
		rss.Unpermute(s.Step("back"), rss.NewPermutation(s.Step("draw"), x.Len()), x)
	}},
	{"PermuteBits", 2, func(s *mpc.Session, k, x rss.Vec) {
		p := rss.NewPermutation(s.Step("draw"), x.Len())
		rss.PermuteBits(s.Step("there"), p, rss.PublicBits(s, ring.MakePlanes(x.Len(), 3)))
	}},
	{"Sort", 15, func(s *mpc.Session, k, x rss.Vec) { rss.Sort(s, []rss.Key{byte8(k)}, x) }},
	{"Sort by two", 21, func(s *mpc.Session, k, x rss.Vec) { rss.Sort(s, []rss.Key{byte8(k), byte8(x)}) }},
	{"TopK", 15, func(s *mpc.Session, k, x rss.Vec) { rss.TopK(s, byte8(k), 2, x) }},
	{"Max", 16, func(s *mpc.Session, k, _ rss.Vec) { rss.Max(s, k, 9) }},
	{"ArgMin", 16, func(s *mpc.Session, k, _ rss.Vec) { rss.ArgMin(s, k, 9) }},
	{"SegmentedSum", 5, func(s *mpc.Session, k, x rss.Vec) { rss.SegmentedSum(s, k, x) }},
	{"Compact", 6, func(s *mpc.Session, k, x rss.Vec) {
		rss.Compact(s, rss.Public(s, make(ring.Vec64, x.Len())), x)
	}},
	{"GroupBy", 26, func(s *mpc.Session, k, x rss.Vec) { rss.GroupBy(s, []rss.Key{byte8(k)}, x) }},
	{"Join", 40, func(s *mpc.Session, k, x rss.Vec) { rss.Join(s, byteTable(k, x), byteTable(k, x)) }},
	{"JoinMany", 100, func(s *mpc.Session, k, x rss.Vec) { rss.JoinMany(s, byteTable(k, x), byteTable(k, x), 5) }},
	{"Lookup", 4, func(s *mpc.Session, k, _ rss.Vec) { rss.Lookup(s, []int64{5, -3, 0, 1 << 40}, k) }},
	{"LookupSecret", 6, func(s *mpc.Session, k, x rss.Vec) { rss.LookupSecret(s, x, k) }},
	{"LookupSecret of many", 16, func(s *mpc.Session, k, x rss.Vec) {
		rss.LookupSecret(s, rss.Concat(s, x, x, x, x), k)
	}},
}

func byte8(x rss.Vec) rss.Key { return rss.Key{Column: x, Bits: 8} }

func byteTable(k, x rss.Vec) rss.Table { return rss.Table{Key: byte8(k), Columns: []rss.Vec{x}} }

// run does the operation among three parties.
func (o rowOperation) run(w *memnet.World, k, x []int64) error {
	return w.Run(func(s *mpc.Session) error {
		o.op(s.Step("op"), rss.Public(s, ring.FromInt64(k)), rss.Public(s, ring.FromInt64(x)))
		return s.Err()
	})
}

// bytes8 returns n keys of 8 bits, some of them equal.
func bytes8(n int, salt uint64) []int64 {
	return column(rand.New(rand.NewPCG(salt, 1)), "random", n, 0, 255)
}

func TestRowOperationRounds(t *testing.T) {
	for _, o := range rowOperations {
		w := memnet.New(memnet.Config{Seed: 1})
		if err := o.run(w, bytes8(8, 1), bytes8(8, 2)); err != nil {
			t.Fatal(o.name, err)
		}
		if got := w.Rounds(); got != o.rounds {
			t.Errorf("%s takes %d rounds, want %d", o.name, got, o.rounds)
		}
	}
}

// One line an operation: its openings and the hash of its transcript. The many
// rows are compared by several goroutines.
func TestRowOperationTranscripts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 8} {
		runtime.GOMAXPROCS(procs)
		var lines strings.Builder
		for _, o := range rowOperations {
			w := memnet.New(memnet.Config{Seed: 7, Window: 2})
			if err := o.run(w, bytes8(5, 1), bytes8(5, 2)); err != nil {
				t.Fatal(o.name, err)
			}
			tr := w.Transcript()
			fmt.Fprintf(&lines, "%s: %d messages %x\n", o.name, len(tr), sha256.Sum256([]byte(tr.String())))
			for _, step := range tr.Openings() {
				fmt.Fprintf(&lines, "  opens %s\n", step)
			}
		}
		w := memnet.New(memnet.Config{Seed: 7, Window: 2})
		if err := rowOperations[3].run(w, bytes8(250, 1), bytes8(250, 2)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "Sort of 250 rows: %x\n", sha256.Sum256([]byte(w.Transcript().String())))
		testkit.Golden(t, "rows.golden", lines.String())
	}
}

// With few rows all are compared with all, so that even the shape of what is
// opened does not depend on their ranks.
func TestRowOperationShapes(t *testing.T) {
	for _, o := range rowOperations {
		var shapes []string
		for i, k := range [][]int64{bytes8(9, 1), bytes8(9, 5), make([]int64, 9), slices.Repeat([]int64{255}, 9), upTo(9)} {
			w := memnet.New(memnet.Config{Seed: 1})
			if err := o.run(w, k, bytes8(9, uint64(i))); err != nil && !strings.Contains(err.Error(), "not all 0 or 1") {
				t.Fatal(o.name, err)
			}
			shapes = append(shapes, w.Transcript().Shape())
		}
		for _, shape := range shapes[1:] {
			if shape != shapes[0] {
				t.Errorf("%s: the shape depends on the rows:\n%s\n%s", o.name, shapes[0], shape)
			}
		}
	}
}

// A frame of another length ends every operation with an error that names the
// step; so does, at an opening, one of another content.
func TestRowOperationsNoticeBadFrames(t *testing.T) {
	for _, o := range rowOperations {
		w := memnet.New(memnet.Config{Seed: 1})
		if err := o.run(w, bytes8(8, 1), bytes8(8, 2)); err != nil {
			t.Fatal(o.name, err)
		}
		tr := w.Transcript()
		for _, r := range []memnet.Record{tr[0], tr[len(tr)/3], tr[len(tr)/2], tr[len(tr)-1]} {
			err := o.run(memnet.New(memnet.Config{Seed: 1, Hooks: hit(r, func(b []byte) ([]byte, bool) { return b[1:], true })}), bytes8(8, 1), bytes8(8, 2))
			want := fmt.Sprintf("step %s: frame from p%d has %d bytes, want %d", r.Step, r.From, r.Length-1, r.Length)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", o.name, err, want)
			}
		}
		for _, r := range tr {
			if !strings.HasSuffix(r.Step, "/open") || r.Index > 0 {
				continue
			}
			err := o.run(memnet.New(memnet.Config{Seed: 1, Hooks: hit(r, func(b []byte) ([]byte, bool) { b[0] ^= 1; return b, true })}), bytes8(8, 1), bytes8(8, 2))
			if err == nil || !strings.Contains(err.Error(), "did not follow the protocol") {
				t.Errorf("%s, step %s: got %v", o.name, r.Step, err)
			}
		}
	}
}
