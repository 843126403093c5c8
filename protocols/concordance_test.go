package protocols

import (
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/mpc/spool"
)

// TestConcordance holds the counts against a look at every pair: rows in the order
// of the risk sets, with ties of times and of scores, strata and rows outside the
// sample.
func TestConcordance(t *testing.T) {
	dir, err := spool.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 17, 40, 64, 65, 200, 300}).Draw(t, "n")
		many := rapid.SampledFrom([]int64{0, 2, 1 << 40}).Draw(t, "scores")
		longest := rapid.SampledFrom([]int{1, 4, 50}).Draw(t, "longest")
		strata := rapid.Bool().Draw(t, "strata")
		// Runs of censored rows and of events take turns, or follow each other.
		var run, event, stratum, score []int64
		for len(run) < n {
			last := len(run) - 1
			again := last >= 0 && rapid.IntRange(1, longest).Draw(t, "again") > 1
			if again {
				run, event, stratum = append(run, run[last]), append(event, event[last]), append(stratum, stratum[last])
			} else {
				run = append(run, int64(1))
				stratum = append(stratum, 1)
				if last >= 0 {
					run[last+1] = run[last] + 1
					stratum[last+1] = stratum[last] + int64(rapid.IntRange(0, 1).Draw(t, "border"))
				}
				event = append(event, int64(rapid.IntRange(0, 1).Draw(t, "event")))
			}
			score = append(score, rapid.Int64Range(-many, many).Draw(t, "score"))
		}
		if !strata {
			for i := range stratum {
				stratum[i] = 1
			}
		}
		survived := make([]int64, n)
		var all, tied, concordant int64
		for i := range run {
			for j := range i {
				if run[j] == run[i] || stratum[j] != stratum[i] {
					continue
				}
				survived[i]++
				all += event[i]
				switch {
				case event[i] == 0:
				case score[j] == score[i]:
					tied++
				case score[j] < score[i]:
					concordant++
				}
			}
		}
		withSpill(t, dir, func(spill *rss.Spill) {
			opened, _ := openedOf(t, func(s *mpc.Session) rss.Vec128 {
				order := make([][]int64, orderColumns)
				for k := range order {
					order[k] = make([]int64, n)
				}
				order[orderEvent], order[orderRun], order[orderStratum] = event, run, stratum
				c := &coxRows{n: n, order: chunked(s, spill, order...), comparable: shared(s, []int64{all})}
				if strata {
					c.strata = &runs{}
				}
				scores := chunked(s, spill, score)
				pairs := c.concordance(s.Step("pairs"), func(i int) rss.Vec { return scores.Get(s, i)[0] })
				return rss.Lift(s.Step("lift"), rss.Concat(s, pairs.all, pairs.tied, pairs.concordant))
			})
			for i, want := range []int64{all, tied, concordant} {
				if opened[i].Big().Int64() != want {
					t.Fatalf("all, tied and concordant pairs are %v, want %d, %d, %d", opened, all, tied, concordant)
				}
			}
		})
	})
}
