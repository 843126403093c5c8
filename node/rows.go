package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"consilium/job"
	"consilium/node/vault"
	"consilium/protocols"
)

// rowsDir is the folder of a state directory that keeps what a party needs of runs whose
// ranks are revealed one at a time: a file for each run, named after it, encrypted to the
// node's vault key if it has one.
const rowsDir = "offers"

// rowsWords is the first line of such a file in the clear; the second is a checksum of
// the rest.
const rowsWords = "consilium rows v1\n"

// maxRows caps such a file, in bytes.
const maxRows = 64 << 20

// rowStore is protocols.KeptRows in a state directory, of which one process is the owner.
type rowStore struct {
	dir string
	key *vault.Key // nil: nothing is encrypted
	log *slog.Logger

	mu   sync.Mutex
	used map[job.Hash]bool
}

// openRows removes what a process that was killed has left half written.
func openRows(state string, key *vault.Key, log *slog.Logger) (*rowStore, error) {
	s := &rowStore{dir: filepath.Join(state, rowsDir), key: key, log: log, used: map[job.Hash]bool{}}
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, ".") || strings.HasSuffix(name, newSuffix) {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, name)))
		}
	}
	return s, err
}

// newSuffix ends the name of a file that is not in force yet.
const newSuffix = ".new"

func (s *rowStore) path(id job.Hash) string { return filepath.Join(s.dir, id.String()) }

// trouble tells the operator's log what is wrong, and returns what others may hear.
func (s *rowStore) trouble(what string, id job.Hash, err error) error {
	s.log.Error("the rows of a match run "+what, "run", id.Short(), "error", line(err.Error()))
	return fmt.Errorf("its rows of run %s %s; its operator's log says why", id.Short(), what)
}

// encode writes a run as its file's content.
func (s *rowStore) encode(run *protocols.KeptRun) ([]byte, error) {
	body, err := json.Marshal(run)
	if err != nil {
		return nil, err
	}
	content := fmt.Appendf(nil, "%ssha256 %x\n%s", rowsWords, sha256.Sum256(body), body)
	if s.key == nil {
		return content, nil
	}
	defer clear(content)
	return s.key.Seal(content)
}

var errRowsDamaged = errors.New("the file is damaged: not as this program wrote it; ask for a new run")

// decode reads what encode wrote.
func (s *rowStore) decode(content []byte) (*protocols.KeptRun, error) {
	if vault.IsSealed(content) {
		if s.key == nil {
			return nil, errors.New("the file is encrypted, and the configuration names no vault_key: name the one of then")
		}
		var err error
		if content, err = s.key.Open(content); err != nil {
			return nil, fmt.Errorf("the file is damaged, or encrypted to another vault_key than the configuration's: %w", err)
		}
	}
	rest, ours := bytes.CutPrefix(content, []byte(rowsWords))
	sum, body, _ := bytes.Cut(rest, []byte("\n"))
	if !ours || string(sum) != fmt.Sprintf("sha256 %x", sha256.Sum256(body)) {
		return nil, errRowsDamaged
	}
	run := new(protocols.KeptRun)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(run); err != nil {
		return nil, errRowsDamaged
	}
	return run, nil
}

// Keep implements protocols.KeptRows. Until the run is in force its file has another
// name, under which nobody finds it.
func (s *rowStore) Keep(run *protocols.KeptRun) (protocols.Change, error) {
	content, err := s.encode(run)
	var change protocols.Change
	if err == nil {
		change, err = writeNew(s.path(run.Job), content)
	}
	if err != nil {
		return nil, s.trouble("cannot be written", run.Job, err)
	}
	return change, nil
}

// Open implements protocols.KeptRows.
func (s *rowStore) Open(id job.Hash) (protocols.OpenedRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[id] {
		return nil, fmt.Errorf("a rank of run %s is being revealed already: wait for it to end", id.Short())
	}
	content, err := job.ReadFile(s.path(id), maxRows)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, protocols.ErrNoRows
	}
	var run *protocols.KeptRun
	if err == nil {
		run, err = s.decode(content)
	}
	if err == nil && run.Job != id {
		err = errors.New("the file was renamed: it holds another run")
	}
	if err != nil {
		return nil, s.trouble("cannot be read", id, err)
	}
	s.used[id] = true
	return &openRun{store: s, run: run}, nil
}

// openRun is protocols.OpenedRun.
type openRun struct {
	store *rowStore
	run   *protocols.KeptRun
}

// Run implements protocols.OpenedRun.
func (o *openRun) Run() *protocols.KeptRun { return o.run }

// Write implements protocols.OpenedRun.
func (o *openRun) Write(run *protocols.KeptRun) error {
	content, err := o.store.encode(run)
	if err == nil {
		err = job.WriteFile(o.store.path(o.run.Job), content, 0o600)
	}
	if err != nil {
		return o.store.trouble("cannot be written", o.run.Job, err)
	}
	o.run = run
	return nil
}

// Close implements protocols.OpenedRun.
func (o *openRun) Close() {
	o.store.mu.Lock()
	defer o.store.mu.Unlock()
	delete(o.store.used, o.run.Job)
}
