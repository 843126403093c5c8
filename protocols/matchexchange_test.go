package protocols

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"consilium/job"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/testkit"
)

// exchangePool is a pool of the examples in a study: its pairs lie at some of the nodes.
type exchangePool struct {
	*registry
	pool   string
	policy *policy.Policy
	arcs   map[[2]int64]bool // donor's pair, recipient's pair
	home   map[int64]string  // the pair's node
}

// newPool puts hospital K's pairs at node at[K-1].
func newPool(t testing.TB, p *policy.Policy, pool string, spare int, at []int) *exchangePool {
	t.Helper()
	rows := organFile(t, "exchange_pairs.csv")
	e := &exchangePool{pool: pool, policy: p, arcs: map[[2]int64]bool{}, home: map[int64]string{}}
	own := make([][][]string, studyNodes)
	all := [][]string{rows[0]}
	for _, row := range rows[1:] {
		if row[0] != pool {
			continue
		}
		hospital, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		pair, err := strconv.ParseInt(row[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		node := at[hospital-1]
		all, own[node] = append(all, row), append(own[node], row)
		e.home[pair] = fmt.Sprintf("hospital-%d", node+1)
	}
	files := map[string][]string{"pairs": make([]string, studyNodes)}
	for node, own := range own {
		if own != nil {
			files["pairs"][node] = csvText(append([][]string{rows[0]}, own...)...)
		}
	}
	e.registry = newRegistry(t, p, spare, map[string]job.Side{"pairs": job.Pairs}, files)
	e.readArcs(csvText(all...))
	return e
}

// readArcs finds who could give to whom in the clear.
func (e *exchangePool) readArcs(text string) {
	e.t.Helper()
	recipients, err := e.policy.ReadCandidates(strings.NewReader(text), time.Now())
	e.must(err)
	donors, err := e.policy.ReadDonors(strings.NewReader(text), time.Now())
	e.must(err)
	program := e.policy.Program
	for i := range donors.N {
		for j := range recipients.N {
			from, err := strconv.ParseInt(recipients.Labels[i], 10, 64)
			e.must(err)
			to, err := strconv.ParseInt(recipients.Labels[j], 10, 64)
			e.must(err)
			e.arcs[[2]int64{from, to}] = i != j && program.Run(recipients.Row(j), donors.Row(i))[program.Eligible] == 1
		}
	}
}

// told returns to which pair each pair's donor gives by what the hospitals have learned
// of their own pairs, and checks that it is disjoint cycles of compatible pairs.
func (e *exchangePool) told(cycle int) map[int64]int64 {
	e.t.Helper()
	gives, gets := map[int64]int64{}, map[int64]int64{}
	for node := range studyNodes {
		if len(e.runs[node].runs) == 0 {
			continue
		}
		for _, row := range e.last(node).Result.Value.(map[string]any)["rows"].([]any) {
			m := row.(map[string]any)
			pair := m["candidate"].(int64)
			gives[pair], gets[pair] = m["to_candidate"].(int64), m["from_candidate"].(int64)
			if e.home[pair] != e.nodes[node].Name || m["to_hospital"] != e.home[gives[pair]] || m["from_hospital"] != e.home[gets[pair]] {
				e.t.Errorf("node %d is told %v", node, m)
			}
		}
	}
	for pair, to := range gives {
		length := 1
		for at := to; at != pair && length <= cycle; at = gives[at] {
			length++
		}
		if !e.arcs[[2]int64{pair, to}] || gets[to] != pair || length > cycle {
			e.t.Errorf("pair %d gives to pair %d, who gets from pair %d, in a cycle of %d", pair, to, gets[to], length)
		}
	}
	return gives
}

// most is the optimum of the examples.
func (e *exchangePool) most(cycle int) int {
	for _, row := range organFile(e.t, "exchange_expected.csv") {
		if row[0] == e.pool && row[1] == strconv.Itoa(cycle) {
			n, err := strconv.Atoi(row[4])
			e.must(err)
			return n
		}
	}
	e.t.Fatalf("no optimum of pool %s", e.pool)
	return 0
}

func transplants(result *Result) int {
	return int(result.Value.(map[string]any)["transplants"].(int64))
}

func TestMatchExchange(t *testing.T) {
	for _, c := range []struct {
		pool  string
		spare int
		cycle int
	}{{"20", 0, 2}, {"20", 2, 3}, {"40", 1, 3}} {
		e := newPool(t, shippedPolicy(t, "kidney-exchange"), c.pool, c.spare, []int{0, 1, 2, 3})
		result := e.match(MatchExchange, "pairs", fmt.Sprintf(`{"cycle":%d}`, c.cycle)).succeed()
		gives := e.told(c.cycle)
		if n, most := transplants(result), e.most(c.cycle); n != len(gives) || n > most || 100*n < 90*most {
			t.Errorf("pool %s, cycles of %d: the office is told of %d transplants, the hospitals of %d, of %d", c.pool, c.cycle, n, len(gives), most)
		}
		if rows := result.Value.(map[string]any)["rows"].([]any); len(rows) != 0 {
			t.Errorf("the office sees %v", rows)
		}
		if text := result.Tables[0].Rows[0][0]; text != strconv.Itoa(len(gives)) {
			t.Errorf("the table says %s", text)
		}
	}
}

// TestMatchExchangeExact: no choice has more transplants. No party has pairs.
func TestMatchExchangeExact(t *testing.T) {
	for _, cycle := range []int{2, 3} {
		e := newPool(t, shippedPolicy(t, "kidney-exchange"), "40", 1, []int{3, 3, 4, 4})
		result := e.match(MatchExchange, "pairs", fmt.Sprintf(`{"cycle":%d,"mode":"exact"}`, cycle)).succeed()
		if n, gives, most := transplants(result), e.told(cycle), e.most(cycle); n != most || len(gives) != n {
			t.Errorf("cycles of %d: %d transplants, the hospitals are told of %d, want %d", cycle, n, len(gives), most)
		}
	}
}

// entitled is the policy with another entitlement of the office.
func entitled(t testing.TB, office string) *policy.Policy {
	t.Helper()
	return changedExchange(t, "office: [run]", "office: "+office)
}

// changedExchange is the policy with another text in one place.
func changedExchange(t testing.TB, from, to string) *policy.Policy {
	t.Helper()
	text, err := policies.FS.ReadFile("kidney-exchange.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse([]byte(strings.Replace(string(text), from, to, 1)), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMatchExchangeByEntitlement: the office sees of transplants what the policy says.
func TestMatchExchangeByEntitlement(t *testing.T) {
	for _, c := range []struct {
		office         string
		pairs, centres bool
	}{{"[run, candidate, hospital]", true, true}, {"[run, hospital]", false, true}} {
		e := newPool(t, entitled(t, c.office), "20", 1, []int{0, 1, 4, 4})
		result := e.match(MatchExchange, "pairs", `{"mode":"greedy"}`).succeed()
		gives := e.told(3)
		rows := result.Value.(map[string]any)["rows"].([]any)
		if len(rows) != len(gives) || len(rows) == 0 {
			t.Fatalf("%d rows of %d transplants", len(rows), len(gives))
		}
		for _, row := range rows {
			m := row.(map[string]any)
			to, pairs := m["candidate"].(int64)
			_, centres := m["from_hospital"].(string)
			if pairs != c.pairs || centres != c.centres || len(m) != len(result.Tables[0].Header) {
				t.Fatalf("entitled to %s: %v", c.office, m)
			}
			if from := m["from_candidate"]; pairs && (gives[from.(int64)] != to || m["hospital"] != e.home[to] || m["from_hospital"] != e.home[from.(int64)]) {
				t.Errorf("%v, and the hospitals are told that pair %v gives to pair %d", m, from, gives[from.(int64)])
			}
		}
	}
}

// repeatPair gives row 3 of the second hospital the id of row 2 of the first.
func (e *exchangePool) repeatPair() {
	rows := strings.SplitAfter(e.files["pairs"][1], "\n")
	cells := strings.SplitN(strings.SplitAfter(e.files["pairs"][0], "\n")[2], ",", 3)
	again := strings.SplitN(rows[3], ",", 3)
	again[1] = cells[1]
	rows[3] = strings.Join(again, ",")
	e.files["pairs"][1] = strings.Join(rows, "")
}

// TestMatchExchangeTwice: a pair at two hospitals ends the run, and they alone learn it.
func TestMatchExchangeTwice(t *testing.T) {
	e := newPool(t, shippedPolicy(t, "kidney-exchange"), "20", 1, []int{0, 1, 2, 3})
	e.repeatPair()
	result := e.match(MatchExchange, "pairs", `{"mode":"greedy"}`).succeed()
	if result.Status != statusDuplicates || result.Tables != nil {
		t.Errorf("the office is told %s, %v", result.Status, result.Tables)
	}
	for node, row := range []int64{2, 3, 0, 0} {
		got := e.last(node).Result.Value.(map[string]any)
		if twice, _ := got["duplicates"].([]any); row > 0 && !slices.Equal(twice, []any{row}) || row == 0 && len(got["rows"].([]any)) != 0 {
			t.Errorf("node %d is told %v", node, got)
		}
	}
}

// TestMatchExchangeTranscript: what travels does not depend on who suits whom. The pool
// is so small that couples are sorted in one batch: of more than 256 rows the number of
// batches follows from the secret shuffle.
func TestMatchExchangeTranscript(t *testing.T) {
	for name, c := range map[string]struct {
		at   []int
		args string
	}{
		"matchexchange":      {[]int{0, 1, 3, 4}, `{"cycle":3}`},
		"matchexchangeexact": {[]int{3, 3, 4, 4}, `{"cycle":3,"mode":"exact"}`},
	} {
		one := newPool(t, shippedPolicy(t, "kidney-exchange"), "20", 0, c.at)
		other := newPool(t, shippedPolicy(t, "kidney-exchange"), "20", 0, c.at)
		node := c.at[0] // its donors are of another group
		other.files["pairs"][node] = strings.NewReplacer(",O,A", ",AB,A", ",B,A", ",O,A").Replace(other.files["pairs"][node])
		first, second := one.sent(MatchExchange, "pairs", c.args), other.sent(MatchExchange, "pairs", c.args)
		if first.Shape() != second.Shape() {
			t.Errorf("%s: the transcript tells of the pairs", name)
		}
		testkit.Golden(t, name+".openings.golden", strings.Join(first.Openings(), "\n")+"\n")
	}
}

func TestMatchExchangeRefusals(t *testing.T) {
	e := newPool(t, shippedPolicy(t, "kidney-exchange"), "20", 0, []int{0, 1, 3, 4})
	rank := kidneys(t, 100, 0)
	for _, c := range []struct {
		in            *registry
		dataset, args string
		want          string
	}{
		{e.registry, "pairs", `{"cycle":4}`, "argument cycle is neither 2 nor 3"},
		{e.registry, "pairs", `{"cycle":2.5}`, "argument cycle is neither 2 nor 3"},
		{e.registry, "pairs", `{"mode":"best"}`, `argument mode is "best": known: greedy, exact`},
		{e.registry, "pairs", `{"mode":"exact"}`, "hospital-1 is a party and has pairs in list pairs"},
		{e.registry, "pairs", `{"chains":true}`, "chains"},
		{rank, "kidney", `{}`, "name a list of pairs"},
	} {
		d, _ := c.in.roster.Roster.Dataset(c.dataset)
		text, _ := c.in.roster.Roster.Policy(d.List.Policy)
		j := c.in.job(ask{c.dataset, MatchExchange, "", strings.Replace(fmt.Sprintf(`{"policy":%q,"day":%q,%s`, text.Hash(), matchDay, c.args[1:]), ",}", "}", 1)})
		if _, err := PlanJob(j, c.in.roster.Roster); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
	}
}

// TestMatchExchangeStatement: mode exact says what parties see.
func TestMatchExchangeStatement(t *testing.T) {
	e := newPool(t, shippedPolicy(t, "kidney-exchange"), "20", 0, []int{3, 3, 4, 4})
	for mode, sees := range map[string]bool{modeGreedy: false, modeExact: true} {
		d, _ := e.roster.Roster.Dataset("pairs")
		text, _ := e.roster.Roster.Policy(d.List.Policy)
		j := e.job(ask{"pairs", MatchExchange, "", fmt.Sprintf(`{"policy":%q,"day":%q,"cycle":2,"mode":%q}`, text.Hash(), matchDay, mode)})
		p, err := PlanJob(j, e.roster.Roster)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(p.Statement(j, e.roster.Roster), "\n")
		if got := strings.Contains(said, "see the graph of who could give to whom"); got != sees {
			t.Errorf("mode %s: %s", mode, said)
		}
		for _, want := range []string{"the number of transplants", "Cycles of at most 2 pairs", "candidate, hospital of the pair that its recipient gets a kidney from"} {
			if !strings.Contains(said, want) {
				t.Errorf("mode %s does not say %q:\n%s", mode, want, said)
			}
		}
	}
}
