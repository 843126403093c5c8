package protocols

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/node/linktest"
)

// underMHE is a job's trial under engine mhe.
func (s *study) underMHE(a ask) *trial {
	s.t.Helper()
	j := s.job(a)
	j.Engine = job.EngineMHE
	return s.try(s.sign(j))
}

// threeSites is a ward of which the nodes 2, 4 and 5 hold rows: a compute party of
// the study among them, and not the first one.
func threeSites(t testing.TB) *study {
	t.Helper()
	lines := fiveWardLines()
	p := pieces{name: "ward", schema: wardSchema(), sites: []table{{}, {wardHeader, lines[0]}, {}, {wardHeader, lines[1]}, {wardHeader, lines[2]}}}
	return newStudy(t, nil, p)
}

// TestSumsUnderMHE: the result is that of engine shares, and every site of the
// dataset, and nobody else, has a share of it.
func TestSumsUnderMHE(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		for _, s := range []*study{fiveWards(t), threeSites(t)} {
			for _, a := range []ask{sexCounts, {"ward", "frequency", "age > 30", `{"columns":["sex","grade"]}`}} {
				tr := s.underMHE(a).over(worlds)
				got, want := tr.succeed(), s.result(a)
				if fmt.Sprint(got.Value) != fmt.Sprint(want.Value) {
					t.Errorf("%v: got %v, want %v", a, got.Value, want.Value)
				}
				var of []string
				for _, share := range tr.shares {
					of = append(of, share.Party)
				}
				j, err := tr.signed.Verify()
				s.must(err)
				if sites := s.roster.Roster.Sealers(j); !slices.Equal(of, sites) {
					t.Errorf("shares of %v, want %v", of, sites)
				}
			}
		}
	})
}

// TestDescribeUnderMHE: the moments are those of engine shares; order statistics
// are no sums and are absent.
func TestDescribeUnderMHE(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		s := fiveWards(t)
		a := ask{"ward", "describe", "", `{"columns":["age","dose"]}`}
		got, want := s.underMHE(a).over(worlds).succeed().Value.(map[string]any), s.result(a).Value.(map[string]any)
		for _, column := range []string{"age", "dose"} {
			g, w := got[column].(map[string]any), want[column].(map[string]any)
			for _, field := range []string{"n", "missing", "sum", "mean", "variance", "sd"} {
				if g[field] == nil || g[field] != w[field] {
					t.Errorf("%s of %s is %v, want %v", field, column, g[field], w[field])
				}
			}
			for _, field := range []string{"min", "q1", "median", "q3", "max"} {
				if _, ok := g[field]; ok {
					t.Errorf("%s of %s is there", field, column)
				}
			}
		}
	})
}

// TestStatusUnderMHE: the recipient finds the status.
func TestStatusUnderMHE(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		got := fiveWards(t).underMHE(ask{"ward", "frequency", "age > 100", `{"columns":["sex"]}`}).over(worlds).succeed()
		if got.Status != statusEmpty || got.Reason != explanations[statusEmpty] || got.Value != nil {
			t.Errorf("got %+v", got)
		}
	})
}

// TestMHEBystanders: nodes that are no site of the dataset only confirm, the
// study's compute parties among them.
func TestMHEBystanders(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tr := threeSites(t).underMHE(sexCounts).over(worlds)
		tr.succeed()
		for _, record := range tr.net.Transcript() {
			for _, p := range []mpc.PartyID{0, 2} {
				if (record.From == p || record.To == p) && record.Step != stepConfirm {
					t.Errorf("node %d has part in %s", p, record.Step)
				}
			}
		}
	})
}

// TestMHERefusals: what engine mhe cannot do is refused before anything is signed.
func TestMHERefusals(t *testing.T) {
	open, strict := fiveWards(t), ruledWard(t, job.Disclosure{MinCount: 5}, fiveWardLines()...)
	alone := newStudy(t, nil, pieces{"ward", wardSchema(), []table{{}, {wardHeader, fiveWardLines()[0]}}})
	for _, c := range []struct {
		s       *study
		a       ask
		want    string
		skipped bool // told apart as not in this version
	}{
		{open, ask{"ward", "mannwhitney", "", `{"value":"age","group":"sex"}`}, `analysis "mannwhitney" with engine "mhe" is not in this version; `, true},
		{strict, sexCounts, "hides what tells of fewer than 5 patients, and engine mhe shows every sum as it is", false},
		{alone, sexCounts, "two sites or more, and dataset ward has 1", false},
		{open, ask{"ward", "frequency", "", `{"columns":["age"]}`}, "no list of categories", false},
	} {
		j := c.s.job(c.a)
		j.Engine = job.EngineMHE
		_, err := PlanJob(j, c.s.roster.Roster)
		unsupported := new(Unsupported)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &unsupported) != c.skipped {
			t.Errorf("%v: got %v, want an error with %q", c.a, err, c.want)
		}
	}
}

