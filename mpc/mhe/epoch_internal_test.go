package mhe

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"runtime"
	"slices"
	"sync"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// HashOf is for tests of manifests that were made by somebody else.
func HashOf(m *Manifest, column string, k int, frame []byte) [32]byte {
	return hashStored(m.Epoch, m.Site, column, k, frame)
}

func TestVaultFitsTheTable(t *testing.T) {
	for _, sites := range []int{2, 12, MaxSites} {
		if err := checkVault(sites); err != nil {
			t.Error(err)
		}
		t.Logf("%d sites: at worst 2^%.1f of noise is left besides rounding; folding %d sums adds at worst 2^%.1f before the last limb is shed", sites, math.Log2(worstResidual(sites)), MaxTerms, math.Log2(worstFolding(sites, MaxTerms)))
	}
	saved := vault.logN
	defer func() { vault.logN = saved }()
	if vault.logN = 13; checkVault(2) == nil {
		t.Error("420 bits at degree 2^13 are allowed")
	}
}

// evaluated is a circuit's result that a test decrypts.
type evaluated struct {
	*Answers
	epoch   *Epoch
	sums    *Ciphertexts
	secrets []*Secret // of those who answer
}

// columns of the deposit of newEvaluated: in each, numbers below 128 with their signs.
const evaluatedRows = 3000

func evaluatedColumn(name string) []int64 {
	numbers := make([]int64, evaluatedRows)
	for i := range numbers {
		numbers[i] = int64(i*i*int(name[0])%255) - 127
	}
	return numbers
}

