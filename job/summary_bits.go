package job

import "math/bits"

// Bits bounds the summary's sums over at most that many rows of a dataset: each is
// smaller than 2^Bits in magnitude. The summary must pass Check.
func (s *Summary) Bits(schema *Schema, rows int) int {
	widest := 0
	for _, t := range s.Terms {
		widest = max(widest, t.bits(schema, rows))
	}
	return widest
}

func (t Term) bits(schema *Schema, rows int) int {
	if len(t) == 0 {
		return bits.Len(uint(rows)) // a count may reach the number of rows
	}
	// A code of b bits is below 2^b, so rows * product stays below this power.
	width := bits.Len(uint(rows - 1))
	for _, name := range t {
		if c, ok := schema.Column(name); ok {
			width += c.Bits()
		}
	}
	return width
}
