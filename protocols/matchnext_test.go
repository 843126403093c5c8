package protocols

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"consilium/job"
	"consilium/mpc/memnet"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/testkit"
)

// partyRows keeps runs as a party does on disk. Fail is asked before and after each write,
// if it is not nil; an error is the end of the node.
type partyRows struct {
	mu   sync.Mutex
	runs map[job.Hash][]byte
	used bool
	fail func(point string) error
}

func (k *partyRows) write(run *KeptRun) error {
	b, err := json.Marshal(run)
	if err == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.runs[run.Job] = b
	}
	return err
}

func (k *partyRows) read(id job.Hash) *KeptRun {
	k.mu.Lock()
	defer k.mu.Unlock()
	run := new(KeptRun)
	if err := json.Unmarshal(k.runs[id], run); err != nil {
		return nil
	}
	return run
}

// endAt has the party end at a point of its writing, once.
func (k *partyRows) endAt(point string) (ended *bool) {
	ended = new(bool)
	k.fail = func(at string) error {
		if at == point && !*ended {
			*ended = true
			return errors.New("the process was killed")
		}
		return nil
	}
	return ended
}

func (k *partyRows) Keep(run *KeptRun) (Change, error) {
	return onCommit(func() error { return k.write(run) }), nil
}

func (k *partyRows) Open(id job.Hash) (OpenedRun, error) {
	if k.runs[id] == nil {
		return nil, ErrNoRows
	}
	if k.used {
		return nil, errors.New("in use")
	}
	k.used = true
	return &openedRows{k, k.read(id)}, nil
}

type openedRows struct {
	of  *partyRows
	run *KeptRun
}

func (o *openedRows) Run() *KeptRun { return o.run }
func (o *openedRows) Close()        { o.of.used = false }

func (o *openedRows) Write(run *KeptRun) error {
	point := "turning"
	if !run.Shown.IsZero() {
		point = "shown"
	}
	if o.of.fail != nil {
		if err := o.of.fail("before " + point); err != nil {
			return err
		}
	}
	if err := o.of.write(run); err != nil {
		return err
	}
	o.run = o.of.read(run.Job)
	if o.of.fail != nil {
		return o.of.fail("after " + point)
	}
	return nil
}

func (k *keptRuns) KeepOffer(o *Offer) (Change, error) {
	return onCommit(func() error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.fail == nil {
			k.offers = append(k.offers, o)
		}
		return k.fail
	}), nil
}

func (k *keptRuns) Answer(run job.Hash, sequence int) *job.Answer {
	for _, a := range k.answers {
		if a.Run == run && a.Sequence == sequence {
			return a
		}
	}
	return nil
}

// ranked runs a match whose ranks are revealed one at a time, and returns its id.
func (r *registry) ranked(args string) job.Hash {
	r.t.Helper()
	tr := r.match("match.rank", "kidney", args)
	result := tr.succeed()
	if result.Status != "ok" || len(resultRows(result)) != 0 {
		r.t.Fatalf("%+v", result)
	}
	for i := range 4 {
		if told := r.last(i).Result; len(resultRows(told)) != 0 {
			r.t.Errorf("hospital %d was told %+v", i+1, told)
		}
	}
	return tr.signed.ID()
}

// next is a trial of the n-th rank of a run.
func (r *registry) next(run job.Hash, n int) *trial {
	r.t.Helper()
	return r.nextBy(run, n, nil, nil)
}

// nextBy is next by another client than the office, if its keys are not nil.
func (r *registry) nextBy(run job.Hash, n int, client *job.Identity, recipient []byte) *trial {
	r.t.Helper()
	file, err := NextFile(r.roster.Roster, "kidney", run, n)
	r.must(err)
	j := r.job(ask{"kidney", MatchNext, "", fmt.Sprintf(`{"policy":%q,"run":%q,"sequence":%d}`, file.Args[ArgPolicy], run, n)})
	j.Nodes = file.Nodes
	if recipient != nil {
		j.Recipient = recipient
	}
	signed := r.sign(j)
	if client != nil {
		signed, err = job.Sign(j, client.Key)
		r.must(err)
	}
	tr := r.try(signed)
	tr.task = func(i int, task *Task) {
		task.Data, task.Runs, task.Rows = nil, r.runs[i], r.rows[i]
	}
	return tr
}

