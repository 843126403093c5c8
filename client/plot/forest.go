package plot

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"consilium/job"
)

// effect is one line of a forest plot. What is undefined is NaN.
type effect struct {
	name                string
	value, lower, upper float64
	p                   float64
}

// forest are effects around the value that says "none".
type forest struct {
	measure string // such as "Hazard ratio"
	axis    string // its title
	note    string
	level   float64 // of the intervals
	ratio   bool    // on a logarithmic axis around 1, else around 0
	effects []effect
}

// intercept is the term that is no effect: forest plots leave it out.
const intercept = "(Intercept)"

func coxForest(f *Figure) (*picture, error)      { return f.regression("Hazard ratio", true) }
func logisticForest(f *Figure) (*picture, error) { return f.regression("Odds ratio", true) }
func poissonForest(f *Figure) (*picture, error)  { return f.regression("Rate ratio", true) }
func linearForest(f *Figure) (*picture, error)   { return f.regression("Coefficient", false) }

// regression draws the coefficients of a model with Wald intervals, as ratios
// where the model is one of logarithms.
func (f *Figure) regression(measure string, ratio bool) (*picture, error) {
	value, err := f.value()
	if err != nil {
		return nil, err
	}
	terms, err := texts(value, "term")
	if err != nil {
		return nil, err
	}
	l, err := lists(value, "coef", "se", "p")
	if err != nil || len(l[0]) != len(terms) {
		return nil, fmt.Errorf("%w: one figure for each term", errShape)
	}
	level, err := f.level()
	if err != nil {
		return nil, err
	}
	quantile := distuv.UnitNormal.Quantile((1 + level) / 2)
	if df, err := field(value, "df"); err == nil { // as a linear model has
		quantile = distuv.StudentsT{Sigma: 1, Nu: df}.Quantile((1 + level) / 2)
	}
	to := &forest{measure: measure, axis: measure, ratio: ratio, level: level, note: f.modelNote(value)}
	if !ratio {
		to.axis = "Change in " + axisTitle(f.column("outcome")) + " per unit"
	}
	scale := func(x float64) float64 { return x }
	if ratio {
		scale = math.Exp
	}
	for i, name := range terms {
		if name == intercept {
			continue
		}
		b, reach := l[0][i], quantile*l[1][i]
		to.effects = append(to.effects, effect{label(name), scale(b), scale(b - reach), scale(b + reach), l[2][i]})
	}
	return to.picture()
}

// oddsRatioForest draws the odds ratio of a two-by-two table.
func oddsRatioForest(f *Figure) (*picture, error) {
	value, err := f.value()
	if err != nil {
		return nil, err
	}
	ratio, err := field(value, "odds_ratio")
	if err != nil {
		return nil, err
	}
	interval, err := list(value, "conf_int")
	if err != nil || len(interval) != 2 {
		return nil, fmt.Errorf("%w: conf_int", errShape)
	}
	p, err := field(value, "fisher_p")
	if err != nil {
		return nil, err
	}
	level, err := f.level()
	if err != nil {
		return nil, err
	}
	exposure := contrast(f.column("exposure"))
	to := &forest{
		measure: "Odds ratio", axis: "Odds ratio", ratio: true, level: level, note: f.modelNote(value),
		effects: []effect{{exposure, ratio, interval[0], interval[1], p}},
	}
	return to.picture()
}

// contrast names a column and, where two are declared, the levels compared.
func contrast(c *job.Column) string {
	if levels, err := c.Levels(); err == nil && len(levels) == 2 {
		return label(fmt.Sprintf("%s: %s vs %s", c.Name, c.Format(levels[1]), c.Format(levels[0])))
	}
	return label(c.Name)
}

