package protocols

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/testkit"
)

// What jobs ask of a ward's vaults.
var (
	wardRekey    = ask{"ward", "rekey", "", `{}`}
	wardDeposit  = ask{"ward", "deposit", "", `{"columns":["age","dose"],"filters":["sex = 'f'","sex = 'f' AND age IS NOT NULL AND dose IS NOT NULL"],"at":["hospital-1","hospital-4"]}`}
	wardWithdraw = ask{"ward", "withdraw", "", `{}`}
	wardMoments  = ask{"ward", "describe", "", `{"columns":["age"]}`}
)

// wardOpenings is how many ciphertexts the key of wardVaults opens.
const wardOpenings = 50

// wardVaults is a ward of three sites, at nodes 2, 4 and 5, any two of which open what
// is stored, with vaults.
func wardVaults(t testing.TB, lines ...[][]string) *vaults {
	t.Helper()
	p := pieces{name: "ward", schema: wardSchema(), sites: []table{{}, {wardHeader, lines[0]}, {}, {wardHeader, lines[1]}, {wardHeader, lines[2]}}}
	return withVaults(newStudy(t, func(r *job.Roster) { r.Datasets[0].Vault = job.Vault{Quorum: 2, Openings: wardOpenings} }, p))
}

// depositedWard is one of which a deposit was made, kept at nodes 1 and 4.
func depositedWard(t testing.TB) *vaults {
	t.Helper()
	v := wardVaults(t, fiveWardLines()...)
	v.do(wardRekey, nil)
	v.do(wardDeposit, nil)
	return v
}

// checkStored holds a stored job against the same on the sites' files.
func (v *vaults) checkStored(a ask, nodes ...string) {
	v.t.Helper()
	got, want := v.do(a, stored(nodes...)), v.underMHE(a).succeed()
	if got.Status != want.Status || !reflect.DeepEqual(got.Value, want.Value) || !reflect.DeepEqual(got.Tables, want.Tables) {
		v.t.Errorf("%v at %v: got %q %v, want %q %v", a, nodes, got.Status, got.Value, want.Status, want.Value)
	}
}

// fails runs a job that every node in the run must end with that error, in one line,
// and which must leave the vaults as they were.
func (v *vaults) fails(tr *trial, want string) {
	v.t.Helper()
	before := v.state(-1)
	tr.run()
	if len(tr.shares) > 0 {
		v.t.Errorf("there are shares of a result; want %q", want)
	}
	failed := 0
	for i, err := range tr.errs {
		if err == nil {
			continue
		}
		if failed++; !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			v.t.Errorf("%s: got %v, want one line with %q", v.nodes[i].Name, err, want)
		}
	}
	if failed < 2 {
		v.t.Errorf("%d nodes failed; want %q", failed, want)
	}
	if after := v.state(-1); after != before {
		v.t.Errorf("the vaults have changed:\n%s\n%s", before, after)
	}
	v.tidy()
}

// inTheRun tells whether a node has more to do than to confirm.
func (tr *trial) inTheRun(i int) bool {
	tr.t.Helper()
	if !tr.takesPart(tr.signed, i) {
		return false
	}
	task := tr.tasks(tr.net)[i]
	b, err := tr.binding(task)
	tr.must(err)
	w, err := task.work(b)
	tr.must(err)
	return slices.Contains(w.members(), w.self)
}

// state tells what is in force in all vaults but one.
func (v *vaults) state(but int) string {
	var text strings.Builder
	for i, vault := range v.of {
		if i == but {
			continue
		}
		fmt.Fprintf(&text, "%s %v", v.nodes[i].Name, vault.newest)
		if d := vault.deposit; d != nil {
			fmt.Fprintf(&text, " %v %d", d.Job, len(d.ciphertexts))
		}
		fmt.Fprintln(&text)
	}
	return text.String()
}

// left is how many ciphertexts a node may still open.
func (v *vaults) left(node int) int { return v.of[node].epochs[v.of[node].newest].Left() }

// TestReferenceStored: what is deposited answers as R does, over three sites that all
// answer.
func TestReferenceStored(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		dataset, deposit string
		cases            []string
	}{
		{"pima", `{"columns":["glucose","pressure","mass","insulin","age"],"filters":["pregnant > 2 AND age >= 40","age IS NOT NULL AND glucose IS NOT NULL AND pressure IS NOT NULL AND mass IS NOT NULL"]}`, []string{"describe-pima-where", "correlation-pearson"}},
		{"birthwt", `{"columns":["bwt","age","lwt","smoke","ht","ui"],"filters":["bwt IS NOT NULL AND age IS NOT NULL AND lwt IS NOT NULL AND smoke IS NOT NULL AND ht IS NOT NULL AND ui IS NOT NULL"]}`, []string{"linear-bwt"}},
	} {
		v := withVaults(referenceStudy(t, c.dataset))
		nodes := siteNames(&v.roster.Roster.Datasets[0])
		v.do(ask{c.dataset, "rekey", "", `{}`}, nil)
		v.do(ask{c.dataset, "deposit", "", c.deposit}, nil)
		for _, id := range c.cases {
			all := referenceCases(t, "reference")
			of := all[slices.IndexFunc(all, func(r referenceCase) bool { return r.ID == id })]
			if of.Analysis == "describe" {
				for _, column := range of.Expect.(map[string]any) {
					for _, absent := range quarterFields {
						delete(column.(map[string]any), absent)
					}
				}
			}
			r := v.do(ask{of.Dataset, of.Analysis, of.Where, string(of.Args)}, stored(nodes...))
			compare(t, id, throughJSON(t, r.Value), of.Expect, of.RelTol)
		}
	}
}