// offered is the hospital that was offered a rank, by its offers.
func (r *registry) offered(run job.Hash, n int) int {
	r.t.Helper()
	at := -1
	for i := range 4 {
		var last *Offer
		for _, o := range r.runs[i].offers {
			if o.Run == run && o.Sequence == n {
				last = o
			}
		}
		switch {
		case last == nil:
			r.t.Fatalf("hospital %d keeps nothing of rank %d", i+1, n)
		case last.Mine != (len(resultRows(last.Result)) == 1):
			r.t.Errorf("hospital %d: mine is %v, and it was told %v", i+1, last.Mine, last.Result)
		case last.Mine && at >= 0:
			r.t.Errorf("rank %d was offered to hospitals %d and %d", n, at+1, i+1)
		case last.Mine:
			at = i
		}
	}
	return at
}

// answer has a hospital answer to a rank; code 0 accepts.
func (r *registry) answer(hospital int, run job.Hash, n, code int) *job.Answer {
	a := &job.Answer{Run: run, Sequence: n, Node: r.nodes[hospital].Name, Accept: code == 0, Code: code}
	a.Sign(r.nodes[hospital].Key)
	r.runs[hospital].answers = append(r.runs[hospital].answers, a)
	return a
}

// refused runs a trial that must end at every node that takes part with one line.
func (tr *trial) refused(want string) {
	tr.t.Helper()
	tr.run()
	tr.others(want, 4)
	if len(tr.shares) != 0 {
		tr.t.Error("there is a share of a row")
	}
	for _, err := range tr.errs[:4] {
		if err != nil && strings.Contains(err.Error(), "\n") {
			tr.t.Errorf("%q has several lines", err)
		}
	}
}

func answered(result *Result) string {
	return fmt.Sprint(result.Value.(map[string]any)["answered"])
}

const nextOfFive = `{"donors":"donors","donor":"D02","top":5,"reveal":"next"}`

// wholeList is the list of nextOfFive in the clear.
func (r *registry) wholeList() []string {
	r.t.Helper()
	return resultRows(r.match("match.rank", "kidney", `{"donors":"donors","donor":"D02","top":5}`).succeed())
}

func TestMatchNext(t *testing.T) {
	r := kidneys(t, 20, 1)
	want := r.wholeList()
	run := r.ranked(nextOfFive)
	var ranks []Revealed
	for n := 1; n <= 3; n++ {
		for range 2 { // what went wrong somewhere may be asked for again
			result := r.next(run, n).succeed()
			if got := resultRows(result); result.Status != "ok" || len(got) != 1 || got[0] != want[n-1] {
				t.Fatalf("rank %d: %s, %v, want %s", n, result.Status, got, want[n-1])
			}
			ranks = append(ranks, Revealed{n, result})
		}
		at := r.offered(run, n)
		if got := resultRows(ranks[len(ranks)-1].Result)[0]; at < 0 || resultRows(lastOffer(r, at).Result)[0] != strings.Replace(got, "hospital", "", 1) {
			t.Fatalf("rank %d is offered to %d: %v", n, at, lastOffer(r, at))
		}
		if n < 3 {
			r.next(run, n+1).refused(fmt.Sprintf("rank %d of run %s has no answer yet", n, run.Short()))
			r.answer(at, run, n, 810+n)
			continue
		}
		r.answer(at, run, n, 0)
	}
	if got := answered(ranks[4].Result); !strings.Contains(got, "code:812") || !strings.Contains(got, "reason:patient or centre") {
		t.Error(got)
	}
	end := r.next(run, 4).succeed()
	if end.Status != "accepted" || len(resultRows(end)) != 0 || r.offered(run, 4) >= 0 || !strings.Contains(end.Reason, "Rank 3 was accepted by hospital-") {
		t.Errorf("%+v", end)
	}
	ranks = append(ranks, Revealed{4, end})
	r.next(run, 5).refused(fmt.Sprintf("rank 3 of run %s was accepted: the run has ended", run.Short()))
	for _, n := range []int{1, 2} {
		r.next(run, n).refused("the next: ask for rank 5")
	}
	r.isReplayed(run, ranks)
}