// modelNote says what a model is of, and of how many rows.
func (f *Figure) modelNote(value map[string]any) string {
	note := "Outcome: " + label(f.argument("outcome")) + ". "
	if event := f.argument("event"); event != "" {
		note = "Event: " + label(event) + ". "
	}
	if n, err := field(value, "n"); err == nil {
		note += fmt.Sprintf("n = %.0f", n)
		if events, err := field(value, "events"); err == nil {
			note += fmt.Sprintf(", %.0f events", events)
		}
		note += ". "
	}
	return note + f.source()
}

// Widths of a forest plot's columns.
const (
	forestAxis = vg.Length(210)
	forestGap  = vg.Length(14)
	forestRow  = vg.Length(19)
)

// picture lays the forest plot out: names, effects on an axis, figures.
func (t *forest) picture() (*picture, error) {
	const most = 150
	if len(t.effects) == 0 {
		return nil, fmt.Errorf("%w: a term beside the intercept", errShape)
	}
	if len(t.effects) > most {
		return nil, fmt.Errorf("nobody could read a forest of %d lines; at most %d can be drawn", len(t.effects), most)
	}
	style := textStyle(smallText, black)
	names := vg.Length(0)
	figures := bold(style).Width(t.heading())
	for _, e := range t.effects {
		names, figures = max(names, style.Width(e.name)), max(figures, style.Width(e.figures()))
	}
	const pWidth = vg.Length(36)
	width := names + forestAxis + figures + pWidth + 3*forestGap + 2*margin
	height := forestRow*vg.Length(len(t.effects)+1) + 42 + 2*margin
	draw := func(c draw.Canvas) {
		axis := c
		axis.Min.X += names + forestGap
		axis.Max.X = axis.Min.X + forestAxis
		rowY := t.drawAxis(axis)
		t.drawTexts(c, axis.Max.X+forestGap, axis.Max.X+2*forestGap+figures, rowY)
	}
	note := t.note
	if t.clipped() {
		note = "Arrows: the interval goes on beyond the axis. " + note
	}
	return withNote(width, height, note, draw), nil
}

func (t *forest) heading() string { return t.measure + " (" + percent(t.level) + " CI)" }

// figures are an effect's numbers as the table beside the plot has them.
func (e *effect) figures() string {
	if math.IsNaN(e.lower) || math.IsNaN(e.upper) {
		return estimate(e.value)
	}
	return estimate(e.value) + " (" + estimate(e.lower) + " to " + estimate(e.upper) + ")"
}

// estimate writes a figure with three digits, as the tables of results do, and as
// a power of ten what no column has room for.
func estimate(x float64) string {
	const digits = 3
	if math.IsNaN(x) || x == 0 {
		return decimalsOf(x, digits-1)
	}
	size := int(math.Floor(math.Log10(math.Abs(x)))) + 1 // digits before the point
	if size > 7 || size < -digits {
		return strings.NewReplacer("e+", "e", "-", "−").Replace(strconv.FormatFloat(x, 'g', digits, 64))
	}
	return decimalsOf(x, max(digits-size, 0))
}

// span is the range of the axis: all intervals and the line of no effect. A very
// wide interval among narrow ones is cut, or nobody could read the others, and so
// is a ratio that is beyond any meaning.
func (t *forest) span() (low, high float64) {
	low = t.scaled(t.none())
	high = low
	lowest, highest, narrowest := low, high, math.Inf(1)
	for _, e := range t.effects {
		v, from, to := t.scaled(e.value), t.scaled(e.lower), t.scaled(e.upper)
		if finite(v) {
			low, high = min(low, v), max(high, v)
		}
		if !math.IsNaN(from) && !math.IsNaN(to) {
			lowest, highest, narrowest = min(lowest, from), max(highest, to), min(narrowest, to-from)
		}
	}
	const reach = 4
	far := reach * max(high-low, narrowest)
	if !finite(far) || far == 0 {
		far = 1
	}
	low, high = max(min(low, lowest), low-far), min(max(high, highest), high+far)
	if t.ratio {
		low, high = max(low, -math.Log(maxRatio)), min(high, math.Log(maxRatio))
	}
	room := 0.04 * max(high-low, far/reach)
	return low - room, high + room
}

