package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/node/sharestore"
	"consilium/node/vault"
	"consilium/protocols"
	"consilium/protocols/oblivious"
)

// A dataset as parties keep it: on disk, encrypted, in the chunks that a deposit makes.
// Each party writes what a deposit would give it before the clock starts.

const (
	storedColumns = 5
	// storedMost bounds the codes: a lab value in tenths, with room.
	storedMost = 1 << 17
	// storedChunk is a chunk of a deposit of so few columns.
	storedChunk = 1 << 18
	storedName  = "cohort"
)

// storedCode is the data in the clear, by row and column: a tenth is missing.
func storedCode(i, c int) (int64, bool) {
	if below(10, i, 2*c) == 0 {
		return 0, false
	}
	return below(storedMost, i, 2*c+1), true
}

func storedDataset(rows int) *job.Dataset {
	d := &job.Dataset{Name: storedName, Sites: []job.Site{{Node: "site", Rows: rows}}}
	for c := range storedColumns {
		d.Schema.Columns = append(d.Schema.Columns, whole(fmt.Sprintf("lab%d", c+1), storedMost-1, nil).Column)
	}
	return d
}

// setupStore writes the party's store, and plans the sums that describe takes of every
// column: n, the sum and the sum of squares, and the number of rows.
func setupStore(d *dealer, n size) task {
	t, err := newStoreTask(d, n.rows)
	if err != nil {
		return impossible(err)
	}
	return t
}

func newStoreTask(d *dealer, rows int) (t task, err error) {
	begin := time.Now()
	dir, err := os.MkdirTemp("", "consilium-store-")
	if err != nil {
		return t, err
	}
	t.close = func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	set := storedDataset(rows)
	program, err := storedProgram(set)
	if err != nil {
		return t, err
	}
	store, err := writeStore(d, dir, set)
	if err != nil {
		return t, err
	}
	t.close = func() error { return errors.Join(store.Close(), os.RemoveAll(dir)) }
	t.prepared, t.reads = time.Since(begin).Seconds(), 8*rows*storedColumns
	t.run = func(s *mpc.Session) output {
		run := program.Start()
		if err := runStore(s, store, run); err != nil {
			s.Fail(err)
		}
		sums := run.End(s.Step("end"))
		values := map[string]rss.Vec128{}
		for i, x := range sums {
			values[fmt.Sprint(i)] = x
		}
		return output{values: values}
	}
	t.check = func(c *checker, out output) error { return checkStored(c, out, rows) }
	return t, nil
}

// storedProgram is the sums of a description.
func storedProgram(set *job.Dataset) (*oblivious.Program, error) {
	a, err := protocols.Lookup("describe")
	if err != nil {
		return nil, err
	}
	names := make([]any, storedColumns)
	for i, name := range set.Schema.Names() {
		names[i] = name
	}
	plan, err := a.(protocols.Summarizer).PlanSums(&job.Job{Args: map[string]any{"columns": names}}, set, job.Disclosure{})
	if err != nil {
		return nil, err
	}
	return oblivious.Compile(&oblivious.Question{Schema: &set.Schema, Rows: set.Rows(), Summaries: plan.Summaries})
}

// runStore opens the version in force and computes.
func runStore(s *mpc.Session, store *sharestore.Store, run *oblivious.Run) error {
	versions, err := store.Dataset(storedName).Versions()
	if err != nil {
		return err
	}
	stored, err := store.Dataset(storedName).Open(versions[0].Snapshot.ID)
	if err != nil {
		return err
	}
	defer stored.Close()
	return protocols.RunShares(s, stored, run)
}

// writeStore makes a store with one version.
func writeStore(d *dealer, dir string, set *job.Dataset) (*sharestore.Store, error) {
	key := filepath.Join(dir, "vault.key")
	if err := vault.MakeKey(key); err != nil {
		return nil, err
	}
	loaded, err := vault.LoadKey(key)
	if err != nil {
		return nil, err
	}
	store, err := sharestore.Open(sharestore.Config{Dir: filepath.Join(dir, "shares"), Key: loaded, Self: d.s.Name(d.s.Self()), Datasets: []string{storedName}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := fillStore(d, store.Dataset(storedName), set); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// fillStore writes the version.
func fillStore(d *dealer, to *sharestore.Dataset, set *job.Dataset) error {
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
		info, err := d.putChunk(change, len(v.Chunks), lo, min(lo+storedChunk, set.Rows()))
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
func (d *dealer) putChunk(change protocols.ShareChange, k, lo, hi int) (protocols.ShareChunkInfo, error) {
	var seeds [3]mpc.Seed
	coins := d.s.Step("store", k).ExpandSeed(d.seed)
	for i := range seeds {
		coins.Fill(seeds[i][:])
	}
	chunk := protocols.DealChunk(k, seeds, storedBlocks(lo, hi))
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
func storedBlocks(lo, hi int) []*protocols.ShareBlock {
	n := hi - lo
	all := ring.MakePlanes(n, 1)
	all.Words.Not()
	all.Mask()
	out := []*protocols.ShareBlock{{Rows: n, Bits: all.Words}}
	for c := range storedColumns {
		b := &protocols.ShareBlock{Rows: n, Codes: make(ring.Vec64, n), Bits: make(ring.Words, ring.Stride(n))}
		valid := ring.Planes{N: n, W: 1, Words: b.Bits}
		for i := range n {
			if x, ok := storedCode(lo+i, c); ok {
				b.Codes[i] = uint64(x)
				valid.SetBit(0, i, true)
			}
		}
		out = append(out, b)
	}
	return out
}

// checkStored compares the sums with those in the clear.
func checkStored(c *checker, out output, rows int) error {
	for i := range storedColumns + 1 {
		want := []uint64{uint64(rows)}
		if i > 0 {
			want = storedSums(rows, i-1)
		}
		c.opened++
		got := rss.Open(c.s.Step("opened", c.opened), out.values[fmt.Sprint(i)]).Big()
		if err := c.s.Err(); err != nil {
			return err
		}
		for k, w := range want {
			if len(got) != len(want) || got[k].Cmp(new(big.Int).SetUint64(w)) != 0 {
				return fmt.Errorf("wrong result: sum %d of column %d is %v, want %d", k, i, got, w)
			}
		}
	}
	return nil
}

// storedSums are n, the sum and the sum of squares of a column, which fit 64 bits.
func storedSums(rows, column int) []uint64 {
	var n, sum, squares uint64
	for i := range rows {
		if x, ok := storedCode(i, column); ok {
			n, sum, squares = n+1, sum+uint64(x), squares+uint64(x*x)
		}
	}
	return []uint64{n, sum, squares}
}

// mostStored keeps sums of squares below 2^62.
const mostStored = 1 << (62 - 2*17)
