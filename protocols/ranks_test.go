package protocols

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// threeParties runs a function on shares and opens what it returns.
func threeParties(t rapid.TB, f func(s *mpc.Session) rss.Vec) ([]int64, *memnet.World) {
	t.Helper()
	opened, w := openedOf(t, f)
	return opened.Int64(), w
}

// threeParties128 is threeParties for numbers of 128 bits.
func threeParties128(t rapid.TB, f func(s *mpc.Session) rss.Vec128) []*big.Int {
	t.Helper()
	opened, _ := openedOf(t, f)
	return opened.Big()
}

func openedOf[V ring.Vector[V]](t rapid.TB, f func(s *mpc.Session) rss.Share[V]) (V, *memnet.World) {
	t.Helper()
	w := memnet.New(memnet.Config{N: 3, Seed: 1})
	all, err := memnet.Collect(w, func(s *mpc.Session) (V, error) {
		return rss.Open(s.Step("opened"), f(s.Step("test"))), s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all[0], w
}

// shared is a column that all parties know, as a share.
func shared(s *mpc.Session, x []int64) rss.Vec { return rss.Public(s, ring.FromInt64(x)) }

// laidOut lays columns of shares out in chunks.
func laidOut(s *mpc.Session, spill *rss.Spill, columns ...rss.Vec) *rss.Chunked {
	out := spill.New(s, columns[0].Len(), len(columns), 0)
	out.Fill().Append(s, columns...)
	return out
}

// unchunked are columns of chunks, one after the other.
func unchunked(s *mpc.Session, rows *rss.Chunked, columns ...int) rss.Vec {
	var out []rss.Vec
	for _, j := range columns {
		for i := range rows.Chunks() {
			out = append(out, rows.Get(s, i, j)...)
		}
	}
	return rss.Concat(s, out...)
}

// inChunks runs a test with rows in one chunk and in several of 64 rows.
func inChunks(t *testing.T, test func(t *testing.T, spill *rss.Spill, most int)) {
	for name, c := range map[string]struct{ chunk, most int }{"one chunk": {rss.ChunkRows, 30}, "chunks": {64, 150}} {
		t.Run(name, func(t *testing.T) { test(t, testkit.NewSpill(t, c.chunk), c.most) })
	}
}

// ranking are rows with their values, some of them members; others have value 0.
type ranking struct{ value, member []int64 }

func drawRanking(low, high int64, most int) *rapid.Generator[ranking] {
	return rapid.Custom(func(t *rapid.T) ranking {
		n := rapid.SampledFrom([]int{rapid.IntRange(1, most).Draw(t, "n"), most/64*64 + 1, most / 2}).Draw(t, "rows")
		r := ranking{make([]int64, n), make([]int64, n)}
		widest := rapid.SampledFrom([]int64{low, low + (high-low)/2, high}).Draw(t, "widest") // many ties, or few
		for i := range n {
			if r.member[i] = rapid.Int64Range(0, 1).Draw(t, "member"); r.member[i] == 1 {
				r.value[i] = rapid.Int64Range(low, widest).Draw(t, "value")
			}
		}
		return r
	})
}

// doubledRanks ranks by counting.
func (r ranking) doubledRanks() []int64 {
	out := make([]int64, len(r.value))
	for i := range out {
		if r.member[i] == 0 {
			continue
		}
		out[i] = 1
		for k := range r.value {
			switch {
			case r.member[k] == 0:
			case r.value[k] < r.value[i]:
				out[i] += 2
			case r.value[k] == r.value[i]:
				out[i]++
			}
		}
	}
	return out
}

// won counts pairs by looking at each: twice those that a group wins.
func (r ranking) won(group []int64) int64 {
	var out int64
	for i := range r.value {
		for k := range r.value {
			if group[i] == 0 || group[k] == 1 || r.member[k] == 0 {
				continue
			}
			switch {
			case r.value[i] > r.value[k]:
				out += 2
			case r.value[i] == r.value[k]:
				out++
			}
		}
	}
	return out
}

// TestAverageRanks compares with counting, over ranges of every width and sign, and
// runs that go over borders of chunks.
func TestAverageRanks(t *testing.T) {
	inChunks(t, func(t *testing.T, spill *rss.Spill, most int) {
		for _, bounds := range [][2]int64{{0, 3}, {7, 7}, {-5, -2}, {39, 82}, {-1 << 61, 1<<62 - 1}} {
			rapid.Check(t, func(t *rapid.T) {
				low, high := bounds[0], bounds[1]
				r := drawRanking(low, high, most).Draw(t, "rows")
				n := len(r.value)
				got, _ := threeParties(t, func(s *mpc.Session) rss.Vec {
					key := rankKey(s, shared(s, r.value), shared(s, r.member), low, high)
					rows := laidOut(s, spill, key.Column, rowNumbers(s, 0, n), shared(s, r.member))
					defer rows.Close()
					ranks := averageRanks(s, rows, 3, key.Bits)
					defer ranks.Close()
					return unchunked(s, ranks, 0, 1, 2)
				})
				want, strangers := r.doubledRanks(), int64(n+1)
				for _, m := range r.member {
					strangers += m
				}
				for k := range n {
					row := got[k]
					if got[n+k] != r.member[row] || got[n+k] == 1 && got[2*n+k] != want[row] || got[n+k] == 0 && got[2*n+k] != strangers {
						t.Fatalf("%v within %v: row %d has %d, want %d or %d", r, bounds, row, got[2*n+k], want[row], strangers)
					}
				}
			})
		}
	})
}

// TestAUC compares with a look at every pair; scores of rows that are no members,
// which are anything, do not matter.
func TestAUC(t *testing.T) {
	const width = 60
	inChunks(t, func(t *testing.T, spill *rss.Spill, most int) {
		rapid.Check(t, func(t *rapid.T) {
			r := drawRanking(-1<<width+1, 1<<width-1, most).Draw(t, "rows")
			score, positive := slices.Clone(r.value), make([]int64, len(r.value))
			p, n := int64(0), int64(0)
			for i := range positive {
				if r.member[i] == 0 {
					score[i] = rapid.Int64().Draw(t, "anything")
					continue
				}
				positive[i] = rapid.Int64Range(0, 1).Draw(t, "positive")
				p, n = p+positive[i], n+1-positive[i]
			}
			got, _ := threeParties(t, func(s *mpc.Session) rss.Vec {
				scores := laidOut(s, spill, shared(s, score))
				defer scores.Close()
				rows := NewSampled(s, spill, len(score), Sample{"rows", columnVectors("positive")})
				defer rows.Close()
				rows.Fill().Append(s, shared(s, positive), shared(s, r.member))
				a := aucOf(s, scores, width, rows, "positive")
				return rss.Narrow(s, rss.Concat(s, a.won, a.pairs))
			})
			if want := []int64{r.won(positive), p * n}; !slices.Equal(got, want) {
				t.Fatalf("%v of %v: got %v, want %v", positive, r, got, want)
			}
		})
	})
}

// TestRunCubes counts runs of equal values, which go over borders of chunks.
func TestRunCubes(t *testing.T) {
	inChunks(t, func(t *testing.T, spill *rss.Spill, most int) {
		rapid.Check(t, func(t *rapid.T) {
			r := drawRanking(-3, 40, most).Draw(t, "rows")
			sizes := map[int64]int64{}
			want := int64(0)
			for i, x := range r.value {
				sizes[x+100*(1-r.member[i])]++
			}
			for _, k := range sizes {
				want += k * k * k
			}
			got, _ := threeParties(t, func(s *mpc.Session) rss.Vec {
				value, member := shared(s, r.value), shared(s, r.member)
				rows := laidOut(s, spill, value)
				defer rows.Close()
				order := newRanked(s, rows, keyBits(-3, 40), func(s *mpc.Session, i int) (rss.Vec, rss.Vec, rss.Vec) {
					lo, hi := rows.Bounds(i)
					own := rss.Slice(s, member, lo, hi)
					return rankKey(s, rows.Get(s, i)[0], own, -3, 40).Column, own, own
				})
				defer order.close()
				pairs, cubes := order.pairsAndCubes(s.Step("cubes"))
				return rss.Concat(s, pairs, rss.Narrow(s, cubes))
			})
			if !slices.Equal(got, []int64{0, want}) {
				t.Fatalf("%v: got %v, want 0 and %d", r, got, want)
			}
		})
	})
}

// costOf returns the rounds of a function of n rows, and the bytes that a party
// sends on average. Rounds are exact for few rows alone, which go in one strand.
func costOf(t *testing.T, f func(s *mpc.Session) rss.Vec) (rounds, bytes int) {
	t.Helper()
	_, w := threeParties(t, f)
	for p := range mpc.PartyID(3) {
		bytes += w.Transcript().Bytes(p)
	}
	return w.Rounds(), bytes / 3
}

// TestRankCosts fixes what the comments say beyond the sort.
func TestRankCosts(t *testing.T) {
	spill := testkit.NewSpill(t, rss.ChunkRows)
	cost := func(n int, f func(s *mpc.Session, rows *rss.Chunked) rss.Vec) (rounds, bytes int) {
		return costOf(t, func(s *mpc.Session) rss.Vec {
			x := rss.Zero[ring.Vec64](n)
			return f(s, laidOut(s, spill, x, x))
		})
	}
	const width = 16
	beyond := func(f func(s *mpc.Session, rows *rss.Chunked) rss.Vec) (rounds, bytes int) {
		sorted := func(s *mpc.Session, rows *rss.Chunked) rss.Vec {
			order := rss.SortChunked(s.Step("sort"), rows, rss.ChunkedKey{Bits: width})
			return startsIn(s.Step("starts"), order, 0, 0, width)
		}
		few, many := 20, 4096
		rounds, _ = cost(few, f)
		less, _ := cost(few, sorted)
		_, bytes = cost(many, f)
		_, fewer := cost(many, sorted)
		return rounds - less, (bytes - fewer) / many
	}
	ranked := func(s *mpc.Session, rows *rss.Chunked) *ranked {
		return newRanked(s, rows, width, func(s *mpc.Session, i int) (rss.Vec, rss.Vec, rss.Vec) {
			of := rows.Get(s, i)
			return of[0], of[1], of[1]
		})
	}
	for name, c := range map[string]struct {
		of            func(s *mpc.Session, rows *rss.Chunked) rss.Vec
		rounds, bytes int
	}{
		"average ranks": {func(s *mpc.Session, rows *rss.Chunked) rss.Vec {
			return averageRanks(s, rows, 2, width).Get(s, 0, 1)[0]
		}, 9, 72},
		"pairs": {func(s *mpc.Session, rows *rss.Chunked) rss.Vec {
			return ranked(s.Step("ranked"), rows).pairsWon(s.Step("pairs"))
		}, 8, 53},
	} {
		if rounds, bytes := beyond(c.of); rounds != c.rounds || bytes != c.bytes {
			t.Errorf("%s cost %d rounds and %d bytes a row beyond the sort, the comment says %d and %d", name, rounds, bytes, c.rounds, c.bytes)
		}
	}
}

// TestRankTables fixes how results by ranks look on paper, and what is said of them
// before.
func TestRankTables(t *testing.T) {
	leakFree(t)
	s := ruledWard(t, job.Disclosure{AllowMinimum: true, AllowMaximum: true}, fiveWardLines()...)
	var all strings.Builder
	for _, a := range []ask{
		{"ward", "describe", "", `{"columns":["age","dose"],"by":"sex"}`},
		{"ward", "mannwhitney", "dose < 50", `{"value":"age","group":"sex"}`},
		{"ward", "mannwhitney", "", `{"value":"dose","group":"sex","correct":false}`},
		{"ward", "roc", "", `{"score":"age","outcome":"sex"}`},
		{"ward", "roc", "", `{"score":"dose","outcome":"sex","thresholds":[1.75,4]}`},
		{"ward", "roc", "", `{"score":"age","outcome":"sex","curve":true}`},
	} {
		plan, err := PlanJob(s.job(a), s.roster.Roster)
		s.must(err)
		fmt.Fprintf(&all, "# %s %s\n%s\n\n", a.analysis, a.args, strings.Join(plan.Reveals, "\n"))
		for _, table := range s.result(a).Tables {
			fmt.Fprintf(&all, "%s\n%s\n", table.Title, strings.Join(table.Header, " | "))
			for _, row := range table.Rows {
				fmt.Fprintln(&all, strings.Join(row, " | "))
			}
			fmt.Fprintf(&all, "%s\n\n", strings.Join(table.Notes, "\n"))
		}
	}
	testkit.Golden(t, "ranktables.golden", all.String())
}
