package protocols

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// perform is a node's part in a deposit: a site encrypts, a keeper writes, both at
// once where a node is both; who has kept some of the last deposit and is neither gives
// it up. Nothing of it is in force before all have seen the same manifests and said so.
func (depositing) perform(w *work, s *mpc.Session) ([]word, Change) {
	c := &consignment{work: w, deposited: w.plan.Detail.(*deposited)}
	if w.isParty() {
		e, _, err := w.Vault.Epoch()
		if err != nil {
			s.Fail(err)
			return nil, nil
		}
		defer e.Erase()
		c.own, c.epoch = e, e.ID
	}
	at := s.Step(stepSeal)
	if c.agree(at); at.Err() != nil {
		return nil, nil
	}
	change, err := c.begin()
	if err != nil {
		s.Fail(err)
		return nil, nil
	}
	c.carry(at)
	mpc.Meet(at.Step("carried"), w.members()) // sites have files of different lengths
	manifests, signatures := c.sign(s.Step(stepCompute))
	if s.Err() != nil {
		return nil, change
	}
	if c.change != nil {
		if err := c.change.Sign(manifests, signatures); err != nil {
			s.Fail(err)
			return nil, change
		}
	}
	digest := digestOf(manifests, signatures)
	mpc.Echo(s.Step(stepCompute).Step("echo"), w.members(), digest[:], "manifests")
	return []word{c.epoch, digest}, change
}

// begin begins what this node changes: a deposit or, where it keeps nothing of this
// one, that it gives up what it kept of the last.
func (c *consignment) begin() (Change, error) {
	if !c.isParty() && !slices.Contains(c.keepers(), c.self) {
		return c.givenUp()
	}
	var err error
	if c.change, err = c.Vault.KeepDeposit(&Deposit{Job: c.id, Epoch: c.epoch, At: c.at}); err != nil || !c.isParty() {
		return c.change, err
	}
	// From here on the vault keeps the epoch. Until here another may have taken its place.
	e, _, err := c.Vault.Epoch()
	if err == nil {
		if e.ID != c.epoch {
			err = fmt.Errorf("the sites made another key meanwhile: %s", depositAgain)
		}
		e.Erase()
	}
	if err != nil {
		c.change.Discard()
	}
	return c.change, err
}

// consignment is a node's part in a deposit while it is made.
type consignment struct {
	*work
	*deposited
	own   *mhe.Epoch // at a site
	epoch word

	change DepositChange   // nil at a node that is neither site nor keeper
	mu     sync.Mutex      // of change.Put and what follows
	came   []*mhe.Manifest // at a keeper: what has come, by site
	mine   *mhe.Manifest   // at a site
}

// agree compares the epochs of all sites, and tells the keepers that have none.
func (c *consignment) agree(s *mpc.Session) {
	beside := c.indexes(c.plan.beside)
	tell := s.Step("keepers")
	if !c.isParty() {
		for i, site := range c.sites {
			frame := tell.Recv(site, len(c.epoch))
			switch {
			case frame == nil:
				return
			case i == 0:
				c.epoch = word(frame)
			case word(frame) != c.epoch:
				s.Fail(fmt.Errorf("%s has another key epoch than %s: %s", s.Name(site), s.Name(c.sites[0]), newKey))
			}
		}
		return
	}
	c.sameAtSites(s.Step("epoch"), c.epoch, "key epoch", newKey)
	for _, p := range beside {
		tell.Send(p, c.epoch[:])
	}
}

// newKey says what mends key epochs that differ.
const newKey = "run consilium rekey"

// keepers are the nodes that keep the ciphertexts.
func (c *consignment) keepers() []mpc.PartyID { return c.indexes(c.at) }

// carry brings every site's ciphertexts to every keeper. Sites do not wait for each
// other.
func (c *consignment) carry(s *mpc.Session) {
	c.came = make([]*mhe.Manifest, len(c.sites))
	var wg sync.WaitGroup
	for i, site := range c.sites {
		step := s.Step("ciphertexts", i)
		switch {
		case site == c.self:
			wg.Go(func() { c.send(step, i) })
		case slices.Contains(c.keepers(), c.self):
			wg.Go(func() { c.receive(step, i) })
		}
	}
	wg.Wait()
}

