package match_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/protocols/match"
	"consilium/testkit"
)

// registrar is the participant that is no party: she shares what lists hold.
const registrar = mpc.PartyID(3)

// waiting is waiting lists and a donor in the clear.
type waiting struct {
	program    *policy.Program
	sites      []int
	candidates [][]int64 // columns
	donor      []int64
}

func (l *waiting) rows() int {
	n := 0
	for _, site := range l.sites {
		n += site
	}
	return n
}

// share shares the lists; participants that are no party get nil.
func (l *waiting) share(s *mpc.Session) *match.List {
	n := l.rows()
	all := ring.FromInt64(slices.Concat(append(slices.Clone(l.candidates), l.donor)...))
	total := len(all)
	if s.Self() != registrar {
		all = nil
	}
	x := rss.Input(s, registrar, total, all)
	if s.Role() < 0 || s.Err() != nil {
		return nil
	}
	out := &match.List{Program: l.program, Sites: l.sites}
	for i := range l.candidates {
		out.Candidates = append(out.Candidates, rss.Slice(s, x, i*n, (i+1)*n))
	}
	for i := n * len(l.candidates); i < total; i++ {
		out.Donor = append(out.Donor, rss.Slice(s, x, i, i+1))
	}
	return out
}

// result is shared vectors by name.
type result map[string]rss.Vec

func (r result) add(prefix string, rows *match.Rows) {
	r[prefix+"ranked"] = rows.Ranked
	for _, c := range rows.Columns {
		r[prefix+c.Name] = c.Values
	}
}

