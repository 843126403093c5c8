package mhe

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"runtime"
	"slices"

	"consilium/mpc"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/schemes/bgv"
)

// Circuit says what is computed on deposits: one sum for every term, over all rows of
// all sites, of the product of the term's one to three columns. With x and y the
// columns, zero where missing, v and w their validity bits and f a 0/1 column to
// filter by, the terms f x, f v give a filtered mean; x x besides, a variance; x y,
// x w, v y, v w a covariance over complete rows, each with f before it if wanted; and
// those of all pairs the normal equations of a linear regression.
type Circuit [][]string

const (
	circuitMagic = "consilium mhe circuit v1\x00"
	// MaxTerms is how many sums one circuit has at most.
	MaxTerms = 4096
)

// Bytes are the circuit in its one form: a signed job holds it, or its hash.
func (c Circuit) Bytes() []byte {
	w := writer(circuitMagic)
	w.number(uint64(len(c)))
	for _, term := range c {
		w.number(uint64(len(term)))
		for _, name := range term {
			w.text(name)
		}
	}
	return w
}

// ParseCircuit reads Bytes and accepts nothing else.
func ParseCircuit(b []byte) (Circuit, error) {
	r := &reader{rest: b}
	r.magic(circuitMagic)
	var c Circuit
	for range r.number(MaxTerms) {
		var term []string
		for range r.number(MaxFactors) {
			term = append(term, r.text(MaxColumnName))
		}
		if c = append(c, term); r.err != nil || len(term) == 0 {
			return nil, fmt.Errorf("circuit: %w", errMalformed)
		}
	}
	if err := r.end(); err != nil || len(c) == 0 {
		return nil, fmt.Errorf("circuit: %w", errMalformed)
	}
	return c, nil
}

// Columns are the columns that a circuit uses, each once.
func (c Circuit) Columns() []string {
	names := slices.Concat(c...)
	slices.Sort(names)
	return slices.Compact(names)
}

// Input is a deposit as Epoch.Fetch gives it.
type Input struct {
	Manifest *Manifest
	Stored   Stored
}

// check refuses a circuit whose sums could be larger than the epoch's, or inputs that
// do not have its columns.
func (e *Epoch) check(c Circuit, inputs []Input) error {
	if len(c) == 0 || len(c) > MaxTerms || len(inputs) == 0 {
		return fmt.Errorf("a circuit of %d sums over %d deposits", len(c), len(inputs))
	}
	blocks, rows := 0, 0
	for i, in := range inputs {
		if err := in.Manifest.check(e); err != nil {
			return err
		}
		if i > 0 && in.Manifest.Site <= inputs[i-1].Manifest.Site {
			return errors.New("deposits must come in the order of their sites, each once")
		}
		l, err := e.keys.columns(in.Manifest.Rows)
		if err != nil {
			return err
		}
		blocks, rows = blocks+l.blocks(), rows+in.Manifest.Rows
	}
	if blocks > maxBlocks {
		return fmt.Errorf("columns of %d ciphertexts over all sites: at most %d can be summed", blocks, maxBlocks)
	}
	for _, term := range c {
		if len(term) == 0 || len(term) > MaxFactors {
			return fmt.Errorf("a product of %d columns: from 1 to %d", len(term), MaxFactors)
		}
		if err := e.checkTerm(term, inputs, rows); err != nil {
			return err
		}
	}
	return nil
}

func (e *Epoch) checkTerm(term []string, inputs []Input, rows int) error {
	widest := 0
	for _, in := range inputs {
		width := bits.Len(uint(rows))
		for _, name := range term {
			i := in.Manifest.column(name)
			if i < 0 || i >= len(in.Stored) || in.Stored[i] == nil || len(in.Stored[i].C0) != len(in.Manifest.Columns[i].Hashes) {
				return fmt.Errorf("participant %d has no column %s", in.Manifest.Site, name)
			}
			width += in.Manifest.Columns[i].Bits
		}
		widest = max(widest, width)
	}
	if widest > e.Bits {
		return fmt.Errorf("a sum of products of %v can have %d bits, the key epoch is for %d", term, widest, e.Bits)
	}
	return nil
}

