package mhe

import (
	"bytes"
	"math"
	"testing"

	"consilium/mpc"
)

// HashStored is for tests of manifests that were made by somebody else.
var HashStored = hashStored

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

// What an answer may have as noise is what it has: the evaluated ciphertext of the
// deepest circuit decrypts with a noise below the bound that opening reckons with,
// and the smudging is the rule's for the epoch's openings.
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
	w := writer(budgetMagic)
	w.fixed(make([]byte, 32))
	w.number(7)
	for _, seed := range [][]byte{nil, w, w[:len(w)-1], append(w[:len(w):len(w)], 0)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseBudget(b, [32]byte{}); err == nil && (n < 0 || len(b) != len(w)) {
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