// receive takes what a site sends and writes it.
func (c *consignment) receive(s *mpc.Session, site int) {
	m := c.expected(c.epoch, c.sites[site], c.plan.Dataset.Sites[site].Rows, c.ciphertexts[site])
	for i, column := range m.Columns {
		for k := range column.Hashes {
			frame := s.Recv(m.Site, mhe.StoredSize())
			if frame == nil {
				return
			}
			hash, err := mhe.HashStored(c.epoch, m.Site, column.Name, k, frame)
			if err == nil {
				err = c.put(m.Site, i, k, frame)
			}
			if err != nil {
				s.Fail(fmt.Errorf("column %s of %s: %w", column.Name, s.Name(m.Site), err))
				return
			}
			column.Hashes[k] = hash
			s.Recycle(frame)
		}
	}
	c.came[site] = m
}

func (c *consignment) put(site mpc.PartyID, column, k int, frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.change.Put(site, column, k, frame)
}

// send encrypts this site's columns and sends them to the keepers.
func (c *consignment) send(s *mpc.Session, site int) {
	if err := c.encrypt(s, site); err != nil {
		s.Fail(fmt.Errorf("encrypt its rows of dataset %s: %w", c.plan.Dataset.Name, err))
	}
}

func (c *consignment) encrypt(s *mpc.Session, site int) error {
	n := c.plan.Dataset.Sites[site].Rows
	m, err := c.own.NewManifest(c.self, n)
	if err != nil {
		return err
	}
	read := reading{work: c.work, rows: n, seen: -1}
	for i, column := range c.stored {
		numbers, err := read.column(s.Context(), column)
		if err != nil {
			return err
		}
		err = c.own.Deposit(m, column.name, column.bits, numbers, func(k int, frame []byte) error {
			for _, p := range c.keepers() {
				if p != c.self {
					s.Send(p, frame)
				} else if err := c.put(c.self, i, k, frame); err != nil {
					return err
				}
			}
			return s.Err()
		})
		if err != nil {
			return err
		}
	}
	c.mine = m
	return nil
}

// reading reads a site's file, once for each of its vectors.
type reading struct {
	*work
	rows   int    // declared
	seen   int    // rows of the file; -1 before it is read
	vector string // that was read last
	codes  []int64
	valid  []int64
}

// column returns what is stored of a column.
func (r *reading) column(ctx context.Context, c storedColumn) ([]int64, error) {
	if r.seen < 0 || c.vector.Name != r.vector {
		if err := r.read(ctx, c.vector); err != nil {
			return nil, err
		}
	}
	switch c.of {
	case itsRows:
		there := make([]int64, r.rows)
		for i := range r.seen {
			there[i] = 1
		}
		return there, nil
	case itsValues:
		return r.valid, nil
	}
	return r.codes, nil
}

// read takes codes, 0 where there is none, and where there are some.
func (r *reading) read(ctx context.Context, vector job.Vector) error {
	sample := Sample{Name: "deposit", Vectors: []job.Vector{vector}}
	packed, err := newPacker(ctx, &Plan{Dataset: r.plan.Dataset, Samples: []Sample{sample}}, r.Data, nil)
	if err != nil {
		return err
	}
	defer packed.reader.Release()
	out, err := packed.next(r.rows)
	if err != nil {
		return err
	}
	if err := packed.end(); err != nil {
		return err
	}
	if r.seen >= 0 && r.seen != packed.at {
		return errors.New("the file has changed while it was read; run the job again")
	}
	r.seen, r.vector = packed.at, vector.Name
	r.codes, r.valid = signed(out[:r.rows]), signed(out[r.rows:])
	return nil
}

// signed reads codes as signed numbers.
func signed(v []uint64) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}