// TestStored: every analysis for which stored columns suffice gives what it gives on
// files, whichever two of three sites answer, the third being down, wherever the
// ciphertexts are.
func TestStored(t *testing.T) {
	leakFree(t)
	v := depositedWard(t)
	for _, c := range []struct {
		a     ask
		nodes []string
	}{
		{ask{"ward", "describe", "", `{"columns":["age","dose"]}`}, hospitals(1, 2, 5)},
		{ask{"ward", "describe", "(sex = 'f')", `{"columns":["age","dose"]}`}, hospitals(2, 4)},
		{ask{"ward", "correlation", "", `{"columns":["age","dose"]}`}, hospitals(4, 5)},
		{ask{"ward", "linear", "dose IS NOT NULL AND sex = 'f'", `{"outcome":"age","covariates":["dose"]}`}, hospitals(1, 4, 5)},
	} {
		v.checkStored(c.a, c.nodes...)
	}
	// Each result is one ciphertext, the ward's sums needing one plaintext prime.
	for node, spent := range map[int]int{1: 2, 3: 3, 4: 3} {
		if left := v.left(node); left != wardOpenings-spent {
			t.Errorf("%s has %d openings left, not %d", v.nodes[node].Name, left, wardOpenings-spent)
		}
	}
}

// TestStoredByAll: five sites of which all are needed, which all keep the ciphertexts.
func TestStoredByAll(t *testing.T) {
	leakFree(t)
	v := withVaults(fiveWards(t))
	v.do(wardRekey, nil)
	v.do(ask{"ward", "deposit", "", `{"columns":["age"]}`}, nil)
	v.checkStored(wardMoments)
	v.checkStored(ask{"ward", "describe", "age IS NOT NULL", `{"columns":["age"]}`}, hospitals(1, 2, 3, 4, 5)...)
	synctest.Test(t, func(*testing.T) {
		tr := v.try(wardMoments, stored())
		tr.absent = 3
		tr.run()
		tr.others("hospital-4", 3)
	})
	v.tidy()
}

// TestVaultsLifetime: what rekey, deposit and withdraw do, in turn.
func TestVaultsLifetime(t *testing.T) {
	leakFree(t)
	v := wardVaults(t, fiveWardLines()...)
	first := v.do(wardRekey, nil).Value.(map[string]any)
	epoch := v.of[1].newest
	if first["epoch"] != epoch.Short() || first["quorum"] != int64(2) || first["openings"] != int64(wardOpenings) || fmt.Sprint(first["sites"]) != "[hospital-2 hospital-4 hospital-5]" {
		t.Errorf("rekey says %v", first)
	}
	for i, vault := range v.of {
		if site := i == 1 || i > 2; site != (vault.newest == epoch) || !site && len(vault.epochs) > 0 {
			t.Errorf("%s has epoch %v", v.nodes[i].Name, vault.newest)
		}
	}
	made := v.do(wardDeposit, nil)
	d := v.of[0].deposit
	for i, vault := range v.of {
		switch ciphertexts := 3 * 7; {
		case i == 2 && vault.deposit != nil, i != 2 && (vault.deposit == nil || vault.deposit.Job != d.Job || vault.deposit.Epoch != epoch):
			t.Errorf("%s has another deposit", v.nodes[i].Name)
		case (i == 0 || i == 3) && len(vault.deposit.ciphertexts) != ciphertexts, (i == 1 || i == 4) && len(vault.deposit.ciphertexts) != 0:
			t.Errorf("%s keeps %d ciphertexts", v.nodes[i].Name, len(vault.deposit.ciphertexts))
		}
	}
	if value := fmt.Sprint(made.Value); value != fmt.Sprintf("map[at:[hospital-1 hospital-4] bytes:%d columns:[age dose] deposit:%s epoch:%s filters:[sex = 'f' age IS NOT NULL AND dose IS NOT NULL AND sex = 'f'] rows:7]",
		3*7*mhe.StoredSize(), d.Job.Short(), epoch.Short()) {
		t.Errorf("deposit says %s", value)
	}
	// A new key leaves the deposit as it is, and a deposit of its own takes the place.
	v.do(wardRekey, nil)
	v.checkStored(wardMoments, hospitals(2, 4)...)
	if left := v.of[1].epochs[epoch].Left(); left != wardOpenings-1 || v.left(1) != wardOpenings {
		t.Errorf("%d openings of the first key are left, %d of the second", left, v.left(1))
	}
	v.do(ask{"ward", "deposit", "", `{"columns":["age"],"at":["hospital-5"]}`}, nil)
	if again := v.of[4].deposit; again.Epoch == epoch || again.Job == d.Job {
		t.Error("the second deposit is not in force")
	}
	if v.of[0].deposit != nil {
		t.Error("a node that kept the first deposit, and nothing of the second, still has it")
	}
	v.checkStored(wardMoments, hospitals(4, 5)...)
	v.of[4].deposit = nil // as after a withdrawal that this site had begun alone
	if gone := v.do(wardWithdraw, nil).Value; fmt.Sprint(gone) != "map[withdrawn:ward]" {
		t.Errorf("withdraw says %v", gone)
	}
	for i, vault := range v.of {
		if vault.deposit != nil {
			t.Errorf("%s still has a deposit", v.nodes[i].Name)
		}
	}
	v.fails(v.try(wardMoments, stored(hospitals(2, 4)...)), "nothing of this dataset is deposited")
	v.do(wardWithdraw, nil) // asks nothing that is not so already
}

