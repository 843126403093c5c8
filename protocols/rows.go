package protocols

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
	"consilium/mpc/ring"
)

// A site's rows travel piece by piece, each of them one vector: for each sample of the
// plan, in its order, the n codes of each of its vectors and then n membership bits, n
// being the public number of the piece's rows.

// blocks returns how many times n elements such a vector has.
func (p *Plan) blocks() int {
	total := 0
	for _, sample := range p.Samples {
		total += len(sample.Vectors) + 1
	}
	return total
}

// packer lays the rows of records into vectors.
type packer struct {
	samples []Sample
	vectors []job.Vector // those of all samples, under names of their own
	ranges  [][2]int64   // of each vector's codes, inclusive

	reader array.RecordReader
	record arrow.Record // at work; nil when there is none
	used   int          // rows of it that are packed
	before int          // rows in vectors that are done

	n, at int // rows of the vector at work, and how many have come
	out   ring.Vec64
}

// newPacker begins to read the vectors of all samples at once. Samples may call different
// things by one name, so each vector travels under its number. The caller releases its
// reader.
func newPacker(ctx context.Context, p *Plan, data SiteData, where job.Predicate) (*packer, error) {
	packed := &packer{samples: p.Samples}
	for _, sample := range p.Samples {
		for _, v := range sample.Vectors {
			low, high, err := v.Codes(&p.Dataset.Schema)
			if err != nil {
				return nil, err
			}
			v.Name = fmt.Sprintf("%d.%s", len(packed.vectors), v.Name)
			packed.vectors = append(packed.vectors, v)
			packed.ranges = append(packed.ranges, [2]int64{low, high})
		}
	}
	var err error
	packed.reader, err = data.Rows(ctx, where, packed.vectors)
	return packed, err
}

// next packs the next n rows. Where a file has fewer they are padded with zeros: rows of
// no sample.
func (p *packer) next(n int) (ring.Vec64, error) {
	blocks := len(p.vectors) + len(p.samples)
	p.before, p.n, p.at, p.out = p.before+p.at, n, 0, make(ring.Vec64, n*blocks)
	for p.at < n {
		more, err := p.more()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		rows := min(n-p.at, int(p.record.NumRows())-p.used)
		part := p.record.NewSlice(int64(p.used), int64(p.used+rows))
		err = p.add(part)
		part.Release()
		if err != nil {
			return nil, err
		}
		p.used += rows
	}
	return p.out, nil
}

// more tells whether there is another row.
func (p *packer) more() (bool, error) {
	for p.record == nil || p.used == int(p.record.NumRows()) {
		if p.record = nil; !p.reader.Next() {
			return false, p.reader.Err()
		}
		p.record, p.used = p.reader.Record(), 0
	}
	return true, nil
}

// end refuses rows after those that are packed.
func (p *packer) end() error {
	more, err := p.more()
	if more {
		return errors.New("the file has more rows than the roster declares; agree on a roster with the new number")
	}
	return err
}

// selectedField is the name of the field of selection bits.
const selectedField = ".selected"

// add packs the rows of a record, for which there is room.
func (p *packer) add(record arrow.Record) error {
	rows := int(record.NumRows())
	if int(record.NumCols()) != 2*len(p.vectors)+1 {
		return fmt.Errorf("a record has %d fields, want %d", record.NumCols(), 2*len(p.vectors)+1)
	}
	selected, err := boolField(record, 2*len(p.vectors), selectedField)
	if err != nil {
		return err
	}
	block, k := 0, 0
	for _, sample := range p.samples {
		member := p.member(block + len(sample.Vectors))
		for i := range rows {
			member[i] = bit(selected.Value(i))
		}
		for range sample.Vectors {
			if err := p.vector(record, k, selected, p.member(block), member); err != nil {
				return fmt.Errorf("%s: %w", p.vectors[k].Name, err)
			}
			block, k = block+1, k+1
		}
		p.clear(block-len(sample.Vectors), block, rows)
		block++
	}
	p.at += rows
	return nil
}

// member returns the elements of a block from the next record on.
func (p *packer) member(block int) ring.Vec64 { return p.out[block*p.n+p.at : (block+1)*p.n] }

// clear zeroes, in the blocks of a sample before that of its membership bits, the
// rows of a record that are not in it.
func (p *packer) clear(first, last, rows int) {
	member := p.member(last)
	for block := first; block < last; block++ {
		value := p.member(block)
		for i := range rows {
			value[i] *= member[i]
		}
	}
}

// vector packs vector k of one record, and takes rows in which it is missing out
// of the sample. What the filter or a missing value leaves out must be zero, and
// every code in its declared range: protocols rely on both.
func (p *packer) vector(record arrow.Record, k int, selected *array.Boolean, value, member ring.Vec64) error {
	codes, err := codeField(record, 2*k, p.vectors[k].Name)
	if err != nil {
		return err
	}
	valid, err := boolField(record, 2*k+1, p.vectors[k].Name+".valid")
	if err != nil {
		return err
	}
	for i := range codes.Len() {
		code, ok := codes.Value(i), valid.Value(i)
		if ok && !selected.Value(i) || !ok && code != 0 {
			return fmt.Errorf("record row %d is left out but not zeroed", p.before+p.at+i+1)
		}
		if ok && (code < p.ranges[k][0] || code > p.ranges[k][1]) {
			return fmt.Errorf("record row %d is outside the declared range", p.before+p.at+i+1)
		}
		value[i] = uint64(code)
		member[i] *= bit(ok)
	}
	return nil
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func codeField(record arrow.Record, i int, name string) (*array.Int64, error) {
	column, ok := record.Column(i).(*array.Int64)
	if !ok || record.ColumnName(i) != name || column.NullN() != 0 {
		return nil, fmt.Errorf("field %d of a record is not the non-null int64 column %s", i+1, name)
	}
	return column, nil
}

func boolField(record arrow.Record, i int, name string) (*array.Boolean, error) {
	column, ok := record.Column(i).(*array.Boolean)
	if !ok || record.ColumnName(i) != name || column.NullN() != 0 {
		return nil, fmt.Errorf("field %d of a record is not the non-null boolean column %s", i+1, name)
	}
	return column, nil
}