func TestMHEStatement(t *testing.T) {
	s := fiveWards(t)
	j := s.job(sexCounts)
	j.Engine = job.EngineMHE
	plan, err := PlanJob(j, s.roster.Roster)
	s.must(err)
	text := strings.Join(plan.Statement(j, s.roster.Roster), "\n")
	for _, words := range []string{
		"The sums are shown all the same",
		"computed by all 5 sites, hospital-1 (Clinic 1), ", "who add up their sums under a collective key",
		"no group of them short of all that keeps to the protocol learns anything of another's rows or sums, or of the result",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("the statement lacks %q:\n%s", words, text)
		}
	}
	if strings.Contains(text, "random shares") || strings.Contains(text, "Or nothing but") {
		t.Errorf("the statement is that of engine shares:\n%s", text)
	}
}

// TestMHEProgress: sites report every phase but agreeing, others only confirm.
func TestMHEProgress(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tr := threeSites(t).underMHE(sexCounts).over(worlds)
		phases := tr.phases()
		tr.succeed()
		for i, got := range phases {
			want := []string{Confirming, Sealing, Computing, Revealing}
			if i == 0 || i == 2 {
				want = want[:1]
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s reports %v, want %v", tr.nodes[i].Name, got, want)
			}
		}
	})
}

// TestMHESiteFails: what a site says of its own file reaches all sites.
func TestMHESiteFails(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		beyond := fixedSums{{big.NewInt(16), big.NewInt(1)}} // of 9 declared rows
		for name, c := range map[string]struct {
			data SiteData
			want string
		}{
			"a broken file":           {failing(), "row 17, column age"},
			"a sum beyond its bounds": {beyond, "beyond what the declared ranges allow"},
		} {
			t.Run(name, func(t *testing.T) {
				tr := fiveWards(t).underMHE(sexCounts).over(worlds)
				tr.task = func(i int, task *Task) {
					if i == 3 {
						task.Data = c.data
					}
				}
				tr.run()
				tr.others(c.want)
				tr.others("hospital-4")
				if len(tr.shares) != 0 {
					t.Error("there is a share of a result")
				}
			})
		}
	})
}

// TestMHESiteVanishes: whenever a site falls silent, all others end with an error
// that names it, and nobody has a share. Over links mhe's TestDeadSiteIsNamed has it.
func TestMHESiteVanishes(t *testing.T) {
	for _, c := range []struct {
		name   string
		victim mpc.PartyID
		from   string // the step from which on nothing of it arrives
	}{
		{"the root before anything", 0, stepCompute},
		{"a site before anything", 4, stepCompute},
		{"a site before it switches", 3, "switch"},
		{"the root in the end", 0, stepEnd},
		{"a site in the end", 2, stepEnd},
	} {
		t.Run(c.name, func(t *testing.T) {
			if shares := vanishes(t, (*study).underMHE, c.victim, c.from); len(shares) > 1 { // that of the site which nobody hears
				t.Errorf("%d sites have a share of a result", len(shares))
			}
		})
	}
}

// TestMHETranscriptTellsNothing: a job sends the same frames, by step, way and length,
// and seals shares of the same lengths, over any data of the same declared size and
// whatever comes of it; nothing is opened on the way.
func TestMHETranscriptTellsNothing(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		look := func(s *study, a ask) (frames, shares string) {
			tr := s.underMHE(a).over(worlds)
			tr.run()
			s.must(errors.Join(tr.errs...))
			if opened := tr.net.Transcript().Openings(); len(opened) > 0 {
				t.Errorf("%v: steps %v open something", a, opened)
			}
			return tr.net.Transcript().Shape(), sealedLengths(tr.shares)
		}
		compared, others := comparedOthers(t)
		patients, unknown := trialOf(t, 0, manyPatients(9, 1)), trialOf(t, 0, make([]patient, 9))
		for _, c := range []struct {
			one, other *study
			a          ask
			outcome    string // another filter, of which another status comes
		}{
			{fiveWards(t), otherWards(t), ask{"ward", "frequency", "", `{"columns":["sex","grade"]}`}, "age > 120"},
			{compared, others, ask{"trial", "describe", "", `{"columns":["v","w"],"by":["g","h"]}`}, "v > 19"},
			{compared, others, ask{"trial", "ttest", "", `{"value":"v","group":"h"}`}, "h = 1"},
			{patients, unknown, ask{"trial", "kaplanmeier", "", `{"time":"time","event":"status = 'dead'","by":"arm"}`}, "time < 0"},
		} {
			frames, shares := look(c.one, c.a)
			filtered := c.a
			filtered.where = c.outcome
			for what, of := range map[string]func() (string, string){
				"the data":    func() (string, string) { return look(c.other, c.a) },
				"the outcome": func() (string, string) { return look(c.one, filtered) },
			} {
				if f, s := of(); f != frames || s != shares {
					t.Errorf("%v: the transcript tells of %s:\n%s%s\n%s%s", c.a, what, f, s, frames, shares)
				}
			}
		}
	})
}

