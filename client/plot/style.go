package plot

import (
	"bytes"
	"image/color"
	"math"
	"strconv"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The look of all pictures: one sans-serif family, thin black axes, no frame and
// no grid, and colours that people with any colour vision tell apart.

// Sizes, in points.
const (
	margin    = vg.Length(10)
	smallText = vg.Length(8.5)
	plainText = vg.Length(10)
	lineSpace = vg.Length(14) // from one line of a list to the next
	thin      = vg.Length(0.75)
	thick     = vg.Length(1.6)
)

var (
	white = color.NRGBA{255, 255, 255, 255}
	black = color.NRGBA{0, 0, 0, 255}
	grey  = color.NRGBA{110, 110, 110, 255}
	pale  = color.NRGBA{170, 170, 170, 255}

	warning = color.NRGBA{190, 0, 0, 255}
)

// palette is that of Okabe and Ito, "Color Universal Design" (2008), in the order
// of contrast on white and without its yellow, which has none.
var palette = []color.NRGBA{
	{0, 114, 178, 255},   // blue
	{213, 94, 0, 255},    // vermilion
	{0, 158, 115, 255},   // bluish green
	{204, 121, 167, 255}, // reddish purple
	{86, 180, 233, 255},  // sky blue
	{230, 159, 0, 255},   // orange
	{0, 0, 0, 255},       // black
}

// colourOf is the colour of the i-th group. Colours come again after the last,
// with another dash.
func colourOf(i int) color.NRGBA { return palette[i%len(palette)] }

func dashOf(i int) []vg.Length {
	if round := i / len(palette); round > 0 {
		return []vg.Length{vg.Length(6 / round), 2}
	}
	return nil
}

// faint is a colour that shows what lies under it.
func faint(c color.NRGBA) color.NRGBA {
	c.A = 40
	return c
}

// textStyle is text of a size, to the right of its place.
func textStyle(size vg.Length, c color.Color) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign:  text.XLeft,
		YAlign:  text.YCenter,
		Handler: plot.DefaultTextHandler,
	}
}

// write puts text so that its figures and capitals are centred on at's height.
func write(c draw.Canvas, s text.Style, at vg.Point, words string) {
	const low = 0.15 // the box that YAlign centres has room for descenders
	at.Y += low * s.Font.Size
	c.FillText(s, at, words)
}

func aligned(s text.Style, x text.XAlignment) text.Style {
	s.XAlign = x
	return s
}

func bold(s text.Style) text.Style {
	s.Font.Weight = xfont.WeightBold
	return s
}

// withFallbackFonts names the fonts that stand in, in an SVG, where a reader's
// machine lacks Liberation Sans: Arial and Helvetica have the same widths.
func withFallbackFonts(svg []byte) []byte {
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
}

// axes are the axes of a picture, over the given ranges.
func axes(xTitle, yTitle string, xMin, xMax, yMin, yMax float64) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // the picture has one
	p.X.Label.Text, p.Y.Label.Text = xTitle, yTitle
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = xMin, xMax, yMin, yMax
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding = 0
		a.LineStyle = draw.LineStyle{Color: black, Width: thin}
		a.Tick.LineStyle = a.LineStyle
		a.Tick.Length = 4
		a.Tick.Marker = ticks(6)
		a.Label.Padding = 5
		for _, s := range []*text.Style{&a.Label.TextStyle, &a.Tick.Label} {
			s.Font = textStyle(plainText, black).Font
			s.Color = black
		}
		a.Tick.Label.Font.Size = smallText
	}
	return p
}

// painter is a plotter that paints with transforms to the canvas.
type painter func(c draw.Canvas, x, y func(float64) vg.Length)

// Plot implements plot.Plotter.
func (paint painter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	paint(c, x, y)
}

// ticks marks an axis at about so many round numbers.
type ticks int

// Ticks implements plot.Ticker.
func (n ticks) Ticks(low, high float64) []plot.Tick {
	var marks []plot.Tick
	step, decimals := roundStep((high - low) / float64(n))
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		marks = append(marks, plot.Tick{Value: i * step, Label: decimalsOf(i*step, decimals)})
	}
	return marks
}

// roundStep is the least of 1, 2, 5 times a power of ten that is not below the
// least wanted, and the decimals that it needs.
func roundStep(least float64) (step float64, decimals int) {
	exponent := math.Floor(math.Log10(least))
	unit := math.Pow(10, exponent)
	step = 10 * unit
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= least*(1-1e-9) {
			step = m * unit
			break
		}
	}
	return step, max(0, -int(math.Floor(math.Log10(step)+1e-9)))
}

