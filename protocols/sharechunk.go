package protocols

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
	"strconv"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// LoadChunk reads columns of chunk k as the party of that role holds them.
func LoadChunk(stored StoredShares, role, k int, columns ...string) (*ShareChunk, error) {
	snapshot := stored.Version().Snapshot
	info := snapshot.Chunks[k]
	head, err := stored.Head(k)
	if err != nil {
		return nil, err
	}
	l := &chunkLoader{stored: stored, k: k, role: role, info: &info, head: head}
	out := &ShareChunk{Rows: info.Rows, Codes: map[string]rss.Vec{}, Valid: map[string]rss.Bits{}}
	if _, out.Present, err = l.column(PresentColumn); err != nil {
		return nil, err
	}
	for _, name := range columns {
		i := slices.IndexFunc(snapshot.Columns, func(c ShareColumn) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("column %.64q is not deposited", name)
		}
		if out.Codes[name], out.Valid[name], err = l.column(i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// chunkLoader puts the components of one chunk together.
type chunkLoader struct {
	stored  StoredShares
	k, role int
	info    *ShareChunkInfo
	head    *ShareHead
}

// column returns this party's part of a column: its codes, but of PresentColumn, and
// its bits.
func (l *chunkLoader) column(i int) (rss.Vec, rss.Bits, error) {
	a, err := l.component(i, l.role, l.head.A)
	if err != nil {
		return rss.Vec{}, rss.Bits{}, err
	}
	b, err := l.component(i, (l.role+1)%3, l.head.B)
	if err != nil {
		return rss.Vec{}, rss.Bits{}, err
	}
	n := l.info.Rows
	return rss.Vec{A: a.Codes, B: b.Codes}, rss.Bits{A: ring.Planes{N: n, W: 1, Words: a.Bits}, B: ring.Planes{N: n, W: 1, Words: b.Bits}}, nil
}

func (l *chunkLoader) component(column, component int, seed *mpc.Seed) (*ShareBlock, error) {
	if component == l.info.Explicit {
		return l.stored.Block(l.k, column)
	}
	if seed == nil {
		return nil, fmt.Errorf("chunk %d: the seed of a component is missing", l.k)
	}
	return expandBlock(*seed, column, l.info.Rows), nil
}

// expandBlock returns the component of a column that a seed stands for.
func expandBlock(seed mpc.Seed, column, rows int) *ShareBlock {
	b := newBlock(column, rows)
	b.addSeed(seed, column)
	return b
}

// newBlock returns zeros.
func newBlock(column, rows int) *ShareBlock {
	b := &ShareBlock{Rows: rows, Bits: make(ring.Words, ring.Stride(rows))}
	if column != PresentColumn {
		b.Codes = make(ring.Vec64, rows)
	}
	return b
}

// shaped returns a block in the same memory, where that suffices; what is in it means
// nothing.
func (b *ShareBlock) shaped(column, rows int) *ShareBlock {
	if cap(b.Bits) < ring.Stride(rows) || column != PresentColumn && cap(b.Codes) < rows {
		return newBlock(column, rows)
	}
	out := &ShareBlock{Rows: rows, Bits: b.Bits[:ring.Stride(rows)]}
	if column != PresentColumn {
		out.Codes = b.Codes[:rows]
	}
	return out
}

// addSeed adds the component that a seed stands for: modulo 2^64 of codes, by XOR of bits.
func (b *ShareBlock) addSeed(seed mpc.Seed, column int) {
	eachCoins(seed.Kept("codes "+strconv.Itoa(column)), b.Codes, ring.Vec64.AddBytes)
	eachCoins(seed.Kept("bits "+strconv.Itoa(column)), b.Bits, ring.Words.AddBytes)
	b.mask()
}

// subSeed takes it off.
func (b *ShareBlock) subSeed(seed mpc.Seed, column int) {
	eachCoins(seed.Kept("codes "+strconv.Itoa(column)), b.Codes, ring.Vec64.SubBytes)
	eachCoins(seed.Kept("bits "+strconv.Itoa(column)), b.Bits, ring.Words.SubBytes)
	b.mask()
}

// subSeeds takes off what the seeds of chunk k stand for, and leaves the explicit
// component.
func (b *ShareBlock) subSeeds(k int, seeds [3]mpc.Seed, column int) {
	for i, seed := range seeds {
		if i != explicitOf(k) {
			b.subSeed(seed, column)
		}
	}
}

// add adds another component.
func (b *ShareBlock) add(other *ShareBlock) {
	for i, x := range other.Codes {
		b.Codes[i] += x
	}
	b.Bits.Xor(b.Bits, other.Bits)
}

// mask clears the bits past the last row.
func (b *ShareBlock) mask() { ring.Planes{N: b.Rows, W: 1, Words: b.Bits}.Mask() }

// partBytes is how much of a vector is at work at once: it stays in the cache.
const partBytes = 32 << 10

// eachCoins applies the next coins to a vector, part by part.
func eachCoins[V ring.Group[V]](coins *mpc.Coins, v V, apply func(V, []byte)) {
	var buf [partBytes]byte
	for lo := 0; lo < v.Len(); lo += partBytes / ring.Size64 {
		part := v.Slice(lo, min(lo+partBytes/ring.Size64, v.Len()))
		b := buf[:part.Size()]
		coins.Fill(b)
		apply(part, b)
	}
}

// seedCommitment commits to a component that a seed stands for: nobody finds the seed
// by it.
func seedCommitment(seed mpc.Seed) word {
	return sha256.Sum256(slices.Concat([]byte("consilium share seed v1\x00"), seed[:]))
}

// blockCommitment begins a commitment to an explicit component. Without the salt, guesses
// of the rows could be tried by who knows the other two components.
type blockCommitment struct {
	salt    mpc.Seed
	columns [][]byte
}

// column adds the next column: all of them, in the snapshot's order, and before them
// PresentColumn.
func (c *blockCommitment) column(b *ShareBlock) {
	h := sha256.New()
	h.Write(c.salt[:])
	fmt.Fprintf(h, "%d %d\x00", b.Rows, len(b.Codes))
	hashWords(h, b.Codes)
	hashWords(h, ring.Vec64(b.Bits))
	c.columns = append(c.columns, h.Sum(nil))
}

func hashWords(h hash.Hash, v ring.Vec64) {
	var buf [partBytes]byte
	for part := range slices.Chunk(v, partBytes/ring.Size64) {
		h.Write(part.Append(buf[:0]))
	}
}

func (c *blockCommitment) sum() word {
	text := slices.Concat([]byte("consilium share blocks v1\x00"), c.salt[:])
	return sha256.Sum256(append(text, slices.Concat(c.columns...)...))
}

// explicitOf says which component of chunk k no seed stands for. It goes round, so that
// each party keeps and receives as much as the others.
func explicitOf(k int) int { return k % 3 }

// DealtChunk is a chunk of rows that is shared out.
type DealtChunk struct {
	Explicit int           // the component that no seed stands for
	Blocks   []*ShareBlock // which is this: PresentColumn's, then each column's
	seeds    [3]mpc.Seed
}

// DealChunk shares out blocks in the clear, PresentColumn's first, as chunk k, in their
// memory. The seeds are drawn for it alone.
func DealChunk(k int, seeds [3]mpc.Seed, blocks []*ShareBlock) *DealtChunk {
	c := &DealtChunk{explicitOf(k), blocks, seeds}
	for i, b := range blocks {
		b.subSeeds(k, seeds, i+PresentColumn)
	}
	return c
}

// Head is what the party of a role keeps beside the blocks, and whether it keeps these.
func (c *DealtChunk) Head(role int) (h ShareHead, holds bool) {
	h = headOf(role, c.Explicit, c.seeds)
	return h, h.Salt != nil
}

// headOf is what the party of a role keeps of the components' seeds; that of the
// explicit one is the salt of its commitment.
func headOf(role, explicit int, seeds [3]mpc.Seed) ShareHead {
	var h ShareHead
	a, b := role, (role+1)%3
	if a != explicit {
		h.A = &seeds[a]
	}
	if b != explicit {
		h.B = &seeds[b]
	}
	if a == explicit || b == explicit {
		h.Salt = &seeds[explicit]
	}
	return h
}
