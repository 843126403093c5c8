package plot

import (
	"bytes"
	"encoding/xml"
	"flag"
	"image"
	"image/png"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"consilium/job"
	"consilium/protocols"
)

var update = flag.Bool("update", false, "draw the pictures of the documentation anew")

// TestPicturesOfTheDocumentation: each of them shows what is drawn today, its texts
// and its lines, wherever a machine's rounding moves them by a hair.
func TestPicturesOfTheDocumentation(t *testing.T) {
	for name, f := range examples(t) {
		file := filepath.Join("..", "..", "docs", "pictures", name+".svg")
		if *update {
			if err := Write(file, f); err != nil {
				t.Error(name, err)
			}
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kept, now := parse(t, b), drawn(t, f)
		if !slices.Equal(kept.texts, now.texts) || !slices.EqualFunc(kept.paths, now.paths, samePath) {
			t.Errorf("%s is out of date: go test ./client/plot -update", file)
		}
	}
}

// samePath compares to a tenth of a point.
func samePath(a, b path) bool {
	return a.style == b.style && slices.EqualFunc(a.points, b.points, func(p, q [2]float64) bool {
		return math.Hypot(p[0]-q[0], p[1]-q[1]) < 0.1
	})
}

// svg is what a test reads of a drawing.
type svg struct {
	texts []string
	paths []path
}

type path struct {
	points [][2]float64 // in points, upwards
	style  string
}

func (p path) stroke(width string) bool {
	return strings.Contains(p.style, "stroke-width:"+width) && strings.Contains(p.style, "fill:none")
}

var numbers = regexp.MustCompile(`[ML](-?[\d.e+-]+),(-?[\d.e+-]+)`)

func drawn(t *testing.T, f *Figure) *svg {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plot.svg")
	if err := Write(file, f); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, b)
}

func parse(t *testing.T, b []byte) *svg {
	t.Helper()
	var s svg
	d := xml.NewDecoder(bytes.NewReader(b))
	inText := false
	for {
		token, err := d.Token()
		if err == io.EOF {
			return &s
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			inText = e.Name.Local == "text"
			if e.Name.Local == "path" {
				s.paths = append(s.paths, readPath(t, e.Attr))
			}
		case xml.CharData:
			if text := string(e); inText && strings.TrimSpace(text) != "" {
				s.texts = append(s.texts, text)
			}
		case xml.EndElement:
			inText = false
		}
	}
}

func readPath(t *testing.T, attributes []xml.Attr) path {
	t.Helper()
	var p path
	for _, a := range attributes {
		switch a.Name.Local {
		case "style":
			p.style = a.Value
		case "d":
			for _, m := range numbers.FindAllStringSubmatch(a.Value, -1) {
				x, err := strconv.ParseFloat(m[1], 64)
				if err != nil {
					t.Fatal(err)
				}
				y, err := strconv.ParseFloat(m[2], 64)
				if err != nil {
					t.Fatal(err)
				}
				p.points = append(p.points, [2]float64{x, y})
			}
		}
	}
	return p
}

