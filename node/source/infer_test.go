package source

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consilium/job"
)

func TestInfer(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "hospital-1.csv"), filepath.Join(dir, "hospital-2.csv")
	var first, second strings.Builder
	first.WriteString("id,sex,age,dose,big,void,note,flag\n")
	second.WriteString("flag,note,void,big,dose,age,sex,id\n") // in another order
	for i := range 40 {
		fmt.Fprintf(&first, "%d,f,%d,0.%d,1e%d,,note %d,t\n", i, 60-i%3, i%10, i%6, i)
		fmt.Fprintf(&second, "f,note -%d,,-7,,,%s,%d\n", i, []string{"m", "", " "}[i%3], i)
	}
	second.WriteString("t,,,-1.50e1,12.250,,f,99\n")
	for path, content := range map[string]string{one: first.String(), two: second.String()} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	schema, report, err := Infer(t.Context(), []string{one, two})
	if err != nil {
		t.Fatal(err)
	}
	want := schemaOf(
		integer("id", "0", "99"),
		text("sex", "f", "m"),
		integer("age", "58", "60", "58", "59", "60"),
		decimal("dose", "0.01", "0", "12.25"),
		integer("big", "-15", "100000", "-15", "-7", "1", "10", "100", "1000", "10000", "100000"),
		integer("void", "0", "0"),
		text("note"),
		text("flag", "f", "t"),
	)
	for i, c := range want.Columns {
		if !reflect.DeepEqual(schema.Columns[i], c) {
			t.Errorf("%+v, want %+v", schema.Columns[i], c)
		}
	}
	if want := []FileReport{{one, 40}, {two, 41}}; !reflect.DeepEqual(report.Files, want) {
		t.Errorf("files %v, want %v", report.Files, want)
	}
	if want := []string{
		"column id: looks like an identifier; leave it out of the schema unless an analysis needs it",
		"column void: blank in every file; declare its type and range before it is used",
		"column note: looks like an identifier; leave it out of the schema unless an analysis needs it",
	}; !slices.Equal(report.Notes, want) {
		t.Errorf("notes %q, want %q", report.Notes, want)
	}
	// The files fit what was inferred from them.
	for _, f := range report.Files {
		if err := openAndCheck(t.Context(), f.Path, schema, f.Rows); err != nil {
			t.Error(err)
		}
	}
}

func TestInferLimits(t *testing.T) {
	list := func(n int, format string) string { // each value twice: no identifiers
		var b strings.Builder
		b.WriteString("x\n")
		for i := range n {
			fmt.Fprintf(&b, format+"\n"+format+"\n", i, i)
		}
		return b.String()
	}
	levels := func(content string) []string {
		return slices.Compact(strings.Fields(content)[1:])
	}
	for name, c := range map[string]struct {
		content string
		want    job.Column
		noted   bool
	}{
		"64 texts":     {list(64, "t%02d"), text("x", levels(list(64, "t%02d"))...), false},
		"65 texts":     {list(65, "t%02d"), text("x"), false},
		"32 integers":  {list(32, "%d"), integer("x", "0", "31", levels(list(32, "%d"))...), false},
		"33 integers":  {list(33, "%d"), integer("x", "0", "32"), false},
		"zero forms":   {"x\n0\n-0\n0.0\n0e5\n", integer("x", "0", "0", "0"), false},
		"one word":     {"x\n1\n2\nsome\n", text("x", "1", "2", "some"), false},
		"19 digits":    {"x\n1234567890123456789\n", text("x", "1234567890123456789"), false},
		"too fine":     {"x\n1e-30\n1000\n", text("x", "1000", "1e-30"), true},
		"unprintable":  {"x\n\"a\nb\"\nc\n", text("x"), false},
		"pbc's age":    {"x\n70.072553045859\n54.7405886379192\n", decimal("x", "0.0000000000001", "54.7405886379192", "70.072553045859"), false},
		"no rows":      {"x\n", integer("x", "0", "0"), true},
		"truth values": {"x\nt\nt\n", text("x", "t"), false},
	} {
		t.Run(name, func(t *testing.T) {
			schema, report, err := Infer(t.Context(), []string{write(t, "h.csv", c.content)})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(schema.Columns, []job.Column{c.want}) {
				t.Errorf("%+v, want %+v", schema.Columns, c.want)
			}
			if noted := len(report.Notes) > 0; noted != c.noted {
				t.Errorf("notes %q", report.Notes)
			}
		})
	}
}

func TestInferRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"nothing":      {nil, "no file is given"},
		"other column": {[]string{"a,b\n", "a,c\n"}, `h1.csv: has no column "b", which h0.csv has`},
		"more columns": {[]string{"a,b\n", "a,b,c\n"}, "h1.csv: has 3 columns where h0.csv has 2"},
		"twice":        {[]string{"a,a\n"}, `h0.csv: column "a" comes twice`},
		"no name":      {[]string{"a,\n"}, "h0.csv: column"},
		"semicolons":   {[]string{"a;b\n1,5;2\n"}, "h0.csv: its header is one name with a semicolon, tab or bar in it; save it with commas"},
		"tabs":         {[]string{"a,b\n", "a\tb\n1\t2\n"}, "h1.csv: its header is one name with a semicolon, tab or bar"},
		"ragged":       {[]string{"a,b\n1\n"}, "h0.csv: row 1: does not have 2 cells"},
	} {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for i, content := range c.files {
				paths = append(paths, write(t, fmt.Sprintf("h%d.csv", i), content))
			}
			_, _, err := Infer(t.Context(), paths)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want %s …", err, c.want)
			}
		})
	}
}

