package match_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/organ/hla"
	"consilium/protocols/match"
)

// panelLoci are those of the policies that come with Consilium.
var panelLoci = []hla.Locus{hla.A, hla.B, hla.DR}

func panelAntigens() []hla.Antigen {
	var all []hla.Antigen
	for _, l := range panelLoci {
		all = append(all, hla.Antigens(l)...)
	}
	return all
}

// panel is donors and a candidate's list in the clear. A row without typings fills up.
type panel struct {
	listed []hla.Antigen
	sites  [][][]hla.Typing
}

// share shares the panel as sites do; participants that are no party get nil.
func (p *panel) share(s *mpc.Session) *match.Panel {
	antigens := panelAntigens()
	shared := func(name string, flat []int64) rss.Vec {
		own := ring.FromInt64(flat)
		if s.Self() != registrar {
			own = nil
		}
		return rss.Input(s.Step(name), registrar, len(flat), own)
	}
	var listed []int64
	for _, a := range antigens {
		listed = append(listed, number(slices.Contains(p.listed, a)))
	}
	out := &match.Panel{Unacceptable: shared("listed", listed)}
	for i, rows := range p.sites {
		var carried, present []int64
		for _, a := range antigens {
			for _, typings := range rows {
				carried = append(carried, number(hla.Carried(typings...).Has(a)))
			}
		}
		for _, typings := range rows {
			present = append(present, number(len(typings) > 0))
		}
		out.Donors = append(out.Donors, match.PanelDonors{
			Carried: shared(fmt.Sprint("carried", i), carried), Present: shared(fmt.Sprint("present", i), present),
		})
	}
	if s.Role() < 0 {
		return nil
	}
	return out
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// covers is what antigens a list excludes, written out: each with all that lie within it.
func covers(listed []hla.Antigen) map[hla.Antigen]bool {
	out := map[hla.Antigen]bool{}
	for _, a := range panelAntigens() {
		for _, b := range listed {
			out[a] = out[a] || a.Within(b)
		}
	}
	return out
}

// acceptable counts donors none of whose typed antigens is covered.
func (p *panel) acceptable(listed []hla.Antigen) (donors, free int64) {
	no := covers(listed)
	for _, rows := range p.sites {
		for _, typings := range rows {
			if len(typings) == 0 {
				continue
			}
			donors++
			if !slices.ContainsFunc(typings, func(t hla.Typing) bool { return no[t.First] || no[t.Second] }) {
				free++
			}
		}
	}
	return donors, free
}

// want is the answer by its definition: counts with the list, and with the list less one.
func (p *panel) want() []int64 {
	donors, free := p.acceptable(p.listed)
	out := []int64{donors, free}
	for _, a := range panelAntigens() {
		gained := int64(0)
		if i := slices.Index(p.listed, a); i >= 0 {
			_, more := p.acceptable(slices.Delete(slices.Clone(p.listed), i, i+1))
			gained = more - free
		}
		out = append(out, gained)
	}
	return out
}

// ask computes on shares, and opens the answer.
func (p *panel) ask(t interface{ Fatal(...any) }, cfg memnet.Config) ([]int64, *memnet.World) {
	w := newWorld(cfg)
	out, err := memnet.Collect(w, func(s *mpc.Session) ([]int64, error) {
		shared := p.share(s.Step("share"))
		if shared == nil {
			return nil, s.Err()
		}
		r := shared.Reach(s.Step("panel"))
		return rss.Open(s.Step("result"), rss.Concat(s, r.Donors, r.Acceptable, r.Gained)).Int64(), s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[0], w
}

// drawTypings draws one donor at any level, broads and variants among them.
func drawTypings(t *rapid.T) []hla.Typing {
	if rapid.IntRange(0, 4).Draw(t, "row") == 0 {
		return nil
	}
	var typings []hla.Typing
	for _, l := range panelLoci {
		all := hla.Antigens(l)
		typings = append(typings, hla.Typing{
			First: rapid.SampledFrom(all).Draw(t, "first"), Second: rapid.SampledFrom(all).Draw(t, "second"),
		})
	}
	return typings
}

func TestPanelReach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &panel{}
		switch rapid.IntRange(0, 5).Draw(t, "list") {
		case 0: // nothing is unacceptable
		case 1:
			p.listed = panelAntigens() // everything is
		default:
			p.listed = rapid.SliceOfNDistinct(rapid.SampledFrom(panelAntigens()), 0, 30, rapid.ID[hla.Antigen]).Draw(t, "listed")
		}
		for range rapid.IntRange(1, 3).Draw(t, "sites") {
			p.sites = append(p.sites, rapid.SliceOfN(rapid.Custom(drawTypings), 1, 40).Draw(t, "donors"))
		}
		if got, _ := p.ask(t, memnet.Config{}); !slices.Equal(got, p.want()) {
			t.Fatalf("listed %v: %v, want %v", p.listed, got, p.want())
		}
	})
}

