package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"consilium/job"
	"consilium/protocols"
)

// matchesDir is the folder of a state directory that keeps what matches left at this
// site: a file for each run, named after it.
const matchesDir = "matches"

// maxMatch caps such a file, in bytes.
const maxMatch = 1 << 30

// matchRuns is protocols.MatchRuns in a state directory.
type matchRuns string

func matchPath(state string, id job.Hash) string {
	return filepath.Join(state, matchesDir, id.String()+".json")
}

// Keep implements protocols.MatchRuns. Until the run is in force its file has another
// name, under which nobody finds it.
func (state matchRuns) Keep(run *protocols.MatchRun) (protocols.Change, error) {
	b, err := json.Marshal(run)
	if err != nil {
		return nil, err
	}
	return writeNew(matchPath(string(state), run.Job), append(b, '\n'))
}

// matchChange is a run that is written and not yet in force.
type matchChange struct{ path, written string }

// writeNew writes what will be in force at a path, in a folder of the state directory that
// it makes if need be.
func writeNew(path string, content []byte) (protocols.Change, error) {
	dir := filepath.Dir(path)
	c := &matchChange{path: path, written: path + newSuffix}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = job.SyncDir(filepath.Dir(dir))
	}
	if err == nil {
		err = job.WriteFile(c.written, content, 0o600)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Commit implements protocols.Change.
func (c *matchChange) Commit() error {
	if err := os.Rename(c.written, c.path); err != nil {
		return fmt.Errorf("keep the match run: %w", err)
	}
	return job.SyncDir(filepath.Dir(c.path))
}

// Discard implements protocols.Change.
func (c *matchChange) Discard() { _ = os.Remove(c.written) } // nobody looks for it

// ReadMatch reads what a match run left at a site from a node's state directory, by the
// first digits of the run's id. The node may be running or not.
func ReadMatch(state, prefix string) (*protocols.MatchRun, error) {
	id, err := findMatch(state, prefix)
	if err != nil {
		return nil, err
	}
	return readMatch(state, id)
}

// findMatch finds the run of a state directory whose id begins so.
func findMatch(state, prefix string) (job.Hash, error) {
	prefix = strings.ToLower(prefix)
	if len(prefix) < 4 || strings.Trim(prefix, "0123456789abcdef") != "" {
		return job.Hash{}, fmt.Errorf("%.70q is no run: give at least the first four hex digits of its id", prefix)
	}
	ids, err := MatchRuns(state)
	if err != nil {
		return job.Hash{}, fmt.Errorf("%w; name a node's state directory, or a folder with a copy of its matches", err)
	}
	found := slices.DeleteFunc(ids, func(id job.Hash) bool { return !strings.HasPrefix(id.String(), prefix) })
	switch len(found) {
	case 0:
		return job.Hash{}, fmt.Errorf("%s keeps no match run that begins with %s: name the state directory of a site that took part", state, prefix)
	case 1:
		return found[0], nil
	}
	return job.Hash{}, fmt.Errorf("%d match runs begin with %s: give more digits", len(found), prefix)
}

func readMatch(state string, id job.Hash) (*protocols.MatchRun, error) {
	path := matchPath(state, id)
	b, err := job.ReadFile(path, maxMatch)
	if err != nil {
		return nil, err
	}
	var run protocols.MatchRun
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&run); err != nil {
		return nil, fmt.Errorf("%s: this is no match run of this version", path)
	}
	if run.Job != id {
		return nil, fmt.Errorf("%s holds run %s: the file was renamed", path, run.Job.Short())
	}
	return &run, nil
}

// MatchRuns lists the runs that a site keeps, in the order of their ids.
func MatchRuns(state string) ([]job.Hash, error) {
	entries, err := os.ReadDir(filepath.Join(state, matchesDir))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(state) // a site that took part in none has no folder of them
		return nil, err
	}
	var ids []job.Hash
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if id, err := job.ParseHash(name); ok && err == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b job.Hash) int { return bytes.Compare(a[:], b[:]) })
	return ids, err
}