// wants checks that the drawing has these texts, each as often as it is named.
func (s *svg) wants(t *testing.T, texts ...string) {
	t.Helper()
	left := slices.Clone(s.texts)
	for _, want := range texts {
		i := slices.Index(left, want)
		if i < 0 {
			t.Errorf("no text %q among %q", want, left)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
}

// curves are the thick lines of more than two points.
func (s *svg) curves() (found []path) {
	for _, p := range s.paths {
		if p.stroke("1.6") && len(p.points) > 2 {
			found = append(found, p)
		}
	}
	return found
}

func (s *svg) filled(colour string) (found []path) {
	for _, p := range s.paths {
		if strings.HasPrefix(p.style, "fill:"+colour) {
			found = append(found, p)
		}
	}
	return found
}

const (
	blue      = "#0072B2"
	vermilion = "#D55E00"
)

func TestSurvivalSteps(t *testing.T) {
	s := drawn(t, lungCurves(t, true))
	curves := s.curves()
	if len(curves) != 2 {
		t.Fatalf("%d curves, not 2", len(curves))
	}
	for i, c := range curves {
		if first := c.points[0]; first != [2]float64{curves[0].points[0][0], curves[0].points[0][1]} {
			t.Errorf("curve %d begins at %v, not at time 0 and survival 1", i, first)
		}
		for j := 1; j < len(c.points); j++ {
			a, b := c.points[j-1], c.points[j]
			if b[0] < a[0] || b[1] > a[1] {
				t.Fatalf("curve %d goes back or up: %v, %v", i, a, b)
			}
			if b[0] != a[0] && b[1] != a[1] {
				t.Fatalf("curve %d has a slope: %v, %v", i, a, b)
			}
		}
	}
	bands := 0
	for _, p := range s.paths {
		if strings.Contains(p.style, "fill-opacity") && len(p.points) > 100 {
			bands++
		}
	}
	if bands != 2 {
		t.Errorf("%d confidence bands, not 2", bands)
	}
	s.wants(t, "time (days)", "Survival probability", "Number at risk", "sex = 1", "sex = 2",
		"sex = 1, median 270 days", "sex = 2, median 426 days", "138", "78", "29", "13", "5", "90", "66", "26", "11")
}

func TestSurvivalOfOneGroup(t *testing.T) {
	s := drawn(t, lungCurves(t, false))
	if n := len(s.curves()); n != 1 {
		t.Errorf("%d curves, not 1", n)
	}
	s.wants(t, "median 310 days", "228", "144")
}

// Between the job's times nothing is known: there are points, no steps.
func TestSurvivalAtTimes(t *testing.T) {
	s := drawn(t, reference(t, "km-lung-by-sex"))
	if n := len(s.curves()); n != 0 {
		t.Errorf("%d step curves where the steps are not known", n)
	}
	s.wants(t, "0", "90", "180", "365", "540", "730", "138", "117", "89", "35", "17", "7", "90", "84", "71", "30", "16", "6")
	if joined := strings.Join(s.texts, " "); !strings.Contains(joined, "between the times is not known") {
		t.Errorf("the note does not say what is not known: %s", joined)
	}
}

func survival(fields map[string]any) *Figure {
	value := map[string]any{
		"times": []any{2.0, 5.0}, "survival": []any{0.8, 0.4}, "lower": []any{0.5, 0.2}, "upper": []any{1.0, 0.9},
		"n_risk": []any{int64(10), int64(4)}, "median": nil, "n": int64(12),
	}
	maps.Copy(value, fields)
	return figure("lung", "kaplanmeier", "", map[string]any{"time": "time", "event": "status = 2"}, value)
}

func TestSurvivalAtTheEdges(t *testing.T) {
	drawn(t, survival(nil)).wants(t, "median not reached")
	drawn(t, survival(map[string]any{"survival": []any{0.5, 0.0}, "lower": []any{0.1, nil}, "upper": []any{1.0, nil}, "median": 2.5})).
		wants(t, "median 2.5 days")
	drawn(t, survival(map[string]any{"lower": []any{nil, nil}, "upper": []any{nil, nil}}))

	nobody := map[string]any{"times": []any{}, "survival": []any{}, "lower": []any{}, "upper": []any{}, "n_risk": []any{}}
	if _, err := kaplanMeier(survival(nobody)); err == nil || !strings.Contains(err.Error(), "no event") {
		t.Errorf("a curve of no events: %v", err)
	}
	for _, lack := range []string{"times", "n_risk", "lower", "median"} {
		f := survival(nil)
		delete(f.Result.Value.(map[string]any), lack)
		if _, err := kaplanMeier(f); err == nil || !strings.Contains(err.Error(), lack) {
			t.Errorf("without %s: %v", lack, err)
		}
	}
	if _, err := kaplanMeier(survival(map[string]any{"lower": []any{0.5}})); err == nil {
		t.Error("lists of unequal length were drawn")
	}

	shuffled := survival(map[string]any{"times": []any{5.0, 2.0}, "survival": []any{0.4, 0.8}})
	shuffled.Job.Args["times"] = []any{"5", "2"}
	c, err := curvesOf(shuffled.Result.Value.(map[string]any), "")
	if err != nil || c[0].times[0] != 2 || c[0].survival[0] != 0.8 {
		t.Errorf("times out of order: %+v, %v", c, err)
	}
}

// A legend that would stand on a curve stands above the axes.
func TestLegendIsNotOnCurves(t *testing.T) {
	low := survival(map[string]any{"survival": []any{0.4, 0.1}, "lower": []any{0.2, 0.05}, "upper": []any{0.6, 0.3}})
	high := survival(map[string]any{"survival": []any{0.98, 0.97}, "lower": []any{0.9, 0.9}, "upper": []any{1.0, 1.0}})
	a, err := kaplanMeier(low)
	if err != nil {
		t.Fatal(err)
	}
	b, err := kaplanMeier(high)
	if err != nil {
		t.Fatal(err)
	}
	if b.height <= a.height {
		t.Errorf("no room is made for the legend: %v, %v", a.height, b.height)
	}
	drawn(t, high).wants(t, "median not reached")
}

func TestSurvivalOfManyGroups(t *testing.T) {
	groups := map[string]any{}
	one := survival(nil).Result.Value
	for i := range 2 * len(palette) {
		groups[strconv.Itoa(i+1)] = one
	}
	f := survival(nil)
	f.Job.Args["by"], f.Result.Value = []any{"grade"}, groups
	s := drawn(t, f)
	looks := map[string]bool{}
	for _, c := range s.curves() {
		looks[c.style] = true
	}
	if len(looks) != 2*len(palette) {
		t.Errorf("%d looks of %d curves", len(looks), 2*len(palette))
	}
	names := slices.DeleteFunc(slices.Clone(s.texts), func(s string) bool { return !strings.HasSuffix(s, "not reached") })
	if names[1] != "grade = 2, median not reached" || names[9] != "grade = 10, median not reached" {
		t.Errorf("not in level order: %q", names)
	}
	groups["99"] = one
	if _, err := kaplanMeier(f); err == nil {
		t.Error("more curves than can be told apart")
	}
}

func TestForests(t *testing.T) {
	for id, c := range map[string]struct {
		rows  int
		texts []string
	}{
		"cox-lung-efron":      {3, []string{"Hazard ratio", "Hazard ratio (95% CI)", "age", "sex", "ph_ecog", "0.575 (0.414 to 0.799)", "<0.001", "0.232"}},
		"cox-pbc-efron":       {5, []string{"edema", "2.55 (1.47 to 4.43)", "0.25", "0.5", "1", "2", "4"}},
		"logistic-pima":       {6, []string{"Odds ratio", "pedigree", "2.61 (1.43 to 4.76)", "0.002"}},
		"poisson-ptl":         {3, []string{"Rate ratio", "smoke", "2.61 (1.34 to 5.08)"}},
		"linear-bwt":          {5, []string{"Coefficient (95% CI)", "Change in bwt per unit", "age", "3.65 (−15.0 to 22.3)", "−644 (−1053 to −235)"}},
		"oddsratio-smoke-low": {1, []string{"Odds ratio", "smoke", "2.02 (1.08 to 3.78)", "0.036"}},
	} {
		s := drawn(t, reference(t, id))
		s.wants(t, c.texts...)
		if slices.Contains(s.texts, intercept) {
			t.Errorf("%s: the intercept is no effect", id)
		}
		if n := len(s.filled(blue)); n != c.rows {
			t.Errorf("%s: %d squares, not %d", id, n, c.rows)
		}
	}
}

func model(coef, se, p []any) *Figure {
	var terms []any
	for i := range coef {
		terms = append(terms, "x"+strconv.Itoa(i+1))
	}
	value := map[string]any{"term": terms, "coef": coef, "se": se, "p": p, "n": int64(50), "events": int64(20)}
	return figure("lung", "cox", "age > 50", map[string]any{"time": "time", "event": "status = 2"}, value)
}

// An interval that is far wider than all others is cut, and an arrow tells.
func TestForestCutsWideIntervals(t *testing.T) {
	s := drawn(t, model([]any{0.1, 0.3, 12.0}, []any{0.1, 0.1, 40.0}, []any{0.3, 0.01, 0.8}))
	if note := strings.Join(s.texts, " "); !strings.Contains(note, "Arrows") || !strings.Contains(note, "n = 50, 20 events.") || !strings.Contains(note, "age > 50") {
		t.Errorf("the note is %q", note)
	}
	arrows := 0
	for _, p := range s.paths {
		if p.stroke("1.2") && len(p.points) == 3 {
			arrows++
		}
	}
	if arrows != 2 {
		t.Errorf("%d arrows, not 2", arrows)
	}
}

func TestForestAtTheEdges(t *testing.T) {
	drawn(t, model([]any{0.0}, []any{0.2}, []any{1.0})).wants(t, "1.00 (0.676 to 1.48)", "1.000")
	drawn(t, model([]any{0.0}, []any{0.0}, []any{nil})).wants(t, "1.00 (1.00 to 1.00)", "–")
	drawn(t, model([]any{nil, 0.2}, []any{nil, 0.1}, []any{nil, 0.05})).wants(t, "x1", "–", "–", "1.22 (1.00 to 1.49)")
	drawn(t, model([]any{800.0, -900.0, 5e5}, []any{1.0, 1.0, nil}, []any{0.0, 0.0, 0.0}))
	drawn(t, model([]any{1e-9}, []any{1e-10}, []any{0.0}))
	odds := reference(t, "oddsratio-smoke-low")
	for _, value := range []map[string]any{
		{"odds_ratio": 0.0, "conf_int": []any{nil, nil}, "fisher_p": 0.2},
		{"odds_ratio": nil, "conf_int": []any{0.0, nil}, "fisher_p": 1.0},
		{"odds_ratio": 3.0, "conf_int": []any{0.0, 9.0}, "fisher_p": 1.0},
	} {
		odds.Result.Value = value
		drawn(t, odds)
	}
	many := make([]any, 151)
	for i := range many {
		many[i] = 0.1
	}
	if _, err := coxForest(model(many, many, many)); err == nil {
		t.Error("a forest of 151 lines")
	}
	if _, err := coxForest(model(nil, nil, nil)); err == nil {
		t.Error("a forest of no line")
	}
}

func TestLevelsOfAnOddsRatio(t *testing.T) {
	f := reference(t, "oddsratio-smoke-low")
	f.Dataset.Schema.Columns = append(f.Dataset.Schema.Columns, job.Column{Name: "smoke", Type: job.Integer, Min: "0", Max: "1", Categories: []string{"0", "1"}})
	drawn(t, f).wants(t, "smoke: 1 vs 0")
}

func TestHistogramBars(t *testing.T) {
	f := reference(t, "histogram-mass")
	s := drawn(t, f)
	bars := s.filled(blue)
	counts, err := list(f.Result.Value.(map[string]any), "counts")
	if err != nil {
		t.Fatal(err)
	}
	counts = slices.DeleteFunc(counts, func(n float64) bool { return n == 0 })
	if len(bars) != len(counts) {
		t.Fatalf("%d bars for %d counts", len(bars), len(counts))
	}
	height := func(i int) float64 { return bars[i].points[1][1] - bars[i].points[0][1] }
	for i, n := range counts {
		if want := height(0) * n / counts[0]; math.Abs(height(i)-want) > 0.1 {
			t.Errorf("bar %d is %.2f high, not %.2f", i, height(i), want)
		}
	}
	s.wants(t, "mass (kg/m²)", "Count", "15", "70", "0", "200")
}

// Where bins differ in width, areas are the counts.
func TestHistogramOfUnequalBins(t *testing.T) {
	f := figure("pima", "histogram", "", map[string]any{"column": "mass", "edges": []any{"10", "20", "40"}}, map[string]any{"counts": []any{int64(3), int64(6)}})
	s := drawn(t, f)
	bars := s.filled(blue)
	area := func(p path) float64 {
		return (p.points[1][1] - p.points[0][1]) * (p.points[2][0] - p.points[1][0])
	}
	if len(bars) != 2 || math.Abs(area(bars[1])/area(bars[0])-2) > 0.01 {
		t.Errorf("areas %v, %v", area(bars[0]), area(bars[1]))
	}
	s.wants(t, "Count per unit of width")
	f.Job.Args["edges"] = []any{"10", "20"}
	if _, err := histogram(f); err == nil {
		t.Error("edges that do not fit the counts")
	}
}

func TestROC(t *testing.T) {
	s := drawn(t, glucoseCurve(t))
	curves := s.curves()
	if len(curves) != 1 {
		t.Fatalf("%d curves, not 1", len(curves))
	}
	points := curves[0].points
	area := 0.0
	first, last := points[0], points[len(points)-1]
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		if b[0] < a[0] || b[1] < a[1] {
			t.Fatalf("the curve goes back: %v, %v", a, b)
		}
		area += (b[0] - a[0]) * ((a[1]+b[1])/2 - first[1])
	}
	// The picture's own area under the curve is the AUC beside it.
	if auc := area / ((last[0] - first[0]) * (last[1] - first[1])); math.Abs(auc-0.792790578054795) > 1e-4 {
		t.Errorf("the area under the drawn curve is %v", auc)
	}
	s.wants(t, "1 − specificity", "Sensitivity", "glucose, AUC 0.793")
	if _, err := rocCurve(reference(t, "roc-glucose")); err == nil || !strings.Contains(err.Error(), "curve") {
		t.Errorf("without its curve: %v", err)
	}
	few := drawn(t, glucoseThresholds(t))
	if n := len(few.curves()); n != 0 {
		t.Error("a whole curve where only its points at thresholds are known")
	}
	if note := strings.Join(few.texts, " "); !strings.Contains(note, "between the thresholds is not known") {
		t.Errorf("the note is %q", note)
	}
}

// ink is the share of pixels that are not white in a part of a picture, whose
// sides are given as fractions from the left and from the top.
func ink(picture image.Image, left, top, right, bottom float64) float64 {
	b := picture.Bounds()
	w, h := float64(b.Dx()), float64(b.Dy())
	dark, all := 0, 0
	for y := int(top * h); y < int(bottom*h); y++ {
		for x := int(left * w); x < int(right*w); x++ {
			all++
			if r, g, b, _ := picture.At(x, y).RGBA(); r+g+b < 3*0xf000 {
				dark++
			}
		}
	}
	return float64(dark) / float64(all)
}

// Every kind in every form: a PNG has ink in all its halves and none at its
// rim, where text would be cut.
func TestForms(t *testing.T) {
	dir := t.TempDir()
	for name, f := range examples(t) {
		for form, magic := range map[string]string{".png": "\x89PNG", ".svg": "<?xml", ".pdf": "%PDF-"} {
			file := filepath.Join(dir, name+form)
			if err := Write(file, f); err != nil {
				t.Fatal(name, err)
			}
			b, err := os.ReadFile(file)
			if err != nil || !bytes.HasPrefix(b, []byte(magic)) {
				t.Fatalf("%s%s begins with %.8q, %v", name, form, b, err)
			}
			if form != ".png" {
				continue
			}
			picture, err := png.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(name, err)
			}
			for _, part := range [][4]float64{{0, 0, 0.5, 1}, {0.5, 0, 1, 1}, {0, 0, 1, 0.5}, {0, 0.5, 1, 1}} {
				if ink(picture, part[0], part[1], part[2], part[3]) == 0 {
					t.Errorf("%s: nothing in %v", name, part)
				}
			}
			for _, rim := range [][4]float64{{0, 0, 0.005, 1}, {0.995, 0, 1, 1}, {0, 0, 1, 0.005}, {0, 0.995, 1, 1}} {
				if ink(picture, rim[0], rim[1], rim[2], rim[3]) > 0 {
					t.Errorf("%s: ink at the rim %v", name, rim)
				}
			}
		}
	}
}

