package sharestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"consilium/job"
	"consilium/node/statedir"
	"consilium/protocols"
)

var errOver = errors.New("this change of the shares is over")

// Begin implements protocols.ShareStore.
func (d *Dataset) Begin(ctx context.Context, base job.Hash) (protocols.ShareChange, error) {
	if err := d.lockFree(ctx); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	c := &change{dataset: d, put: make(map[string]bool)}
	if base != (job.Hash{}) {
		v := d.find(base)
		if v == nil {
			return nil, fmt.Errorf("version %s of what is deposited of dataset %s is not here", base.Short(), d.name)
		}
		if len(d.now) > 1 {
			if err := d.enter(v); err != nil {
				return nil, err
			}
		}
		v.hold()
		c.base = &reader{version: v}
	}
	d.changing = make(chan struct{})
	return c, nil
}

// patience is how long a change waits for the one before. Who asked for a job hears of
// its failure before all nodes have put aside what they wrote for it, and asks again.
const patience = 2 * time.Second

// lockFree takes the dataset's lock when a change may begin.
func (d *Dataset) lockFree(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	for {
		d.mu.Lock()
		err, other := d.ready(), d.changing
		if err == nil && other == nil {
			return nil
		}
		d.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-other:
		case <-ctx.Done():
			return protocols.ErrShareChange
		}
	}
}

// unchanging says that the change at work is over.
func (d *Dataset) unchanging() {
	close(d.changing)
	d.changing = nil
}

// change is a version that is being written.
type change struct {
	dataset *Dataset
	base    *reader // nil where there is none
	buffers sync.Pool

	mu   sync.Mutex // taken before the dataset's
	dir  *rows      // of what is new; nil before the first is put
	put  map[string]bool
	next *version // once finished
	over bool
}

var _ protocols.ShareChange = (*change)(nil)

// Base implements protocols.ShareChange.
func (c *change) Base() protocols.StoredShares {
	if c.base == nil || !c.base.Version().Party {
		return nil
	}
	return c.base
}

// PutHead implements protocols.ShareChange.
func (c *change) PutHead(k int, h *protocols.ShareHead) error {
	return c.write(headFile(k), encodeHead(h))
}

// PutBlock implements protocols.ShareChange.
func (c *change) PutBlock(k, column int, b *protocols.ShareBlock) error {
	into, ok := c.buffers.Get().(*buffer)
	if !ok {
		into = new(buffer)
	}
	defer c.buffers.Put(into)
	if err := encodeBlock(b, into); err != nil {
		return err
	}
	return c.write(blockFile(k, column), into.bytes)
}

// write writes one file of what is new.
func (c *change) write(name string, content []byte) error {
	dir, err := c.take(name)
	if err != nil {
		return err
	}
	if err := dir.key.writeSealed(dir.path(), name, content); err != nil {
		return c.dataset.trouble("cannot be written", err)
	}
	return nil
}

// take returns where a file goes. It takes none twice.
func (c *change) take(name string) (*rows, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over || c.next != nil:
		return nil, errOver
	case c.put[name]:
		return nil, fmt.Errorf("%s came twice", name)
	}
	if c.dir == nil {
		dir, err := c.dataset.newRows()
		if err != nil {
			return nil, c.dataset.trouble("cannot be written", err)
		}
		c.dir = dir
	}
	c.put[name] = true
	return c.dir, nil
}

