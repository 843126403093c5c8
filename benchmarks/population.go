package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"consilium/policies"
)

// population is what patients and donors are drawn from: as the reference data of
// organ matching, with Eurotransplant's frequencies of blood groups and of split
// antigens.
type population struct {
	countries, groups urn
	antigens          [3]urn // of A, B and DR
}

// urn holds names, each as often as its weight says.
type urn struct {
	names   []string
	weights []float64
	total   float64
}

func (u *urn) put(name string, weight float64) {
	u.names, u.weights, u.total = append(u.names, name), append(u.weights, weight), u.total+weight
}

// weight returns how often a name is drawn.
func (u *urn) weight(name string) float64 { return u.weights[slices.Index(u.names, name)] }

var lociDrawn = []string{"A", "B", "DR"}

func newPopulation() (*population, error) {
	p := &population{}
	for i, name := range []string{"AT", "BE", "HR", "DE", "HU", "NL", "SI"} {
		p.countries.put(name, []float64{.10, .13, .05, .50, .09, .10, .03}[i])
	}
	for i, name := range []string{"A", "AB", "B", "O"} {
		p.groups.put(name, []float64{.4174, .0416, .1148, .440}[i])
	}
	f, err := policies.FS.Open("hla_frequencies_eurotransplant.csv")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, row := range rows[1:] { // locus, level, antigen, frequency
		weight, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			return nil, err
		}
		if locus := slices.Index(lociDrawn, row[0]); locus >= 0 && row[1] == "split" {
			p.antigens[locus].put(row[2], weight)
		}
	}
	return p, nil
}

// lot is the noise of one person, number by number.
type lot struct{ person, next int }

// uniform draws from 0 to 1.
func (d *lot) uniform() float64 {
	d.next++
	return uniform(d.person, d.next)
}

// whole draws one of lo to hi.
func (d *lot) whole(lo, hi int) int { return lo + int(d.uniform()*float64(hi-lo+1)) }

func (d *lot) chance(p float64) bool { return d.uniform() < p }

func (d *lot) exponential(rate float64) float64 { return -math.Log(d.uniform()) / rate }

// normal draws by the method of Box and Muller.
func (d *lot) normal(mean, sd float64) float64 {
	return mean + sd*math.Sqrt(2*d.exponential(1))*math.Cos(2*math.Pi*d.uniform())
}

func (d *lot) from(u *urn) string {
	x := d.uniform() * u.total
	for i, w := range u.weights {
		if x -= w; x < 0 {
			return u.names[i]
		}
	}
	return u.names[len(u.names)-1]
}

// personColumns are what is known of donors, and waitingColumns what comes with those
// who wait.
var (
	personColumns  = []string{"id", "abo", "country", "region", "paediatric", "hla_a_1", "hla_a_2", "hla_b_1", "hla_b_2", "hla_dr_1", "hla_dr_2"}
	waitingColumns = []string{"vpra", "dialysis_years", "returned_years", "national_balance", "regional_balance", "high_urgency", "unacceptable"}
)

// people returns persons first, first+1, … as a CSV file.
func (p *population) people(first, n int) (io.Reader, error) {
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write(slices.Concat(personColumns, waitingColumns)) // the error is that of Flush
	for i := first; i < first+n; i++ {
		_ = w.Write(p.person(i))
	}
	w.Flush()
	return &file, w.Error()
}

func (p *population) person(i int) []string {
	d := &lot{person: i}
	country := d.from(&p.countries)
	age := min(85, max(1, d.normal(54, 15)))
	cells := []string{
		strconv.Itoa(i), d.from(&p.groups), country, country + strconv.Itoa(d.whole(1, 4)),
		strconv.Itoa(int(one(math.Round(age*10)/10 < 18))),
	}
	var typing [len(p.antigens)][]string
	for l := range typing {
		u := &p.antigens[l]
		typing[l] = slices.Sorted(slices.Values([]string{d.from(u), d.from(u)}))
		cells = append(cells, typing[l]...)
	}
	vpra := 0.0
	switch x := d.uniform(); {
	case x > 0.9:
		vpra = 0.85 + 0.149*d.uniform()
	case x > 0.7:
		vpra = 0.05 + 0.8*d.uniform()
	}
	returned := 0.0
	if d.chance(0.05) {
		returned = d.exponential(1)
	}
	thousandths := func(x float64) string { return fmt.Sprintf("%.3f", x) }
	return append(cells, thousandths(vpra), thousandths(d.exponential(0.35)), thousandths(returned),
		strconv.Itoa(d.whole(0, 9)), strconv.Itoa(d.whole(0, 20)), strconv.Itoa(int(one(d.chance(0.01)))),
		strings.Join(p.antibodies(d, typing[:], vpra), " "))
}

// antibodies draws unacceptable antigens, none of the person's own, until together
// they are met in a part of all donors that reaches the vPRA.
func (p *population) antibodies(d *lot, own [][]string, vpra float64) []string {
	var pool []string
	weights := map[string]float64{}
	for l := range p.antigens {
		for _, name := range p.antigens[l].names {
			if !slices.Contains(own[l], name) {
				pool = append(pool, name)
				weights[name] = p.antigens[l].weight(name)
			}
		}
	}
	var out []string
	for reach := 0.0; reach < vpra && len(pool) > 0; {
		k := d.whole(0, len(pool)-1)
		out = append(out, pool[k])
		reach = 1 - (1-reach)*(1-weights[pool[k]])*(1-weights[pool[k]])
		pool = slices.Delete(pool, k, k+1)
	}
	return out
}
