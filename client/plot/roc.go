package plot

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"consilium/job"
)

// hasCurve tells whether a job asks for more than the area under the curve.
func hasCurve(j *job.Job) bool {
	_, thresholds := j.Args["thresholds"]
	return j.Args["curve"] == true || thresholds
}

// rocCurve draws sensitivity over 1 - specificity. Neighbouring thresholds are
// joined by straight lines, so that the area below a whole curve is the AUC with
// ties one half. Where the job names its thresholds, these are points.
func rocCurve(f *Figure) (*picture, error) {
	value, err := f.value()
	if err != nil {
		return nil, err
	}
	auc, err := field(value, "auc")
	if err != nil {
		return nil, err
	}
	n, err := field(value, "n")
	if err != nil {
		return nil, err
	}
	points, err := rocPoints(value)
	if err != nil {
		return nil, err
	}
	r := &roc{score: label(f.column("score").Name), auc: auc, points: points}
	note := fmt.Sprintf("Outcome: %s. n = %.0f. %s", label(f.column("outcome").Name), n, f.source())
	if _, r.few = f.Job.Args["thresholds"]; r.few {
		note = "Sensitivity between the thresholds is not known; the lines only join the points. " + note
	}
	p := axes("1 − specificity", "Sensitivity", 0, 1, 0, 1)
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(5), ticks(5)
	p.Add(painter(r.paint))
	return withNote(4.6*vg.Inch, 4.4*vg.Inch, note, p.Draw), nil
}

// roc is a curve to draw.
type roc struct {
	score  string
	auc    float64
	points [][2]float64 // from (0, 0) to (1, 1)
	few    bool         // at the job's thresholds alone
}

func (r *roc) paint(c draw.Canvas, x, y func(float64) vg.Length) {
	style := draw.LineStyle{Color: palette[0], Width: thick}
	if r.few {
		style.Width = thin
	}
	c.StrokeLine2(chance, x(0), y(0), x(1), y(1))
	line := placed(r.points, x, y)
	c.StrokeLines(style, line)
	if r.few {
		for _, at := range line[1 : len(line)-1] {
			c.DrawGlyphNoClip(draw.GlyphStyle{Color: palette[0], Radius: 2.6, Shape: draw.CircleGlyph{}}, at)
		}
	}
	entries := []entry{
		{fmt.Sprintf("%s, AUC %s", r.score, decimalsOf(r.auc, 3)), lineSample(style)},
		{"chance, AUC 0.500", lineSample(chance)},
	}
	top := c.Min.Y + lineSpace*(vg.Length(len(entries))+0.5)
	if r.auc < 0.5 { // the curve is there: go to the upper left
		c.Max.X, top = c.Min.X+legendWidth(entries)+lineSpace, c.Max.Y
	}
	legend(c, top, entries)
}

// chance is the line of a score that tells nothing.
var chance = draw.LineStyle{Color: pale, Width: thin, Dashes: []vg.Length{4, 3}}

// rocPoints returns the curve from (0, 0) to (1, 1), ascending.
func rocPoints(value map[string]any) ([][2]float64, error) {
	curve, ok := value["curve"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: curve", errShape)
	}
	rates, err := lists(curve, "sensitivity", "specificity")
	if err != nil {
		return nil, err
	}
	points := [][2]float64{{0, 0}, {1, 1}}
	for i := range rates[0] {
		points = append(points, [2]float64{1 - rates[1][i], rates[0][i]})
	}
	slices.SortFunc(points, func(a, b [2]float64) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(points), nil
}

// lineSample is a legend's piece of a line.
func lineSample(style draw.LineStyle) func(draw.Canvas, vg.Point, vg.Point) {
	return func(c draw.Canvas, from, to vg.Point) { c.StrokeLine2(style, from.X, from.Y, to.X, to.Y) }
}
