package mhe

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"consilium/mpc"

	"filippo.io/age"
	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/mhe"
	"github.com/tuneinsight/lattigo/v5/ring"
)

// Epoch is what a site has of a collective key that encrypted datasets are kept under:
// the public key, the keys that products and folding need, and its piece of the secret.
// It is made once by all holders together, lasts until as many ciphertexts were opened
// as it was made for, and is then followed by another, to which data are encrypted
// afresh. It prints as its number alone.
type Epoch struct {
	ID       [sha256.Size]byte // a hash of all that made it, the same at every holder
	Quorum   *Quorum
	Bits     int // every sum of products is smaller than 2^Bits in absolute value
	Openings int // ciphertexts that each holder may open under the key

	keys   *Layout
	public *PublicKey
	relin  *rlwe.RelinearizationKey
	turns  *turns
	piece  *Piece
}

// Format shows the number alone.
func (e *Epoch) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "key epoch %x", e.ID[:8]) }

// LogValue shows the number alone.
func (e *Epoch) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(e)) }

// MarshalText shows the number alone.
func (e *Epoch) MarshalText() ([]byte, error) { return fmt.Append(nil, e), nil }

// newEpoch returns an epoch without keys, after all checks of its numbers.
func newEpoch(q *Quorum, bits, openings int) (*Epoch, error) {
	a, err := NewAnswers(1, bits, q, openings)
	if err != nil {
		return nil, err
	}
	e := &Epoch{Quorum: q, Bits: bits, Openings: openings}
	e.keys, err = newVault(len(q.holders), a.Primes)
	return e, err
}

// MakeEpoch makes the keys of an epoch among all holders of the quorum, for sums below
// 2^bits and so many openings. Steps below s: the reference, the public key, two
// rounds for the key of products, the keys of turns, the dealing of pieces, an echo. It
// returns nil when the session has failed.
func MakeEpoch(s *mpc.Session, q *Quorum, bits, openings int) *Epoch {
	e, err := newEpoch(q, bits, openings)
	if err != nil {
		s.Fail(err)
		return nil
	}
	t, err := mpc.NewTree(q.holders, mpc.BranchingFor(len(q.holders), e.keys.rings.key.size()))
	if err != nil {
		s.Fail(err)
		return nil
	}
	seen, secret := NewSeen(s, e.keys), NewSecret(e.keys)
	defer secret.Erase()
	var w writer
	e.describe(&w)
	seen.Write(w)
	crs := AgreeCRS(s.Step("crs"), t, seen)
	e.public = CollectiveKey(s.Step("key"), e.keys, t, crs, secret, seen)
	if s.Err() != nil {
		return nil
	}
	e.relin = relinearisationKey(s.Step("relinearisation"), e.keys, t, crs, secret, seen)
	if s.Err() != nil {
		return nil
	}
	e.turns = makeTurns(s.Step("turns"), e.keys, t, crs, secret, seen)
	e.piece = Deal(s.Step("deal"), e.keys, q, secret)
	if s.Err() != nil || !echo(s.Step("echo"), q.holders, seen, "nonces or keys") {
		return nil
	}
	e.ID = seen.Digest()
	return e
}

// Holder is whose piece of the secret the epoch has.
func (e *Epoch) Holder() mpc.PartyID { return e.piece.own }

// describe writes the numbers of an epoch.
func (e *Epoch) describe(w *writer) {
	w.number(uint64(e.Bits))
	w.number(uint64(e.Openings))
	w.number(uint64(e.Quorum.need))
	w.number(uint64(len(e.Quorum.holders)))
	for _, p := range e.Quorum.holders {
		w.number(uint64(p))
	}
}

// epochMagic has the number of the file's form at its end. The first form had no keys
// of turns.
const (
	epochMagic = "consilium mhe epoch v2\x00"
	firstEpoch = "consilium mhe epoch v1\x00"
)

// ErrOldEpoch says that a key cannot answer any more.
var ErrOldEpoch = errors.New("it was made by an earlier version of this program, and lacks keys that sums of stored columns need now: run consilium rekey, then consilium deposit")

// Limits of numbers in files: beyond all that can be, and far from overflow.
const (
	manyOpenings     = 1 << 40
	manyParticipants = 1 << 20
)

// keyPart is a polynomial of an epoch and its form.
type keyPart struct {
	codec
	ring.Poly
}

// parts are the polynomials of an epoch, in the order of its file.
func (e *Epoch) parts() []keyPart {
	r := e.keys.rings
	list := []keyPart{{r.key, joined(e.piece.share.Poly)}}
	for _, half := range e.public.key.Value {
		list = append(list, keyPart{r.key, joined(half)})
	}
	for _, p := range gadget(e.relin.Value) {
		list = append(list, keyPart{r.key, p})
	}
	for _, p := range e.turns.polynomials() {
		list = append(list, keyPart{r.turn, p})
	}
	return list
}

