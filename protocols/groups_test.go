package protocols

import (
	"fmt"
	"testing"

	"consilium/job"
)

// TestDeclaredMillions: bounds are those of the declared rows, and so are the
// fractional bits; the results of few rows stay what they are.
func TestDeclaredMillions(t *testing.T) {
	leakFree(t)
	const declared = 1 << 31
	rows := manyRows(map[string]int{"a0": 6, "a1": 3, "b0": 4, "b1": 5, "c1": 3}, "1.5", "2")
	for i := range rows {
		rows[i][0] = fmt.Sprint(i * i % 11)
	}
	pair := keptRows(rows, func(r *comparedRow) bool { return r[2] != "c" })
	s := comparedStudy(t, 3, rows, func(r *job.Roster) {
		for i := range r.Datasets[0].Sites {
			r.Datasets[0].Sites[i].Rows = declared / 3
		}
	})
	oracle := func(status string, value map[string]any) map[string]any {
		if status != statusOK {
			t.Fatalf("the oracle says %q", status)
		}
		return value
	}
	for _, c := range []struct {
		analysis, where, args string
		want                  map[string]any
	}{
		{"ttest", "", `{"value":"v","group":"h"}`, oracle(tTestOracle(byLevel(rows, 3), false, 0.95))},
		{"ttest", "", `{"value":"v","group":"h","pooled":true}`, oracle(tTestOracle(byLevel(rows, 3), true, 0.95))},
		{"ttest", "", `{"value":["v","w"],"paired":true}`, oracle(pairedOracle(rows, 0.95))},
		{"anova", "", `{"value":"v","group":"g"}`, oracle(anovaOracle(byLevel(rows, 2)))},
		{"chisq", "", `{"row":"g","column":"h"}`, oracle(chiSquaredOracle(crossCounts(rows, 2, 3), false))},
		{"chisq", "g <> 'c'", `{"row":"g","column":"h","correct":true}`, oracle(chiSquaredOracle(crossCounts(pair, 2, 3), true))},
		{"oddsratio", "g <> 'c'", `{"exposure":"g","outcome":"h"}`, oracle(oddsOracle(crossCounts(pair, 2, 3)))},
	} {
		checkResult(t, fmt.Sprint(c.analysis, c.args), s.result(ask{"trial", c.analysis, c.where, c.args}), statusOK, c.want)
	}
}
