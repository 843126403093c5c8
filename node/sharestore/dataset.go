package sharestore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"consilium/job"
	"consilium/node/statedir"
	"consilium/node/vault"
	"consilium/protocols"
)

// Dataset is what a node keeps of one dataset.
type Dataset struct {
	name, dir, self string
	key             *vault.Key
	log             *slog.Logger

	mu       sync.Mutex
	broken   error // why nothing of it can be used
	now      []*version
	changing chan struct{} // while somebody writes a version, or removes all; closed then
}

var _ protocols.ShareStore = (*Dataset)(nil)

// open reads what is in force.
func open(c *Config, name string) *Dataset {
	d := &Dataset{name: name, dir: filepath.Join(c.Dir, name), self: c.Self, key: c.Key, log: c.Log.With("dataset", name)}
	if d.broken = d.load(); d.broken != nil {
		d.log.Error("the shares cannot be used, and nothing of them is touched; to begin anew, move their directory away, start again, and run consilium deposit with --rebuild and this node's name",
			"directory", d.dir, "error", statedir.Line(d.broken))
	}
	return d
}

func (d *Dataset) load() error {
	b, found, err := statedir.Read(d.dir, ours)
	if errors.Is(err, statedir.ErrMissing) {
		return fmt.Errorf("their %w", err)
	}
	if err != nil || !found {
		return err
	}
	names, err := parseState(b)
	if err != nil {
		return fmt.Errorf("their state file: %w", err)
	}
	used := make(map[string]*rows)
	for _, name := range names {
		d.now = append(d.now, d.loadVersion(name, used))
	}
	for _, v := range d.now {
		v.hold()
	}
	d.sweep()
	return nil
}

// Versions implements protocols.ShareStore. A version that is damaged it leaves out, where
// there is another: the log has said so.
func (d *Dataset) Versions() ([]*protocols.ShareVersion, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ready(); err != nil {
		return nil, err
	}
	var out []*protocols.ShareVersion
	for _, v := range d.now {
		if v.err == nil {
			out = append(out, v.described)
		}
	}
	if len(out) == 0 && len(d.now) > 0 {
		return nil, fmt.Errorf("%w: run consilium deposit %s --rebuild %s", protocols.ErrSharesDamaged, d.name, d.self)
	}
	return out, nil
}

// find returns the version of that name, or nil.
func (d *Dataset) find(id job.Hash) *version {
	i := slices.IndexFunc(d.now, func(v *version) bool { return v.err == nil && v.described.Snapshot.ID == id })
	if i < 0 {
		return nil
	}
	return d.now[i]
}

// ready returns an error when nothing of the dataset can be used.
func (d *Dataset) ready() error {
	if d.broken != nil {
		return d.trouble("cannot be used", d.broken)
	}
	return nil
}

// trouble tells the operator's log what is wrong, and returns what others may hear.
func (d *Dataset) trouble(what string, err error) error {
	d.log.Error("the shares "+what, "error", statedir.Line(err))
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("its shares of dataset %s %s: its disk is full", d.name, what)
	}
	return fmt.Errorf("its shares of dataset %s %s; its operator's log says why", d.name, what)
}

// enter puts versions into force, on disk and then here. After an error those before
// hold.
func (d *Dataset) enter(next ...*version) error {
	broken, err := statedir.Replace(d.dir, encodeState(next), encodeState(d.now))
	if err != nil {
		d.broken = broken
		return d.trouble("cannot be written", err)
	}
	before := d.now
	d.now = slices.Clone(next)
	for _, v := range d.now {
		v.hold()
	}
	for _, v := range before {
		v.release()
	}
	return nil
}

// makeDir makes the dataset's directory where there is none.
func (d *Dataset) makeDir() error { return statedir.Make(d.dir, len(d.now) > 0, encodeState(nil)) }

// remove erases what nothing in force names. What cannot be removed now is found at the
// next start.
func (d *Dataset) remove(path string) {
	if d.broken != nil {
		return // which state is on disk is not known
	}
	if err := os.RemoveAll(path); err != nil {
		d.log.Warn("shares that are out of use cannot be removed: it will be tried at the next start", "error", statedir.Line(err))
	}
}

// sweep removes what a process that was killed has left. Whatever else lies there is not
// touched.
func (d *Dataset) sweep() {
	named := make(map[string]bool)
	for _, v := range d.now {
		named[v.name] = true
		for _, r := range v.rows {
			named[r.rows.name] = true
		}
		if v.err != nil && v.rows == nil {
			return // what it names is not known
		}
	}
	for _, entry := range statedir.List(d.dir) {
		if name := entry.Name(); ours(name) && !named[name] {
			d.log.Info("left half done, or out of use: removed from the shares", "name", name)
			d.remove(filepath.Join(d.dir, name))
		}
	}
}
