package protocols

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
)

// sharesInMemory is a ShareStore that does everything the obvious way.
type sharesInMemory struct {
	t testing.TB

	mu       sync.Mutex
	versions []*sharesVersion // the newest first
	changing bool
	damaged  bool  // none of the versions can be read
	pending  int   // changes that were neither committed nor discarded
	open     int   // versions that were not closed
	full     error // what every write gets, if not nil
}

// sharesVersion is one version, with what this party keeps of its chunks.
type sharesVersion struct {
	ShareVersion
	heads  map[int]ShareHead
	blocks map[[2]int]ShareBlock
}

func newShares(t testing.TB) *sharesInMemory { return &sharesInMemory{t: t} }

// Versions implements ShareStore.
func (m *sharesInMemory) Versions() ([]*ShareVersion, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*ShareVersion
	if m.damaged {
		return nil, ErrSharesDamaged
	}
	for _, v := range m.versions {
		out = append(out, &v.ShareVersion)
	}
	return out, nil
}

func (m *sharesInMemory) find(id job.Hash) *sharesVersion {
	i := slices.IndexFunc(m.versions, func(v *sharesVersion) bool { return v.Snapshot.ID == id })
	if i < 0 {
		return nil
	}
	return m.versions[i]
}

// Open implements ShareStore.
func (m *sharesInMemory) Open(id job.Hash) (StoredShares, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.find(id)
	if v == nil || !v.Party {
		return nil, ErrNoShares
	}
	m.open++
	return &sharesReader{m, v}, nil
}

type sharesReader struct {
	store *sharesInMemory
	*sharesVersion
}

func (r *sharesReader) Version() *ShareVersion { return &r.ShareVersion }

func (r *sharesReader) Head(k int) (*ShareHead, error) {
	h, ok := r.heads[k]
	if !ok {
		return nil, errors.New("no such chunk")
	}
	return &h, nil
}

func (r *sharesReader) Block(k, column int) (*ShareBlock, error) {
	b, ok := r.blocks[[2]int{k, column}]
	if !ok {
		return nil, errors.New("no such block")
	}
	return &ShareBlock{Rows: b.Rows, Codes: slices.Clone(b.Codes), Bits: slices.Clone(b.Bits)}, nil
}

func (r *sharesReader) Close() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.open--
}

// Begin implements ShareStore.
func (m *sharesInMemory) Begin(_ context.Context, base job.Hash) (ShareChange, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changing {
		return nil, ErrShareChange
	}
	c := &sharesChange{store: m, next: &sharesVersion{heads: map[int]ShareHead{}, blocks: map[[2]int]ShareBlock{}}}
	if base != (job.Hash{}) {
		v := m.find(base)
		if v == nil {
			return nil, errors.New("no such version")
		}
		m.versions = []*sharesVersion{v}
		if v.Party {
			c.base = &sharesReader{m, v}
			m.open++
		}
	}
	m.changing, m.damaged = true, false // what is written now can be read
	m.pending++
	return c, nil
}

type sharesChange struct {
	store *sharesInMemory
	base  StoredShares
	next  *sharesVersion
	mu    sync.Mutex
	done  bool
}

func (c *sharesChange) Base() StoredShares { return c.base }

func (c *sharesChange) PutHead(k int, h *ShareHead) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.next.heads[k]; ok {
		return errors.New("a head came twice")
	}
	c.next.heads[k] = *h
	return c.store.full
}

func (c *sharesChange) PutBlock(k, column int, b *ShareBlock) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.next.blocks[[2]int{k, column}]; ok {
		return errors.New("a block came twice")
	}
	c.next.blocks[[2]int{k, column}] = ShareBlock{b.Rows, slices.Clone(b.Codes), slices.Clone(b.Bits)}
	return c.store.full
}

func (c *sharesChange) Finish(v *ShareVersion, first int) error {
	c.next.ShareVersion = *v
	if base, ok := c.base.(*sharesReader); ok {
		for k := range first {
			c.next.heads[k] = base.heads[k]
			for column := PresentColumn; column < len(v.Snapshot.Columns); column++ {
				if b, ok := base.blocks[[2]int{k, column}]; ok {
					c.next.blocks[[2]int{k, column}] = b
				}
			}
		}
	}
	return c.store.full
}

// over ends the change, once.
func (c *sharesChange) over() bool {
	if c.done {
		return false
	}
	c.done, c.store.changing = true, false
	c.store.pending--
	if c.base != nil {
		c.store.open--
	}
	return true
}

func (c *sharesChange) Commit() error {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if !c.over() {
		c.store.t.Error("a change was committed twice")
	}
	c.store.versions = append([]*sharesVersion{c.next}, c.store.versions...)
	c.store.versions = c.store.versions[:min(len(c.store.versions), maxVersions)]
	return nil
}

