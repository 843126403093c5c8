package sharestore

import (
	"fmt"
	"path/filepath"
	"sync"

	"consilium/job"
	"consilium/protocols"
)

// Open implements protocols.ShareStore.
func (d *Dataset) Open(id job.Hash) (protocols.StoredShares, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ready(); err != nil {
		return nil, err
	}
	v := d.find(id)
	if v == nil || !v.described.Party {
		return nil, protocols.ErrNoShares
	}
	v.hold()
	return &reader{version: v}, nil
}

// reader is one use of a version.
type reader struct {
	version *version
	closed  sync.Once
}

var _ protocols.StoredShares = (*reader)(nil)

// Version implements protocols.StoredShares.
func (r *reader) Version() *protocols.ShareVersion { return r.version.described }

// Head implements protocols.StoredShares.
func (r *reader) Head(k int) (*protocols.ShareHead, error) {
	b, err := r.read(k, headFile(k))
	if err != nil {
		return nil, err
	}
	h, err := parseHead(b)
	if err != nil {
		return nil, r.damaged(k, headFile(k), err)
	}
	return h, nil
}

// Block implements protocols.StoredShares.
func (r *reader) Block(k, column int) (*protocols.ShareBlock, error) {
	name := blockFile(k, column)
	b, err := r.read(k, name)
	if err != nil {
		return nil, err
	}
	block, err := parseBlock(b, r.Version().Snapshot.Chunks[k].Rows, column != protocols.PresentColumn)
	if err != nil {
		return nil, r.damaged(k, name, err)
	}
	return block, nil
}

func (r *reader) read(k int, name string) ([]byte, error) {
	if k < 0 || k >= len(r.Version().Snapshot.Chunks) {
		return nil, fmt.Errorf("there is no chunk %d", k)
	}
	at := r.version.at(k)
	b, err := at.key.readSealed(at.path(), name)
	if err != nil {
		return nil, r.damaged(k, name, err)
	}
	return b, nil
}

// damaged names the file: its name is a chunk's number and a column's.
func (r *reader) damaged(k int, name string, err error) error {
	d := r.version.dataset
	file := filepath.Join(r.version.at(k).name, name)
	return d.trouble(fmt.Sprintf("cannot be read: file %s; run consilium deposit %s --rebuild %s", file, d.name, d.self), fmt.Errorf("%s: %w", file, err))
}

// Close implements protocols.StoredShares.
func (r *reader) Close() {
	r.closed.Do(func() {
		r.version.dataset.mu.Lock()
		defer r.version.dataset.mu.Unlock()
		r.version.release()
	})
}