// compute shares the lists, and opens what f makes of them.
func (l *waiting) compute(t interface{ Fatal(...any) }, cfg memnet.Config, f func(s *mpc.Session, l *match.List) result) (map[string][]int64, *memnet.World) {
	w := newWorld(cfg)
	out, err := memnet.Collect(w, func(s *mpc.Session) (map[string][]int64, error) {
		shared := l.share(s.Step("share"))
		if shared == nil {
			return nil, s.Err()
		}
		r, opened := f(s.Step("match"), shared), map[string][]int64{}
		for i, name := range slices.Sorted(maps.Keys(r)) {
			opened[name] = rss.Open(s.Step("result", i), r[name]).Int64()
		}
		return opened, s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[0], w
}

func newWorld(cfg memnet.Config) *memnet.World {
	cfg.N, cfg.Seed, cfg.Timeout = 4, cfg.Seed+1, time.Minute
	return memnet.New(cfg)
}

func load(t testing.TB, name string) *policy.Policy {
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

// reference is the reference data: the candidates of four hospitals, one after the
// other, each filled up to declared rows.
type reference struct {
	policy   *policy.Policy
	lists    waiting
	hospital map[int64]int64 // by candidate
	donors   *policy.Rows
}

const declared = 517

func newReference(t testing.TB) *reference {
	t.Helper()
	r := &reference{policy: load(t, "etkas"), hospital: map[int64]int64{}}
	day := time.Date(2024, time.April, 1, 0, 0, 0, 0, time.UTC)
	read := func(name string, f func(*os.File) (*policy.Rows, error)) *policy.Rows {
		file, err := os.Open(filepath.Join(organ, "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		rows, err := f(file)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	all := read("candidates.csv", func(f *os.File) (*policy.Rows, error) { return r.policy.ReadCandidates(f, day) })
	r.donors = read("donors.csv", func(f *os.File) (*policy.Rows, error) { return r.policy.ReadDonors(f, day) })
	cells := table(t, "examples", "candidates.csv")
	r.lists = waiting{program: r.policy.Program, candidates: make([][]int64, len(all.Columns))}
	for h := range 4 {
		own := &policy.Rows{Columns: make([][]int64, len(all.Columns))}
		for i, row := range cells {
			if whole(t, row["hospital"]) != h+1 {
				continue
			}
			r.hospital[int64(whole(t, row["id"]))] = int64(h) + 1
			own.N++
			for k, c := range all.Columns {
				own.Columns[k] = append(own.Columns[k], c[i])
			}
		}
		if err := own.Pad(r.policy.Program.Candidate, declared); err != nil {
			t.Fatal(err)
		}
		for k, c := range own.Columns {
			r.lists.candidates[k] = append(r.lists.candidates[k], c...)
		}
		r.lists.sites = append(r.lists.sites, declared)
	}
	return r
}

// checkExpected wants k rows of a result to be the reference's list for a donor: all of
// it, or a hospital's own rows of it.
func (r *reference) checkExpected(t *testing.T, donor string, got map[string][]int64, prefix string, k int, hospital int64) {
	t.Helper()
	want := map[string][]int64{}
	for _, name := range []string{"ranked", "tier", "points", "candidate", "hospital", "mismatches"} {
		want[prefix+name] = make([]int64, k)
	}
	count := int64(0)
	for _, row := range table(t, "examples", "etkas_expected.csv") {
		if row["donor"] != donor {
			continue
		}
		count++
		place, id := whole(t, row["rank"])-1, int64(whole(t, row["candidate"]))
		if place >= k || hospital > 0 && r.hospital[id] != hospital {
			continue
		}
		want[prefix+"ranked"][place] = 1
		want[prefix+"tier"][place] = int64(slices.Index(r.policy.Program.Tiers, row["tier"]))
		want[prefix+"points"][place] = int64(whole(t, row["points"]))
		want[prefix+"mismatches"][place] = int64(whole(t, row["mismatches"]))
		want[prefix+"candidate"][place] = id
		want[prefix+"hospital"][place] = r.hospital[id]
	}
	for name, column := range want {
		if !slices.Equal(got[name], column) {
			t.Errorf("donor %s, %s: %v, want %v", donor, name, got[name], column)
		}
	}
	if got["eligible"][0] != count || got["faults"][0] != 0 {
		t.Errorf("donor %s: %d eligible and %d faults, want %d and none", donor, got["eligible"][0], got["faults"][0], count)
	}
}

// TestReferenceLists: every list of the reference, whole and its best 50, and each
// hospital's own rows, rank by rank.
func TestReferenceLists(t *testing.T) {
	r := newReference(t)
	const best = 50
	for d := range r.donors.N {
		r.lists.donor = r.donors.Row(d)
		all := r.lists.rows()
		got, _ := r.lists.compute(t, memnet.Config{}, func(s *mpc.Session, l *match.List) result {
			out := result{}
			full := match.Rank(s.Step("full"), l, all)
			out.add("full ", &full.Rows)
			top := match.Rank(s.Step("top"), l, best)
			out.add("top ", &top.Rows)
			for h, own := range top.Of(s.Step("own"), 0, 1, 2, 3) {
				out.add(fmt.Sprint(h+1, " "), own)
			}
			out.add("one ", top.Slice(s, 3, 4))
			out["eligible"], out["faults"] = full.Eligible, full.Faults
			return out
		})
		donor := r.donors.Labels[d]
		r.checkExpected(t, donor, got, "full ", all, 0)
		r.checkExpected(t, donor, got, "top ", best, 0)
		for h := range r.lists.sites {
			r.checkExpected(t, donor, got, fmt.Sprint(h+1, " "), best, int64(h)+1)
		}
		if got["one candidate"][0] != got["top candidate"][3] || len(got["one candidate"]) != 1 {
			t.Errorf("donor %s: row 4 is %v, want %d", donor, got["one candidate"], got["top candidate"][3])
		}
	}
}

// generate draws n rows in the ranges of the inputs: what no file could hold as well.
func generate(rng *rand.Rand, p *policy.Program, n int) (columns [][]int64, donor []int64) {
	drawn := func(in policy.InputInfo) int64 {
		switch rng.IntN(8) {
		case 0:
			return in.Low
		case 1:
			return in.High
		}
		return in.Low + int64(rng.Uint64N(uint64(in.High)-uint64(in.Low)+1))
	}
	for _, in := range p.Donor {
		donor = append(donor, drawn(in))
	}
	for i, in := range p.Candidate {
		column := make([]int64, n)
		for row := range column {
			switch {
			case p.Nodes[p.ID].Op == policy.OpInput && p.Nodes[p.ID].K == int64(i):
				column[row] = in.Low + int64(n-row)
			case in.Kind == policy.Code || in.Kind == policy.Antigen: // some like the donor's
				column[row] = min(in.High, max(in.Low, donor[rng.IntN(len(donor))]))
			case in.Kind == policy.Word:
				if column[row] = in.Low; rng.IntN(2) == 0 {
					column[row] = drawn(in) & int64(rng.Uint64()&rng.Uint64())
				}
			default:
				column[row] = drawn(in)
			}
		}
		columns = append(columns, column)
	}
	return columns, donor
}

// TestLibraryPolicies: what comes with Consilium ranks on shares as in the clear.
func TestLibraryPolicies(t *testing.T) {
	for _, name := range []string{"etkas", "us-kidney", "meld3-liver"} {
		p, rng := load(t, name).Program, rand.New(rand.NewPCG(3, 4))
		ranked := 0
		for range 5 {
			n := 150
			columns, donor := generate(rng, p, n)
			l := &waiting{program: p, sites: []int{70, 0, n - 70}, candidates: columns, donor: donor}
			want, err := p.Evaluate(&policy.Rows{N: n, Columns: columns}, donor)
			if err != nil {
				t.Fatal(err)
			}
			ranked += len(want)
			got, _ := l.compute(t, memnet.Config{}, rankAll(n))
			l.checkRanked(t, name, got, want)
		}
		if ranked < 20 {
			t.Errorf("%s: only %d rows were ranked", name, ranked)
		}
	}
}

// rankAll ranks the first k rows.
func rankAll(k int) func(s *mpc.Session, l *match.List) result {
	return func(s *mpc.Session, l *match.List) result {
		r, out := match.Rank(s, l, k), result{}
		out.add("", &r.Rows)
		out["eligible"], out["faults"] = r.Eligible, r.Faults
		return out
	}
}

// checkRanked compares a ranking with the evaluation in the clear.
func (l *waiting) checkRanked(t interface {
	Helper()
	Fatalf(string, ...any)
}, name string, got map[string][]int64, want []policy.Ranked,
) {
	t.Helper()
	if got["eligible"][0] != int64(len(want)) {
		t.Fatalf("%s: %d eligible, want %d", name, got["eligible"][0], len(want))
	}
	for i := range got["ranked"] {
		row := map[string]int64{}
		if i < len(want) {
			w := want[i]
			hospital, end := int64(1), l.sites[0]
			for w.Row >= end {
				end += l.sites[hospital]
				hospital++
			}
			row = map[string]int64{"ranked": 1, "tier": int64(w.Tier), "points": w.Points, "candidate": w.ID, "hospital": hospital}
			for k, v := range w.Shown {
				row[l.program.Shown[k].Name] = v
			}
		}
		for column, values := range got {
			if column != "eligible" && column != "faults" && values[i] != row[column] {
				t.Fatalf("%s: %s of row %d is %d, want %d", name, column, i+1, values[i], row[column])
			}
		}
	}
}

// longOrder is a program whose order takes two keys and whose tiers may not hold: x has
// 60 bits with the sign; points are x; one tier, which holds where y is 1; eligible is
// who is present.
func longOrder() *policy.Program {
	const most = 1<<59 - 1
	p := &policy.Program{
		Candidate: []policy.InputInfo{
			{Name: "candidate.id", Low: 1, High: 1 << 30},
			{Name: "candidate.x", Low: -most, High: most},
			{Name: "candidate.y", High: 1},
			{Name: "candidate.present", High: 1},
		},
		Tiers: []string{"only"}, Tier: 4, Points: 1, ID: 0, Eligible: 3,
	}
	for k, in := range p.Candidate {
		p.Nodes = append(p.Nodes, policy.Node{Op: policy.OpInput, K: int64(k), Low: in.Low, High: in.High, Candidate: true})
	}
	add := func(n policy.Node) int {
		for _, a := range n.Args {
			n.Candidate = n.Candidate || p.Nodes[a].Candidate
		}
		p.Nodes = append(p.Nodes, n)
		return len(p.Nodes) - 1
	}
	add(policy.Node{Op: policy.OpConst}) // node 4
	absent := add(policy.Node{Op: policy.OpNot, Args: []int{3}, High: 1})
	other := add(policy.Node{Op: policy.OpNot, Args: []int{2}, High: 1})
	p.Fault = add(policy.Node{Op: policy.OpAnd, Args: []int{3, other}, High: 1})
	top := add(policy.Node{Op: policy.OpConst, K: most, Low: most, High: most})
	down := add(policy.Node{Op: policy.OpSub, Args: []int{top, 1}, High: 2 * most})
	high := add(policy.Node{Op: policy.OpMulConst, Args: []int{absent}, K: 2*most + 1, High: 2*most + 1})
	first := add(policy.Node{Op: policy.OpAdd, Args: []int{high, down}, High: 4*most + 1})
	p.Sort = []int{first, 0}
	return p
}

// TestLongOrder: an order by two keys, negative points, and faults that are counted.
func TestLongOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := longOrder()
		n := rapid.IntRange(1, 20).Draw(t, "rows")
		columns := make([][]int64, 4)
		faults := int64(0)
		for i := range n {
			x := rapid.SampledFrom([]int64{p.Candidate[1].Low, -1, 0, 5, p.Candidate[1].High}).Draw(t, "x")
			y, present := rapid.Int64Range(0, 1).Draw(t, "y"), rapid.Int64Range(0, 1).Draw(t, "present")
			faults += present * (1 - y)
			for k, v := range []int64{int64(100 - i), x, y, present} {
				columns[k] = append(columns[k], v)
			}
		}
		l := &waiting{program: p, sites: []int{n}, candidates: columns}
		k := rapid.IntRange(1, n+3).Draw(t, "k")
		got, _ := l.compute(t, memnet.Config{}, rankAll(k))
		if got["faults"][0] != faults || len(got["ranked"]) != min(k, n) {
			t.Fatalf("%d faults in %d rows, want %d in %d", got["faults"][0], len(got["ranked"]), faults, min(k, n))
		}
		inClear := *p
		inClear.Fault = -1
		want, err := inClear.Evaluate(&policy.Rows{N: n, Columns: columns}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.checkRanked(t, "two keys", got, want)
	})
}

// TestDuplicates: rows with one id, wherever they lie, are flagged for their own sites;
// rows that are not present are not.
func TestDuplicates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sites := rapid.SliceOfN(rapid.IntRange(0, 12), 1, 4).Draw(t, "sites")
		l := &waiting{program: longOrder(), sites: sites, candidates: make([][]int64, 4)}
		if l.rows() == 0 {
			l.sites = append(sites, 1)
		}
		seen := map[int64]int{}
		for range l.rows() {
			id := rapid.SampledFrom([]int64{1, 2, 3, 4, 5, 6, 7, 8, 1 << 29, 1<<30 - 1, 1 << 30}).Draw(t, "id")
			present := rapid.Int64Range(0, 1).Draw(t, "present")
			seen[id] += int(present)
			for k, v := range []int64{id, 0, 1, present} {
				l.candidates[k] = append(l.candidates[k], v)
			}
		}
		got, _ := l.compute(t, memnet.Config{}, func(s *mpc.Session, l *match.List) result {
			flags, count := match.Duplicates(s, l)
			out := result{"count": count}
			for i, f := range flags {
				if f.Len() > 0 {
					out[fmt.Sprint(i)] = f
				}
			}
			return out
		})
		row, total := 0, int64(0)
		for i, n := range l.sites {
			for j := range n {
				want := int64(0)
				if l.candidates[3][row] == 1 && seen[l.candidates[0][row]] > 1 {
					want = 1
				}
				if got[fmt.Sprint(i)][j] != want {
					t.Fatalf("row %d of site %d: %d, want %d", j, i, got[fmt.Sprint(i)][j], want)
				}
				total += want
				row++
			}
		}
		if got["count"][0] != total {
			t.Fatalf("%d in all, want %d", got["count"][0], total)
		}
	})
}

// firstRows takes the first rows of every hospital of the reference.
func (r *reference) firstRows(each int) *waiting {
	out := &waiting{program: r.lists.program, donor: r.donors.Row(0)}
	for range r.lists.sites {
		out.sites = append(out.sites, each)
	}
	for _, c := range r.lists.candidates {
		var own []int64
		for h := range r.lists.sites {
			own = append(own, c[h*declared:h*declared+each]...)
		}
		out.candidates = append(out.candidates, own)
	}
	return out
}

// everything ranks, looks for duplicates, and tells each site its rows and flags: here
// the registrar is all of them.
func everything(s *mpc.Session, l *match.List, sites int) {
	const k = 10
	var vectors []rss.Vec
	if l == nil {
		for range 7 * sites {
			vectors = append(vectors, rss.Vec{})
		}
	} else {
		r := match.Rank(s.Step("rank"), l, k)
		flags, _ := match.Duplicates(s.Step("duplicates"), l)
		places := make([]int, sites)
		for i := range places {
			places[i] = i
		}
		for i, own := range r.Of(s.Step("own"), places...) {
			vectors = append(append(vectors, own.Ranked), flags[i])
			for _, c := range own.Columns {
				vectors = append(vectors, c.Values)
			}
		}
	}
	for i, x := range vectors {
		n := k
		if i%7 == 1 {
			n = 50
		}
		rss.RevealTo(s.Step("told", i), registrar, n, x)
	}
}

// TestRankTranscript: lists that differ in one candidate, or in all, give frames of the
// same steps, ways and lengths, those to hospitals that have no row included. Their
// shape is golden. Of so few rows a sort compares all with all; of many it compares
// what a uniformly random order asks for, see rss.SortPermutation.
func TestRankTranscript(t *testing.T) {
	r := newReference(t)
	one := r.firstRows(50)
	seen := func(l *waiting) memnet.Transcript {
		w := newWorld(memnet.Config{})
		err := w.Run(func(s *mpc.Session) error {
			everything(s.Step("match"), l.share(s.Step("share")), len(l.sites))
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		return w.Transcript()
	}
	first := seen(one)
	another := r.firstRows(50)
	for k, in := range another.program.Candidate {
		another.candidates[k] = slices.Clone(another.candidates[k])
		another.candidates[k][57] = in.High
	}
	nobody := r.firstRows(50)
	for k, in := range nobody.program.Candidate {
		nobody.candidates[k] = slices.Repeat([]int64{in.Low}, nobody.rows())
	}
	nobody.donor = r.donors.Row(3)
	for name, l := range map[string]*waiting{"one candidate is another": another, "there is nobody": nobody} {
		if got := seen(l); got.Shape() != first.Shape() {
			t.Errorf("%s: the transcript tells of it", name)
		}
	}
	testkit.Golden(t, "rank.shape.golden", first.Shape())
	for _, o := range first.Openings() {
		if !strings.HasPrefix(o, "match/rank/order/order/") && !strings.HasPrefix(o, "match/duplicates/order/") && !strings.HasPrefix(o, "match/told.") {
			t.Errorf("opens %s", o)
		}
	}
}

// TestRankCosts: the rounds and bytes of the ETKAS program, which do not depend on how
// rows lie.
func TestRankCosts(t *testing.T) {
	r := newReference(t)
	l := r.firstRows(500)
	_, w := l.compute(t, memnet.Config{}, rankAll(50))
	program := w.Transcript().At("match/program")
	var batches []string
	bytes := 0
	for _, record := range program {
		bytes += record.Length
		name := strings.Split(strings.TrimPrefix(record.Step, "match/program/"), "/")[0]
		if !slices.Contains(batches, name) {
			batches = append(batches, name)
		}
	}
	if got := float64(bytes) / float64(3*l.rows()); got > 310 || len(batches) > 16 {
		t.Errorf("%.0f bytes a row and party in %d batches: %v", got, len(batches), batches)
	}
}

// TestRankRefusals: what is no list is refused before anything is sent, and results
// have their public lengths.
func TestRankRefusals(t *testing.T) {
	exchange := load(t, "kidney-exchange").Program
	for want, change := range map[string]func(l *match.List) (k int){
		"the best 0 of 3 rows":                         func(l *match.List) int { return 0 },
		"a column of 3 elements, want 4":               func(l *match.List) int { l.Sites = []int{2, 2}; return 2 },
		"a site of -1 rows":                            func(l *match.List) int { l.Sites = []int{4, -1}; return 2 },
		"3 columns and 0 numbers of the donor":         func(l *match.List) int { l.Candidates = l.Candidates[:3]; return 2 },
		"the policy is for an exchange":                func(l *match.List) int { l.Program = exchange; return 2 },
		"the program has no input candidate.present":   func(l *match.List) int { l.Program.Candidate[3].Name = "candidate.z"; return 2 },
		"4 columns and 1 numbers of the donor, the po": func(l *match.List) int { l.Donor = l.Candidates[:1]; return 2 },
	} {
		for _, compute := range []func(s *mpc.Session, l *match.List, k int){
			func(s *mpc.Session, l *match.List, k int) {
				if r := match.Rank(s, l, k); r.Ranked.Len() > 3 || r.Eligible.Len() != 1 || r.Faults.Len() != 1 {
					t.Errorf("%d rows for %q", r.Ranked.Len(), want)
				}
			},
			func(s *mpc.Session, l *match.List, k int) {
				if k > 0 {
					match.Duplicates(s, l)
				} else {
					s.Fail(fmt.Errorf("the best 0 of 3 rows"))
				}
			},
		} {
			w := newWorld(memnet.Config{})
			err := w.Run(func(s *mpc.Session) error {
				plain := &waiting{program: longOrder(), sites: []int{1, 2}, candidates: make([][]int64, 4)}
				for k := range plain.candidates {
					plain.candidates[k] = []int64{1, 1, 1}
				}
				l := plain.share(s.Step("share"))
				if l == nil {
					return s.Err()
				}
				compute(s.Step("match"), l, change(l))
				return s.Err()
			})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
			if sent := w.Transcript().At("match"); len(sent) > 0 {
				t.Errorf("%q: sends %s first", want, sent[0].Step)
			}
		}
	}
}

// TestRankFails: a session that fails anywhere on the way ends with an error and with
// results of their public lengths.
func TestRankFails(t *testing.T) {
	r := newReference(t)
	l := r.firstRows(20)
	for _, at := range []string{
		"share", "match/rank/program/planes", "match/rank/program/zero", "match/rank/program/meet", "match/rank/program/and",
		"match/rank/program/number", "match/rank/program/mul", "match/rank/program/divide", "match/rank/order", "match/rank/mask",
		"match/duplicates/program", "match/duplicates/order", "match/duplicates/back", "match/own/whose", "match/own/mask",
	} {
		cut := memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
			if strings.HasPrefix(m.Channel.Step, at) && m.To == 1 && len(m.Frame) > 0 {
				return m.Frame[:len(m.Frame)-1], true
			}
			return m.Frame, true
		}}
		w := newWorld(memnet.Config{Hooks: cut})
		err := w.Run(func(s *mpc.Session) error {
			everything(s.Step("match"), l.share(s.Step("share")), len(l.sites))
			return s.Err()
		})
		if err == nil || !strings.Contains(err.Error(), at) {
			t.Errorf("cut at %s: %v", at, err)
		}
	}
}

// TestOfRefusals: there are rows for sites that there are.
func TestOfRefusals(t *testing.T) {
	r := newReference(t)
	l := r.firstRows(5)
	for _, site := range []int{-1, 4} {
		w := newWorld(memnet.Config{})
		err := w.Run(func(s *mpc.Session) error {
			shared := l.share(s.Step("share"))
			if shared == nil {
				return s.Err()
			}
			top := match.Rank(s.Step("rank"), shared, 3)
			if own := top.Of(s.Step("own"), site); len(own) != 1 || own[0].Ranked.Len() != 3 {
				t.Errorf("%d results", len(own))
			}
			return s.Err()
		})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("site %d of 4", site)) {
			t.Errorf("error %v", err)
		}
	}
}
