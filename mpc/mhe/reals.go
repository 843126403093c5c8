package mhe

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/big"
	"math/bits"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/ring/ringqp"
	"github.com/tuneinsight/lattigo/v5/schemes/ckks"
	"github.com/tuneinsight/lattigo/v5/utils/sampling"
)

// reals are the parameters of private inference: CKKS without multiplications of
// ciphertexts, hence without special limbs. Of three limbs one is shed together with
// the noise of the linear combination, two hold the score above the smudging.
var reals = struct {
	logN    int
	modulus []uint64
}{13, []uint64{0xfffffffffffc001, 0xffffffffffe8001, 0xffffffffffd8001}}

// rowScale is the scale of encrypted numbers, as a power of two. It is large so that
// weights need only be scaled a little: these magnify the noise of fresh ciphertexts.
const rowScale = 100

// Shape is what is public of private inference, and the same at both ends.
type Shape struct {
	Features  int
	Rows      int // patients that are scored at a time
	ValueBits int // features are smaller than 2^ValueBits in absolute value
	// Weights are smaller than 2^WeightBits, and the intercept than all of them together
	// can make of features: WeightBits+ValueBits+log2 of the features.
	WeightBits int
	Precision  int // binary places of a score
	Answers    int // under one key
}

// MaxRows is how many patients can be scored at a time.
const MaxRows = 1 << 13

// Inference is private scoring of patients in a shape: an asker encrypts the features
// of some patients under a key of its own, the owner of a linear or logistic model,
// which it keeps in the clear, scores them without seeing them, and the asker alone
// opens the scores and learns nothing else of the model.
//
// A feature of all patients is one plaintext, a patient a coefficient: a score is then
// a combination by integers of what stands at one place of all ciphertexts, so that
// nothing travels of places that no patient has. The half of a ciphertext that is
// random follows from a seed.
//
// Whoever learns the scores of as many patients as there are features, and of one more,
// can solve for the model: how many an asker gets is the owner's to limit. A score by
// the whole collective instead would need a key switch that every site recomputes, and
// so the model at every site.
//
// What holds: passive both. Features are hidden by ring learning with errors, weights
// by a fresh encryption of zero and smudging by the rule of the other shares, for so
// many answers under one key of an asker. Noise is below half a unit of the precision
// that was declared, and opening rounds to that.
type Inference struct {
	Shape
	Sigma     float64 // of the smudging
	scale     int     // of a combination before a limb is shed, as a power of two
	params    ckks.Parameters
	q         *ring.Ring
	key       codec // a polynomial modulo three limbs
	column    codec // a feature of the patients, modulo three
	second    codec // a polynomial modulo two
	scores    codec // of the patients, modulo two
	ziggurat  ziggurat
	scoreBits int
}

// NewInference checks the parameters against the table, and that the scores fit
// between the smudging and the modulus.
func NewInference(shape Shape) (*Inference, error) {
	if err := shape.check(); err != nil {
		return nil, err
	}
	i := &Inference{Shape: shape, ziggurat: newZiggurat()}
	i.scoreBits = i.ValueBits + i.WeightBits + i.featureBits() + 1
	logQ := 0.0
	for _, q := range reals.modulus {
		logQ += math.Log2(float64(q))
	}
	if limit := maxLogQP(reals.logN); logQ > limit {
		return nil, fmt.Errorf("modulus of %.1f bits at degree 2^%d: 128-bit security allows %.0f", logQ, reals.logN, limit)
	}
	if err := i.fit(); err != nil {
		return nil, err
	}
	var err error
	i.params, err = ckks.NewParametersFromLiteral(ckks.ParametersLiteral{LogN: reals.logN, Q: reals.modulus, LogDefaultScale: 45})
	if err != nil {
		return nil, err
	}
	i.q = i.params.RingQ()
	n, short := i.params.N(), reals.modulus[:answerLimbs]
	i.key, i.column = codec{n, reals.modulus}, codec{i.Rows, reals.modulus}
	i.second, i.scores = codec{n, short}, codec{i.Rows, short}
	return i, nil
}

