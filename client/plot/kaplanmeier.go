package plot

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"consilium/job"
)

// curve is one group's survival: at every event time, or at the times that the
// job gives.
type curve struct {
	name                                 string // "" where the job has no groups
	times, survival, lower, upper, nRisk []float64
	median                               float64
	n                                    float64 // rows
	colour                               int
}

// survivalPlot are the curves of a job.
type survivalPlot struct {
	curves    []curve
	time      string // the axis' title
	unit      string // of time
	intervals string // what the bands are
	whole     bool   // every event time is there, so the steps are known
	end       float64
	above     bool // the legend stands above the axes: curves are where it would be
}

// Size of a plot of survival, without its numbers at risk and its note.
const (
	survivalWidth  = 6.5 * vg.Inch
	survivalHeight = 3.6 * vg.Inch
)

// kaplanMeier draws survival curves with their confidence bands and medians, and
// the numbers at risk under them. Where the job names its times, the recipient
// knows the curve there alone: it is drawn as points with their intervals.
func kaplanMeier(f *Figure) (*picture, error) {
	time := f.column("time")
	level, err := f.level()
	if err != nil {
		return nil, err
	}
	s := &survivalPlot{intervals: percent(level) + " confidence intervals", time: axisTitle(time), unit: label(time.Unit)}
	_, given := f.Job.Args["times"]
	s.whole = !given
	value, err := f.value()
	if err != nil {
		return nil, err
	}
	if s.curves, err = curvesOf(value, f.argument("by")); err != nil {
		return nil, err
	}
	for _, c := range s.curves {
		s.end = max(s.end, slices.Max(append(c.times, 0)))
	}
	if s.end <= 0 {
		return nil, errors.New("no event is after time 0, so there is no curve to draw")
	}
	if most := 2 * len(palette); len(s.curves) > most {
		return nil, fmt.Errorf("the curves of %d groups could not be told apart; at most %d can be drawn", len(s.curves), most)
	}
	height := survivalHeight + s.riskHeight()
	if s.above = !s.roomForLegend(); s.above {
		height += s.legendHeight()
	}
	return withNote(survivalWidth, height, s.note(f), s.draw), nil
}

// banded tells whether the bands of whole curves are drawn: of many they would
// only cover each other.
func (s *survivalPlot) banded() bool { return s.whole && len(s.curves) <= 4 }

func (s *survivalPlot) riskHeight() vg.Length { return lineSpace*vg.Length(len(s.curves)+1) + 6 }

func (s *survivalPlot) legendHeight() vg.Length { return lineSpace * (vg.Length(len(s.curves)) + 0.5) }

// roomForLegend tells whether all curves and intervals have come down far enough
// where a legend in the upper right corner would begin.
func (s *survivalPlot) roomForLegend() bool {
	const axisWidth, axisHeight = survivalWidth - 70, survivalHeight - 70 // or a little more
	from := s.end * (1 - float64(legendWidth(s.legend())/axisWidth))
	below := 1 - float64(s.legendHeight()/axisHeight)
	for i := range s.curves {
		if s.curves[i].highest(from) > below {
			return false
		}
	}
	return true
}

// highest is the greatest figure from a time on; curves fall.
func (k *curve) highest(from float64) float64 {
	last := 1.0
	for i, t := range k.times {
		if t > from {
			break
		}
		last = k.survival[i]
		if !math.IsNaN(k.upper[i]) {
			last = k.upper[i]
		}
	}
	return last
}

func (s *survivalPlot) legend() []entry {
	var entries []entry
	for i := range s.curves {
		k := &s.curves[i]
		entries = append(entries, entry{k.legendText(s.unit), k.paintSample(s.whole)})
	}
	return entries
}

func (s *survivalPlot) note(f *Figure) string {
	what := "Event: " + label(f.argument("event")) + ". "
	if s.banded() {
		what += "Shaded: pointwise " + s.intervals + ". "
	}
	if s.whole {
		return what + "Dashed to the axis: median. Numbers at risk after time 0 are those at the next event. " + f.source()
	}
	return what + "Bars: " + s.intervals + ". Dashed to the axis: median. Survival between the times is not known; the lines only join the points. " + f.source()
}

// maxLevel caps a group's name, in bytes: it takes room from the curves.
const maxLevel = 32

// curvesOf reads one curve, or one of each level.
func curvesOf(value map[string]any, by string) ([]curve, error) {
	if by == "" {
		c, err := readCurve(value)
		return []curve{c}, err
	}
	var curves []curve
	for i, level := range levels(value) {
		m, ok := value[level].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%w: level %s", errShape, label(level))
		}
		c, err := readCurve(m)
		if err != nil {
			return nil, err
		}
		c.name, c.colour = job.Printable(by+" = "+level, maxLevel), i
		curves = append(curves, c)
	}
	if len(curves) == 0 {
		return nil, fmt.Errorf("%w: a level", errShape)
	}
	return curves, nil
}

