package policy

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/organ/hla"
)

// person is a candidate or a donor of the rule below. Antigens are names.
type person struct {
	id                                  int
	abo, country, region                string
	paediatric, urgent                  bool
	vpra, dialysis, returned            float64
	national, regional                  int
	hla                                 [3][2]string // A, B, DR
	unacceptable                        []string
	vpraText, dialysisText, returnedTxt string
}

// plainRule is ETKAS as the rules state it, over names of antigens and maps: an
// independent writing of what policies/etkas.yaml says.
type plainRule struct {
	broads map[string]string             // split to broad
	share  map[string]map[string]float64 // locus and level: frequency by antigen
}

func newPlainRule(t testing.TB) *plainRule {
	r := &plainRule{broads: map[string]string{}, share: map[string]map[string]float64{}}
	read := func(name string) [][]string {
		b, err := os.ReadFile(filepath.Join(organ, name))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows[1:]
	}
	for _, row := range read("hla_broad_split.csv") {
		for _, s := range strings.Fields(row[2]) {
			r.broads[row[0]+s] = row[0] + row[1]
		}
	}
	for _, row := range read("hla_frequencies_eurotransplant.csv") {
		f, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		key := row[0] + " " + row[1]
		if r.share[key] == nil {
			r.share[key] = map[string]float64{}
		}
		r.share[key][row[2]] = f
	}
	return r
}

func (r *plainRule) broad(a string) string {
	if b, ok := r.broads[a]; ok {
		return b
	}
	return a
}

// counted is the antigens of a locus at the level at which mismatches count.
func (r *plainRule) counted(p *person, locus int) map[string]bool {
	out := map[string]bool{}
	for _, a := range p.hla[locus] {
		if locus < 2 {
			a = r.broad(a)
		}
		out[a] = true
	}
	return out
}

func (r *plainRule) mmp(c *person) float64 {
	group := map[string]float64{"A": .4174, "AB": .0416, "B": .1148, "O": .440}[c.abo]
	var x2, off [3]float64
	for l, key := range []string{"A broad", "B broad", "DR split"} {
		own, x := r.counted(c, l), 0.0
		for a, f := range r.share[key] {
			if own[a] {
				x += f
			}
		}
		x2[l], off[l] = x*x, 2*x*(1-x)
		for a, f := range r.share[key] {
			if !own[a] {
				off[l] += f * f
			}
		}
	}
	good := x2[0]*x2[1]*x2[2] + off[0]*x2[1]*x2[2] + x2[0]*off[1]*x2[2] + x2[0]*x2[1]*off[2]
	return 100 * math.Pow(1-group*(1-c.vpra)*good, 1000)
}

// place is where a candidate comes to stand.
type place struct {
	id, tier, points, mismatches int
	dialysis                     float64
}

// judge returns a candidate's place, and whether he is eligible.
func (r *plainRule) judge(d, c *person) (place, bool) {
	have := map[string]bool{}
	for _, pair := range d.hla {
		for _, a := range pair {
			have[a], have[r.broad(a)] = true, true
		}
	}
	if d.abo != c.abo || slices.ContainsFunc(c.unacceptable, func(a string) bool { return have[a] }) {
		return place{}, false
	}
	var mm [3]int
	homozygous := [2]int{} // loci of donor and candidate
	for l := range 3 {
		for a := range r.counted(d, l) {
			if !r.counted(c, l)[a] {
				mm[l]++
			}
		}
		for i, p := range []*person{d, c} {
			if p.hla[l][0] == p.hla[l][1] {
				homozygous[i]++
			}
		}
	}
	out := place{id: c.id, mismatches: mm[0] + mm[1] + mm[2], dialysis: c.dialysis}
	switch {
	case out.mismatches == 0 && homozygous[0] == 3:
		out.tier = 3 - homozygous[1]
	case out.mismatches == 0:
		out.tier = 3
	case c.paediatric && d.paediatric:
		out.tier = 4
	default:
		out.tier = 5
	}
	isRegional := func(country string) bool { return country == "AT" || country == "BE" || country == "DE" }
	match := 400 - 66.66666*float64(mm[0]+mm[1]) - 66.66667*float64(mm[2])
	points := 33.333333*(c.dialysis+c.returned) + r.mmp(c) + 30*float64(c.national)
	if c.paediatric {
		points += 100 + match
	}
	points += match
	if c.urgent {
		points += 500
	}
	if isRegional(d.country) && isRegional(c.country) {
		points += float64(c.regional)
	}
	if d.country == c.country {
		points += 100
		if !isRegional(d.country) || d.region == c.region {
			points += 200
		}
	}
	// Halves go up, which binary floating point would leave to chance: all terms are
	// whole multiples of 1e-9, or declared as such.
	out.points = int(math.Floor(math.Round(points*1e9)/1e9 + .5))
	return out, true
}

