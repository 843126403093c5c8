package protocols

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"consilium/job"
	"consilium/organ/hla"
)

// panelled is the registry of the examples with a panel: the typings of candidates, as
// donors of the second, the third and the last node. Of each hospital it has every n-th
// candidate of the list.
func panelled(t testing.TB, every, donors, spare int) *registry {
	t.Helper()
	candidates := organFile(t, "candidates.csv")
	files := kidneys(t, every, 0).files
	panel, sites := make([]string, studyNodes), []int{1, 2, 4}
	for k, node := range sites {
		rows := [][]string{candidates[0]}
		for i, row := range candidates[1 : donors+1] {
			if i%len(sites) == k {
				rows = append(rows, row)
			}
		}
		panel[node] = csvText(rows...)
	}
	return newRegistry(t, shippedPolicy(t, "etkas"), spare, map[string]job.Side{"kidney": job.Candidates, "panel": job.Donors},
		map[string][]string{"kidney": files["kidney"], "panel": panel})
}

// asked is the hospital whose candidate is asked about: the third node.
const asked = "hospital-3"

// labelOf is a candidate of a node with unacceptable antigens, or the first with none.
func (r *registry) labelOf(node int, antigens bool) string {
	r.t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(r.files["kidney"][node]), "\n")[1:] {
		cells := strings.Split(line, ",")
		if (cells[len(cells)-1] != "") == antigens {
			return cells[0]
		}
	}
	r.t.Fatalf("node %d has no such candidate", node)
	return ""
}

func cpraArgs(candidate string) string {
	return fmt.Sprintf(`{"list":"kidney","hospital":%q,"candidate":%q}`, asked, candidate)
}

// answer is what an oracle finds with maps of names, from the files.
type answer struct {
	panel, acceptable int
	without           map[string]int
}

func (r *registry) oracle(candidate string) answer {
	r.t.Helper()
	cells := func(text string, each func(map[string]string)) {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		names := strings.Split(lines[0], ",")
		for _, line := range lines[1:] {
			row := map[string]string{}
			for i, cell := range strings.Split(line, ",") {
				row[names[i]] = cell
			}
			each(row)
		}
	}
	var listed []string
	cells(r.files["kidney"][2], func(row map[string]string) {
		if row["id"] == candidate {
			listed = strings.Fields(row["unacceptable"])
		}
	})
	var donors []map[string]bool // an antigen and its broad, by name
	for _, text := range r.files["panel"] {
		if text == "" {
			continue
		}
		cells(text, func(row map[string]string) {
			have := map[string]bool{}
			for _, column := range []string{"hla_a_1", "hla_a_2", "hla_b_1", "hla_b_2", "hla_dr_1", "hla_dr_2"} {
				a, err := hla.Parse(row[column])
				r.must(err)
				have[a.String()], have[a.Split().String()], have[a.Broad().String()] = true, true, true
			}
			donors = append(donors, have)
		})
	}
	count := func(without string) (n int) {
		for _, have := range donors {
			if !slices.ContainsFunc(listed, func(a string) bool { return a != without && have[a] }) {
				n++
			}
		}
		return n
	}
	out := answer{len(donors), count(""), map[string]int{}}
	for _, a := range listed {
		out.without[a] = count(a)
	}
	return out
}

// answerOf reads what a hospital was told.
func answerOf(t testing.TB, result *Result) answer {
	t.Helper()
	b, err := json.Marshal(result.Value)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Panel, Acceptable int
		CPRA              float64
		Rows              []struct {
			Antigen      string
			Acceptable   int
			CPRA, Change float64
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	out := answer{v.Panel, v.Acceptable, map[string]int{}}
	share := func(n int) float64 { return 100 * float64(v.Panel-n) / float64(v.Panel) }
	if v.CPRA != share(v.Acceptable) {
		t.Errorf("cPRA %v of %d of %d", v.CPRA, v.Acceptable, v.Panel)
	}
	last := 0.0
	for i, row := range v.Rows {
		out.without[row.Antigen] = row.Acceptable
		if row.CPRA != share(row.Acceptable) || row.Change != row.CPRA-v.CPRA || i > 0 && row.Change < last {
			t.Errorf("row %d of %d: %+v", i, v.Panel, row)
		}
		last = row.Change
	}
	return out
}

func TestMatchCPRAIsTheOracle(t *testing.T) {
	r := panelled(t, 10, 300, 5)
	with, without := r.labelOf(2, true), r.labelOf(2, false)
	for _, c := range []struct {
		candidate string
		change    func(text string) string // of the hospital's list
	}{
		{with, nil},
		{without, nil},
		{with, func(text string) string { // a broad with one of its splits, and one more
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				if strings.HasPrefix(line, with+",") {
					lines[i] = line[:strings.LastIndex(line, ",")+1] + "A9 A24 B12 DR4"
				}
			}
			return strings.Join(lines, "\n")
		}},
	} {
		if c.change != nil {
			r.files["kidney"][2] = c.change(r.files["kidney"][2])
		}
		result := r.match("match.cpra", "panel", cpraArgs(c.candidate)).succeed()
		if value := result.Value.(map[string]any); result.Status != "ok" || len(resultRows(result)) != 0 || value["panel"] != nil || value["cpra"] != nil {
			t.Errorf("the recipient was told %+v", result)
		}
		told := r.last(2).Result
		want := r.oracle(c.candidate)
		if got := answerOf(t, told); told.Status != "ok" || fmt.Sprint(got) != fmt.Sprint(want) || got.panel != 300 {
			t.Errorf("candidate %s: %+v, want %+v", c.candidate, got, want)
		}
		if n := len(told.Tables); (n == 2) != (len(want.without) > 0) {
			t.Errorf("%d tables", n)
		}
		for _, node := range []int{1, 4} {
			if run := r.last(node); run.Result != nil || len(run.Inputs) != 1 || len(run.Commitments) != 4 {
				t.Errorf("node %d keeps %+v", node, run)
			}
		}
		if len(r.runs[0].runs)+len(r.runs[3].runs) > 0 {
			t.Error("hospitals of which nothing is read keep runs")
		}
	}
}

