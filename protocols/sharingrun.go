package protocols

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
)

// deal is a node's part in a deposit as shares while it is made.
type deal struct {
	*work
	*sharePlan
	base    *ShareSnapshot // nil of a new deposit
	own     *ShareSource   // at a site: how far its rows went before
	next    *ShareSnapshot // without the commitments that are not known yet
	batches []batch
	change  ShareChange
	source  *ShareSource // at a site: how far its rows have gone
	known   [][3]word    // commitments that this node has worked out, by chunk; zeros where it has not
	writing *writing
}

// perform is a node's part in a deposit: a site deals, a party writes. Nothing of it is in
// force before all have seen the same commitments and said so.
func (sharing) perform(w *work, s *mpc.Session) ([]word, Change) {
	d := &deal{work: w, sharePlan: w.plan.Detail.(*sharePlan)}
	if err := d.begin(s.Step(stepSeal)); err != nil {
		s.Fail(err)
		return nil, d.begun()
	}
	d.carry(s.Step(stepSeal))
	if !mpc.Meet(s.Step(stepSeal).Step("carried"), w.dealers()) { // sites have files of different lengths
		return nil, d.change
	}
	at := s.Step(stepCompute)
	d.gather(at.Step("commitments"))
	version, digest := w.signSnapshot(at, d.next, w.dealers())
	if version == nil {
		return nil, d.change
	}
	version.Site, version.Party = d.source, w.isParty()
	if err := d.finish(at, version); err != nil {
		s.Fail(err)
	}
	return snapshotWordsOf(digest, d.next), d.change
}

// dealers are all who take part in a deposit: the parties and the dataset's sites.
func (w *work) dealers() []mpc.PartyID { return w.members() }

// begun is what there is to be discarded.
func (d *deal) begun() Change {
	if d.change == nil {
		return nil
	}
	return d.change
}

// begin finds what the rows are added to, and begins to write.
func (d *deal) begin(s *mpc.Session) error {
	id, err := d.findBase(s)
	if err != nil {
		return err
	}
	if d.change, err = d.Shares.Begin(s.Context(), id); err != nil {
		return err
	}
	var sites []string
	for _, p := range d.members() {
		sites = append(sites, s.Name(p))
	}
	if d.batches, err = d.sharePlan.batches(d.plan.Dataset, d.base, sites); err != nil {
		return err
	}
	d.next = &ShareSnapshot{ID: d.id, Deposit: d.id, Dataset: d.plan.Dataset.Name, Version: 1, Parties: d.roster.Parties, Columns: d.columns}
	if d.base != nil {
		d.next.Deposit, d.next.Version, d.next.Columns, d.next.Chunks = d.base.Deposit, d.base.Version+1, d.base.Columns, slices.Clone(d.base.Chunks)
	}
	for _, b := range d.batches {
		for _, rows := range b.rows {
			d.next.Chunks = append(d.next.Chunks, ShareChunkInfo{Site: b.name, Rows: rows, Explicit: explicitOf(len(d.next.Chunks))})
		}
	}
	d.known = make([][3]word, len(d.next.Chunks))
	return d.next.check()
}

// findBase returns the version, as this node names it, that the job changes; zero where
// it changes none.
func (d *deal) findBase(s *mpc.Session) (job.Hash, error) {
	if !d.isParty() {
		if !d.appends {
			return job.Hash{}, nil
		}
		return d.siteBase(s.Step("base"))
	}
	base, err := d.partyBase(s.Step("versions"))
	if err != nil {
		return job.Hash{}, err
	}
	if !d.appends {
		return base, nil
	}
	if base == (job.Hash{}) {
		return base, ErrNoShares
	}
	version, err := d.versionWith(func(v *ShareVersion) bool { return v.Party && v.Snapshot.ID == base })
	if err != nil {
		return base, err
	}
	if err := d.checkVersion(version.Snapshot); err != nil {
		return base, err
	}
	d.base, d.own = version.Snapshot, version.Site
	tell, text := s.Step("base"), version.Snapshot.Bytes()
	for _, p := range d.members() {
		if !slices.Contains(d.parties, p) {
			sendText(tell, p, text)
		}
	}
	return base, d.checkOwn()
}

// partyBase is what all parties have. A new deposit may replace what they do not have in
// common.
func (d *deal) partyBase(s *mpc.Session) (job.Hash, error) {
	id, err := d.commonVersion(s, d.parties)
	if apart := new(apartError); errors.As(err, &apart) && !d.appends {
		return job.Hash{}, nil
	}
	return id, err
}

