package mhe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"consilium/mpc"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/mhe"
	"github.com/tuneinsight/lattigo/v5/ring/ringqp"
)

// Quorum says who holds the secrets of an epoch and how many of them, any, open
// together: t of N by Shamir's sharing of every site's secret (Mouchet, Bertrand,
// Hubaux, ePrint 2022/780). The holder at place i has the point i+1. Points follow
// from the signed roster and are never told by anybody: who is dealt to at point 0,
// or at a multiple of a modulus, is handed the secret itself, and two at one point
// count as one. The library checks none of that.
//
// What holds: passive sites, any t-1 of them together learn nothing. A site that
// deals wrong pieces can spoil what is opened, and learns nothing either.
type Quorum struct {
	holders []mpc.PartyID
	need    int
}

// NewQuorum returns the quorum of need among the holders, who come in the order of
// the roster.
func NewQuorum(holders []mpc.PartyID, need int) (*Quorum, error) {
	if len(holders) < 2 || len(holders) > MaxSites {
		return nil, fmt.Errorf("a quorum among %d sites: from 2 to %d can hold a key together", len(holders), MaxSites)
	}
	if need < 2 || need > len(holders) {
		return nil, fmt.Errorf("a quorum of %d among %d sites: at least 2, and no more than there are", need, len(holders))
	}
	if !ascending(holders) {
		return nil, errors.New("the holders of a quorum must be in the order of the roster, each once")
	}
	return &Quorum{slices.Clone(holders), need}, nil
}

// ascending tells whether participants are in order, and none is twice.
func ascending(set []mpc.PartyID) bool {
	for i, p := range set {
		if p < 0 || i > 0 && p <= set[i-1] {
			return false
		}
	}
	return true
}

// Need returns how many holders open together.
func (q *Quorum) Need() int { return q.need }

// Holders returns who holds the secrets. It is not to be changed.
func (q *Quorum) Holders() []mpc.PartyID { return q.holders }

// point returns the point of a holder, and checks it against the moduli.
func (q *Quorum) point(p mpc.PartyID, moduli []uint64) (mhe.ShamirPublicPoint, error) {
	place, holds := slices.BinarySearch(q.holders, p)
	if !holds {
		return 0, fmt.Errorf("participant %d holds no piece of the key", p)
	}
	point := uint64(place + 1)
	return mhe.ShamirPublicPoint(point), checkPoint(point, moduli)
}

// checkPoint refuses points at which a polynomial has its secret.
func checkPoint(point uint64, moduli []uint64) error {
	for _, q := range moduli {
		if point%q == 0 {
			return fmt.Errorf("point %d would give the secret away", point)
		}
	}
	return nil
}

// CheckActive refuses a set that cannot open together for participant self: it is
// sorted, of the quorum's size, of holders only, and self is in it.
func (q *Quorum) CheckActive(active []mpc.PartyID, self mpc.PartyID) error {
	switch {
	case len(active) != q.need:
		return fmt.Errorf("%d sites are to open: the quorum is %d", len(active), q.need)
	case !ascending(active):
		return errors.New("the sites that are to open must be in the order of the roster, each once")
	case !slices.Contains(active, self):
		return fmt.Errorf("participant %d is not among those that are to open", self)
	}
	for _, p := range active {
		if !slices.Contains(q.holders, p) {
			return fmt.Errorf("participant %d is to open and holds no piece of the key", p)
		}
	}
	return nil
}

// exposed is how many ciphertexts can be opened under a key of which each holder opens
// at most so many: where not all holders are needed, others can open others.
func (q *Quorum) exposed(openings int) int { return (openings*len(q.holders) + q.need - 1) / q.need }

// NewQuorumLayout is NewLayout for sums under a key that is dealt to a quorum, of
// which each holder makes so many openings of one ciphertext while the key lasts. Its
// smudging is that of openings, and of the zeros that every opening adds.
func NewQuorumLayout(values, bits int, q *Quorum, openings int) (*Layout, error) {
	sites := len(q.holders)
	l := &Layout{Values: values, Bits: bits, Sites: sites, Need: q.need, noise: noiseOf(sums, sites, q.exposed(openings))}
	l.noise.terms += q.need
	return l.complete()
}

// Piece is a site's piece of the whole secret of an epoch: the sum of what all
// holders dealt to its point. It prints as redacted.
type Piece struct {
	own   mpc.PartyID
	share mhe.ShamirSecretShare
}

// Format keeps a piece out of every verb.
func (*Piece) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a piece out of structured logs.
func (*Piece) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps a piece out of JSON.
func (*Piece) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Erase overwrites the piece.
func (p *Piece) Erase() { erase(p.share.Poly) }

// Deal deals every holder's secret to all holders, to each over its own link, and
// returns the own piece of the whole. The own secret is to be erased afterwards: it
// would count besides the piece. Deal returns nil when the session has failed.
func Deal(s *mpc.Session, l *Layout, q *Quorum, own *Secret) *Piece {
	piece, err := q.deal(s, l, own)
	if err != nil {
		s.Fail(err)
	}
	if s.Err() != nil {
		return nil
	}
	return piece
}

