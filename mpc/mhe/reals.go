package mhe

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/big"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/schemes/ckks"
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

// Inference says in public how patients are scored privately: an asker encrypts the
// features of some patients under a key of its own, the owner of a linear or logistic
// model, which it keeps in the clear, scores them without seeing them, and the asker
// alone opens the scores and learns nothing else of the model.
//
// Whoever may ask as often as there are features, and once more, can solve for the
// model from the scores: how often is the owner's to limit. A score by the whole
// collective instead would need a key switch that every site recomputes, and so the
// model at every site.
//
// What holds: passive both. Features are hidden by ring learning with errors, weights
// by a fresh encryption of zero and smudging by the rule of the other shares, for so
// many answers under one key of an asker. Noise is below half a unit of the precision
// that was declared, and opening rounds to that.
type Inference struct {
	Features  int
	ValueBits int // features are smaller than 2^ValueBits in absolute value
	// Weights are smaller than 2^WeightBits, and the intercept than all of them together
	// can make of features: WeightBits+ValueBits+log2 of the features.
	WeightBits int
	Precision  int // binary places of a score
	Answers    int // under one key

	Sigma     float64 // of the smudging
	scale     int     // of a combination before a limb is shed, as a power of two
	params    ckks.Parameters
	q         *ring.Ring
	whole     codec // modulo three limbs
	half      codec // modulo two
	ziggurat  ziggurat
	scoreBits int
}

// NewInference checks the parameters against the table, and that the scores fit
// between the smudging and the modulus.
func NewInference(features, valueBits, weightBits, precision, answers int) (*Inference, error) {
	if features < 1 || features > 1<<12 || valueBits < 1 || valueBits > 40 || weightBits < 1 || weightBits > 40 || precision < 1 || precision > 40 || answers < 1 {
		return nil, fmt.Errorf("inference over %d features below 2^%d, weights below 2^%d, %d binary places, %d answers: 1 to 4096 features, 1 to 40 bits each, at least one answer", features, valueBits, weightBits, precision, answers)
	}
	i := &Inference{Features: features, ValueBits: valueBits, WeightBits: weightBits, Precision: precision, Answers: answers, ziggurat: newZiggurat()}
	i.scoreBits = valueBits + weightBits + int(math.Ceil(math.Log2(float64(features)))) + 1
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
	i.whole, i.half = codec{i.params.N(), reals.modulus}, codec{i.params.N(), reals.modulus[:answerLimbs]}
	return i, nil
}

// fit finds the smudging and the scale. Weights become integers at a scale that is
// what the score's has beyond rowScale; they magnify the noise of ciphertexts, of
// which what outlasts the shedding of a limb has to be hidden by the smudging, which
// the score's scale has to exceed. So both are sought together, upwards.
func (i *Inference) fit() error {
	n, limb := float64(int(1)<<reals.logN), math.Log2(float64(reals.modulus[2]))
	for i.scale = rowScale + 1; ; i.scale++ {
		magnified := freshError * math.Sqrt(float64(i.Features)) * math.Exp2(float64(i.scale-rowScale+i.WeightBits))
		fresh := freshError * math.Sqrt(n*4/3+1)
		noise := math.Sqrt((1+n*2/3)/12 + (magnified*magnified+fresh*fresh)/math.Exp2(2*limb))
		i.Sigma = math.Ceil(math.Sqrt(12*float64(i.Answers)*n) * math.Exp2(smudgingBits/2) * noise)
		// A slot adds up the noise of all coefficients; six deviations of that and of
		// the ciphertext's own are to stay below half a unit.
		needed := math.Log2(cut*math.Sqrt(n)*(i.Sigma+noise)) + float64(i.Precision) + 1
		if i.Sigma > maxSigma || i.scale+i.scoreBits+1 > int(math.Floor(3*limb))-1 {
			return fmt.Errorf("scores of %d bits with %d binary places do not fit beside smudging of 2^%.1f: fewer features, bits, places or answers are needed", i.scoreBits, i.Precision, math.Log2(i.Sigma))
		}
		if float64(i.scale)-limb >= needed {
			return nil
		}
	}
}

// Rows is how many patients are scored at a time.
func (i *Inference) Rows() int { return i.params.MaxSlots() }

// QuerySize and AnswerSize are the lengths in bytes of what travels.
func (i *Inference) QuerySize() int { return 2 * (1 + i.Features) * i.whole.size() }

// AnswerSize is the length in bytes of an answer.
func (i *Inference) AnswerSize() int { return 2 * i.half.size() }

// Asker holds the key that opens answers. It prints as redacted.
type Asker struct {
	*Inference
	secret *rlwe.SecretKey
	rows   int
}