// siteBase finds what a site that is no party has of the version that the parties add to.
func (d *deal) siteBase(s *mpc.Session) (id job.Hash, err error) {
	var first []byte
	for i, p := range d.parties {
		text := recvText(s, p, MaxSnapshotBytes)
		if text == nil {
			return id, s.Err()
		}
		if i > 0 && !bytes.Equal(text, first) {
			return id, fmt.Errorf("%s and %s add to different deposits", s.Name(p), s.Name(d.parties[0]))
		}
		first = text
	}
	if d.base, err = ParseShareSnapshot(first); err != nil {
		return id, err
	}
	if err := d.checkVersion(d.base); err != nil {
		return id, err
	}
	version, err := d.versionWith(func(v *ShareVersion) bool { return v.Snapshot.sameRows(d.base, d.Self) })
	if err == nil {
		id, d.own = version.Snapshot.ID, version.Site
	} else if errors.Is(err, errNoRecord) {
		err = nil // of a site that is new to the deposit
	}
	return id, errors.Join(err, d.checkOwn())
}

// errNoRecord says that a node has no version that would do.
var errNoRecord = errors.New("no such version here")

// versionWith finds a version that this node has.
func (d *deal) versionWith(match func(*ShareVersion) bool) (*ShareVersion, error) {
	versions, err := d.Shares.Versions()
	if err != nil && !errors.Is(err, ErrSharesDamaged) {
		return nil, err
	}
	for _, v := range versions {
		if match(v) {
			return v, nil
		}
	}
	return nil, errNoRecord
}

// checkOwn sees that a site knows how far its rows went.
func (d *deal) checkOwn() error {
	dealt := slices.ContainsFunc(d.base.Chunks, func(c ShareChunkInfo) bool { return c.Site == d.Self })
	if dealt && d.own == nil {
		return fmt.Errorf("%s has no record of how far its rows went into the deposit: deposit dataset %s anew", d.Self, d.plan.Dataset.Name)
	}
	return nil
}

// carry brings every site's shares to the parties. Sites do not wait for each other.
func (d *deal) carry(s *mpc.Session) {
	d.writing = newWriting(d.change)
	var wg sync.WaitGroup
	for i := range d.batches {
		b := &d.batches[i]
		step := s.Step("rows", b.node)
		switch {
		case b.name == d.Self:
			wg.Go(func() {
				if err := d.give(step, b); err != nil {
					s.Fail(fmt.Errorf("share out its rows of dataset %s: %w", d.plan.Dataset.Name, err))
				}
			})
		case d.isParty():
			wg.Go(func() { d.take(step, b) })
		}
	}
	wg.Wait()
	if err := d.writing.wait(); err != nil {
		s.Fail(err)
	}
	if d.source == nil {
		d.source = d.own // of a site that adds nothing
	}
}

// take receives one site's chunks and writes them.
func (d *deal) take(s *mpc.Session, b *batch) {
	from := mpc.PartyID(d.roster.NodeIndex(b.name))
	for i, rows := range b.rows {
		k := b.first + i
		explicit := explicitOf(k)
		frame := s.Recv(from, headBytes)
		if frame == nil {
			return
		}
		head, err := parseHeadFrame(frame, s.Role(), explicit)
		if err == nil {
			err = d.change.PutHead(k, head)
		}
		if err != nil {
			s.Fail(err)
			return
		}
		commitment := blockCommitment{}
		if head.Salt != nil {
			commitment.salt = *head.Salt
			for column := PresentColumn; column < len(d.next.Columns); column++ {
				block := d.writing.block(column, rows)
				if !recvBlock(s, from, block) {
					return
				}
				commitment.column(block)
				d.writing.put(k, column, block)
			}
		}
		d.known[k] = headCommitments(head, s.Role(), explicit, &commitment)
	}
	d.hear(s, from, b)
}

// headCommitments are those of the components that a head stands for, and of the explicit
// one where its party holds it.
func headCommitments(head *ShareHead, role, explicit int, blocks *blockCommitment) (out [3]word) {
	if head.A != nil {
		out[role] = seedCommitment(*head.A)
	}
	if head.B != nil {
		out[(role+1)%3] = seedCommitment(*head.B)
	}
	if head.Salt != nil {
		out[explicit] = blocks.sum()
	}
	return out
}

// hear receives the site's own commitments and holds them against what came.
func (d *deal) hear(s *mpc.Session, from mpc.PartyID, b *batch) {
	for i := range b.rows {
		k := b.first + i
		frame := s.Recv(from, 3*len(word{}))
		if frame == nil {
			return
		}
		for c := range d.known[k] {
			theirs := word(frame[c*len(word{}):])
			if d.known[k][c] != (word{}) && d.known[k][c] != theirs {
				s.Fail(fmt.Errorf("%s commits to other shares of chunk %d than it sent", s.Name(from), k))
				return
			}
			d.known[k][c] = theirs
		}
	}
}

// gather puts the commitments into the next version. Sites that are no party hear of the
// others' from the parties.
func (d *deal) gather(s *mpc.Session) {
	if s.Err() != nil {
		return
	}
	first := len(d.next.Chunks) - d.added()
	if d.isParty() {
		for k := first; k < len(d.next.Chunks); k++ {
			d.next.Chunks[k].Commitments = d.known[k]
		}
		text := d.next.Bytes()
		for _, p := range d.members() {
			if !slices.Contains(d.parties, p) {
				sendText(s, p, text)
			}
		}
		return
	}
	for i, p := range d.parties {
		text := recvText(s, p, MaxSnapshotBytes)
		if text == nil {
			return
		}
		if err := d.adopt(text, i); err != nil {
			s.Fail(fmt.Errorf("%s: %w", s.Name(p), err))
			return
		}
	}
}

