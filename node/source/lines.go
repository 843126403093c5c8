package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"consilium/node/mapping"
)

// readLines hands over each line of an NDJSON file, gzip compressed or not, with its
// number from 1. Blank lines count and are passed over.
func readLines(ctx context.Context, path string, line func(n int, text []byte) error) error {
	name := filepath.Base(path)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: cannot be opened: %w", name, errors.Unwrap(err))
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(strings.ToLower(path), ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("%s: is not a gzip file", name)
		}
		defer z.Close()
		r = z
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), mapping.MaxLine)
	n := 0
	for lines.Scan() {
		n++
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("%s: reading: %w", name, err)
		}
		text := lines.Bytes()
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte("\uFEFF"))
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if !utf8.Valid(text) {
			return rowError(name, n, "is not UTF-8 text")
		}
		if err := line(n, text); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return rowError(name, n+1, fmt.Sprintf("is longer than %d bytes", mapping.MaxLine))
	}
	if lines.Err() != nil {
		return rowError(name, n+1, "cannot be read; the file may be cut or damaged")
	}
	return nil
}