func (s *Shape) check() error {
	for _, c := range []struct {
		what        string
		value, most int
	}{
		{"features", s.Features, 1 << 12},
		{"patients", s.Rows, MaxRows},
		{"bits of a value", s.ValueBits, 40},
		{"bits of a weight", s.WeightBits, 40},
		{"binary places of a score", s.Precision, 40},
		{"answers under one key", s.Answers, 1 << 20},
	} {
		if c.value < 1 || c.value > c.most {
			return fmt.Errorf("inference with %d %s: from 1 to %d are possible", c.value, c.what, c.most)
		}
	}
	return nil
}

// featureBits is the logarithm of how many features there are, rounded up.
func (s *Shape) featureBits() int { return bits.Len(uint(s.Features - 1)) }

// fit finds the smudging and the scale. Weights become integers at a scale that is
// what the score's has beyond rowScale; they magnify the noise of ciphertexts, of
// which what outlasts the shedding of a limb has to be hidden by the smudging, which
// the score's scale has to exceed. So both are sought together, upwards.
func (i *Inference) fit() error {
	n, limb := float64(int(1)<<reals.logN), math.Log2(float64(reals.modulus[2]))
	// Rounded to integers, all weights together change a score by an eighth of a unit.
	i.scale = rowScale + i.Precision + i.ValueBits + i.featureBits() + 2
	for ; ; i.scale++ {
		magnified := freshError * math.Sqrt(float64(i.Features)) * math.Exp2(float64(i.scale-rowScale+i.WeightBits))
		fresh := freshError * math.Sqrt(n*4/3+1)
		noise := math.Sqrt((1+n*2/3)/12 + (magnified*magnified+fresh*fresh)/math.Exp2(2*limb))
		i.Sigma = math.Ceil(math.Sqrt(12*float64(i.Answers)*n) * math.Exp2(smudgingBits/2) * noise)
		// Six deviations of the smudging and of the ciphertext's own noise are to stay
		// below a quarter of a unit.
		needed := math.Log2(cut*(i.Sigma+noise)) + float64(i.Precision) + 2
		if i.Sigma > maxSigma || i.scale+i.scoreBits+1 > int(math.Floor(3*limb))-1 {
			return fmt.Errorf("scores of %d bits with %d binary places do not fit beside smudging of 2^%.1f: fewer features, bits, places or answers are needed", i.scoreBits, i.Precision, math.Log2(i.Sigma))
		}
		if float64(i.scale)-limb >= needed {
			return nil
		}
	}
}

// QuerySize is the length in bytes of a query: a seed, the half of the key that does
// not follow from it, and the same half of the features at the patients' places.
func (i *Inference) QuerySize() int { return SeedSize + i.key.size() + i.Features*i.column.size() }

// AnswerSize is the length in bytes of an answer: the scores, and the other half.
func (i *Inference) AnswerSize() int { return i.scores.size() + i.second.size() }

// Asker holds the key that opens answers. It prints as redacted.
type Asker struct {
	*Inference
	secret *rlwe.SecretKey
}

// Format keeps an asker's key out of every verb.
func (*Asker) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps an asker's key out of structured logs.
func (*Asker) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps an asker's key out of JSON.
func (*Asker) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// random returns the sampler of the random half of the k-th ciphertext under a seed, of
// which the first is the key.
func random(seed []byte, k int) *sampling.KeyedPRNG {
	label := binary.LittleEndian.AppendUint64([]byte("consilium mhe query v1\x00"), uint64(k))
	key := sha256.Sum256(append(label, seed...))
	prng, err := sampling.NewKeyedPRNG(key[:])
	if err != nil {
		panic("mhe: BLAKE2 refuses a key of 32 bytes: " + err.Error())
	}
	return prng
}

