package synthetic

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"consilium/job"
)

// writer puts blocks into a file.
type writer interface {
	write(*Block) error
	close() error // writes what is left
}

// WriteFile writes rows first to first + rows - 1 into a file that ends in .parquet
// or .csv, which appears once it is complete, and returns its size in bytes. A file
// that is there already is refused. Progress, if not nil, is told the rows so far.
func WriteFile(ctx context.Context, path string, m Maker, first, rows int64, progress func(rows int64)) (size int64, err error) {
	if rows < 1 || rows > maxFileRows {
		return 0, fmt.Errorf("%s: %d rows: a file may have 1 to %d", path, rows, maxFileRows)
	}
	schema := m.Schema()
	if err := schema.Check(); err != nil {
		return 0, err
	}
	if _, err := os.Lstat(path); err == nil {
		return 0, fmt.Errorf("%s exists: move it away, or give another name", path)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w, err := newWriter(path, f, schema)
	if err != nil {
		return 0, err
	}
	err = each(ctx, m, first, rows, func(b *Block) error {
		if err := w.write(b); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if progress != nil {
			progress(b.First + int64(b.Rows) - first)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := w.close(); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return finish(f, path)
}

// finish makes a written file durable under its name.
func finish(f *os.File, path string) (int64, error) {
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if err := f.Chmod(0o644); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return 0, err
	}
	return size, job.SyncDir(filepath.Dir(path))
}

func newWriter(path string, f io.Writer, s *job.Schema) (writer, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet":
		return newParquetWriter(f, s)
	case ".csv":
		return newCSVWriter(f, s)
	}
	return nil, fmt.Errorf("%s: write a file that ends in .parquet or .csv", path)
}

// csvWriter writes blocks as lines; a missing cell is blank.
type csvWriter struct {
	file    *bufio.Writer
	out     *csv.Writer
	columns []*job.Column
	cells   []string
	known   []map[int64]string // texts of codes seen before, of each column
}

// maxKnown bounds the texts that are kept of a column.
const maxKnown = 1 << 12

func newCSVWriter(w io.Writer, s *job.Schema) (*csvWriter, error) {
	c := &csvWriter{file: bufio.NewWriterSize(w, 1<<20), cells: make([]string, len(s.Columns))}
	c.out = csv.NewWriter(c.file)
	for i := range s.Columns {
		c.columns, c.known = append(c.columns, &s.Columns[i]), append(c.known, map[int64]string{})
	}
	return c, c.out.Write(s.Names())
}

func (c *csvWriter) write(b *Block) error {
	for i := range b.Rows {
		for j := range c.columns {
			c.cells[j] = ""
			if cells := &b.Columns[j]; cells.Valid[i] {
				c.cells[j] = c.text(j, cells.Codes[i])
			}
		}
		if err := c.out.Write(c.cells); err != nil {
			return err
		}
	}
	return nil
}

func (c *csvWriter) text(column int, code int64) string {
	known := c.known[column]
	if text, ok := known[code]; ok {
		return text
	}
	declared := c.columns[column]
	text := ""
	if declared.Type == job.Text {
		text = textOf(declared, code)
	} else {
		text = declared.Format(code)
	}
	if len(known) < maxKnown {
		known[code] = text
	}
	return text
}

func (c *csvWriter) close() error {
	c.out.Flush()
	if err := c.out.Error(); err != nil {
		return err
	}
	return c.file.Flush()
}
