package rss_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// sortChunked sorts rows with public columns, of which the first ones are keys, and
// returns all columns opened.
func sortChunked(w *memnet.World, spill *rss.Spill, specs []keySpec, columns ...[]int64) ([][]int64, error) {
	all, err := memnet.Collect(w, func(s *mpc.Session) ([][]int64, error) {
		rows := chunked(s, spill, columns...)
		sorted := rss.SortChunked(s.Step("sort"), rows, chunkedKeys(specs)...)
		rows.Close()
		out := allRows(s, sorted)
		sorted.Close()
		return out, s.Err()
	})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func chunkedKeys(specs []keySpec) []rss.ChunkedKey {
	var keys []rss.ChunkedKey
	for i, k := range specs {
		keys = append(keys, rss.ChunkedKey{Column: i, Bits: k.bits, Signed: k.signed, Descending: k.descending})
	}
	return keys
}

// TestSortChunked: several keys of any kind, in one chunk, in as many as memory holds, and
// in more.
func TestSortChunked(t *testing.T) {
	spill := testkit.NewSpill(t, 64)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 64, 65, 256, 257, 300, 321}).Draw(t, "rows")
		specs := rapid.SliceOfN(genKey(), 1, 3).Draw(t, "keys")
		var columns [][]int64
		for _, k := range specs {
			columns = append(columns, genColumn(t, n, k))
		}
		columns = append(columns, upTo(n))
		w := memnet.New(memnet.Config{Seed: rapid.Uint64().Draw(t, "seed")})
		got, err := sortChunked(w, spill, specs, columns...)
		if err != nil {
			t.Fatal(err)
		}
		order := sortedRows(specs, columns)
		for j, x := range columns {
			if want := at(x, order); !slices.Equal(got[j], want) {
				t.Fatalf("column %d: got %v, want %v", j, got[j], want)
			}
		}
	})
}

// TestSortChunkedManyRows: some thousand rows, in any order and all equal, in
// chunks of which the last has any length, also one row.
func TestSortChunkedManyRows(t *testing.T) {
	spec := []keySpec{{bits: 12, signed: true}}
	lo, hi := spec[0].span()
	for _, c := range []struct{ chunk, rows int }{{64, 3000}, {64, 2049}, {128, 4000}, {128, 513}} {
		spill := testkit.NewSpill(t, c.chunk)
		for _, shape := range columnShapes {
			x := column(rand.New(rand.NewPCG(7, uint64(c.rows))), shape, c.rows, lo, hi)
			for name, x := range map[string][]int64{
				shape:                     x,
				shape + ", sorted":        slices.Sorted(slices.Values(x)),
				shape + ", sorted behind": slices.SortedFunc(slices.Values(x), func(a, b int64) int { return cmp.Compare(b, a) }),
			} {
				got, err := sortChunked(memnet.New(memnet.Config{Seed: 5}), spill, spec, x, upTo(c.rows))
				if err != nil {
					t.Fatal(err)
				}
				if want := at(upTo(c.rows), sortedRows(spec, [][]int64{x})); !slices.Equal(got[1], want) {
					t.Errorf("%d rows in chunks of %d, %s: wrong order", c.rows, c.chunk, name)
				}
			}
		}
	}
}

// TestSortChunkedShapeFollowsRanks: with the same coins, rows of equal ranks give
// transcripts of equal shape, whatever is equal, at every number of processors. Before
// rows are compared nothing depends on ranks either.
func TestSortChunkedShapeFollowsRanks(t *testing.T) {
	const n = 700
	spill := testkit.NewSpill(t, 64)
	spec := []keySpec{{bits: 20}}
	transcript := func(seed uint64, x []int64) memnet.Transcript {
		w := memnet.New(memnet.Config{Seed: seed})
		if _, err := sortChunked(w, spill, spec, x); err != nil {
			t.Fatal(err)
		}
		return w.Transcript()
	}
	same := transcript(1, make([]int64, n))
	ties := upTo(n)
	for i := range ties {
		ties[i] = 5 + ties[i]/7*3
	}
	for name, x := range map[string][]int64{"all different": upTo(n), "some equal": ties} {
		if transcript(1, x).Shape() != same.Shape() {
			t.Errorf("all equal and %s have different shapes", name)
		}
	}
	backwards := upTo(n)
	slices.Reverse(backwards)
	other := transcript(1, backwards)
	if other.Shape() == same.Shape() && transcript(2, upTo(n)).Shape() == same.Shape() {
		t.Error("other ranks and other coins have the same shape: the test compares nothing")
	}
	if shuffleOf(other) != shuffleOf(same) {
		t.Error("the shuffle depends on ranks")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		if transcript(1, backwards).String() != other.String() {
			t.Errorf("another transcript with %d processors", procs)
		}
	}
}

// shuffleOf is the shape of the step that shuffles whole rows.
func shuffleOf(tr memnet.Transcript) string {
	return memnet.Transcript(slices.DeleteFunc(slices.Clone(tr), func(r memnet.Record) bool {
		return !strings.HasPrefix(r.Step, "sort/shuffle")
	})).Shape()
}

