package hla_test

import (
	"encoding/csv"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/organ/hla"
)

var loci = []hla.Locus{hla.A, hla.B, hla.C, hla.DR, hla.DQ, hla.DP}

func all() []hla.Antigen {
	var list []hla.Antigen
	for _, l := range loci {
		list = append(list, hla.Antigens(l)...)
	}
	return list
}

func parse(t *testing.T, name string) hla.Antigen {
	t.Helper()
	a, err := hla.Parse(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

// TestListIsFixed: shares carry codes, so a change of the list is a change of
// what sealed data mean.
func TestListIsFixed(t *testing.T) {
	version := hla.Version()
	const want = "82e37d415551e41855e295777654f54fe13f7bf88ec307252b68fb0bc0f59de2"
	if got := hex.EncodeToString(version[:]); got != want {
		t.Errorf("the list of antigens has changed: %s. Old shares and policies mean other antigens now", got)
	}
}

func TestNamesAndCodes(t *testing.T) {
	for _, l := range loci {
		list := hla.Antigens(l)
		if len(list) != hla.Count(l) || len(list) == 0 {
			t.Fatalf("locus %s has %d antigens, and counts %d", l, len(list), hla.Count(l))
		}
		for code, a := range list {
			if a.Code() != code || a.Locus() != l || parse(t, a.String()) != a {
				t.Errorf("%s: code %d, locus %s", a, a.Code(), a.Locus())
			}
		}
	}
	for _, c := range [][2]string{{"Cw7", "C7"}, {"DPw4", "DP4"}, {"A24(9)", "A24"}, {"A2403(9)", "A2403"}, {"A2403(24)", "A2403"}, {"DR17(3)", "DR17"}} {
		if parse(t, c[0]) != parse(t, c[1]) {
			t.Errorf("%s is not %s", c[0], c[1])
		}
	}
}

// TestLevelsFollowThePublishedTable compares with the table of broads, splits and
// associated antigens.
func TestLevelsFollowThePublishedTable(t *testing.T) {
	f, err := os.Open("../../testdata/organ/hla_broad_split.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	belongs := map[hla.Antigen]bool{}
	for _, row := range rows[1:] {
		broad := parse(t, row[0]+row[1])
		for _, number := range strings.Fields(row[2]) {
			split := parse(t, row[0]+number)
			belongs[split] = true
			if split.Broad() != broad || split.Split() != split || !split.Within(broad) || broad.Within(split) {
				t.Errorf("%s: broad %s, split %s", split, split.Broad(), split.Split())
			}
		}
		for _, number := range strings.Fields(row[3]) {
			associated := parse(t, row[0]+number)
			belongs[associated] = true
			if associated.Split() != broad || associated.Broad() != broad.Broad() || !associated.Within(broad) {
				t.Errorf("%s: broad %s, split %s", associated, associated.Broad(), associated.Split())
			}
		}
	}
	for _, a := range all() {
		if !belongs[a] && (a.Broad() != a || a.Split() != a) {
			t.Errorf("%s: broad %s, split %s, and the table has it alone", a, a.Broad(), a.Split())
		}
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		"":          "no antigen's name",
		"24":        "no antigen's name",
		"A":         "no antigen's name",
		"A024":      "no antigen's name",
		"a24":       "no antigen's name",
		"A24 ":      "no antigen's name",
		"A-1":       "no antigen's name",
		"DRB15":     "no antigen's name",
		"A٢":        "no antigen's name",
		"A12345":    "no antigen's name",
		"A24(9":     "no antigen's name",
		"A24()":     "no antigen's name",
		"A4":        "no antigen of this number",
		"DR99":      "no antigen of this number",
		"A24(10)":   "contradicts itself",
		"A24(24)":   "contradicts itself",
		"A9(24)":    "contradicts itself",
		"A*24:02":   "molecular",
		"DRB1*15:1": "molecular",
	} {
		_, err := hla.Parse(name)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
		if err != nil && name != "" && len(name) > 2 && strings.Contains(err.Error(), name) {
			t.Errorf("%q is repeated in %v", name, err)
		}
	}
}

func TestMolecularNames(t *testing.T) {
	names, err := hla.ReadNames(strings.NewReader("allele,antigen\nA*24:02,A24\nDRB1*15:01,DR15\nA*24,A9\nA*24:09N,A24\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"A*24:02": "A24", "A*24:02:01": "A24", "A*24:02:01:02": "A24", "A*24:03": "A9",
		"A*24": "A9", "A*24:09N": "A24", "DRB1*15:01:01": "DR15", "A24": "A24",
	} {
		if a, err := names.Parse(name); err != nil || a.String() != want {
			t.Errorf("%s: %s %v, want %s", name, a, err, want)
		}
	}
	for _, name := range []string{"A*24:02N", "B*07:02", "DRB1*15", "A*", "*", "A*2"} {
		if _, err := names.Parse(name); err == nil || !strings.Contains(err.Error(), "molecular") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{
		"":                                    "header",
		"allele\n":                            "header",
		"allele,antigen\nA24,A24\n":           "line 2",
		"allele,antigen\nA*24,A24\nA*24,A9\n": "line 3",
		"allele,antigen\nA*24,A4\n":           "no antigen of this number",
		"allele,antigen\nA*24,A24,A9\n":       "wrong number of fields",
		"allele,antigen\nA*01:01,A1\n\nA*01:01,A1\n": "line 4",
	} {
		if _, err := hla.ReadNames(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestTypings(t *testing.T) {
	for texts, want := range map[string]string{
		"A24 A2":          "A2 A24",
		"A2 A2":           "A2 A2",
		"A9 A24":          "A9 A24", // one known at broad level only
		"A10 A2":          "A2 A10",
		"A24 A9 A2":       "A2 A24", // with the broad beside it
		"A2403 A24 A9 A2": "A2 A2403",
		"A23 A24 A9":      "A23 A24",
		"A24 A24 A9":      "A24 A24",
		"A9 A9 A9":        "A9 A9",
	} {
		got, err := hla.ParseTyping(hla.A, nil, hla.Fields(texts)...)
		if err != nil || got.First.String()+" "+got.Second.String() != want {
			t.Errorf("%s: %v %v, want %s", texts, got, err, want)
		}
	}
	for texts, want := range map[string]string{
		"":              "no antigen is given",
		"A2":            "only one antigen",
		"A2 B7":         "another locus than A",
		"A1 A2 A3":      "contradicts itself: 3",
		"A24 A25 A9 A2": "contradicts itself: 3",
		"A23 A24 A2":    "contradicts itself: 3",
		"A2 A4":         "no antigen of this number",
		"A2 x":          "no antigen's name",
	} {
		_, err := hla.ParseTyping(hla.A, nil, hla.Fields(texts)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", texts, err, want)
		}
	}
}

func TestUnacceptableBroadCoversSplits(t *testing.T) {
	for _, c := range []struct {
		donor, unacceptable string
		meets               bool
	}{
		{"A24 A2", "A9", true},
		{"A2403 A2", "A9", true},
		{"A2403 A2", "A24", true},
		{"A24 A2", "A24", true},
		{"A9 A2", "A24", false},
		{"A24 A2", "A23", false},
		{"A24 A2", "A203", false},
		{"A203 A1", "A2", true},
		{"A24 A2", "", false},
		{"A24 A2", "B7, DR4; DR15", false},
	} {
		donor, err := hla.ParseTyping(hla.A, nil, hla.Fields(c.donor)...)
		if err != nil {
			t.Fatal(err)
		}
		set, err := hla.ParseSet(loci, nil, c.unacceptable)
		if err != nil {
			t.Fatal(err)
		}
		if got := hla.Carried(donor).Intersects(set); got != c.meets {
			t.Errorf("donor %s, unacceptable %s: %v", c.donor, c.unacceptable, got)
		}
	}
	if _, err := hla.ParseSet([]hla.Locus{hla.A}, nil, "A2 B7"); err == nil || !strings.Contains(err.Error(), "locus B") {
		t.Error(err)
	}
}

// TestPackedSetsMeetAsSetsDo: packed words of the loci meet in a bit where the
// sets have an antigen of these loci in common, and their number is public.
func TestPackedSetsMeetAsSetsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfDistinct(rapid.SampledFrom(loci), rapid.ID).Draw(t, "loci")
		draw := func(name string) (s hla.Set) {
			for _, a := range rapid.SliceOfN(rapid.SampledFrom(all()), 0, 8).Draw(t, name) {
				s.Add(a)
			}
			return s
		}
		x, y := draw("x"), draw("y")
		want := false
		for _, l := range some {
			for _, a := range hla.Antigens(l) {
				want = want || x.Has(a) && y.Has(a)
			}
		}
		xs, ys, widths := x.Words(some), y.Words(some), hla.WordWidths(some)
		if len(xs) != len(widths) || len(ys) != len(widths) {
			t.Fatalf("%d and %d words, want %d", len(xs), len(ys), len(widths))
		}
		got := false
		for i := range xs {
			got = got || xs[i]&ys[i] != 0
			if xs[i] < 0 || xs[i]>>widths[i] != 0 {
				t.Fatalf("word %d has more than %d bits", i, widths[i])
			}
		}
		if got != want {
			t.Fatalf("meet: %v, want %v", got, want)
		}
	})
}

// TestNewCountsTheSetDifference against the plain definition.
func TestNewCountsTheSetDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) hla.Typing {
			two := rapid.SliceOfN(rapid.SampledFrom(hla.Antigens(hla.DR)[:4]), 2, 2).Draw(t, name)
			return hla.Typing{First: two[0], Second: two[1]}
		}
		donor, candidate := draw("donor"), draw("candidate")
		lacking := map[hla.Antigen]bool{donor.First: true, donor.Second: true}
		delete(lacking, candidate.First)
		delete(lacking, candidate.Second)
		if got := donor.New(candidate); got != len(lacking) {
			t.Fatalf("%d, want %d", got, len(lacking))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"A24", "DR15", "Cw7", "A24(9)", "A*24:02:01", "A2 A24", "", "B5102(5)", "DPw4"} {
		f.Add(s)
	}
	names := hla.Names{"A*24": parseSeed("A24"), "A*24:02": parseSeed("A24")}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := hla.Parse(s); err == nil {
			if again, err := hla.Parse(a.String()); err != nil || again != a {
				t.Fatalf("%q is %s, and that is %s %v", s, a, again, err)
			}
		}
		if a, err := names.Parse(s); err == nil && a.Locus() > hla.DP {
			t.Fatalf("%q has locus %s", s, a.Locus())
		}
		if typing, err := hla.ParseTyping(hla.A, names, hla.Fields(s)...); err == nil && typing.First > typing.Second {
			t.Fatalf("%q is out of order", s)
		}
		if set, err := hla.ParseSet(loci, names, s); err == nil && len(set.Words(loci)) != len(hla.WordWidths(loci)) {
			t.Fatalf("%q changes the number of words", s)
		}
	})
}

func parseSeed(name string) hla.Antigen {
	a, err := hla.Parse(name)
	if err != nil {
		panic(err)
	}
	return a
}

// TestUnpackUndoesWords, of any set over any loci.
func TestUnpackUndoesWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(loci), 1, len(loci), rapid.ID[hla.Locus]).Draw(t, "loci")
		var s hla.Set
		var drawn []hla.Antigen
		for _, l := range some {
			for _, a := range hla.Antigens(l) {
				if rapid.Bool().Draw(t, "has") {
					s.Add(a)
					drawn = append(drawn, a)
				}
			}
		}
		if got := hla.Unpack(some, s.Words(some)); !slices.Equal(got, drawn) {
			t.Fatalf("%v, want %v", got, drawn)
		}
	})
}