// levels are the keys in level order: numeric ascending, else bytewise.
func levels(m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	number := make(map[string]float64, len(m))
	for _, k := range keys {
		x, err := strconv.ParseFloat(k, 64)
		if err != nil || math.IsNaN(x) {
			return keys
		}
		number[k] = x
	}
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(number[a], number[b]) })
	return keys
}

// readCurve reads the figures, in the order of time.
func readCurve(m map[string]any) (curve, error) {
	l, err := lists(m, "times", "survival", "lower", "upper", "n_risk")
	if err != nil {
		return curve{}, err
	}
	order := make([]int, len(l[0]))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l[0][a], l[0][b]) })
	for i, values := range l {
		l[i] = make([]float64, len(order))
		for to, from := range order {
			l[i][to] = values[from]
		}
	}
	median, err := field(m, "median")
	if err != nil {
		return curve{}, err
	}
	n, err := field(m, "n")
	return curve{times: l[0], survival: l[1], lower: l[2], upper: l[3], nRisk: l[4], median: median, n: n}, err
}

// draw draws the curves above their numbers at risk.
func (s *survivalPlot) draw(c draw.Canvas) {
	p := axes(s.time, "Survival probability", 0, 1.02*s.end, 0, 1)
	p.Y.Tick.Marker = ticks(5)
	if !s.whole {
		p.X.Tick.Marker = s.givenTimes()
	}
	p.Add(painter(s.paint))
	below := s.riskHeight()
	names := vg.Length(0)
	for _, k := range s.curves {
		names = max(names, textStyle(smallText, black).Width(k.name))
	}
	// The names of the rows stand left of the axis: make room where it is narrow.
	upper := draw.Crop(c, 0, 0, below, 0)
	if s.above {
		legend(c, c.Max.Y, s.legend())
		upper.Max.Y -= s.legendHeight()
	}
	left := p.DataCanvas(upper).Min.X - c.Min.X
	upper = draw.Crop(upper, max(0, names+14-left), 0, 0, 0)
	p.Draw(upper)
	s.drawRisk(draw.Crop(c, 0, 0, 0, below-(c.Max.Y-c.Min.Y)), p, p.DataCanvas(upper))
}

// givenTimes are 0 and the job's times, but for those that would be written over
// each other.
func (s *survivalPlot) givenTimes() places {
	const apart = 1.0 / 16 // of the axis
	times := places{0}
	for _, t := range s.curves[0].times {
		if t-times[len(times)-1] >= apart*s.end {
			times = append(times, t)
		}
	}
	return times
}

func (s *survivalPlot) paint(c draw.Canvas, x, y func(float64) vg.Length) {
	s.paintMedians(c, x, y)
	for i := range s.curves {
		k := &s.curves[i]
		switch {
		case !s.whole:
			k.paintIntervals(c, x, y, s.dodge(i))
		case s.banded():
			k.paintBand(c, x, y)
		}
	}
	for i := range s.curves {
		k := &s.curves[i]
		if s.whole {
			k.paintSteps(c, x, y)
		} else {
			k.paintPoints(c, x, y, s.dodge(i))
		}
	}
	if !s.above {
		legend(c, c.Max.Y, s.legend())
	}
}

// dodge moves the groups' points aside, so that their intervals do not hide
// each other.
func (s *survivalPlot) dodge(i int) vg.Length {
	return 3 * (vg.Length(i) - vg.Length(len(s.curves)-1)/2)
}

func (k *curve) legendText(unit string) string {
	text := "median not reached"
	if !math.IsNaN(k.median) {
		text = strings.TrimSpace("median " + shortest(k.median) + " " + unit)
	}
	if k.name != "" {
		text = k.name + ", " + text
	}
	return text
}

func (k *curve) line() draw.LineStyle {
	return draw.LineStyle{Color: colourOf(k.colour), Width: thick, Dashes: dashOf(k.colour)}
}

func (k *curve) paintSample(whole bool) func(draw.Canvas, vg.Point, vg.Point) {
	return func(c draw.Canvas, from, to vg.Point) {
		style := k.line()
		if !whole {
			style.Width = thin
			c.DrawGlyphNoClip(k.glyph(), vg.Point{X: (from.X + to.X) / 2, Y: from.Y})
		}
		c.StrokeLine2(style, from.X, from.Y, to.X, to.Y)
	}
}