// TestCustodyTables holds what is printed against a golden file.
func TestCustodyTables(t *testing.T) {
	v := wardVaults(t, fiveWardLines()...)
	hash := func(b byte) word { return word(bytes.Repeat([]byte{b}, len(word{}))) }
	var results []*Result
	for _, a := range []ask{wardRekey, wardDeposit, wardWithdraw} {
		p := v.plan(a, nil)
		var words []job.SealedOutput
		for i, name := range p.custody.outputs() {
			h := hash(byte(0x11 * (i + 1)))
			words = append(words, job.SealedOutput{Name: name, Ciphertext: h[:]})
		}
		b := &binding{id: job.Hash(hash(0xab)), plan: p}
		opened, err := b.openWords([]*job.SealedShare{{Outputs: words}, {Outputs: words}})
		v.must(err)
		r, err := p.Finish(opened)
		v.must(err)
		results = append(results, r)
		if _, err := p.Finish(Opened{}); err == nil {
			t.Errorf("%s ends well without words", a.analysis)
		}
	}
	checkTables(t, "custody", results...)
}

// plan plans a job under engine mhe.
func (v *vaults) plan(a ask, change func(j *job.Job)) *Plan {
	v.t.Helper()
	j := v.jobOn(a, change)
	p, err := PlanJob(j, v.roster.Roster)
	v.must(err)
	return p
}

// jobOn is a job under engine mhe.
func (v *vaults) jobOn(a ask, change func(j *job.Job)) *job.Job {
	v.t.Helper()
	j := v.job(a)
	j.Engine = job.EngineMHE
	if change != nil {
		change(j)
	}
	return j
}

// TestCustodyStatement: what is signed says what is made, kept, removed and opened, by
// how many, and names the columns that a policy is held against.
func TestCustodyStatement(t *testing.T) {
	v := wardVaults(t, fiveWardLines()...)
	for _, c := range []struct {
		a      ask
		change func(j *job.Job)
		says   []string
		uses   string
		reads  bool
	}{
		{wardRekey, nil, []string{
			"learns:\n  - the number of the new key, and nothing of any row\n",
			"hospital-2 (Clinic 2), hospital-4 (Clinic 4), hospital-5 (Clinic 5), make a key that they hold together: any 2 of the 3 sites together, and no fewer, can open what is encrypted under it.",
		}, "[]", false},
		{wardDeposit, nil, []string{
			"encrypts of each of its rows age, dose, and whether each of these holds: sex = 'f'; age IS NOT NULL AND dose IS NOT NULL AND sex = 'f'.",
			"kept at hospital-1 (Clinic 1), hospital-4 (Clinic 4) until", "any 2 of the 3 sites together, and no fewer, can open",
		}, "[age dose sex]", true},
		{wardWithdraw, nil, []string{"What is deposited of dataset ward is removed"}, "[]", false},
		{ask{"ward", "describe", "sex = 'f'", `{"columns":["age"]}`}, stored(hospitals(2, 4)...), []string{
			"of each of age: how many rows have a value, their sum", "over the rows where sex = 'f' of what is deposited of dataset ward at hospital-2 (3 rows), hospital-4 (2 rows), hospital-5 (2 rows).",
			"computed by hospital-2 (Clinic 2), hospital-4 (Clinic 4), on ciphertexts", "any 2 of the 3 sites together, and no fewer, can open", "The sums are shown all the same.",
		}, "[age sex]", false},
	} {
		p := v.plan(c.a, c.change)
		text := strings.Join(p.Statement(v.jobOn(c.a, c.change), v.roster.Roster), "\n")
		for _, words := range append(c.says, "Only researcher (University) can open the result", "Every node and the coordinator see the question") {
			if !strings.Contains(text, words) {
				t.Errorf("%s: the statement lacks %q:\n%s", c.a.analysis, words, text)
			}
		}
		if uses := fmt.Sprint(p.Uses()); uses != c.uses || p.ReadsRows() != c.reads {
			t.Errorf("%s uses %s, reads rows: %v", c.a.analysis, uses, p.ReadsRows())
		}
	}
}

