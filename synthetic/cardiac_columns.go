package synthetic

import (
	"math"
	"strconv"

	"consilium/job"
)

// The latent variables that measurements load on; factors counts those beside age.
const (
	ageing = iota
	inflammation
	renal
	metabolic
	congestion
	hepatic

	factors = hepatic
)

// loading is how strongly a measurement follows a latent variable.
type loading struct {
	on   int
	size float64
}

// panel is a group of measurements that come or are missing together.
type panel int

const (
	always panel = iota // never missing
	vitals
	interview
	bloodCount
	chemistry
	inflammatory
	proteins
	lipids
	liver
	glycation
	myocardial
	peptides
	minerals
	echo

	panels
)

// panelMissing is in which part of patients a panel is missing.
var panelMissing = [panels]float64{
	always: 0, vitals: 0.02, interview: 0.05, bloodCount: 0.02, chemistry: 0.02, inflammatory: 0.12, proteins: 0.20,
	lipids: 0.25, liver: 0.15, glycation: 0.35, myocardial: 0.10, peptides: 0.30, minerals: 0.22, echo: 0.08,
}

// sampleLost is the part of single measurements that is missing beside.
const sampleLost = 0.01

// cardiacColumn is a column's declaration and distribution: mean and sd of the value,
// or with skewed of its logarithm. One without sd is drawn in its own way.
type cardiacColumn struct {
	name, unit, about string
	step, min, max    float64
	mean, sd          float64
	skewed            bool
	panel             panel
	loads             []loading
	labels            []string // of a text column, in bytewise order
	levels            []string // of a column of codes from 0: what they mean
}

// Places of columns that are drawn in their own way.
const (
	colMale       = 1
	colSmoking    = 3
	colDiabetes   = 4
	colReadmitted = 28
	colTime       = 29
	colEvent      = 30
)

