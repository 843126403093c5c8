package render

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"go.uber.org/goleak"

	"consilium/job"
	"consilium/protocols"
	"consilium/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var id = job.Hash{0x3f, 0x2a, 0x91}

var describe = &protocols.Result{
	Status: "ok",
	Value: map[string]any{
		"age":      map[string]any{"n": int64(228), "missing": int64(0), "mean": 62.44736842105263, "sd": 9.07345686},
		"meal_cal": map[string]any{"n": int64(181), "missing": int64(47), "mean": 928.7790055248619, "sd": 402.17475},
		"wt_loss":  map[string]any{"n": int64(1), "missing": int64(227), "mean": -2.5, "sd": nil},
	},
	Tables: []protocols.Table{{
		Title:  "Descriptive statistics",
		Header: []string{"Variable", "n", "Missing", "Mean", "SD"},
		Rows: [][]string{
			{"age (years)", "228", "0", "62.4", "9.1"},
			{"meal_cal (kcal)", "181", "47", "928.78", "402.17"},
			{"wt_loss (lb)", "1", "227", "-2.5", "-"},
		},
		Notes: []string{"Dataset lung, all rows.", "SD with n - 1."},
	}},
}

var clinical = &protocols.Result{
	Status: "ok",
	Value: map[string]any{
		"term": []any{"age", "sex"}, "coef": []any{0.017, -0.513}, "n": int64(228),
		"loglik": map[string]any{"null": -749.91, "fitted": -742.85},
	},
	Tables: []protocols.Table{
		{
			Title:  "Cox proportional hazards",
			Header: []string{"Term", "Hazard ratio (95 % CI)", "p"},
			Rows: [][]string{
				{"age", "1.02 (1.00 to 1.04)", "0.065"},
				{"sex2", "0.60 (0.43 to 0.83)", "0.0023"},
				{"naïve größe", "12.5 (0.9 to 170.1)", "<0.001"},
			},
			Notes: []string{"Efron ties; 228 rows, 165 events."},
		},
		{Title: "Levels", Header: []string{"Level", "n (%)"}, Rows: [][]string{{"[0, 50)", "7 (3.1 %)"}, {"[50, 120]", "221 (96.9 %)"}, {"Total", "228"}}},
	},
}

var suppressed = &protocols.Result{Status: "suppressed", Reason: "a number of rows is below the study's minimum; ask about more patients"}

func TestText(t *testing.T) {
	for name, r := range map[string]*protocols.Result{"describe": describe, "clinical": clinical, "suppressed": suppressed} {
		for suffix, styled := range map[string]bool{"plain.txt": false, "styled.txt": true} {
			var b strings.Builder
			if err := Text(&b, r, Page{Lines: styled}); err != nil {
				t.Fatal(err)
			}
			testkit.Golden(t, name+"."+suffix, b.String())
			if !styled && strings.ContainsRune(b.String(), '\x1b') {
				t.Errorf("%s: plain text with an escape sequence", name)
			}
		}
	}
}

func TestTableOfAnyShape(t *testing.T) {
	for _, table := range []protocols.Table{
		{},
		{Title: "only a title"},
		{Notes: []string{"only a note"}},
		{Header: []string{"only", "a header"}},
		{Rows: [][]string{{"no"}, {"header", "2"}}},
		{Header: []string{"a", "b", "c"}, Rows: [][]string{{"short"}, nil}},
	} {
		var b strings.Builder
		if err := Table(&b, table, Page{}); err != nil {
			t.Fatal(err)
		}
		for _, text := range append(append(append([]string{table.Title}, table.Header...), table.Notes...), flat(table.Rows)...) {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%q is missing in\n%s", text, b.String())
			}
		}
	}
}