// TestMatchNextRemovesRows: a party that has told of the end of a run keeps no shares of its
// rows, wherever another one was killed meanwhile, and tells of it again.
func TestMatchNextRemovesRows(t *testing.T) {
	r := kidneys(t, 40, 0)
	kept := func(run job.Hash) (rows [3]int) {
		for i := range rows {
			rows[i] = len(r.rows[i].read(run).Rows)
		}
		return rows
	}
	for _, c := range []struct {
		top, code int
		status    string
	}{{3, 0, "accepted"}, {1, 740, "exhausted"}} {
		run := r.ranked(fmt.Sprintf(`{"donors":"donors","donor":"D02","top":%d,"reveal":"next"}`, c.top))
		r.next(run, 1).succeed()
		before := r.rows[1].read(run)
		r.answer(r.offered(run, 1), run, 1, c.code)
		r.rows[2].endAt("before shown")
		r.next(run, 2).run()
		if rows := kept(run); rows[0] != 0 || rows[1] != 0 || rows[2] == 0 {
			t.Fatalf("%s: shares of rows are left, in bytes: %v", c.status, rows)
		}
		if end := r.next(run, 2).succeed(); end.Status != c.status {
			t.Errorf("%+v", end)
		}
		if rows := kept(run); rows != [3]int{} {
			t.Errorf("%s: shares of rows are left, in bytes: %v", c.status, rows)
		}
		if end := r.next(run, 2).succeed(); end.Status != c.status || r.offered(run, 2) >= 0 {
			t.Errorf("%+v", end)
		}
		r.must(r.rows[1].write(before)) // an old copy: the answer has to be checked once more
		r.next(run, 2).refused("run " + run.Short() + " is over here, and its shares of the rows are removed")
	}
}

func lastOffer(r *registry, node int) *Offer { return r.runs[node].offers[len(r.runs[node].offers)-1] }

// isReplayed replays a run of nextOfFive with the ranks that were revealed of it, and
// with others.
func (r *registry) isReplayed(run job.Hash, ranks []Revealed) {
	r.t.Helper()
	t := r.t
	ordered, err := InOrder(ranks)
	if err != nil || len(ordered) != 4 {
		t.Fatalf("%d ranks: %v", len(ordered), err)
	}
	if _, err := InOrder(ranks[2:]); err == nil || !strings.Contains(err.Error(), "rank 1 of the run is missing") {
		t.Error(err)
	}
	tr := r.match("match.rank", "kidney", nextOfFive)
	plan, opened := tr.opened() // the same inputs, another run
	if _, err := plan.Replay(t.Context(), opened, r.lastRuns(), ordered...); err != nil {
		t.Error(err)
	}
	plan2, err := PlanJob(r.mustVerify(r.next(run, 1).signed), r.roster.Roster)
	r.must(err)
	table := plan2.ranksTable(ordered)
	if len(table.Rows) != 3 || table.Rows[0][len(table.Rows[0])-1] != "refused 811 patient or centre" || table.Rows[2][len(table.Rows[2])-1] != "accepted" {
		t.Errorf("%v", table)
	}
	swapped := slices.Clone(ordered)
	swapped[0].Result, swapped[1].Result = swapped[1].Result, swapped[0].Result
	if _, err := plan.Replay(t.Context(), opened, r.lastRuns(), swapped...); err == nil || !strings.Contains(err.Error(), "rank 1 of the run is not what its inputs give") {
		t.Error(err)
	}
}

func (r *registry) mustVerify(signed *job.Signed) *job.Job {
	r.t.Helper()
	j, err := signed.Verify()
	r.must(err)
	return j
}