// adopt takes a party's word of the next version, at a site: all parties tell the same,
// and of its own rows what it knows.
func (d *deal) adopt(text []byte, told int) error {
	if told > 0 {
		if !bytes.Equal(text, d.next.Bytes()) {
			return errors.New("it tells of another version than the first party")
		}
		return nil
	}
	theirs, err := ParseShareSnapshot(text)
	if err != nil {
		return err
	}
	first, want := len(d.next.Chunks)-d.added(), *d.next
	if len(theirs.Chunks) != len(want.Chunks) {
		return errors.New("it tells of another number of chunks")
	}
	want.Chunks = slices.Clone(want.Chunks)
	for k := first; k < len(want.Chunks); k++ {
		want.Chunks[k].Commitments = theirs.Chunks[k].Commitments
		if want.Chunks[k].Site == d.Self && d.known[k] != theirs.Chunks[k].Commitments {
			return fmt.Errorf("it has other shares of chunk %d than were sent", k)
		}
	}
	if !bytes.Equal(want.Bytes(), text) {
		return errors.New("it tells of another deposit than the job's")
	}
	d.next = theirs
	return nil
}

// added is how many chunks the job adds.
func (d *deal) added() int {
	n := 0
	for _, b := range d.batches {
		n += len(b.rows)
	}
	return n
}

// finish writes what the version is. A site that is no party is then done: the parties put
// theirs into force when it has its own, so that it is never behind them.
func (d *deal) finish(s *mpc.Session, v *ShareVersion) error {
	err := d.change.Finish(v, len(d.next.Chunks)-d.added())
	if err == nil && !d.isParty() {
		err = d.change.Commit()
		d.change = inForce{d.change}
	}
	if err != nil {
		return err
	}
	mpc.Meet(s.Step("written"), d.dealers())
	return nil
}

// inForce is a change that has been committed already.
type inForce struct{ ShareChange }

// Commit implements Change.
func (inForce) Commit() error { return nil }

// Discard implements Change: what is in force beside the version before does no harm.
func (inForce) Discard() {}

// writing writes blocks, a few at a time, while others arrive.
type writing struct {
	change ShareChange
	used   sync.Pool // blocks that are written
	turns  chan struct{}
	group  sync.WaitGroup
	mu     sync.Mutex
	err    error
}

func newWriting(c ShareChange) *writing {
	const atOnce = 3
	return &writing{change: c, turns: make(chan struct{}, atOnce)}
}

// put writes a block, which is the writer's from here on. It waits while too many are
// under way.
func (w *writing) put(k, column int, b *ShareBlock) {
	w.turns <- struct{}{}
	w.group.Go(func() {
		defer func() { <-w.turns }()
		if err := w.change.PutBlock(k, column, b); err != nil {
			w.mu.Lock()
			w.err = errors.Join(w.err, err)
			w.mu.Unlock()
		}
		w.used.Put(b)
	})
}

// block returns a block of that shape, in memory that is used again; what is in it means
// nothing.
func (w *writing) block(column, rows int) *ShareBlock {
	b, ok := w.used.Get().(*ShareBlock)
	if !ok {
		b = new(ShareBlock)
	}
	return b.shaped(column, rows)
}

// failed returns what went wrong so far.
func (w *writing) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// wait returns when all is written.
func (w *writing) wait() error {
	w.group.Wait()
	return w.failed()
}

// blockFrame is how many elements of a block travel in one frame.
const blockFrame = 64 << 10

// sendBlock sends a block to some.
func sendBlock(s *mpc.Session, to []mpc.PartyID, b *ShareBlock) {
	sendWords(s, to, b.Codes)
	sendWords(s, to, ring.Vec64(b.Bits))
}

func sendWords(s *mpc.Session, to []mpc.PartyID, v ring.Vec64) {
	buf := make([]byte, 0, ring.Size64*min(len(v), blockFrame))
	for part := range slices.Chunk(v, blockFrame) {
		frame := part.Append(buf[:0])
		for _, p := range to {
			if s.Err() == nil {
				s.Send(p, frame)
			}
		}
	}
}

// recvBlock receives what sendBlock sends into a block of that shape, and tells whether
// it has come.
func recvBlock(s *mpc.Session, from mpc.PartyID, b *ShareBlock) bool {
	for _, v := range []ring.Vec64{b.Codes, ring.Vec64(b.Bits)} {
		for part := range slices.Chunk(v, blockFrame) {
			frame := s.Recv(from, part.Size())
			if frame == nil {
				return false
			}
			part.SetBytes(frame)
			s.Recycle(frame)
		}
	}
	b.mask()
	return true
}