// places marks an axis at given values.
type places []float64

// Ticks implements plot.Ticker.
func (values places) Ticks(low, high float64) []plot.Tick {
	var marks []plot.Tick
	for _, v := range values {
		if edge := 1e-9 * (high - low); v >= low-edge && v <= high+edge {
			marks = append(marks, plot.Tick{Value: v, Label: shortest(v)})
		}
	}
	return marks
}

// shortest writes a number with as many decimals as it has.
func shortest(x float64) string {
	return strings.Replace(strconv.FormatFloat(x, 'f', -1, 64), "-", "−", 1)
}

// logTicks marks an axis of logarithms at round ratios: powers of two, or 1, 2 and
// 5 times powers of ten, or these powers alone where those are too many, or evenly
// where the range holds too few.
type logTicks struct{}

// Ticks implements plot.Ticker.
func (logTicks) Ticks(low, high float64) []plot.Tick {
	const fewest, most = 3, 8
	const furthest = 690 // whose exponential is a number
	from, to := math.Exp(max(low, -furthest)), math.Exp(min(high, furthest))
	var marks []plot.Tick
	for _, ratios := range []places{powers(2, from, to), powers(10, from, to, 1, 2, 5), powers(10, from, to)} {
		if marks = ratios.Ticks(from, to); len(marks) <= most {
			break
		}
	}
	if len(marks) < fewest {
		marks = ticks(5).Ticks(from, to)
	}
	marks = marks[:min(len(marks), 4*most)]
	for i := range marks {
		marks[i].Value = math.Log(marks[i].Value)
	}
	return marks
}

// powers of a base around a range, each times every factor.
func powers(base, low, high float64, factors ...float64) places {
	if len(factors) == 0 {
		factors = []float64{1}
	}
	var values places
	for e := math.Floor(math.Log(low) / math.Log(base)); e <= math.Ceil(math.Log(high)/math.Log(base)); e++ {
		for _, f := range factors {
			if e < 0 { // divided, so that 0.2 is the double nearest to 2/10
				values = append(values, f/math.Pow(base, -e))
			} else {
				values = append(values, f*math.Pow(base, e))
			}
		}
	}
	return values
}

// paragraph draws text in lines of a width, from its upper left corner down.
func paragraph(c draw.Canvas, s text.Style, lines []string) {
	y := c.Max.Y - lineSpace/2
	for _, line := range lines {
		write(c, s, vg.Point{X: c.Min.X, Y: y}, line)
		y -= lineSpace * s.Font.Size / plainText
	}
}

// wrap breaks text into lines of at most a width.
func wrap(s text.Style, words string, width vg.Length) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(words) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && s.Width(longer) > width {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	return append(lines, line)
}

// noteStyle is that of the line below a picture.
func noteStyle() text.Style { return textStyle(smallText, grey) }

// withNote puts a picture above a note of small print.
func withNote(width, height vg.Length, words string, paint func(draw.Canvas)) *picture {
	style := noteStyle()
	lines := wrap(style, words, width-2*margin)
	foot := vg.Length(len(lines))*lineSpace*smallText/plainText + margin
	return &picture{width: width, height: height + foot, draw: func(c draw.Canvas) {
		paint(draw.Crop(c, 0, 0, foot, 0))
		under := c
		under.Max.Y = c.Min.Y + foot - margin/2
		paragraph(under, style, lines)
	}}
}

// entry is a line of a legend.
type entry struct {
	text  string
	paint func(c draw.Canvas, from, to vg.Point)
}

// Widths of a legend's parts.
const (
	sample = vg.Length(18)
	gap    = vg.Length(6)
)

func legendWidth(entries []entry) vg.Length {
	wide := vg.Length(0)
	for _, e := range entries {
		wide = max(wide, textStyle(smallText, black).Width(e.text))
	}
	return sample + gap + wide
}

// legend draws its entries below each other with their right edge at the canvas',
// from a height down.
func legend(c draw.Canvas, top vg.Length, entries []entry) {
	style := textStyle(smallText, black)
	left := c.Max.X - legendWidth(entries)
	for i, e := range entries {
		y := top - lineSpace*(vg.Length(i)+0.5)
		e.paint(c, vg.Point{X: left, Y: y}, vg.Point{X: left + sample, Y: y})
		write(c, style, vg.Point{X: left + sample + gap, Y: y}, e.text)
	}
}
