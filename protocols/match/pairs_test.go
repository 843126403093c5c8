package match_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/protocols/match"
)

// hospitalPairs is a reference pool in the clear as four sites hold it, each filled up
// to a declared number of rows.
type hospitalPairs struct {
	policy             *policy.Policy
	sites              []int
	recipients, donors *policy.Rows
}

// readPairs reads a reference pool by a policy.
func readPairs(t testing.TB, p *policy.Policy, pool string, declared int) *hospitalPairs {
	t.Helper()
	file, err := os.Open(filepath.Join(organ, "examples", "exchange_pairs.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cells, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cells = withRecipients(cells)
	h := &hospitalPairs{policy: p, recipients: &policy.Rows{}, donors: &policy.Rows{}}
	for _, hospital := range []string{"1", "2", "3", "4"} {
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		for i, row := range cells {
			if i == 0 || row[0] == pool && row[2] == hospital {
				if err := w.Write(row); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Flush()
		recipients, err := p.ReadCandidates(bytes.NewReader(text.Bytes()), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		donors, err := p.ReadDonors(bytes.NewReader(text.Bytes()), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		h.add(t, recipients, donors, declared)
	}
	return h
}

// withRecipients adds the columns that weights read, made up: a recipient has the antigens
// of the donor in the next row.
func withRecipients(cells [][]string) [][]string {
	out := [][]string{append(slices.Clone(cells[0]),
		"recipient_hla_a_1", "recipient_hla_a_2", "recipient_hla_b_1", "recipient_hla_b_2", "recipient_hla_dr_1", "recipient_hla_dr_2",
		"vpra", "waiting_years", "recipient_age", "donor_age")}
	for i, row := range cells[1:] {
		antigens := cells[1+(i+1)%(len(cells)-1)][6:12]
		out = append(out, slices.Concat(row, antigens, []string{
			fmt.Sprintf("0.%03d", i*37%1000), fmt.Sprintf("%d.5", i%9), fmt.Sprint(20 + i*17%60), fmt.Sprint(20 + i*29%60),
		}))
	}
	return out
}

// add appends a site's rows, filled up.
func (h *hospitalPairs) add(t testing.TB, recipients, donors *policy.Rows, declared int) {
	t.Helper()
	for _, side := range []struct {
		to, own *policy.Rows
		inputs  []policy.InputInfo
	}{
		{h.recipients, recipients, h.policy.Program.Candidate},
		{h.donors, donors, h.policy.Program.Donor},
	} {
		if err := side.own.Pad(side.inputs, declared); err != nil {
			t.Fatal(err)
		}
		if side.to.Columns == nil {
			side.to.Columns = make([][]int64, len(side.inputs))
		}
		side.to.N += declared
		for k, c := range side.own.Columns {
			side.to.Columns[k] = append(side.to.Columns[k], c...)
		}
	}
	h.sites = append(h.sites, declared)
}

func (h *hospitalPairs) share(s *mpc.Session) *match.Pairs {
	in := func(name string, columns [][]int64) []rss.Vec {
		out := make([]rss.Vec, len(columns))
		for i, c := range columns {
			own := ring.FromInt64(c)
			if s.Self() != 0 {
				own = nil
			}
			out[i] = rss.Input(s.Step(name, i), 0, len(c), own)
		}
		return out
	}
	return &match.Pairs{
		Program: h.policy.Program, Sites: h.sites,
		Recipients: in("recipients", h.recipients.Columns), Donors: in("donors", h.donors.Columns),
	}
}

// compute opens what f makes of the shared pairs.
func (h *hospitalPairs) compute(t testing.TB, f func(s *mpc.Session, p *match.Pairs) []rss.Vec) ([][]int64, *memnet.World) {
	t.Helper()
	w := memnet.New(memnet.Config{Seed: 3, Timeout: time.Minute})
	out, err := memnet.Collect(w, func(s *mpc.Session) ([][]int64, error) {
		var all [][]int64
		for i, x := range f(s.Step("match"), h.share(s.Step("share"))) {
			all = append(all, rss.Open(s.Step("result", i), x).Int64())
		}
		return all, s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[0], w
}

// eligible is the oracle of arcs.
func (h *hospitalPairs) eligible(i, j int) bool {
	p := h.policy.Program
	return i != j && p.Run(h.recipients.Row(j), h.donors.Row(i))[p.Eligible] == 1
}

// TestPoolOfPolicy: the arcs of a pool are what the policy says in the clear, and so
// are the names of pairs and their hospitals.
func TestPoolOfPolicy(t *testing.T) {
	h := readPairs(t, load(t, "kidney-exchange"), "40", 11)
	n := h.recipients.N
	got, w := h.compute(t, func(s *mpc.Session, p *match.Pairs) []rss.Vec {
		q := match.NewPool(s.Step("pool"), p, 3)
		return []rss.Vec{rss.ToArith(s.Step("arcs"), q.Arcs), q.Fields[match.FieldPair].Values, q.Fields[match.FieldHospital].Values}
	})
	for i := range n {
		for j := range n {
			if i != j && (got[0][i*n+j] == 1) != h.eligible(i, j) {
				t.Fatalf("pair %d gives to pair %d: %d", i, j, got[0][i*n+j])
			}
		}
		if got[2][i] != int64(i/11)+1 {
			t.Errorf("pair %d is at hospital %d", i, got[2][i])
		}
	}
	ids := slices.IndexFunc(h.policy.Program.Candidate, func(in policy.InputInfo) bool { return in.Name == "candidate.id" })
	if !slices.Equal(got[1], h.recipients.Columns[ids]) {
		t.Errorf("ids %v", got[1])
	}
	if open := w.Transcript().At("match/pool").Openings(); len(open) > 0 {
		t.Errorf("it opens %v", open)
	}
}

// TestWeightOfPolicy: of two recipients with one partner, the one of the greater weight
// is transplanted.
func TestWeightOfPolicy(t *testing.T) {
	text, err := policies.FS.ReadFile("kidney-exchange.yaml")
	if err != nil {
		t.Fatal(err)
	}
	weighed := strings.Replace(string(text), "entitlement:", "weight: candidate.waiting\nentitlement:", 1)
	weighed = strings.Replace(weighed, "\ndonor:\n", "    - {name: waiting, type: integer, min: \"0\", max: \"9999\"}\n\ndonor:\n", 1)
	p, err := policy.Parse([]byte(weighed), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	const header = "pair,recipient_abo,unacceptable,waiting,donor_abo,donor_hla_a_1,donor_hla_a_2,donor_hla_b_1,donor_hla_b_2,donor_hla_dr_1,donor_hla_dr_2\n"
	const hla = "A1,A2,B7,B8,DR1,DR4\n"
	for _, longer := range []string{"1", "3"} {
		rows := header
		for _, r := range []string{"1,A,,%1,B," + hla, "2,B,,500,A," + hla, "3,A,,%3,B," + hla} {
			r = strings.ReplaceAll(r, "%"+longer, "700")
			rows += strings.NewReplacer("%1", "20", "%3", "20").Replace(r)
		}
		recipients, err := p.ReadCandidates(strings.NewReader(rows), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		donors, err := p.ReadDonors(strings.NewReader(rows), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		h := &hospitalPairs{policy: p, recipients: &policy.Rows{}, donors: &policy.Rows{}}
		h.add(t, recipients, donors, 4)
		got, _ := h.compute(t, func(s *mpc.Session, p *match.Pairs) []rss.Vec {
			m := match.Exchange(s.Step("exchange"), match.NewPool(s.Step("pool"), p, 2))
			return []rss.Vec{m.Matched, m.From[match.FieldPair]}
		})
		want := [][]int64{{1, 1, 0, 0}, {2, 1, 0, 0}}
		if longer == "3" {
			want = [][]int64{{0, 1, 1, 0}, {0, 3, 2, 0}}
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("pair %s has waited longer: %v", longer, got)
		}
	}
	if err := match.CheckPairs(load(t, "etkas").Program, 20); err == nil {
		t.Error("a policy that ranks is taken")
	}
	if err := match.CheckPairs(load(t, "kidney-exchange").Program, match.MaxPairs+1); err == nil {
		t.Error("too many pairs are taken")
	}
}

// TestWeightOfArcs: what the pool says of each arc is what the policy says in the clear.
func TestWeightOfArcs(t *testing.T) {
	h := readPairs(t, load(t, "kidney-exchange-weighted"), "20", 6)
	p, n := h.policy.Program, h.recipients.N
	got, w := h.compute(t, func(s *mpc.Session, p *match.Pairs) []rss.Vec {
		q := match.NewPool(s.Step("pool"), p, 3)
		return []rss.Vec{rss.ToArith(s.Step("arcs"), q.Arcs), q.Weight, q.Worth}
	})
	greatest, kinds := p.Nodes[p.Weight].High, map[int64]bool{}
	for i := range n {
		for j := range n {
			want := p.Run(h.recipients.Row(j), h.donors.Row(i))[p.Weight]
			kinds[want] = true
			if late, worth := got[1][i*n+j], got[2][i*n+j]; worth != want || late != greatest-want {
				t.Fatalf("donor %d and recipient %d: worth %d and late by %d, want %d of %d", i, j, worth, late, want, greatest)
			}
			if i != j && (got[0][i*n+j] == 1) != h.eligible(i, j) {
				t.Fatalf("pair %d gives to pair %d: %d", i, j, got[0][i*n+j])
			}
		}
	}
	if len(kinds) < 20 {
		t.Errorf("%d different weights", len(kinds))
	}
	if open := w.Transcript().At("match/pool").Openings(); len(open) > 0 {
		t.Errorf("it opens %v", open)
	}
	for _, c := range []struct {
		pairs        int
		change, want string
	}{
		{match.MaxPairsOfArcs + 1, "", "201 pairs: by weights of donor and recipient together an exchange is of 200 at most"},
		{20, "1000000 * success + candidate.priority", "no more than 20 bits"},
		{20, "1000000000 * success + candidate.priority", "32 bits at most"},
	} {
		program := p
		if c.change != "" {
			text, err := policies.FS.ReadFile("kidney-exchange-weighted.yaml")
			if err != nil {
				t.Fatal(err)
			}
			changed, err := policy.Parse([]byte(strings.Replace(string(text), "weight: success + candidate.priority", "weight: "+c.change, 1)), policies.FS)
			if err != nil {
				t.Fatal(err)
			}
			program = changed.Program
		}
		if err := match.CheckPairs(program, c.pairs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d pairs by weight %q: error %v, want %q", c.pairs, c.change, err, c.want)
		}
	}
}

// TestPairsTwice: pairs of one id are found at both sites, and padding is nobody.
func TestPairsTwice(t *testing.T) {
	h := readPairs(t, load(t, "kidney-exchange"), "20", 7)
	ids := slices.IndexFunc(h.policy.Program.Candidate, func(in policy.InputInfo) bool { return in.Name == "candidate.id" })
	for _, twice := range []bool{false, true} {
		if twice {
			h.recipients.Columns[ids][9] = h.recipients.Columns[ids][0]
		}
		got, _ := h.compute(t, func(s *mpc.Session, p *match.Pairs) []rss.Vec {
			flags, count := p.Duplicates(s)
			return append(flags, count)
		})
		for site, flags := range got[:4] {
			for i, flag := range flags {
				if want := twice && (site == 0 && i == 0 || site == 1 && i == 2); (flag == 1) != want {
					t.Errorf("row %d of site %d: %d", i, site, flag)
				}
			}
		}
		if want := int64(0); got[4][0] != want && !twice || twice && got[4][0] != 2 {
			t.Errorf("%d rows have the id of another", got[4][0])
		}
	}
}
