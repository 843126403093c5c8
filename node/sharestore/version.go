package sharestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"consilium/job"
	"consilium/protocols"
)

// version is one that is on disk. It lasts as long as somebody uses it: the state in
// force, a reader, a change that begins with it. Its methods are called under the
// dataset's lock.
type version struct {
	dataset   *Dataset
	name      string // of its file
	described *protocols.ShareVersion
	rows      []placed // by their first chunks; none at a node that is no party
	users     int
	err       error // why it cannot be used
}

// rows is a directory of chunks, which several versions may use.
type rows struct {
	dataset *Dataset
	name    string
	key     dirKey
	users   int
}

// placed says from which chunk on a version's chunks lie in a directory.
type placed struct {
	*rows
	first int
}

func (v *version) hold() {
	if v.users++; v.users == 1 {
		for _, r := range v.rows {
			r.users++
		}
	}
}

func (v *version) release() {
	if v.users--; v.users > 0 {
		return
	}
	v.dataset.remove(filepath.Join(v.dataset.dir, v.name))
	for _, r := range v.rows {
		r.release()
	}
}

func (r *rows) release() {
	if r.users--; r.users == 0 {
		r.dataset.remove(r.path())
		clear(r.key[:])
	}
}

func (r *rows) path() string { return filepath.Join(r.dataset.dir, r.name) }

// loadVersion finds a version on disk, and says to the log what is wrong with it. Versions
// share what is in used.
func (d *Dataset) loadVersion(name string, used map[string]*rows) *version {
	v := &version{dataset: d, name: name}
	if err := v.read(used); err != nil {
		v.err = d.trouble("cannot be read", fmt.Errorf("%s: %w; run consilium deposit %s --rebuild %s", name, err, d.name, d.self))
	}
	return v
}

func (v *version) read(used map[string]*rows) error {
	d := v.dataset
	b, err := job.ReadFile(filepath.Join(d.dir, v.name), maxVersion)
	if err != nil {
		return err
	}
	described, places, err := parseVersion(b)
	if err != nil {
		return err
	}
	if described.Snapshot.Dataset != d.name {
		return errors.New("it is of another dataset")
	}
	v.described = described
	for _, p := range places {
		r := used[p.name]
		if r == nil {
			r = &rows{dataset: d, name: p.name}
			used[p.name] = r
		}
		v.rows = append(v.rows, placed{r, p.first})
	}
	for _, p := range v.rows {
		if p.key == (dirKey{}) {
			if p.key, err = d.readKey(p.path()); err != nil {
				return err
			}
		}
	}
	return v.complete()
}

// complete says which file of the version is missing.
func (v *version) complete() error {
	role := v.role()
	if !v.described.Party {
		return nil
	}
	if role < 0 || len(v.rows) == 0 {
		return errors.New("it is not that of a party")
	}
	for k := range v.described.Snapshot.Chunks {
		r := v.at(k)
		for _, name := range chunkFiles(v.described.Snapshot, role, k) {
			if info, err := os.Lstat(filepath.Join(r.path(), name)); err != nil || !info.Mode().IsRegular() {
				return fmt.Errorf("%s is missing", filepath.Join(r.name, name))
			}
		}
	}
	return nil
}

// at is the directory of a chunk.
func (v *version) at(k int) *rows {
	found := v.rows[0].rows
	for _, p := range v.rows {
		if p.first <= k {
			found = p.rows
		}
	}
	return found
}

func (v *version) role() int { return roleOf(v.described.Snapshot, v.dataset.self) }
