package hla

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Typing is what a person has at one locus: two antigens, the same one twice
// where there is but one (homozygous). The greater code comes last.
type Typing struct {
	First, Second Antigen
}

// Errors about a typing. What was typed is not told.
var (
	errOne  = errors.New("only one antigen at a locus of two: write it twice if the person is homozygous")
	errNone = errors.New("no antigen is given: a typing has two, the same one twice if the person is homozygous")
)

// ParseTyping reads the antigens of one locus. Two names are taken as they are,
// at whatever level. Of more than two, which a report has that names an antigen's
// broad beside it (A24 A9 A2), those that others lie within are left out, and two
// must remain: anything else contradicts itself.
func ParseTyping(l Locus, names Names, texts ...string) (Typing, error) {
	var found []Antigen
	for _, text := range texts {
		a, err := ParseAt(l, names, text)
		if err != nil {
			return Typing{}, err
		}
		found = append(found, a)
	}
	switch len(found) {
	case 0:
		return Typing{}, errNone
	case 1:
		return Typing{}, errOne
	}
	if len(found) > 2 {
		found = finest(found)
	}
	switch {
	case len(found) == 1: // the same one again and again, or with its broads
		return Typing{found[0], found[0]}, nil
	case len(found) > 2:
		return Typing{}, fmt.Errorf("the typing contradicts itself: %d different antigens at locus %s, a person has two", len(found), l)
	}
	slices.Sort(found)
	return Typing{found[0], found[1]}, nil
}

// ParseAt reads the name of an antigen of one locus.
func ParseAt(l Locus, names Names, text string) (Antigen, error) {
	a, err := names.Parse(text)
	if err == nil && a.Locus() != l {
		err = fmt.Errorf("this is an antigen of another locus than %s: put it into the column of its own", l)
	}
	return a, err
}

// finest returns the different antigens without those that another is within.
func finest(all []Antigen) []Antigen {
	var kept []Antigen
	for i, a := range all {
		covered := slices.Contains(all[:i], a) ||
			slices.ContainsFunc(all, func(b Antigen) bool { return b != a && b.Within(a) })
		if !covered {
			kept = append(kept, a)
		}
	}
	return kept
}

// Broad returns the typing at broad level.
func (t Typing) Broad() Typing { return Typing{t.First.Broad(), t.Second.Broad()} }

// Split returns the typing at split level.
func (t Typing) Split() Typing { return Typing{t.First.Split(), t.Second.Split()} }

// Homozygous tells whether both antigens are the same.
func (t Typing) Homozygous() bool { return t.First == t.Second }

// New is how many different antigens of the donor the candidate lacks: 0 to 2.
func (t Typing) New(candidate Typing) int {
	n := 0
	if t.First != candidate.First && t.First != candidate.Second {
		n++
	}
	if !t.Homozygous() && t.Second != candidate.First && t.Second != candidate.Second {
		n++
	}
	return n
}

// Fields cuts a cell with several names apart, at spaces, commas and semicolons.
func Fields(cell string) []string {
	return strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(" ,;\t", r) })
}
