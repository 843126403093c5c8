package plot

import (
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	gonumfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// outlined is a canvas on which text is drawn as the outlines of its letters. The
// library's PDF writes text in Windows-1252, which lacks the minus sign and most
// of what a schema's units and levels are made of.
type outlined struct {
	vg.CanvasWriterTo
}

// FillString implements vg.Canvas.
func (o outlined) FillString(face gonumfont.Face, at vg.Point, text string) {
	var (
		buffer sfnt.Buffer
		path   vg.Path
		em     = fixed.I(int(face.Face.UnitsPerEm())) // letters in the font's own units
		scale  = face.Font.Size / vg.Length(em)
	)
	place := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: at.X + vg.Length(p.X)*scale, Y: at.Y - vg.Length(p.Y)*scale}
	}
	for _, letter := range text {
		glyph, err := face.Face.GlyphIndex(&buffer, letter)
		if err != nil {
			continue // there is no letter to draw, as with one that the font lacks
		}
		outline, err := face.Face.LoadGlyph(&buffer, glyph, em, nil)
		if err != nil {
			continue
		}
		trace(&path, outline, place)
		if step, err := face.Face.GlyphAdvance(&buffer, glyph, em, font.HintingNone); err == nil {
			at.X += vg.Length(step) * scale
		}
	}
	o.Fill(path)
}

// trace adds a letter's outline to a path.
func trace(path *vg.Path, outline sfnt.Segments, place func(fixed.Point26_6) vg.Point) {
	var pen vg.Point
	for i, s := range outline {
		a := [...]vg.Point{place(s.Args[0]), place(s.Args[1]), place(s.Args[2])}
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if i > 0 {
				path.Close()
			}
			pen = a[0]
			path.Move(pen)
		case sfnt.SegmentOpLineTo:
			pen = a[0]
			path.Line(pen)
		case sfnt.SegmentOpQuadTo: // a PDF has cubic curves alone
			first, second := towards(pen, a[0]), towards(a[1], a[0])
			pen = a[1]
			path.CubeTo(first, second, pen)
		case sfnt.SegmentOpCubeTo:
			pen = a[2]
			path.CubeTo(a[0], a[1], pen)
		}
	}
	if len(outline) > 0 {
		path.Close()
	}
}

// towards goes two thirds of the way from an end of a quadratic curve to its
// control point: that is where the same curve as a cubic has a control point.
func towards(end, control vg.Point) vg.Point { return end.Add(control.Sub(end).Scale(2.0 / 3)) }
