package source

// splitAt is where a word is cut in two before it is added up: at most 2^31 rows of
// either half fit a signed word.
const splitAt = 31

// limb is a piece of a factor: the factor is the sum of its limbs times 2^shift.
type limb struct {
	text  string
	shift int
	bits  int
}

// split sums a product with nothing but 64-bit words: factors are cut into limbs
// whose products fit a word, and these into halves whose sums do. The cuts are
// those of two's complement, so that every limb but the highest is not negative.
func (d *dialect) split(factors []factor, width int, over func(string) string, rowBits int) termSum {
	products := []limb{{"", 0, 0}}
	most := wordBits
	if width > wordBits {
		most = wordBits / len(factors)
	}
	for _, f := range factors {
		var next []limb
		for _, p := range products {
			for _, l := range d.limbs(f, most) {
				text := l.text
				if p.text != "" {
					text = p.text + " * " + l.text
				}
				next = append(next, limb{text, p.shift + l.shift, p.bits + l.bits})
			}
		}
		products = next
	}
	var sum termSum
	for _, p := range products {
		if p.bits+rowBits <= wordBits {
			sum = append(sum, part{"sum(" + over(p.text) + ")", uint(p.shift)})
			continue
		}
		sum = append(sum,
			part{"sum(" + over(d.high(p.text, splitAt)) + ")", uint(p.shift + splitAt)},
			part{"sum(" + over(d.low(p.text, splitAt)) + ")", uint(p.shift)})
	}
	return sum
}

// limbs cuts a factor into pieces of at most that many bits.
func (d *dialect) limbs(f factor, most int) []limb {
	if f.bits <= most {
		return []limb{{f.column, 0, f.bits}}
	}
	var list []limb
	rest, shift := f.column, 0
	for ; f.bits-shift > most; shift += most {
		list = append(list, limb{d.low(rest, most), shift, most})
		rest = d.high(f.column, shift+most)
	}
	return append(list, limb{rest, shift, f.bits - shift})
}
