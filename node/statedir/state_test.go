package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ours(name string) bool { return strings.HasPrefix(name, "kept-") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantState(t *testing.T, dir, want string) {
	t.Helper()
	if b, found, err := Read(dir, ours); err != nil || !found || string(b) != want {
		t.Errorf("%q, found %t: %v, not %q", b, found, err, want)
	}
}

// TestState: a directory has a state from its beginning on, and a lost one is noticed.
func TestState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lung")
	if b, found, err := Read(dir, ours); err != nil || found {
		t.Errorf("nothing is kept, and %q is found: %v", b, err)
	}
	must(t, Make(dir, false, []byte("empty")))
	must(t, Make(dir, false, []byte("again")))
	wantState(t, dir, "empty")
	broken, err := Replace(dir, []byte("next"), []byte("empty"))
	must(t, errors.Join(broken, err))
	wantState(t, dir, "next")
	must(t, os.Truncate(filepath.Join(dir, File), 0))
	wantState(t, dir, "")

	must(t, os.Remove(filepath.Join(dir, File)))
	if err := Make(dir, true, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is in force, its state is lost, and Make says %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600))
	if _, found, err := Read(dir, ours); err != nil || found {
		t.Errorf("nothing of the store's is there: found %t, %v", found, err)
	}
	must(t, os.Mkdir(filepath.Join(dir, "kept-1"), 0o700))
	if _, _, err := Read(dir, ours); !errors.Is(err, ErrMissing) {
		t.Errorf("the state is lost, and Read says %v", err)
	}
}

// TestReplaceFails: where neither state can be written, nobody knows which is there.
func TestReplaceFails(t *testing.T) {
	broken, err := Replace(filepath.Join(t.TempDir(), "nothing"), []byte("next"), []byte("now"))
	if err == nil || !errors.Is(broken, err) {
		t.Errorf("broken by %v, after %v", broken, err)
	}
}
