package protocols

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/testkit"
)

// registry is a study with lists, in memory: candidates at the first four nodes, donors
// at the fifth.
type registry struct {
	*study
	files map[string][]string // by list, the nodes' files
	runs  []*keptRuns         // by node
	rows  []*partyRows        // by node
	other *job.Identity       // another client
	to    []byte              // its recipient key
}

const matchDay = "2025-01-02"

// keptRuns keeps runs in memory.
type keptRuns struct {
	mu      sync.Mutex
	runs    []*MatchRun
	offers  []*Offer
	answers []*job.Answer
	fail    error // of what is told of a rank
}

// onCommit is a change in memory.
type onCommit func() error

func (c onCommit) Commit() error { return c() }
func (onCommit) Discard()        {}

func (k *keptRuns) Keep(run *MatchRun) (Change, error) {
	return onCommit(func() error {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.runs = append(k.runs, run)
		return nil
	}), nil
}

// shippedPolicy is a policy that comes with the program.
func shippedPolicy(t testing.TB, name string) *policy.Policy {
	t.Helper()
	text, err := policies.FS.ReadFile(name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(text, policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newRegistry is a study by one policy. Files are CSV texts by node, "" where there is
// none.
func newRegistry(t testing.TB, p *policy.Policy, spare int, lists map[string]job.Side, files map[string][]string) *registry {
	t.Helper()
	r := &registry{files: files}
	var err error
	if r.other, err = job.NewIdentity("elsewhere", nil); err != nil {
		t.Fatal(err)
	}
	if _, r.to, err = job.NewRecipientKey(); err != nil {
		t.Fatal(err)
	}
	r.study = newStudy(t, func(roster *job.Roster) {
		roster.Clients = append(roster.Clients, job.Client{Name: "elsewhere", Organisation: "Another office", Certificate: r.other.Certificate, Recipient: r.to})
		roster.Policies = []job.Policy{{Name: p.Name, Text: string(p.Canonical())}}
		for name, side := range lists {
			d := job.Dataset{Name: name, List: job.List{Policy: p.Name, Side: side}}
			for i, text := range files[name] {
				if text != "" {
					d.Sites = append(d.Sites, job.Site{Node: fmt.Sprintf("hospital-%d", i+1), Rows: strings.Count(text, "\n") - 1 + spare})
				}
			}
			roster.Datasets = append(roster.Datasets, d)
		}
	})
	for name := range lists {
		r.data[name] = make([]SiteData, studyNodes)
	}
	for range studyNodes {
		r.runs, r.rows = append(r.runs, &keptRuns{}), append(r.rows, &partyRows{runs: map[job.Hash][]byte{}})
	}
	return r
}

// nodeLists is ListData over a node's files.
type nodeLists struct {
	*registry
	node int
}

func (n nodeLists) Rows(_ context.Context, dataset string, side job.Side, day time.Time) (*policy.Rows, error) {
	d, _ := n.roster.Roster.Dataset(dataset)
	p, err := PolicyOf(n.roster.Roster, d.List.Policy)
	if err != nil {
		return nil, err
	}
	rows, err := ReadList(p, side, strings.NewReader(n.files[dataset][n.node]), day)
	if err != nil {
		return nil, err
	}
	site, _ := d.Site(n.nodes[n.node].Name)
	inputs := p.Program.Candidate
	if side == job.Donors {
		inputs = p.Program.Donor
	}
	return rows, rows.Pad(inputs, site.Rows)
}

// match is a trial of a match.
func (r *registry) match(analysis, dataset, args string) *trial {
	r.t.Helper()
	d, _ := r.roster.Roster.Dataset(dataset)
	text, _ := r.roster.Roster.Policy(d.List.Policy)
	tr := r.trial(ask{dataset, analysis, "", fmt.Sprintf(`{"policy":%q,"day":%q,%s`, text.Hash(), matchDay, args[1:])})
	j, err := tr.signed.Verify()
	r.must(err)
	plan, err := PlanJob(j, r.roster.Roster)
	r.must(err)
	tr.task = func(i int, task *Task) {
		task.Data = nil
		if len(plan.ListsAt(task.Self)) > 0 {
			task.List, task.Runs = nodeLists{r, i}, r.runs[i]
		}
		task.Rows = r.rows[i]
	}
	return tr
}

// last is what a node has kept of the latest run.
func (r *registry) last(node int) *MatchRun {
	r.t.Helper()
	runs := r.runs[node].runs
	if len(runs) == 0 {
		r.t.Fatalf("node %d has kept no run", node)
	}
	return runs[len(runs)-1]
}

// organFile reads a file of the examples: its header, and its rows.
func organFile(t testing.TB, name string) [][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", "organ", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// csvText writes rows as a CSV file.
func csvText(rows ...[]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.WriteAll(rows) // into memory
	return b.String()
}

// kidneys is the registry of the examples, of every n-th candidate of each hospital.
func kidneys(t testing.TB, every, spare int) *registry {
	t.Helper()
	candidates, donors := organFile(t, "candidates.csv"), organFile(t, "donors.csv")
	hospital := slices.Index(candidates[0], "hospital")
	at := make([][][]string, 4)
	seen := make([]int, 4)
	for _, row := range candidates[1:] {
		k, err := strconv.Atoi(row[hospital])
		if err != nil {
			t.Fatal(err)
		}
		if seen[k-1]%every == 0 {
			at[k-1] = append(at[k-1], row)
		}
		seen[k-1]++
	}
	files := map[string][]string{"kidney": make([]string, studyNodes), "donors": make([]string, studyNodes)}
	for k, rows := range at {
		files["kidney"][k] = csvText(append([][]string{candidates[0]}, rows...)...)
	}
	files["donors"][4] = csvText(donors...)
	return newRegistry(t, shippedPolicy(t, "etkas"), spare, map[string]job.Side{"kidney": job.Candidates, "donors": job.Donors}, files)
}

// resultRows are the rows of a result, "rank candidate tier points mismatches".
func resultRows(result *Result) []string {
	var out []string
	for _, row := range result.Value.(map[string]any)["rows"].([]any) {
		m := row.(map[string]any)
		out = append(out, fmt.Sprint(m["sequence"], m["candidate"], m["tier"], m["points"], m["mismatches"]))
	}
	return out
}

// expectedRows are those of the examples for a donor.
func expectedRows(t testing.TB, donor string) []string {
	var out []string
	for _, row := range organFile(t, "etkas_expected.csv")[1:] {
		if row[0] == donor {
			out = append(out, fmt.Sprint(row[1], " ", row[2], row[3], row[4], " ", row[5]))
		}
	}
	return out
}

func TestMatchRankIsTheReference(t *testing.T) {
	r := kidneys(t, 1, 3)
	for _, donor := range []string{"D01", "D02"} {
		result := r.match("match.rank", "kidney", fmt.Sprintf(`{"donors":"donors","donor":%q,"all":true}`, donor)).succeed()
		got, want := resultRows(result), expectedRows(t, donor)
		if result.Status != "ok" || !slices.Equal(got, want) || len(want) < 100 {
			t.Errorf("donor %s: %s, %d rows, want %d: %.5v, want %.5v", donor, result.Status, len(got), len(want), got, want)
		}
		var told []string
		for k := range 4 {
			told = append(told, resultRows(r.last(k).Result)...)
		}
		sortBySequence(told)
		if !slices.Equal(told, want) {
			t.Errorf("donor %s: the hospitals were told %d rows: %.5v", donor, len(told), told)
		}
		if r.last(4).Result != nil {
			t.Error("the donor's site was told of candidates")
		}
	}
}

func sortBySequence(rows []string) {
	number := func(row string) int {
		text, _, _ := strings.Cut(row, " ")
		n, _ := strconv.Atoi(text)
		return n
	}
	slices.SortFunc(rows, func(a, b string) int { return number(a) - number(b) })
}

func TestMatchRankOfTheBest(t *testing.T) {
	r := kidneys(t, 20, 1)
	whole := r.match("match.rank", "kidney", `{"donors":"donors","donor":"D02","all":true}`).succeed()
	all := resultRows(whole)
	if len(all) < 8 {
		t.Fatalf("only %d candidates are eligible", len(all))
	}
	tr := r.match("match.rank", "kidney", `{"donors":"donors","donor":"D02","top":5}`)
	result := tr.succeed()
	if got := resultRows(result); !slices.Equal(got, all[:5]) {
		t.Errorf("%v, want %v", got, all[:5])
	}
	table := result.Tables[0]
	if got := strings.Join(table.Header, " "); got != "Sequence Tier Points Mismatches Candidate Hospital" {
		t.Error(got)
	}
	if !strings.Contains(table.Title, "donor D02") || !strings.Contains(strings.Join(table.Notes, " "), "there may be more") {
		t.Errorf("%s: %v", table.Title, table.Notes)
	}
	if got := whole.Tables[0].Notes[1]; got != "These are all eligible candidates." {
		t.Error(got)
	}
	for i := range studyNodes {
		run := r.last(i)
		if run.Job != tr.signed.ID() || len(run.Commitments) != 5 || len(run.Inputs) != 1 {
			t.Errorf("node %d keeps %d inputs and %d commitments of job %s", i, len(run.Inputs), len(run.Commitments), run.Job.Short())
		}
		for k, c := range run.Commitments {
			told := result.Value.(map[string]any)["commitments"].([]any)[k].(map[string]any)
			if told["commitment"] != c.Hash.String() || told["site"] != c.Site {
				t.Errorf("node %d has another commitment of %s than the recipient", i, c.Site)
			}
		}
		if _, ok := run.opens(run.Commitments[i]); !ok {
			t.Errorf("node %d cannot open its commitment", i)
		}
	}
}

func TestMatchRankOfNobody(t *testing.T) {
	r := kidneys(t, 100, 0)
	for k := range 4 { // nobody has the donor's blood group
		r.files["kidney"][k] = strings.NewReplacer(",A,", ",B,", ",O,", ",B,").Replace(r.files["kidney"][k])
	}
	result := r.match("match.rank", "kidney", `{"donors":"donors","donor":"D01"}`).succeed()
	if result.Status != "nobody" || result.Reason == "" || len(resultRows(result)) != 0 || len(resultRows(r.last(0).Result)) != 0 {
		t.Errorf("%+v", result)
	}
}

func TestMatchRankFindsDuplicates(t *testing.T) {
	r := kidneys(t, 50, 2)
	lines := strings.SplitAfter(r.files["kidney"][3], "\n")
	first := strings.SplitAfter(r.files["kidney"][0], "\n")
	lines[2] = first[3] // the third candidate of the first is the second of the fourth
	r.files["kidney"][3] = strings.Join(lines, "")
	result := r.match("match.rank", "kidney", `{"donors":"donors","donor":"D01","all":true}`).succeed()
	if result.Status != "duplicates" || len(resultRows(result)) != 0 || len(result.Tables) != 0 {
		t.Errorf("%+v", result)
	}
	for node, want := range []string{"[3]", "", "", "[2]"} {
		told := r.last(node).Result
		if want == "" {
			if told.Status != "ok" || len(resultRows(told)) != 0 {
				t.Errorf("hospital %d was told %+v", node+1, told)
			}
		} else if got := fmt.Sprint(told.Value.(map[string]any)["duplicates"]); told.Status != "duplicates" || got != want {
			t.Errorf("hospital %d was told %s, want %s", node+1, got, want)
		} else if got := told.Tables[0].Rows; len(got) != 1 || got[0][1] != strings.Split(first[3], ",")[0] {
			t.Errorf("hospital %d was told of rows %v", node+1, got)
		}
	}
}

// sent returns what a match sends under fixed seeds.
func (r *registry) sent(analysis, dataset, args string) memnet.Transcript {
	r.t.Helper()
	return r.sentBy(r.match(analysis, dataset, args))
}

// sentBy returns what a trial sends under fixed seeds.
func (r *registry) sentBy(tr *trial) memnet.Transcript {
	r.t.Helper()
	tasks := tr.tasks(memnet.NewNetwork(studyNodes, 0, memnet.Hooks{}))
	world := memnet.New(memnet.Config{N: studyNodes, Names: r.roster.Roster.Names(), Seed: 7})
	r.must(world.Run(func(session *mpc.Session) error {
		task := tasks[session.Self()]
		if !tr.takesPart(tr.signed, int(session.Self())) {
			return nil
		}
		b, err := tr.binding(task)
		if err != nil {
			return err
		}
		w, err := task.work(b)
		if err != nil {
			return err
		}
		if !slices.Contains(w.members(), w.self) {
			return nil
		}
		if _, change := w.match(session); change != nil {
			change.Discard()
		}
		return session.Err()
	}))
	return world.Transcript()
}

func TestMatchRankTranscript(t *testing.T) {
	one, other := kidneys(t, 100, 1), kidneys(t, 100, 1)
	lines := strings.SplitAfter(other.files["kidney"][0], "\n")
	cells := strings.Split(lines[1], ",")
	cells[2], cells[8], cells[len(cells)-1] = "O", "17.25", "A1 B8\n" // another candidate altogether
	lines[1] = strings.Join(cells, ",")
	other.files["kidney"][0] = strings.Join(lines, "")
	const args = `{"donors":"donors","donor":"D01","top":4}`
	first, second := one.sent("match.rank", "kidney", args), other.sent("match.rank", "kidney", args)
	if first.Shape() != second.Shape() {
		t.Error("the transcript tells of a candidate's data")
	}
	testkit.Golden(t, "matchrank.openings.golden", strings.Join(first.Openings(), "\n")+"\n")
}

func TestMatchRankIsRefused(t *testing.T) {
	r := kidneys(t, 100, 0)
	for _, c := range []struct{ args, want string }{
		{`{"donors":"donors"}`, "argument \"donor\""},
		{`{"donors":"dnors","donor":"D01"}`, `argument donors: study trial has no dataset "dnors"`},
		{`{"donors":"kidney","donor":"D01"}`, "no list of donors"},
		{`{"donors":"donors","donor":"D01","top":0}`, "argument top"},
		{`{"donors":"donors","donor":"D01","top":2,"all":true}`, "exclude each other"},
		{`{"donors":"donors","donor":"D01","reveal":"some"}`, "argument reveal"},
		{`{"donors":"donors","donor":"D01","best":3}`, `argument "best"`},
	} {
		j := r.job(ask{"kidney", "match.rank", "", fmt.Sprintf(`{"policy":%q,"day":%q,%s`, r.roster.Roster.Policies[0].Hash(), matchDay, c.args[1:])})
		if _, err := PlanJob(j, r.roster.Roster); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
	}
	good := fmt.Sprintf(`{"policy":%q,"day":%q,"donors":"donors","donor":"D01"}`, r.roster.Roster.Policies[0].Hash(), matchDay)
	for _, c := range []struct {
		change func(j *job.Job)
		want   string
	}{
		{func(j *job.Job) { j.Args["policy"] = strings.Repeat("0", 64) }, "argument policy"},
		{func(j *job.Job) { j.Args["day"] = "today" }, "argument day"},
		{func(j *job.Job) { j.Dataset = "donors" }, "name the waiting list"},
		{func(j *job.Job) { j.Where = "age > 3" }, "leave out where"},
		{func(j *job.Job) { j.Engine = "mhe" }, "engine: shares"},
		{func(j *job.Job) { j.Analysis, j.Args = "describe", map[string]any{"columns": "age"} }, "is a list by policy etkas"},
		{func(j *job.Job) { j.Nodes = []string{"hospital-1", "hospital-2", "hospital-3"} }, "hospital-4 has to take part"},
	} {
		j := r.job(ask{"kidney", "match.rank", "", good})
		c.change(j)
		if _, err := PlanJob(j, r.roster.Roster); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	plan, err := PlanJob(r.job(ask{"kidney", "match.rank", "", good}), r.roster.Roster)
	r.must(err)
	day := time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)
	for days, ok := range map[int]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		if err := plan.CheckClock(day.AddDate(0, 0, days).Add(5 * time.Hour)); (err == nil) != ok {
			t.Errorf("%d days apart: %v", days, err)
		}
	}
	if uses := plan.Uses(); !slices.Contains(uses, "candidate.vpra") || !slices.Contains(uses, "donor.hla_a") || plan.ReadsRows() {
		t.Errorf("it uses %v", uses)
	}
}

func TestMatchRankWithoutItsDonor(t *testing.T) {
	r := kidneys(t, 100, 0)
	tr := r.match("match.rank", "kidney", `{"donors":"donors","donor":"D99"}`)
	tr.run()
	for i, err := range tr.errs {
		if err == nil || !strings.Contains(err.Error(), `hospital-5`) && i != 4 || len(r.runs[i].runs) > 0 {
			t.Errorf("node %d: %v, %d runs", i, err, len(r.runs[i].runs))
		}
	}
}

func TestMatchRankStatement(t *testing.T) {
	r := kidneys(t, 100, 0)
	tr := r.match("match.rank", "kidney", `{"donors":"donors","donor":"D01","top":4}`)
	j, err := tr.signed.Verify()
	r.must(err)
	plan, err := PlanJob(j, r.roster.Roster)
	r.must(err)
	text := strings.Join(plan.Statement(j, r.roster.Roster), "\n")
	for _, want := range []string{
		"Only researcher (University) can open the result", "of the best 4 eligible candidates for donor D01: run, sequence, tier, points, mismatches, candidate, hospital",
		"one of these words: duplicates, tiers, nobody", "Every hospital of the list learns of its own candidates alone", "policy etkas, version 2024-04, hash ",
		"dates count to 2025-01-02", "hospital-5 (Clinic 5) puts in one row", "two that pool their shares do", "commits to the rows",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

// opened is a trial that has run, as its recipient opens it.
func (tr *trial) opened() (*Plan, Opened) {
	tr.t.Helper()
	tr.run()
	for _, err := range tr.errs {
		tr.must(err)
	}
	opened, plan, err := Open(tr.signed, tr.roster, tr.decisions, tr.shares, tr.recipient)
	tr.must(err)
	return plan, opened
}

func (r *registry) lastRuns() []*MatchRun {
	var runs []*MatchRun
	for i := range studyNodes {
		run := *r.last(i)
		run.Inputs = slices.Clone(run.Inputs)
		runs = append(runs, &run)
	}
	return runs
}

// TestMatchRankLongList: a whole list of more numbers than a table of sums may have, and
// rows for a hospital that take more than one frame.
func TestMatchRankLongList(t *testing.T) {
	spare := 2750
	if os.Getenv("CONSILIUM_SOAK") != "" {
		spare = 27_000 // 4.3 MB for each hospital
	}
	r := kidneys(t, 20, spare)
	short := kidneys(t, 20, 0)
	const args = `{"donors":"donors","donor":"D02","all":true}`
	got, want := resultRows(r.match("match.rank", "kidney", args).succeed()), resultRows(short.match("match.rank", "kidney", args).succeed())
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}

// TestMatchRankDonorAt: of a list of donors at several sites the one that the job names
// puts the donor in, and the others take no part.
func TestMatchRankDonorAt(t *testing.T) {
	donors := organFile(t, "donors.csv")
	files := maps.Clone(kidneys(t, 20, 0).files)
	files["donors"] = make([]string, studyNodes)
	files["donors"][1], files["donors"][4] = csvText(donors[0], donors[2]), csvText(donors[0], donors[1])
	r := newRegistry(t, shippedPolicy(t, "etkas"), 0, map[string]job.Side{"kidney": job.Candidates, "donors": job.Donors}, files)
	alone := kidneys(t, 20, 0)
	for donor, at := range map[string]string{donors[2][0]: "hospital-2", donors[1][0]: "hospital-5"} {
		got := resultRows(r.match("match.rank", "kidney", fmt.Sprintf(`{"donors":"donors","donor":%q,"donor_at":%q,"all":true}`, donor, at)).succeed())
		want := resultRows(alone.match("match.rank", "kidney", fmt.Sprintf(`{"donors":"donors","donor":%q,"all":true}`, donor)).succeed())
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("donor %s at %s: %v, want %v", donor, at, got, want)
		}
	}
	for args, want := range map[string]string{
		`{"donors":"donors","donor":"D02"}`:                         "argument donor_at is missing: dataset donors is at several sites: name the donor's: hospital-2, hospital-5",
		`{"donors":"donors","donor":"D02","donor_at":"hospital-1"}`: "argument donor_at: dataset donors is not at \"hospital-1\"",
	} {
		j := r.job(ask{"kidney", "match.rank", "", fmt.Sprintf(`{"policy":%q,"day":%q,%s`, r.roster.Roster.Policies[0].Hash(), matchDay, args[1:])})
		if _, err := PlanJob(j, r.roster.Roster); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

func TestMatchRankIsReplayed(t *testing.T) {
	r := kidneys(t, 20, 2)
	for donor, args := range map[string]string{"D02": `"top":7}`, "D05": `"all":true}`} {
		plan, opened := r.match("match.rank", "kidney", fmt.Sprintf(`{"donors":"donors","donor":%q,%s`, donor, args)).opened()
		result, err := plan.Replay(t.Context(), opened, r.lastRuns())
		if err != nil || result.Status != "ok" {
			t.Errorf("donor %s: %v", donor, err)
		}
	}
	plan, opened := r.match("match.rank", "kidney", `{"donors":"donors","donor":"D02","top":7}`).opened()
	runs := r.lastRuns()
	if _, err := plan.Replay(t.Context(), opened, runs[1:]); err == nil || !strings.Contains(err.Error(), "the input of hospital-1 of list kidney is missing") {
		t.Error(err)
	}
	runs[2].Inputs[0].Text = strings.Replace(runs[2].Inputs[0].Text, ",1\n", ",0\n", 1)
	if _, err := plan.Replay(t.Context(), opened, runs); err == nil || !strings.Contains(err.Error(), "what hospital-3 shows of list kidney is not what it had committed to") {
		t.Error(err)
	}
	opened["candidate"][1], opened["candidate"][2] = opened["candidate"][2], opened["candidate"][1]
	if _, err := plan.Replay(t.Context(), opened, r.lastRuns()); err == nil || !strings.Contains(err.Error(), "row 2 of the run is not what its inputs give") {
		t.Error(err)
	}
}

// TestMatchRankLeaksToNoHospital: what a hospital without a candidate in the list is
// told has the same size, and is the same, whatever the run gave.
func TestMatchRankLeaksToNoHospital(t *testing.T) {
	one, other := kidneys(t, 50, 0), kidneys(t, 50, 0)
	for _, r := range []*registry{one, other} { // of its candidates nobody has the donor's group
		r.files["kidney"][0] = strings.ReplaceAll(r.files["kidney"][0], ",A,", ",B,")
	}
	other.files["kidney"][1] = strings.ReplaceAll(other.files["kidney"][1], ",O,", ",A,")
	const args = `{"donors":"donors","donor":"D01","top":4}`
	for _, r := range []*registry{one, other} {
		r.match("match.rank", "kidney", args).succeed()
	}
	if a, b := one.last(0).Result, other.last(0).Result; fmt.Sprint(a) != fmt.Sprint(b) || len(resultRows(a)) > 0 {
		t.Errorf("the hospital was told %v and %v", a, b)
	}
	if fmt.Sprint(one.last(1).Result) == fmt.Sprint(other.last(1).Result) {
		t.Error("the two runs are the same")
	}
	if one.sent("match.rank", "kidney", args).Shape() != other.sent("match.rank", "kidney", args).Shape() {
		t.Error("what is sent differs in shape")
	}
}