// evaluate computes the circuit: one ciphertext for every term and plaintext prime,
// modulo what is left for answers. All who do get the same, bit for bit.
func (e *Epoch) evaluate(c Circuit, inputs []Input) (*Ciphertexts, error) {
	n := len(c) * e.keys.Primes
	out := &Ciphertexts{make([]ring.Poly, n), make([]ring.Poly, n)}
	size := min(termsAtOnce, (len(c)-1)/runtime.GOMAXPROCS(0)+1)
	parts := (len(c)-1)/size + 1
	return out, parallel(parts*e.keys.Primes, func() func(k int) error {
		arithmetic := make([]*evaluation, e.keys.Primes)
		return func(k int) error {
			prime, from := k/parts, k%parts*size
			if arithmetic[prime] == nil {
				arithmetic[prime] = newEvaluation(e, prime)
			}
			sums, err := arithmetic[prime].sums(c[from:min(from+size, len(c))], inputs)
			for i, sum := range sums {
				out.C0[prime*len(c)+from+i], out.C1[prime*len(c)+from+i] = sum.Value[0], sum.Value[1]
			}
			return err
		}
	})
}

// termsAtOnce is how many terms a goroutine sums side by side: they share what they have
// in common, and take 2 MB each meanwhile.
const termsAtOnce = 32

// evaluation is one goroutine's arithmetic modulo one plaintext prime.
type evaluation struct {
	*Epoch
	prime int
	*bgv.Evaluator
}

func newEvaluation(e *Epoch, prime int) *evaluation {
	return &evaluation{e, prime, bgv.NewEvaluator(e.keys.rings.bgv[prime], rlwe.NewMemEvaluationKeySet(e.relin))}
}

