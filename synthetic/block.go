package synthetic

import (
	"context"
	"runtime"
	"sync"

	"consilium/job"
)

// Maker makes a dataset's rows. Its calls may come from several goroutines.
type Maker interface {
	Schema() *job.Schema
	// Fill sets every cell of the block.
	Fill(b *Block)
}

// Block is a run of rows, column by column in the schema's order.
type Block struct {
	First   int64 // number of its first row in the dataset, from 0
	Rows    int
	Columns []Cells
}

// Cells are a column's cells of a block: codes by the schema, and whether there is
// one at all.
type Cells struct {
	Codes []int64
	Valid []bool
}

// blockRows is how many rows a block has, and so a row group of a Parquet file:
// enough that readers work on groups in parallel at little cost for each.
const blockRows = 1 << 17

// maxWorkers is how many goroutines make blocks; a single one writes them.
const maxWorkers = 4

func newBlock(columns int) *Block {
	b := &Block{Columns: make([]Cells, columns)}
	for i := range b.Columns {
		b.Columns[i] = Cells{make([]int64, blockRows), make([]bool, blockRows)}
	}
	return b
}

// resize makes the block one of rows rows from first on.
func (b *Block) resize(first int64, rows int) {
	b.First, b.Rows = first, rows
	for i := range b.Columns {
		c := &b.Columns[i]
		c.Codes, c.Valid = c.Codes[:rows], c.Valid[:rows]
	}
}

// each makes rows first to first + rows - 1 and hands their blocks to write in
// order, while others are being made. It holds at most eight blocks, of about
// 1.2 MB a column each.
func each(ctx context.Context, m Maker, first, rows int64, write func(*Block) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	blocks := (rows + blockRows - 1) / blockRows
	free := make(chan *Block, 2*workers)
	for range 2 * workers {
		free <- newBlock(len(m.Schema().Columns))
	}
	made := make([]chan *Block, 2*workers) // block k comes through made[k % len]
	for i := range made {
		made[i] = make(chan *Block, 1)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	turns := make(chan int64)
	wg.Go(func() {
		defer close(turns)
		for k := range blocks {
			select {
			case turns <- k:
			case <-ctx.Done():
				return
			}
		}
	})
	for range workers {
		wg.Go(func() {
			for {
				// The block comes before the turn: so the earliest block that is not
				// written yet is always being made.
				var b *Block
				select {
				case b = <-free:
				case <-ctx.Done():
					return
				}
				k, more := <-turns
				if !more {
					return
				}
				at := k * blockRows
				b.resize(first+at, int(min(blockRows, rows-at)))
				m.Fill(b)
				made[k%int64(len(made))] <- b // there is room: turns go no further ahead than there are blocks
			}
		})
	}
	for k := range blocks {
		select {
		case b := <-made[k%int64(len(made))]:
			if err := write(b); err != nil {
				return err
			}
			free <- b
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
