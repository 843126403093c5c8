package rss

import (
	"math/bits"

	"consilium/mpc/ring"
)

const (
	// roundWorth is how many comparisons cost about as much as the rounds of one
	// batch: a smaller batch can as well do more than the fewest.
	roundWorth = 1 << 15
	// smallPart is the largest part whose rows are all compared with each other
	// though the batch is large.
	smallPart = 6
)

// contestants are rows that lie in places and can be compared.
type contestants interface {
	// below says for pairs of places whether the row in the first comes before that
	// in the second; ok is false when there is no use in going on.
	below(x, y []int32) (out ring.Planes, ok bool)
	// move moves the row in place lo + from[i] to place lo + i, for all i. It may
	// change from.
	move(lo int, from []int32)
}

// ranking sorts rows that lie in a random order by comparisons made in batches. It
// knows nothing of secrets: which rows it compares follows from how earlier
// comparisons came out, and these from the ranks of the rows alone.
type ranking struct {
	rows contestants
	// wanted is how many of the first rows are to be sorted; the others come after
	// them in any order.
	wanted int
	order  []int32 // by place: the row
	bucket []int32 // by place: among which of its part's splits the row belongs
	// Pairs of places; when they are compared, x is room for where the rows of a
	// part's places come from, and y for those rows.
	x, y   []int32
	starts []int32 // room for where a part's buckets start
}

// part is a run of places: its rows are known to lie between those before and
// those after it, and their own order is not known. At first it has no splits.
type part struct {
	lo, hi int32
	// The first rows are a sample. When it is sorted, splits of it, 2^k - 1 beginning
	// with the sample's row first, tell the other rows apart, and so often have these
	// been bisected.
	sample, first, splits, done int32
}

func (p *part) size() int { return int(p.hi - p.lo) }

// settled reports whether sorting the sample sorts the part.
func (p *part) settled() bool { return p.lo+p.sample == p.hi }

// levels returns how often a part's rows are to be bisected.
func (p *part) levels() int32 { return int32(bits.Len32(uint32(p.splits))) }

// rank returns the rows in their order, the first wanted ones of n. It is a
// samplesort: of each part the first rows, which are a random sample, are compared
// all with all at once, then the others look for their place among them by
// bisection, and what lies between two of them is a part in its turn; all parts do
// so side by side. With about sqrt(b) sampled of b rows a sample costs half a
// comparison a row, and there is neither the depth nor the bad pivots of a
// quicksort. Rows that are compared with each other next move to lie together.
func rank(n, wanted int, rows contestants) []int32 {
	most := max(n, roundWorth) // about as many pairs as there are at once
	r := ranking{
		rows: rows, wanted: wanted, order: unmoved(n), bucket: make([]int32, n),
		x: make([]int32, 0, most), y: make([]int32, 0, most),
	}
	parts := []part{{hi: int32(n)}}
	if n == 1 {
		parts = nil
	}
	for len(parts) > 0 {
		step := r.plan(parts)
		r.x, r.y = r.x[:0], r.y[:0]
		for i := range parts {
			r.ask(&parts[i], step)
		}
		before, ok := rows.below(r.x, r.y)
		if !ok {
			return unmoved(n)
		}
		parts = r.hear(parts, step, before.Words)
	}
	return r.order
}

// rankAtOnce is rank of few rows in one batch: all are compared with each other,
// and none moves.
func rankAtOnce(n int, rows contestants) []int32 {
	r := ranking{rows: rows, order: unmoved(n)}
	all := part{hi: int32(n), sample: int32(n)}
	r.ask(&all, 1)
	before, ok := rows.below(r.x, r.y)
	if !ok {
		return r.order
	}
	r.sortSample(&all, before.Words, 0)
	return r.order
}

