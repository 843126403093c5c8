package synthetic

import (
	"bufio"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"

	"consilium/job"
)

// parquetWriter writes blocks as row groups: whole numbers as INT32 or INT64,
// others as DECIMAL over these, texts as strings; Snappy compressed, the same bytes
// for the same cells.
type parquetWriter struct {
	sink    *sink
	file    *file.Writer
	columns []*parquetColumn
}

// parquetColumn turns a column's codes into values of a file.
type parquetColumn struct {
	factor int64               // of a numeric column: value = code * factor * 10^-scale
	wide   bool                // INT64
	texts  []parquet.ByteArray // of a text column, by code; of free text one for all

	levels []int16
	small  []int32
	large  []int64
	chosen []parquet.ByteArray
}

func newParquetWriter(w io.Writer, s *job.Schema) (*parquetWriter, error) {
	p := &parquetWriter{sink: &sink{w: bufio.NewWriterSize(w, 1<<20)}}
	var fields schema.FieldList
	for i := range s.Columns {
		c, node, err := newParquetColumn(&s.Columns[i])
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", s.Columns[i].Name, err)
		}
		p.columns, fields = append(p.columns, c), append(fields, node)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, err
	}
	properties := parquet.NewWriterProperties(parquet.WithCreatedBy("consilium"), parquet.WithCompression(compress.Codecs.Snappy))
	p.file = file.NewParquetWriter(p.sink, root, file.WithWriterProps(properties))
	return p, nil
}

func newParquetColumn(c *job.Column) (*parquetColumn, schema.Node, error) {
	p := &parquetColumn{}
	if c.Type == job.Text {
		for code := range max(len(c.Categories), 1) {
			p.texts = append(p.texts, parquet.ByteArray(textOf(c, int64(code))))
		}
		node, err := schema.NewPrimitiveNodeLogical(c.Name, parquet.Repetitions.Optional, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1)
		return p, node, err
	}
	factor, scale, digits, err := c.DecimalForm()
	if err != nil {
		return nil, nil, err
	}
	p.factor, p.wide = factor, digits > 9
	kind := parquet.Types.Int32
	if p.wide {
		kind = parquet.Types.Int64
	}
	var logical schema.LogicalType
	if scale > 0 {
		logical = schema.NewDecimalLogicalType(int32(max(digits, scale)), int32(scale))
	}
	node, err := schema.NewPrimitiveNodeLogical(c.Name, parquet.Repetitions.Optional, logical, kind, -1, -1)
	return p, node, err
}

func (p *parquetWriter) write(b *Block) error {
	group := p.file.AppendRowGroup()
	for i, c := range p.columns {
		w, err := group.NextColumn()
		if err != nil {
			return err
		}
		if err := c.write(w, &b.Columns[i], b.Rows); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	if err := group.Close(); err != nil {
		return err
	}
	return p.sink.err // the library does not pass on all of them
}

func (c *parquetColumn) write(w file.ColumnChunkWriter, cells *Cells, rows int) (err error) {
	c.levels = c.levels[:0]
	for _, valid := range cells.Valid[:rows] {
		c.levels = append(c.levels, int16(bit(valid)))
	}
	switch w := w.(type) {
	case *file.Int32ColumnChunkWriter:
		c.small = c.small[:0]
		cells.present(func(code int64) { c.small = append(c.small, int32(code*c.factor)) })
		_, err = w.WriteBatch(c.small, c.levels, nil)
	case *file.Int64ColumnChunkWriter:
		c.large = c.large[:0]
		cells.present(func(code int64) { c.large = append(c.large, code*c.factor) })
		_, err = w.WriteBatch(c.large, c.levels, nil)
	case *file.ByteArrayColumnChunkWriter:
		c.chosen = c.chosen[:0]
		cells.present(func(code int64) { c.chosen = append(c.chosen, c.texts[code]) })
		_, err = w.WriteBatch(c.chosen, c.levels, nil)
	default:
		return fmt.Errorf("a Parquet column of type %T", w)
	}
	return err
}

// present calls f with the code of every cell that is there.
func (c *Cells) present(f func(code int64)) {
	for i, code := range c.Codes {
		if c.Valid[i] {
			f(code)
		}
	}
}

func (p *parquetWriter) close() error {
	if err := p.file.FlushWithFooter(); err != nil {
		return err
	}
	if err := p.sink.w.Flush(); err != nil {
		return err
	}
	return p.sink.err
}

// sink remembers the first error of writing: the library takes some for granted.
type sink struct {
	w   *bufio.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if s.err == nil {
		s.err = err
	}
	return n, err
}

// textOf is a text column's cell: its category, or a made-up text where the schema
// declares none.
func textOf(c *job.Column, code int64) string {
	if len(c.Categories) == 0 {
		return "made up"
	}
	return c.Format(code)
}

// maxFileRows is how many rows a file may have: what a roster can declare for a site.
const maxFileRows = math.MaxInt32
