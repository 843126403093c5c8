package synthetic

import (
	"math"
	"strconv"

	"consilium/job"
)

// Cardiac is a cohort of patients discharged from a heart clinic: demographics,
// twenty laboratory values and the ejection fraction, readmission within 30 days,
// and follow-up to a cardiac or other death.
//
// Five latent factors (inflammation, renal, metabolic, cardiac, hepatic) and age
// make the measurements correlate. A group of measurements that one order to the
// laboratory brings is missing together, at random, and each sample is lost in one
// case of a hundred. Outcomes are drawn from the values as they are recorded,
// rounded and within their ranges, before any goes missing:
//
//	readmitted  logistic, by Readmission
//	time, event competing deaths with proportional hazards, by CardiacDeath and
//	            OtherDeath, over Weibull baselines of one shape; follow-up ends for
//	            all between one and ten years at an evenly drawn day
//
// so that the models' coefficients are recovered from the rows without a missing
// covariate.
type Cardiac struct {
	noise noise
}

// NewCardiac makes the cohort of a seed. Equal seeds give equal values whatever the
// number of rows and threads; only processors that round the sum of a product
// differently (amd64, arm64) may differ in single cells by a step.
func NewCardiac(seed uint64) *Cardiac { return &Cardiac{newNoise(seed)} }

// Effect is a coefficient of a model, for one unit of a column over its centre.
type Effect struct {
	Column      string
	Centre      float64
	Coefficient float64
}

// ReadmissionIntercept is the log odds of a readmission where all effects are none.
const ReadmissionIntercept = -1.9

// Readmission is the logistic model of readmitted.
func Readmission() []Effect {
	return []Effect{
		{"age", 66, 0.02},
		{"diabetes", 0, 0.30},
		{"haemoglobin", 13.6, -0.15},
		{"creatinine", 1, 0.35},
		{"ejection_fraction", 52, -0.03},
	}
}

// CardiacDeath is the model of the cause-specific hazard of event 1.
func CardiacDeath() []Effect {
	return []Effect{
		{"age", 66, 0.045},
		{"male", 0, 0.20},
		{"diabetes", 0, 0.35},
		{"creatinine", 1, 0.30},
		{"ejection_fraction", 52, -0.03},
	}
}

// OtherDeath is the model of the cause-specific hazard of event 2.
func OtherDeath() []Effect {
	return []Effect{
		{"age", 66, 0.07},
		{"albumin", 40, -0.05},
	}
}

// The baselines: H(t) = (t / scale)^shape, in days.
const (
	hazardShape  = 1.1
	cardiacScale = 8500
	otherScale   = 13000

	shortestFollowUp = 365
	longestFollowUp  = 3650
)

// Schema implements Maker.
func (*Cardiac) Schema() *job.Schema {
	s := &job.Schema{}
	for i := range cardiacColumns {
		s.Columns = append(s.Columns, cardiacColumns[i].declared())
	}
	return s
}

// Fill implements Maker.
func (c *Cardiac) Fill(b *Block) {
	var p patient
	for i := range b.Rows {
		p.draw(c.noise.row(b.First + int64(i)))
		for j := range cardiacColumns {
			b.Columns[j].Codes[i], b.Columns[j].Valid[i] = p.codes[j], p.valid[j]
		}
	}
}

// Streams of a row's noise. Those of normals stand for two uniform ones each, from
// pairStream on.
const (
	sexStream = iota
	smokingStream
	diabetesStream
	readmissionStream
	cardiacStream
	otherStream
	censoringStream
	firstPanelStream
	firstSampleStream = firstPanelStream + int(panels)
	pairStream        = 64
)

// patient is one row in the making.
type patient struct {
	codes [len(cardiacColumns)]int64
	valid [len(cardiacColumns)]bool
}

func (p *patient) draw(n rowNoise) {
	var normal [2 * ((1 + factors + len(cardiacColumns) + 1) / 2)]float64
	for k := 0; k < len(normal); k += 2 {
		normal[k], normal[k+1] = n.normals(pairStream + k/2)
	}
	latent := normal[:1+factors] // age, then the factors
	own := normal[1+factors:]
	for j := range cardiacColumns {
		c := &cardiacColumns[j]
		if c.sd != 0 {
			p.codes[j] = c.measure(latent, own[j])
		}
	}
	p.codes[colMale] = bit(n.uniform(sexStream) < 0.62)
	p.codes[colSmoking] = int64(sortedThirds(n.uniform(smokingStream)))
	p.codes[colDiabetes] = bit(n.uniform(diabetesStream) < logistic(-1.2+0.9*latent[metabolic]))
	p.outcomes(n)
	p.lose(n)
}

// sortedThirds draws a smoking status: its place among current, former, never.
func sortedThirds(u float64) int {
	switch {
	case u < 0.20:
		return 0
	case u < 0.55:
		return 1
	}
	return 2
}

func (p *patient) outcomes(n rowNoise) {
	p.codes[colReadmitted] = bit(n.uniform(readmissionStream) < logistic(ReadmissionIntercept+p.predictor(readmission)))
	cardiac := p.death(n.uniform(cardiacStream), cardiacScale, cardiacDeath)
	other := p.death(n.uniform(otherStream), otherScale, otherDeath)
	end := shortestFollowUp + math.Floor(n.uniform(censoringStream)*(longestFollowUp-shortestFollowUp+1))
	// Days are counted from discharge, the first of them as 1.
	day, event := end, int64(0)
	if t := math.Ceil(cardiac); t <= end && cardiac <= other {
		day, event = t, 1
	} else if t := math.Ceil(other); t <= end && other < cardiac {
		day, event = t, 2
	}
	p.codes[colTime], p.codes[colEvent] = int64(max(day, 1)), event
}

// death is the time at which a hazard alone would end a life.
func (p *patient) death(u, scale float64, effects []boundEffect) float64 {
	return scale * math.Pow(-math.Log(u)*math.Exp(-p.predictor(effects)), 1/hazardShape)
}

func (p *patient) predictor(effects []boundEffect) float64 {
	sum := 0.0
	for _, e := range effects {
		sum += e.coefficient * (float64(p.codes[e.column])*cardiacColumns[e.column].step - e.centre)
	}
	return sum
}

// lose makes cells missing, and their codes zero.
func (p *patient) lose(n rowNoise) {
	var lost [panels]bool
	for k := range panels {
		lost[k] = n.uniform(firstPanelStream+int(k)) < panelMissing[k]
	}
	for j := range cardiacColumns {
		c := &cardiacColumns[j]
		p.valid[j] = !lost[c.panel] && (c.panel == always || n.uniform(firstSampleStream+j) >= sampleLost)
		if !p.valid[j] {
			p.codes[j] = 0
		}
	}
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// boundEffect is an effect by its column's place.
type boundEffect struct {
	column              int
	centre, coefficient float64
}

func bind(effects []Effect) []boundEffect {
	var out []boundEffect
	for _, e := range effects {
		for j := range cardiacColumns {
			if cardiacColumns[j].name == e.Column {
				out = append(out, boundEffect{j, e.Centre, e.Coefficient})
			}
		}
	}
	return out
}

var (
	readmission  = bind(Readmission())
	cardiacDeath = bind(CardiacDeath())
	otherDeath   = bind(OtherDeath())
)

// MissingRate is the part of a column's cells that is missing in the long run.
func (*Cardiac) MissingRate(column string) float64 {
	for j := range cardiacColumns {
		if c := &cardiacColumns[j]; c.name == column && c.panel != always {
			return 1 - (1-panelMissing[c.panel])*(1-sampleLost)
		}
	}
	return 0
}

// number writes a bound or a step.
func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
