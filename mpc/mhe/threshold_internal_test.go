package mhe

import (
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/node/linktest"

	"github.com/tuneinsight/lattigo/v5/mhe"
)

// The attack that the fixed points are against: the library deals the secret itself
// to whoever names point 0 or a multiple of a modulus.
func TestPointZeroWouldGiveTheSecretAway(t *testing.T) {
	q, err := NewQuorum([]mpc.PartyID{0, 1, 2}, 2)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewQuorumLayout(1, 20, q, 1)
	if err != nil {
		t.Fatal(err)
	}
	secret, dealer := NewSecret(l), mhe.NewThresholdizer(l.rings.bgv[0])
	polynomial, err := dealer.GenShamirPolynomial(2, secret.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range []uint64{0, sums.modulus[0], 3 * sums.modulus[1], sums.special} {
		share := dealer.AllocateThresholdSecretShare()
		dealer.GenShamirSecretShare(mhe.ShamirPublicPoint(point), polynomial, &share)
		gaveAway := false
		for i, limb := range joined(share.Poly).Coeffs {
			gaveAway = gaveAway || slices.Equal(limb, joined(secret.key.Value).Coeffs[i])
		}
		if !gaveAway {
			t.Errorf("the library keeps the secret at point %d: the attack does not work", point)
		}
		if checkPoint(point, l.rings.key.moduli) == nil {
			t.Errorf("point %d is allowed", point)
		}
	}
	had := make(map[mhe.ShamirPublicPoint]bool)
	for _, p := range q.holders {
		point, err := q.point(p, l.rings.key.moduli)
		if err != nil || point < 1 || point > 3 || had[point] {
			t.Errorf("point %d of participant %d: %v", point, p, err)
		}
		had[point] = true
	}
	if _, err := q.point(3, l.rings.key.moduli); err == nil {
		t.Error("a stranger has a point")
	}
}

// Any quorum's shares add up to the sum of all secrets; a piece and all shares but
// one do not.
func TestSharesOfAQuorumAddUp(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		q, err := NewQuorum([]mpc.PartyID{0, 1, 2, 3}, 3)
		if err != nil {
			t.Fatal(err)
		}
		l, err := NewQuorumLayout(1, 20, q, 1)
		if err != nil {
			t.Fatal(err)
		}
		ring := l.rings.bgv[0].RingQP()
		whole := ring.NewPoly()
		secrets := make([]*Secret, 4)
		for i := range secrets {
			secrets[i] = NewSecret(l)
			ring.Add(whole, secrets[i].key.Value, whole)
		}
		pieces, err := memnet.Collect(worlds(memnet.Config{N: 4, Compute: []mpc.PartyID{}}), func(s *mpc.Session) (*Piece, error) {
			return Deal(s.Step("deal"), l, q, secrets[s.Self()]), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, active := range [][]mpc.PartyID{{0, 1, 2}, {0, 1, 3}, {1, 2, 3}} {
			sum := ring.NewPoly()
			for i, p := range active {
				share, err := pieces[p].Among(l, q, active)
				if err != nil {
					t.Fatal(err)
				}
				ring.Add(sum, share.key.Value, sum)
				if i == 1 && sum.Equal(&whole) {
					t.Error("two of three know the secret")
				}
			}
			if !sum.Equal(&whole) {
				t.Errorf("shares of %v do not add up", active)
			}
		}
		if _, err := pieces[0].Among(l, q, []mpc.PartyID{1, 2, 3}); err == nil {
			t.Error("a piece is worth something in a set without its holder")
		}
	})
}

// The smudging of a stored key is the rule's for all openings that it allows, with
// those that other holders make, and for the zeros that each adds.
func TestQuorumLayoutCountsOpenings(t *testing.T) {
	q, err := NewQuorum([]mpc.PartyID{0, 1, 2, 3, 4}, 3)
	if err != nil {
		t.Fatal(err)
	}
	few, err := NewQuorumLayout(1, 20, q, 3)
	if err != nil {
		t.Fatal(err)
	}
	many, err := NewQuorumLayout(1, 20, q, 30000)
	if err != nil {
		t.Fatal(err)
	}
	if ratio := many.Sigma / few.Sigma; ratio < 99.99 || ratio > 100.01 {
		t.Errorf("30,000 openings ask for %g times the smudging of 3, want 100", ratio)
	}
	// Three of five open each time: while each opens three, five ciphertexts are opened.
	if few.noise.openings != 5 || many.noise.openings != 50000 {
		t.Errorf("%d and %d openings are reckoned with, want 5 and 50000", few.noise.openings, many.noise.openings)
	}
	plain, err := NewLayout(1, 20, 5)
	if err != nil {
		t.Fatal(err)
	}
	if few.Sigma <= plain.Sigma {
		t.Error("the zeros that an opening adds are not reckoned with")
	}
	if _, err := NewQuorumLayout(1, 20, q, 1<<40); err == nil {
		t.Error("as many openings as one likes")
	}
	if few.digest() == many.digest() || few.digest() == plain.digest() {
		t.Error("layouts of different openings say the same of themselves")
	}
}
