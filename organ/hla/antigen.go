package hla

import (
	"crypto/sha256"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
)

// Locus is one of the six loci of which antigens are known here.
type Locus uint8

// The loci, in the order in which their antigens are numbered.
const (
	A Locus = iota
	B
	C
	DR
	DQ
	DP
	lociCount
)

var locusNames = [lociCount]string{"A", "B", "C", "DR", "DQ", "DP"}

// String returns the locus's name.
func (l Locus) String() string {
	if l >= lociCount {
		return fmt.Sprintf("locus %d", uint8(l))
	}
	return locusNames[l]
}

// ParseLocus is the inverse of String.
func ParseLocus(name string) (Locus, error) {
	for l, n := range locusNames {
		if n == name {
			return Locus(l), nil
		}
	}
	return 0, fmt.Errorf("there is no locus of this name: known are %s", strings.Join(locusNames[:], ", "))
}

// Antigen is the place of an antigen in the fixed public list of all. Shares that
// were sealed under one list mean nothing under another: compare Version.
type Antigen uint8

// Antigens lists the antigens of a locus in the order of their codes.
func Antigens(l Locus) []Antigen {
	first, n := catalogue.first[l], catalogue.count[l]
	list := make([]Antigen, n)
	for i := range list {
		list[i] = first + Antigen(i)
	}
	return list
}

// Count is how many antigens a locus has: their codes are 0 to Count-1.
func Count(l Locus) int { return catalogue.count[l] }

// Locus returns the antigen's locus.
func (a Antigen) Locus() Locus { return catalogue.entries[a].locus }

// Code is the antigen's place among those of its locus, from 0.
func (a Antigen) Code() int { return int(a - catalogue.first[a.Locus()]) }

// String returns the antigen's name, such as A24 or DR15.
func (a Antigen) String() string { return catalogue.entries[a].name }

// Broad returns the broad antigen that a belongs to, or a itself.
func (a Antigen) Broad() Antigen {
	for catalogue.entries[a].has {
		a = catalogue.entries[a].of
	}
	return a
}

// Split returns what an associated antigen is a variant of; any other antigen is
// its own split.
func (a Antigen) Split() Antigen {
	if e := catalogue.entries[a]; e.associated {
		return e.of
	}
	return a
}

// Within tells whether a is b or belongs to it: A2403 is within A24 and within A9.
func (a Antigen) Within(b Antigen) bool {
	for a != b {
		if !catalogue.entries[a].has {
			return false
		}
		a = catalogue.entries[a].of
	}
	return true
}

// Errors about a name. What the name was is not told.
var (
	errMalformed = errors.New("this is no antigen's name: write the locus and a number, such as A24, B7 or DR15")
	errUnknown   = errors.New("the locus has no antigen of this number: correct it, or give the antigen that it is a variant of")
	errBracket   = errors.New("the name contradicts itself: the antigen does not belong to the broad one in brackets")
	errMolecular = errors.New("a molecular name, and no file gives the antigen that it stands for: add it to the policy's table of molecular names, or write the antigen")
)

// Parse reads an antigen's name: a locus and a number without leading zeros, such
// as A24 or DR15. Cw7 and DPw4, as older reports write, are C7 and DP4; A24(9)
// names the broad antigen too, which must be that of the split.
func Parse(name string) (Antigen, error) {
	if strings.Contains(name, "*") {
		return 0, errMolecular
	}
	name, broad, bracket := strings.Cut(name, "(")
	a, err := parsePlain(name)
	if err != nil || !bracket {
		return a, err
	}
	number, closed := strings.CutSuffix(broad, ")")
	if !closed {
		return 0, errMalformed
	}
	of, err := parsePlain(a.Locus().String() + number)
	if err != nil {
		return 0, err
	}
	if of == a || !a.Within(of) {
		return 0, errBracket
	}
	return a, nil
}

func parsePlain(name string) (Antigen, error) {
	prefix := strings.TrimRight(name, "0123456789")
	number := name[len(prefix):]
	switch prefix {
	case "Cw", "DPw":
		prefix = strings.TrimSuffix(prefix, "w")
	}
	if _, err := ParseLocus(prefix); err != nil || number == "" || number[0] == '0' || len(number) > 4 {
		return 0, errMalformed
	}
	a, ok := catalogue.byName[prefix+number]
	if !ok {
		return 0, errUnknown
	}
	return a, nil
}

// Version is the hash of the list of antigens with their codes and levels.
func Version() [32]byte { return sha256.Sum256([]byte(antigensCSV)) }

//go:embed antigens.csv
var antigensCSV string

type entry struct {
	name       string
	locus      Locus
	has        bool    // it belongs to another
	of         Antigen // that one
	associated bool
}

type list struct {
	entries []entry
	byName  map[string]Antigen
	first   [lociCount]Antigen
	count   [lociCount]int
}

var catalogue = mustRead(antigensCSV)

// mustRead reads the list that is part of the program; that it can be read is
// tested.
func mustRead(text string) *list {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		panic(err)
	}
	l := &list{byName: make(map[string]Antigen)}
	for _, row := range rows[1:] {
		locus, err := ParseLocus(row[0])
		if err != nil {
			panic(err)
		}
		a := Antigen(len(l.entries))
		if l.count[locus] == 0 {
			l.first[locus] = a
		}
		l.count[locus]++
		l.byName[row[0]+row[1]] = a
		l.entries = append(l.entries, entry{name: row[0] + row[1], locus: locus, associated: row[3] == "associated"})
	}
	for i, row := range rows[1:] {
		if row[2] != "" {
			of, ok := l.byName[row[0]+row[2]]
			if !ok {
				panic("antigens.csv: " + row[0] + row[1] + " belongs to an antigen that is not listed")
			}
			l.entries[i].has, l.entries[i].of = true, of
		}
	}
	return l
}
