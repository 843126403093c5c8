package job

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct{ dir, path, want string }{
		{"/etc/consilium", "roster.txt", "/etc/consilium/roster.txt"},
		{"/etc/consilium", "../keys", "/etc/keys"},
		{"/etc/consilium", "/var/lib", "/var/lib"},
		{".", "keys", "keys"},
	} {
		if got := Within(c.dir, c.path); got != c.want {
			t.Errorf("Within(%s, %s) = %s, want %s", c.dir, c.path, got, c.want)
		}
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadFile(path, 5); err != nil || string(b) != "12345" {
		t.Errorf("read %q, %v", b, err)
	}
	_, err := ReadFile(path, 4)
	wantError(t, err, "more than 4 bytes")
	if _, err := ReadFile(path+"x", 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	_, err = ReadFile(filepath.Dir(path), 5)
	wantError(t, err, "cannot be read")
}