// TestNoMHEFrameHoldsACanary looks for the sums of one site in every frame and in
// every part of the result, as TestNoFrameHoldsACanary does.
func TestNoMHEFrameHoldsACanary(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		const canary = 48613597
		p := pieces{name: "ward", schema: job.Schema{Columns: []job.Column{{Name: "x", Type: job.Integer, Min: "0", Max: "99999999"}}}}
		for i := range studyNodes {
			lines := [][]string{{"48613597"}, {"48613597"}}
			if i != 4 {
				lines = [][]string{{"1"}, {"20"}}
			}
			p.sites = append(p.sites, table{[]string{"x"}, lines})
		}
		var needles [][]byte
		for _, v := range []*big.Int{big.NewInt(2 * canary), new(big.Int).Mul(big.NewInt(2*canary), big.NewInt(canary))} {
			needles = append(needles, ring.FromBig([]*big.Int{v}).Append(nil)[:8], v.Bytes(), []byte(v.String()))
		}
		tr := newStudy(t, nil, p).underMHE(ask{"ward", "describe", "", `{"columns":["x"]}`}).over(worlds)
		var mu sync.Mutex
		var seen []byte
		tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, m.Frame...)
			return m.Frame, true
		}
		result := tr.succeed()
		if n := holds(seen, needles); n > 0 || len(seen) == 0 {
			t.Errorf("%d needles in %d bytes of frames", n, len(seen))
		}
		for _, share := range tr.shares {
			for _, o := range share.Outputs {
				if holds(o.Ciphertext, needles) > 0 {
					t.Errorf("output %s of %s holds a number in the clear", o.Name, share.Party)
				}
			}
		}
		want := float64(2*canary + 4*21)
		if got := result.Value.(map[string]any)["x"].(map[string]any)["sum"]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the sum is %v, want %v", got, want)
		}
	})
}

