package mhe

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/mhe"
	"github.com/tuneinsight/lattigo/v5/ring"
)

// study is a sum of ciphertexts of zeros over sites whose secrets the test knows.
type study struct {
	*Layout
	secrets []*Secret
	sum     *Ciphertexts
}

// newStudy makes keys and ciphertexts as a session does, without its links.
func newStudy(t *testing.T, l *Layout) *study {
	t.Helper()
	st, params := &study{Layout: l}, l.rings.bgv[0]
	protocol := mhe.NewPublicKeyGenProtocol(params)
	a := protocol.SampleCRP(CRS{}.expand("key"))
	sum := protocol.AllocateShare()
	for range l.Sites {
		secret, share := NewSecret(l), protocol.AllocateShare()
		protocol.GenShare(secret.key, a, &share)
		protocol.AggregateShares(sum, share, &sum)
		st.secrets = append(st.secrets, secret)
	}
	key := rlwe.NewPublicKey(params)
	protocol.GenPublicKey(sum, a, key)
	zeros := slices.Repeat([]*big.Int{new(big.Int)}, l.Values)
	for range l.Sites {
		sealed, err := Encrypt(l, &PublicKey{key}, zeros)
		if err != nil {
			t.Fatal(err)
		}
		if st.sum == nil {
			st.sum = sealed
			continue
		}
		for k := range sealed.C0 {
			l.rings.q.Add(st.sum.C0[k], sealed.C0[k], st.sum.C0[k])
			l.rings.q.Add(st.sum.C1[k], sealed.C1[k], st.sum.C1[k])
		}
	}
	return st
}

// ciphertextNoise is the noise of the k-th sum under all secrets.
func (st *study) ciphertextNoise(k int) []float64 {
	q := st.rings.q
	phase := st.sum.C1[k].CopyNew()
	secret := q.NewPoly()
	for _, s := range st.secrets {
		q.Add(secret, s.key.Value.Q, secret)
	}
	q.NTT(*phase, *phase)
	q.MulCoeffsMontgomery(*phase, secret, *phase)
	q.INTT(*phase, *phase)
	q.Add(*phase, st.sum.C0[k], *phase)
	return st.noise(*phase)
}

// totalNoise is the noise of the k-th total, switched by all sites.
func (st *study) totalNoise(t *testing.T, k int) []float64 {
	total := st.sum.C0[k].CopyNew()
	for _, s := range st.secrets {
		share := []ring.Poly{*st.sum.C1[k].CopyNew()}
		seed, err := Switch(st.Layout, s, share)
		if err != nil {
			t.Fatal(err)
		}
		st.rings.q.Add(*total, share[0], *total)
		st.mask(newStream(seed, "mask"), 0, subMod, *total)
	}
	return st.noise(*total)
}

// noise takes e from an encoding of zero, p = e modulo Q.
func (st *study) noise(p ring.Poly) []float64 {
	const wide = 1 << 63 // e is far smaller: modulo this, the upper half is negative
	o, out := newOpener(st.Layout), make([]float64, st.Slots)
	for j := range out {
		x, size := o.lift(p.Coeffs[0][j], p.Coeffs[1][j], wide)
		if out[j] = size; x >= wide/2 {
			out[j] = -size
		}
	}
	return out
}

// deviation is that of numbers around zero.
func deviation(x []float64) float64 {
	_, d := moments(x, 1)
	return d
}

// near wants a tenth of a bit: with 8192 coefficients nine deviations of the estimate.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if d := math.Log2(got / want); math.Abs(d) > 0.1 {
		t.Errorf("%s: deviation 2^%.2f, predicted 2^%.2f", what, math.Log2(got), math.Log2(want))
	}
}

// TestParameters prints what docs/decisions/0011-homomorphic-parameters.md says, and
// holds predictions against measurements.
func TestParameters(t *testing.T) {
	t.Logf("degree 2^%d, moduli %#x, divided away %#x, plaintext primes %#x", sums.logN, sums.modulus, sums.special, sums.plain)
	t.Logf("all moduli %.2f bits, at most %.0f for 128-bit security; ciphertext modulus %.2f bits", sums.logQP(), maxLogQP(sums.logN), sums.logQ())
	for primes := range sums.plain {
		t.Logf("%d plaintext primes: sums below 2^%d; one half of a ciphertext, or a share, has %d bytes a value", primes+1, sums.bits(primes+1), (primes+1)*16)
	}
	t.Log("sites  ciphertexts  noise of sum    smudging  noise of total  worst noise  bits of room  most ciphertexts")
	t.Log("                    reckoned found            reckoned found")
	for _, c := range []struct{ sites, ciphertexts int }{{2, 1}, {12, 1}, {12, 123}, {96, 1}, {96, 123}} {
		l, err := NewLayout(c.ciphertexts*sums.slots(), 36, c.sites)
		if err != nil {
			t.Fatal(err)
		}
		one := *l // the first ciphertext is enough to measure
		one.Values, one.Ciphertexts = l.Slots, 1
		st, n := newStudy(t, &one), noiseOf(sums, c.sites, l.Ciphertexts)
		sum, total := st.ciphertextNoise(0), st.totalNoise(t, 0)
		all := math.Sqrt(float64(c.sites)*l.Sigma*l.Sigma + n.sigmaCiphertext()*n.sigmaCiphertext())
		t.Logf("%5d  %11d  %8.2f %5.2f  %8.2f  %8.2f %5.2f  %11.2f  %12.1f  %16d", c.sites, l.Ciphertexts, math.Log2(n.sigmaCiphertext()), math.Log2(deviation(sum)),
			math.Log2(l.Sigma), math.Log2(all), math.Log2(deviation(total)), math.Log2(n.worst(l.Sigma)), l.Room, n.most())
		near(t, fmt.Sprintf("sum over %d sites", c.sites), deviation(sum), n.sigmaCiphertext())
		near(t, fmt.Sprintf("total over %d sites", c.sites), deviation(total), all)
		for _, e := range sum {
			if math.Abs(e) > n.worstCiphertext() {
				t.Fatalf("noise of the sum is beyond its bound")
			}
		}
		for _, e := range total {
			if math.Abs(e) > n.worst(l.Sigma) {
				t.Fatalf("noise of the total is beyond its bound")
			}
		}
	}
}