// encode is the content of the epoch's file, which holds the piece: it is to be cleared.
func (e *Epoch) encode() writer {
	size := 0
	for _, p := range e.parts() {
		size += p.size()
	}
	w := append(make(writer, 0, size+headerRoom), epochMagic...)
	w.fixed(e.ID[:])
	e.describe(&w)
	w.number(uint64(e.piece.own))
	w.fixed(e.turns.reference[:])
	frame := make([]byte, e.keys.rings.key.size())
	defer clear(frame)
	for _, p := range e.parts() {
		w.fixed(p.put(frame, p.Poly)[:p.size()])
	}
	return w
}

// Save writes the epoch to a file, encrypted to the recipient, who is the site itself.
// The file is whole and on disk, or as it was, whatever happens.
func (e *Epoch) Save(path string, to age.Recipient) error {
	w := e.encode()
	defer clear(w)
	sealed := bytes.NewBuffer(make([]byte, 0, len(w)+len(w)>>8+headerRoom))
	in, err := age.Encrypt(sealed, to)
	if err == nil {
		_, err = in.Write(w)
	}
	if err == nil {
		err = in.Close()
	}
	if err != nil {
		return fmt.Errorf("encrypt key epoch: %w", err)
	}
	return writeDurably(path, sealed.Bytes())
}

const (
	// maxEpochFile bounds what is read of a file: its parts are checked besides.
	maxEpochFile = 1 << 26
	// headerRoom is more than the numbers of an epoch take.
	headerRoom = 1 << 12
)

// LoadEpoch reads what Save wrote.
func LoadEpoch(path string, by age.Identity) (*Epoch, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in, err := age.Decrypt(io.LimitReader(f, maxEpochFile), by)
	if err != nil {
		return nil, fmt.Errorf("decrypt key epoch %s: %w", path, err)
	}
	var content bytes.Buffer
	if info, err := f.Stat(); err == nil {
		content.Grow(int(min(info.Size(), maxEpochFile)))
	}
	_, err = content.ReadFrom(in)
	defer func() { clear(content.Bytes()) }()
	if err != nil {
		return nil, fmt.Errorf("decrypt key epoch %s: %w", path, err)
	}
	e, err := parseEpoch(content.Bytes())
	if err != nil {
		return nil, fmt.Errorf("key epoch %s: %w", path, err)
	}
	return e, nil
}

// parseEpoch is strict: numbers as NewQuorum and MakeEpoch take them, polynomials of
// the length that follows, reduced, and nothing else.
func parseEpoch(content []byte) (*Epoch, error) {
	if bytes.HasPrefix(content, []byte(firstEpoch)) {
		return nil, ErrOldEpoch
	}
	r := &reader{rest: content}
	r.magic(epochMagic)
	id := r.fixed(sha256.Size)
	bits, openings, need := r.number(MaxBits), r.number(manyOpenings), r.number(MaxSites)
	holders := make([]mpc.PartyID, r.number(MaxSites))
	for i := range holders {
		holders[i] = mpc.PartyID(r.number(manyParticipants))
	}
	own, crs := mpc.PartyID(r.number(manyParticipants)), r.fixed(len(CRS{}))
	if r.err != nil {
		return nil, r.err
	}
	q, err := NewQuorum(holders, need)
	if err != nil {
		return nil, err
	}
	e, err := newEpoch(q, bits, openings)
	if err != nil {
		return nil, err
	}
	if _, err := q.point(own, e.keys.rings.key.moduli); err != nil {
		return nil, err
	}
	e.ID = [sha256.Size]byte(id)
	e.allocate(own, CRS(crs))
	for _, p := range e.parts() {
		frame := r.fixed(p.size())
		if r.err != nil {
			return nil, r.err
		}
		if err := p.get(p.Poly, frame); err != nil {
			return nil, err
		}
	}
	return e, r.end()
}

// allocate makes room for the keys.
func (e *Epoch) allocate(own mpc.PartyID, crs CRS) {
	params := e.keys.rings.bgv[0]
	e.piece = &Piece{own, mhe.NewThresholdizer(params).AllocateThresholdSecretShare()}
	e.public = &PublicKey{rlwe.NewPublicKey(params)}
	e.relin, e.turns = rlwe.NewRelinearizationKey(params), newTurns(e.keys, crs)
}

// Erase overwrites the secret part.
func (e *Epoch) Erase() { e.piece.Erase() }