// steps are the corners of a right-continuous step function that is 1 before the
// first time; they end where a value is undefined.
func steps(times, values []float64) [][2]float64 {
	points, last := [][2]float64{{0, 1}}, 1.0
	for i, t := range times {
		if math.IsNaN(values[i]) {
			return append(points, [2]float64{t, last})
		}
		points = append(points, [2]float64{t, last}, [2]float64{t, values[i]})
		last = values[i]
	}
	return points
}

func placed(points [][2]float64, x, y func(float64) vg.Length) []vg.Point {
	out := make([]vg.Point, len(points))
	for i, at := range points {
		out[i] = vg.Point{X: x(at[0]), Y: y(at[1])}
	}
	return out
}

func (k *curve) paintSteps(c draw.Canvas, x, y func(float64) vg.Length) {
	c.StrokeLines(k.line(), placed(steps(k.times, k.survival), x, y))
}

func (k *curve) paintBand(c draw.Canvas, x, y func(float64) vg.Length) {
	band := placed(steps(k.times, k.upper), x, y)
	lower := placed(steps(k.times, k.lower), x, y)
	slices.Reverse(lower)
	c.FillPolygon(faint(colourOf(k.colour)), append(band, lower...))
}

// glyphs differ from group to group, for prints without colour.
var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}

func (k *curve) glyph() draw.GlyphStyle {
	return draw.GlyphStyle{Color: colourOf(k.colour), Radius: 2.6, Shape: glyphs[k.colour%len(glyphs)]}
}

func (k *curve) paintPoints(c draw.Canvas, x, y func(float64) vg.Length, aside vg.Length) {
	line := []vg.Point{{X: x(0), Y: y(1)}}
	for i, t := range k.times {
		if !math.IsNaN(k.survival[i]) {
			line = append(line, vg.Point{X: x(t) + aside, Y: y(k.survival[i])})
		}
	}
	style := k.line()
	style.Width = thin
	c.StrokeLines(style, line)
	for _, at := range line[1:] {
		c.DrawGlyphNoClip(k.glyph(), at)
	}
}

func (k *curve) paintIntervals(c draw.Canvas, x, y func(float64) vg.Length, aside vg.Length) {
	const cap = 2.5
	style := draw.LineStyle{Color: colourOf(k.colour), Width: thin}
	for i, t := range k.times {
		if math.IsNaN(k.lower[i]) || math.IsNaN(k.upper[i]) {
			continue
		}
		at, low, high := x(t)+aside, y(k.lower[i]), y(k.upper[i])
		c.StrokeLine2(style, at, low, at, high)
		c.StrokeLine2(style, at-cap, low, at+cap, low)
		c.StrokeLine2(style, at-cap, high, at+cap, high)
	}
}

// paintMedians draws a line at one half to the last median, and one down from it
// at each. A median beyond the times is known, but not drawn.
func (s *survivalPlot) paintMedians(c draw.Canvas, x, y func(float64) vg.Length) {
	last := 0.0
	for _, k := range s.curves {
		if k.median > 0 && k.median <= s.end {
			style := draw.LineStyle{Color: colourOf(k.colour), Width: thin, Dashes: []vg.Length{3, 2}}
			c.StrokeLine2(style, x(k.median), y(0.5), x(k.median), y(0))
			last = max(last, k.median)
		}
	}
	if last > 0 {
		c.StrokeLine2(draw.LineStyle{Color: pale, Width: thin, Dashes: []vg.Length{3, 2}}, x(0), y(0.5), x(last), y(0.5))
	}
}

// drawRisk writes the numbers at risk under the marks of the axis, a row for
// each curve.
func (s *survivalPlot) drawRisk(c draw.Canvas, p *plot.Plot, data draw.Canvas) {
	style := textStyle(smallText, black)
	y := c.Max.Y - lineSpace
	write(c, bold(style), vg.Point{X: data.Min.X, Y: y}, "Number at risk")
	for i := range s.curves {
		k := &s.curves[i]
		y -= lineSpace
		row := style
		row.Color = colourOf(k.colour)
		write(c, aligned(row, text.XRight), vg.Point{X: data.Min.X - 12, Y: y}, k.name)
		for _, mark := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
			if n, ok := s.atRisk(k, mark.Value); ok {
				write(c, aligned(style, text.XCenter), vg.Point{X: data.X(p.X.Norm(mark.Value)), Y: y}, decimalsOf(n, 0))
			}
		}
	}
}

// atRisk is the number at risk at t, as far as the result knows it: all rows at
// 0, and then at the times of the job, or at the first event at or after t.
func (s *survivalPlot) atRisk(k *curve, t float64) (float64, bool) {
	if t == 0 {
		return k.n, true
	}
	for i, listed := range k.times {
		if listed == t || listed > t && s.whole {
			return k.nRisk[i], true
		}
	}
	return 0, false
}