func (q *Quorum) deal(s *mpc.Session, l *Layout, own *Secret) (*Piece, error) {
	if _, err := q.point(s.Self(), l.rings.key.moduli); err != nil || !s.Claim("channel") {
		return nil, err
	}
	dealer := mhe.NewThresholdizer(l.rings.bgv[0])
	polynomial, err := dealer.GenShamirPolynomial(q.need, own.key)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, c := range polynomial.Value {
			erase(c)
		}
	}()
	piece := &Piece{s.Self(), dealer.AllocateThresholdSecretShare()}
	dealt, frame := dealer.AllocateThresholdSecretShare(), make([]byte, l.rings.key.size())
	for _, p := range q.holders {
		point, err := q.point(p, l.rings.key.moduli)
		if err != nil {
			return nil, err
		}
		dealer.GenShamirSecretShare(point, polynomial, &dealt)
		l.rings.key.put(frame, joined(dealt.Poly))
		if p != s.Self() {
			s.Send(p, frame)
		} else if err := l.rings.key.add(joined(piece.share.Poly), frame); err != nil {
			return nil, err
		}
	}
	erase(dealt.Poly)
	clear(frame)
	for _, p := range without(q.holders, s.Self()) {
		frame := s.Recv(p, l.rings.key.size())
		if frame == nil {
			return nil, nil
		}
		if err := l.rings.key.add(joined(piece.share.Poly), frame); err != nil {
			return nil, fmt.Errorf("the piece from %s: %w", s.Name(p), err)
		}
		clear(frame)
		s.Recycle(frame)
	}
	return piece, nil
}

// Among returns what the piece is worth among an active set: an additive share of
// the whole secret. The shares of the set, and of no smaller one, add up to it.
func (p *Piece) Among(l *Layout, q *Quorum, active []mpc.PartyID) (*Secret, error) {
	if err := q.CheckActive(active, p.own); err != nil {
		return nil, err
	}
	points := make([]mhe.ShamirPublicPoint, len(active))
	for i, a := range active {
		var err error
		if points[i], err = q.point(a, l.rings.key.moduli); err != nil {
			return nil, err
		}
	}
	own := points[slices.Index(active, p.own)]
	params := l.rings.bgv[0].Parameters
	secret := &Secret{rlwe.NewSecretKey(params)}
	combiner := mhe.NewCombiner(params, own, points, q.need)
	return secret, combiner.GenAdditiveShare(points, own, p.share, secret.key)
}

// RevealStored makes stored ciphertexts of the epoch fit for one recipient, as
// RevealSum does with fresh vectors: by the active sites, of whom secret is this
// one's share, in a session of their own. Every one of them adds a fresh encryption
// of zero that it had committed to before any was known, and shares are made for the
// outcome alone. So no share is ever made twice for one ciphertext, also when the
// same is opened again, or by another set after one of the first fell out.
//
// The tree has the active sites and nobody else. All of them hold the same stored
// ciphertexts, or the session ends before anything is switched.
func RevealStored(s *mpc.Session, l *Layout, o Options, key *PublicKey, secret *Secret, stored *Ciphertexts) Part {
	sealed, err := Encrypt(l, key, zeros(l.Values))
	if err != nil {
		s.Fail(err)
		return Part{}
	}
	return revealStored(s, l, o, key, secret, sealed, stored)
}

// revealStored adds fresh ciphertexts of all who answer to what is stored.
func revealStored(s *mpc.Session, l *Layout, o Options, key *PublicKey, secret *Secret, sealed, stored *Ciphertexts) Part {
	part, err := func() (Part, error) {
		if err := o.check(s, l); err != nil {
			return Part{}, err
		}
		if o.TreeOnly {
			return Part{}, errors.New("what is stored is not opened in tree-only mode: its key outlasts the session")
		}
		if len(stored.C0) != l.Ciphertexts || len(stored.C1) != l.Ciphertexts {
			return Part{}, fmt.Errorf("%d stored ciphertexts, the layout has %d", len(stored.C0), l.Ciphertexts)
		}
		seen, members := NewSeen(s, l), o.Tree.Members()
		for _, p := range members {
			seen.Write(binary.LittleEndian.AppendUint64(nil, uint64(p)))
		}
		digest := stored.digest(l)
		seen.Write(digest[:])
		key.write(l, seen)
		if !echo(s.Step("begin"), members, seen, "stored ciphertexts, key or sites") {
			return Part{}, nil
		}
		return answer(s, l, o, secret, sealed, stored, seen)
	}()
	if err != nil {
		s.Fail(err)
	}
	if s.Err() != nil {
		return Part{}
	}
	return part
}

// erase overwrites a polynomial.
func erase(p ringqp.Poly) {
	for _, limb := range slices.Concat(p.Q.Coeffs, p.P.Coeffs) {
		clear(limb)
	}
}