// Format keeps an asker's key out of every verb.
func (*Asker) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps an asker's key out of structured logs.
func (*Asker) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps an asker's key out of JSON.
func (*Asker) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Ask encrypts the features of some patients, one row each, under a fresh key.
func (i *Inference) Ask(rows [][]float64) (*Asker, []byte, error) {
	if len(rows) < 1 || len(rows) > i.Rows() {
		return nil, nil, fmt.Errorf("%d patients: from 1 to %d are scored at a time", len(rows), i.Rows())
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
	secret, public := rlwe.NewKeyGenerator(i.params).GenKeyPairNew()
	query := make([]byte, i.QuerySize())
	rest := query
	put := func(p ring.Poly) { i.whole.put(rest, p); rest = rest[i.whole.size():] }
	put(public.Value[0].Q)
	put(public.Value[1].Q)
	encoder, encryptor := ckks.NewEncoder(i.params), rlwe.NewEncryptor(i.params, secret)
	column := make([]float64, i.Rows())
	for f := range i.Features {
		for r, row := range rows {
			column[r] = row[f]
		}
		plain := ckks.NewPlaintext(i.params, i.params.MaxLevel())
		plain.Scale = rlwe.NewScale(math.Exp2(rowScale))
		if err := encoder.Encode(column, plain); err != nil {
			return nil, nil, err
		}
		sealed := ckks.NewCiphertext(i.params, 1, i.params.MaxLevel())
		if err := encryptor.Encrypt(plain, sealed); err != nil {
			return nil, nil, err
		}
		put(sealed.Value[0])
		put(sealed.Value[1])
	}
	return &Asker{i, secret, len(rows)}, query, nil
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

// Score is the model owner's part: the answer to a query. The owner counts its answers
// to one key, which are Answers at most.
func (i *Inference) Score(query []byte, m Model) ([]byte, error) {
	if err := m.check(i); err != nil {
		return nil, err
	}
	if len(query) != i.QuerySize() {
		return nil, fmt.Errorf("a query of %d bytes, want %d", len(query), i.QuerySize())
	}
	polynomial := func(k int) (ring.Poly, error) {
		p := i.q.NewPoly()
		return p, i.whole.get(p, query[k*i.whole.size():][:i.whole.size()])
	}
	score, err := i.zero(polynomial)
	if err != nil {
		return nil, err
	}
	for f, w := range m.Weights {
		weight := fixedPoint(w, i.scale-rowScale)
		for h := range score {
			p, err := polynomial(2*(1+f) + h)
			if err != nil {
				return nil, fmt.Errorf("feature %d: %w", f, err)
			}
			i.q.MulScalarBigintThenAdd(p, weight, score[h])
		}
	}
	i.q.AddScalarBigint(score[0], fixedPoint(m.Intercept, i.scale), score[0])
	answer, buffer := make([]byte, i.AnswerSize()), i.q.NewPoly()
	short := i.q.AtLevel(answerLimbs - 1)
	for h := range score {
		shed := short.NewPoly()
		i.q.DivRoundByLastModulusNTT(score[h], buffer, shed)
		short.INTT(shed, shed)
		if h == 0 {
			newGaussian(&i.ziggurat, i.Sigma, newStream(newSeed(), "smudging").at(0)).addTo(shed, i.half.moduli)
		}
		i.half.put(answer[h*i.half.size():], shed)
	}
	return answer, nil
}

// zero encrypts zero under the key in a query.
func (i *Inference) zero(polynomial func(k int) (ring.Poly, error)) ([2]ring.Poly, error) {
	public := rlwe.NewPublicKey(i.params)
	for h := range public.Value {
		var err error
		if public.Value[h].Q, err = polynomial(h); err != nil {
			return [2]ring.Poly{}, fmt.Errorf("key: %w", err)
		}
	}
	sealed := ckks.NewCiphertext(i.params, 1, i.params.MaxLevel())
	err := rlwe.NewEncryptor(i.params, public).EncryptZero(sealed)
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
	var c [2]ring.Poly
	for h := range c {
		c[h] = short.NewPoly()
		if err := a.half.get(c[h], answer[h*a.half.size():][:a.half.size()]); err != nil {
			return nil, err
		}
		short.NTT(c[h], c[h])
	}
	plain := ckks.NewPlaintext(a.params, answerLimbs-1)
	short.MulCoeffsMontgomery(c[1], a.secret.Value.Q, plain.Value)
	short.Add(plain.Value, c[0], plain.Value)
	plain.IsNTT = true
	plain.Scale = rlwe.NewScale(new(big.Float).SetMantExp(big.NewFloat(1), a.scale)).Div(rlwe.NewScale(reals.modulus[2]))
	scores := make([]float64, a.Rows())
	if err := ckks.NewEncoder(a.params).DecodePublic(plain, scores, float64(a.Precision)); err != nil {
		return nil, err
	}
	for _, x := range scores {
		if !(math.Abs(x) < math.Exp2(float64(a.scoreBits))) {
			return nil, errScore
		}
	}
	return scores[:a.rows], nil
}

// Probability is the logistic score of a linear one, which the asker reckons in the
// clear: each tells the other.
func Probability(score float64) float64 { return 1 / (1 + math.Exp(-score)) }