// Ask encrypts the features of the patients, one row each, under a fresh key.
func (i *Inference) Ask(rows [][]float64) (*Asker, []byte, error) {
	if len(rows) != i.Rows {
		return nil, nil, fmt.Errorf("%d patients, the inference is for %d", len(rows), i.Rows)
	}
	for _, row := range rows {
		if len(row) != i.Features {
			return nil, nil, fmt.Errorf("a patient with %d features, the model has %d", len(row), i.Features)
		}
		for _, x := range row {
			if !(math.Abs(x) < math.Exp2(float64(i.ValueBits))) {
				return nil, nil, errRange
			}
		}
	}
	secret := rlwe.NewKeyGenerator(i.params).GenSecretKeyNew()
	encryptor := rlwe.NewEncryptor(i.params, secret)
	query := append(make([]byte, 0, i.QuerySize()), newSeed()...)
	put := func(c codec, p ring.Poly) {
		query = query[:len(query)+c.size()]
		c.put(query[len(query)-c.size():], p)
	}
	public := rlwe.NewPublicKey(i.params)
	err := encryptor.WithPRNG(random(query[:SeedSize], 0)).EncryptZero(rlwe.Element[ringqp.Poly]{
		MetaData: &rlwe.MetaData{CiphertextMetaData: rlwe.CiphertextMetaData{IsNTT: true, IsMontgomery: true}},
		Value:    []ringqp.Poly(public.Value),
	})
	if err != nil {
		return nil, nil, err
	}
	put(i.key, public.Value[0].Q)
	encoder, column := ckks.NewEncoder(i.params), make([]float64, i.Rows)
	for f := range i.Features {
		for r, row := range rows {
			column[r] = row[f]
		}
		plain := ckks.NewPlaintext(i.params, i.params.MaxLevel())
		plain.Scale, plain.IsBatched = rlwe.NewScale(math.Exp2(rowScale)), false
		if err := encoder.Encode(column, plain); err != nil {
			return nil, nil, err
		}
		sealed := ckks.NewCiphertext(i.params, 1, i.params.MaxLevel())
		if err := encryptor.WithPRNG(random(query[:SeedSize], 1+f)).Encrypt(plain, sealed); err != nil {
			return nil, nil, err
		}
		i.q.INTT(sealed.Value[0], sealed.Value[0])
		put(i.column, sealed.Value[0])
	}
	return &Asker{i, secret}, query, nil
}

// Model is a linear predictor. It prints as redacted.
type Model struct {
	Intercept float64
	Weights   []float64
}

// Format keeps a model out of every verb.
func (Model) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a model out of structured logs.
func (Model) LogValue() slog.Value { return slog.StringValue(redacted) }

// check refuses a model that the inference was not made for, without a word of it.
func (m Model) check(i *Inference) error {
	if len(m.Weights) != i.Features {
		return fmt.Errorf("a model of %d weights, the inference is for %d", len(m.Weights), i.Features)
	}
	if !(math.Abs(m.Intercept) < math.Exp2(float64(i.scoreBits-1))) {
		return errRange
	}
	for _, w := range m.Weights {
		if !(math.Abs(w) < math.Exp2(float64(i.WeightBits))) {
			return errRange
		}
	}
	return nil
}

// Check refuses a model that does not fit, without a word of it.
func (i *Inference) Check(m Model) error { return m.check(i) }

// CheckQuery refuses a query of another length than this inference's, and one with a
// coefficient that is not reduced: whatever passes is answered.
func (i *Inference) CheckQuery(query []byte) error {
	if len(query) != i.QuerySize() {
		return fmt.Errorf("a query of %d bytes, want %d", len(query), i.QuerySize())
	}
	p := i.q.NewPoly()
	if err := i.key.get(p, query[SeedSize:][:i.key.size()]); err != nil {
		return fmt.Errorf("the query's key: %w", err)
	}
	for f := range i.Features {
		if err := i.column.get(p, i.columnOf(query, f)); err != nil {
			return fmt.Errorf("feature %d of the query: %w", f+1, err)
		}
	}
	return nil
}

// columnOf returns a feature's part of a query.
func (i *Inference) columnOf(query []byte, f int) []byte {
	return query[SeedSize+i.key.size()+f*i.column.size():][:i.column.size()]
}

// randomHalf fills p with the random half of the k-th ciphertext of a query.
func (i *Inference) randomHalf(query []byte, k int, p ring.Poly) {
	ring.NewUniformSampler(random(query[:SeedSize], k), i.q).Read(p)
}