// A table that is wider than the page goes on below.
func TestWideTable(t *testing.T) {
	wide := protocols.Table{Title: "Spearman correlation", Header: []string{"", "age", "ph_karno", "pat_karno", "meal_cal", "wt_loss"}}
	for _, name := range wide.Header[1:] {
		wide.Rows = append(wide.Rows, []string{name, "1.000", "−0.213", "0.004", "-", "−0.050"})
	}
	wide.Notes = []string{"Pairwise, n = 180."}
	var b strings.Builder
	if err := Table(&b, wide, Page{Width: 40}); err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "wide.txt", b.String())
	for line := range strings.Lines(b.String()) {
		if n := lipgloss.Width(strings.TrimSpace(line)); n > 40 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	for _, width := range []int{0, 100} {
		b.Reset()
		if err := Table(&b, wide, Page{Width: width}); err != nil || strings.Count(b.String(), "meal_cal") != 2 {
			t.Errorf("on a page of %d:\n%s", width, b.String())
		}
	}
	two := protocols.Table{Header: []string{"sex", "Variable", "Mean"}, Rows: [][]string{{"1", "age (years)", "62.4"}}}
	for _, width := range []int{1, 10, 22} { // nothing fits: the keys and a figure are never parted
		b.Reset()
		if err := Table(&b, two, Page{Width: width}); err != nil || strings.Count(b.String(), "62.4") != 1 {
			t.Errorf("on a page of %d:\n%s", width, b.String())
		}
	}
}

// A table as long as a whole curve: a row is a line, and all stand under each other.
func TestLongTable(t *testing.T) {
	curve := protocols.Table{Header: []string{"time (days)", "At risk", "Survival (95% CI)"}}
	for i := range 180 {
		curve.Rows = append(curve.Rows, []string{strconv.Itoa(5 * i), strconv.Itoa(228 - i), fmt.Sprintf("%.3f (%.3f to 1.000)", 1-float64(i)/200, 0.9-float64(i)/250)})
	}
	var b strings.Builder
	if err := Table(&b, curve, Page{Width: 80}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if rules := 4; len(lines) != len(curve.Rows)+rules {
		t.Fatalf("%d lines of %d rows", len(lines), len(curve.Rows))
	}
	for _, line := range lines[3 : len(lines)-1] {
		if strings.Index(line, "(") != strings.Index(lines[3], "(") || len(line) != len(lines[3]) {
			t.Errorf("out of line:\n%s\n%s", lines[3], line)
		}
	}
}

// Every shape of a result that the reference has comes out of JSON as it went in,
// and out of CSV figure by figure.
func TestShapesOfResults(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "reference", "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			ID     string
			Expect map[string]any
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		r := &protocols.Result{Status: "ok", Value: c.Expect}
		var b strings.Builder
		if err := JSON(&b, id, r); err != nil {
			t.Fatal(c.ID, err)
		}
		var back struct{ Value map[string]any }
		if err := json.Unmarshal([]byte(b.String()), &back); err != nil || !reflect.DeepEqual(back.Value, c.Expect) {
			t.Errorf("%s: JSON gives %v, %v", c.ID, back.Value, err)
		}
		b.Reset()
		if err := CSV(&b, id, r); err != nil {
			t.Fatal(c.ID, err)
		}
		records, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil {
			t.Fatal(c.ID, err)
		}
		found := 0
		for _, record := range records[1:] {
			if got := figureAt(c.Expect, record[2:len(record)-1]); got != record[len(record)-1] {
				t.Errorf("%s: %v is %q in the result", c.ID, record, got)
			}
			found++
		}
		if want := leaves(c.Expect); found != want {
			t.Errorf("%s: %d lines of %d figures", c.ID, found, want)
		}
	}
}

