package plot

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"consilium/job"
	"consilium/protocols"
)

// Figure is what is drawn: a question and its answer.
type Figure struct {
	Job     *job.Job
	Dataset *job.Dataset // that the job asks
	Result  *protocols.Result
}

// picture is a drawing of known size.
type picture struct {
	width, height vg.Length
	draw          func(draw.Canvas)
	caveat        string // written above the drawing
}

// pictures tells how each analysis that has a plot is drawn.
func pictures() map[string]func(*Figure) (*picture, error) {
	return map[string]func(*Figure) (*picture, error){
		"cox":         coxForest,
		"histogram":   histogram,
		"kaplanmeier": kaplanMeier,
		"linear":      linearForest,
		"logistic":    logisticForest,
		"oddsratio":   oddsRatioForest,
		"poisson":     poissonForest,
		"roc":         rocCurve,
	}
}

// dotsPerInch of a PNG is what journals ask for.
const dotsPerInch = 300

// canvases are the forms of a file, by the ending of its name.
func canvases() map[string]func(w, h vg.Length) vg.CanvasWriterTo {
	return map[string]func(w, h vg.Length) vg.CanvasWriterTo{
		".svg": func(w, h vg.Length) vg.CanvasWriterTo { return vgsvg.New(w, h) },
		".pdf": func(w, h vg.Length) vg.CanvasWriterTo { return outlined{vgpdf.New(w, h)} },
		".png": func(w, h vg.Length) vg.CanvasWriterTo {
			return vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(dotsPerInch))}
		},
	}
}

func ending(file string) string { return strings.ToLower(filepath.Ext(file)) }

// Check refuses, before a job is signed, what could not be drawn or written
// after it: an analysis without a plot, a form of file that there is not, a
// folder that is not there.
func Check(file string, j *job.Job) error {
	if _, ok := pictures()[j.Analysis]; !ok {
		return fmt.Errorf("%s has no plot; these have: %s", j.Analysis, strings.Join(slices.Sorted(maps.Keys(pictures())), ", "))
	}
	if j.Analysis == "roc" && !hasCurve(j) {
		return errors.New("roc has a plot where the job asks for its curve: give it the argument curve: true, or thresholds")
	}
	if _, ok := canvases()[ending(file)]; !ok {
		return fmt.Errorf("the plot's file %q must end in .svg, .png or .pdf", file)
	}
	if at, err := os.Stat(file); err == nil && at.IsDir() {
		return fmt.Errorf("the plot's file %q is a folder", file)
	}
	folder := filepath.Dir(file)
	if at, err := os.Stat(folder); err != nil || !at.IsDir() {
		return fmt.Errorf("the plot's file %q is in no folder that exists; make %s first", file, folder)
	}
	return nil
}

// Write draws the figure into a file, whose ending tells its form. Whoever reads
// the file finds all of the old content or all of the new.
func Write(file string, f *Figure) error {
	if err := Check(file, f.Job); err != nil {
		return err
	}
	if f.Result.Status != "ok" {
		return fmt.Errorf("a result with the status %q has nothing to draw", f.Result.Status)
	}
	p, err := pictures()[f.Job.Analysis](f)
	if err != nil {
		return fmt.Errorf("plot %s: %w", f.Job.Analysis, err)
	}
	p.caveat = f.Result.Caveat
	b, err := p.encode(ending(file))
	if err != nil {
		return fmt.Errorf("plot %s: %w", f.Job.Analysis, err)
	}
	return job.WriteFile(file, b, 0o644)
}

// encode draws on a white canvas of one of the forms.
func (p *picture) encode(form string) ([]byte, error) {
	if p.caveat != "" {
		p.height += lineSpace
	}
	canvas := canvases()[form](p.width, p.height)
	c := draw.NewCanvas(canvas, p.width, p.height)
	c.SetColor(white)
	c.Fill(c.Path())
	if p.caveat != "" {
		write(c, bold(aligned(textStyle(smallText, warning), text.XCenter)), vg.Point{X: c.Center().X, Y: c.Max.Y - lineSpace/2}, p.caveat)
		c = draw.Crop(c, 0, 0, 0, -lineSpace)
	}
	p.draw(draw.Crop(c, margin, -margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	if form == ".svg" {
		return withFallbackFonts(b.Bytes()), nil
	}
	return b.Bytes(), nil
}

// errShape says that a result is not in the form that its analysis documents.
var errShape = errors.New("the result lacks a figure that its plot needs")
