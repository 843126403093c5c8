package mhe

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

// HashOf is for tests of manifests that were made by somebody else.
func HashOf(m *Manifest, column string, k int, frame []byte) [32]byte {
	return hashStored(m.Epoch, m.Site, column, k, frame)
}

// The recipient sees the slots of a sum under veils: every slot is uniform whatever
// the data, and only the sum over all is theirs.
func TestVeilsAddUpToZeroAndHideSlots(t *testing.T) {
	const prime, slots = 97, 1 << 14
	v, counts := make([]uint64, slots), make([]int, prime)
	firsts := make([]int, prime)
	random := newStream(newSeed(), "veil")
	for k := range 200 {
		veil(v, prime, random.at(k))
		sum := uint64(0)
		for _, x := range v {
			sum = addMod(sum, x, prime)
			counts[x]++
		}
		if sum != 0 {
			t.Fatal("a veil does not add up to zero")
		}
		firsts[v[0]]++
	}
	square, mean := 0.0, 200.0*slots/prime
	for _, n := range counts {
		square += (float64(n) - mean) * (float64(n) - mean) / mean
	}
	if square > 200 { // 96 degrees of freedom: once in 10^8
		t.Errorf("chi-square of the slots is %.0f", square)
	}
	for x, n := range firsts {
		if n > 20 {
			t.Errorf("the first slot is %d %d times of 200", x, n)
		}
	}
}

func TestVaultFitsTheTable(t *testing.T) {
	for _, sites := range []int{2, 12, MaxSites} {
		if err := checkVault(sites); err != nil {
			t.Error(err)
		}
		t.Logf("%d sites: at worst 2^%.1f of noise is left besides rounding", sites, math.Log2(worstResidual(sites)))
	}
	saved := vault.logN
	defer func() { vault.logN = saved }()
	if vault.logN = 13; checkVault(2) == nil {
		t.Error("420 bits at degree 2^13 are allowed")
	}
}

