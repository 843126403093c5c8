package rss

import (
	"encoding/binary"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/spool"
)

// bins are rows at one party, plain words, that lie in bins on its disk: each row is
// added to one of the bins, and a bin is taken as a whole, its rows in the order in which
// they came. In memory is of each bin what does not fill a record yet.
//
// How many rows a bin has may be what others must not know: nothing that is sent may
// follow it then.
type bins struct {
	file    *spool.File
	width   int // words of a row
	record  int // bytes of a record: the number of the bin's record before it, from 1, and rows
	records int // that are written
	pending [][]byte
	counts  []int // rows
	spare   []byte
}

const (
	// binLink is how many bytes a record has before its rows.
	binLink = 8
	// leastBinRows is how many rows a record has at least.
	leastBinRows = 16
)

// newBins makes n bins for rows of so many words, which hold as many rows as a chunk in
// memory. Its owner closes it.
func newBins(s *mpc.Session, sp *Spill, n, width int) *bins {
	b := &bins{
		width: width, record: binLink + ring.Size64*width*max(leastBinRows, sp.chunk/n),
		pending: make([][]byte, n), counts: make([]int, n),
	}
	file, err := sp.dir.Create(b.record)
	if err != nil {
		s.Fail(err)
		return b
	}
	b.file = file
	return b
}

// close takes the bins away. It may be called more than once.
func (b *bins) close() {
	if b.file != nil {
		_ = b.file.Close() // nothing of it is wanted any more
	}
	b.file, b.pending = nil, nil
}

// add adds row i of the columns to bin to[i], for all i.
func (b *bins) add(s *mpc.Session, to []int32, columns []ring.Vec64) {
	if s.Err() != nil || b.file == nil {
		return
	}
	for i, bin := range to {
		rows := b.pending[bin]
		if len(rows) == 0 || len(rows) == b.record {
			rows = b.flush(s, rows)
		}
		for _, x := range columns {
			rows = binary.LittleEndian.AppendUint64(rows, x[i])
		}
		b.pending[bin] = rows
		b.counts[bin]++
	}
}

// flush writes a full record, if there is one, and begins the next one of its bin.
func (b *bins) flush(s *mpc.Session, rows []byte) []byte {
	if len(rows) == 0 {
		return make([]byte, binLink, b.record)
	}
	if err := b.file.Write(b.records, rows); err != nil {
		s.Fail(err)
	}
	b.records++
	return binary.LittleEndian.AppendUint64(rows[:0], uint64(b.records))
}

// take returns the columns of a bin, in columns of spare's memory where these are long
// enough, and frees what it took in memory.
func (b *bins) take(s *mpc.Session, bin int, spare []ring.Vec64) []ring.Vec64 {
	left := b.counts[bin]
	columns := make([]ring.Vec64, b.width)
	for j := range columns {
		if j < len(spare) && cap(spare[j]) >= left {
			columns[j] = spare[j][:left]
		} else {
			columns[j] = make(ring.Vec64, left, left+left/8)
		}
	}
	if s.Err() != nil || b.file == nil || left == 0 {
		return columns
	}
	// From the last record, which is in memory, to the first.
	rows := b.pending[bin]
	b.pending[bin] = nil
	for {
		left -= b.copyRows(columns, rows[binLink:], left)
		before := binary.LittleEndian.Uint64(rows)
		if before == 0 {
			return columns
		}
		var err error
		if rows, err = b.file.Read(int(before-1), b.record, b.spare); err != nil {
			s.Fail(err)
			return columns
		}
		b.spare = rows
	}
}

// copyRows copies rows to the columns, where they end before row end, and returns how
// many they are.
func (b *bins) copyRows(columns []ring.Vec64, rows []byte, end int) int {
	size := ring.Size64 * b.width
	n := len(rows) / size
	for j, x := range columns {
		x, at := x[end-n:end], ring.Size64*j
		for i := range x {
			x[i] = binary.LittleEndian.Uint64(rows[at:])
			at += size
		}
	}
	return n
}
