package mhe

import (
	"crypto/sha256"
	"errors"
	"fmt"
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

// check refuses a circuit whose sums could be 2^within or more, or inputs that do not
// have its columns.
func (e *Epoch) check(c Circuit, inputs []Input, within int) error {
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
		if err := e.checkTerm(term, inputs, rows, within); err != nil {
			return err
		}
	}
	return nil
}

func (e *Epoch) checkTerm(term []string, inputs []Input, rows, within int) error {
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
	if widest > within {
		return fmt.Errorf("a sum of products of %v can have %d bits, there is room for %d", term, widest, within)
	}
	return nil
}

// evaluate computes the circuit: one ciphertext for every plaintext prime, modulo what
// is left for answers, whose coefficients are the sums as Answers has them. All who do
// get the same, bit for bit.
func (e *Epoch) evaluate(c Circuit, inputs []Input) (*Ciphertexts, error) {
	steps := bits.Len(uint(min(termsAtOnce, (len(c)-1)/runtime.GOMAXPROCS(0)+1)) - 1)
	parts := (len(c)-1)>>steps + 1
	turns, err := e.turns.keys(e.keys)
	if err != nil {
		return nil, err
	}
	keys := rlwe.NewMemEvaluationKeySet(e.relin, turns...)
	folded := make([]*rlwe.Ciphertext, parts*e.keys.Primes)
	err = e.each(keys, len(folded), func(v *evaluation, k int) error {
		from := k % parts << steps
		sums, err := v.sums(c[from:min(from+1<<steps, len(c))], inputs)
		if err == nil {
			folded[k], err = v.fold(sums, 0, steps)
		}
		return err
	}, func(k int) int { return k / parts })
	if err != nil {
		return nil, err
	}
	out := &Ciphertexts{make([]ring.Poly, e.keys.Primes), make([]ring.Poly, e.keys.Primes)}
	return out, e.each(keys, e.keys.Primes, func(v *evaluation, prime int) error {
		sum, err := v.fold(folded[prime*parts:][:parts], steps, vault.logN)
		if err != nil {
			return err
		}
		err = v.finish(sum)
		out.C0[prime], out.C1[prime] = sum.Value[0], sum.Value[1]
		return err
	}, func(k int) int { return k })
}

// each does works 0 to n-1 in parallel, each with arithmetic modulo its prime.
func (e *Epoch) each(keys rlwe.EvaluationKeySet, n int, work func(v *evaluation, k int) error, prime func(k int) int) error {
	return parallel(n, func() func(k int) error {
		arithmetic := make([]*evaluation, e.keys.Primes)
		return func(k int) error {
			p := prime(k)
			if arithmetic[p] == nil {
				arithmetic[p] = newEvaluation(e, p, keys)
			}
			return work(arithmetic[p], k)
		}
	})
}

// termsAtOnce is how many terms a goroutine sums side by side: they share what they have
// in common, and take 2 MB each meanwhile.
const termsAtOnce = 32

// evaluation is one goroutine's arithmetic modulo one plaintext prime.
type evaluation struct {
	*Epoch
	prime  int
	powers []ring.Poly // X to the 1, 2, 4 …
	*bgv.Evaluator
}

func newEvaluation(e *Epoch, prime int, keys rlwe.EvaluationKeySet) *evaluation {
	powers := rlwe.GenXPow2(e.keys.rings.q.AtLevel(foldLimbs-1), vault.logN, false)
	return &evaluation{e, prime, powers, bgv.NewEvaluator(e.keys.rings.bgv[prime], keys)}
}

// sums adds the products of all rows, for some terms, ready to be folded.
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
		if err := v.shed(total, foldLimbs); err != nil {
			return nil, err
		}
		if total.Degree() > 1 {
			if err := v.Relinearize(total, total); err != nil {
				return nil, err
			}
		}
		v.scaled(total)
	}
	return totals, nil
}

// shed sheds limbs until so many are left. A sum of products does so while it is in
// three parts: it is made two again with the fewer limbs, in half the time.
func (v *evaluation) shed(total *rlwe.Ciphertext, limbs int) error {
	for total.Level() >= limbs {
		if err := v.Rescale(total, total); err != nil {
			return err
		}
	}
	return nil
}

