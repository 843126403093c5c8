package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/node/sharestore"
	"consilium/node/vault"
	"consilium/protocols"
	"consilium/protocols/oblivious"
)

// A dataset as parties keep it: on disk, encrypted, in the chunks that a deposit makes.
// Each party writes what a deposit would give it before the clock starts.

// storedChunk is a chunk of a deposit of few columns.
const storedChunk = 1 << 18

// storedData is a dataset on a party's disk.
type storedData struct {
	set    *job.Dataset
	store  *sharestore.Store
	dir    string
	wrote  float64 // seconds
	values int     // of all columns
}

// newStored writes a party's store.
func newStored(d *dealer, set *job.Dataset, columns []generated) (*storedData, error) {
	begin := time.Now()
	dir, err := os.MkdirTemp("", "consilium-store-")
	if err != nil {
		return nil, err
	}
	store, err := writeStore(d, dir, set, columns)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &storedData{set, store, dir, time.Since(begin).Seconds(), set.Rows() * len(columns)}, nil
}

func (x *storedData) close() error { return errors.Join(x.store.Close(), os.RemoveAll(x.dir)) }

// run opens the version in force and computes.
func (x *storedData) run(s *mpc.Session, run *oblivious.Run) error {
	of := x.store.Dataset(x.set.Name)
	versions, err := of.Versions()
	if err != nil {
		return err
	}
	stored, err := of.Open(versions[0].Snapshot.ID)
	if err != nil {
		return err
	}
	defer stored.Close()
	return protocols.RunShares(s, stored, run)
}

// writeStore makes a store with one version.
func writeStore(d *dealer, dir string, set *job.Dataset, columns []generated) (*sharestore.Store, error) {
	key := filepath.Join(dir, "vault.key")
	if err := vault.MakeKey(key); err != nil {
		return nil, err
	}
	loaded, err := vault.LoadKey(key)
	if err != nil {
		return nil, err
	}
	store, err := sharestore.Open(sharestore.Config{Dir: filepath.Join(dir, "shares"), Key: loaded, Self: d.s.Name(d.s.Self()), Datasets: []string{set.Name}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := fillStore(d, store.Dataset(set.Name), set, columns); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// fillStore writes the version.
func fillStore(d *dealer, to *sharestore.Dataset, set *job.Dataset, columns []generated) error {
	change, err := to.Begin(d.s.Context(), job.Hash{})
	if err != nil {
		return err
	}
	id := job.Hash{1}
	v := &protocols.ShareSnapshot{ID: id, Deposit: id, Dataset: set.Name, Version: 1, Parties: d.names()}
	for i := range set.Schema.Columns {
		c := &set.Schema.Columns[i]
		v.Columns = append(v.Columns, protocols.ShareColumn{Name: c.Name, Meaning: c.Meaning()})
	}
	for lo := 0; lo < set.Rows(); lo += storedChunk {
		info, err := d.putChunk(change, len(v.Chunks), columns, lo, min(lo+storedChunk, set.Rows()))
		if err != nil {
			change.Discard()
			return err
		}
		v.Chunks = append(v.Chunks, info)
	}
	if err := change.Finish(&protocols.ShareVersion{Snapshot: v, Party: true}, 0); err != nil {
		change.Discard()
		return err
	}
	if err := change.Commit(); err != nil {
		return err
	}
	change.Confirm()
	return nil
}

// names are the parties' names.
func (d *dealer) names() []string {
	var out []string
	for _, p := range d.s.Compute() {
		out = append(out, d.s.Name(p))
	}
	return out
}

// putChunk writes what this party has of a chunk, rows lo to hi-1.
func (d *dealer) putChunk(change protocols.ShareChange, k int, columns []generated, lo, hi int) (protocols.ShareChunkInfo, error) {
	var seeds [3]mpc.Seed
	coins := d.s.Step("store", k).ExpandSeed(d.seed)
	for i := range seeds {
		coins.Fill(seeds[i][:])
	}
	chunk := protocols.DealChunk(k, seeds, storedBlocks(columns, lo, hi))
	info := protocols.ShareChunkInfo{Site: "site", Rows: hi - lo, Explicit: chunk.Explicit}
	head, holds := chunk.Head(d.s.Role())
	if err := change.PutHead(k, &head); err != nil || !holds {
		return info, err
	}
	for i, b := range chunk.Blocks {
		if err := change.PutBlock(k, i+protocols.PresentColumn, b); err != nil {
			return info, err
		}
	}
	return info, nil
}

// storedBlocks are rows in the clear: that they are there, and every column.
func storedBlocks(columns []generated, lo, hi int) []*protocols.ShareBlock {
	n := hi - lo
	all := ring.MakePlanes(n, 1)
	all.Words.Not()
	all.Mask()
	out := []*protocols.ShareBlock{{Rows: n, Bits: all.Words}}
	for c := range columns {
		b := &protocols.ShareBlock{Rows: n, Codes: make(ring.Vec64, n), Bits: make(ring.Words, ring.Stride(n))}
		valid := ring.Planes{N: n, W: 1, Words: b.Bits}
		for i := range n {
			if x, ok := columns[c].cell(lo + i); ok {
				b.Codes[i] = uint64(x)
				valid.SetBit(0, i, true)
			}
		}
		out = append(out, b)
	}
	return out
}
