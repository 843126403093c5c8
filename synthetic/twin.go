package synthetic

import (
	"fmt"
	"math"

	"consilium/job"
)

// Twin is a dataset that fits a schema and says nothing beside it: every cell is
// drawn evenly, and apart from all others, from the declared range or list. No data
// are read for it.
type Twin struct {
	schema  *job.Schema
	noise   noise
	missing float64
	columns []twinColumn
}

type twinColumn struct {
	lowest int64
	count  uint64  // of codes
	levels []int64 // in place of a range
}

// NewTwin makes the twin of a schema and a seed, in which a part of the cells of
// every column is missing, 0 to 1.
func NewTwin(schema *job.Schema, seed uint64, missing float64) (*Twin, error) {
	if err := schema.Check(); err != nil {
		return nil, err
	}
	if !(missing >= 0 && missing <= 1) {
		return nil, fmt.Errorf("a part of %v of the cells cannot be missing: use 0 to 1", missing)
	}
	t := &Twin{schema: schema, noise: newNoise(seed), missing: missing}
	for i := range schema.Columns {
		c := &schema.Columns[i]
		column := twinColumn{count: 1}
		if len(c.Categories) > 0 {
			var err error
			if column.levels, err = c.Levels(); err != nil {
				return nil, err
			}
			column.count = uint64(len(column.levels))
		} else if c.Type != job.Text {
			lowest, highest := c.Codes()
			column.lowest, column.count = lowest, uint64(highest-lowest)+1
		}
		t.columns = append(t.columns, column)
	}
	return t, nil
}

// Schema implements Maker.
func (t *Twin) Schema() *job.Schema { return t.schema }

// Fill implements Maker.
func (t *Twin) Fill(b *Block) {
	for i := range b.Rows {
		row := t.noise.row(b.First + int64(i))
		for j := range t.columns {
			c, cells := &t.columns[j], &b.Columns[j]
			code := row.below(c.count, 2*j)
			switch {
			case row.uniform(2*j+1) < t.missing:
				cells.Codes[i], cells.Valid[i] = 0, false
			case c.levels != nil:
				cells.Codes[i], cells.Valid[i] = c.levels[code], true
			default:
				cells.Codes[i], cells.Valid[i] = c.lowest+int64(min(code, math.MaxInt64)), true
			}
		}
	}
}
