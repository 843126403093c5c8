package match_test

import (
	"encoding/csv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// organ is where the reference data lie.
var organ = filepath.Join("..", "..", "testdata", "organ")

// table reads a file of the reference data, a map for each row.
func table(t testing.TB, path ...string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(append([]string{organ}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, r := range rows[1:] {
		row := map[string]string{}
		for i, name := range rows[0] {
			row[name] = r[i]
		}
		out = append(out, row)
	}
	return out
}

func whole(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// laboratory gives antigens codes, and knows how frequent they are.
type laboratory struct {
	codes map[string]int
	broad map[string]string
	loci  []locus
}

// locus is the antigens of one at the split level.
type locus struct {
	names       []string
	frequencies []float64
}

func newLaboratory(t testing.TB) *laboratory {
	t.Helper()
	l := &laboratory{codes: map[string]int{}, broad: map[string]string{}, loci: make([]locus, 3)}
	for _, r := range table(t, "hla_broad_split.csv") {
		for split := range strings.FieldsSeq(r["splits"]) {
			l.broad[r["locus"]+split] = r["locus"] + r["broad"]
		}
	}
	for _, r := range table(t, "hla_frequencies_eurotransplant.csv") {
		if r["level"] != "split" {
			continue
		}
		f, err := strconv.ParseFloat(r["frequency"], 64)
		if err != nil {
			t.Fatal(err)
		}
		at := &l.loci[slices.Index([]string{"A", "B", "DR"}, r["locus"])]
		at.names, at.frequencies = append(at.names, r["antigen"]), append(at.frequencies, f)
	}
	return l
}

// code returns an antigen's code.
func (l *laboratory) code(antigen string) int {
	if _, ok := l.codes[antigen]; !ok {
		l.codes[antigen] = len(l.codes)
	}
	return l.codes[antigen]
}

// both returns the codes of an antigen and of the broad one that holds it.
func (l *laboratory) both(antigen string) []int {
	if b := l.broad[antigen]; b != "" {
		return []int{l.code(antigen), l.code(b)}
	}
	return []int{l.code(antigen)}
}

// referencePools returns the pools of the reference data by their size.
func referencePools(t testing.TB) map[int]*pool {
	t.Helper()
	pools, l := map[int]*pool{}, newLaboratory(t)
	for _, r := range table(t, "examples", "exchange_pairs.csv") {
		n := whole(t, r["pool"])
		if pools[n] == nil {
			pools[n] = &pool{}
		}
		a := pair{donor: slices.Index(groups, r["donor_abo"]), recipient: slices.Index(groups, r["recipient_abo"])}
		for _, column := range []string{"a_1", "a_2", "b_1", "b_2", "dr_1", "dr_2"} {
			a.antigens = append(a.antigens, l.both(r["donor_hla_"+column])...)
		}
		for x := range strings.FieldsSeq(r["unacceptable"]) {
			a.unacceptable = append(a.unacceptable, l.code(x))
		}
		pools[n].pairs = append(pools[n].pairs, a)
	}
	for _, p := range pools {
		p.antigens = len(l.codes)
	}
	return pools
}

// draw returns an index with a probability by its weight.
func draw(rng *rand.Rand, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	x := rng.Float64() * sum
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// groupFrequencies are those of O, A, B and AB among donors.
var groupFrequencies = []float64{.440, .4174, .1148, .0416}

// generated returns a pool as the reference's generator makes them: people with
// frequent groups and antigens, sensitised recipients, and of pairs those that do
// not suit.
func (l *laboratory) generated(rng *rand.Rand, n int) *pool {
	p := &pool{}
	for len(p.pairs) < n {
		a := pair{donor: draw(rng, groupFrequencies), recipient: draw(rng, groupFrequencies)}
		for _, at := range l.loci {
			for range 2 {
				a.antigens = append(a.antigens, l.both(at.names[draw(rng, at.frequencies)])...)
			}
		}
		a.unacceptable = l.antibodies(rng, []float64{.05, .45, .90}[draw(rng, []float64{.70, .20, .10})])
		alone := pool{pairs: []pair{a, a}}
		if !alone.arc(0, 1) {
			p.pairs = append(p.pairs, a)
		}
	}
	p.antigens = len(l.codes)
	return p
}

// antibodies returns antigens that so large a part of all people has one of.
func (l *laboratory) antibodies(rng *rand.Rand, most float64) []int {
	type antigen struct {
		name      string
		frequency float64
	}
	var all []antigen
	for _, at := range l.loci {
		own, second := draw(rng, at.frequencies), draw(rng, at.frequencies)
		for i, name := range at.names {
			if i != own && i != second {
				all = append(all, antigen{name, at.frequencies[i]})
			}
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var out []int
	reach := 0.0
	for _, x := range all {
		if reach >= most {
			break
		}
		out = append(out, l.code(x.name))
		reach = 1 - (1-reach)*(1-x.frequency)*(1-x.frequency)
	}
	return out
}

// drawPool returns a pool with arcs of all densities, of which some pairs are padding.
func drawPool(rng *rand.Rand, n int) *pool {
	p := &pool{antigens: 1 + rng.IntN(70)}
	few := rng.IntN(3)
	for range n {
		a := pair{donor: rng.IntN(4), recipient: rng.IntN(4), invalid: rng.IntN(8) == 0}
		for range rng.IntN(3) {
			a.antigens = append(a.antigens, rng.IntN(p.antigens))
		}
		for range rng.IntN(1 + few*p.antigens/4) {
			a.unacceptable = append(a.unacceptable, rng.IntN(p.antigens))
		}
		p.pairs = append(p.pairs, a)
	}
	return p
}
