package mhe

import (
	"fmt"
	"math/big"
	"math/bits"

	"consilium/mpc"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/mhe"
	"github.com/tuneinsight/lattigo/v5/ring"
)

// What a circuit sums lies in slots. The sum over all slots of a plaintext is, modulo
// its prime, the degree N times the constant coefficient; all other coefficients tell
// of single slots. Folding keeps the constant coefficients of many ciphertexts, as
// coefficients of one, and makes every other coefficient zero: in step k two
// ciphertexts a and b become a + X^(N/2^(k+1)) b + turned(a - X^(N/2^(k+1)) b), where
// the turn changes the sign of that power of X, so that a's and b's coefficients stay
// apart and those of odd multiples of the former gap cancel (Chen, Dai, Kim and Song,
// ePrint 2020/015). A single ciphertext is folded with zero. Every turn of a ciphertext
// needs a key of its own, of which there is one for each of the log2(N) steps.

// foldLimbs are left of the modulus while ciphertexts are folded: one more than when
// they are opened, whose shedding takes the noise of the turns away.
const foldLimbs = answerLimbs + 1

// turn is the exponent to which the k-th step raises X.
func turn(k int) uint64 {
	if k == 0 {
		return 2<<vault.logN - 1
	}
	return ring.ModExp(ring.GaloisGen, 1<<(k-1), 2<<vault.logN)
}

// turnKey are the sizes of the key of a turn, in Lattigo's form.
func turnKey() rlwe.EvaluationKeyParameters {
	q, p := foldLimbs-1, len(vault.special)-1
	return rlwe.EvaluationKeyParameters{LevelQ: &q, LevelP: &p}
}

// turns are what the keys of all turns follow from: the reference and, for each, the
// sum of all sites' shares. The keys are twice as large, and needed in jobs alone.
type turns struct {
	reference CRS
	shares    []mhe.GaloisKeyGenShare
}

// newTurns returns room for the shares.
func newTurns(l *Layout, crs CRS) *turns {
	protocol, t := mhe.NewGaloisKeyGenProtocol(l.rings.bgv[0]), &turns{crs, make([]mhe.GaloisKeyGenShare, vault.logN)}
	for k := range t.shares {
		t.shares[k] = protocol.AllocateShare(turnKey())
		t.shares[k].GaloisElement = turn(k)
	}
	return t
}

// common is what all sites' shares of the k-th key refer to.
func (t *turns) common(p *mhe.GaloisKeyGenProtocol, k int) mhe.GaloisKeyGenCRP {
	return p.SampleCRP(t.reference.expand(fmt.Sprint("turn ", k)), turnKey())
}

// polynomials are those of the shares, in the same memory.
func (t *turns) polynomials() []ring.Poly {
	var list []ring.Poly
	for _, share := range t.shares {
		list = append(list, gadget(share.Value)...)
	}
	return list
}

// makeTurns makes what the keys of all turns follow from, in one round up and down the
// tree. That all sites got the same is for an echo of seen to tell.
func makeTurns(s *mpc.Session, l *Layout, tree *mpc.Tree, crs CRS, own *Secret, seen *Seen) *turns {
	t := newTurns(l, crs)
	err := parallel(len(t.shares), func() func(k int) error {
		protocol := mhe.NewGaloisKeyGenProtocol(l.rings.bgv[0])
		return func(k int) error { return protocol.GenShare(own.key, turn(k), t.common(&protocol, k), &t.shares[k]) }
	})
	if err != nil {
		s.Fail(err)
	}
	if s.Err() != nil || !sumAll(s, l.rings.turn, tree, t.polynomials(), seen) {
		return nil
	}
	return t
}

// keys are the keys of all turns.
func (t *turns) keys(l *Layout) ([]*rlwe.GaloisKey, error) {
	keys := make([]*rlwe.GaloisKey, len(t.shares))
	return keys, parallel(len(keys), func() func(k int) error {
		protocol := mhe.NewGaloisKeyGenProtocol(l.rings.bgv[0])
		return func(k int) error {
			keys[k] = rlwe.NewGaloisKey(l.rings.bgv[0], turnKey())
			return protocol.GenGaloisKey(t.shares[k], t.common(&protocol, k), keys[k])
		}
	})
}