// TestCustodyPlansRefuse: what no job on vaults can be is refused before it is signed.
func TestCustodyPlansRefuse(t *testing.T) {
	v := wardVaults(t, fiveWardLines()...)
	wide := newStudy(t, nil, pieces{"ward", job.Schema{Columns: []job.Column{
		{Name: "x", Type: job.Integer, Min: "0", Max: "4000000000000000000"}, {Name: "y", Type: job.Integer, Min: "0", Max: "1"},
	}}, []table{{[]string{"x", "y"}, [][]string{{"1", "1"}}}, {[]string{"x", "y"}, [][]string{{"2", "1"}}}}})
	texts := newStudy(t, nil, pieces{"ward", job.Schema{Columns: []job.Column{{Name: "sex", Type: job.Text, Categories: []string{"f"}}}}, []table{{[]string{"sex"}, nil}, {[]string{"sex"}, nil}}})
	strict := ruledWard(t, job.Disclosure{MinCount: 5}, fiveWardLines()...)
	alone := newStudy(t, nil, pieces{"ward", wardSchema(), []table{{}, {wardHeader, fiveWardLines()[0]}}})
	often := newStudy(t, func(r *job.Roster) { r.Datasets[0].Vault.Openings = 1 << 30 }, pieces{"ward", wardSchema(), []table{{wardHeader, nil}, {wardHeader, nil}}})
	long := "age = 1"
	for i := range 100 {
		long += fmt.Sprintf(" OR dose = %d", i)
	}
	deposit := func(args string) ask { return ask{"ward", "deposit", "", args} }
	for _, c := range []struct {
		s           *study
		a           ask
		change      func(j *job.Job)
		want        string
		unsupported bool
	}{
		{v.study, wardRekey, func(j *job.Job) { j.Engine = job.EngineShares }, "rekey is of engine mhe", false},
		{v.study, wardRekey, func(j *job.Job) { j.Stored = true }, "leave out stored", false},
		{v.study, ask{"ward", "rekey", "age > 3", `{}`}, nil, "leave out where", false},
		{v.study, ask{"ward", "rekey", "", `{"sites":["hospital-2"]}`}, nil, "argument \"sites\" is unknown", false},
		{v.study, ask{"ward", "withdraw", "", `{"sites":["hospital-2"]}`}, nil, "argument \"sites\" is unknown", false},
		{v.study, wardRekey, func(j *job.Job) { j.Nodes = hospitals(2, 4) }, "hospital-5 has to take part", false},
		{v.study, wardDeposit, func(j *job.Job) { j.Nodes = hospitals(2, 4, 5) }, "hospital-1 has to take part", false},
		{strict, wardRekey, nil, "hides what tells of fewer than 5 patients", false},
		{strict, deposit(`{}`), nil, "hides what tells of fewer than 5 patients", false},
		{alone, wardRekey, nil, "two sites or more", false},
		{often, wardRekey, nil, "let the study declare fewer openings", false},
		{texts, wardRekey, nil, "has no column of numbers", false},
		{wide, deposit(`{"columns":["x"]}`), nil, "column \"x\" has values of up to 2^62 steps, too wide", false},
		{v.study, deposit(`{"columns":["sex"]}`), nil, "column \"sex\" is text: deposit filters", false},
		{v.study, deposit(`{"columns":["agee"]}`), nil, "did you mean \"age\"", false},
		{v.study, deposit(`{"columns":["age","age"]}`), nil, "named twice", false},
		{v.study, deposit(`{"filters":["agee = 1"]}`), nil, "did you mean \"age\"", false},
		{v.study, deposit(`{"filters":[" "]}`), nil, "one of them is empty", false},
		{v.study, deposit(`{"filters":["sex = 'f'","(sex IN ('f'))"]}`), nil, "deposited already", false},
		{v.study, deposit(`{"filters":["age IS NOT NULL"]}`), nil, "deposited already", false},
		{v.study, deposit(`{"filters":["` + long + `"]}`), nil, "longer than 1024 bytes", false},
		{v.study, deposit(`{"at":["hospital-9"]}`), nil, "at names \"hospital-9\", which is no node", false},
		{v.study, deposit(`{"at":["hospital-1","hospital-1"]}`), nil, "at names hospital-1 twice", false},
		{v.study, wardMoments, stored(hospitals(2, 4, 5)...), "exactly 2 of the sites hospital-2, hospital-4, hospital-5, and 3 of them take part", false},
		{v.study, wardMoments, stored(hospitals(1, 2)...), "and 1 of them take part: name them under nodes", false},
		{v.study, wardMoments, stored(), "and 3 of them take part", false},
		{v.study, wardMoments, func(j *job.Job) { j.Nodes = hospitals(2, 4) }, "hospital-5 has to take part", false},
		{v.study, wardMoments, func(j *job.Job) { j.Engine, j.Nodes = job.EngineShares, hospitals(2, 4, 5) }, "hospital-1 has to take part", false},
		{v.study, ask{"ward", "describe", "", `{"columns":["age"],"by":["sex"]}`}, stored(hospitals(2, 4)...), "describe by groups", true},
		{v.study, ask{"ward", "frequency", "", `{"columns":["sex"]}`}, stored(hospitals(2, 4)...), "frequency by groups", true},
		{v.study, ask{"ward", "linear", "", `{"outcome":"age","covariates":["dose","sex"],"categorical":["sex"]}`}, stored(hospitals(2, 4)...), "linear by groups", true},
		{v.study, ask{"ward", "correlation", "", `{"columns":["age","dose"],"method":"spearman"}`}, stored(hospitals(2, 4)...), "spearman", true},
		{v.study, ask{"ward", "mannwhitney", "", `{"value":"age","group":"sex"}`}, stored(hospitals(2, 4)...), "mannwhitney", true},
		{strict, wardMoments, stored(hospitals(1, 2, 3, 4, 5)...), "shows every sum as it is", false},
	} {
		j := (&vaults{study: c.s}).jobOn(c.a, c.change)
		_, err := PlanJob(j, c.s.roster.Roster)
		if unsupported := new(Unsupported); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || errors.As(err, &unsupported) != c.unsupported {
			t.Errorf("%v: got %v, want one line with %q", c.a, err, c.want)
		}
	}
	if d := deposits(t, wide, `{}`); fmt.Sprint(d.columns) != "[y]" {
		t.Errorf("a deposit of all columns takes %v", d.columns)
	}
}

