package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// table reads a file row by row, as text. A cell without a value is "".
type table interface {
	// header returns the columns' names in the order of the file.
	header() []string
	// next returns the next row's cells, valid until the following call, or io.EOF.
	next(ctx context.Context) ([]string, error)
	close() error
}

// openTable opens a file by its extension.
func openTable(ctx context.Context, path string) (table, error) {
	name := filepath.Base(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file", path)
	case err != nil:
		return nil, fmt.Errorf("%s: cannot be looked at: %w", name, errors.Unwrap(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a regular file", path)
	case info.Size() == 0:
		return nil, fmt.Errorf("%s: is empty; a first line with the columns' names is needed", name)
	}
	switch lower := strings.ToLower(name); {
	case strings.HasSuffix(lower, ".csv"), strings.HasSuffix(lower, ".csv.gz"):
		return openCSV(path)
	case isParquet(lower):
		return openParquet(ctx, path)
	case isJSON(lower):
		return openJSON(path)
	case isArrow(lower):
		return openArrow(path)
	}
	return nil, fmt.Errorf("%s: is of an unknown kind; .csv, .csv.gz, .parquet, .jsonl, .ndjson, .arrow and .feather can be read", name)
}
