package protocols

import (
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// TestConcordance holds the counts against a look at every pair: rows in the order
// of the risk sets, with ties of times and of scores, strata and rows outside the
// sample.
func TestConcordance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		many := rapid.SampledFrom([]int64{0, 2, 1 << 40}).Draw(t, "scores")
		longest := rapid.IntRange(1, 4).Draw(t, "longest")
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
		opened, _ := openedOf(t, func(s *mpc.Session) rss.Vec128 {
			c := &coxRows{n: n, events: shared(s, event), run: shared(s, run), survived: shared(s, survived)}
			if strata {
				c.stratum, c.strata = shared(s, stratum), &runs{}
			}
			pairs := c.concordance(s.Step("pairs"), shared(s, score))
			return rss.Lift(s.Step("lift"), rss.Concat(s, pairs.all, pairs.tied, pairs.concordant))
		})
		for i, want := range []int64{all, tied, concordant} {
			if opened[i].Big().Int64() != want {
				t.Fatalf("all, tied and concordant pairs are %v, want %d, %d, %d", opened, all, tied, concordant)
			}
		}
	})
}
