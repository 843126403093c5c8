package source

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
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
	if len(report.Notes) != 1 || !strings.HasPrefix(report.Notes[0], "column void: blank in every file") {
		t.Errorf("notes %q", report.Notes)
	}
	// The files fit what was inferred from them.
	for _, f := range report.Files {
		if err := openAndCheck(t.Context(), f.Path, schema, f.Rows); err != nil {
			t.Error(err)
		}
	}
}

func TestInferLimits(t *testing.T) {
	list := func(n int, format string) string {
		var b strings.Builder
		b.WriteString("x\n")
		for i := range n {
			fmt.Fprintf(&b, format+"\n", i)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		content string
		want    job.Column
		noted   bool
	}{
		"64 texts":     {list(64, "t%02d"), text("x", strings.Fields(strings.ReplaceAll(list(64, "t%02d"), "\n", " "))[1:]...), false},
		"65 texts":     {list(65, "t%02d"), text("x"), false},
		"32 integers":  {list(32, "%d"), integer("x", "0", "31", strings.Fields(list(32, "%d"))[1:]...), false},
		"33 integers":  {list(33, "%d"), integer("x", "0", "32"), false},
		"zero forms":   {"x\n0\n-0\n0.0\n0e5\n", integer("x", "0", "0", "0"), false},
		"one word":     {"x\n1\n2\nNA\n", text("x", "1", "2", "NA"), false},
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
