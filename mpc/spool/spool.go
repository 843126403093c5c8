package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Dir is a directory for files. Several processes may share it.
type Dir struct{ path string }

// prefix begins the names that files have for the moment between being made and being
// opened.
const prefix = "spool-"

// Open makes the directory, if there is none, and takes away what a killed process may
// have left in it.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			err = errors.Join(err, remove(filepath.Join(path, e.Name())))
		}
	}
	return &Dir{path}, err
}

// remove takes a name away, which another process that opens the directory may have done.
func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// File is a sequence of records of at most a given size, each of which is written once
// and read any number of times. It is safe for use by several goroutines.
type File struct {
	file *os.File
	aead cipher.AEAD
	size int // of a record

	mu      sync.Mutex
	written map[int]uint64 // 64 records a word
	spare   []byte
}

// Create makes a file for records of at most size bytes. Its owner closes it. Errors,
// here and of files, do not say where the directory is.
func (d *Dir) Create(size int) (*File, error) {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(d.path, prefix)
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", nameless(err))
	}
	if err := remove(file.Name()); err != nil {
		_ = file.Close() // nothing is in it
		return nil, fmt.Errorf("take the name of a temporary file away: %w", nameless(err))
	}
	return &File{file: file, aead: aead, size: size, written: make(map[int]uint64)}, nil
}

// ErrRecord says that a record cannot be what the file's owner wrote.
var ErrRecord = errors.New("a temporary file is damaged: its disk does not return what was written")

// Write writes record i. A record is written once.
func (f *File) Write(i int, record []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	word, bit := i/64, uint64(1)<<(i&63)
	if len(record) > f.size || i < 0 || i > math.MaxInt/f.slot()-1 || f.written[word]&bit != 0 {
		return fmt.Errorf("record %d of %d bytes cannot be written", i, len(record))
	}
	f.written[word] |= bit
	f.spare = f.aead.Seal(f.spare[:0], nonce(i), record, nil)
	if _, err := f.file.WriteAt(f.spare, f.offset(i)); err != nil {
		return fmt.Errorf("write a temporary file: %w", nameless(err))
	}
	return nil
}

// Read returns record i, which has that many bytes, in the memory of into if that is
// large enough.
func (f *File) Read(i, n int, into []byte) ([]byte, error) {
	need := n + f.aead.Overhead()
	if cap(into) < need {
		into = make([]byte, need)
	}
	into = into[:need]
	if _, err := f.file.ReadAt(into, f.offset(i)); err != nil {
		return nil, fmt.Errorf("read a temporary file: %w", nameless(err))
	}
	record, err := f.aead.Open(into[:0], nonce(i), into, nil)
	if err != nil {
		return nil, ErrRecord
	}
	return record, nil
}

// nameless is an error without the path of a file: errors of jobs travel.
func nameless(err error) error {
	if named := new(os.PathError); errors.As(err, &named) {
		return named.Err
	}
	return err
}

// Close takes the file away.
func (f *File) Close() error {
	if err := f.file.Close(); err != nil {
		return fmt.Errorf("close a temporary file: %w", nameless(err))
	}
	return nil
}

// slot is how many bytes a record takes.
func (f *File) slot() int { return f.size + f.aead.Overhead() }

func (f *File) offset(i int) int64 { return int64(i) * int64(f.slot()) }

// nonce is the record's number: under a file's key each is used once.
func nonce(i int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), uint64(i)) }