// TestOpenSumsRefuses: whatever a coordinator or a site does to the parts of a
// result, the recipient is told and gets nothing.
func TestOpenSumsRefuses(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	tr, other := s.underMHE(sexCounts), s.underMHE(sexCounts)
	tr.run()
	other.run()
	s.must(errors.Join(append(tr.errs, other.errs...)...))
	again := s.try(tr.signed)
	again.run()
	s.must(errors.Join(again.errs...))
	open := func(shares []job.SealedShare) (Opened, error) {
		opened, _, err := Open(tr.signed, s.roster, tr.decisions, shares, s.recipient)
		return opened, err
	}
	backwards := copyShares(tr.shares)
	slices.Reverse(backwards)
	if _, err := open(backwards); err != nil {
		t.Fatalf("the honest result, backwards, is refused: %v", err)
	}
	type parts = []job.SealedShare
	const seed, digest, total = 0, 1, 2
	for _, c := range []struct {
		name   string
		change func(parts) parts
		want   string
	}{
		{"the total on its way", func(x parts) parts { x[0].Outputs[total].Ciphertext[9] ^= 1; return x }, `the signature of party "hospital-1" does not fit`},
		{"a seed on its way", func(x parts) parts { x[3].Outputs[seed].Ciphertext[1130] ^= 1; return x }, `the signature of party "hospital-4" does not fit`},
		{"a digest on its way", func(x parts) parts { x[4].Outputs[digest].Ciphertext[0] ^= 1; return x }, `the signature of party "hospital-5" does not fit`},
		{"a signature", func(x parts) parts {
			x[2].Signature = slices.Clone(x[2].Signature)
			x[2].Signature[7] ^= 1
			return x
		}, `the signature of party "hospital-3" does not fit`},
		{"the total, by the root", func(x parts) parts {
			x[0].Outputs[total].Ciphertext[9] ^= 0x10
			s.resign(tr, &x[0])
			return x
		}, "output total of hospital-1: "},
		{"the total cut, by the root", func(x parts) parts {
			x[0].Outputs[total].Ciphertext = x[0].Outputs[total].Ciphertext[1:]
			s.resign(tr, &x[0])
			return x
		}, "output total of hospital-1: "},
		{"the total with a byte more, by the root", func(x parts) parts {
			x[0].Outputs[total].Ciphertext = append(x[0].Outputs[total].Ciphertext, 0)
			s.resign(tr, &x[0])
			return x
		}, "output total of hospital-1: "},
		{"coefficients beyond their modulus, by the root", func(x parts) parts {
			x[0].Outputs[total].Ciphertext = bytes.Repeat([]byte{0xff}, len(x[0].Outputs[total].Ciphertext))
			s.resign(tr, &x[0])
			return x
		}, "output total of hospital-1: "},
		{"a sealed seed, by its site", func(x parts) parts {
			x[1].Outputs[seed].Ciphertext[1130] ^= 1
			s.resign(tr, &x[1])
			return x
		}, "output seed of hospital-2 cannot be opened"},
		{"another seed, by its site", func(x parts) parts {
			s.reseal(tr, &x[1], func(b []byte) []byte { b[3] ^= 1; return b })
			return x
		}, "output total of hospital-1: "},
		{"a short seed, by its site", func(x parts) parts {
			s.reseal(tr, &x[1], func(b []byte) []byte { return b[1:] })
			return x
		}, "output seed of hospital-2 has the wrong length: 31 bytes, want 32"},
		{"a seed for another site", func(x parts) parts {
			x[2].Outputs[seed] = x[1].Outputs[seed]
			s.resign(tr, &x[2])
			return x
		}, "output seed of hospital-3 cannot be opened"},
		{"another digest, by its site", func(x parts) parts {
			x[4].Outputs[digest].Ciphertext[0] ^= 1
			s.resign(tr, &x[4])
			return x
		}, "hospital-1 and hospital-5 switched different ciphertexts"},
		{"a short digest, by its site", func(x parts) parts {
			x[4].Outputs[digest].Ciphertext = x[4].Outputs[digest].Ciphertext[1:]
			s.resign(tr, &x[4])
			return x
		}, "output digest of hospital-5 has 31 bytes, want 32"},
		{"a part left out", func(x parts) parts { return slices.Delete(x, 1, 2) }, "the share of hospital-2 is missing"},
		{"the root's part left out", func(x parts) parts { return x[1:] }, "the share of hospital-1 is missing"},
		{"a part twice", func(x parts) parts { return append(x, x[2]) }, "there are two shares of hospital-3"},
		{"a part twice, another left out", func(x parts) parts { x[4] = x[2]; return x }, "there are two shares of hospital-3"},
		{"no total", func(x parts) parts {
			x[0].Outputs = x[0].Outputs[:2]
			s.resign(tr, &x[0])
			return x
		}, "the share of hospital-1 has other outputs than the job's plan"},
		{"a total of another site", func(x parts) parts {
			x[1].Outputs = append(x[1].Outputs, x[0].Outputs[total])
			s.resign(tr, &x[1])
			return x
		}, "the share of hospital-2 has other outputs than the job's plan"},
		{"a stranger's part", func(x parts) parts {
			x[2].Party = "hospital-9"
			return x
		}, `"hospital-9", which seals nothing of this job`},
		{"a part of another job", func(x parts) parts { x[2] = other.shares[2]; return x }, "the share of hospital-3 is of another session"},
		{"a part of another run of it", func(x parts) parts { x[2] = again.shares[2]; return x }, "the share of hospital-3 is of another session"},
		{"a seed of another run of it", func(x parts) parts {
			x[2].Outputs[seed] = again.shares[2].Outputs[seed]
			s.resign(tr, &x[2])
			return x
		}, "output seed of hospital-3 cannot be opened"},
		{"the total of another run of it", func(x parts) parts {
			x[0].Outputs[total] = again.shares[0].Outputs[total]
			s.resign(tr, &x[0])
			return x
		}, "output total of hospital-1: "},
	} {
		opened, err := open(c.change(copyShares(tr.shares)))
		if err == nil || opened != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}