func TestMatchNextIsExhausted(t *testing.T) {
	r := kidneys(t, 20, 0)
	run := r.ranked(`{"donors":"donors","donor":"D02","top":1,"reveal":"next"}`)
	r.next(run, 1).succeed()
	r.answer(r.offered(run, 1), run, 1, 886)
	end := r.next(run, 2).succeed()
	if end.Status != "exhausted" || len(resultRows(end)) > 0 || !strings.Contains(answered(end), "reason:filtered") || r.offered(run, 2) >= 0 {
		t.Errorf("%+v", end)
	}
	r.next(run, 3).refused("ranked the best 1: it has no rank 3")
}

// TestMatchNextAnswers: an answer counts that the offered hospital has signed for that
// very rank and run, and no other does.
func TestMatchNextAnswers(t *testing.T) {
	r := kidneys(t, 20, 0)
	other := r.ranked(nextOfFive)
	run := r.ranked(nextOfFive)
	r.next(run, 1).succeed()
	at := r.offered(run, 1)
	wrong := (at + 1) % 4
	clear := func() {
		for _, k := range r.runs {
			k.answers = nil
		}
	}
	for name, c := range map[string]struct {
		answer func()
		want   string
	}{
		"none":             {func() {}, "has no answer yet"},
		"another hospital": {func() { r.answer(wrong, run, 1, 0) }, r.nodes[wrong].Name + " answers to rank 1 of run " + run.Short() + ", which it was not offered"},
		"two":              {func() { r.answer(at, run, 1, 740); r.answer(wrong, run, 1, 0) }, "both answer to rank 1"},
		"forged":           {func() { r.answer(at, run, 1, 740).Signature[9] ^= 1 }, "the signature does not fit"},
		"another's key":    {func() { a := r.answer(at, run, 1, 740); a.Sign(r.nodes[wrong].Key) }, "the signature does not fit"},
		"of another run":   {func() { r.answer(at, other, 1, 740).Run = run }, "the signature does not fit"},
		"of another rank":  {func() { r.answer(at, run, 2, 740).Sequence = 1 }, "the signature does not fit"},
		"turned round":     {func() { a := r.answer(at, run, 1, 740); a.Accept, a.Code = true, 0 }, "the signature does not fit"},
		"unknown code":     {func() { r.answer(at, run, 1, 700) }, "has code 700, which policy etkas does not have: 740-799 donor or logistics"},
	} {
		clear()
		c.answer()
		tr := r.next(run, 2)
		tr.refused(c.want)
		for i := range 3 {
			if kept := r.rows[i].read(run); kept.Rank != 1 || len(kept.Answers) != 0 {
				t.Errorf("%s: a party has turned to rank %d", name, kept.Rank)
			}
		}
	}
	clear()
	r.answer(at, run, 1, 740)
	told := map[int]bool{} // a hospital that tells parties different things
	tr := r.next(run, 2)
	tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
		if strings.HasPrefix(m.Channel.Step, "answers/site") && int(m.From) == at && int(m.To) == (at+1)%3 {
			told[at] = true
			return make([]byte, len(m.Frame)), true
		}
		return m.Frame, true
	}
	tr.refused("other answers of hospitals")
	if !told[at] {
		t.Error("nothing was tampered with")
	}
	r.next(run, 2).succeed()
}

// TestMatchNextIsTheOffices: only the client that asked for a run, with the keys that it
// had then, gets its rows.
func TestMatchNextIsTheOffices(t *testing.T) {
	r := kidneys(t, 20, 0)
	run := r.ranked(nextOfFive)
	r.nextBy(run, 1, r.other, nil).refused("was asked for by another client")
	r.nextBy(run, 1, r.other, r.to).refused("was asked for by another client")
	r.nextBy(run, 1, nil, r.to).refused("was asked for by another client")
	r.next(job.Hash{1}, 1).refused("keeps no rows of run 0100000000000000")
	r.next(r.match("match.rank", "kidney", `{"donors":"donors","donor":"D02","top":2}`).signed.ID(), 1).refused("keeps no rows of run")
	r.next(run, 2).refused("rank 2 of run " + run.Short() + " is not the next: ask for rank 1")
	r.rows[1].runs[run] = nil
	r.next(run, 1).refused("hospital-2 keeps no rows of run")
}