// plan chooses the size of samples and returns how many levels of bisection the
// next batch does at once: with (2^step - 1) comparisons a row they are worth no
// more than a round, or there is one.
func (r *ranking) plan(parts []part) (step int32) {
	fresh, searching, all := 0, 0, 0
	for i := range parts {
		if p, b := &parts[i], parts[i].size(); p.splits > 0 {
			searching += b - int(p.sample)
		} else {
			fresh, all = fresh+b, min(all+b*(b-1)/2, roundWorth+1)
		}
	}
	for i := range parts {
		p := &parts[i]
		if p.splits > 0 {
			continue
		}
		p.sample = int32(p.size())
		if all+searching > roundWorth && p.sample > smallPart {
			p.sample = sampleSize(p.size(), fresh+searching)
		}
	}
	return int32(max(1, bits.Len(uint(roundWorth/max(1, searching)+1))-1))
}

// ask adds the pairs that a part wants to have compared.
func (r *ranking) ask(p *part, step int32) {
	if p.splits > 0 {
		r.askSplits(p, step)
		return
	}
	for x := p.lo; x < p.lo+p.sample; x++ {
		for y := p.lo; y < x; y++ {
			r.x, r.y = append(r.x, x), append(r.y, y)
		}
	}
}

// hear takes the answers to what parts asked and returns the parts that are left.
func (r *ranking) hear(parts []part, step int32, before []uint64) []part {
	var left []part
	next := 0
	for _, p := range parts {
		if p.splits == 0 {
			next = r.sortSample(&p, before, next)
			if !p.settled() {
				p.chooseSplits(r.wanted)
				left = append(left, p)
			}
			continue
		}
		next = r.hearSplits(&p, step, before, next)
		if p.done < p.levels() {
			left = append(left, p)
		} else {
			left = r.divide(&p, left)
		}
	}
	return left
}

// sampleSize returns how many of a part's b rows to sample when so many rows are
// to be sorted in all: 2^k - 1, about sqrt(b), or more when the pairs are then
// still not worth more than a round, or all b if they are fewer. In integers: all
// parties must agree.
func sampleSize(b, rows int) int32 {
	k := max(2, bits.Len(uint(b*max(rows, 2*roundWorth)/rows))/2)
	return int32(min(b, 1<<k-1))
}

// sortSample sorts a part's sample by the comparisons of its pairs, which begin at
// bit next, and returns the bit at which the next ones begin.
func (r *ranking) sortSample(p *part, before []uint64, next int) int {
	from, ranks := r.x[:p.sample], r.y[:p.sample]
	clear(ranks)
	for j := range ranks {
		for k := range j {
			if bit(before, next) {
				ranks[k]++
			} else {
				ranks[j]++
			}
			next++
		}
	}
	for j, k := range ranks {
		from[k] = int32(j)
	}
	r.move(p, from)
	return next
}

// move moves the rows of a part's first places.
func (r *ranking) move(p *part, from []int32) {
	rows := r.order[p.lo : int(p.lo)+len(from)]
	moved := r.y[:len(rows)]
	pick(moved, rows, from)
	copy(rows, moved)
	if !p.settled() {
		r.rows.move(int(p.lo), from)
	}
}

// bit returns bit i of packed words.
func bit(words []uint64, i int) bool { return words[i/64]>>(i%64)&1 == 1 }

// chooseSplits chooses the splits: the whole sample, or where only a few of the
// part's rows are wanted one row that most likely has these below it.
func (p *part) chooseSplits(wanted int) {
	p.first, p.splits = 0, p.sample
	if at := pastWanted(wanted-int(p.lo), int(p.sample), p.size()); at < int(p.sample)/2 {
		p.first, p.splits = int32(at), 1
	}
}

// pastWanted returns the place in a sorted sample of b rows of a row that most
// likely has the first wanted ones below it.
func pastWanted(wanted, sample, b int) int {
	share := wanted * (sample + 1) / b
	spread := 1 << ((bits.Len(uint(share)) + 1) / 2) // about the square root
	return share + 2*spread
}