// TestCheckVault: what a node says before it accepts.
func TestCheckVault(t *testing.T) {
	leakFree(t)
	v := wardVaults(t, fiveWardLines()...)
	say := func(a ask, change func(j *job.Job), node int, want string) {
		t.Helper()
		j := v.jobOn(a, change)
		p, err := PlanJob(j, v.roster.Roster)
		v.must(err)
		err = CheckVault(j, p, v.roster.Roster, v.nodes[node].Name, v.of[node])
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s, %s %v at %s: %v, want %q", a.analysis, a.where, j.Nodes, v.nodes[node].Name, err, want)
		}
		v.tidy()
	}
	answered := stored(hospitals(2, 4)...)
	// Before there is a key, and before anything is deposited.
	say(wardRekey, nil, 1, "")
	say(wardDeposit, nil, 1, "run consilium rekey first")
	say(wardMoments, answered, 1, "run consilium deposit --engine mhe first; if it is deposited as shares, add engine: shares to the job")
	say(wardWithdraw, nil, 1, "")
	for _, a := range []ask{wardRekey, wardDeposit, wardWithdraw} {
		say(a, nil, 2, "") // has nothing to do with it
	}
	say(wardWithdraw, nil, 0, "")
	v.do(wardRekey, nil)
	say(wardDeposit, nil, 1, "")
	say(wardDeposit, nil, 0, "")
	v.do(wardDeposit, nil)
	for _, node := range []int{1, 3} {
		say(wardMoments, answered, node, "")
	}
	say(wardMoments, stored(hospitals(1, 2, 5)...), 0, "")
	say(wardMoments, stored(hospitals(2, 3, 4)...), 2, "leave it out of nodes")
	say(wardMoments, stored(hospitals(2, 5)...), 1, "the deposit is kept at hospital-1, hospital-4, and none of them takes part")
	say(ask{"ward", "describe", "", `{"columns":["grade"]}`}, answered, 1, `column "grade" is not deposited`)
	say(ask{"ward", "describe", "sex = 'm'", `{"columns":["age"]}`}, answered, 1, "deposit the filter sex = 'm'")
	say(wardWithdraw, func(j *job.Job) { j.Nodes = hospitals(2, 3, 4, 5) }, 1, "hospital-1 keeps ciphertexts of the deposit and takes no part")
	// A node that was handed a deposit which it does not keep.
	v.of[2].deposit = v.of[1].deposit
	say(wardMoments, stored(hospitals(2, 3, 4)...), 2, "hospital-3 holds no rows of dataset ward and keeps none of its ciphertexts")
	v.of[2].deposit = nil
	// No key for a vault.
	for _, c := range []struct {
		a      ask
		change func(j *job.Job)
		node   int
		refuse bool
	}{{wardRekey, nil, 1, true}, {wardRekey, nil, 0, false}, {wardDeposit, nil, 0, true}, {wardDeposit, nil, 2, false}, {wardMoments, answered, 3, true}, {wardMoments, nil, 3, false}, {wardWithdraw, nil, 1, true}, {wardWithdraw, nil, 0, false}} {
		j := v.jobOn(c.a, c.change)
		p, err := PlanJob(j, v.roster.Roster)
		v.must(err)
		if err := CheckVault(j, p, v.roster.Roster, v.nodes[c.node].Name, nil); errors.Is(err, errNoVaultKey) != c.refuse || !c.refuse && err != nil {
			t.Errorf("%s at %s without a vault key: %v", c.a.analysis, v.nodes[c.node].Name, err)
		}
	}
	// The study has changed meanwhile.
	for what, c := range map[string]struct {
		change func(d *job.Dataset)
		a      ask
		with   func(j *job.Job)
		want   string
	}{
		"openings":  {func(d *job.Dataset) { d.Vault.Openings++ }, wardDeposit, nil, "run consilium rekey"},
		"quorum":    {func(d *job.Dataset) { d.Vault.Quorum = 3 }, wardDeposit, nil, "run consilium rekey"},
		"range":     {func(d *job.Dataset) { d.Schema.Columns[0].Max = "5000" }, wardDeposit, nil, "run consilium rekey"},
		"stored of": {func(d *job.Dataset) { d.Vault.Openings++ }, wardMoments, answered, "run consilium rekey"},
		"rows":      {func(d *job.Dataset) { d.Sites[0].Rows++ }, wardMoments, answered, "run consilium deposit again"},
		"step":      {func(d *job.Dataset) { d.Schema.Columns[1].Step = "0.25" }, wardMoments, answered, "run consilium deposit again"},
	} {
		changed := *v.roster.Roster
		changed.Datasets = slices.Clone(changed.Datasets)
		d := &changed.Datasets[0]
		d.Sites, d.Schema.Columns = slices.Clone(d.Sites), slices.Clone(d.Schema.Columns)
		c.change(d)
		j := v.jobOn(c.a, c.with)
		p, err := PlanJob(j, &changed)
		v.must(err)
		if err := CheckVault(j, p, &changed, "hospital-2", v.of[1]); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("after another %s: %v, want %q", what, err, c.want)
		}
	}
	// The key is spent.
	if err := v.of[1].epochs[v.of[1].newest].Charge(wardOpenings - 3); err != nil {
		t.Fatal(err)
	}
	say(wardMoments, answered, 1, "")
	say(wardDeposit, nil, 1, "")
	if err := v.of[1].epochs[v.of[1].newest].Charge(3); err != nil {
		t.Fatal(err)
	}
	say(wardMoments, answered, 1, "ciphertexts to open: 1, left: 0")
	say(wardDeposit, nil, 1, "the key epoch is spent")
}