// rank orders all eligible candidates.
func (r *plainRule) rank(d *person, all []*person) []place {
	var out []place
	for _, c := range all {
		if p, ok := r.judge(d, c); ok {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b place) int {
		switch {
		case a.tier != b.tier:
			return a.tier - b.tier
		case a.points != b.points:
			return b.points - a.points
		case a.mismatches != b.mismatches:
			return b.mismatches - a.mismatches
		case a.dialysis != b.dialysis:
			if a.dialysis > b.dialysis {
				return -1
			}
			return 1
		}
		return a.id - b.id
	})
	return out
}

// someone draws a person of few antigens, so that matches are common, at either
// level.
func (r *plainRule) someone(t *rapid.T, label string, id int) *person {
	pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label+what) }
	p := &person{id: id}
	p.abo = pick("abo", "A", "A", "O", "B", "AB")
	p.country = pick("country", "AT", "BE", "DE", "NL", "HR")
	p.region = p.country + pick("region", "1", "2")
	p.paediatric, p.urgent = pick("age", "0", "1") == "1", pick("urgency", "0", "0", "1") == "1"
	thousandths := func(what string, most int) (float64, string) {
		n := rapid.IntRange(0, most).Draw(t, label+what)
		text := fmt.Sprintf("%d.%03d", n/1000, n%1000)
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f, text
	}
	p.vpra, p.vpraText = thousandths("vpra", 1000)
	p.dialysis, p.dialysisText = thousandths("dialysis", rapid.SampledFrom([]int{0, 20, 30000, 80000}).Draw(t, label+"most"))
	p.returned, p.returnedTxt = thousandths("returned", 3000)
	p.national, p.regional = rapid.IntRange(-50, 50).Draw(t, label+"nb"), rapid.IntRange(-100, 100).Draw(t, label+"rb")
	few := [3][]string{{"A1", "A2", "A9", "A23", "A24", "A10"}, {"B5", "B51", "B52", "B7", "B8"}, {"DR15", "DR16", "DR7", "DR1"}}
	for l := range few {
		for k := range 2 {
			p.hla[l][k] = pick(fmt.Sprint("hla", l, k), few[l]...)
		}
	}
	for _, a := range slices.Concat(few[:]...) {
		if rapid.IntRange(0, 7).Draw(t, label+a) == 0 {
			p.unacceptable = append(p.unacceptable, a)
		}
	}
	return p
}

// write makes a CSV file of persons.
func write(all []*person) string {
	bit := func(b bool) string { return strconv.FormatInt(truthCode(b), 10) }
	var out strings.Builder
	out.WriteString("id,abo,country,region,paediatric,vpra,dialysis_years,returned_years,national_balance,regional_balance,high_urgency," +
		"hla_a_1,hla_a_2,hla_b_1,hla_b_2,hla_dr_1,hla_dr_2,unacceptable\n")
	for _, p := range all {
		fmt.Fprintf(&out, "%d,%s,%s,%s,%s,%s,%s,%s,%d,%d,%s", p.id, p.abo, p.country, p.region, bit(p.paediatric),
			p.vpraText, p.dialysisText, p.returnedTxt, p.national, p.regional, bit(p.urgent))
		for _, pair := range p.hla {
			fmt.Fprintf(&out, ",%s,%s", pair[0], pair[1])
		}
		out.WriteString("," + strings.Join(p.unacceptable, " ") + "\n")
	}
	return out.String()
}

