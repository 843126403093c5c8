package statedir

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"consilium/job"
)

// File is the name of a dataset's state file.
const File = "state"

// MaxBytes bounds what is read of it.
const MaxBytes = 4 << 10

var (
	// ErrDamaged says that a file is not, byte for byte, what its store writes.
	ErrDamaged = errors.New("it is damaged: not as this program wrote it")
	// ErrMissing says that a directory has what only a store makes, and no state.
	ErrMissing = errors.New("state file is missing")
)

// Checked adds the checksum of all lines.
func Checked(lines []byte) []byte {
	return fmt.Appendf(lines, "sha256 %x\n", sha256.Sum256(lines))
}

// Read returns what the state file of a dataset's directory says; found is false when
// nothing was ever kept there. Names that ours knows are those that the store gives.
func Read(dir string, ours func(name string) bool) (b []byte, found bool, err error) {
	b, err = job.ReadFile(filepath.Join(dir, File), MaxBytes)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err == nil, err
	}
	if slices.ContainsFunc(List(dir), func(e os.DirEntry) bool { return ours(e.Name()) }) {
		return nil, false, ErrMissing
	}
	return nil, false, nil
}

// Make makes a dataset's directory, which has a state from its beginning on: only then a
// lost one is noticed. Where something is in force, it only sees that there is a state.
func Make(dir string, inForce bool, empty []byte) error {
	state := filepath.Join(dir, File)
	if _, err := os.Lstat(state); !errors.Is(err, fs.ErrNotExist) || inForce {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(job.SyncDir(filepath.Dir(dir)), job.WriteFile(state, empty, 0o600))
}

// Replace puts the next state in the place of the one in force. After an error that one
// holds, unless broken says why nothing of the directory can be used any more.
func Replace(dir string, next, now []byte) (broken, err error) {
	path := filepath.Join(dir, File)
	if err = job.WriteFile(path, next, 0o600); err == nil {
		return nil, nil
	}
	// The rename may have happened; if not, as on a disk that is full, all is as before.
	if there, gone := os.ReadFile(path); gone == nil && bytes.Equal(there, now) {
		return nil, err
	}
	if back := job.WriteFile(path, now, 0o600); back != nil {
		broken = fmt.Errorf("which state is on disk is not known: %w; mend the disk and start again", errors.Join(err, back))
	}
	return broken, err
}

// List returns a directory's entries, none when it cannot be read: what is to be read of
// it says so itself.
func List(dir string) []os.DirEntry {
	entries, _ := os.ReadDir(dir)
	return entries
}

// Line makes an error fit for a log.
func Line(err error) string { return job.Printable(err.Error(), 900) }
