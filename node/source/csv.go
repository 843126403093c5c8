package source

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxRecord caps one row of a CSV file, in bytes: a quote that is left open
// would otherwise take the rest of the file for one cell.
const maxRecord = 1 << 20

var errRecordTooLong = errors.New("record too long")

// csvTable reads RFC 4180 with a comma, UTF-8 with or without byte order mark.
// In a file of one column a blank line is a row without a value; in any other it
// is no row.
type csvTable struct {
	name   string
	file   *os.File
	gzip   *gzip.Reader // nil for a plain file
	quota  *quotaReader
	lines  *bufio.Reader // which reader reads too, whole lines at a time
	reader *csv.Reader
	names  []string
	row    int // data rows read
}

func openCSV(path string) (*csvTable, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be opened: %w", filepath.Base(path), errors.Unwrap(err))
	}
	t := &csvTable{name: filepath.Base(path), file: file}
	if err := t.start(strings.HasSuffix(strings.ToLower(path), ".gz")); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// start reads the header.
func (t *csvTable) start(zipped bool) error {
	t.quota = &quotaReader{r: t.file}
	if zipped {
		z, err := gzip.NewReader(t.file)
		if err != nil {
			return fmt.Errorf("%s: is not a gzip file", t.name)
		}
		t.gzip, t.quota.r = z, z
	}
	// encoding/csv reads through bufio.NewReader, which takes over a reader that
	// is buffered already: between two records nothing is read ahead of lines.
	t.lines = bufio.NewReader(t.quota)
	t.reader = csv.NewReader(t.lines)
	t.reader.ReuseRecord = true
	t.quota.left = maxRecord
	header, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: is empty; a first line with the columns' names is needed", t.name)
	}
	if err == nil && !valid(header) {
		err = errNotUTF8
	}
	if err != nil {
		return fmt.Errorf("%s: header: %s", t.name, csvProblem(err, 0))
	}
	t.names = slices.Clone(header)
	t.names[0] = strings.TrimPrefix(t.names[0], "\uFEFF")
	if slices.ContainsFunc(t.names, func(s string) bool { return strings.Contains(s, "\r") }) {
		return fmt.Errorf("%s: lines end in a carriage return alone; save the file with LF or CRLF line ends", t.name)
	}
	return nil
}

func (t *csvTable) header() []string { return t.names }

func (t *csvTable) next(context.Context) ([]string, error) {
	t.quota.left = maxRecord
	if len(t.names) == 1 && t.passBlankLine() {
		t.row++
		return []string{""}, nil
	}
	record, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	t.row++
	if err == nil && !valid(record) {
		err = errNotUTF8
	}
	if err != nil {
		return nil, rowError(t.name, t.row, csvProblem(err, len(t.names)))
	}
	return record, nil
}

// passBlankLine moves on to the next line if the one at hand is blank, as which
// a single missing cell is written; encoding/csv would pass over it.
func (t *csvTable) passBlankLine() bool {
	next, _ := t.lines.Peek(2) // what goes wrong comes again with the next read
	end := 0
	switch text := string(next); {
	case strings.HasPrefix(text, "\n"):
		end = 1
	case text == "\r\n", text == "\r": // the latter at the file's end
		end = len(text)
	}
	passed, _ := t.lines.Discard(end)
	return passed > 0
}

func (t *csvTable) close() error {
	if t.gzip != nil {
		return errors.Join(t.gzip.Close(), t.file.Close())
	}
	return t.file.Close()
}

var errNotUTF8 = errors.New("not UTF-8")

func valid(record []string) bool {
	for _, cell := range record {
		if !utf8.ValidString(cell) {
			return false
		}
	}
	return true
}

// csvProblem says in a few words what is wrong with a row of a file whose header
// has width cells.
func csvProblem(err error, width int) string {
	switch {
	case errors.Is(err, errNotUTF8):
		return "is not UTF-8 text; save the file as UTF-8"
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Sprintf("does not have %d cells as the header has", width)
	case errors.Is(err, csv.ErrBareQuote), errors.Is(err, csv.ErrQuote):
		return `a quote is out of place or left open; quote the whole cell and double the quotes in it`
	case errors.Is(err, errRecordTooLong):
		return fmt.Sprintf("is longer than %d bytes; a quote may be left open", maxRecord)
	}
	return "cannot be read; the file may be cut or damaged"
}

// quotaReader fails once left bytes are read. Whoever reads sets left anew for
// each record; what a buffer reads ahead is small against a quota.
type quotaReader struct {
	r    io.Reader
	left int
}

func (q *quotaReader) Read(p []byte) (int, error) {
	if q.left <= 0 {
		return 0, errRecordTooLong
	}
	n, err := q.r.Read(p)
	q.left -= n
	return n, err
}