// Score is the model owner's part: the answer to a query. The owner counts its answers
// to one key, which are Answers at most.
func (i *Inference) Score(query []byte, m Model) ([]byte, error) {
	if err := m.check(i); err != nil {
		return nil, err
	}
	if err := i.CheckQuery(query); err != nil {
		return nil, err
	}
	score, err := i.zero(query)
	if err != nil {
		return nil, err
	}
	p := i.q.NewPoly()
	for f, w := range m.Weights {
		weight := fixedPoint(w, i.scale-rowScale)
		i.randomHalf(query, 1+f, p)
		i.q.MulScalarBigintThenAdd(p, weight, score[1])
		if err := i.column.get(p, i.columnOf(query, f)); err != nil {
			return nil, err
		}
		i.q.MulScalarBigintThenAdd(p, weight, score[0])
	}
	i.q.INTT(score[1], score[1])
	i.q.AddScalarBigint(score[0], fixedPoint(m.Intercept, i.scale), score[0])
	short := i.q.AtLevel(answerLimbs - 1)
	shed := [2]ring.Poly{short.NewPoly(), short.NewPoly()}
	for h := range score {
		i.q.DivRoundByLastModulus(score[h], shed[h])
	}
	newGaussian(&i.ziggurat, i.Sigma, newStream(newSeed(), "smudging").at(0)).addTo(shed[0], i.scores.moduli)
	answer := make([]byte, i.AnswerSize())
	i.scores.put(answer, shed[0])
	i.second.put(answer[i.scores.size():], shed[1])
	return answer, nil
}

// zero encrypts zero under the key in a query: the first half as coefficients, the
// second transformed.
func (i *Inference) zero(query []byte) ([2]ring.Poly, error) {
	public := rlwe.NewPublicKey(i.params)
	if err := i.key.get(public.Value[0].Q, query[SeedSize:][:i.key.size()]); err != nil {
		return [2]ring.Poly{}, fmt.Errorf("key: %w", err)
	}
	i.randomHalf(query, 0, public.Value[1].Q)
	sealed := ckks.NewCiphertext(i.params, 1, i.params.MaxLevel())
	err := rlwe.NewEncryptor(i.params, public).EncryptZero(sealed)
	i.q.INTT(sealed.Value[0], sealed.Value[0])
	return [2]ring.Poly{sealed.Value[0], sealed.Value[1]}, err
}

// fixedPoint returns x at a scale of a power of two, rounded.
func fixedPoint(x float64, scale int) *big.Int {
	f := new(big.Float).SetMantExp(big.NewFloat(x), scale)
	half := math.Copysign(0.5, x)
	k, _ := f.SetPrec(256).Add(f, big.NewFloat(half)).Int(nil)
	return k
}

// errScore is what an answer shows that no honest owner can have made.
var errScore = errors.New("the answer does not open: it is no answer to this query")

// Open opens the scores of the patients, rounded to the declared precision, which is
// also what hides how they came about.
func (a *Asker) Open(answer []byte) ([]float64, error) {
	if len(answer) != a.AnswerSize() {
		return nil, fmt.Errorf("an answer of %d bytes, want %d", len(answer), a.AnswerSize())
	}
	short := a.q.AtLevel(answerLimbs - 1)
	first, second := short.NewPoly(), short.NewPoly()
	if err := a.scores.get(first, answer[:a.scores.size()]); err != nil {
		return nil, err
	}
	if err := a.second.get(second, answer[a.scores.size():]); err != nil {
		return nil, err
	}
	short.NTT(second, second)
	short.MulCoeffsMontgomery(second, a.secret.Value.Q, second)
	short.INTT(second, second)
	short.Add(first, second, first)
	return a.decode(short, first)
}

// decode reads scores off the first coefficients, in units of the precision.
func (a *Asker) decode(short *ring.Ring, p ring.Poly) ([]float64, error) {
	coefficients := make([]*big.Int, a.params.N())
	for j := range coefficients {
		coefficients[j] = new(big.Int)
	}
	short.PolyToBigintCentered(p, 1, coefficients)
	// A unit is 2^(scale-Precision) divided by the limb that was shed.
	unit, limb := new(big.Int).Lsh(big.NewInt(1), uint(a.scale-a.Precision)), new(big.Int).SetUint64(reals.modulus[answerLimbs])
	half, limit := new(big.Int).Rsh(unit, 1), new(big.Int).Lsh(big.NewInt(1), uint(a.scoreBits+a.Precision))
	scores := make([]float64, a.Rows)
	for r := range scores {
		x := new(big.Int).Mul(coefficients[r], limb)
		x.Div(x.Add(x, half), unit) // rounds down, whatever the sign
		if x.CmpAbs(limit) >= 0 {
			return nil, errScore
		}
		units, _ := new(big.Float).SetInt(x).Float64()
		scores[r] = math.Ldexp(units, -a.Precision)
	}
	return scores, nil
}

// Probability is the logistic score of a linear one, which the asker reckons in the
// clear: each tells the other.
func Probability(score float64) float64 { return 1 / (1 + math.Exp(-score)) }
