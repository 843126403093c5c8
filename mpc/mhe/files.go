package mhe

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
)

// writeDurably replaces a file so that after a crash the old content or the new one is
// there, whole, and the new one once this has returned.
func writeDurably(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // readable by the owner alone
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writer puts numbers and byte strings together in one way only.
type writer []byte

func (w *writer) number(x uint64) { *w = binary.LittleEndian.AppendUint64(*w, x) }
func (w *writer) fixed(b []byte)  { *w = append(*w, b...) }
func (w *writer) text(s string)   { w.number(uint64(len(s))); *w = append(*w, s...) }

// reader takes them apart again. After the first thing that is not as it should be,
// everything is zero and err says so.
type reader struct {
	rest []byte
	err  error
}

var errMalformed = errors.New("it is malformed")

func (r *reader) fixed(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.rest) {
		r.err = errMalformed
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// number reads one that is at most limit.
func (r *reader) number(limit uint64) int {
	b := r.fixed(wordSize)
	if b == nil {
		return 0
	}
	x := binary.LittleEndian.Uint64(b)
	if x > limit {
		r.err = errMalformed
		return 0
	}
	return int(x)
}

func (r *reader) text(limit uint64) string { return string(r.fixed(r.number(limit))) }

// magic reads the words that a form begins with.
func (r *reader) magic(words string) {
	if string(r.fixed(len(words))) != words {
		r.err = errMalformed
	}
}

// end is the error if something was wrong or is left.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = errMalformed
	}
	return r.err
}