// newRows makes a directory for chunks.
func (d *Dataset) newRows() (*rows, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.makeDir(); err != nil {
		return nil, err
	}
	r := &rows{dataset: d, name: newName(rowsPrefix), users: 1}
	err := os.Mkdir(r.path(), 0o700)
	if err == nil {
		r.key, err = d.newKey(r.path())
	}
	if err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

// Finish implements protocols.ShareChange.
func (c *change) Finish(v *protocols.ShareVersion, first int) error {
	defer c.lock()()
	if c.over || c.next != nil {
		return errOver
	}
	d := c.dataset
	next := &version{dataset: d, name: newName(versionPrefix), described: v}
	if v.Party {
		if err := c.place(next, first); err != nil {
			return err
		}
	}
	err := d.makeDir()
	if err == nil {
		var places []place
		for _, p := range next.rows {
			places = append(places, place{p.name, p.first})
		}
		err = job.WriteFile(filepath.Join(d.dir, next.name), encodeVersion(v, places), 0o600)
	}
	if err == nil && c.dir != nil {
		err = job.SyncDir(c.dir.path())
	}
	if err == nil {
		err = job.SyncDir(d.dir)
	}
	if err != nil {
		d.remove(filepath.Join(d.dir, next.name))
		return d.trouble("cannot be written", err)
	}
	next.hold()
	c.next = next
	return nil
}

// place says where the chunks of the next version lie, and sees that all are there and
// nothing else.
func (c *change) place(next *version, first int) error {
	s := next.described.Snapshot
	role := roleOf(s, c.dataset.self)
	if role < 0 {
		return errors.New("this node is no party of the deposit")
	}
	if first > 0 {
		if c.Base() == nil || first != len(c.base.Version().Snapshot.Chunks) {
			return errors.New("what was deposited before is not here")
		}
		next.rows = append(next.rows, c.base.version.rows...)
	}
	named := 0
	for k := first; k < len(s.Chunks); k++ {
		for _, name := range chunkFiles(s, role, k) {
			if !c.put[name] {
				return fmt.Errorf("%s has not come", name)
			}
			named++
		}
	}
	if named != len(c.put) {
		return fmt.Errorf("%d files came that no chunk needs", len(c.put)-named)
	}
	if c.dir != nil {
		next.rows = append(next.rows, placed{c.dir, first})
	}
	return nil
}

// Commit implements protocols.Change. It does not wait for readers of what it replaces.
func (c *change) Commit() error {
	defer c.lock()()
	if c.over {
		return errOver
	}
	defer c.end()
	d := c.dataset
	if err := d.ready(); err != nil {
		return err
	}
	if c.next == nil {
		return errors.New("the change of the shares is not finished")
	}
	in := []*version{c.next}
	if len(d.now) > 0 {
		in = append(in, d.now[0])
	}
	return d.enter(in...)
}

// Discard implements protocols.Change. After Commit it does nothing.
func (c *change) Discard() {
	defer c.lock()()
	if !c.over {
		c.end()
	}
}

// lock takes both locks, and returns what gives them back.
func (c *change) lock() func() {
	c.mu.Lock()
	c.dataset.mu.Lock()
	return func() {
		c.dataset.mu.Unlock()
		c.mu.Unlock()
	}
}

// end gives up what the change holds.
func (c *change) end() {
	c.over = true
	c.dataset.unchanging()
	if c.dir != nil {
		c.dir.release()
	}
	if c.next != nil {
		c.next.release()
	}
	if c.base != nil {
		c.base.closed.Do(c.base.version.release)
	}
}

// Confirm implements protocols.ShareChange.
func (c *change) Confirm() {
	defer c.lock()()
	d := c.dataset
	if d.broken != nil || len(d.now) != 2 || d.now[0] != c.next {
		return // another change has seen to it
	}
	if err := d.enter(c.next); err != nil {
		d.log.Warn("the version before stays until the next change", "error", statedir.Line(err))
	}
}

// Withdraw implements protocols.ShareStore.
func (d *Dataset) Withdraw(ctx context.Context) (protocols.Change, error) {
	if err := d.lockFree(ctx); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if len(d.now) == 0 {
		return nil, protocols.ErrNoShares
	}
	d.changing = make(chan struct{})
	return &withdrawal{dataset: d}, nil
}

// withdrawal removes all versions.
type withdrawal struct {
	dataset *Dataset
	over    bool
}

// Commit implements protocols.Change.
func (w *withdrawal) Commit() error {
	w.dataset.mu.Lock()
	defer w.dataset.mu.Unlock()
	if w.over {
		return errOver
	}
	w.over = true
	w.dataset.unchanging()
	if err := w.dataset.ready(); err != nil {
		return err
	}
	return w.dataset.enter()
}

// Discard implements protocols.Change. After Commit it does nothing.
func (w *withdrawal) Discard() {
	w.dataset.mu.Lock()
	defer w.dataset.mu.Unlock()
	if !w.over {
		w.over = true
		w.dataset.unchanging()
	}
}
