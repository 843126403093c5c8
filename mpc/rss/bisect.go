package rss

// askSplits pairs each row of a part with the splits that divide those among which
// the row is known to belong into 2^step (or fewer) runs.
func (r *ranking) askSplits(p *part, step int32) {
	width := int32(1) << (p.levels() - p.done)
	stride := max(1, width>>step)
	first := p.lo + p.first - 1
	if p.done == 0 {
		clear(r.bucket[p.lo:p.hi])
	}
	for at := p.lo + p.sample; at < p.hi; at++ {
		lo := first + r.bucket[at]*width
		for split := lo + stride; split < lo+width; split += stride {
			r.x, r.y = append(r.x, at), append(r.y, split)
		}
	}
}

// hearSplits notes what askSplits asked for, from bit next on, and returns the bit
// at which the next part's answers begin.
func (r *ranking) hearSplits(p *part, step int32, before []uint64, next int) int {
	step = min(step, p.levels()-p.done)
	splits := 1<<step - 1
	for at := p.lo + p.sample; at < p.hi; at++ {
		bucket := r.bucket[at] << step
		for range splits {
			bucket += int32(^before[next/64]>>(next%64)) & 1
			next++
		}
		r.bucket[at] = bucket
	}
	p.done += step
	return next
}

// divide moves a part's rows to their buckets, the splits between them, and
// appends the buckets that are to be sorted further.
func (r *ranking) divide(p *part, parts []part) []part {
	lo := p.lo
	for slot, end := range r.rearrange(p) {
		// Even slots are buckets, odd ones hold a split each.
		hi := p.lo + end
		if slot%2 == 0 && hi-lo > 1 && int(lo) < r.wanted {
			parts = append(parts, part{lo: lo, hi: hi})
		}
		lo = hi
	}
	return parts
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

// bisect returns for each row in a place from the splits on, which are 2^k - 1 rows in
// order, how many of the splits do not come after it.
func bisect(splits, n int, rows contestants) []int32 {
	r := ranking{rows: rows, bucket: make([]int32, n), x: make([]int32, 0, n), y: make([]int32, 0, n)}
	p := part{hi: int32(n), sample: int32(splits), splits: int32(splits)}
	for p.done < p.levels() {
		step := r.plan([]part{p})
		r.x, r.y = r.x[:0], r.y[:0]
		r.askSplits(&p, step)
		before, ok := rows.below(r.x, r.y)
		if !ok {
			break
		}
		r.hearSplits(&p, step, before.Words, 0)
	}
	return r.bucket[splits:]
}
