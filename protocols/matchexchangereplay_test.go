package protocols

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"consilium/job"
	"consilium/organ/policy"
)

// copied are runs that can be changed, as an auditor reads them from files.
func copied(t *testing.T, runs []*MatchRun) []*MatchRun {
	t.Helper()
	var out []*MatchRun
	for _, run := range runs {
		text, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		again := &MatchRun{}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(again); err != nil {
			t.Fatal(err)
		}
		out = append(out, again)
	}
	return out
}

func toldRows(run *MatchRun) []any { return run.Result.Value.(map[string]any)["rows"].([]any) }

// setRows replaces what a site was told.
func setRows(run *MatchRun, rows []any) { run.Result.Value.(map[string]any)["rows"] = rows }

// TestMatchExchangeIsReplayed in both modes, with and without weights, and with rows for
// the office.
func TestMatchExchangeIsReplayed(t *testing.T) {
	weighted := changedExchange(t, "entitlement:", "weight: 'donor.abo == candidate.abo ? 2 : 1'\nexact: weight\nentitlement:")
	for _, c := range []struct {
		policy *policy.Policy
		args   string
		at     []int
	}{
		{entitled(t, "[run]"), `{"cycle":3}`, []int{0, 1, 2, 3}},
		{entitled(t, "[run, candidate, hospital]"), `{"cycle":2}`, []int{0, 1, 4, 4}},
		{entitled(t, "[run, hospital]"), `{"cycle":3,"mode":"exact"}`, []int{3, 3, 4, 4}},
		{weighted, `{"cycle":3}`, []int{0, 1, 2, 3}},
		{weighted, `{"cycle":3,"mode":"exact"}`, []int{3, 3, 4, 4}},
	} {
		e := newPool(t, c.policy, "20", 2, c.at)
		plan, opened := e.match(MatchExchange, "pairs", c.args).opened()
		runs := e.sitesRuns()
		result, err := plan.Replay(t.Context(), opened, copied(t, runs))
		if err != nil {
			t.Fatalf("%s: %v", c.args, err)
		}
		table := result.Tables[len(result.Tables)-1]
		if n := transplants(result); n == 0 || len(table.Rows) != n {
			t.Errorf("%s: %d transplants, and a table of %d", c.args, n, len(table.Rows))
		}
	}
}

// sitesRuns are the latest of the nodes that have pairs.
func (e *exchangePool) sitesRuns() []*MatchRun {
	var runs []*MatchRun
	for node := range studyNodes {
		if len(e.runs[node].runs) > 0 {
			runs = append(runs, e.last(node))
		}
	}
	return runs
}