// sums adds the products of all rows, for some terms.
func (v *evaluation) sums(terms [][]string, inputs []Input) ([]*rlwe.Ciphertext, error) {
	totals := make([]*rlwe.Ciphertext, len(terms))
	for _, in := range inputs {
		l, err := v.keys.columns(in.Manifest.Rows)
		if err != nil {
			return nil, err
		}
		for b := range l.blocks() {
			rows := &block{v, in, v.prime*l.blocks() + b, make(map[string]*rlwe.Ciphertext), make(map[[2]string]*rlwe.Ciphertext)}
			for i, term := range terms {
				p, err := rows.product(term)
				if err != nil {
					return nil, err
				}
				if totals[i] == nil {
					totals[i] = p
				} else if err := v.Add(totals[i], p, totals[i]); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, total := range totals {
		if err := v.finish(total); err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// finish sheds the limbs that answers do without. The result is in the plain order of
// coefficients.
func (v *evaluation) finish(total *rlwe.Ciphertext) error {
	if total.Degree() > 1 {
		if err := v.Relinearize(total, total); err != nil {
			return err
		}
	}
	for total.Level() >= answerLimbs {
		if err := v.Rescale(total, total); err != nil {
			return err
		}
	}
	q := v.keys.rings.q.AtLevel(total.Level())
	for i := range total.Value {
		q.INTT(total.Value[i], total.Value[i])
	}
	return nil
}

// block are the k-th ciphertexts of a deposit's columns, and what was made of them.
type block struct {
	*evaluation
	in      Input
	k       int
	columns map[string]*rlwe.Ciphertext
	pairs   map[[2]string]*rlwe.Ciphertext
}

// product multiplies a term's columns. The last product is left as it comes, in three
// parts: these are summed before they are made two again.
func (r *block) product(term []string) (*rlwe.Ciphertext, error) {
	last := r.column(term[len(term)-1])
	switch len(term) {
	case 1:
		return last.CopyNew(), nil
	case 2:
		return r.MulNew(r.column(term[0]), last)
	}
	first, err := r.pair([2]string(term))
	if err != nil {
		return nil, err
	}
	return r.MulNew(first, last)
}

// pair is the product of the first two of three columns, ready for the third.
func (r *block) pair(names [2]string) (*rlwe.Ciphertext, error) {
	if p := r.pairs[names]; p != nil {
		return p, nil
	}
	p, err := r.MulNew(r.column(names[0]), r.column(names[1]))
	if err == nil {
		err = errors.Join(r.Relinearize(p, p), r.Rescale(p, p))
	}
	r.pairs[names] = p
	return p, err
}

func (r *block) column(name string) *rlwe.Ciphertext {
	c := r.columns[name]
	if c == nil {
		c = r.load(r.in.Stored[r.in.Manifest.column(name)], r.k)
		r.columns[name] = c
	}
	return c
}

// load copies a stored ciphertext, transformed for products.
func (v *evaluation) load(c *Ciphertexts, k int) *rlwe.Ciphertext {
	p := v.keys.rings.bgv[v.prime]
	x := bgv.NewCiphertext(p, 1, p.MaxLevel())
	v.keys.rings.q.NTT(c.C0[k], x.Value[0])
	v.keys.rings.q.NTT(c.C1[k], x.Value[1])
	x.IsNTT = true
	return x
}

// Answers says in public how the sums of a circuit are opened: in which ciphertexts,
// under how much smudging. Its layout has a block for every sum.
type Answers struct {
	*Layout
	sums int
}

// NewAnswers returns how so many sums below 2^bits are opened under the key of an
// epoch with that quorum and so many openings.
func NewAnswers(sums, bits int, q *Quorum, openings int) (*Answers, error) {
	p := answers()
	primes := p.primesFor(bits)
	if sums < 1 || sums > MaxTerms || bits < 1 || primes == 0 || openings < 1 {
		return nil, fmt.Errorf("%d sums of %d bits, %d openings: from 1 to %d sums, 1 to %d bits, at least one opening", sums, bits, openings, MaxTerms, p.bits(len(p.plain)))
	}
	sites := len(q.holders)
	l := &Layout{Values: sums * p.slots(), Bits: p.bits(primes), Sites: sites, Need: q.need, noise: noiseOf(p, sites, q.exposed(openings))}
	l.noise.terms = q.need + residual
	l, err := l.complete()
	return &Answers{l, sums}, err
}

// veils encrypts a vector for every sum that is uniformly random but for adding up to
// zero: what is opened then tells the sum over all slots, and nothing of any of them.
// With it go the fresh ciphertexts that every opening adds.
func (a *Answers) veils(key *PublicKey) (*Ciphertexts, error) {
	c := &Ciphertexts{make([]ring.Poly, a.Ciphertexts), make([]ring.Poly, a.Ciphertexts)}
	random := newStream(newSeed(), "veil")
	return c, parallel(a.Ciphertexts, func() func(k int) error {
		e := newEncrypter(a.Layout, key)
		return func(k int) (err error) {
			_, _, prime := a.block(k)
			veil(e.residues, a.rings.plain[prime], random.at(k))
			c.C0[k], c.C1[k], err = e.encryptResidues(e.residues, prime)
			return err
		}
	})
}

// veil fills v with random numbers modulo t that add up to zero.
func veil(v []uint64, t uint64, coins *coins) {
	last := uint64(0)
	for i := range v[1:] {
		v[i+1] = coins.below(t)
		last = subMod(last, v[i+1], t)
	}
	v[0] = last
}

// Open is the recipient's part: the sums, from the root's total and one seed of each
// site that answered.
func (a *Answers) Open(total []byte, seeds [][]byte) ([]*big.Int, error) {
	residues, err := a.residues(total, seeds)
	if err != nil {
		return nil, err
	}
	primes := a.rings.plain[:a.Primes]
	product := big.NewInt(1)
	for _, t := range primes {
		product.Mul(product, new(big.Int).SetUint64(t))
	}
	sums := make([]*big.Int, a.sums)
	for i := range sums {
		sum, weight := new(big.Int), big.NewInt(1)
		digits := make([]uint64, a.Primes)
		for j, t := range primes {
			digits[j] = digit(slotSum(residues[j*a.sums+i], t), digits[:j], primes[:j], t)
			sum.Add(sum, new(big.Int).Mul(weight, new(big.Int).SetUint64(digits[j])))
			weight.Mul(weight, new(big.Int).SetUint64(t))
		}
		if new(big.Int).Lsh(sum, 1).Cmp(product) > 0 {
			sum.Sub(sum, product)
		}
		if !a.within(sum) {
			return nil, errGarbage
		}
		sums[i] = sum
	}
	return sums, nil
}

// slotSum adds what the slots hold modulo t, and takes off the factor that shedding
// limbs left.
func slotSum(slots []uint64, t uint64) uint64 {
	sum := uint64(0)
	for _, x := range slots {
		sum = addMod(sum, x, t)
	}
	for _, q := range vault.modulus[answerLimbs:] {
		sum = mulMod(sum, q%t, t)
	}
	return sum
}

// Answer is a site's part in opening a circuit's sums for one recipient, by the active
// sites of the options' tree. The caller has checked that a signed job holds the
// circuit and that the inputs came from Fetch. This site computes the circuit itself,
// and its share is for that, under the fresh veils of all, and for nothing else: what
// others would rather have switched does not enter. Before anything of the key leaves,
// the budget is charged.
func (e *Epoch) Answer(s *mpc.Session, o Options, b *Budget, c Circuit, inputs []Input) Part {
	part, err := e.answer(s, o, b, c, inputs)
	if err != nil {
		s.Fail(err)
	}
	if s.Err() != nil {
		return Part{}
	}
	return part
}

func (e *Epoch) answer(s *mpc.Session, o Options, b *Budget, c Circuit, inputs []Input) (Part, error) {
	if b.epoch != e.ID {
		return Part{}, errors.New("the budget is that of another epoch")
	}
	if err := e.check(c, inputs); err != nil {
		return Part{}, err
	}
	a, err := NewAnswers(len(c), e.Bits, e.Quorum, e.Openings)
	if err != nil {
		return Part{}, err
	}
	if err := o.check(s, a.Layout); err != nil {
		return Part{}, err
	}
	secret, err := e.piece.Among(e.keys, e.Quorum, slices.Sorted(slices.Values(o.Tree.Members())))
	if err != nil {
		return Part{}, err
	}
	defer secret.Erase()
	// One may fetch and compute for longer than others wait for a frame.
	digest := e.digest(c, inputs)
	if !mpc.Meet(s.Step("ready"), o.Tree.Members()) || !mpc.Echo(s.Step("inputs"), o.Tree.Members(), digest[:], "key epoch, circuit or manifests") {
		return Part{}, nil
	}
	sums, err := e.evaluate(c, inputs)
	if err != nil {
		return Part{}, err
	}
	key := answerKey(e.public)
	veils, err := a.veils(key)
	if err != nil {
		return Part{}, err
	}
	if !mpc.Meet(s.Step("computed"), o.Tree.Members()) {
		return Part{}, nil
	}
	if err := b.Charge(a.Ciphertexts); err != nil {
		return Part{}, err
	}
	return revealStored(s, a.Layout, o, key, answerSecret(secret), veils, sums), nil
}

// digest is a hash of all that an answer follows from.
func (e *Epoch) digest(c Circuit, inputs []Input) [sha256.Size]byte {
	w := writer("consilium mhe inputs v1\x00")
	w.fixed(e.ID[:])
	w.text(string(c.Bytes()))
	for _, in := range inputs {
		w.text(string(in.Manifest.Bytes()))
	}
	return sha256.Sum256(w)
}
