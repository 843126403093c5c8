package daemon

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var layout = Layout{Program: "node", File: "test.db", Version: 3, Tables: "CREATE TABLE words (word TEXT PRIMARY KEY) STRICT;", Readers: 4}

// stateDir is a directory of its owner alone, as a state directory must be.
func stateDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := OpenStore(t.Context(), dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, s *Store, word string) error {
	return s.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO words VALUES (?)", word)
		return err
	})
}

func words(t *testing.T, db *sql.DB) []string {
	t.Helper()
	out, err := Query(t.Context(), db, func(rows *sql.Rows) (word string, err error) {
		err = rows.Scan(&word)
		return word, err
	}, "SELECT word FROM words WHERE word != ? ORDER BY word", "")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStoreIsDurable(t *testing.T) {
	s := open(t, stateDir(t))
	defer shut(t, s)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "user_version": "3",
	} {
		var got string
		if err := s.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", pragma, got, want, err)
		}
	}
}

func TestStoreKeepsWhatIsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "as needed")
	s := open(t, dir)
	for _, word := range []string{"two", "one"} {
		if err := insert(t, s, word); err != nil {
			t.Fatal(err)
		}
	}
	failed := errors.New("no")
	if err := s.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM words"); err != nil {
			return err
		}
		return failed
	}); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	reader, err := ReadStore(dir, layout.File) // beside its holder
	if err != nil {
		t.Fatal(err)
	}
	if got := words(t, reader); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("beside its holder: %v", got)
	}
	if _, err := reader.Exec("DELETE FROM words"); err == nil {
		t.Error("a reader wrote")
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	s = open(t, dir)
	defer shut(t, s)
	if got := words(t, s.DB); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("after the next start: %v", got)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has %v, %v", info.Mode(), err)
	}
}

func TestDirectoryIsHeldByOneProcess(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	_, err := OpenStore(t.Context(), dir, layout)
	wantError(t, err, "in use by another node; stop that one")
	shut(t, s)
	shut(t, open(t, dir))
}

func TestStateIsItsOwnersAlone(t *testing.T) {
	dir := stateDir(t)
	file := filepath.Join(dir, layout.File)
	if err := os.WriteFile(file, nil, 0o644); err != nil { // as an older version may have left it
		t.Fatal(err)
	}
	s := open(t, dir)
	if err := insert(t, s, "one"); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) < 4 { // lock, database and SQLite's two beside it
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	shut(t, s)
	for _, mode := range []os.FileMode{0o750, 0o705, 0o710, 0o720} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenStore(t.Context(), dir, layout)
		wantError(t, err, "open to other users")
		wantError(t, err, "run: chmod 700 "+dir)
	}
}

func TestStoreRefuses(t *testing.T) {
	dir := stateDir(t)
	shut(t, open(t, dir))
	newer := layout
	newer.Version = 4
	_, err := OpenStore(t.Context(), dir, newer)
	wantError(t, err, "version 3 and this program knows 4")
	shut(t, open(t, dir)) // a refusal frees the directory

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(t.Context(), file, layout)
	wantError(t, err, "state directory")

	broken := stateDir(t)
	if err := os.WriteFile(filepath.Join(broken, layout.File), []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(t.Context(), broken, layout)
	wantError(t, err, "state directory "+broken)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := OpenStore(ended, stateDir(t), layout); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := ReadStore(t.TempDir(), layout.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