// TestEtkasIsTheRule compares the policy with the rule written out, over random
// lists, and checks on the way that every node keeps its range.
func TestEtkasIsTheRule(t *testing.T) {
	rule, p := newPlainRule(t), shipped(t, "etkas")
	rapid.Check(t, func(t *rapid.T) {
		var all []*person
		ids := rapid.SliceOfNDistinct(rapid.IntRange(1, 9999999), 1, 12, rapid.ID).Draw(t, "ids")
		for _, id := range ids {
			all = append(all, rule.someone(t, fmt.Sprint(len(all)), id))
		}
		donor := rule.someone(t, "donor ", 1)
		if rapid.Bool().Draw(t, "homozygous") {
			for l := range donor.hla {
				donor.hla[l][1] = donor.hla[l][0]
			}
		}
		if rapid.Bool().Draw(t, "alike") {
			donor.hla, donor.abo = all[0].hla, all[0].abo
		}
		candidates, err := p.ReadCandidates(strings.NewReader(write(all)), today)
		if err != nil {
			t.Fatal(err)
		}
		donors, err := p.ReadDonors(strings.NewReader(write([]*person{donor})), today)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Program.Evaluate(candidates, donors.Row(0))
		if err != nil {
			t.Fatal(err)
		}
		want := rule.rank(donor, all)
		if len(got) != len(want) {
			t.Fatalf("%d candidates, want %d", len(got), len(want))
		}
		for i, w := range want {
			g := got[i]
			if int(g.ID) != w.id || g.Tier != w.tier || int(g.Points) != w.points || int(g.Shown[0]) != w.mismatches {
				t.Fatalf("rank %d: %+v, want %+v", i+1, g, w)
			}
		}
		for i := range candidates.N {
			checkRanges(t, p.Program, p.Program.Run(candidates.Row(i), donors.Row(0)))
		}
	})
}

type fataler interface{ Fatalf(string, ...any) }

// checkRanges: no value leaves its node's range, no boolean is anything else.
func checkRanges(t fataler, p *Program, values []int64) {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if values[i] < n.Low || values[i] > n.High {
			t.Fatalf("node %d (%s %s) is %d, outside %d to %d", i, n.Op, n.Name, values[i], n.Low, n.High)
		}
	}
}

// TestProgramsAreWellFormed: what an evaluator relies on.
func TestProgramsAreWellFormed(t *testing.T) {
	for _, name := range []string{"etkas", "us-kidney", "meld3-liver", "kidney-exchange"} {
		p := shipped(t, name).Program
		used := map[*InputInfo]bool{}
		for i := range p.Nodes {
			n := &p.Nodes[i]
			candidate := n.Op == OpInput && n.Candidate
			for _, a := range n.Args {
				if a >= i {
					t.Errorf("%s: node %d takes node %d", name, i, a)
				}
				candidate = candidate || p.Nodes[a].Candidate
			}
			if n.Candidate != candidate {
				t.Errorf("%s: node %d: column %v", name, i, n.Candidate)
			}
			if n.Low > n.High || n.Low < -maxMagnitude || n.High > maxMagnitude || n.Bits() > 63 {
				t.Errorf("%s: node %d: %d to %d", name, i, n.Low, n.High)
			}
			switch n.Op {
			case OpInput:
				side := p.Donor
				if n.Candidate {
					side = p.Candidate
				}
				in := &side[n.K]
				if used[in] || in.Name != n.Name || in.Low != n.Low || in.High != n.High {
					t.Errorf("%s: node %d is not input %s", name, i, in.Name)
				}
				used[in] = true
			case OpAnd, OpOr, OpNot:
				for _, a := range n.Args {
					if !p.Nodes[a].Boolean() {
						t.Errorf("%s: node %d takes no boolean", name, i)
					}
				}
			case OpFloorDiv:
				if n.K < 2 {
					t.Errorf("%s: node %d divides by %d", name, i, n.K)
				}
			case OpLookup:
				if x := &p.Nodes[n.Args[0]]; x.Low < 0 || x.High >= int64(len(n.Table)) || len(n.Table) > maxLookup {
					t.Errorf("%s: node %d looks up %d to %d of %d", name, i, x.Low, x.High, len(n.Table))
				}
			case OpIntersects:
				half := len(n.Args) / 2
				for k := range half {
					if p.Nodes[n.Args[k]].High != p.Nodes[n.Args[half+k]].High {
						t.Errorf("%s: node %d: words of different widths", name, i)
					}
				}
			}
		}
		if len(used) != len(p.Candidate)+len(p.Donor) {
			t.Errorf("%s: %d inputs of %d are used", name, len(used), len(p.Candidate)+len(p.Donor))
		}
		for _, k := range p.Sort {
			if n := &p.Nodes[k]; n.Low != 0 || !n.Candidate {
				t.Errorf("%s: sort key from %d", name, n.Low)
			}
		}
	}
}