func TestInferParquet(t *testing.T) {
	schema, report, err := Infer(t.Context(), []string{writeParquet(t, "SELECT * FROM (VALUES (1::BIGINT, 2.50::DECIMAL(9,3), 'f', 3::DOUBLE), (NULL, 7, 'm', 4)) v(n, d, s, w)")})
	if err != nil {
		t.Fatal(err)
	}
	want := schemaOf(integer("n", "1", "1", "1"), decimal("d", "0.1", "2.5", "7"), text("s", "f", "m"), integer("w", "3", "4", "3", "4"))
	if !reflect.DeepEqual(schema, want) {
		t.Errorf("%+v, want %+v", schema, want)
	}
	if report.Files[0].Rows != 2 {
		t.Errorf("%d rows, want 2", report.Files[0].Rows)
	}
}

// Programs write that there is no value in many ways.
func TestInferAbsentValues(t *testing.T) {
	missing := func(c job.Column, texts ...string) job.Column {
		c.Missing = texts
		return c
	}
	const numeric, among = "proposed as missing, as all other values are numbers", "among other texts; move it to missing if it means that"
	for name, c := range map[string]struct {
		content string
		want    job.Column
		note    string
	}{
		"R":            {"x\n1\nNA\n2\nNA\n", missing(integer("x", "1", "2", "1", "2"), "NA"), "column x: NA " + numeric},
		"SAS":          {"x\n.\n1.5\n", missing(decimal("x", "0.1", "1.5", "1.5"), "."), "column x: . " + numeric},
		"several":      {"x\nnull\n1\nNaN\nN/A\nnan\n", missing(integer("x", "1", "1", "1"), "N/A", "NaN", "nan", "null"), "column x: N/A, NaN, nan, null " + numeric},
		"a word too":   {"x\n1\nNA\nmany\n", text("x", "1", "NA", "many"), "column x: holds NA " + among},
		"texts":        {"x\nf\nm\nNA\nf\n", text("x", "NA", "f", "m"), "column x: holds NA " + among},
		"nothing else": {"x\nNA\n\n", missing(integer("x", "0", "0"), "NA"), "column x: blank in every file but for NA; declare its type and range before it is used"},
		"too fine":     {"x\n1e-30\nNA\n1000\n", missing(text("x", "1000", "1e-30"), "NA"), "column x: NA " + numeric},
		"a part":       {"x\nNAN1\n.5.\n", text("x", ".5.", "NAN1"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "h.csv", c.content)
			schema, report, err := Infer(t.Context(), []string{path})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(schema.Columns, []job.Column{c.want}) {
				t.Errorf("%+v, want %+v", schema.Columns, c.want)
			}
			if first := slices.Concat(report.Notes, []string{""})[0]; first != c.note {
				t.Errorf("notes %q, want %q", report.Notes, c.note)
			}
			if err := openAndCheck(t.Context(), path, schema, 9); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestInferIdentifiers(t *testing.T) {
	const note = "column patient: looks like an identifier; leave it out of the schema unless an analysis needs it"
	count := func(format string, from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, format+",1\n", i)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		files [2]string
		noted bool
	}{
		"numbers":            {[2]string{count("%d", 0, 40), count("%d", 40, 80)}, true},
		"anew in each file":  {[2]string{count("%d", 0, 40), count("%d", 0, 40)}, true},
		"texts":              {[2]string{count("P-%d", 0, 40), count("Q-%d", 0, 3)}, true},
		"some missing":       {[2]string{count("%d", 0, 40) + "NA,1\n,1\nNA,1\n,1\n", ""}, true},
		"a repetition":       {[2]string{count("%d", 0, 40) + "7,1\n", ""}, false},
		"repeated long ago":  {[2]string{count("%d", 0, maxCached+9) + "7,1\n", ""}, false},
		"repeated in second": {[2]string{count("%d", 0, 40), "50,1\n50,1\n"}, false},
		"measurements":       {[2]string{count("%d.5", 0, 40), ""}, false},
		"too few":            {[2]string{count("%d", 0, minIdentifiers-1), ""}, false},
		"just enough":        {[2]string{count("%d", 0, 5), count("%d", 5, minIdentifiers)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for i, content := range c.files {
				paths = append(paths, write(t, fmt.Sprintf("h%d.csv", i), "patient,one\n"+content))
			}
			schema, report, err := Infer(t.Context(), paths)
			if err != nil {
				t.Fatal(err)
			}
			if noted := slices.Contains(report.Notes, note); noted != c.noted {
				t.Errorf("notes %q", report.Notes)
			}
			if _, ok := schema.Column("patient"); !ok {
				t.Error("the column is gone from the proposal")
			}
		})
	}
}

// Infer counts the rows that a node will count.
func TestInferOneColumn(t *testing.T) {
	path := write(t, "h.csv", "v\n1\n-9\n\n3\n\n")
	schema, report, err := Infer(t.Context(), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	if report.Files[0].Rows != 5 {
		t.Errorf("%d rows, want 5", report.Files[0].Rows)
	}
	if err := openAndCheck(t.Context(), path, schema, report.Files[0].Rows); err != nil {
		t.Error(err)
	}
}