// finish sheds the limbs that answers do without. The result is in the plain order of
// coefficients.
func (v *evaluation) finish(total *rlwe.Ciphertext) error {
	err := v.shed(total, answerLimbs)
	q := v.keys.rings.q.AtLevel(total.Level())
	for i := range total.Value {
		q.INTT(total.Value[i], total.Value[i])
	}
	return err
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

// Answers says in public how the sums of a circuit are opened: all in one ciphertext
// for every plaintext prime, under how much smudging.
type Answers struct{ *Layout }

// NewAnswers returns how so many sums below 2^bits are opened under the key of an
// epoch with that quorum and so many openings.
func NewAnswers(sums, bits int, q *Quorum, openings int) (*Answers, error) {
	p := answers()
	primes := p.primesFor(bits)
	if sums < 1 || sums > MaxTerms || bits < 1 || primes == 0 || openings < 1 {
		return nil, fmt.Errorf("%d sums of %d bits, %d openings: from 1 to %d sums, 1 to %d bits, at least one opening", sums, bits, openings, MaxTerms, p.bits(len(p.plain)))
	}
	sites := len(q.holders)
	l := &Layout{Values: sums, Bits: p.bits(primes), Sites: sites, Need: q.need, folded: true, noise: noiseOf(p, sites, q.exposed(openings))}
	l.noise.terms = q.need + residual
	l, err := l.complete()
	return &Answers{l}, err
}

// Answer is a site's part in opening a circuit's sums for one recipient, by the active
// sites of the options' tree. The caller has checked that a signed job holds the
// circuit and that the inputs came from Fetch. This site computes the circuit itself,
// and its share is for that, under the fresh zeros of all, and for nothing else: what
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
	a, err := NewAnswers(len(c), e.Bits, e.Quorum, e.Openings)
	if err != nil {
		return Part{}, err
	}
	sums, secret, err := e.compute(s, o, b, a.Layout, e.Bits, c, inputs)
	if sums == nil {
		return Part{}, err
	}
	defer secret.Erase()
	return RevealStored(s, a.Layout, o, answerKey(e.public), answerSecret(secret), sums), nil
}

// compute is what goes before sums below 2^within leave the site: all who answer have
// the same in mind, each computes it, and the budget is charged for what the layout
// opens. It returns the sums with this site's share of the key, which is to be erased,
// or nil when the session has failed.
func (e *Epoch) compute(s *mpc.Session, o Options, b *Budget, l *Layout, within int, c Circuit, inputs []Input) (*Ciphertexts, *Secret, error) {
	if b.epoch != e.ID {
		return nil, nil, errors.New("the budget is that of another epoch")
	}
	if err := e.check(c, inputs, within); err != nil {
		return nil, nil, err
	}
	if err := o.check(s, l); err != nil {
		return nil, nil, err
	}
	secret, err := e.piece.Among(e.keys, e.Quorum, slices.Sorted(slices.Values(o.Tree.Members())))
	if err != nil {
		return nil, nil, err
	}
	sums, err := e.agreed(s, o, within, c, inputs)
	if err == nil && sums != nil && mpc.Meet(s.Step("computed"), o.Tree.Members()) {
		if err = b.Charge(l.Ciphertexts); err == nil {
			return sums, secret, nil
		}
	}
	secret.Erase()
	return nil, nil, err
}

// agreed evaluates the circuit once all who answer have the same in mind. One may fetch
// and compute for longer than others wait for a frame.
func (e *Epoch) agreed(s *mpc.Session, o Options, within int, c Circuit, inputs []Input) (*Ciphertexts, error) {
	digest := e.digest(within, c, inputs)
	if !mpc.Meet(s.Step("ready"), o.Tree.Members()) || !mpc.Echo(s.Step("inputs"), o.Tree.Members(), digest[:], "key epoch, circuit or manifests") {
		return nil, nil
	}
	return e.evaluate(c, inputs)
}

// digest is a hash of all that an answer follows from.
func (e *Epoch) digest(within int, c Circuit, inputs []Input) [sha256.Size]byte {
	w := writer("consilium mhe inputs v2\x00")
	w.fixed(e.ID[:])
	w.number(uint64(within))
	w.text(string(c.Bytes()))
	for _, in := range inputs {
		w.text(string(in.Manifest.Bytes()))
	}
	return sha256.Sum256(w)
}