// TestVaultsDiffer: nodes whose vaults hold different things end the job with what is to
// be done, and nothing changes.
func TestVaultsDiffer(t *testing.T) {
	leakFree(t)
	v := depositedWard(t)
	one := slices.Clone(v.of)
	first := *v.of[3].deposit
	answered := stored(hospitals(1, 2, 4)...)

	v.do(wardRekey, nil)
	second := v.of[4].newest
	v.of[4].newest = first.Epoch
	v.fails(v.try(wardDeposit, nil), "another key epoch than")
	v.of[4].newest = second

	// Of the deposit before, and of the one after.
	v.do(wardDeposit, nil)
	again := v.of[3].deposit
	v.of[3].deposit = &first
	v.fails(v.try(wardMoments, answered), "run consilium deposit again")
	v.of[3].deposit = again
	v.of = one

	// What a vault has is not what the sites have signed.
	for what, change := range map[string]func(d *Deposit){
		"a manifest":           func(d *Deposit) { d.Manifests[1] = append(slices.Clone(d.Manifests[1]), 0) },
		"a signature":          func(d *Deposit) { d.Signatures[1] = d.Signatures[0] },
		"a manifest less":      func(d *Deposit) { d.Manifests = d.Manifests[:2] },
		"another's manifest":   func(d *Deposit) { d.Manifests[1], d.Signatures[1] = d.Manifests[2], d.Signatures[2] },
		"that of another job":  func(d *Deposit) { d.Job[0] ^= 1 },
		"of another epoch":     func(d *Deposit) { d.Epoch[0] ^= 1 },
		"manifests of the old": func(d *Deposit) { d.Manifests[0], d.Signatures[0] = first.Manifests[0], first.Signatures[0] },
	} {
		bad := *again
		bad.Manifests, bad.Signatures = slices.Clone(again.Manifests), slices.Clone(again.Signatures)
		change(&bad.Deposit)
		v.of[1].deposit = &bad
		j := v.jobOn(wardMoments, answered)
		p, err := PlanJob(j, v.roster.Roster)
		v.must(err)
		if err := CheckVault(j, p, v.roster.Roster, "hospital-2", v.of[1]); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the vault is taken as it is", what)
		}
	}
	bad := *again
	bad.Signatures = slices.Clone(again.Signatures)
	bad.Signatures[1] = bad.Signatures[0]
	v.of[1].deposit = &bad
	v.fails(v.try(wardMoments, answered), "run consilium deposit again")
	v.of[1].deposit = again

	// A keeper gives another ciphertext, of the right form; or its disk has none.
	whole := v.of[3].deposit.ciphertexts
	for what, c := range map[string]struct {
		change func(ciphertexts map[string][]byte)
		want   string
	}{
		"another ciphertext": {func(all map[string][]byte) {
			for i := range 3 * studyNodes {
				for column := range 7 {
					one, other := keyOf(mpc.PartyID(i), column, 0), keyOf(mpc.PartyID(i), (column+1)%7, 0)
					if whole[one] != nil {
						all[one] = whole[other]
					}
				}
			}
		}, "is not the one in the manifest"},
		"no ciphertext": {func(all map[string][]byte) { clear(all) }, "it is not here"},
	} {
		t.Run(what, func(*testing.T) {
			changed := *again
			changed.ciphertexts = map[string][]byte{}
			for key, frame := range whole {
				changed.ciphertexts[key] = frame
			}
			c.change(changed.ciphertexts)
			v.of[3].deposit = &changed
			before := v.left(1)
			v.fails(v.try(wardMoments, stored(hospitals(2, 4)...)), c.want)
			if v.left(1) != before {
				t.Error("openings were charged")
			}
			v.of[3].deposit = again
		})
	}
}

