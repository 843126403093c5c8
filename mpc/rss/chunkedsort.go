package rss

import (
	"fmt"
	"math/bits"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// ChunkedKey is a narrow column by which Chunked rows are ordered: a Key but for where
// its values are.
type ChunkedKey struct {
	Column     int
	Bits       int // 1 to 64
	Signed     bool
	Descending bool
}

// on returns the key on the columns of some rows.
func (k ChunkedKey) on(columns []Vec) Key {
	return Key{columns[k.Column], k.Bits, k.Signed, k.Descending}
}

// SortChunked is Sort for rows that memory does not hold: all narrow columns in the order
// of the keys, the first of which decides first. Rows have no wide columns. Leaks nothing.
//
// Rows of up to four chunks are sorted in memory. More are shuffled as a whole, by way of
// the parties' disks (see shuffleRows), and then sorted by comparisons that are opened, as
// SortPermutation does it: the first rows are a random sample, some of which split all
// rows into buckets that fit memory; each row's bucket is found by bisection; each bucket
// is ranked. What is opened follows from the ranks of shuffled rows alone, which are a
// uniformly random order, and so are the buckets' sizes.
//
// In memory are about three times what four chunks hold, or one where rows are long, and
// a byte a row or less that sessions keep of the names of steps. On a party's disk are at
// most, beside the rows and the result, 16 bytes a row for each column and for each 64
// bits of keys and row number.
//
// Bytes sent: those of SortPermutation but for its shuffle, those of shuffleRows, and 3
// bits for each of a row's number. Batches of comparisons: about 25 for each bucket, and
// for each load of rows one for each bit of a bucket's number. Three columns with a key of
// 32 bits: 1,400 rounds for 1,000,000 rows, 245 bytes a row or less.
func SortChunked(s *mpc.Session, rows *Chunked, keys ...ChunkedKey) *Chunked {
	out := rows.Like(s, rows.narrow, 0)
	if !rows.keyed(s, keys) {
		return out
	}
	x := newSampleSort(s, rows, keys)
	if rows.rows <= x.load {
		sortLoaded(s, rows, keys, out.Fill())
		return out
	}
	if !x.begin() {
		return out
	}
	defer x.buckets.close()
	shuffleRows(s.Step("shuffle"), rows, x.load, x.take)
	x.give(out.Fill())
	return out
}

// keyed checks that rows can be sorted by keys.
func (t *Chunked) keyed(s *mpc.Session, keys []ChunkedKey) bool {
	if len(keys) == 0 {
		s.Fail(fmt.Errorf("no key to order by"))
		return false
	}
	for _, k := range keys {
		if k.Column < 0 || k.Column >= t.narrow {
			s.Fail(fmt.Errorf("key column %d of %d", k.Column, t.narrow))
			return false
		}
		if !width(s, k.Bits, 64) {
			return false
		}
	}
	if t.wide > 0 {
		s.Fail(fmt.Errorf("rows with wide columns cannot be sorted"))
	}
	return s.Err() == nil && countable(s, t.rows)
}

// sortLoaded sorts rows that fit memory.
func sortLoaded(s *mpc.Session, rows *Chunked, keys []ChunkedKey, fill *Filler) {
	columns := rows.loaded(s)
	var by []Key
	for _, k := range keys {
		by = append(by, k.on(columns))
	}
	p := SortPermutation(s.Step("order"), by...)
	fill.Append(s, Permute(s.Step("move"), p, columns...)...)
}

// loaded returns the narrow columns of all rows.
func (t *Chunked) loaded(s *mpc.Session) []Vec {
	columns := make([]Vec, t.narrow)
	for j := range columns {
		parts := make([]Vec, t.Chunks())
		for i := range parts {
			parts[i] = t.column(s, i, j)
		}
		if columns[j] = parts[0]; len(parts) > 1 {
			columns[j] = Concat(s, parts...)
		}
	}
	return columns
}

const (
	// loadChunks is how many chunks of rows are in memory at a time, at most, so that
	// a round serves many rows, and loadBytes about what they and what they are compared
	// by may take.
	loadChunks = 4
	loadBytes  = 64 << 20
	// samplesPerBucket is how many rows of the sample are wanted for each bucket, so
	// that no bucket is much larger than others, and leastPerBucket how many must be.
	samplesPerBucket = 64
	leastPerBucket   = 8
)

// sampleSort sorts shuffled rows that come load by load.
type sampleSort struct {
	s     *mpc.Session
	rows  *Chunked
	keys  []ChunkedKey // the row's number is the last
	width int          // bits of all keys
	load  int
	loads int // that have come
	count int // buckets, a power of two
	// splits are the keys' bits, as words, of the rows that begin all buckets but the
	// first, in their order.
	splits  []column[ring.Words]
	buckets *bins // of the columns' components and the words'
}

func newSampleSort(s *mpc.Session, rows *Chunked, keys []ChunkedKey) *sampleSort {
	number := ChunkedKey{Column: rows.narrow, Bits: bits.Len(uint(rows.rows - 1))}
	x := &sampleSort{s: s, rows: rows, keys: append(slices.Clone(keys), number)}
	for _, k := range x.keys {
		x.width += k.Bits
	}
	perRow := 2 * ring.Size64 * (rows.narrow + 1 + ceil(x.width, wordBits) + ceil(x.width, digitBits*digitsPerWord))
	chunks := loadBytes / (perRow * rows.spill.chunk)
	x.load = rows.spill.chunk * min(max(chunks, 1), loadChunks)
	// Three quarters of a load on average, and less.
	x.count = 1 << bits.Len(uint(ceil(4*rows.rows, 3*x.load)-1))
	return x
}

// begin makes the buckets, unless there are too many rows.
func (x *sampleSort) begin() bool {
	if x.count*leastPerBucket > x.load {
		x.s.Fail(fmt.Errorf("%d rows are too many to be sorted %d at a time: at most %d",
			x.rows.rows, x.load, x.load/leastPerBucket*x.load*3/4))
		return false
	}
	x.buckets = newBins(x.s, x.rows.spill, x.count, 2*(x.rows.narrow+ceil(x.width, wordBits)))
	return true
}

// take moves a load of rows to their buckets. The first load begins with the sample.
func (x *sampleSort) take(columns []Vec) {
	s := x.s.Step("load", x.loads)
	x.loads++
	var all []Bits
	for i, k := range slices.Backward(x.keys) {
		all = append(all, k.on(columns).planes(s.Step("key", i)))
	}
	numbers := rowWords(ConcatPlanes(all...))
	if x.splits == nil {
		x.splits = x.sample(s.Step("sample"), numbers)
	}
	to := x.find(s.Step("buckets"), numbers)
	var flat []ring.Vec64
	for _, c := range columns[:x.rows.narrow] {
		flat = append(flat, c.A, c.B)
	}
	for _, w := range numbers {
		flat = append(flat, ring.Vec64(w.a), ring.Vec64(w.b))
	}
	x.buckets.add(s, to, flat)
}

// sample ranks the first of some shuffled rows and returns those that split all rows.
func (x *sampleSort) sample(s *mpc.Session, numbers []column[ring.Words]) []column[ring.Words] {
	n := min(x.count*samplesPerBucket, numbers[0].a.Len())
	order := rank(n, n, newContest(s, cutColumns(numbers, 0, n), x.width))
	var splits []int32
	for i := 1; i < x.count; i++ {
		splits = append(splits, order[i*n/x.count])
	}
	return pickColumns(numbers, splits)
}

// find returns the buckets of rows: how many of the splits do not come after them.
func (x *sampleSort) find(s *mpc.Session, numbers []column[ring.Words]) []int32 {
	joined := make([]column[ring.Words], len(numbers))
	for i, w := range numbers {
		joined[i] = column[ring.Words]{slices.Concat(x.splits[i].a, w.a), slices.Concat(x.splits[i].b, w.b)}
	}
	return bisect(x.count-1, joined[0].a.Len(), newContest(s, joined, x.width))
}

// give ranks the buckets and appends their rows in order.
func (x *sampleSort) give(fill *Filler) {
	for i, n := range x.buckets.counts {
		if n == 0 || x.s.Err() != nil {
			continue
		}
		s := x.s.Step("bucket", i)
		flat := x.buckets.take(s, i, nil)
		words := flat[2*x.rows.narrow:]
		var numbers []column[ring.Words]
		for j := 0; j < len(words); j += 2 {
			numbers = append(numbers, column[ring.Words]{ring.Words(words[j]), ring.Words(words[j+1])})
		}
		order := rank(n, n, newContest(s, numbers, x.width))
		columns := make([]Vec, x.rows.narrow)
		for lo := 0; lo < n; lo += x.rows.spill.chunk {
			part := order[lo:min(lo+x.rows.spill.chunk, n)]
			for j := range columns {
				columns[j] = zero[ring.Vec64](len(part))
				pick(columns[j].A, flat[2*j], part)
				pick(columns[j].B, flat[2*j+1], part)
			}
			fill.Append(s, columns...)
		}
	}
}