// figureAt follows a CSV line's keys.
func figureAt(v any, keys []string) string {
	for _, key := range keys {
		switch m := v.(type) {
		case map[string]any:
			v = m[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil {
				return err.Error()
			}
			v = m[i-1]
		}
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func leaves(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += leaves(e)
		}
	case []any:
		for _, e := range v {
			n += leaves(e)
		}
	default:
		return 1
	}
	return n
}

func flat(rows [][]string) (cells []string) {
	for _, r := range rows {
		cells = append(cells, r...)
	}
	return cells
}

func TestTextStripsForeignControl(t *testing.T) {
	var b strings.Builder
	r := &protocols.Result{Status: "\x1b[2Jodd", Tables: []protocols.Table{{
		Title: "a\x1b[31m", Header: []string{"b\x07"}, Rows: [][]string{{"c\nd", "one cell too many"}}, Notes: []string{"e\x00"},
	}}}
	if err := Text(&b, r, Page{}); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(b.String(), func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("a control character at %d of %q", i, b.String())
	}
	if !strings.Contains(b.String(), "c d") {
		t.Errorf("a cell of two lines prints as %q", b.String())
	}
}

func TestAlignDecimals(t *testing.T) {
	for _, c := range []struct {
		cells, want []string
		figures     bool
	}{
		{[]string{"1", "22", "333"}, []string{"  1", " 22", "333"}, true},
		{[]string{"1.5", "-22", "<0.001"}, []string{"  1.5  ", "-22    ", " <0.001"}, true},
		{[]string{"1e-05", "0.25"}, []string{"1e-05", "0.25 "}, true},
		{[]string{"7 (3.1 %)", "221 (96.9 %)"}, []string{"  7 (3.1 %) ", "221 (96.9 %)"}, true},
		{[]string{"-", "12.5", ""}, []string{" -  ", "12.5", "    "}, true},
		{[]string{"1.02 (0.95 to 1.10)", "−14.8 (−3.1 to 2)", "–"}, []string{"  1.02 (0.95 to 1.10)", "−14.8 (−3.1 to 2)    ", "  –                  "}, true},
		{[]string{"2.5e−07", "<0.001"}, []string{" 2.5e−07", "<0.001  "}, true},
		{[]string{"f", "1"}, []string{"f", "1"}, false},
		{[]string{"[1, 2)", "3"}, []string{"[1, 2)", "3"}, false},
		{[]string{"-", ""}, []string{"-", ""}, false},
		{[]string{"2026-01-02", "1"}, []string{"2026-01-02", "1"}, false},
		{nil, nil, false},
	} {
		got, figures := alignDecimals(c.cells)
		if figures != c.figures || strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("alignDecimals(%q) = %q, %v; want %q, %v", c.cells, got, figures, c.want, c.figures)
		}
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := JSON(&b, id, describe); err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "describe.json", b.String())
	var back struct {
		Job, Status string
		Value       map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	if back.Job != id.String() || back.Value["age"]["mean"] != 62.44736842105263 {
		t.Errorf("read back %+v", back)
	}
	b.Reset()
	if err := JSON(&b, id, suppressed); err != nil || !strings.Contains(b.String(), `"value": null`) || !strings.Contains(b.String(), `"reason": "a number`) {
		t.Errorf("suppressed: %s, %v", b.String(), err)
	}
	if err := JSON(&b, id, &protocols.Result{Status: "ok", Value: math.NaN()}); err == nil {
		t.Error("a NaN was printed")
	}
}

func TestCSV(t *testing.T) {
	for name, r := range map[string]*protocols.Result{
		"describe": describe, "clinical": clinical, "suppressed": suppressed,
		"counts": {Status: "ok", Value: map[string]any{"counts": []any{int64(3), int64(0)}}},
		"levels": {Status: "ok", Value: map[string]any{
			"10": map[string]any{"f, \"quoted\"": int64(1)}, "9": map[string]any{"f": int64(2)}, "-0.5": map[string]any{"f": int64(3)},
		}},
		"nothing": {Status: "ok", Value: map[string]any{}},
		"one":     {Status: "ok", Value: 1e-300},
	} {
		var b strings.Builder
		if err := CSV(&b, id, r); err != nil {
			t.Fatal(err)
		}
		testkit.Golden(t, name+".csv", b.String())
		records, err := csv.NewReader(strings.NewReader(b.String())).ReadAll() // refuses ragged lines
		if err != nil || len(records) < 2 {
			t.Errorf("%s: %d lines, %v", name, len(records), err)
		}
	}
	var b strings.Builder
	if err := CSV(&b, id, &protocols.Result{Status: "ok", Value: []any{math.Inf(1)}}); err == nil {
		t.Error("an infinity was printed")
	}
}

// A caveat is in every form of a result, whatever its status.
func TestCaveat(t *testing.T) {
	const caveat = "synthetic data: the numbers mean nothing"
	for _, r := range []protocols.Result{*describe, {Status: "empty", Reason: "no row is selected"}} {
		r.Caveat = caveat
		var text, asJSON, asCSV strings.Builder
		if err := errors.Join(Text(&text, &r, Page{}), JSON(&asJSON, id, &r), CSV(&asCSV, id, &r)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), "Synthetic data: the numbers mean nothing.\n") {
			t.Errorf("not in the text:\n%s", text.String())
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(asJSON.String()), &fields); err != nil || fields["caveat"] != caveat {
			t.Errorf("%v, not in the JSON:\n%s", err, asJSON.String())
		}
		lines := strings.Split(asCSV.String(), "\n")
		if !strings.Contains(lines[1], ",caveat,") || !strings.HasSuffix(lines[1], ","+caveat) {
			t.Errorf("not in the first line of the CSV:\n%s", asCSV.String())
		}
	}
}
