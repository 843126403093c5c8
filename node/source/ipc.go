package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
)

func isArrow(path string) bool {
	lower := strings.ToLower(path)
	return strings.HasSuffix(lower, ".arrow") || strings.HasSuffix(lower, ".feather")
}

// arrowTable reads an Arrow IPC file, batch by batch, as text: whole and decimal
// numbers with all their digits, floating-point ones by their shortest text.
type arrowTable struct {
	name   string
	file   *os.File
	reader *ipc.FileReader
	names  []string
	batch  int          // next one
	record arrow.Record // at hand; nil: none
	at     int          // its next row
	cells  []string
}

func openArrow(path string) (*arrowTable, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be opened: %w", filepath.Base(path), errors.Unwrap(err))
	}
	t := &arrowTable{name: filepath.Base(path), file: file}
	if err := t.guard(func() (err error) { t.reader, err = ipc.NewFileReader(file); return err }); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	for _, f := range t.reader.Schema().Fields() {
		t.names = append(t.names, f.Name)
	}
	t.cells = make([]string, len(t.names))
	return t, nil
}

// guard hides what the library says, which may quote the file, and survives what it
// makes of a damaged one.
func (t *arrowTable) guard(read func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("damaged")
		}
		if err != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("%s: cannot be read as an Arrow IPC file; it may be cut or damaged, or be a stream", t.name)
		}
	}()
	return read()
}

func (t *arrowTable) header() []string { return t.names }

func (t *arrowTable) next(context.Context) ([]string, error) {
	return t.cells, t.guard(t.read)
}

func (t *arrowTable) read() (err error) {
	for t.record == nil || t.at == int(t.record.NumRows()) {
		if t.batch == t.reader.NumRecords() {
			return io.EOF
		}
		if t.record, err = t.reader.Record(t.batch); err != nil {
			return err
		}
		t.batch, t.at = t.batch+1, 0
	}
	for i := range t.cells {
		t.cells[i] = ""
		if column := t.record.Column(i); column.IsValid(t.at) {
			t.cells[i] = arrowText(column, t.at)
		}
	}
	t.at++
	return nil
}

func (t *arrowTable) close() error { return errors.Join(t.reader.Close(), t.file.Close()) }
