package policy

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consilium/organ/hla"
	"consilium/policies"
)

// today is the day of all runs here.
var today = time.Date(2024, 6, 1, 9, 30, 0, 0, time.UTC)

func shipped(t testing.TB, name string) *Policy {
	t.Helper()
	b, err := policies.FS.ReadFile(name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(b, policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const organ = "../../testdata/organ"

func readExample(t testing.TB, name string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(organ, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func readRows(t testing.TB, name string, read func(*os.File) (*Rows, error)) *Rows {
	t.Helper()
	f, err := os.Open(filepath.Join(organ, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := read(f)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestEtkasGivesEveryExpectedList, rank by rank.
func TestEtkasGivesEveryExpectedList(t *testing.T) {
	p := shipped(t, "etkas")
	candidates := readRows(t, "candidates.csv", func(f *os.File) (*Rows, error) { return p.ReadCandidates(f, today) })
	donors := readRows(t, "donors.csv", func(f *os.File) (*Rows, error) { return p.ReadDonors(f, today) })
	want := map[string][]string{}
	expected := readExample(t, "etkas_expected.csv")
	for _, row := range expected[1:] {
		want[row[0]] = append(want[row[0]], strings.Join(row[1:], " "))
	}
	if candidates.N != 2000 || donors.N != 8 || len(want) != 8 {
		t.Fatalf("%d candidates, %d donors, %d lists", candidates.N, donors.N, len(want))
	}
	compared := 0
	for d, name := range donors.Labels {
		list, err := p.Program.Evaluate(candidates, donors.Row(d))
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != len(want[name]) {
			t.Errorf("%s: %d candidates, want %d", name, len(list), len(want[name]))
			continue
		}
		for i, r := range list {
			got := fmt.Sprintf("%d %d %s %s %d", i+1, r.ID, p.Program.Tiers[r.Tier], Format(r.Points, p.Program.PointsStep), r.Shown[0])
			if got != want[name][i] {
				t.Errorf("%s: %s, want %s", name, got, want[name][i])
			}
			compared++
		}
	}
	if compared != len(expected)-1 {
		t.Errorf("%d rows compared of %d", compared, len(expected)-1)
	}
}

// TestEtkasIsSmall: what runs on shares has one sort key, tiers that need no check
// at run time, and two words of antigens.
func TestEtkasIsSmall(t *testing.T) {
	p := shipped(t, "etkas").Program
	if len(p.Sort) != 1 || p.Fault != -1 || len(p.Shown) != 1 {
		t.Errorf("%d sort keys, fault %d, %d shown", len(p.Sort), p.Fault, len(p.Shown))
	}
	count := map[Op]int{}
	for i := range p.Nodes {
		if n := &p.Nodes[i]; n.Candidate {
			count[n.Op]++
		}
	}
	want := map[Op]int{OpCountNew: 3, OpIntersects: 1, OpMul: 3, OpFloorDiv: 1, OpSelect: 1, OpEqual: 7}
	for op, n := range want {
		if count[op] != n {
			t.Errorf("%d nodes %s, want %d", count[op], op, n)
		}
	}
	for _, op := range []Op{OpLess, OpLookup, OpMin, OpMax} {
		if count[op] != 0 {
			t.Errorf("%d nodes %s", count[op], op)
		}
	}
	words := 0
	for _, in := range p.Candidate {
		if in.Kind == Word {
			words++
		}
	}
	if words != 2 || len(p.Candidate) > 21 {
		t.Errorf("%d words among %d inputs", words, len(p.Candidate))
	}
}

// TestTablesAreThePublishedOnes.
func TestTablesAreThePublishedOnes(t *testing.T) {
	for _, name := range []string{"hla_frequencies_eurotransplant.csv", "epts_percentile_2024.csv", "kdpi_percentile_2024.csv"} {
		want, err := os.ReadFile(filepath.Join(organ, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := policies.FS.ReadFile(name)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s differs (%v)", name, err)
		}
	}
}

// siteValues reads one row of a side and returns the values by name.
func siteValues(t *testing.T, s *side, cells map[string]string) map[string]datum {
	t.Helper()
	var header, line []string
	for _, v := range s.variables[:s.inputs] {
		for _, c := range v.columns {
			header = append(header, c)
			cell, ok := cells[c]
			if !ok {
				cell = filler(v)
			}
			line = append(line, cell)
		}
	}
	out := map[string]datum{}
	text := strings.Join(header, ",") + "\n" + strings.Join(line, ",") + "\n"
	err := s.read(strings.NewReader(text), today, func(_ string, values []datum) {
		for i, v := range s.variables {
			out[v.input.Name] = values[i]
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// filler is any value of a variable.
func filler(v *variable) string {
	switch v.kind {
	case number:
		return v.input.Min
	case category:
		return v.input.Values[0]
	case boolean:
		return "0"
	case date:
		return today.Format(dateForm)
	case typing:
		return hla.Antigens(v.locus)[0].String()
	case label:
		return "x"
	}
	return ""
}

// daysAgo is a date so many years of 365.25 days before the day of the run.
func daysAgo(years float64) string {
	return today.AddDate(0, 0, -int(math.Round(years*365.25))).Format(dateForm)
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestEPTS(t *testing.T) {
	p := shipped(t, "us-kidney")
	for _, c := range []struct {
		age, dialysis   float64
		diabetes, prior string
		raw, percent    float64
	}{
		{23.5838467, 5.0814511, "0", "1", 0.9666517, 9},
		{52.8788501, 0, "0", "0", 1.440306, 18},
		{22.5242984, 6.8747433, "1", "1", 1.868751, 32},
	} {
		cells := map[string]string{"born": daysAgo(c.age), "diabetes": c.diabetes, "prior_transplant": c.prior, "dialysis_since": ""}
		if c.dialysis > 0 {
			cells["dialysis_since"] = daysAgo(c.dialysis)
		}
		got := siteValues(t, p.candidate, cells)
		near(t, "raw EPTS", got["epts_raw"].number, c.raw, 1e-6)
		near(t, "EPTS", got["epts"].number, c.percent, 0)
	}
}

func TestKDPI(t *testing.T) {
	p := shipped(t, "us-kidney")
	for _, c := range []struct {
		cells        map[string]string
		kdri, expect float64
		tolerance    float64
	}{
		{map[string]string{
			"age": "52", "height_cm": "183", "weight_kg": "81", "hypertension": "yes", "diabetes": "no", "stroke": "1", "creatinine": "1.7", "dcd": "1",
		}, 1.3081317836685, 79, 1e-12},
		{map[string]string{
			"age": "40", "height_cm": "170", "weight_kg": "80", "hypertension": "no", "diabetes": "no", "stroke": "0", "creatinine": "1", "dcd": "0",
		}, 0.76393696, 20, 1e-8},
	} {
		got := siteValues(t, p.donor, c.cells)
		near(t, "KDRI", got["kdri"].number, c.kdri, c.tolerance)
		near(t, "KDPI", got["kdpi"].number, c.expect, 0)
	}
	// Beyond the cap of 8 creatinine makes no difference, and what is unknown counts
	// as its share among donors.
	cells := map[string]string{"age": "40", "height_cm": "170", "weight_kg": "80", "hypertension": "unknown", "diabetes": "unknown", "creatinine": "8"}
	eight := siteValues(t, p.donor, cells)["kdri"].number
	cells["creatinine"] = "12"
	if twelve := siteValues(t, p.donor, cells)["kdri"].number; twelve != eight {
		t.Errorf("KDRI is %v and %v", eight, twelve)
	}
	x := .1106*0.38116475987331 + .2577*0.14911770409153 + .2128*7 - .2199*6.5
	near(t, "KDRI", eight, math.Exp(x)/1.30900852563932, 1e-12)
}

func TestMELD3(t *testing.T) {
	p := shipped(t, "meld3-liver")
	for _, c := range []struct {
		sex                     string
		b, na, inr, cr, alb     string
		adult, child, dialysing float64 // MELD 3.0; 0 is not known
	}{
		{"male", "2.5", "131", "1", "1.2", "3.8", 16, 0, 0},
		{"female", "2.5", "131", "1", "1.2", "3.8", 17, 17, 0},
		{"male", "6", "131", "1.5", "1.5", "2.2", 26, 0, 0},
		{"female", "6", "131", "1.5", "1.5", "2.2", 27, 27, 0},
		{"female", "12", "128", "2.2", "2.8", "2.0", 39, 39, 0},
		{"male", "12", "128", "2.2", "2.8", "2.0", 38, 39, 0},
		{"male", "0.2", "150", "0.5", "0.3", "5", 6, 7, 18}, // all bounded; 11.14 ln 3 + 6 = 18.2
		{"female", "90", "110", "20", "9", "1", 40, 40, 40},
	} {
		cells := map[string]string{"sex": c.sex, "bilirubin": c.b, "sodium": c.na, "inr": c.inr, "creatinine": c.cr, "albumin": c.alb}
		for _, run := range []struct {
			born, dialysis string
			want           float64
		}{{daysAgo(50), "0", c.adult}, {daysAgo(17), "0", c.child}, {daysAgo(50), "1", c.dialysing}} {
			if run.want == 0 {
				continue
			}
			cells["born"], cells["dialysis"] = run.born, run.dialysis
			near(t, "MELD of "+c.sex+" "+c.b+" born "+run.born, siteValues(t, p.candidate, cells)["meld"].number, run.want, 0)
		}
	}
}

func TestMMP(t *testing.T) {
	p := shipped(t, "etkas")
	for _, c := range []struct {
		typing, abo, vpra string
		want              float64
	}{
		{"A1 A2 B7 B8 DR15 DR3", "A", "0", 0.5267148},
		{"A1 A2 B7 B8 DR15 DR3", "A", "0.85", 45.6034196},
		{"A2 A3 B27 B35 DR7 DR14", "O", "0.5", 50.9823884},
	} {
		cells := map[string]string{"abo": c.abo, "vpra": c.vpra}
		for i, column := range []string{"hla_a_1", "hla_a_2", "hla_b_1", "hla_b_2", "hla_dr_1", "hla_dr_2"} {
			cells[column] = strings.Fields(c.typing)[i]
		}
		near(t, "MMP", siteValues(t, p.candidate, cells)["mmp"].number, c.want, 1e-7)
	}
}

// TestFrequenciesOfOtherLevels: what the table does not list counts as what it is
// made of, or what it is part of.
func TestFrequenciesOfOtherLevels(t *testing.T) {
	p := shipped(t, "etkas")
	mmpOf := func(a, dr string) float64 {
		f := strings.Fields(a + " " + dr)
		return siteValues(t, p.candidate, map[string]string{
			"hla_a_1": f[0], "hla_a_2": f[1], "hla_b_1": "B7", "hla_b_2": "B8", "hla_dr_1": f[2], "hla_dr_2": f[3],
		})["mmp"].number
	}
	if a, b := mmpOf("A23 A1", "DR1 DR4"), mmpOf("A9 A1", "DR1 DR4"); a != b { // counted at broad level
		t.Errorf("A23 %v, A9 %v", a, b)
	}
	if a, b := mmpOf("A1 A2", "DR17 DR4"), mmpOf("A1 A2", "DR3 DR4"); a != b { // the table has no DR17
		t.Errorf("DR17 %v, DR3 %v", a, b)
	}
	if a, b := mmpOf("A1 A2", "DR2 DR2"), mmpOf("A1 A2", "DR15 DR16"); a != b { // DR2 is DR15 or DR16
		t.Errorf("DR2 %v, DR15 and DR16 %v", a, b)
	}
	if v, common := mmpOf("A43 A43", "DR1 DR4"), mmpOf("A36 A80", "DR1 DR4"); !(v > common && v <= 100) { // nobody in the table has A43
		t.Errorf("A43 %v, A36 and A80 %v", v, common)
	}
}

// TestExchangeArcs counts the arcs of every pool.
func TestExchangeArcs(t *testing.T) {
	p := shipped(t, "kidney-exchange")
	rows := readExample(t, "exchange_pairs.csv")
	for _, expected := range readExample(t, "exchange_expected.csv")[1:] {
		var text strings.Builder
		w := csv.NewWriter(&text)
		if err := w.Write(rows[0]); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			if row[0] == expected[0] {
				if err := w.Write(row); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Flush()
		recipients, err := p.ReadCandidates(strings.NewReader(text.String()), today)
		if err != nil {
			t.Fatal(err)
		}
		donors, err := p.ReadDonors(strings.NewReader(text.String()), today)
		if err != nil {
			t.Fatal(err)
		}
		arcs := 0
		for i := range donors.N {
			for j := range recipients.N {
				if i != j && p.Program.Run(recipients.Row(j), donors.Row(i))[p.Program.Eligible] == 1 {
					arcs++
				}
			}
		}
		if got := fmt.Sprint(arcs); got != expected[2] || recipients.N == 0 {
			t.Errorf("pool of %s: %s arcs, want %s", expected[0], got, expected[2])
		}
	}
}

// TestUnitedStatesClasses ranks a small list by hand.
func TestUnitedStatesClasses(t *testing.T) {
	p := shipped(t, "us-kidney")
	if p.Program.Fault != -1 {
		t.Error("the classes exclude each other by construction, and this is not seen")
	}
	header := "id,abo,accepts_a2,born,waiting_since,dialysis_since,diabetes,prior_transplant,prior_living_donor,paediatric,cpra,east,north,hla_a_1,hla_a_2,hla_b_1,hla_b_2,hla_dr_1,hla_dr_2,unacceptable\n"
	type who struct {
		id                      int
		abo, a2                 string
		age                     float64
		waiting                 int
		living, child, cpra, at string
		typing, unacceptable    string
	}
	const far, close, matched, other = "900,0", "100,200", "A1,A2,B7,B8,DR3,DR15", "A3,A11,B27,B35,DR1,DR4"
	text := header
	for _, w := range []who{
		{1, "O", "", 60, 365, "0", "0", "0", far, other, ""},
		{2, "O", "", 60, 365, "0", "0", "0", close, other, ""},
		{3, "O", "", 60, 366, "0", "0", "0", close, other, ""},
		{4, "O", "", 60, 730, "0", "0", "25", close, "A3,A11,B27,B35,DR3,DR15", ""}, // 2 + .08 + 2
		{5, "O", "", 60, 1460, "0", "0", "0", close, other, ""},                     // 4 + 0 + 0
		{6, "O", "", 60, 1, "0", "0", "100", far, other, ""},
		{7, "O", "", 60, 1, "0", "0", "98", far, other, ""},
		{8, "O", "", 60, 1, "1", "0", "0", far, other, ""},
		{9, "O", "", 12, 1, "0", "1", "0", far, other, ""},
		{10, "O", "", 60, 9, "0", "0", "0", far, matched, ""}, // no mismatch, KDPI above 20
		{11, "O", "", 60, 9, "0", "0", "100", far, matched, "A2"},
		{12, "A", "", 60, 9, "0", "0", "100", far, matched, ""},
	} {
		text += fmt.Sprintf("%d,%s,%s,%s,%s,,0,0,%s,%s,%s,%s,%s,%s\n", w.id, w.abo, w.a2, daysAgo(w.age),
			today.AddDate(0, 0, -w.waiting).Format(dateForm), w.living, w.child, w.cpra, w.at, w.typing, w.unacceptable)
	}
	candidates, err := p.ReadCandidates(strings.NewReader(text), today)
	if err != nil {
		t.Fatal(err)
	}
	donor := func(abo, creatinine string) []int64 {
		rows, err := p.ReadDonors(strings.NewReader("id,abo,age,height_cm,weight_kg,hypertension,diabetes,stroke,creatinine,dcd,east,north,hla_a_1,hla_a_2,hla_b_1,hla_b_2,hla_dr_1,hla_dr_2\n"+
			"d,"+abo+",45,170,80,no,no,0,"+creatinine+",0,0,0,"+matched+"\n"), today)
		if err != nil {
			t.Fatal(err)
		}
		return rows.Row(0)
	}
	order := func(d []int64) string {
		list, err := p.Program.Evaluate(candidates, d)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, r := range list {
			out = append(out, fmt.Sprintf("%d %s", r.ID, p.Program.Tiers[r.Tier]))
		}
		return strings.Join(out, ", ")
	}
	want := "6 CPRA 100, 7 CPRA 98, 10 no mismatch, 8 prior living donor, 9 paediatric, 4 near, 5 near, 3 near, 2 near, 1 national"
	all := strings.Replace(want, "6 CPRA 100", "12 CPRA 100, 6 CPRA 100", 1)
	if got := order(donor("O", "1")); got != all {
		t.Errorf("%s\nwant %s", got, all)
	}
	if got := order(donor("A2", "1")); got != "12 CPRA 100" {
		t.Errorf("A2: %s", got)
	}
	if got := order(donor("AB", "1")); got != "" {
		t.Errorf("AB: %s", got)
	}
	list, err := p.Program.Evaluate(candidates, donor("O", "1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if want, ok := map[int64]string{3: "1.00273972602740", 4: "4.08", 5: "4"}[r.ID]; ok {
			if got := Format(r.Points, p.Program.PointsStep); !strings.HasPrefix(want, got) {
				t.Errorf("candidate %d has %s points, want %s", r.ID, got, want)
			}
		}
	}
}

// TestPolicyHashes are what records of runs carry: a change here is a new version
// of the policy.
func TestPolicyHashes(t *testing.T) {
	for _, name := range []string{"etkas", "us-kidney", "meld3-liver", "kidney-exchange", "kidney-exchange-weighted"} {
		p := shipped(t, name)
		again, err := Decode(p.Canonical())
		if err != nil {
			t.Fatal(err)
		}
		if again.Hash != p.Hash || len(again.Program.Nodes) != len(p.Program.Nodes) {
			t.Errorf("%s: decoded, its hash is %s, not %s", name, again.Hash, p.Hash)
		}
		for i := range p.Program.Nodes {
			if fmt.Sprint(again.Program.Nodes[i]) != fmt.Sprint(p.Program.Nodes[i]) {
				t.Fatalf("%s: node %d differs when decoded", name, i)
			}
		}
		if strings.Contains(string(p.Canonical()), "\"file\"") {
			t.Errorf("%s: a table is not inline", name)
		}
	}
}
