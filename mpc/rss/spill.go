package rss

import (
	"errors"
	"fmt"
	"sync"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/spool"
)

// Spill makes Chunked rows, and ends them. Those of more than one chunk it keeps in
// temporary files, encrypted under keys that are nowhere else.
type Spill struct {
	dir   *spool.Dir
	chunk int

	mu   sync.Mutex
	open map[*Chunked]struct{}
}

// ChunkRows is how many rows a chunk has between parties of one study, who must all have
// the same: enough that the rounds of a chunk cost less than its rows, few enough that a
// hundred columns of them fit a hundred megabytes.
const ChunkRows = 1 << 16

// NewSpill is for chunks of that many rows, a multiple of 64, and files in a directory.
// Its owner closes it.
func NewSpill(dir *spool.Dir, chunkRows int) *Spill {
	return &Spill{dir: dir, chunk: chunkRows, open: make(map[*Chunked]struct{})}
}

// Close ends all that was made and has not ended.
func (sp *Spill) Close() error {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	var err error
	for t := range sp.open {
		err = errors.Join(err, t.end())
	}
	clear(sp.open)
	return err
}

// New makes Chunked of so many rows, narrow columns and wide ones, of which nothing is
// put yet.
func (sp *Spill) New(s *mpc.Session, rows, narrow, wide int) *Chunked {
	return sp.NewOf(s, sp.chunk, rows, narrow, wide)
}

// ChunkRows is how many rows a chunk has of what New makes.
func (sp *Spill) ChunkRows() int { return sp.chunk }

// NewOf is New for chunks of another number of rows, a multiple of 64: what several of
// them take in side by side is to be held in memory together.
func (sp *Spill) NewOf(s *mpc.Session, chunk, rows, narrow, wide int) *Chunked {
	t := &Chunked{spill: sp, rows: rows, chunk: chunk, narrow: narrow, wide: wide}
	if rows <= 0 || chunk <= 0 || chunk%wordBits != 0 {
		s.Fail(fmt.Errorf("%d rows in chunks of %d", rows, chunk))
		t.rows, t.chunk = max(rows, 1), max(chunk, 1)
		return t
	}
	t.ends = make([]chunkEnds, t.Chunks())
	if t.Chunks() == 1 {
		return t
	}
	file, err := sp.dir.Create(2 * ring.Size64 * chunk)
	if err != nil {
		s.Fail(err)
		return t
	}
	t.file = file
	sp.mu.Lock()
	sp.open[t] = struct{}{}
	sp.mu.Unlock()
	return t
}