// most is how many ciphertexts one key can open.
func (n noise) most() int {
	for n.openings = 1; n.leastSigma() <= maxSigma; n.openings *= 2 {
	}
	for step := n.openings / 2; step > 0; step /= 2 {
		if n.openings -= step; n.leastSigma() <= maxSigma {
			n.openings += step
		}
	}
	return n.openings - 1
}

// One site's smudging, measured on its share alone: what the other sites and the
// recipient together would have to see through.
func TestSmudgingOfAShareIsAsReckoned(t *testing.T) {
	l, err := NewLayout(4*sums.slots(), 40, 3)
	if err != nil {
		t.Fatal(err)
	}
	q, secret := l.rings.q, NewSecret(l)
	shares := make([]ring.Poly, l.Ciphertexts)
	for k := range shares {
		shares[k] = q.NewPoly() // c1 = 0: the share is noise and mask
	}
	seed, err := Switch(l, secret, shares)
	if err != nil {
		t.Fatal(err)
	}
	st, all := &study{Layout: l}, []float64(nil)
	for k, share := range shares {
		l.mask(newStream(seed, "mask"), k, subMod, share)
		all = append(all, st.noise(share)...)
	}
	near(t, "smudging of one share", deviation(all), l.Sigma)
	if d := math.Log2(deviation(all[:l.Slots]) / deviation(all[l.Slots:2*l.Slots])); math.Abs(d) > 0.1 || all[0] == all[l.Slots] {
		t.Error("ciphertexts share their noise")
	}
}

func TestUnsafeParametersAreRefused(t *testing.T) {
	with := func(change func(p *parameters)) parameters {
		p := sums
		p.modulus, p.plain = slices.Clone(p.modulus), slices.Clone(p.plain)
		change(&p)
		return p
	}
	for says, p := range map[string]parameters{
		"128-bit security allows 106": with(func(p *parameters) { p.logN = 12 }),
		"128-bit security allows 0":   with(func(p *parameters) { p.logN = 11 }),
		"two limbs":                   with(func(p *parameters) { p.modulus = p.modulus[:1] }),
		"more than 60 bits":           with(func(p *parameters) { p.modulus[0] |= 1 << 60 }),
		"is not a prime":              with(func(p *parameters) { p.special += 1 << 14 }),
		"that degree 2^14 can use":    with(func(p *parameters) { p.logN = 14 }),
		"occurs twice":                with(func(p *parameters) { p.modulus[1] = p.modulus[0] }),
		"hold no more than 51":        with(func(p *parameters) { p.plain = p.plain[:1] }),
		"do not fit a limb":           with(func(p *parameters) { p.modulus[1] = 0x3fffffffcc001 }),
	} {
		if _, err := newLayout(p, 20*sums.slots(), 60, 100, 0); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

func TestSmudgingBelowTheRuleIsRefused(t *testing.T) {
	n := noiseOf(sums, 12, 1)
	for sigma, says := range map[float64]string{
		8 * 3.2:                "is below the rule",
		n.leastSigma() * 0.999: "is below the rule",
		math.NaN():             "is below the rule",
		0x1p57 * 1.01:          "at most 2^57",
		n.leastSigma():         "",
		0x1p57:                 "",
	} {
		_, err := newLayout(sums, 1, 20, 12, sigma)
		if got := fmt.Sprint(err); (says == "") != (err == nil) || !strings.Contains(got, says) {
			t.Errorf("smudging %v: want %q, got %v", sigma, says, err)
		}
	}
	if _, err := newLayout(sums, 1, 20, MaxSites, 0x1p57); err != nil {
		t.Errorf("the largest smudging over the most sites: %v", err)
	}
	large := sums
	large.plain = []uint64{0xffffffffffd8001}
	if _, err := newLayout(large, 1, 20, 100, 0x1p57); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a plaintext prime of 60 bits: %v", err)
	}
	if _, err := NewLayout(1<<40, 20, 12); err == nil || !strings.Contains(err.Error(), "fewer values") {
		t.Errorf("too many openings under one key: %v", err)
	}
}

func TestLayoutsThatCannotBeAreRefused(t *testing.T) {
	for _, c := range [][3]int{{0, 10, 3}, {-1, 10, 3}, {1, 0, 3}, {1, 127, 3}, {1, 10, 1}, {1, 10, 101}} {
		if _, err := NewLayout(c[0], c[1], c[2]); err == nil {
			t.Errorf("a layout of %v", c)
		}
	}
	for bits, packed := range map[int]int{1: 17, 10: 4, 15: 3, 24: 2, 25: 1, 51: 1, 52: 1, 126: 1} {
		if l, err := NewLayout(10, bits, 100); err != nil || l.Packed != packed {
			t.Errorf("%d bits: %v %v", bits, l, err)
		}
	}
	for bits, primes := range map[int]int{1: 1, 51: 1, 52: 2, 103: 2, 104: 3, 126: 3} {
		if l, err := NewLayout(10, bits, 100); err != nil || l.Primes != primes {
			t.Errorf("%d bits: %v %v", bits, l, err)
		}
	}
}