// TestSortChunkedFails: what a link changes or loses, and a party that leaves, ends the
// sort at all with an error, and no file stays open.
func TestSortChunkedFails(t *testing.T) {
	const n = 600
	x := column(rand.New(rand.NewPCG(3, 1)), "random", n, 0, 1<<20-1)
	spec := []keySpec{{bits: 20}}
	w := memnet.New(memnet.Config{Seed: 1})
	if _, err := sortChunked(w, testkit.NewSpill(t, 64), spec, x); err != nil {
		t.Fatal(err)
	}
	var hits []memnet.Record // the first message of each step from each party, if it sends one
	for _, step := range []string{"sort/shuffle", "sort/shuffle/pace", "sort/load.1/key.0", "sort/load.2/buckets/batch.0", "sort/bucket.2/batch.1"} {
		for from := range mpc.PartyID(3) {
			i := slices.IndexFunc(w.Transcript(), func(r memnet.Record) bool {
				return r.From == from && strings.HasPrefix(r.Step+"/", step+"/")
			})
			if i >= 0 {
				hits = append(hits, w.Transcript()[i])
			}
		}
	}
	if len(hits) < 12 {
		t.Fatalf("%d messages to hit", len(hits))
	}
	before := openFiles(t)
	for _, r := range hits {
		for name, f := range map[string]func(b []byte) ([]byte, bool){
			"too long": func(b []byte) ([]byte, bool) { return append(b, 0), true },
			"lost":     func([]byte) ([]byte, bool) { return nil, false },
		} {
			hooks := hit(r, f)
			world := memnet.New(memnet.Config{Seed: 1, Timeout: 100 * time.Millisecond, Hooks: hooks})
			spill := testkit.NewSpill(t, 64)
			if _, err := sortChunked(world, spill, spec, x); err == nil {
				t.Errorf("%s %d>%d %s: not noticed", r.Step, r.From, r.To, name)
			}
			if err := spill.Close(); err != nil {
				t.Error(err)
			}
			if after := openFiles(t); after > before {
				t.Fatalf("%s %d>%d %s: %d files are open, %d were", r.Step, r.From, r.To, name, after, before)
			}
		}
	}
}

// TestSortChunkedAlone: a party whose peers have gone ends with an error and no file.
func TestSortChunkedAlone(t *testing.T) {
	before := openFiles(t)
	for gone := range mpc.PartyID(3) {
		spill := testkit.NewSpill(t, 64)
		w := memnet.New(memnet.Config{Timeout: time.Minute})
		err := w.Run(func(s *mpc.Session) error {
			if s.Self() == gone {
				return errors.New("gone")
			}
			rows := chunked(s, spill, upTo(600))
			rss.SortChunked(s.Step("sort"), rows, rss.ChunkedKey{Bits: 20})
			return s.Err()
		})
		for p, err := range w.Errors() {
			if err == nil {
				t.Errorf("party %d did not notice that %d has gone", p, gone)
			}
		}
		if err == nil {
			t.Error("nobody noticed")
		}
		if err := spill.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d files are open, %d were", after, before)
	}
}

// TestSortChunkedWaits: parties that have passed over their rows wait for one whose disk
// is slower by more than they wait for messages.
func TestSortChunkedWaits(t *testing.T) {
	x := column(rand.New(rand.NewPCG(3, 1)), "random", 300, 0, 1<<20-1)
	synctest.Test(t, func(t *testing.T) {
		spill := testkit.NewSpill(t, 64)
		w := memnet.New(memnet.Config{Seed: 1, Timeout: time.Second})
		if err := w.Run(func(s *mpc.Session) error {
			rows := chunked(s, spill, x)
			if s.Self() == 1 {
				time.Sleep(time.Hour)
			}
			rss.SortChunked(s.Step("sort"), rows, rss.ChunkedKey{Bits: 20})
			return s.Err()
		}); err != nil {
			t.Error(err)
		}
	})
}

// TestSortChunkedOfOtherChunks: rows may lie in chunks of another number of rows than most.
func TestSortChunkedOfOtherChunks(t *testing.T) {
	spill, x := testkit.NewSpill(t, 64), column(rand.New(rand.NewPCG(3, 1)), "random", 700, 0, 1<<20-1)
	want := slices.Sorted(slices.Values(x))
	for _, chunk := range []int{128, 192} {
		all, err := memnet.Collect(memnet.New(memnet.Config{Seed: 1}), func(s *mpc.Session) ([][]int64, error) {
			rows := spill.NewOf(s, chunk, len(x), 1, 0)
			fill := rows.Fill()
			fill.Append(s, rss.Public(s, ring.FromInt64(x)))
			return allRows(s, rss.SortChunked(s.Step("sort"), rows, rss.ChunkedKey{Bits: 20})), s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(all[0][0], want) {
			t.Errorf("chunks of %d rows: wrong order", chunk)
		}
	}
}

// openFiles counts this process's open files of temporary directories.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.Contains(to, "spool-") {
			n++
		}
	}
	return n
}

func TestSortChunkedMisuse(t *testing.T) {
	for want, keys := range map[string][]rss.ChunkedKey{
		"no key to order by": nil,
		"key column 1 of 1":  {{Column: 1, Bits: 3}},
		"width of 0":         {{Bits: 0}},
		"10000 rows are too many to be sorted 256": {{Bits: 3}},
	} {
		spill := testkit.NewSpill(t, 64)
		err := memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
			rows := chunked(s, spill, upTo(10_000))
			sorted := rss.SortChunked(s.Step("sort"), rows, keys...)
			if got := sorted.Get(s, 3, 0)[0].Len(); got != 64 {
				return fmt.Errorf("%d rows after a failure", got)
			}
			return s.Err()
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
