package protocols

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// A site's rows travel as one vector: for each sample of the plan, in its order,
// the n codes of each of its vectors and then n membership bits, n being the
// declared number of rows.

// blocks returns how many times n elements a site's vector has.
func (p *Plan) blocks() int {
	total := 0
	for _, sample := range p.Samples {
		total += len(sample.Vectors) + 1
	}
	return total
}

// rowsLength returns that vector's length for a site; 0 when nothing goes row by
// row.
func (w *work) rowsLength(site int) int {
	return w.plan.Dataset.Sites[site].Rows * w.plan.blocks()
}

// readRows reads this site's rows. After a failure, which ends the session, it
// returns zeros.
func (w *work) readRows(s *mpc.Session, site int) ring.Vec64 {
	out, err := w.packRows(s.Context(), w.plan.Dataset.Sites[site].Rows)
	if err != nil {
		s.Fail(fmt.Errorf("read its rows of dataset %s: %w", w.plan.Dataset.Name, err))
		return ring.Vec64{}.Make(w.rowsLength(site))
	}
	return out
}

// packRows fills the vector from Arrow records. A file with fewer rows than the
// n declared is padded with zeros: rows of no sample.
func (w *work) packRows(ctx context.Context, n int) (ring.Vec64, error) {
	packed, err := newPacker(w.plan, n)
	if err != nil {
		return nil, err
	}
	return packed.out, packed.fill(ctx, w.Data, w.plan.Where)
}

// fill lays all rows of a file into the vector.
func (p *packer) fill(ctx context.Context, data SiteData, where job.Predicate) error {
	reader, err := data.Rows(ctx, where, p.vectors)
	if err != nil {
		return err
	}
	defer reader.Release()
	for reader.Next() {
		if err := p.add(reader.Record()); err != nil {
			return err
		}
	}
	return reader.Err()
}

// packer lays record after record into the vector.
type packer struct {
	n, at   int // declared rows, rows so far
	samples []Sample
	vectors []job.Vector // those of all samples, under names of their own
	ranges  [][2]int64   // of each vector's codes, inclusive
	out     ring.Vec64
}

// newPacker asks for the vectors of all samples at once. Samples may call
// different things by one name, so each vector travels under its number.
func newPacker(p *Plan, n int) (*packer, error) {
	packed := &packer{n: n, samples: p.Samples, out: make(ring.Vec64, n*p.blocks())}
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
	return packed, nil
}

// selectedField is the name of the field of selection bits.
const selectedField = ".selected"

func (p *packer) add(record arrow.Record) error {
	rows := int(record.NumRows())
	if rows > p.n-p.at {
		return errors.New("the file has more rows than the roster declares; agree on a roster with the new number")
	}
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
			return fmt.Errorf("record row %d is left out but not zeroed", p.at+i+1)
		}
		if ok && (code < p.ranges[k][0] || code > p.ranges[k][1]) {
			return fmt.Errorf("record row %d is outside the declared range", p.at+i+1)
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

// joinRows puts the sites' rows one after the other.
func (w *work) joinRows(s *mpc.Session, bySite []sealed) map[string]*Sampled {
	out := map[string]*Sampled{}
	at := 0
	for _, sample := range w.plan.Samples {
		rows := NewSampled(s, w.Spill, w.plan.Dataset.Rows(), sample)
		fill, blocks := rows.Fill(), len(sample.Vectors)+1
		for i, site := range bySite {
			n := w.plan.Dataset.Sites[i].Rows
			columns := make([]rss.Vec, blocks)
			for j := range columns {
				columns[j] = rss.Slice(s, site.rows, (at+j)*n, (at+j+1)*n)
			}
			fill.Append(s, columns...)
		}
		at += blocks
		out[sample.Name] = rows
	}
	return out
}
