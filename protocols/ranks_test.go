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

// ranking are rows with their values, some of them members; others have value 0.
type ranking struct{ value, member []int64 }

func drawRanking(low, high int64) *rapid.Generator[ranking] {
	return rapid.Custom(func(t *rapid.T) ranking {
		n := rapid.IntRange(1, 30).Draw(t, "n")
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

// TestAverageRanks compares with counting, over ranges of every width and sign.
func TestAverageRanks(t *testing.T) {
	for _, bounds := range [][2]int64{{0, 3}, {7, 7}, {-5, -2}, {39, 82}, {-1 << 61, 1<<62 - 1}} {
		rapid.Check(t, func(t *rapid.T) {
			low, high := bounds[0], bounds[1]
			r := drawRanking(low, high).Draw(t, "rows")
			got, _ := threeParties(t, func(s *mpc.Session) rss.Vec {
				member := shared(s, r.member)
				return averageRanks(s, rankKey(s, shared(s, r.value), member, low, high), member)
			})
			if want := r.doubledRanks(); !slices.Equal(got, want) {
				t.Fatalf("%v within %v: got %v, want %v", r, bounds, got, want)
			}
		})
	}
}

// TestAverageRanksOfMany has runs that go beyond one batch of comparisons.
func TestAverageRanksOfMany(t *testing.T) {
	const n = 1000
	r := ranking{make([]int64, n), make([]int64, n)}
	for i := range int64(n) {
		if r.member[i] = min(1, i%7); r.member[i] == 1 {
			r.value[i] = i * i % 97
		}
	}
	got, _ := threeParties(t, func(s *mpc.Session) rss.Vec {
		member := shared(s, r.member)
		return averageRanks(s, rankKey(s, shared(s, r.value), member, 0, 96), member)
	})
	if !slices.Equal(got, r.doubledRanks()) {
		t.Error("the ranks of 1,000 rows are wrong")
	}
}

// TestAUC compares with a look at every pair; scores of rows that are no members,
// which are anything, do not matter.
func TestAUC(t *testing.T) {
	const width = 60
	rapid.Check(t, func(t *rapid.T) {
		r := drawRanking(-1<<width+1, 1<<width-1).Draw(t, "rows")
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
			a := aucOf(s, shared(s, score), width, shared(s, positive), shared(s, r.member))
			return rss.Narrow(s, rss.Concat(s, a.won, a.pairs))
		})
		if want := []int64{r.won(positive), p * n}; !slices.Equal(got, want) {
			t.Fatalf("%v of %v: got %v, want %v", positive, r, got, want)
		}
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
	beyond := func(n int) (rounds, bytes int) {
		key := rss.Key{Column: rss.Zero[ring.Vec64](n), Bits: 16}
		rounds, bytes = costOf(t, func(s *mpc.Session) rss.Vec { return averageRanks(s, key, key.Column) })
		r, b := costOf(t, func(s *mpc.Session) rss.Vec {
			sorted := rss.Permute(s.Step("sorted"), rss.SortPermutation(s.Step("order"), key), key.Column)[0]
			return rss.ToArith(s.Step("start"), rss.Equal(s.Step("same"), sorted, key.Column, key.Bits))
		})
		return rounds - r, (bytes - b) / n
	}
	rounds, _ := beyond(20)
	_, bytes := beyond(4096)
	if rounds != 11 || bytes != 82 {
		t.Errorf("ranks cost %d rounds and %d bytes a row beyond the sort, the comment says 11 and 82", rounds, bytes)
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
	golden(t, "ranktables.golden", all.String())
}
