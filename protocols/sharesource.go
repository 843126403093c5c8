package protocols

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
	"consilium/mpc/ring"
)

// shareSource reads a site's rows in their order, chunk by chunk.
type shareSource struct {
	reader  array.RecordReader
	vectors []job.Vector
	ranges  [][2]int64
	record  arrow.Record // at work; nil when there is none
	at      int          // rows of it that are read
	seen    int          // rows in all
	digests []hash.Hash  // by column: of all rows that were read
}

// plainBlocks are a chunk in the clear: where there is a row, and then each column.
type plainBlocks []*ShareBlock

// newPlainBlocks returns a chunk without rows.
func newPlainBlocks(columns, rows int) plainBlocks {
	var out plainBlocks
	for column := PresentColumn; column < columns; column++ {
		out = append(out, newBlock(column, rows))
	}
	return out
}

// newShareSource begins to read. The caller releases its reader.
func newShareSource(ctx context.Context, data SiteData, d *job.Dataset, columns []ShareColumn) (*shareSource, error) {
	r := new(shareSource)
	for _, c := range columns {
		v := columnVector(c.Name)
		low, high, err := v.Codes(&d.Schema)
		if err != nil {
			return nil, err
		}
		r.vectors, r.ranges, r.digests = append(r.vectors, v), append(r.ranges, [2]int64{low, high}), append(r.digests, sha256.New())
	}
	var err error
	r.reader, err = data.Rows(ctx, nil, r.vectors)
	return r, err
}

// next returns whether there is another row.
func (r *shareSource) next() (bool, error) {
	for r.record == nil || r.at == int(r.record.NumRows()) {
		if !r.reader.Next() {
			return false, r.reader.Err()
		}
		if r.record, r.at = r.reader.Record(), 0; int(r.record.NumCols()) != 2*len(r.vectors)+1 {
			return false, fmt.Errorf("a record has %d fields, want %d", r.record.NumCols(), 2*len(r.vectors)+1)
		}
	}
	return true, nil
}

// fill reads at most n rows into a chunk from its beginning on, and returns how many.
func (r *shareSource) fill(into plainBlocks, n int) (int, error) {
	filled := 0
	for filled < n {
		more, err := r.next()
		if err != nil || !more {
			return filled, err
		}
		rows := min(n-filled, int(r.record.NumRows())-r.at)
		for k := range r.vectors {
			if err := r.column(k, into[k+1], filled, rows); err != nil {
				return filled, fmt.Errorf("%s: %w", r.vectors[k].Name, err)
			}
		}
		present := ring.Planes{N: into[0].Rows, W: 1, Words: into[0].Bits}
		for i := range rows {
			present.SetBit(0, filled+i, true)
		}
		filled, r.at, r.seen = filled+rows, r.at+rows, r.seen+rows
	}
	return filled, nil
}

// column reads rows of column k. What is missing must be zero, and every code in its
// declared range: protocols rely on both.
func (r *shareSource) column(k int, into *ShareBlock, from, rows int) error {
	codes, err := codeField(r.record, 2*k, r.vectors[k].Name)
	if err != nil {
		return err
	}
	valid, err := boolField(r.record, 2*k+1, r.vectors[k].Name+".valid")
	if err != nil {
		return err
	}
	values, low, high := codes.Int64Values()[r.at:r.at+rows], r.ranges[k][0], r.ranges[k][1]
	for i, code := range values {
		there := valid.Value(r.at + i)
		switch {
		case !there && code != 0:
			return fmt.Errorf("record row %d is left out but not zeroed", r.seen+i+1)
		case there && (code < low || code > high):
			return fmt.Errorf("record row %d is outside the declared range", r.seen+i+1)
		case there:
			into.Bits[(from+i)/64] |= 1 << ((from + i) % 64)
		}
		into.Codes[from+i] = uint64(code)
	}
	hashRows(r.digests[k], into, from, rows)
	return nil
}

// hashRows adds codes to a digest, with a number that is none where one is missing.
func hashRows(h hash.Hash, b *ShareBlock, from, rows int) {
	var codes [partBytes / ring.Size64]uint64
	var text [partBytes]byte
	for lo := from; lo < from+rows; lo += len(codes) {
		part := ring.Vec64(codes[:copy(codes[:], b.Codes[lo:from+rows])])
		for i, x := range part {
			if at := lo + i; x == 0 && b.Bits[at/64]>>(at%64)&1 == 0 {
				part[i] = 1 << (wordSize - 1)
			}
		}
		h.Write(part.Append(text[:0]))
	}
}

// wordSize is the number of bits of a code.
const wordSize = 64

// source is how far the rows have been read.
func (r *shareSource) source() *ShareSource {
	h := sha256.New()
	for _, digest := range r.digests {
		h.Write(digest.Sum(nil))
	}
	return &ShareSource{Rows: r.seen, Digest: word(h.Sum(nil))}
}

// skip reads the rows that are deposited already, and sees that they are the same.
func (r *shareSource) skip(before *ShareSource, blocks plainBlocks) error {
	for r.seen < before.Rows {
		for _, b := range blocks {
			clear(b.Bits)
		}
		n, err := r.fill(blocks, min(before.Rows-r.seen, blocks[0].Rows))
		if err != nil {
			return err
		}
		if n == 0 {
			return errRowsChanged
		}
	}
	if *r.source() != *before {
		return errRowsChanged
	}
	return nil
}

var errRowsChanged = errors.New("its rows are added to at their end, and those that are deposited have changed, moved or gone: deposit the dataset anew")

// batch is what one site adds: chunks of a public number of rows, from a place in the
// snapshot on.
type batch struct {
	node  int // the site's place in the dataset
	name  string
	first int
	rows  []int // of each chunk
}

// batches are what the sites of those names add to what is there.
func (d *sharePlan) batches(set *job.Dataset, base *ShareSnapshot, sites []string) ([]batch, error) {
	at, have := 0, map[string]int{}
	if base != nil {
		at = len(base.Chunks)
		for _, c := range base.Chunks {
			have[c.Site] += c.Rows
		}
	}
	var out []batch
	for i, site := range set.Sites {
		n := site.Rows - have[site.Node]
		if d.rows > 0 {
			n = min(n, d.rows)
		}
		if n <= 0 || !slices.Contains(sites, site.Node) {
			continue
		}
		b := batch{node: i, name: site.Node, first: at}
		for ; n > 0; n -= d.chunkRows {
			b.rows = append(b.rows, min(n, d.chunkRows))
		}
		at += len(b.rows)
		out = append(out, b)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("all rows that the roster declares are deposited already: agree on a roster that declares more")
	}
	if at > math.MaxInt32 {
		return nil, errors.New("too many chunks")
	}
	return out, nil
}