// TestPanelOfBroadAndSplit: what is listed is what can be dropped.
func TestPanelOfBroadAndSplit(t *testing.T) {
	typed := func(names ...string) []hla.Typing {
		var typings []hla.Typing
		for i := 0; i < len(names); i += 2 {
			var pair [2]hla.Antigen
			for k := range pair {
				a, err := hla.Parse(names[i+k])
				if err != nil {
					t.Fatal(err)
				}
				pair[k] = a
			}
			typings = append(typings, hla.Typing{First: pair[0], Second: pair[1]})
		}
		return typings
	}
	donors := [][]hla.Typing{
		typed("A24", "A2", "B7", "B8", "DR1", "DR4"), typed("A23", "A2", "B7", "B8", "DR1", "DR4"), typed("A9", "A2", "B7", "B8", "DR1", "DR4"),
		typed("A1", "A2", "B7", "B8", "DR1", "DR4"), nil,
	}
	names := func(list ...string) (out []hla.Antigen) {
		for _, name := range list {
			a, err := hla.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, a)
		}
		return out
	}
	for _, c := range []struct {
		listed             []hla.Antigen
		acceptable, gained int64 // gained by the first of the list
	}{
		{names("A9"), 1, 3},        // the broad with its splits
		{names("A9", "A24"), 1, 2}, // A24 stays
		{names("A24", "A9"), 1, 0}, // A9 covers it
		{names("A24"), 3, 1},       // who is typed A9 is not excluded
		{names("A9", "B7"), 0, 0},
		{names("B7", "A9"), 0, 1},
		{nil, 4, 0},
	} {
		p := &panel{c.listed, [][][]hla.Typing{donors}}
		got, _ := p.ask(t, memnet.Config{})
		gained := int64(0)
		if len(c.listed) > 0 {
			gained = got[2+slices.Index(panelAntigens(), c.listed[0])]
		}
		if got[0] != 4 || got[1] != c.acceptable || gained != c.gained || !slices.Equal(got, p.want()) {
			t.Errorf("%v: %d donors, %d acceptable, %d gained; want 4, %d, %d", c.listed, got[0], got[1], gained, c.acceptable, c.gained)
		}
	}
}

// randomPanel is a panel of a size.
func randomPanel(seed uint64, rows int) *panel {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &panel{sites: make([][][]hla.Typing, 2)}
	for i := range p.sites {
		for range rows {
			var typings []hla.Typing
			for _, l := range panelLoci {
				typings = append(typings, hla.Typing{First: hla.Antigens(l)[rng.IntN(hla.Count(l))], Second: hla.Antigens(l)[rng.IntN(hla.Count(l))]})
			}
			p.sites[i] = append(p.sites[i], typings)
		}
	}
	for _, a := range panelAntigens() {
		if rng.IntN(4) == 0 {
			p.listed = append(p.listed, a)
		}
	}
	return p
}

// TestPanelTranscript: the same frames for other candidates and other donors, and nothing
// is opened but the answer.
func TestPanelTranscript(t *testing.T) {
	_, one := randomPanel(1, 90).ask(t, memnet.Config{})
	other := randomPanel(2, 90)
	other.listed, other.sites[0][3] = nil, nil
	_, two := other.ask(t, memnet.Config{})
	first, second := one.Transcript(), two.Transcript()
	if first.Shape() != second.Shape() {
		t.Error("the transcript tells of the data")
	}
	if got := first.Openings(); len(got) != 1 || got[0] != "result/open" {
		t.Errorf("opened: %v", got)
	}
}