func TestForeignTextIsText(t *testing.T) {
	f := survival(nil)
	f.Job.Args["by"] = `<script>"&'`
	f.Job.Where = "abo = '\x1b[31m' AND " + strings.Repeat("name > 3 AND ", 40)
	f.Result.Value = map[string]any{"\x00</text>": f.Result.Value, strings.Repeat("long ", 100): f.Result.Value}
	s := drawn(t, f) // reads the file as XML
	if !strings.Contains(strings.Join(s.texts, " "), `<script>"&' = ?</text>`) {
		t.Errorf("texts are %q", s.texts)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder.svg"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ analysis, file, words string }{
		{"cox", "plot.jpg", `must end in .svg, .png or .pdf`},
		{"cox", "plot", `must end in .svg, .png or .pdf`},
		{"cox", "svg", `must end in .svg, .png or .pdf`},
		{"describe", "plot.svg", "describe has no plot; these have: cox, histogram, kaplanmeier, linear, logistic, oddsratio, poisson, roc"},
		{"nonsense", "plot.svg", "nonsense has no plot"},
		{"roc", "plot.svg", "curve: true"},
		{"cox", "nowhere/plot.svg", "nowhere"},
		{"cox", "folder.svg", "is a folder"},
	} {
		j := &job.Job{Analysis: c.analysis, Args: map[string]any{"curve": false}}
		err := Check(filepath.Join(dir, c.file), j)
		if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s into %s: %v", c.analysis, c.file, err)
		}
	}
	if err := Check(filepath.Join(dir, "PLOT.PNG"), &job.Job{Analysis: "roc", Args: map[string]any{"thresholds": "120"}}); err != nil {
		t.Error(err)
	}
	for name := range pictures() {
		if err := Check(filepath.Join(dir, "plot.svg"), &job.Job{Analysis: name, Args: map[string]any{"curve": true}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A plot that fails leaves the file of an earlier one whole, and nothing else.
func TestWriteIsAtomic(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "plot.svg")
	if err := Write(file, reference(t, "histogram-mass")); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := reference(t, "histogram-mass")
	for _, r := range []protocols.Result{
		{Status: "ok", Value: map[string]any{"counts": "many"}},
		{Status: "ok", Value: []any{1.0}},
		{Status: "ok"},
		{Status: "suppressed", Reason: "too few"},
	} {
		broken.Result = &r
		if err := Write(file, broken); err == nil {
			t.Errorf("%+v was drawn", r)
		}
	}
	after, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	if err := Write(file, reference(t, "cox-lung-efron")); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(file); err != nil || bytes.Equal(before, after) {
		t.Errorf("the file was not replaced: %v", err)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		marker    plot.Ticker
		want      string
	}{
		{0, 1, ticks(5), "0.0 0.2 0.4 0.6 0.8 1.0"},
		{0, 883, ticks(6), "0 200 400 600 800"},
		{-1000, 50, ticks(5), "−1000 −500 0"},
		{-0.3, 0.3, ticks(5), "−0.2 0.0 0.2"},
		{0, 1e-6, ticks(5), "0.0000000 0.0000002 0.0000004 0.0000006 0.0000008 0.0000010"},
		{0, 3e6, ticks(6), "0 500000 1000000 1500000 2000000 2500000 3000000"},
		{math.Log(0.2), math.Log(5), logTicks{}, "0.25 0.5 1 2 4"},
		{math.Log(0.02), math.Log(5), logTicks{}, "0.03125 0.0625 0.125 0.25 0.5 1 2 4"},
		{math.Log(0.001), math.Log(1000), logTicks{}, "0.001 0.01 0.1 1 10 100 1000"},
		{math.Log(0.97), math.Log(1.06), logTicks{}, "0.98 1.00 1.02 1.04 1.06"},
	} {
		var labels []string
		for _, m := range c.marker.Ticks(c.low, c.high) {
			labels = append(labels, m.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("from %v to %v: %q, not %q", c.low, c.high, got, c.want)
		}
	}
}

// A caveat stands on the picture, which is higher by its line.
func TestCaveat(t *testing.T) {
	f := lungCurves(t, true)
	plain := drawn(t, f)
	with := *f.Result
	with.Caveat = "synthetic data: the numbers mean nothing"
	f.Result = &with
	s := drawn(t, f)
	s.wants(t, with.Caveat)
	if len(s.texts) != len(plain.texts)+1 {
		t.Errorf("%d texts with a caveat, %d without", len(s.texts), len(plain.texts))
	}
}
