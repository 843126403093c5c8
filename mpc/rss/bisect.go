package rss

import "math/bits"

// bisect finds for each row that is not in its part's sample how many of the
// splits are below it.
func (r *ranking) bisect(parts []part) bool {
	for done := 0; ; {
		rows := 0
		for i := range parts {
			if p := &parts[i]; p.levels() > done {
				rows += p.size() - int(p.sample)
			}
		}
		if rows == 0 {
			return true
		}
		step := max(1, bits.Len(uint(roundWorth/rows+1))-1) // (2^step - 1) * rows are worth a round
		r.x, r.y = r.x[:0], r.y[:0]
		for i := range parts {
			r.ask(&parts[i], done, step)
		}
		before, ok := r.rows.below(r.x, r.y)
		if !ok {
			return false
		}
		next := 0
		for i := range parts {
			next = r.hear(&parts[i], done, step, before.Words, next)
		}
		done += step
	}
}

// levels returns how often a part's rows are to be bisected.
func (p *part) levels() int {
	if p.settled() {
		return 0
	}
	return bits.Len32(uint32(p.splits))
}

// ask pairs each row of a part with the splits that divide those among which the
// row is known to belong, after done levels, into 2^step (or fewer) runs.
func (r *ranking) ask(p *part, done, step int) {
	levels := p.levels()
	if levels <= done {
		return
	}
	width := int32(1) << (levels - done)
	stride := max(1, width>>step)
	first := p.lo + p.first - 1
	if done == 0 {
		clear(r.bucket[p.lo:p.hi])
	}
	for at := p.lo + p.sample; at < p.hi; at++ {
		lo := first + r.bucket[at]*width
		for split := lo + stride; split < lo+width; split += stride {
			r.x, r.y = append(r.x, at), append(r.y, split)
		}
	}
}

// hear notes what ask asked for, from bit next on, and returns the bit at which
// the next part's answers begin.
func (r *ranking) hear(p *part, done, step int, before []uint64, next int) int {
	levels := p.levels()
	if levels <= done {
		return next
	}
	step = min(step, levels-done)
	splits := 1<<step - 1
	for at := p.lo + p.sample; at < p.hi; at++ {
		bucket := r.bucket[at] << step
		for range splits {
			bucket += int32(^before[next/64]>>(next%64)) & 1
			next++
		}
		r.bucket[at] = bucket
	}
	return next
}

// distribute moves the rows to their buckets, the splits between them, and
// returns the buckets that are parts to be sorted further.
func (r *ranking) distribute(parts []part) []part {
	var next []part
	for i := range parts {
		p := &parts[i]
		if p.settled() {
			continue
		}
		lo := p.lo
		for slot, end := range r.rearrange(p) {
			// Even slots are buckets, odd ones hold a split each.
			hi := p.lo + end
			if slot%2 == 0 && hi-lo > 1 && int(lo) < r.wanted {
				next = append(next, part{lo: lo, hi: hi})
			}
			lo = hi
		}
	}
	return next
}

// rearrange sorts a part's rows by slot, bucket 0, split 0, bucket 1, …, and
// returns the places at which the slots end.
func (r *ranking) rearrange(p *part) []int32 {
	slots := 2*int(p.splits) + 1
	ends := append(r.starts[:0], make([]int32, slots)...)
	r.starts = ends
	for at := p.lo; at < p.hi; at++ {
		ends[p.slot(r.bucket, at)]++
	}
	sum := int32(0)
	for i, n := range ends {
		ends[i], sum = sum, sum+n // where slot i starts
	}
	from := r.x[:p.size()]
	// The sample comes last: it is in order, and what begins a part should not be.
	for i := range from {
		at := p.lo + int32((int(p.sample)+i)%len(from))
		slot := p.slot(r.bucket, at)
		from[ends[slot]] = at - p.lo
		ends[slot]++
	}
	r.move(p, from)
	return ends
}

// slot returns the slot of the row at a place.
func (p *part) slot(bucket []int32, at int32) int32 {
	switch i := at - p.lo; {
	case i >= p.sample:
		return 2 * bucket[at]
	case i < p.first:
		return 0
	case i >= p.first+p.splits:
		return 2 * p.splits
	default:
		return 2*(i-p.first) + 1
	}
}