func TestMatchCPRAWhereNobodySuits(t *testing.T) {
	r := panelled(t, 10, 120, 0)
	candidate := r.labelOf(2, true)
	var all []string
	for _, l := range []hla.Locus{hla.A, hla.B, hla.DR} {
		for _, a := range hla.Antigens(l) {
			all = append(all, a.String())
		}
	}
	lines := strings.Split(r.files["kidney"][2], "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, candidate+",") {
			lines[i] = line[:strings.LastIndex(line, ",")+1] + strings.Join(all, " ")
		}
	}
	r.files["kidney"][2] = strings.Join(lines, "\n")
	r.match("match.cpra", "panel", cpraArgs(candidate)).succeed()
	got := answerOf(t, r.last(2).Result)
	if got.acceptable != 0 || len(got.without) != len(all) || fmt.Sprint(got) != fmt.Sprint(r.oracle(candidate)) {
		t.Errorf("%+v", got)
	}
}

func TestMatchCPRAIsSuppressed(t *testing.T) {
	for donors, want := range map[int]string{99: "suppressed", 100: "ok"} {
		r := panelled(t, 10, donors, 40) // rows that fill up do not count
		tr := r.match("match.cpra", "panel", cpraArgs(r.labelOf(2, true)))
		plan, opened := tr.opened()
		result, err := plan.Finish(opened)
		r.must(err)
		told := r.last(2).Result
		if result.Status != want || told.Status != want || (told.Tables == nil) != (want == "suppressed") {
			t.Errorf("%d donors: %+v, and the hospital was told %+v", donors, result, told)
		}
		if want == "suppressed" && (!strings.Contains(result.Reason, "fewer donors than the 100") || told.Reason != result.Reason || strings.Contains(fmt.Sprint(told), "99")) {
			t.Errorf("%+v", told)
		}
		if _, err := plan.Replay(t.Context(), opened, r.keptRuns(1, 2, 4)); err != nil {
			t.Errorf("%d donors: %v", donors, err)
		}
	}
}

// keptRuns are the latest of some nodes.
func (r *registry) keptRuns(nodes ...int) []*MatchRun {
	var runs []*MatchRun
	for _, node := range nodes {
		run := *r.last(node)
		run.Inputs = slices.Clone(run.Inputs)
		runs = append(runs, &run)
	}
	return runs
}

func TestMatchCPRAIsReplayed(t *testing.T) {
	r := panelled(t, 10, 150, 3)
	plan, opened := r.match("match.cpra", "panel", cpraArgs(r.labelOf(2, true))).opened()
	result, err := plan.Replay(t.Context(), opened, r.keptRuns(1, 2, 4))
	if err != nil || fmt.Sprint(result) != fmt.Sprint(r.last(2).Result) {
		t.Fatalf("%+v, %v", result, err)
	}
	runs := r.keptRuns(1, 2, 4)
	if _, err := plan.Replay(t.Context(), opened, runs[:2]); err == nil || !strings.Contains(err.Error(), "the input of hospital-5 of list panel is missing") {
		t.Error(err)
	}
	other := *runs[1].Result
	other.Value = map[string]any{"rows": []any{}}
	runs[1].Result = &other
	if _, err := plan.Replay(t.Context(), opened, runs); err == nil || !strings.Contains(err.Error(), "the numbers that hospital-3 keeps of the run are not what its inputs give") {
		t.Error(err)
	}
	runs[1].Result = nil
	if _, err := plan.Replay(t.Context(), opened, runs); err == nil || !strings.Contains(err.Error(), "what hospital-3 was told is missing") {
		t.Error(err)
	}
}