// maxRatio ends the axis of ratios, and its inverse begins it.
const maxRatio = 1000

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// scaled is a value's place on the axis, which is even.
func (t *forest) scaled(x float64) float64 {
	if t.ratio {
		return math.Log(x)
	}
	return x
}

func (t *forest) none() float64 {
	if t.ratio {
		return 1
	}
	return 0
}

func (t *forest) clipped() bool {
	low, high := t.span()
	for _, e := range t.effects {
		if t.scaled(e.lower) < low || t.scaled(e.upper) > high {
			return true
		}
	}
	return false
}

// drawAxis draws the effects, the first on top, and returns the height of each
// line; that of the heading comes first.
func (t *forest) drawAxis(c draw.Canvas) []vg.Length {
	low, high := t.span()
	rows := len(t.effects) + 1
	p := axes(t.axis, "", low, high, 0, float64(rows))
	p.HideY()
	p.X.Tick.Marker = ticks(5)
	if t.ratio {
		p.X.Tick.Marker = logTicks{}
	}
	at := make([]vg.Length, rows)
	p.Add(painter(func(c draw.Canvas, x, y func(float64) vg.Length) {
		for i := range at {
			at[i] = y(float64(rows-i) - 0.5)
		}
		none := x(t.scaled(t.none()))
		c.StrokeLine2(draw.LineStyle{Color: pale, Width: thin, Dashes: []vg.Length{4, 3}}, none, y(0), none, y(float64(rows)-1))
		for i, e := range t.effects {
			place := func(v float64) vg.Length { return x(min(max(t.scaled(v), low), high)) }
			v := t.scaled(e.value)
			e.paint(c, place, at[i+1], shown{v >= low && v <= high, t.scaled(e.lower) >= low, t.scaled(e.upper) <= high})
		}
	}))
	p.Draw(c)
	return at
}

// shown tells which figures of an effect are on the axis.
type shown struct{ value, lower, upper bool }

// paint draws a square on its interval; an end that is cut is an arrow.
func (e *effect) paint(c draw.Canvas, place func(float64) vg.Length, y vg.Length, on shown) {
	style := draw.LineStyle{Color: palette[0], Width: 1.2}
	if !math.IsNaN(e.lower) && !math.IsNaN(e.upper) {
		left, right := place(e.lower), place(e.upper)
		c.StrokeLine2(style, left, y, right, y)
		if !on.lower {
			arrow(c, style, left, y, 1)
		}
		if !on.upper {
			arrow(c, style, right, y, -1)
		}
	}
	if on.value {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: palette[0], Radius: 2.7, Shape: draw.BoxGlyph{}}, vg.Point{X: place(e.value), Y: y})
	}
}

// arrow draws the head of an arrow at x; back tells where its shaft is.
func arrow(c draw.Canvas, style draw.LineStyle, x, y, back vg.Length) {
	const size = 4
	c.StrokeLines(style, []vg.Point{{X: x + back*size, Y: y + size*0.7}, {X: x, Y: y}, {X: x + back*size, Y: y - size*0.7}})
}

// drawTexts writes the names at the left and the figures at the right, under a
// heading.
func (t *forest) drawTexts(c draw.Canvas, figuresX, pX vg.Length, y []vg.Length) {
	style := textStyle(smallText, black)
	write(c, bold(style), vg.Point{X: figuresX, Y: y[0]}, t.heading())
	write(c, bold(style), vg.Point{X: pX, Y: y[0]}, "p")
	for i, e := range t.effects {
		write(c, style, vg.Point{X: c.Min.X, Y: y[i+1]}, e.name)
		write(c, style, vg.Point{X: figuresX, Y: y[i+1]}, e.figures())
		write(c, style, vg.Point{X: pX, Y: y[i+1]}, pText(e.p))
	}
}