// TestSharedSizesDoNotDependOnRows: the same columns, widths and kinds whatever
// the rows hold, and padding is eligible for nothing.
func TestSharedSizesDoNotDependOnRows(t *testing.T) {
	rule, p := newPlainRule(t), shipped(t, "etkas")
	rapid.Check(t, func(t *rapid.T) {
		c := rule.someone(t, "c", 7)
		rows, err := p.ReadCandidates(strings.NewReader(write([]*person{c})), today)
		if err != nil {
			t.Fatal(err)
		}
		if err := rows.Pad(p.Program.Candidate, 3); err != nil {
			t.Fatal(err)
		}
		if len(rows.Columns) != len(p.Program.Candidate) || rows.N != 3 || rows.Labels[0] != "7" {
			t.Fatalf("%d columns of %d rows", len(rows.Columns), rows.N)
		}
		for k, in := range p.Program.Candidate {
			for _, v := range rows.Columns[k] {
				if v < in.Low || v > in.High {
					t.Fatalf("%s is %d, outside %d to %d", in.Name, v, in.Low, in.High)
				}
			}
		}
		d := rule.someone(t, "d", 1)
		donors, err := p.ReadDonors(strings.NewReader(write([]*person{d})), today)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < 3; i++ {
			if p.Program.Run(rows.Row(i), donors.Row(0))[p.Program.Eligible] != 0 {
				t.Fatal("padding is eligible")
			}
		}
		if rows.Pad(p.Program.Candidate, 2) == nil {
			t.Fatal("three rows fit into two")
		}
	})
}

// TestHashIsOfTheContent: layout and comments do not change it, everything else does.
func TestHashIsOfTheContent(t *testing.T) {
	p := shipped(t, "etkas")
	var f map[string]any
	if err := json.Unmarshal(p.Canonical(), &f); err != nil {
		t.Fatal(err)
	}
	if keys := slices.Sorted(maps.Keys(f)); !slices.Contains(keys, "antigens") {
		t.Errorf("the canonical form has no list of antigens: %v", keys)
	}
	version := hla.Version()
	if f["antigens"] != fmt.Sprintf("%x", version) {
		t.Error("the canonical form has another list of antigens")
	}
	changed := bytes.Replace(p.Canonical(), []byte("33.333333"), []byte("33.333334"), 1)
	other, err := Decode(changed)
	if err != nil {
		t.Fatal(err)
	}
	if other.Hash == p.Hash {
		t.Error("another rule has the same hash")
	}
	for _, spoiled := range [][]byte{
		append(p.Canonical(), ' '), append([]byte(" "), p.Canonical()...), bytes.Replace(p.Canonical(), []byte(`{"name"`), []byte(`{"extra":1,"name"`), 1),
		bytes.Replace(p.Canonical(), []byte(`"antigens":"`), []byte(`"antigens":"0`), 1), nil,
	} {
		if _, err := Decode(spoiled); err == nil {
			t.Errorf("%.20q… is taken", spoiled)
		}
	}
}