func (c *sharesChange) Discard() {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.over()
}

func (c *sharesChange) Confirm() {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if c.store.versions[0] == c.next {
		c.store.versions = c.store.versions[:1]
	}
}

// Withdraw implements ShareStore.
func (m *sharesInMemory) Withdraw(context.Context) (Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.versions) == 0 {
		return nil, ErrNoShares
	}
	m.pending++
	return &sharesWithdrawal{m}, nil
}

type sharesWithdrawal struct{ store *sharesInMemory }

func (c *sharesWithdrawal) Commit() error {
	c.Discard()
	c.store.versions = nil
	return nil
}

func (c *sharesWithdrawal) Discard() {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.pending--
}

// plainColumn is a column in the clear: codes, 0 where missing, and where there is one.
type plainColumn struct {
	codes []int64
	valid []bool
}

// plainChunk is a chunk in the clear; nil for present is all rows.
type plainChunk struct {
	site    string
	rows    int // public
	present []bool
	columns map[string]plainColumn
}

// putShares gives three stores a version with these chunks, as a deposit would.
func putShares(t testing.TB, stores [3]*sharesInMemory, snapshot ShareSnapshot, chunks []plainChunk) {
	t.Helper()
	var next [3]*sharesVersion
	for role := range next {
		next[role] = &sharesVersion{heads: map[int]ShareHead{}, blocks: map[[2]int]ShareBlock{}}
	}
	for k, chunk := range chunks {
		explicit := explicitOf(k)
		snapshot.Chunks = append(snapshot.Chunks, ShareChunkInfo{Site: chunk.site, Rows: chunk.rows, Explicit: explicit})
		var seeds [3]mpc.Seed
		for i := range seeds {
			seeds[i] = mpc.Seed{1, byte(k), byte(k >> 8), byte(i)}
		}
		for role := range next {
			next[role].heads[k] = headOf(role, explicit, seeds)
		}
		for column := PresentColumn; column < len(snapshot.Columns); column++ {
			b := newBlock(column, chunk.rows)
			bits := chunk.present
			if column != PresentColumn {
				plain := chunk.columns[snapshot.Columns[column].Name]
				for i, x := range plain.codes {
					b.Codes[i] = uint64(x)
				}
				bits = plain.valid
			}
			planes := ring.Planes{N: chunk.rows, W: 1, Words: b.Bits}
			for i := range chunk.rows {
				if bits == nil && column == PresentColumn || bits != nil && i < len(bits) && bits[i] {
					planes.SetBit(0, i, true)
				}
			}
			for c := range seeds {
				if c != explicit {
					b.subSeed(seeds[c], column)
				}
			}
			for role := range next {
				if role == explicit || (role+1)%3 == explicit {
					next[role].blocks[[2]int{k, column}] = *b
				}
			}
		}
	}
	for role, store := range stores {
		next[role].ShareVersion = ShareVersion{Snapshot: &snapshot, Party: true}
		store.versions = append([]*sharesVersion{next[role]}, store.versions...)
	}
}

// What putShares gives, LoadChunk puts together.
func TestLoadChunk(t *testing.T) {
	var stores [3]*sharesInMemory
	for role := range stores {
		stores[role] = newShares(t)
	}
	n := 130
	x := plainColumn{make([]int64, n), make([]bool, n)}
	present := make([]bool, n)
	for i := range n {
		if present[i] = i < 120; i%3 != 0 && present[i] {
			x.codes[i], x.valid[i] = int64(i)-50, true
		}
	}
	snapshot := ShareSnapshot{ID: job.Hash{1}, Dataset: "lung", Columns: []ShareColumn{{Name: "age"}}}
	chunk := plainChunk{site: "hospital-1", rows: n, present: present, columns: map[string]plainColumn{"age": x}}
	putShares(t, stores, snapshot, []plainChunk{chunk, chunk, chunk})
	for k := range 3 {
		var parts [3]*ShareChunk
		for role, store := range stores {
			stored, err := store.Open(job.Hash{1})
			if err == nil {
				parts[role], err = LoadChunk(stored, role, k, "age")
				stored.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			var code uint64
			var valid, there bool
			for role, p := range parts {
				next := parts[(role+1)%3]
				if p.Codes["age"].B[i] != next.Codes["age"].A[i] {
					t.Fatal("the holders of a component differ")
				}
				code += p.Codes["age"].A[i]
				valid = valid != p.Valid["age"].A.Bit(0, i)
				there = there != p.Present.A.Bit(0, i)
			}
			if int64(code) != x.codes[i] || valid != x.valid[i] || there != present[i] {
				t.Fatalf("chunk %d row %d: %d %t %t", k, i, int64(code), valid, there)
			}
		}
	}
}