// TestDepositFails: whatever goes wrong at one node, nothing of the deposit is in force
// at any.
func TestDepositFails(t *testing.T) {
	leakFree(t)
	v := wardVaults(t, fiveWardLines()...)
	v.do(wardRekey, nil)
	data := func(node int, data SiteData) func(tr *trial) {
		return func(tr *trial) {
			before := tr.task
			tr.task = func(i int, task *Task) {
				if before(i, task); i == node {
					task.Data = data
				}
			}
		}
	}
	tamper := func(step string, from, to mpc.PartyID, change func(frame []byte) []byte) func(tr *trial) {
		return func(tr *trial) {
			tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
				if strings.Contains(m.Channel.Step, step) && m.From == from && m.To == to && m.Index == 0 {
					return change(slices.Clone(m.Frame)), true
				}
				return m.Frame, true
			}
		}
	}
	flip := func(at int) func(frame []byte) []byte {
		return func(frame []byte) []byte {
			frame[(at+len(frame))%len(frame)] ^= 1
			return frame
		}
	}
	longer := fromText(t, &v.roster.Roster.Datasets[0].Schema, wardHeader, fiveWardLines()[0])
	beyond := fromText(t, &v.roster.Roster.Datasets[0].Schema, wardHeader, fiveWardLines()[1])
	beyond.rows[0]["dose"] = cell{code: 1 << 40, valid: true}
	for what, c := range map[string]struct {
		change func(tr *trial)
		want   string
	}{
		"a broken file":              {data(3, failing()), "row 17, column age"},
		"more rows than declared":    {data(4, longer), "more rows than the roster declares"},
		"a value beyond its range":   {data(3, beyond), "outside the declared range"},
		"a full disk":                {func(*trial) { v.of[0].full = errors.New("no space left on device") }, "no space left on device"},
		"another ciphertext":         {tamper("ciphertexts.0", 1, 0, flip(3)), "has other ciphertexts of column * than it sent"},
		"an unreduced ciphertext":    {tamper("ciphertexts.0", 1, 0, func(frame []byte) []byte { return bytes.Repeat([]byte{0xff}, len(frame)) }), "is not reduced"},
		"a short ciphertext":         {tamper("ciphertexts.0", 1, 0, func(frame []byte) []byte { return frame[1:] }), "bytes, want"},
		"another manifest":           {tamper("manifests", 1, 4, flip(60)), "the manifest of hospital-2"},
		"another hash":               {tamper("manifests", 1, 4, flip(-ed25519.SignatureSize-1)), "the manifest of hospital-2 is not signed by it"},
		"another signature":          {tamper("manifests", 4, 0, flip(-1)), "the manifest of hospital-5 is not signed by it"},
		"a key epoch told otherwise": {tamper("keepers", 4, 0, flip(0)), "run consilium rekey"},
	} {
		t.Run(what, func(*testing.T) {
			tr := v.try(wardDeposit, nil)
			c.change(tr)
			v.fails(tr, c.want)
			v.of[0].full = nil
		})
	}
	v.of[1].full = errors.New("no space left on device")
	v.fails(v.try(wardRekey, nil), "keep the new key: no space left on device")
}

