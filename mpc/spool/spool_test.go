package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, size int) *File {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "spool"))
	must(t, err)
	f, err := d.Create(size)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// TestRecords: records come back as they were written, in any order and of any length up
// to the file's.
func TestRecords(t *testing.T) {
	f := open(t, 40)
	records := [][]byte{3: []byte("last"), 0: bytes.Repeat([]byte("x"), 40), 2: {}}
	for _, i := range []int{3, 0, 2} {
		must(t, f.Write(i, records[i]))
	}
	var memory []byte
	for _, i := range []int{0, 2, 3, 0} {
		got, err := f.Read(i, len(records[i]), memory)
		must(t, err)
		if !bytes.Equal(got, records[i]) {
			t.Errorf("record %d is %q, not %q", i, got, records[i])
		}
		memory = got
	}
}

// TestNoRecordTwice: a second record under one number would have the first one's nonce.
func TestNoRecordTwice(t *testing.T) {
	f := open(t, 8)
	must(t, f.Write(1, []byte("one")))
	for i, record := range map[int]string{1: "two", -1: "three", 2: "too long a record"} {
		if err := f.Write(i, []byte(record)); err == nil {
			t.Errorf("record %d was written as %q", i, record)
		}
	}
	if got, err := f.Read(1, 3, nil); err != nil || string(got) != "one" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestNothingInTheClear: the disk has neither a record nor a file with a name, and what
// has changed on it is noticed.
func TestNothingInTheClear(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	must(t, err)
	f, err := d.Create(64)
	must(t, err)
	defer f.Close()
	secret := strings.Repeat("secret ", 9)
	must(t, f.Write(0, []byte(secret)))
	must(t, f.Write(1, []byte(secret)))
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the directory has %v: %v", left, err)
	}
	disk := make([]byte, 2*f.slot())
	_, err = f.file.ReadAt(disk[:f.slot()+len(secret)], 0)
	must(t, err)
	if bytes.Contains(disk, []byte("secret")) {
		t.Error("the disk has it in the clear")
	}
	if bytes.Equal(disk[:len(secret)], disk[f.slot():f.slot()+len(secret)]) {
		t.Error("two records have one key stream")
	}

	for _, at := range []int64{0, int64(len(secret)) + 3} {
		disk[at] ^= 1
		_, err = f.file.WriteAt(disk[at:at+1], at)
		must(t, err)
		if _, err := f.Read(0, len(secret), nil); !errors.Is(err, ErrRecord) {
			t.Errorf("a changed byte %d gives %v", at, err)
		}
		disk[at] ^= 1
		_, err = f.file.WriteAt(disk[at:at+1], at)
		must(t, err)
	}
	// A record in another's place.
	_, err = f.file.WriteAt(disk[f.slot():f.slot()+len(secret)], 0)
	must(t, err)
	if _, err := f.Read(0, len(secret), nil); !errors.Is(err, ErrRecord) {
		t.Errorf("a moved record gives %v", err)
	}
	if _, err := f.Read(7, 1, nil); err == nil {
		t.Error("a record that was never written was read")
	}
}

// TestLeftOver: what a process left that was killed before its file had lost its name is
// taken away, and nothing else.
func TestLeftOver(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, prefix+"1"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	_, err := Open(dir)
	must(t, err)
	left, err := os.ReadDir(dir)
	must(t, err)
	if len(left) != 1 || left[0].Name() != "mine" {
		t.Errorf("left are %v", left)
	}
}

// TestSharedDirectory: who opens a directory is not in the way of who makes files in it.
func TestSharedDirectory(t *testing.T) {
	path := t.TempDir()
	d, err := Open(path)
	must(t, err)
	var all sync.WaitGroup
	often := func(f func() error) {
		all.Go(func() {
			for range 300 {
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		often(func() error {
			_, err := Open(path)
			return err
		})
		often(func() error {
			f, err := d.Create(8)
			if err == nil {
				err = f.Close()
			}
			return err
		})
	}
	all.Wait()
}

// TestAnyDirectory: what a directory is called is no pattern.
func TestAnyDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state[1")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, prefix+"1"), nil, 0o600))
	_, err := Open(dir)
	must(t, err)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v: %v", left, err)
	}
}

// TestErrorsTellNoPath: what goes wrong is told to other parties, and where this one keeps
// its state is not.
func TestErrorsTellNoPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "private")
	d, err := Open(dir)
	must(t, err)
	f, err := d.Create(8)
	must(t, err)
	must(t, f.Close())
	must(t, os.Remove(dir))
	_, created := d.Create(8)
	_, read := f.Read(0, 1, nil)
	for what, err := range map[string]error{
		"create": created, "read": read, "write": f.Write(0, []byte("x")), "close": f.Close(),
	} {
		if err == nil || strings.Contains(err.Error(), "private") || !strings.Contains(err.Error(), "temporary file") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestFullDisk: a disk that takes no more is an error that says so.
func TestFullDisk(t *testing.T) {
	f := open(t, 8)
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	must(t, err)
	must(t, f.file.Close())
	f.file = full
	if err := f.Write(0, []byte("x")); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
}
