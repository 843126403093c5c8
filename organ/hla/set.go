package hla

import (
	"fmt"
	"slices"
)

// WordBits is the most bits of a packed word: a non-negative number that stays
// far from the sign bit of 64.
const WordBits = 60

// Set is a set of antigens of any loci. The zero value is empty.
type Set struct{ bits [4]uint64 }

// Add puts an antigen into the set.
func (s *Set) Add(a Antigen) { s.bits[a/64] |= 1 << (a % 64) }

// Has tells whether the set holds exactly this antigen.
func (s Set) Has(a Antigen) bool { return s.bits[a/64]>>(a%64)&1 == 1 }

// Intersects tells whether two sets have an antigen in common.
func (s Set) Intersects(other Set) bool {
	for i, w := range s.bits {
		if w&other.bits[i] != 0 {
			return true
		}
	}
	return false
}

// ParseSet reads a cell with the names of antigens of the given loci, parted by
// spaces, commas or semicolons. The blank cell is the empty set.
func ParseSet(loci []Locus, names Names, cell string) (Set, error) {
	var s Set
	for _, text := range Fields(cell) {
		a, err := names.Parse(text)
		if err != nil {
			return Set{}, err
		}
		if !slices.Contains(loci, a.Locus()) {
			return Set{}, fmt.Errorf("an antigen of locus %s, which the policy does not read here: remove it, or use a policy that does", a.Locus())
		}
		s.Add(a)
	}
	return s, nil
}

// Carried is the set of what a person's typings put before another's antibodies:
// the antigens themselves and whatever they lie within. A set of unacceptable
// antigens that meets it excludes the donor; so an unacceptable broad antigen
// covers its splits, and an unacceptable split does not exclude a donor who is
// typed at broad level only.
func Carried(typings ...Typing) Set {
	var s Set
	for _, t := range typings {
		for _, a := range [2]Antigen{t.First, t.Second} {
			for s.Add(a); catalogue.entries[a].has; s.Add(a) {
				a = catalogue.entries[a].of
			}
		}
	}
	return s
}

// Words packs the part of the set that lies in the loci: the antigens of the
// first locus by their codes, then those of the next, WordBits a word. How many
// words there are depends on the loci alone; see WordWidths.
func (s Set) Words(loci []Locus) []int64 {
	words := make([]int64, len(WordWidths(loci)))
	place := 0
	for _, l := range loci {
		for code := range Count(l) {
			if s.Has(catalogue.first[l] + Antigen(code)) {
				words[place/WordBits] |= 1 << (place % WordBits)
			}
			place++
		}
	}
	return words
}

// Unpack is the inverse of Words. It returns the antigens in the order of their places.
func Unpack(loci []Locus, words []int64) []Antigen {
	var all []Antigen
	place := 0
	for _, l := range loci {
		for _, a := range Antigens(l) {
			if words[place/WordBits]>>(place%WordBits)&1 == 1 {
				all = append(all, a)
			}
			place++
		}
	}
	return all
}

// WordWidths returns the number of bits of each packed word of a set over the
// loci.
func WordWidths(loci []Locus) []int {
	var widths []int
	total := 0
	for _, l := range loci {
		total += Count(l)
	}
	for ; total > 0; total -= WordBits {
		widths = append(widths, min(total, WordBits))
	}
	return widths
}