// TestVaultNodeVanishes: when a node falls silent, all others end with an error that
// names it, and nothing changes in their vaults.
func TestVaultNodeVanishes(t *testing.T) {
	v := depositedWard(t)
	for _, c := range []struct {
		name   string
		a      ask
		change func(j *job.Job)
		victim mpc.PartyID
		from   string
	}{
		{"a site while a key is made", wardRekey, nil, 4, stepCompute},
		{"a site before it sends", wardDeposit, nil, 4, "ciphertexts"},
		{"a keeper in the end", wardDeposit, nil, 0, stepEnd},
		{"a keeper before it gives", wardMoments, stored(hospitals(1, 2, 5)...), 0, "fetch"},
		{"a site before it answers", wardMoments, stored(hospitals(2, 4)...), 3, "answer"},
		{"a site before a withdrawal", wardWithdraw, nil, 1, stepEnd},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(*testing.T) {
				before := v.state(int(c.victim))
				tr := v.try(c.a, c.change)
				tr.hooks.Tamper = silence(c.victim, c.from)
				tr.run()
				for i, err := range tr.errs {
					if i != int(c.victim) && tr.inTheRun(i) && (err == nil || !strings.Contains(err.Error(), tr.nodes[c.victim].Name)) {
						t.Errorf("%s: %v", tr.nodes[i].Name, err)
					}
				}
				if after := v.state(int(c.victim)); after != before {
					t.Errorf("the vaults have changed:\n%s\n%s", before, after)
				}
				v.tidy()
			})
		})
	}
}

// TestVaultTranscripts: frames and lengths are the same for other data of the same
// declared size.
func TestVaultTranscripts(t *testing.T) {
	leakFree(t)
	shapes := func(lines ...[][]string) string {
		v := wardVaults(t, lines...)
		var all strings.Builder
		for _, c := range []struct {
			a      ask
			change func(j *job.Job)
		}{
			{wardRekey, nil},
			{wardDeposit, nil},
			{wardMoments, stored(hospitals(1, 2, 5)...)},
			{ask{"ward", "describe", "sex = 'f'", `{"columns":["age"]}`}, stored(hospitals(1, 2, 5)...)},
			{wardWithdraw, nil},
		} {
			tr := v.try(c.a, c.change)
			tr.succeed()
			fmt.Fprintf(&all, "# %s\n%s%s", c.a.analysis, tr.net.Transcript().Shape(), sealedLengths(tr.shares))
			if opened := tr.net.Transcript().Openings(); len(opened) > 0 {
				t.Errorf("%s: steps %v open something", c.a.analysis, opened)
			}
		}
		return all.String()
	}
	one := shapes(fiveWardLines()...)
	other := shapes([][]string{{"1", "", "m", "10"}, {"", "", "m", "10"}, {"", "", "", ""}}, [][]string{{"120", "100", "f", "0.5"}, {"120", "100", "f", "0.5"}}, [][]string{{"-5", "0", "f", "10"}})
	if one != other {
		t.Errorf("the transcript tells of the data:\n%s\n%s", one, other)
	}
	testkit.Golden(t, "vaults.shape.golden", one)
}

// TestVaultBystanders: nodes that are no site and keep nothing only confirm, and those
// that the job does not name hear nothing of it. A deposit and a withdrawal are for
// everybody: whoever kept some of the last gives it up.
func TestVaultBystanders(t *testing.T) {
	leakFree(t)
	v := depositedWard(t)
	for _, c := range []struct {
		a      ask
		change func(j *job.Job)
		out    []mpc.PartyID
	}{
		{wardRekey, nil, []mpc.PartyID{0, 2}},
		{wardMoments, stored(hospitals(2, 4)...), []mpc.PartyID{0, 2, 4}},
	} {
		tr := v.try(c.a, c.change)
		tr.succeed()
		for _, record := range tr.net.Transcript() {
			for _, p := range c.out {
				if confirms := c.change == nil && record.Step == stepConfirm; (record.From == p || record.To == p) && !confirms {
					t.Errorf("%s: node %d has part in %s", c.a.analysis, p, record.Step)
				}
			}
		}
	}
}

// TestOpenWordsRefuses: what sites tell in the clear, each must tell alike.
func TestOpenWordsRefuses(t *testing.T) {
	leakFree(t)
	v := wardVaults(t, fiveWardLines()...)
	tr := v.try(wardRekey, nil)
	tr.run()
	v.must(errors.Join(tr.errs...))
	for what, c := range map[string]struct {
		change func(x []job.SealedShare) []job.SealedShare
		want   string
	}{
		"on its way": {func(x []job.SealedShare) []job.SealedShare { x[1].Outputs[0].Ciphertext[0] ^= 1; return x }, "does not fit"},
		"by a site": {func(x []job.SealedShare) []job.SealedShare {
			x[1].Outputs[0].Ciphertext[0] ^= 1
			v.resign(tr, &x[1])
			return x
		}, "hospital-2 and hospital-4 differ in output epoch"},
		"cut by the first": {func(x []job.SealedShare) []job.SealedShare {
			x[0].Outputs[0].Ciphertext = x[0].Outputs[0].Ciphertext[1:]
			v.resign(tr, &x[0])
			return x
		}, "output epoch of hospital-2 has 31 bytes, want 32"},
		"left out": {func(x []job.SealedShare) []job.SealedShare { return x[:2] }, "the share of hospital-5 is missing"},
	} {
		opened, _, err := Open(tr.signed, v.roster, tr.decisions, c.change(copyShares(tr.shares)), v.recipient)
		if err == nil || opened != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("changed %s: %v, want %q", what, err, c.want)
		}
	}
}