// TestMatchCPRATranscript: other candidates and other donors make no difference to what
// is sent, only the candidate's hospital is sent anything at the end, and only antigens are put in.
func TestMatchCPRATranscript(t *testing.T) {
	one, other := panelled(t, 10, 150, 3), panelled(t, 10, 150, 3)
	other.files["panel"][4] = strings.ReplaceAll(other.files["panel"][4], ",A2,", ",A3,")
	first := one.sent("match.cpra", "panel", cpraArgs(one.labelOf(2, true)))
	second := other.sent("match.cpra", "panel", cpraArgs(one.labelOf(2, false)))
	if first.Shape() != second.Shape() {
		t.Error("the transcript tells of the data")
	}
	if got := first.Openings(); len(got) != 0 {
		t.Errorf("opened on the way: %v", got)
	}
	to := map[int]bool{}
	for _, frame := range first.At("reveal") {
		to[int(frame.To)] = true
	}
	if fmt.Sprint(to) != "map[2:true]" {
		t.Errorf("numbers go to the nodes %v", to)
	}
	one.match("match.cpra", "panel", cpraArgs(one.labelOf(2, true))).succeed()
	for node, want := range map[int]string{1: "donor.carried(hla_a,hla_b,hla_dr).ABDR.word1", 2: "candidate.unacceptable."} {
		inputs := one.last(node).Inputs
		header, _, _ := strings.Cut(inputs[len(inputs)-1].Text, "\n")
		if !strings.Contains(header, want) || strings.Contains(header, "abo") {
			t.Errorf("node %d puts in %s", node, header)
		}
	}
}

func TestMatchCPRAIsRefused(t *testing.T) {
	r := panelled(t, 100, 12, 0)
	for _, c := range []struct{ dataset, args, want string }{
		{"panel", `{"list":"kidney","hospital":"hospital-3"}`, `argument "candidate"`},
		{"panel", `{"list":"kidney","hospital":"hospital-3","candidate":""}`, "argument candidate is empty"},
		{"panel", `{"list":"kidney","hospital":"hospital-5","candidate":"7"}`, `argument hospital: list kidney is not at "hospital-5"`},
		{"panel", `{"list":"kidny","hospital":"hospital-3","candidate":"7"}`, `no dataset "kidny"`},
		{"panel", `{"list":"panel","hospital":"hospital-3","candidate":"7"}`, "no list of candidates"},
		{"kidney", `{"list":"kidney","hospital":"hospital-3","candidate":"7"}`, "name the panel, which is a list of donors"},
		{"panel", `{"list":"kidney","hospital":"hospital-3","candidate":"7","top":5}`, `argument "top"`},
	} {
		if _, err := PlanJob(r.question(c.dataset, c.args), r.roster.Roster); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
	}
	good := r.question("panel", cpraArgs("7"))
	plan, err := PlanJob(good, r.roster.Roster)
	r.must(err)
	if got := strings.Join(plan.Uses(), " "); got != "candidate.unacceptable donor.hla_a donor.hla_b donor.hla_dr" {
		t.Errorf("it uses %s", got)
	}
	if limit, ok := plan.QueryLimit(); !ok || limit != (QueryLimit{"hospital-3", 20}) {
		t.Errorf("limit %+v", limit)
	}
	statement := strings.Join(plan.Statement(good, r.roster.Roster), "\n")
	for _, want := range []string{
		"all numbers go to hospital-3 alone", "one of these words: suppressed", "Candidate 7 of list kidney at hospital-3", "her label, which stands in the question",
		"fewer than 100 donors nothing is told", "at most 20 such questions for hospital-3 in 24 hours",
	} {
		if !strings.Contains(statement, want) {
			t.Errorf("it does not say %q:\n%s", want, statement)
		}
	}
	without := newRegistry(t, shippedPolicy(t, "meld3-liver"), 0, map[string]job.Side{"liver": job.Candidates, "donors": job.Donors}, map[string][]string{"liver": {"id\n1\n"}, "donors": {"id\n1\n"}})
	_, err = PlanJob(without.question("donors", `{"list":"liver","hospital":"hospital-1","candidate":"1"}`), without.roster.Roster)
	if err == nil || !strings.Contains(err.Error(), "policy meld3-liver allows no questions to a panel") {
		t.Error(err)
	}
}

// question is a job that asks a panel.
func (r *registry) question(panel, args string) *job.Job {
	return r.job(ask{panel, "match.cpra", "", fmt.Sprintf(`{"policy":%q,"day":%q,%s`, r.roster.Roster.Policies[0].Hash(), matchDay, args[1:])})
}

func TestMatchCPRAWithoutItsCandidate(t *testing.T) {
	r := panelled(t, 100, 12, 0)
	tr := r.match("match.cpra", "panel", cpraArgs("9999999"))
	tr.run()
	for i, err := range tr.errs {
		if (i == 0 || i == 1 || i == 2 || i == 4) && (err == nil || !strings.Contains(err.Error(), "hospital-3") && i != 2) || len(r.runs[i].runs) > 0 {
			t.Errorf("node %d: %v, %d runs", i, err, len(r.runs[i].runs))
		}
	}
}