// TestMatchNextRecovers: wherever a party ends, the run goes on with the same rank, to
// the same row, and no rank is left out.
func TestMatchNextRecovers(t *testing.T) {
	r := kidneys(t, 40, 0)
	want := r.wholeList()
	run := r.ranked(nextOfFive)
	n := 1
	for party := range 3 {
		if n = 1; party > 0 {
			run = r.ranked(nextOfFive)
		}
		for _, point := range []string{"before turning", "after turning", "before shown", "after shown"} {
			ended := r.rows[party].endAt(point)
			tr := r.next(run, n)
			tr.run()
			if tr.errs[party] == nil || !*ended {
				t.Fatalf("%s at party %d: %v", point, party, tr.errs)
			}
			if strings.HasSuffix(point, "turning") && len(tr.shares) > 0 {
				t.Errorf("%s at party %d: a row has left it", point, party)
			}
			got := resultRows(r.next(run, n).succeed())
			if len(got) != 1 || got[0] != want[n-1] {
				t.Errorf("%s at party %d: rank %d is %v, want %s", point, party, n, got, want[n-1])
			}
			r.next(run, n+1).refused("has no answer yet")
			r.answer(r.offered(run, n), run, n, 740)
			n++
		}
	}
	// A hospital ends before it has written what it was offered.
	at := r.offered(run, n-1)
	r.runs[at].fail = errors.New("the process was killed")
	r.next(run, n).run()
	r.runs[at].fail = nil
	if got := resultRows(r.next(run, n).succeed()); got[0] != want[n-1] || r.offered(run, n) < 0 {
		t.Errorf("rank %d is %v, want %s", n, got, want[n-1])
	}
	// One party has lost more than a rank.
	whole := r.rows[1].read(run)
	old := *r.rows[1].read(run)
	old.Rank, old.Answers = 2, old.Answers[:1]
	r.must(r.rows[1].write(&old))
	r.next(run, n).refused("hospital-2 has come to rank 2 of run " + run.Short() + " and another party to rank 5")
	// Or tells of another answer.
	old = *r.rows[1].read(run)
	old.Rank, old.Answers = whole.Rank, slices.Clone(whole.Answers)
	old.Answers[1].Code++
	r.must(r.rows[1].write(&old))
	r.next(run, n).refused("keep different things of run")
	r.must(r.rows[1].write(whole))
	r.next(run, n).succeed()
}