// What is reckoned as the noise of an evaluated ciphertext, by which smudging is
// found, is no less than what the deepest circuit has, and the plaintext survives.
func TestNoiseOfProductsIsAsReckoned(t *testing.T) {
	q, err := NewQuorum([]mpc.PartyID{0, 1, 2}, 2)
	if err != nil {
		t.Fatal(err)
	}
	epochs, err := memnet.Collect(memnet.New(memnet.Config{N: 3, Compute: []mpc.PartyID{}}), func(s *mpc.Session) (*Epoch, error) {
		return MakeEpoch(s, q, 40, 10), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e, active := epochs[0], []mpc.PartyID{0, 2}
	m, err := e.NewManifest(0, 3000)
	if err != nil {
		t.Fatal(err)
	}
	var frames [][][]byte
	for _, name := range []string{"x", "y", "z"} {
		numbers := make([]int64, m.Rows)
		for i := range numbers {
			numbers[i] = int64(i*i*7%255) - 127
		}
		var column [][]byte
		err := e.Deposit(m, name, 8, numbers, func(_ int, frame []byte) error { column = append(column, frame); return nil })
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, column)
	}
	anybody := func(mpc.PartyID, []byte, []byte) bool { return true }
	m, stored, err := e.Fetch(m.Bytes(), nil, anybody, []string{"x", "y", "z"}, func(column, k int) ([]byte, error) { return frames[column][k], nil })
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAnswers(1, e.Bits, q, e.Openings)
	if err != nil {
		t.Fatal(err)
	}
	alone := a.noise // of the evaluated ciphertext, without the fresh ones that are added
	alone.terms = residual
	for _, term := range [][]string{{"x"}, {"x", "y"}, {"x", "y", "z"}} {
		sum, err := e.evaluate(Circuit{term}, []Input{{m, stored}})
		if err != nil {
			t.Fatal(err)
		}
		ring := a.rings.q
		phase := ring.NewPoly()
		for _, p := range active {
			secret, err := epochs[p].piece.Among(e.keys, q, active)
			if err != nil {
				t.Fatal(err)
			}
			part := ring.NewPoly()
			ring.NTT(sum.C1[0], part)
			ring.MulCoeffsMontgomery(part, answerSecret(secret).key.Value.Q, part)
			ring.INTT(part, part)
			ring.Add(phase, part, phase)
		}
		ring.Add(phase, sum.C0[0], phase)
		prime := a.rings.plain[0]
		ring.MulScalar(phase, prime, phase)
		o, noises, square := newOpener(a.Layout), make([]float64, ring.N()), 0.0
		for j := range noises {
			_, size := o.lift(phase.Coeffs[0][j], phase.Coeffs[1][j], prime)
			noises[j] = size / float64(prime)
			square += noises[j] * noises[j]
		}
		got, want := math.Sqrt(square/float64(len(noises))), alone.sigmaCiphertext()
		t.Logf("product of %d: noise 2^%.2f, reckoned 2^%.2f", len(term), math.Log2(got), math.Log2(want))
		if got > want {
			t.Errorf("noise of a product of %d is %.1f, reckoned %.1f", len(term), got, want)
		}
		if largest := slices.Max(noises); largest > alone.worstCiphertext() {
			t.Errorf("noise of %.1f, at most %.1f", largest, alone.worstCiphertext())
		}
	}
}

// The smudging of answers is the rule's for the epoch's openings.
func TestAnswersFollowTheRuleOfSmudging(t *testing.T) {
	q, err := NewQuorum([]mpc.PartyID{0, 1, 2}, 2)
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAnswers(3, 60, q, 1000)
	if err != nil {
		t.Fatal(err)
	}
	least := math.Sqrt(12*1000*float64(a.rings.n())) * math.Exp2(32) * a.noise.sigmaCiphertext()
	if a.Sigma < least {
		t.Errorf("smudging 2^%.2f is below 2^%.2f", math.Log2(a.Sigma), math.Log2(least))
	}
	if _, err := NewAnswers(1, 60, q, 1<<30); err == nil {
		t.Error("as many openings as one likes")
	}
	t.Log(a)
}

func FuzzManifest(f *testing.F) {
	m := &Manifest{Site: 3, Rows: 77, Columns: []Column{{"age", 7, make([][32]byte, 2)}, {"sex", 1, nil}}}
	good := m.Bytes()
	for _, seed := range [][]byte{nil, good, good[:len(good)-1], append(good[:len(good):len(good)], 0), bytes.Repeat([]byte{0xff}, len(good)), []byte(manifestMagic)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseManifest(b); err == nil && !bytes.Equal(m.Bytes(), b) {
			t.Fatalf("%x became %x", b, m.Bytes())
		}
	})
}

func FuzzCircuit(f *testing.F) {
	good := Circuit{{"f", "x", "y"}, {"v"}}.Bytes()
	for _, seed := range [][]byte{nil, good, good[:len(good)-1], append(good[:len(good):len(good)], 0), []byte(circuitMagic), Circuit{}.Bytes(), Circuit{{}}.Bytes()} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCircuit(b)
		if err == nil && (!bytes.Equal(c.Bytes(), b) || len(c) == 0) {
			t.Fatalf("%x became %x", b, c.Bytes())
		}
	})
}

func FuzzBudget(f *testing.F) {
	w := encodeBudget([32]byte{}, 7)
	for _, seed := range [][]byte{nil, w, w[:len(w)-1], append(w[:len(w):len(w)], 0)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseBudget(b, [32]byte{}); err == nil && !bytes.Equal(b, encodeBudget([32]byte{}, n)) {
			t.Fatalf("%x is a budget of %d", b, n)
		}
	})
}

func FuzzEpoch(f *testing.F) {
	w := writer(epochMagic)
	w.fixed(make([]byte, 32))
	for _, x := range []uint64{60, 1000, 2, 3, 0, 1, 2, 1} {
		w.number(x)
	}
	for _, seed := range [][]byte{nil, w, w[:len(w)-1], append(w[:len(w):len(w)], make([]byte, 100)...), []byte(epochMagic)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseEpoch(b); err == nil {
			t.Fatalf("%d bytes are %v", len(b), e)
		}
	})
}
