package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

func isJSON(path string) bool {
	lower := strings.ToLower(path)
	return strings.HasSuffix(lower, ".jsonl") || strings.HasSuffix(lower, ".ndjson")
}

// maxKeys caps the columns of a JSON file, and headerLines is how many lines name them.
const (
	maxKeys     = 4096
	headerLines = 1000
)

// jsonTable reads JSON lines: an object a line, of plain values. Its columns are the
// keys of the first 1,000 lines, in order of appearance. A line may leave out any, which
// is a missing cell as null is. Numbers are read as they are written. Engines that
// read JSON type its columns by a sample.
type jsonTable struct {
	name  string
	file  *os.File
	quota *quotaReader
	lines *bufio.Reader
	names []string
	place map[string]int
	ahead [][]string // rows that were read for the names
	cells []string
	row   int // rows read from the file
}

func openJSON(path string) (*jsonTable, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be opened: %w", filepath.Base(path), errors.Unwrap(err))
	}
	t := &jsonTable{name: filepath.Base(path), file: file, quota: &quotaReader{r: file}, place: map[string]int{}}
	t.lines = bufio.NewReader(t.quota)
	if err := t.start(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return t, nil
}

// start reads the first lines, for the names.
func (t *jsonTable) start() error {
	for len(t.ahead) < headerLines {
		keys, values, err := t.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, key := range keys {
			if _, known := t.place[key]; known {
				continue
			}
			if len(t.names) == maxKeys {
				return rowError(t.name, t.row, fmt.Sprintf("has a key beyond the first %d", maxKeys))
			}
			t.place[key] = len(t.names)
			t.names = append(t.names, key)
		}
		cells := make([]string, len(t.names))
		for i, key := range keys {
			cells[t.place[key]] = values[i]
		}
		t.ahead = append(t.ahead, cells)
	}
	if len(t.names) == 0 {
		return fmt.Errorf("%s: has no object with keys in its first %d lines", t.name, headerLines)
	}
	for i, cells := range t.ahead {
		t.ahead[i] = append(cells, make([]string, len(t.names)-len(cells))...)
	}
	t.cells = make([]string, len(t.names))
	return nil
}

func (t *jsonTable) header() []string { return t.names }

func (t *jsonTable) next(context.Context) ([]string, error) {
	if len(t.ahead) > 0 {
		cells := t.ahead[0]
		t.ahead = t.ahead[1:]
		return cells, nil
	}
	keys, values, err := t.read()
	if err != nil {
		return nil, err
	}
	clear(t.cells)
	for i, key := range keys {
		if at, known := t.place[key]; known {
			t.cells[at] = values[i]
		}
	}
	return t.cells, nil
}

func (t *jsonTable) close() error { return t.file.Close() }

// read returns the next object's keys and values. Blank lines are none.
func (t *jsonTable) read() (keys, values []string, err error) {
	for {
		t.quota.left = maxRecord
		line, err := t.lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) || len(line) > maxRecord {
			return nil, nil, rowError(t.name, t.row+1, fmt.Sprintf("is longer than %d bytes, or cannot be read", maxRecord))
		}
		if len(bytes.TrimSpace(line)) == 0 {
			if err != nil {
				return nil, nil, io.EOF
			}
			continue
		}
		t.row++
		keys, values, problem := parseObject(line)
		if problem != "" {
			return nil, nil, rowError(t.name, t.row, problem)
		}
		return keys, values, nil
	}
}

// parseObject reads one object of plain values, or says in a few words why it is none.
func parseObject(line []byte) (keys, values []string, problem string) {
	if !utf8.Valid(line) {
		return nil, nil, "is not UTF-8 text; save the file as UTF-8"
	}
	const noObject = "is not one JSON object; write one object a line"
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, nil, noObject
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, noObject
		}
		if slices.Contains(keys, key.(string)) { // the grammar has no other token here
			return nil, nil, "holds a key twice"
		}
		value, err := d.Token()
		if err != nil {
			return nil, nil, noObject
		}
		text := ""
		switch v := value.(type) {
		case nil:
		case json.Delim:
			return nil, nil, "holds an array or an object in a key; write plain values, or give a query over the file"
		default:
			text = fmt.Sprint(v)
		}
		keys, values = append(keys, key.(string)), append(values, text)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, noObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, noObject
	}
	return keys, values, ""
}