var cardiacColumns = [...]cardiacColumn{
	{name: "age", unit: "a", about: "age at discharge", step: 1, min: 18, max: 100, mean: 66, sd: 12, loads: []loading{{ageing, 1}}},
	colMale: {name: "male", about: "sex at birth", step: 1, levels: []string{"female", "male"}},
	{name: "bmi", unit: "kg/m2", about: "body mass index", step: 0.1, min: 12, max: 70, mean: 27.6, sd: 4.8, panel: vitals, loads: []loading{{metabolic, 0.6}}},
	colSmoking:  {name: "smoking", about: "smoking status", step: 1, panel: interview, labels: []string{"current", "former", "never"}},
	colDiabetes: {name: "diabetes", about: "diabetes mellitus", step: 1, levels: []string{"not known", "known"}},
	{name: "systolic", unit: "mmHg", about: "systolic blood pressure", step: 1, min: 60, max: 260, mean: 136, sd: 21, panel: vitals, loads: []loading{{ageing, 0.2}, {metabolic, 0.2}, {congestion, -0.2}}},
	{name: "heart_rate", unit: "1/min", about: "heart rate at rest", step: 1, min: 30, max: 220, mean: 74, sd: 13, panel: vitals, loads: []loading{{inflammation, 0.2}, {congestion, 0.3}}},

	{name: "haemoglobin", unit: "g/dL", step: 0.1, min: 3, max: 23, mean: 13.6, sd: 1.9, panel: bloodCount, loads: []loading{{ageing, -0.2}, {inflammation, -0.35}, {renal, -0.3}}},
	{name: "leukocytes", unit: "10^9/L", step: 0.1, min: 0.3, max: 90, mean: math.Log(8.2), sd: 0.32, skewed: true, panel: bloodCount, loads: []loading{{inflammation, 0.55}}},
	{name: "platelets", unit: "10^9/L", step: 1, min: 5, max: 1500, mean: math.Log(235), sd: 0.28, skewed: true, panel: bloodCount, loads: []loading{{inflammation, 0.2}}},
	{name: "crp", unit: "mg/L", about: "C-reactive protein", step: 0.1, min: 0.1, max: 600, mean: math.Log(4.5), sd: 1.1, skewed: true, panel: inflammatory, loads: []loading{{inflammation, 0.8}}},
	{name: "albumin", unit: "g/L", step: 1, min: 10, max: 60, mean: 40, sd: 4.5, panel: proteins, loads: []loading{{ageing, -0.15}, {inflammation, -0.5}}},
	{name: "creatinine", unit: "mg/dL", step: 0.01, min: 0.2, max: 15, mean: math.Log(1.02), sd: 0.32, skewed: true, panel: chemistry, loads: []loading{{ageing, 0.15}, {renal, 0.8}}},
	{name: "urea", unit: "mg/dL", step: 1, min: 3, max: 400, mean: math.Log(40), sd: 0.38, skewed: true, panel: chemistry, loads: []loading{{ageing, 0.15}, {renal, 0.7}, {congestion, 0.2}}},
	{name: "potassium", unit: "mmol/L", step: 0.1, min: 1.5, max: 9, mean: 4.2, sd: 0.45, panel: chemistry, loads: []loading{{renal, 0.3}}},
	{name: "sodium", unit: "mmol/L", step: 1, min: 105, max: 175, mean: 139.5, sd: 3.2, panel: chemistry, loads: []loading{{congestion, -0.3}}},
	{name: "calcium", unit: "mmol/L", step: 0.01, min: 1, max: 4, mean: 2.3, sd: 0.11, panel: minerals, loads: []loading{{renal, -0.15}}},
	{name: "glucose", unit: "mg/dL", step: 1, min: 20, max: 900, mean: math.Log(108), sd: 0.27, skewed: true, panel: chemistry, loads: []loading{{inflammation, 0.15}, {metabolic, 0.6}}},
	{name: "hba1c", unit: "%", about: "glycated haemoglobin", step: 0.1, min: 3, max: 18, mean: math.Log(5.9), sd: 0.14, skewed: true, panel: glycation, loads: []loading{{metabolic, 0.75}}},
	{name: "ldl", unit: "mg/dL", about: "LDL cholesterol", step: 1, min: 5, max: 500, mean: 112, sd: 36, panel: lipids, loads: []loading{{ageing, -0.1}, {metabolic, 0.1}}},
	{name: "hdl", unit: "mg/dL", about: "HDL cholesterol", step: 1, min: 5, max: 150, mean: math.Log(47), sd: 0.26, skewed: true, panel: lipids, loads: []loading{{metabolic, -0.4}}},
	{name: "triglycerides", unit: "mg/dL", step: 1, min: 15, max: 2500, mean: math.Log(132), sd: 0.48, skewed: true, panel: lipids, loads: []loading{{metabolic, 0.55}}},
	{name: "alt", unit: "U/L", about: "alanine aminotransferase", step: 1, min: 1, max: 5000, mean: math.Log(26), sd: 0.55, skewed: true, panel: liver, loads: []loading{{metabolic, 0.2}, {hepatic, 0.7}}},
	{name: "ast", unit: "U/L", about: "aspartate aminotransferase", step: 1, min: 1, max: 5000, mean: math.Log(28), sd: 0.5, skewed: true, panel: liver, loads: []loading{{congestion, 0.3}, {hepatic, 0.65}}},
	{name: "bilirubin", unit: "mg/dL", step: 0.1, min: 0.1, max: 40, mean: math.Log(0.7), sd: 0.45, skewed: true, panel: liver, loads: []loading{{congestion, 0.25}, {hepatic, 0.35}}},
	{name: "troponin", unit: "ng/L", about: "troponin T, high sensitivity", step: 1, min: 1, max: 100000, mean: math.Log(18), sd: 1.5, skewed: true, panel: myocardial, loads: []loading{{renal, 0.25}, {congestion, 0.5}}},
	{name: "nt_probnp", unit: "ng/L", step: 1, min: 5, max: 100000, mean: math.Log(620), sd: 1.4, skewed: true, panel: peptides, loads: []loading{{ageing, 0.25}, {renal, 0.25}, {congestion, 0.75}}},
	{name: "ejection_fraction", unit: "%", about: "left ventricular ejection fraction", step: 1, min: 10, max: 80, mean: 52, sd: 11, panel: echo, loads: []loading{{congestion, -0.6}}},

	colReadmitted: {name: "readmitted", about: "readmitted within 30 days", step: 1, levels: []string{"no", "yes"}},
	colTime:       {name: "time", unit: "d", about: "days from discharge to death or end of follow-up", step: 1, min: 1, max: longestFollowUp},
	colEvent:      {name: "event", about: "what ended follow-up", step: 1, levels: []string{"alive", "cardiac death", "other death"}},
}

// measure is the code of a value that latent variables and its own noise make.
func (c *cardiacColumn) measure(latent []float64, own float64) int64 {
	z, rest := 0.0, 1.0
	for _, l := range c.loads {
		z += l.size * latent[l.on]
		rest -= l.size * l.size
	}
	value := c.mean + c.sd*(z+math.Sqrt(max(rest, 0))*own)
	if c.skewed {
		value = math.Exp(value)
	}
	return int64(math.Round(min(max(value, c.min), c.max) / c.step))
}

// declared is the column in a schema.
func (c *cardiacColumn) declared() job.Column {
	d := job.Column{Name: c.name, Type: job.Integer, Unit: c.unit, Description: c.about}
	switch {
	case c.labels != nil:
		d.Type, d.Categories = job.Text, c.labels
	case c.levels != nil:
		d.Min, d.Max, d.Labels = "0", strconv.Itoa(len(c.levels)-1), map[string]string{}
		for k, meaning := range c.levels {
			d.Categories = append(d.Categories, strconv.Itoa(k))
			d.Labels[strconv.Itoa(k)] = meaning
		}
	default:
		d.Min, d.Max = number(c.min), number(c.max)
		if c.step < 1 {
			d.Type, d.Step = job.Decimal, number(c.step)
		}
	}
	return d
}
