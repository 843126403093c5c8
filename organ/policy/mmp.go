package policy

import (
	"fmt"
	"math"
	"slices"

	"consilium/job"
	"consilium/organ/hla"
)

// level is how finely antigens are told apart.
type level string

const (
	asTyped    level = "typed"
	broadLevel level = "broad"
	splitLevel level = "split"
)

// at returns the typing at the level.
func (l level) at(t hla.Typing) hla.Typing {
	switch l {
	case broadLevel:
		return t.Broad()
	case splitLevel:
		return t.Split()
	}
	return t
}

// frequencies are those of antigens in a population, by locus and level, in the
// order of the table.
type frequencies map[frequencyKey][]frequency

type frequencyKey struct {
	locus hla.Locus
	level level
}

type frequency struct {
	antigen hla.Antigen
	share   float64
}

func (t *table) readFrequencies(rows [][]string) error {
	if !slices.Equal(rows[0], []string{"locus", "level", "antigen", "frequency"}) {
		return fmt.Errorf("the header must be locus,level,antigen,frequency")
	}
	t.freq = frequencies{}
	total := map[frequencyKey]float64{}
	for i, row := range rows[1:] {
		locus, err := hla.ParseLocus(row[0])
		if err != nil {
			return fmt.Errorf("row %d: %.32q: %w", i+1, row[0], err)
		}
		l := level(row[1])
		if l != broadLevel && l != splitLevel {
			return fmt.Errorf("row %d: level is %.32q: %s", i+1, row[1], job.Near(row[1], []string{string(broadLevel), string(splitLevel)}))
		}
		a, err := hla.Parse(row[2])
		if err != nil {
			return fmt.Errorf("row %d: %.32q: %w", i+1, row[2], err)
		}
		if a.Locus() != locus {
			return fmt.Errorf("row %d: %s is no antigen of locus %s", i+1, a, locus)
		}
		share, ok := parseRat(row[3])
		if !ok || share.Sign() < 0 || share.Cmp(one) > 0 {
			return fmt.Errorf("row %d: frequency is %.32q: write a decimal number from 0 to 1", i+1, row[3])
		}
		key := frequencyKey{locus, l}
		if slices.ContainsFunc(t.freq[key], func(f frequency) bool { return f.antigen == a }) {
			return fmt.Errorf("row %d: %s stands twice at this level: remove one", i+1, a)
		}
		f, _ := share.Float64()
		t.freq[key] = append(t.freq[key], frequency{a, f})
		if total[key] += f; total[key] > 1.0001 {
			return fmt.Errorf("row %d: the frequencies of locus %s at %s level add up to more than 1", i+1, locus, l)
		}
	}
	return nil
}

// covers tells which frequencies of a list a typed antigen stands for: its own; if
// the list has none, those of what lies within it (a broad antigen where the list
// is finer); else that of what it lies within; else none.
func covers(list []frequency, a hla.Antigen) func(hla.Antigen) bool {
	for _, holds := range []func(hla.Antigen) bool{
		func(b hla.Antigen) bool { return b == a },
		func(b hla.Antigen) bool { return b.Within(a) },
		func(b hla.Antigen) bool { return a.Within(b) },
	} {
		if slices.ContainsFunc(list, func(f frequency) bool { return holds(f.antigen) }) {
			return holds
		}
	}
	return func(hla.Antigen) bool { return false }
}

// levelled is a typing at a level.
type levelled struct {
	typing hla.Typing
	level  level
}

// mismatchProbability is Eurotransplant's MMP in percent: how likely it is that
// of a thousand donors none is blood-group identical, acceptable, and has at most
// one mismatch:
//
//	100 (1 - bloodGroup (1 - vpra) (m0 + m1))^1000
//
// with, over the loci, X the summed frequency of the candidate's distinct
// antigens, m0 the product of all X^2, and m1 the sum of m0 / X^2 times
// 2 X (1 - X) + the summed squares of the frequencies that the candidate lacks.
func (f frequencies) mismatchProbability(bloodGroup, vpra float64, typings []levelled) float64 {
	m0 := 1.0
	own, oneOff := make([]float64, len(typings)), make([]float64, len(typings))
	for i, t := range typings {
		list := f[frequencyKey{t.typing.First.Locus(), t.level}]
		first, second := covers(list, t.typing.First), covers(list, t.typing.Second)
		x, lacking := 0.0, 0.0
		for _, e := range list {
			if first(e.antigen) || second(e.antigen) {
				x += e.share
			} else {
				lacking += e.share * e.share
			}
		}
		own[i], oneOff[i] = x*x, 2*x*(1-x)+lacking
		m0 *= own[i]
	}
	m1 := 0.0
	for i := range typings {
		others := oneOff[i]
		for k := range typings {
			if k != i {
				others *= own[k]
			}
		}
		m1 += others
	}
	return 100 * math.Pow(1-bloodGroup*(1-vpra)*(m0+m1), 1000)
}