// newEvaluated computes on the deposit of theDeposited.
func newEvaluated(t *testing.T) func(c Circuit) *evaluated {
	t.Helper()
	compute, err := theDeposited()
	if err != nil {
		t.Fatal(err)
	}
	return func(c Circuit) *evaluated {
		v, err := compute(c)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// theDeposited makes an epoch and a deposit of columns x, y and z, once for all tests.
var theDeposited = sync.OnceValues(func() (func(c Circuit) (*evaluated, error), error) {
	q, err := NewQuorum([]mpc.PartyID{0, 1, 2}, 2)
	if err != nil {
		return nil, err
	}
	epochs, err := memnet.Collect(memnet.New(memnet.Config{N: 3, Compute: []mpc.PartyID{}}), func(s *mpc.Session) (*Epoch, error) {
		return MakeEpoch(s, q, 40, 10), nil
	})
	if err != nil {
		return nil, err
	}
	e, active := epochs[0], []mpc.PartyID{0, 2}
	m, err := e.NewManifest(0, evaluatedRows)
	if err != nil {
		return nil, err
	}
	var frames [][][]byte
	names := []string{"x", "y", "z"}
	for _, name := range names {
		var column [][]byte
		err := e.Deposit(m, name, 8, evaluatedColumn(name), func(_ int, frame []byte) error { column = append(column, frame); return nil })
		if err != nil {
			return nil, err
		}
		frames = append(frames, column)
	}
	anybody := func(mpc.PartyID, []byte, []byte) bool { return true }
	m, stored, err := e.Fetch(m.Bytes(), nil, anybody, names, func(column, k int) ([]byte, error) { return frames[column][k], nil })
	if err != nil {
		return nil, err
	}
	return func(c Circuit) (*evaluated, error) {
		a, err := NewAnswers(len(c), e.Bits, q, e.Openings)
		if err != nil {
			return nil, err
		}
		v := &evaluated{Answers: a, epoch: e}
		if v.sums, err = e.evaluate(c, []Input{{m, stored}}); err != nil {
			return nil, err
		}
		for _, p := range active {
			secret, err := epochs[p].piece.Among(e.keys, q, active)
			if err != nil {
				return nil, err
			}
			v.secrets = append(v.secrets, answerSecret(secret))
		}
		return v, nil
	}, nil
})

// decrypt returns the plaintext's coefficients modulo the first prime, and how large their
// noise is.
func (v *evaluated) decrypt() (plain []uint64, noise []float64) {
	q := v.rings.q
	phase, key := q.NewPoly(), q.NewPoly()
	for _, s := range v.secrets {
		q.Add(key, s.key.Value.Q, key)
	}
	q.NTT(v.sums.C1[0], phase)
	q.MulCoeffsMontgomery(phase, key, phase)
	q.INTT(phase, phase)
	q.Add(phase, v.sums.C0[0], phase)
	return v.split(phase)
}

// switched is decrypt by the shares of those who answer, as the recipient has it.
func (v *evaluated) switched(t *testing.T) (plain []uint64, noise []float64) {
	t.Helper()
	total := v.sums.C0[0].CopyNew()
	for _, s := range v.secrets {
		share := []ring.Poly{*v.sums.C1[0].CopyNew()}
		seed, err := Switch(v.Layout, s, share)
		if err != nil {
			t.Fatal(err)
		}
		v.rings.q.Add(*total, share[0], *total)
		v.mask(newStream(seed, "mask"), 0, subMod, *total)
	}
	return v.split(*total)
}

// split takes an encoding apart.
func (v *evaluated) split(phase ring.Poly) (plain []uint64, noise []float64) {
	q, prime := v.rings.q, v.rings.plain[0]
	q.MulScalar(phase, prime, phase)
	o := newOpener(v.Layout)
	for j := range q.N() {
		x, size := o.lift(phase.Coeffs[0][j], phase.Coeffs[1][j], prime)
		plain, noise = append(plain, x), append(noise, size/float64(prime))
	}
	return plain, noise
}

// aroundZero is the deviation of numbers around zero, by their absolute values.
func aroundZero(sizes []float64) float64 {
	squares := 0.0
	for _, x := range sizes {
		squares += x * x
	}
	return math.Sqrt(squares / float64(len(sizes)))
}

// The noise of a total of folded sums is that of the sites' smudging, and nothing of
// the folding shows in it.
func TestSmudgingOfFoldedSumsIsAsReckoned(t *testing.T) {
	v := newEvaluated(t)(Circuit{{"x", "y", "z"}, {"x"}, {"z", "y"}})
	want, _ := v.decrypt()
	got, noise := v.switched(t)
	if !slices.Equal(got, want) {
		t.Error("the plaintext is another one under smudging")
	}
	near(t, "total of folded sums", aroundZero(noise), math.Sqrt(float64(len(v.secrets)))*v.Sigma)
}

// What is reckoned as the noise of an evaluated ciphertext, by which smudging is
// found, is no less than what the deepest circuit has after folding, and the plaintext
// survives. All coefficients but those of the sums are zero: whoever decrypts learns
// of single rows nothing.
func TestNoiseOfProductsIsAsReckoned(t *testing.T) {
	compute := newEvaluated(t)
	x, y, z := evaluatedColumn("x"), evaluatedColumn("y"), evaluatedColumn("z")
	many := Circuit{{"x", "y", "z"}, {"x"}, {"x", "y"}, {"y"}, {"z", "y"}}
	for _, c := range []Circuit{{{"x"}}, {{"x", "y"}}, {{"x", "y", "z"}}, many} {
		v := compute(c)
		alone := v.noise // of the evaluated ciphertext, without the fresh ones that are added
		alone.terms = residual
		plain, noises := v.decrypt()
		got, want := aroundZero(noises), alone.sigmaCiphertext()
		t.Logf("%v: noise 2^%.2f, reckoned 2^%.2f", c, math.Log2(got), math.Log2(want))
		if got > want {
			t.Errorf("noise of %v is %.1f, reckoned %.1f", c, got, want)
		}
		rounding := alone
		rounding.terms = 1
		near(t, fmt.Sprintf("%v, of which one rounding is left", c), got, rounding.sigmaCiphertext())
		if largest := slices.Max(noises); largest > alone.worstCiphertext() {
			t.Errorf("noise of %.1f, at most %.1f", largest, alone.worstCiphertext())
		}
		prime := v.rings.plain[0]
		got0, want0 := collected(plain, len(c), prime), make([]uint64, len(c))
		for i, term := range c {
			sum := int64(0)
			for row := range evaluatedRows {
				product := int64(1)
				for _, name := range term {
					product *= map[string][]int64{"x": x, "y": y, "z": z}[name][row]
				}
				sum += product
			}
			want0[i] = residue(big.NewInt(sum), prime)
		}
		if !slices.Equal(got0, want0) {
			t.Errorf("the sums of %v are %d, want %d", c, got0, want0)
		}
		for i := range c {
			plain[place(i)] = 0
		}
		if slices.ContainsFunc(plain, func(x uint64) bool { return x != 0 }) {
			t.Errorf("a coefficient besides the sums of %v is not zero", c)
		}
	}
}

// Sites with more or fewer processors divide the work otherwise: the ciphertext is the
// same, bit for bit.
func TestFoldingDoesNotDependOnProcessors(t *testing.T) {
	compute := newEvaluated(t)
	c := Circuit{{"x"}, {"y"}, {"x", "y"}, {"z"}, {"x", "z"}, {"y", "z"}, {"x", "x"}}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	digests := make(map[[32]byte]bool)
	for _, processors := range []int{1, 2, 3, 8} {
		runtime.GOMAXPROCS(processors)
		v := compute(c)
		digests[v.sums.digest(v.Layout)] = true
	}
	if len(digests) != 1 {
		t.Errorf("%d different ciphertexts", len(digests))
	}
}

// Numbers go into coefficients and come out of them as they were.
func TestSpreadNumbersAreCollected(t *testing.T) {
	for _, prime := range vault.plain {
		numbers := []uint64{0, 1, prime - 1, 12345, prime / 2}
		if got := collected(spread(numbers, prime), len(numbers), prime); !slices.Equal(got, numbers) {
			t.Errorf("%d became %d", numbers, got)
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

// FuzzEpoch: what is accepted comes out again byte for byte, and nothing panics. Bytes
// are laid over a whole file at some place, or taken as they are.
func FuzzEpoch(f *testing.F) {
	q, err := NewQuorum([]mpc.PartyID{0, 1, 2}, 2)
	if err != nil {
		f.Fatal(err)
	}
	e, err := newEpoch(q, 60, 1000)
	if err != nil {
		f.Fatal(err)
	}
	e.allocate(1, CRS{})
	whole := []byte(e.encode())
	header, high := bytes.Index(whole, make([]byte, 1<<10)), bytes.Repeat([]byte{0xff}, wordSize)
	old := slices.Concat([]byte(firstEpoch), whole[len(epochMagic):header])
	if _, err := parseEpoch(old); !errors.Is(err, ErrOldEpoch) {
		f.Errorf("an epoch of the first form: %v", err)
	}
	if _, err := parseEpoch(whole); err != nil {
		f.Fatal(err)
	}
	for what, bad := range map[string][]byte{"cut": whole[:len(whole)-1], "longer": append(slices.Clone(whole), 0)} {
		if _, err := parseEpoch(bad); err == nil {
			f.Errorf("%s by one byte, it is read", what)
		}
	}
	at := len(whole)
	for _, p := range slices.Backward(e.parts()) {
		at -= p.size()
		bad := slices.Clone(whole)
		copy(bad[at+p.size()-wordSize:], high)
		if _, err := parseEpoch(bad); err == nil {
			f.Errorf("the last coefficient of the part at %d is not reduced, and read", at)
		}
	}
	for _, seed := range [][]byte{nil, whole[:header], whole[:header-1], []byte(epochMagic), old} {
		f.Add(seed, uint32(0), false)
	}
	f.Add([]byte{2}, uint32(len(epochMagic)+32), true)
	f.Add(high, uint32(header), true)
	f.Add([]byte{1}, uint32(len(whole)-wordSize), true)
	f.Fuzz(func(t *testing.T, b []byte, at uint32, laid bool) {
		if laid {
			file := slices.Clone(whole)
			copy(file[at%uint32(len(file)):], b)
			b = file
		}
		if e, err := parseEpoch(b); err == nil && !bytes.Equal(e.encode(), b) {
			t.Fatalf("%d bytes are %v", len(b), e)
		}
	})
}
