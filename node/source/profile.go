package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"consilium/job"
)

// profile is what Infer remembers of a column: bounded, whatever its length.
type profile struct {
	name       string
	values     bool                // any cell that is neither blank nor absent
	absent     map[string]struct{} // cells that say that there is no value; few forms exist
	texts      map[string]struct{} // up to one more than a list may have
	numbers    bool                // all values are numbers that a column takes
	levels     map[number]struct{} // bounded alike
	decimals   int                 // the most that a number needs
	min, max   number
	repetition *repetition
	seen       map[string]struct{} // values that need no second look
}

func newProfile(name string) *profile {
	return &profile{
		name: name, numbers: true, repetition: newRepetition(),
		absent: map[string]struct{}{}, texts: map[string]struct{}{}, levels: map[number]struct{}{}, seen: map[string]struct{}{},
	}
}

func (p *profile) add(cell string) {
	if strings.TrimSpace(cell) == "" {
		return
	}
	if isAbsent(cell) {
		p.absent[strings.Clone(cell)] = struct{}{}
		return
	}
	p.repetition.add(cell)
	if _, ok := p.seen[cell]; ok {
		return
	}
	cell = strings.Clone(cell) // it shares its row's memory
	if len(p.seen) < maxCached {
		p.seen[cell] = struct{}{}
	}
	p.values = true
	insert(p.texts, cell, maxTextLevels)
	if p.numbers {
		p.addNumber(cell)
	}
}

func (p *profile) addNumber(cell string) {
	n, ok := parseNumber(cell)
	if !ok {
		p.numbers = false
		return
	}
	if len(p.levels) == 0 || n.less(p.min) {
		p.min = n
	}
	if len(p.levels) == 0 || p.max.less(n) {
		p.max = n
	}
	if p.decimals = max(p.decimals, n.decimals()); p.decimals > 0 {
		p.repetition.dismiss() // a measurement, whose values often all differ
	}
	insert(p.levels, n, maxNumberLevels)
}

// isAbsent tells the texts by which programs write that there is no value.
func isAbsent(cell string) bool {
	switch strings.ToLower(cell) {
	case "na", "n/a", "#n/a", "<na>", "nan", "null", ".":
		return true
	}
	return false
}

// insert adds to a set that stops growing at one element more than limit.
func insert[T comparable](set map[T]struct{}, element T, limit int) {
	if len(set) <= limit {
		set[element] = struct{}{}
	}
}

// propose makes the column's declaration, with notes where a person should look.
func (p *profile) propose() (job.Column, []string) {
	absent := slices.Sorted(maps.Keys(p.absent))
	if !p.values {
		return job.Column{Name: p.name, Type: job.Integer, Min: "0", Max: "0", Missing: absent},
			[]string{"blank in every file" + beside(absent) + "; declare its type and range before it is used"}
	}
	var notes []string
	var c job.Column
	if p.numbers {
		if len(absent) > 0 {
			notes = append(notes, names(absent)+" proposed as missing, as all other values are numbers")
		}
		var note string
		if c, note = p.proposeNumber(absent); note != "" {
			notes = append(notes, note)
		}
	} else {
		if len(absent) > 0 {
			notes = append(notes, "holds "+names(absent)+" among other texts; move it to missing if it means that")
		}
		for _, s := range absent {
			insert(p.texts, s, maxTextLevels)
		}
		c = p.proposeText(nil)
	}
	if p.repetition.looksLikeIdentifier() {
		notes = append(notes, "looks like an identifier; leave it out of the schema unless an analysis needs it")
	}
	return c, notes
}

// beside names the texts that were seen beside blank cells.
func beside(absent []string) string {
	if len(absent) == 0 {
		return ""
	}
	return fmt.Sprintf(" but for %s", names(absent))
}

// proposeNumber declares an integer or decimal column, or text with a note.
func (p *profile) proposeNumber(missing []string) (job.Column, string) {
	c := job.Column{Name: p.name, Type: job.Integer, Min: p.min.text(), Max: p.max.text(), Missing: missing}
	if p.decimals > 0 {
		c.Type = job.Decimal
		c.Step = number{1, p.decimals}.text()
	} else if len(p.levels) <= maxNumberLevels {
		c.Categories = p.sortedLevels()
	}
	if (&job.Schema{Columns: []job.Column{c}}).Check() != nil {
		return p.proposeText(missing), "numbers too long or too fine for codes, taken for text; round them, or declare a coarser step"
	}
	return c, ""
}

// proposeText gives the list when it is short and fit for one.
func (p *profile) proposeText(missing []string) job.Column {
	c := job.Column{Name: p.name, Type: job.Text, Missing: missing}
	if len(p.texts) <= maxTextLevels {
		c.Categories = slices.Sorted(maps.Keys(p.texts))
	}
	if (&job.Schema{Columns: []job.Column{c}}).Check() != nil {
		c.Categories = nil
	}
	return c
}

// sortedLevels returns the levels in numeric order.
func (p *profile) sortedLevels() []string {
	levels := slices.SortedFunc(maps.Keys(p.levels), func(a, b number) int { return a.rat().Cmp(b.rat()) })
	texts := make([]string, len(levels))
	for i, n := range levels {
		texts[i] = n.text()
	}
	return texts
}
