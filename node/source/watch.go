package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// watched remembers a file as it was, to tell a change between two reads of it by
// its size, its time of writing and its place in the file system.
type watched struct {
	path string
	info os.FileInfo
}

func watch(path string) (*watched, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be looked at: %w", filepath.Base(path), errors.Unwrap(err))
	}
	return &watched{path, info}, nil
}

func (w *watched) changed() error {
	now, err := watch(w.path)
	if err != nil {
		return err
	}
	if now.info.Size() != w.info.Size() || !now.info.ModTime().Equal(w.info.ModTime()) || !os.SameFile(now.info, w.info) {
		return fmt.Errorf("%s: changed while it was read; put a new version beside it and rename that, between jobs", filepath.Base(w.path))
	}
	return nil
}
