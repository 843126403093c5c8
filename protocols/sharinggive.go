package protocols

import (
	"context"
	"errors"
	"slices"
	"sync"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// give deals this site's rows: one goroutine reads, one takes the seeds' components off,
// and this one sends.
func (d *deal) give(s *mpc.Session, b *batch) error {
	source, err := newShareSource(s.Context(), d.Data, d.plan.Dataset, d.next.Columns)
	if err != nil {
		return err
	}
	defer source.reader.Release()
	ctx, stop := context.WithCancel(s.Context())
	line := newDealLine(ctx, d, s, b)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { line.filled.end(line.read(source)) })
	wg.Go(func() { line.masked.end(line.mask()) })
	for {
		c, err := line.masked.next()
		if err != nil {
			return err
		}
		if c == nil {
			break
		}
		if err := d.send(s, c); err != nil {
			return err
		}
		line.free <- c.blocks // there is a place for each
	}
	d.source = source.source()
	d.confess(s, b)
	return nil
}

// dealtChunk is a chunk on its way.
type dealtChunk struct {
	k      int
	seeds  [3]mpc.Seed // of the explicit component: the salt
	blocks plainBlocks // in the clear, and then the explicit component
}

// belt hands chunks from one goroutine to the next, and at last the end or an error.
type belt struct {
	ctx    context.Context
	chunks chan *dealtChunk // nil: the end
	errs   chan error
}

func newBelt(ctx context.Context) *belt {
	return &belt{ctx, make(chan *dealtChunk), make(chan error, 1)}
}

// put hands a chunk on.
func (b *belt) put(c *dealtChunk) error {
	select {
	case b.chunks <- c:
		return nil
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
}

// end says that no chunk comes any more, and why.
func (b *belt) end(err error) {
	if err != nil {
		b.errs <- err
		return
	}
	if err := b.put(nil); err != nil {
		b.errs <- err
	}
}

// next returns the next chunk, nil at the end.
func (b *belt) next() (*dealtChunk, error) {
	select {
	case c := <-b.chunks:
		return c, nil
	case err := <-b.errs:
		return nil, err
	}
}

// dealLine is what a site's chunks go through. There are as many chunks at work as it has
// memory for.
type dealLine struct {
	*deal
	ctx            context.Context
	batch          *batch
	coins          *mpc.Coins
	free           chan plainBlocks
	filled, masked *belt
}

// chunksAtWork is how many chunks a site has in memory: one is read, one is worked at,
// one is sent.
const chunksAtWork = 3

func newDealLine(ctx context.Context, d *deal, s *mpc.Session, b *batch) *dealLine {
	l := &dealLine{
		deal: d, ctx: ctx, batch: b, coins: s.OwnCoins(), free: make(chan plainBlocks, chunksAtWork),
		filled: newBelt(ctx), masked: newBelt(ctx),
	}
	for range min(chunksAtWork, len(b.rows)) {
		l.free <- newPlainBlocks(len(d.next.Columns), b.rows[0])
	}
	return l
}

// read fills chunks. Those past the source's end stay without rows.
func (l *dealLine) read(source *shareSource) error {
	for i, rows := range l.batch.rows {
		var blocks plainBlocks
		select {
		case blocks = <-l.free:
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
		if i == 0 && l.own != nil {
			if err := source.skip(l.own, blocks); err != nil {
				return err
			}
		}
		blocks.reset(rows)
		if _, err := source.fill(blocks, rows); err != nil {
			return err
		}
		if err := l.filled.put(&dealtChunk{k: l.batch.first + i, blocks: blocks}); err != nil {
			return err
		}
	}
	return l.checkEnd(source)
}

// checkEnd refuses a source that has more rows than the roster declares. What a job that
// names a number of rows leaves waits for the next.
func (l *dealLine) checkEnd(source *shareSource) error {
	more, err := source.next()
	if err == nil && more && l.rows == 0 {
		err = errors.New("the file has more rows than the roster declares; agree on a roster with the new number")
	}
	return err
}

// reset makes the blocks those of an empty chunk of so many rows, at most as many as
// there were first.
func (p plainBlocks) reset(rows int) {
	for _, b := range p {
		b.Rows, b.Bits = rows, b.Bits[:ring.Stride(rows)]
		if b.Codes != nil {
			b.Codes = b.Codes[:rows]
		}
		clear(b.Codes)
		clear(b.Bits)
	}
}

// mask takes the components that seeds stand for off every chunk, and commits to all
// three.
func (l *dealLine) mask() error {
	for {
		c, err := l.filled.next()
		if err != nil || c == nil {
			return err
		}
		for i := range c.seeds {
			l.coins.Fill(c.seeds[i][:])
		}
		explicit := explicitOf(c.k)
		commitment := blockCommitment{salt: c.seeds[explicit]}
		for i, b := range c.blocks {
			b.subSeeds(c.k, c.seeds, i+PresentColumn)
			commitment.column(b)
		}
		for i, seed := range c.seeds {
			l.known[c.k][i] = seedCommitment(seed)
		}
		l.known[c.k][explicit] = commitment.sum()
		if err := l.masked.put(c); err != nil {
			return err
		}
	}
}

// send brings a chunk to the parties: to each its seeds, to two the explicit component.
func (d *deal) send(s *mpc.Session, c *dealtChunk) error {
	explicit := explicitOf(c.k)
	var to []mpc.PartyID
	mine := false
	for role, p := range d.parties {
		head := headOf(role, explicit, c.seeds)
		if p == d.self {
			if err := d.change.PutHead(c.k, &head); err != nil {
				return err
			}
			mine = head.Salt != nil
			continue
		}
		s.Send(p, headFrame(&head))
		if head.Salt != nil {
			to = append(to, p)
		}
	}
	for i, b := range c.blocks {
		sendBlock(s, to, b)
		if mine {
			if err := d.change.PutBlock(c.k, i+PresentColumn, b); err != nil {
				return err
			}
		}
	}
	return s.Err()
}

// confess tells the other parties this site's commitments.
func (d *deal) confess(s *mpc.Session, b *batch) {
	for i := range b.rows {
		known := d.known[b.first+i]
		frame := slices.Concat(known[0][:], known[1][:], known[2][:])
		for _, p := range d.parties {
			if p != d.self {
				s.Send(p, frame)
			}
		}
	}
}

// headBytes is the length of a head on its way: of A, B and the salt, zeros where there
// is none.
const headBytes = 3 * mpc.SeedSize

func headFrame(h *ShareHead) []byte {
	frame := make([]byte, headBytes)
	for i, seed := range []*mpc.Seed{h.A, h.B, h.Salt} {
		if seed != nil {
			copy(frame[i*mpc.SeedSize:], seed[:])
		}
	}
	return frame
}

// parseHeadFrame reads a head: which seeds it has follows from the role.
func parseHeadFrame(frame []byte, role, explicit int) (*ShareHead, error) {
	if len(frame) != headBytes {
		return nil, errors.New("seeds of a chunk have another length")
	}
	var seeds [3]mpc.Seed
	copy(seeds[role][:], frame)
	copy(seeds[(role+1)%3][:], frame[mpc.SeedSize:])
	if role == explicit || (role+1)%3 == explicit {
		copy(seeds[explicit][:], frame[2*mpc.SeedSize:])
	}
	h := headOf(role, explicit, seeds)
	return &h, nil
}
