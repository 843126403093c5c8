package protocols

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// glm is what logistic and Poisson regression have in common.
type glm struct {
	design  *design
	outcome *job.Column
	offset  *job.Column // nil if there is none
	event   string      // what a binary outcome counts, in words
	frac    precision
}

const (
	modelRows     = "model"    // a model's sample
	outcomeVector = ".outcome" // its outcome's vector
	offsetVector  = ".offset"  // its offset's

	coefOutput     = "coef"
	errorOutput    = "se"
	rowsOutput     = "n"
	devianceOutput = "deviance"
)

// planGLM reads the arguments outcome, covariates, categorical and offset. spare is
// as in newPrecision.
func planGLM(j *job.Job, d *job.Dataset, spare int) (*glm, error) {
	args := j.Arguments()
	outcome, covariates := args.String("outcome"), args.Strings("covariates")
	categorical, offset := args.OptionalStrings("categorical"), args.OptionalString("offset", "")
	if err := args.Err(); err != nil {
		return nil, err
	}
	all := append([]string{outcome}, covariates...)
	if offset != "" {
		all = append(all, offset)
	}
	cols, err := columns(d, all)
	if err != nil {
		return nil, err
	}
	m := &glm{outcome: cols[0], frac: newPrecision(d.Rows(), spare)}
	if offset != "" {
		if m.offset = cols[len(cols)-1]; m.offset.Type == job.Text {
			return nil, fmt.Errorf("offset: column %q is text; an offset is a number, such as the logarithm of an exposure", offset)
		}
		if err := checkOffset(m.offset); err != nil {
			return nil, err
		}
	}
	m.design, err = newDesign(d, covariates, categorical)
	return m, err
}

// sample is the model's rows.
func (m *glm) sample(outcome job.Vector) Sample {
	vectors := append(m.design.vectors(), outcome)
	if m.offset != nil {
		vectors = append(vectors, job.Vector{Name: offsetVector, Column: m.offset.Name})
	}
	return Sample{Name: modelRows, Vectors: vectors}
}

// moments is the summary of the model's numbers: extra ones are those of the
// outcome, if it has any, and of the offset.
func (m *glm) moments(ofOutcome bool) job.Summary {
	var extra []string
	if ofOutcome {
		extra = append(extra, m.outcome.Name)
	}
	if m.offset != nil {
		extra = append(extra, m.offset.Name)
	}
	return m.design.moments([]string{m.outcome.Name}, extra)
}

// outputs are those of every model.
func (m *glm) outputs() []Output {
	p := len(m.design.terms) + 1
	return []Output{realOutput(coefOutput, p), realOutput(errorOutput, p), m.design.keptOutput(), realOutput(devianceOutput, 1)}
}

// reveals says what these tell.
func (m *glm) reveals() string {
	offset := ""
	if m.offset != nil {
		offset = ", with the offset " + m.offset.Name
	}
	return fmt.Sprintf("of the model of %s by %s%s: each coefficient and its standard error (hence statistics, p-values and intervals), which levels no row has and which columns do not vary, and the deviance",
		m.outcome.Name, strings.Join(m.design.columns(), ", "), offset)
}

// standardisedRows keeps what models take of rows: the members, the columns of z and, if
// there is one, the offset less its rounded mean.
func (m *glm) standardisedRows(s *mpc.Session, rows *Sampled, x *standardised, mean rss.Fixed128) *rss.Chunked {
	names, width := m.design.names(), 1+len(m.design.terms)
	if m.offset != nil {
		names, width = append(names, offsetVector), width+1
	}
	out := rows.Like(s, width, 0)
	for i := range rows.Chunks() {
		s := s.Step("chunk", i)
		part := rows.chunk(s, i, names...)
		columns := append([]rss.Vec{part.Member}, x.columns(s.Step("terms"), part)...)
		if m.offset != nil {
			columns = append(columns, m.centredOffset(s.Step("offset"), part, mean))
		}
		out.Put(s, i, columns)
	}
	return out
}

// estimates returns coefficients and standard errors per step of the columns, the
// intercept's first: at z = -mean / 2^spread all columns are 0. Shifts are added to
// it. The information is that of f times 2^precision.
//
// Of a column that varies little, such as a date in seconds, 0 may be any number of
// standard deviations away. So that point stands over a secret power of two.
func (x *standardised) estimates(s *mpc.Session, f *fit, precision rss.Vec, shifts ...rss.Fixed128) (coef, errors rss.Float) {
	const originFrac, varianceBits = 48, 24
	p := f.coef.Len()
	origin := rss.ConcatFloats(s, rss.PublicFloats(s, 1), x.origins(s.Step("origins")).Neg(s))
	aligned, reach := rss.Align(s.Step("align"), originFrac, eachOf(s, origin)...)
	at := rss.NewFixed128(s, concatFixed(s, aligned), originFrac, originFrac)
	half := f.inverse.Within(s, coefFrac+varianceBits).MatMul(s.Step("half"), at, p, p, 1, coefFrac).Within(s, coefFrac+varianceBits)
	intercept := at.Dot(s.Step("intercept"), f.coef, coefFrac)
	variance := at.Dot(s.Step("variance"), half, coefFrac)

	coefs, variances := []rss.Vec128{intercept.Share}, []rss.Vec128{variance.Share}
	for i := 1; i < p; i++ {
		coefs = append(coefs, rss.Slice(s, f.coef.Share, i, i+1))
		variances = append(variances, rss.Slice(s, f.inverse.Share, i*(p+1), i*(p+1)+1))
	}
	all := append(coefs, variances...)
	for _, shift := range shifts {
		all = append(all, shift.Share)
	}
	const widest = 119
	sizes := rss.Normalise128(s.Step("sizes"), rss.NewFixed128(s, rss.Concat(s, all...), coefFrac, widest))
	summands := []rss.Float{raised(s, sizes.Slice(s, 0, 1), reach)}
	for i := range shifts {
		summands = append(summands, sizes.Slice(s, 2*p+i, 2*p+i+1))
	}
	coef = rss.ConcatFloats(s, rss.SumFloats(s.Step("shifted"), summands...), sizes.Slice(s, 1, p))
	squares := rss.ConcatFloats(s, raised(s, sizes.Slice(s, p, p+1), rss.Scale(s, reach, 2)), sizes.Slice(s, p+1, 2*p))
	errors = raised(s, squares, rss.Neg(s, rss.Repeat(s, precision, p))).Sqrt(s.Step("roots"))
	return x.besideIntercept(s, coef), x.besideIntercept(s, errors)
}