// scaled divides a ciphertext by the degree, by which folding multiplies.
func (v *evaluation) scaled(c *rlwe.Ciphertext) {
	q := v.keys.rings.q.AtLevel(c.Level())
	inverse := new(big.Int).ModInverse(big.NewInt(int64(q.N())), q.Modulus())
	for _, half := range c.Value {
		q.MulScalarBigint(half, inverse, half)
	}
}

// fold goes from one step of folding to another with a list of at most 2^(to-from)
// ciphertexts, which it changes, and returns the one that is left. A list that is
// folded in parts, each of a power of two of neighbours, ends as one that is folded as
// a whole, bit for bit.
func (v *evaluation) fold(list []*rlwe.Ciphertext, from, to int) (*rlwe.Ciphertext, error) {
	for k := from; k < to; k++ {
		for i := 0; i < len(list); i += 2 {
			var b *rlwe.Ciphertext
			if i+1 < len(list) {
				b = list[i+1]
			}
			if err := v.join(list[i], b, k); err != nil {
				return nil, err
			}
			list[i/2] = list[i]
		}
		list = list[:(len(list)+1)/2]
	}
	return list[0], nil
}

// join is one step: a takes b up, which is spoilt, or is nil for zero.
func (v *evaluation) join(a, b *rlwe.Ciphertext, k int) error {
	q, turned := v.keys.rings.q.AtLevel(a.Level()), a.CopyNew()
	if b != nil {
		for i := range a.Value {
			q.MulCoeffsMontgomery(b.Value[i], v.powers[vault.logN-1-k], b.Value[i])
			q.Sub(a.Value[i], b.Value[i], turned.Value[i])
			q.Add(a.Value[i], b.Value[i], a.Value[i])
		}
	}
	err := v.Automorphism(turned, turn(k), turned)
	for i := range a.Value {
		q.Add(a.Value[i], turned.Value[i], a.Value[i])
	}
	return err
}

// place is the coefficient at which folding leaves the i-th of a list.
func place(i int) int { return int(bits.Reverse64(uint64(i)) >> (64 - vault.logN)) }

// foldedBy is what the coefficients of a folded sum lack modulo t: the degree, and the
// limbs that were shed from the stored ciphertexts on.
func foldedBy(t uint64) uint64 {
	f := uint64(1) << vault.logN
	for _, q := range vault.modulus[answerLimbs:] {
		f = mulMod(f, q%t, t)
	}
	return f
}

// collected returns the first n numbers that are folded in the coefficients.
func collected(coefficients []uint64, n int, t uint64) []uint64 {
	numbers, f := make([]uint64, n), foldedBy(t)
	for i := range numbers {
		numbers[i] = mulMod(coefficients[place(i)], f, t)
	}
	return numbers
}

// spread returns the coefficients in which numbers are folded.
func spread(numbers []uint64, t uint64) []uint64 {
	coefficients, f := make([]uint64, 1<<vault.logN), inverse(foldedBy(t), t)
	for i, x := range numbers {
		coefficients[place(i)] = mulMod(x, f, t)
	}
	return coefficients
}

// worstFolding bounds the noise that folding so many ciphertexts adds to a
// coefficient: of each turn, the products of a ciphertext's digits with the errors of a
// key, divided by the special limbs, and a rounding; doubled by every step that follows.
func worstFolding(sites, list int) float64 {
	n := float64(int(1) << vault.logN)
	digits := float64((foldLimbs + len(vault.special) - 1) / len(vault.special))
	once := digits*n*freshBound*float64(sites)*float64(len(vault.special)) + (1+n*float64(sites))/2
	sum := 0.0
	for range vault.logN {
		list = (list + 1) / 2
		sum = 2*sum + once*float64(list)
	}
	return sum
}