// TestTamperedExchanges: an auditor sees what is wrong.
func TestTamperedExchanges(t *testing.T) {
	e := newPool(t, entitled(t, "[run, candidate, hospital]"), "20", 1, []int{0, 1, 2, 3})
	plan, opened := e.match(MatchExchange, "pairs", `{"cycle":3}`).opened()
	at := -1 // a site with rows
	for i, run := range e.sitesRuns() {
		if len(toldRows(run)) > 0 {
			at = i
		}
	}
	own := func(runs []*MatchRun) map[string]any { return toldRows(runs[at])[0].(map[string]any) }
	for name, c := range map[string]struct {
		change func(runs []*MatchRun) []*MatchRun
		want   string
	}{
		"a file is missing": {func(r []*MatchRun) []*MatchRun { return r[1:] }, "the input of hospital-1 of list pairs is missing"},
		"an input is changed": {func(r []*MatchRun) []*MatchRun {
			r[2].Inputs[1].Text = strings.Replace(r[2].Inputs[1].Text, ",1\n", ",0\n", 1)
			return r
		}, "what hospital-3 shows of list pairs is not what it had committed to"},
		"a result is missing": {func(r []*MatchRun) []*MatchRun { r[at].Result = nil; return r }, "was told is missing"},
		"rows are left out":   {func(r []*MatchRun) []*MatchRun { setRows(r[at], []any{}); return r }, "says nothing of pair"},
		"a pair that nobody has": {func(r []*MatchRun) []*MatchRun {
			own(r)["to_candidate"] = json.Number("9000")
			return r
		}, `was told of pair "9000", which no hospital put in`},
		"no number": {func(r []*MatchRun) []*MatchRun { own(r)["to_candidate"] = []any{}; return r }, "which no hospital put in"},
		"another pair": {func(r []*MatchRun) []*MatchRun {
			own(r)["to_candidate"], own(r)["to_hospital"] = own(r)["candidate"], r[at].Site
			return r
		}, "contradicts what others were told"},
		"another hospital": {func(r []*MatchRun) []*MatchRun { own(r)["to_hospital"] = "hospital-9"; return r }, `is at "hospital-9"`},
		"no row":           {func(r []*MatchRun) []*MatchRun { setRows(r[at], []any{"x"}); return r }, "none of an exchange"},
		"another run":      {func(r []*MatchRun) []*MatchRun { r[3].Job = job.Hash{1}; return r }, "hospital-4"},
		"nobody gives":     {func(r []*MatchRun) []*MatchRun { return withoutRows(r) }, "the office was told of"},
	} {
		if _, err := plan.Replay(t.Context(), opened, c.change(copied(t, e.sitesRuns()))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	// The office and all hospitals tell of nobody, and yet there were cycles.
	none := maps.Clone(opened)
	for name, values := range opened {
		if name == outputTransplants || name == outputMatched || strings.HasSuffix(name, "candidate") || strings.HasSuffix(name, "hospital") {
			none[name] = bigs(make([]uint64, len(values)))
		}
	}
	if _, err := plan.Replay(t.Context(), none, withoutRows(copied(t, e.sitesRuns()))); err == nil || !strings.Contains(err.Error(), "stands in the way of, and it was not chosen") {
		t.Errorf("cycles are left out: %v", err)
	}
	// The office tells of other pairs.
	other := maps.Clone(opened)
	other["candidate"], other["from_candidate"] = opened["from_candidate"], opened["candidate"]
	if _, err := plan.Replay(t.Context(), other, copied(t, e.sitesRuns())); err == nil || !strings.Contains(err.Error(), "the office was told other transplants") {
		t.Errorf("the office's rows: %v", err)
	}
	if _, err := plan.Replay(t.Context(), opened, copied(t, e.sitesRuns())); err != nil {
		t.Errorf("what nobody has touched: %v", err)
	}
}

// withoutRows has every site be told of nobody.
func withoutRows(runs []*MatchRun) []*MatchRun {
	for _, run := range runs {
		setRows(run, []any{})
	}
	return runs
}

// TestReplayNeedsPartners: where hospitals do not learn their partners there is nothing to
// replay.
func TestReplayNeedsPartners(t *testing.T) {
	e := newPool(t, changedExchange(t, "hospital: [run, candidate, hospital]", "hospital: [run, hospital]"), "20", 0, []int{0, 1, 2, 3})
	plan, opened := e.match(MatchExchange, "pairs", `{"cycle":2}`).opened()
	if _, err := plan.Replay(t.Context(), opened, e.sitesRuns()); err == nil || !strings.Contains(err.Error(), "the policy tells no hospital which pairs") {
		t.Error(err)
	}
}

// TestDuplicatesAreReplayed: a pair that stands twice ends the run, and nothing else does.
func TestDuplicatesAreReplayed(t *testing.T) {
	e := newPool(t, shippedPolicy(t, "kidney-exchange"), "20", 1, []int{0, 1, 2, 3})
	e.repeatPair()
	plan, opened := e.match(MatchExchange, "pairs", `{"cycle":2}`).opened()
	if result, err := plan.Replay(t.Context(), opened, e.sitesRuns()); err != nil || result.Status != statusDuplicates {
		t.Errorf("%v", err)
	}
	opened[statusOutput] = bigs([]uint64{0})
	if _, err := plan.Replay(t.Context(), opened, e.sitesRuns()); err == nil || !strings.Contains(err.Error(), `the run ended as "ok" and its inputs give "duplicates"`) {
		t.Error(err)
	}
}