// raised returns x times 2^exponent. Local.
func raised(s *mpc.Session, x rss.Float, exponent rss.Vec) rss.Float {
	return rss.Float{Mantissa: x.Mantissa, Exponent: rss.Add(s, x.Exponent, exponent)}
}

// withLevels returns those counts and those of all levels, for min_count. Local.
func (x *standardised) withLevels(s *mpc.Session, counts ...rss.Vec) rss.Vec {
	if x.counts.Len() > 0 {
		counts = append(counts, x.counts)
	}
	if len(counts) == 0 {
		return rss.Vec{}
	}
	return rss.Concat(s, counts...)
}

// tooFew tells whether there are fewer rows than coefficients.
func (x *standardised) tooFew(s *mpc.Session, rows rss.Vec) rss.Vec {
	coefs := rss.AddConst(s, rss.Narrow(s, rss.Sum(s, x.kept)), 1)
	return negatives(s, rss.Sub(s, rows, coefs))[0]
}

// besideIntercept is perStep for all but the first element. Local.
func (x *standardised) besideIntercept(s *mpc.Session, of rss.Float) rss.Float {
	return rss.ConcatFloats(s, of.Slice(s, 0, 1), x.perStep(s, of.Slice(s, 1, of.Len())))
}

// modelled is a fitted model at the recipient: a line for each term, the intercept's
// first.
type modelled struct {
	terms    []string
	coef, se []float64 // NaN where a column does not vary
	deviance float64
}

// read reads what outputs declares; the intercept is shifted.
func (m *glm) read(opened Opened, shift float64) (*modelled, error) {
	kept, err := m.design.readKept(opened[keptOutput])
	if err != nil {
		return nil, err
	}
	coef, err := readReals(opened[coefOutput])
	if err != nil {
		return nil, err
	}
	se, err := readReals(opened[errorOutput])
	if err != nil {
		return nil, err
	}
	deviance, err := readReals(opened[devianceOutput])
	if err != nil {
		return nil, err
	}
	out := &modelled{[]string{"(Intercept)"}, []float64{coef[0] + shift}, se[:1], max(deviance[0], 0)}
	for i, t := range m.design.terms {
		if t.dropped(kept[i]) {
			continue
		}
		b, e := math.NaN(), math.NaN()
		if kept[i] {
			b, e = t.perUnit(coef[i+1]), t.perUnit(se[i+1])
		}
		if se[i+1] < 0 {
			return nil, errImpossible
		}
		out.terms, out.coef, out.se = append(out.terms, t.name), append(out.coef, b), append(out.se, e)
	}
	return out, nil
}

// value is the result by the documentation's names.
func (f *modelled) value() map[string]any {
	term, coef, se, stat, p := []any{}, []any{}, []any{}, []any{}, []any{}
	for i, name := range f.terms {
		term, coef, se = append(term, name), append(coef, figure(f.coef[i])), append(se, figure(f.se[i]))
		stat, p = append(stat, figure(f.coef[i]/f.se[i])), append(p, figure(twoSided(f.coef[i]/f.se[i])))
	}
	return map[string]any{"term": term, "coef": coef, "se": se, "stat": stat, "p": p, "deviance": figure(f.deviance)}
}

// twoSided is the probability that a standard normal number is as far from 0.
func twoSided(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }

// table is the model as a clinical paper prints it; ratio is what exp(coef) is
// called.
func (f *modelled) table(title, ratio string) Table {
	const quantile = 1.959963984540054
	table := Table{Title: title, Header: []string{"Term", "Coefficient (SE)", ratio + " (95% CI)", "p"}}
	for i, name := range f.terms {
		b, e := f.coef[i], f.se[i]
		if math.IsNaN(b) {
			table.Rows = append(table.Rows, []string{name, undefined, undefined, undefined})
			continue
		}
		interval := undefined
		if i > 0 {
			interval = printedInterval(math.Exp(b), math.Exp(b-quantile*e), math.Exp(b+quantile*e))
		}
		table.Rows = append(table.Rows, []string{name, significant(b) + " (" + significant(e) + ")", interval, printedP(twoSided(b / e))})
	}
	return table
}

// note says how the model was fitted.
func (m *glm) note(kind string) string {
	offset := ""
	if m.offset != nil {
		offset = " with offset " + m.offset.Name
	}
	return kind + offset + ", " + strconv.Itoa(fisherSteps) + " steps of Fisher scoring; Wald intervals and p-values. " +
		"Rows with a missing value are left out. Categories are compared with their lowest level; a column that does not vary has no coefficient."
}
