package plot

import (
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// histogram draws the counts as bars between their edges. Where the bins differ
// in width, the areas are the counts: a bar's height is its count for each unit.
func histogram(f *Figure) (*picture, error) {
	value, err := f.value()
	if err != nil {
		return nil, err
	}
	counts, err := list(value, "counts")
	if err != nil {
		return nil, err
	}
	edges, err := f.edges(len(counts))
	if err != nil {
		return nil, err
	}
	column := f.column("column")
	heights, title := barHeights(counts, edges), "Count"
	if !evenly(edges) {
		title = "Count per unit of width"
	}
	const room = 1.04
	top := room * slices.Max(heights)
	if top <= 0 {
		return nil, fmt.Errorf("%w: every bin is empty", errShape)
	}
	p := axes(axisTitle(column), title, edges[0], edges[len(edges)-1], 0, top)
	if evenly(edges) {
		p.Y.Tick.Marker = ticks(min(6, int(top)+1)) // no parts of a count
	}
	if len(edges) <= 16 && evenly(edges) {
		p.X.Tick.Marker = places(edges)
	} else {
		p.X.Tick.Marker = ticks(8)
	}
	p.Add(painter(func(c draw.Canvas, x, y func(float64) vg.Length) {
		outline := draw.LineStyle{Color: white, Width: thin}
		for i, h := range heights {
			if h == 0 {
				continue
			}
			bar := []vg.Point{{X: x(edges[i]), Y: y(0)}, {X: x(edges[i]), Y: y(h)}, {X: x(edges[i+1]), Y: y(h)}, {X: x(edges[i+1]), Y: y(0)}}
			c.FillPolygon(palette[0], bar)
			c.StrokeLines(outline, bar)
		}
	}))
	n := 0.0
	for _, k := range counts {
		n += k
	}
	note := fmt.Sprintf("n = %.0f. %s", n, f.source())
	return withNote(6.2*vg.Inch, 3.8*vg.Inch, note, p.Draw), nil
}

// edges are the job's, one more than the bins.
func (f *Figure) edges(bins int) ([]float64, error) {
	items, ok := f.Job.Args["edges"].([]any)
	if !ok || len(items) != bins+1 || bins == 0 {
		return nil, fmt.Errorf("%w: the job's edges do not fit its counts", errShape)
	}
	edges := make([]float64, len(items))
	for i, v := range items {
		var err error
		if edges[i], err = strconv.ParseFloat(fmt.Sprint(v), 64); err != nil {
			return nil, fmt.Errorf("%w: %v is no edge", errShape, v)
		}
	}
	return edges, nil
}

// evenly tells whether all bins are of one width.
func evenly(edges []float64) bool {
	first := edges[1] - edges[0]
	for i := 1; i < len(edges); i++ {
		if d := edges[i] - edges[i-1]; d < first*(1-1e-9) || d > first*(1+1e-9) {
			return false
		}
	}
	return true
}

func barHeights(counts, edges []float64) []float64 {
	heights := slices.Clone(counts)
	if !evenly(edges) {
		for i := range heights {
			heights[i] /= edges[i+1] - edges[i]
		}
	}
	return heights
}
