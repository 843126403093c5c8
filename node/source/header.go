package source

import (
	"context"
	"slices"
)

// Header returns the names in a file's first line.
func Header(ctx context.Context, path string) ([]string, error) {
	t, err := openTable(ctx, path)
	if err != nil {
		return nil, err
	}
	names := slices.Clone(t.header())
	return names, t.close()
}
