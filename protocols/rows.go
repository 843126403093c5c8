package protocols

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// A site's rows travel as one vector of n (2 c + 1) elements for n declared rows
// and c columns: each column's n codes and n validity bits, in the plan's
// order, and at the end n selection bits.

// rowsLength returns that vector's length for a site; 0 when no columns go row
// by row.
func (w *work) rowsLength(site int) int {
	if len(w.plan.Columns) == 0 {
		return 0
	}
	return w.plan.Dataset.Sites[site].Rows * (2*len(w.plan.Columns) + 1)
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
// n declared is padded with zeros: rows that are not selected.
func (w *work) packRows(ctx context.Context, n int) (ring.Vec64, error) {
	names := w.plan.Columns
	reader, err := w.Data.Rows(ctx, w.plan.Where, names)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	packed := packer{n: n, names: names, out: make(ring.Vec64, n*(2*len(names)+1))}
	for _, name := range names {
		c, ok := w.plan.Dataset.Schema.Column(name)
		if !ok {
			return nil, unknownColumn(w.plan.Dataset, name)
		}
		low, high := c.Codes()
		packed.ranges = append(packed.ranges, [2]int64{low, high})
	}
	for reader.Next() {
		if err := packed.add(reader.Record()); err != nil {
			return nil, err
		}
	}
	if err := reader.Err(); err != nil {
		return nil, err
	}
	return packed.out, nil
}

// packer lays record after record into the vector.
type packer struct {
	n, at  int // declared rows, rows so far
	names  []string
	ranges [][2]int64 // of each column's codes, inclusive
	out    ring.Vec64
}

// selectedField is the name of the field of selection bits.
const selectedField = ".selected"

func (p *packer) add(record arrow.Record) error {
	rows := int(record.NumRows())
	if rows > p.n-p.at {
		return errors.New("the file has more rows than the roster declares; agree on a roster with the new number")
	}
	if int(record.NumCols()) != 2*len(p.names)+1 {
		return fmt.Errorf("a record has %d fields, want %d", record.NumCols(), 2*len(p.names)+1)
	}
	selected, err := boolField(record, 2*len(p.names), selectedField)
	if err != nil {
		return err
	}
	for c, name := range p.names {
		codes, err := codeField(record, 2*c, name)
		if err != nil {
			return err
		}
		valid, err := boolField(record, 2*c+1, name+".valid")
		if err != nil {
			return err
		}
		if err := p.column(c, codes, valid, selected); err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	for i := range rows {
		p.out[2*len(p.names)*p.n+p.at+i] = bit(selected.Value(i))
	}
	p.at += rows
	return nil
}

// column packs one column of one record. What the filter or a missing value
// leaves out must be zero, and every code in its declared range: protocols
// rely on both.
func (p *packer) column(c int, codes *array.Int64, valid, selected *array.Boolean) error {
	value := p.out[2*c*p.n+p.at:]
	validity := p.out[(2*c+1)*p.n+p.at:]
	for i := range codes.Len() {
		code, ok := codes.Value(i), valid.Value(i)
		if ok && !selected.Value(i) || !ok && code != 0 {
			return fmt.Errorf("record row %d is left out but not zeroed", p.at+i+1)
		}
		if ok && (code < p.ranges[c][0] || code > p.ranges[c][1]) {
			return fmt.Errorf("record row %d is outside the declared range", p.at+i+1)
		}
		value[i], validity[i] = uint64(code), bit(ok)
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

// joinRows puts the sites' rows one after the other; nil when the plan names no
// columns.
func (w *work) joinRows(s *mpc.Session, bySite []sealed) *Rows {
	if len(w.plan.Columns) == 0 {
		return nil
	}
	// block k of a site's vector: its n elements from k n on
	block := func(k int) rss.Vec {
		var parts []rss.Vec
		for i, site := range bySite {
			n := w.plan.Dataset.Sites[i].Rows
			parts = append(parts, rss.Slice(s, site.rows, k*n, (k+1)*n))
		}
		return rss.Concat(s, parts...)
	}
	rows := &Rows{N: w.plan.Dataset.Rows(), Value: map[string]rss.Vec{}, Valid: map[string]rss.Vec{}}
	for c, name := range w.plan.Columns {
		rows.Value[name], rows.Valid[name] = block(2*c), block(2*c+1)
	}
	rows.Selected = block(2 * len(w.plan.Columns))
	return rows
}