// withOffers is the shipped policy with a time for answers.
func withOffers(t *testing.T) *policy.Policy {
	t.Helper()
	text, err := policies.FS.ReadFile("etkas.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(append(text, "\noffers: {answer_within: 60m}\n"...), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatchNextExpires(t *testing.T) {
	base := kidneys(t, 40, 0)
	r := newRegistry(t, withOffers(t), 0, map[string]job.Side{"kidney": job.Candidates, "donors": job.Donors}, base.files)
	synctest.Test(t, func(t *testing.T) {
		run := r.ranked(nextOfFive)
		r.next(run, 1).succeed()
		time.Sleep(59 * time.Minute)
		r.next(run, 2).refused("waits for it until 1h0m0s after rank 1 was revealed")
		time.Sleep(2 * time.Minute)
		late := *r.rows[2].read(run)
		late.Shown = late.Shown.Add(30 * time.Minute)
		early := r.rows[2].read(run)
		r.must(r.rows[2].write(&late))
		r.next(run, 2).refused("has no answer yet") // by one clock there is time left
		r.must(r.rows[2].write(early))

		r.rows[1].fail = func(at string) error { // one party does not get to write it
			if at == "before turning" {
				time.Sleep(time.Second) // the others do
				return errors.New("the process was killed")
			}
			return nil
		}
		r.next(run, 2).run()
		if at := []int{r.rows[0].read(run).Rank, r.rows[1].read(run).Rank, r.rows[2].read(run).Rank}; !slices.Equal(at, []int{2, 1, 2}) {
			t.Fatalf("the parties have come to ranks %v", at)
		}
		r.rows[1].fail = nil
		r.answer(r.offered(run, 1), run, 1, 0) // too late
		second := r.next(run, 2).succeed()
		if second.Status != "ok" || !strings.Contains(answered(second), "answer:expired") || !strings.Contains(second.Tables[0].Notes[0], "was not answered within 1h0m0s") {
			t.Errorf("%+v", second)
		}
		r.answer(r.offered(run, 2), run, 2, 813)
		time.Sleep(3 * time.Hour) // an answer counts, however late, until the office has gone on
		if third := r.next(run, 3).succeed(); !strings.Contains(answered(third), "code:813") {
			t.Errorf("%+v", third)
		}
	})
}

// TestMatchNextTranscript: what is sent has the same shape whoever is offered the rank,
// and whoever answers to the one before.
func TestMatchNextTranscript(t *testing.T) {
	shape := ""
	at := map[int]bool{}
	for _, donor := range []string{"D01", "D02", "D03", "D05"} {
		r := kidneys(t, 40, 0)
		run := r.ranked(fmt.Sprintf(`{"donors":"donors","donor":%q,"top":5,"reveal":"next"}`, donor))
		r.next(run, 1).succeed()
		hospital := r.offered(run, 1)
		if hospital < 0 {
			continue
		}
		r.answer(hospital, run, 1, 740+len(donor))
		sent := r.sentBy(r.next(run, 2))
		if at[hospital] = true; shape == "" {
			shape = sent.Shape()
			testkit.Golden(t, "matchnext.openings.golden", strings.Join(sent.Openings(), "\n")+"\n")
		}
		if sent.Shape() != shape {
			t.Errorf("donor %s: the transcript tells who was offered the rank", donor)
		}
	}
	if len(at) < 2 {
		t.Fatalf("only hospitals %v were offered a rank", at)
	}
}

func TestMatchNextStatement(t *testing.T) {
	r := kidneys(t, 100, 0)
	j := r.mustVerify(r.next(job.Hash{1, 2}, 2).signed)
	plan, err := PlanJob(j, r.roster.Roster)
	r.must(err)
	text := strings.Join(plan.Statement(j, r.roster.Roster), "\n")
	for _, want := range []string{
		"of rank 2 of run 0102000000000000: run, sequence, tier, points, mismatches, candidate, hospital", "the answer to rank 1: of which hospital",
		"Who learns which hospital is offered rank 2: the office; that hospital itself", "from the signature of its answer, the three parties hospital-1 (Clinic 1), hospital-2",
		"everybody who takes part then learns that this hospital was not", "two that pool their shares do",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	kept := r.mustVerify(r.match("match.rank", "kidney", nextOfFive).signed)
	plan, err = PlanJob(kept, r.roster.Roster)
	r.must(err)
	if text := strings.Join(plan.Statement(kept, r.roster.Roster), "\n"); !strings.Contains(text, "nobody learns any of them: the three parties keep their shares") || strings.Contains(text, "learns of its own candidates alone") {
		t.Error(text)
	}
	if run, n, ok := mustPlan(t, r, j).Rank(); !ok || n != 2 || run != (job.Hash{1, 2}) {
		t.Errorf("it is rank %d of %v", n, run)
	}
}

func mustPlan(t *testing.T, r *registry, j *job.Job) *Plan {
	t.Helper()
	p, err := PlanJob(j, r.roster.Roster)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatchNextIsRefused(t *testing.T) {
	r := kidneys(t, 100, 0)
	hash, run := r.roster.Roster.Policies[0].Hash(), job.Hash{7}
	for _, c := range []struct{ dataset, args, want string }{
		{"kidney", fmt.Sprintf(`{"policy":%q,"run":%q}`, hash, run), "argument sequence is no rank"},
		{"kidney", fmt.Sprintf(`{"policy":%q,"run":%q,"sequence":0}`, hash, run), "argument sequence is no rank"},
		{"kidney", fmt.Sprintf(`{"policy":%q,"run":%q,"sequence":1.5}`, hash, run), "argument sequence is no rank"},
		{"kidney", fmt.Sprintf(`{"policy":%q,"run":%q,"sequence":9999999999999}`, hash, run), "argument sequence is no rank"},
		{"kidney", fmt.Sprintf(`{"policy":%q,"run":"7","sequence":1}`, hash), "hash: not 64"},
		{"kidney", fmt.Sprintf(`{"policy":%q,"sequence":1}`, hash), `argument "run"`},
		{"kidney", fmt.Sprintf(`{"policy":%q,"run":%q,"sequence":1}`, run, run), "argument policy"},
		{"kidney", fmt.Sprintf(`{"policy":%q,"run":%q,"sequence":1,"day":"2025-01-02"}`, hash, run), `argument "day"`},
		{"donors", fmt.Sprintf(`{"policy":%q,"run":%q,"sequence":1}`, hash, run), "name the run's waiting list"},
	} {
		if _, err := PlanJob(r.job(ask{c.dataset, MatchNext, "", c.args}), r.roster.Roster); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
	}
	plan := mustPlan(t, r, r.job(ask{"kidney", MatchNext, "", fmt.Sprintf(`{"policy":%q,"run":%q,"sequence":1}`, hash, run)}))
	if plan.CheckClock(time.Now()) != nil || len(plan.Lists()) > 0 || len(plan.Uses()) > 0 || plan.ReadsRows() || !plan.KeepsRows() {
		t.Errorf("%+v", plan)
	}
}

// TestKeptRunIsChecked: what is on a disk may be anything.
func TestKeptRunIsChecked(t *testing.T) {
	r := kidneys(t, 100, 0)
	run := r.ranked(nextOfFive)
	whole := r.rows[2].read(run)
	for name, spoil := range map[string]func(k *KeptRun){
		"no rows":         func(k *KeptRun) { k.Top = -1 },
		"too many rows":   func(k *KeptRun) { k.Top = 1 << 40 },
		"no columns":      func(k *KeptRun) { k.Columns = nil },
		"a rank below 0":  func(k *KeptRun) { k.Rank = -1 },
		"answers missing": func(k *KeptRun) { k.Rank = 3 },
		"a signature": func(k *KeptRun) {
			k.Rank, k.Answers = 2, []Answered{{Kind: answerRefused, Hospital: 1, Code: 1, Signature: make([]byte, 99)}}
		},
		"no signature":       func(k *KeptRun) { k.Rank, k.Answers = 2, []Answered{{Kind: answerAccepted, Hospital: 1}} },
		"no kind of answers": func(k *KeptRun) { k.Rank, k.Answers = 2, []Answered{{Kind: 77}} },
	} {
		spoiled := *whole
		spoil(&spoiled)
		r.must(r.rows[2].write(&spoiled))
		tr := r.next(run, 1)
		tr.refused("what it keeps of run " + run.Short() + " is damaged")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	short := *whole
	short.Rows = short.Rows[8:]
	r.must(r.rows[2].write(&short))
	tr := r.next(run, 1)
	tr.run()
	if len(tr.shares) != 0 || tr.errs[2] == nil {
		t.Errorf("%v", tr.errs)
	}
}

func FuzzParseAnswered(f *testing.F) {
	f.Add((&Answered{}).encode())
	f.Add((&Answered{Kind: answerRefused, Hospital: 3, Code: 812, Signature: make([]byte, signatureSize)}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parseAnswered(b); err == nil && string(a.encode()) != string(b) {
			t.Error("it reads what it does not write")
		}
		if k, err := parseState(b); err == nil && string(k.encode()) != string(b) {
			t.Error("it reads a state that it does not write")
		}
	})
}