// sign gives everybody every site's manifest with its signature, in the order of the
// sites. Each is what the plan says, signed by its site, and at a keeper the list of
// what has come from it.
func (c *consignment) sign(s *mpc.Session) (manifests, signatures [][]byte) {
	if s.Err() != nil {
		return nil, nil
	}
	var own []byte
	if c.isParty() {
		manifest := c.mine.Bytes()
		own = append(manifest, job.SignManifest(c.id, c.plan.Dataset, manifest, c.Key)...)
	}
	for i, frame := range c.exchange(s.Step("manifests"), own) {
		if s.Err() != nil {
			return nil, nil
		}
		manifest, signature := frame[:len(frame)-ed25519.SignatureSize], frame[len(frame)-ed25519.SignatureSize:]
		if err := c.verify(i, manifest, signature); err != nil {
			s.Fail(fmt.Errorf("the manifest of %s %w", s.Name(c.sites[i]), err))
			return nil, nil
		}
		manifests, signatures = append(manifests, manifest), append(signatures, signature)
	}
	return manifests, signatures
}

// verify holds a site's manifest against the plan and what came.
func (c *consignment) verify(site int, manifest, signature []byte) error {
	m, err := mhe.ParseManifest(manifest)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	want := c.expected(c.epoch, c.sites[site], c.plan.Dataset.Sites[site].Rows, c.ciphertexts[site])
	came := c.came[site]
	for i := range want.Columns {
		if len(m.Columns) != len(want.Columns) || len(m.Columns[i].Hashes) != len(want.Columns[i].Hashes) {
			break
		}
		copy(want.Columns[i].Hashes, m.Columns[i].Hashes)
		if came != nil && !slices.Equal(came.Columns[i].Hashes, m.Columns[i].Hashes) {
			return fmt.Errorf("has other ciphertexts of column %s than it sent", want.Columns[i].Name)
		}
	}
	if !bytes.Equal(want.Bytes(), manifest) {
		return errors.New("is not that of the job's deposit")
	}
	if !job.VerifyManifest(c.id, c.plan.Dataset, manifest, c.roster.NodeKey(int(c.sites[site])), signature) {
		return errors.New("is not signed by it")
	}
	return nil
}

// exchange gives all who take part every site's frame; own is this site's.
func (c *consignment) exchange(s *mpc.Session, own []byte) [][]byte {
	frames := make([][]byte, len(c.sites))
	var wg sync.WaitGroup
	for i, site := range c.sites {
		at := s.Step("of", i)
		if site == c.self {
			frames[i] = own
			wg.Go(func() { c.tell(at, own) })
			continue
		}
		m := c.expected(c.epoch, site, c.plan.Dataset.Sites[i].Rows, c.ciphertexts[i])
		wg.Go(func() { frames[i] = recvPieces(at, site, len(m.Bytes())+ed25519.SignatureSize) })
	}
	wg.Wait()
	return frames
}

// tell sends a frame to all others who take part, in pieces that links carry.
func (c *consignment) tell(s *mpc.Session, frame []byte) {
	for _, p := range c.members() {
		for piece := range slices.Chunk(frame, mpc.MaxFrame) {
			if p != c.self {
				s.Send(p, piece)
			}
		}
	}
}

// recvPieces receives what tell sends, of that many bytes; nil after a failure.
func recvPieces(s *mpc.Session, from mpc.PartyID, size int) []byte {
	out := make([]byte, 0, size)
	for len(out) < size {
		piece := s.Recv(from, min(size-len(out), mpc.MaxFrame))
		if piece == nil {
			return nil
		}
		out = append(out, piece...)
	}
	return out
}

// digestOf is a hash of what the sites have signed.
func digestOf(manifests, signatures [][]byte) word {
	h := sha256.New()
	h.Write([]byte("consilium deposit v1\x00"))
	for i := range manifests {
		for _, part := range [][]byte{manifests[i], signatures[i]} {
			hash := sha256.Sum256(part)
			h.Write(hash[:])
		}
	}
	return word(h.Sum(nil))
}
