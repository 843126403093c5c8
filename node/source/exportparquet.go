package source

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"consilium/job"
)

// groupRows is how many rows are held, and written as one row group.
const groupRows = 1 << 17

// parquetExport writes whole numbers as INT64, others as DECIMAL of 18 digits, texts as
// strings: what every engine reads back as it was.
type parquetExport struct {
	w       io.Writer
	columns []*column
	factors []int64 // of a numeric column: value = code * factor * 10^-scale
	builder *array.RecordBuilder
	file    *pqarrow.FileWriter
	held    int // rows in builder
}

func (e *parquetExport) begin(columns []*column) error {
	e.columns, e.factors = columns, make([]int64, len(columns))
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: arrow.BinaryTypes.String, Nullable: true}
		if c.Type == job.Text {
			continue
		}
		factor, scale, _, err := c.DecimalForm()
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
		e.factors[i], fields[i].Type = factor, arrow.PrimitiveTypes.Int64
		if scale > 0 {
			fields[i].Type = &arrow.Decimal128Type{Precision: job.DecimalDigits, Scale: int32(scale)}
		}
	}
	schema := arrow.NewSchema(fields, nil)
	properties := parquet.NewWriterProperties(parquet.WithCreatedBy("consilium"), parquet.WithCompression(compress.Codecs.Snappy))
	e.builder = array.NewRecordBuilder(memory.DefaultAllocator, schema)
	var err error
	e.file, err = pqarrow.NewFileWriter(schema, e.w, properties, pqarrow.DefaultWriterProps())
	return err
}

func (e *parquetExport) row(cells []exported) error {
	for i, c := range e.columns {
		to := e.builder.Field(i)
		if !cells[i].present {
			to.AppendNull()
			continue
		}
		switch to := to.(type) {
		case *array.Int64Builder:
			to.Append(cells[i].code * e.factors[i])
		case *array.Decimal128Builder:
			to.Append(decimal128.FromI64(cells[i].code * e.factors[i]))
		case *array.StringBuilder:
			to.Append(c.exportText(cells[i]))
		}
	}
	if e.held++; e.held < groupRows {
		return nil
	}
	return e.flush()
}

// flush writes what is held as a row group.
func (e *parquetExport) flush() error {
	e.held = 0
	record := e.builder.NewRecord()
	defer record.Release()
	return e.file.Write(record)
}

func (e *parquetExport) end() error {
	defer e.builder.Release()
	if e.held > 0 {
		if err := e.flush(); err != nil {
			return err
		}
	}
	return e.file.Close()
}
