package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consilium/job"
)

var hospital = schemaOf(
	integer("age", "0", "120"),
	decimal("dose", "0.5", "-10", "10"),
	text("sex", "m", "f"),
	text("remark"),
)

func TestCastsByTheSchemaAlone(t *testing.T) {
	s := open(t, write(t, "h.csv", "\uFEFFremark,sex,unused,age,dose\r\n"+
		"\"x \"\"y\"\"\nz\",f,1,60,-0.5\r\n"+
		",\"m\",,1e2,+2.50\r\n"+
		" ,f,,\"\",  \r\n"), hospital, 5)
	got := stream(t, s, nil, "age", "dose", "sex")
	for name, want := range map[string][]int64{
		"age":  {60, 100, 0, 0, 0},
		"dose": {-1, 5, 0, 0, 0},
		"sex":  {0, 1, 0, 0, 0}, // f before m, whatever the order of the list
	} {
		if !slices.Equal(got.values[name], want) {
			t.Errorf("%s: %v, want %v", name, got.values[name], want)
		}
	}
	for name, want := range map[string][]bool{
		"age":  {true, true, false, false, false},
		"dose": {true, true, false, false, false},
		"sex":  {true, true, true, false, false},
	} {
		if !slices.Equal(got.valid[name], want) {
			t.Errorf("%s.valid: %v, want %v", name, got.valid[name], want)
		}
	}
	if want := []bool{true, true, true, false, false}; !slices.Equal(got.selected, want) {
		t.Errorf(".selected: %v, want %v", got.selected, want)
	}
}

// A file that holds only some of the declared values must not be typed by them.
func TestHospitalWithPartOfTheValues(t *testing.T) {
	schema := schemaOf(text("sex", "f", "m"), text("flag", "a", "f", "t"), integer("stage", "1", "4", "1", "2", "3", "4"), decimal("ratio", "0.01", "0", "1"))
	s := open(t, write(t, "h.csv", "sex,flag,stage,ratio\nf,t,3,\nf,f,3,\n"), schema, 2)
	got := stream(t, s, nil, "sex", "flag", "stage", "ratio")
	for name, want := range map[string][]int64{"sex": {0, 0}, "flag": {2, 1}, "stage": {3, 3}, "ratio": {0, 0}} {
		if !slices.Equal(got.values[name], want) {
			t.Errorf("%s: %v, want %v", name, got.values[name], want)
		}
	}
	if !slices.Equal(got.valid["ratio"], []bool{false, false}) {
		t.Errorf("the empty column is valid in %v", got.valid["ratio"])
	}
}

func TestDeclaredMissingTexts(t *testing.T) {
	schema := schemaOf(job.Column{Name: "age", Type: job.Integer, Min: "0", Max: "120", Missing: []string{"-9", "unknown"}}, integer("n", "0", "9"))
	s := open(t, write(t, "h.csv", "age,n\n-9,1\nunknown,1\n9,1\n"), schema, 3)
	if got := stream(t, s, nil, "age"); !slices.Equal(got.valid["age"], []bool{false, false, true}) {
		t.Errorf("valid: %v", got.valid["age"])
	}
}

func TestCellErrors(t *testing.T) {
	schema := schemaOf(integer("age", "0", "120"), decimal("dose", "0.1", "0", "1"), text("sex", "f", "m"), integer("stage", "1", "4", "1", "4"))
	const secret = "31337"
	for _, c := range []struct{ name, cells, column, problem string }{
		{"high", "121,,,", "age", "out of the declared range 0 to 120"},
		{"low", "-1,,,", "age", "out of the declared range 0 to 120"},
		{"huge", "1e40,,,", "age", "out of the declared range 0 to 120"},
		{"word", secret + "x,,,", "age", "not a number of at most 18 digits"},
		{"spaces", " 5,,,", "age", "not a number of at most 18 digits"},
		{"hex", "0x10,,,", "age", "not a number of at most 18 digits"},
		{"fraction", "1/2,,,", "age", "not a number of at most 18 digits"},
		{"infinity", "inf,,,", "age", "not a number of at most 18 digits"},
		{"half a year", "60.5,,,", "age", "not a whole number of steps of 1"},
		{"too fine", ",0.15,,", "dose", "not a whole number of steps of 0.1"},
		{"much too fine", ",0.1000000000000001,,", "dose", "not a whole number of steps of 0.1"},
		{"category", ",," + secret + ",", "sex", "not one of the 2 declared categories"},
		{"category by case", ",,F,", "sex", "not one of the 2 declared categories"},
		{"number out of list", ",,,2", "stage", "not one of the 2 declared categories"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, write(t, "hospital.csv", "age,dose,sex,stage\n1,0.1,f,1\n"+c.cells+"\n"), schema, 9)
			err := s.Check(t.Context())
			var cell *CellError
			if !errors.As(err, &cell) {
				t.Fatalf("error %v, want a CellError", err)
			}
			if want := (CellError{"hospital.csv", 2, c.column, c.problem}); *cell != want {
				t.Errorf("%+v, want %+v", *cell, want)
			}
			if want := "hospital.csv: row 2, column " + c.column + ": " + c.problem; err.Error() != want {
				t.Errorf("%q, want %q", err, want)
			}
			if _, err := s.Summaries(t.Context(), nil, nil); !errors.As(err, &cell) {
				t.Errorf("Summaries: %v, want a CellError", err)
			}
			if _, err := s.Rows(t.Context(), nil, nil); !errors.As(err, &cell) {
				t.Errorf("Rows: %v, want a CellError", err)
			}
		})
	}
}

func TestCellErrorsAreCounted(t *testing.T) {
	s := open(t, write(t, "h.csv", "age\n"+strings.Repeat("x\n1\n", 23)), schemaOf(integer("age", "0", "1")), 100)
	err := s.Check(t.Context())
	var cells *CellErrors
	if !errors.As(err, &cells) || len(cells.Cells) != maxCellErrors || cells.More != 3 {
		t.Fatalf("error %v, want 20 cells and 3 more", err)
	}
	if last := cells.Cells[19].Row; last != 39 {
		t.Errorf("the 20th is row %d, want 39", last)
	}
	if !strings.HasSuffix(err.Error(), "; … and 3 more") || strings.Contains(err.Error(), "\n") {
		t.Errorf("not one line that ends in a count: %q", err)
	}
}

func TestFilesThatDoNotFit(t *testing.T) {
	schema := schemaOf(integer("age", "0", "120"), text("sex", "f", "m"))
	long := strings.Repeat("a", maxRecord+8192)
	for _, c := range []struct{ name, file, content, want string }{
		{"empty", "h.csv", "", "h.csv: is empty"},
		{"blank lines", "h.csv", "\n\n", "h.csv: is empty"},
		{"kind", "h.xlsx", "age,sex\n", "h.xlsx: is of an unknown kind"},
		{"column", "h.csv", "age,gender\n1,f\n", "h.csv: has no column sex; it has age, gender"},
		{"case", "h.csv", "Age,sex\n", "h.csv: has no column age; it has Age, sex"},
		{"twice", "h.csv", "age,sex,sex\n", "h.csv: column sex comes twice"},
		{"no header", "h.csv", "31337,f\n", "h.csv: has none of the declared columns age, sex; its first line must hold the columns' names"},
		{"semicolons", "h.csv", "age;sex\n31337;f\n", "h.csv: has none of the declared columns; save it with commas"},
		{"bytes in header", "h.csv", "age,sex,\xff\n", "h.csv: header: is not UTF-8 text"},
		{"quote in header", "h.csv", "age,sex,\"x\n", "h.csv: header: a quote is out of place"},
		{"old line ends", "h.csv", "age,sex\r31337,f\r", "h.csv: lines end in a carriage return alone"},
		{"short row", "h.csv", "age,sex\n1,f\n31337\n", "h.csv: row 2: does not have 2 cells as the header has"},
		{"long row", "h.csv", "age,sex\n31337,f,\n", "h.csv: row 1: does not have 2 cells as the header has"},
		{"cut row", "h.csv", "age,sex\n1,f\n\n2,f\n3133", "h.csv: row 3: does not have 2 cells"},
		{"open quote", "h.csv", "age,sex\n1,f\n2,\"f\n31337,m\n", "h.csv: row 2: a quote is out of place"},
		{"bare quote", "h.csv", "age,sex\n31337,f\"m\n", "h.csv: row 1: a quote is out of place"},
		{"text after quote", "h.csv", "age,sex\n31337,\"f\"m\n", "h.csv: row 1: a quote is out of place"},
		{"bytes", "h.csv", "age,sex\n1,f\n31337,\xc3\x28\n", "h.csv: row 2: is not UTF-8 text"},
		{"bytes of UTF-16", "h.csv", "\xff\xfea\x00g\x00e\x00\n\x00", "h.csv: header: is not UTF-8 text"},
		{"endless cell", "h.csv", "age,sex\n1,\"" + long, "h.csv: row 1: is longer than 1048576 bytes"},
		{"endless header", "h.csv", long, "h.csv: header: is longer than 1048576 bytes"},
		{"too many rows", "h.csv", "age,sex\n1,f\n2,f\n3,f\n31337,f\n", "h.csv: has more than the 3 rows that the roster declares"},
		{"not gzip", "h.csv.gz", "age,sex\n1,f\n", "h.csv.gz: is not a gzip file"},
		{"cut gzip", "h.csv.gz", string(zip(t, "age,sex\n1,f\n")[:30]), "h.csv.gz: "},
		{"not parquet", "h.parquet", "PAR1 31337 PAR1", "h.parquet: cannot be read as Parquet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.file, c.content)
			err := openAndCheck(t.Context(), path, schema, 3)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want %q …", err, c.want)
			}
			if err != nil && (strings.ContainsAny(err.Error(), "\r\n") || strings.Contains(err.Error(), "3133")) {
				t.Errorf("more than a line, or a value of the file: %q", err)
			}
		})
	}
}

func openAndCheck(ctx context.Context, path string, schema *job.Schema, rows int) error {
	s, err := Open(ctx, path, schema, rows)
	if err != nil {
		return err
	}
	return errors.Join(s.Check(ctx), s.Close())
}

func TestNoSuchFile(t *testing.T) {
	schema := schemaOf(integer("age", "0", "120"))
	_, err := Open(t.Context(), filepath.Join(t.TempDir(), "gone.csv"), schema, 1)
	if err == nil || !strings.HasSuffix(err.Error(), "gone.csv: there is no such file") {
		t.Errorf("error %v", err)
	}
	_, err = Open(t.Context(), t.TempDir(), schema, 1)
	if err == nil || !strings.HasSuffix(err.Error(), "is not a regular file") {
		t.Errorf("error %v", err)
	}
}

func TestOpenRefusesTheCallersMistakes(t *testing.T) {
	path := write(t, "h.csv", "age\n1\n")
	if _, err := Open(t.Context(), path, schemaOf(integer("age", "0", "9")), 0); err == nil {
		t.Error("no rows declared: no error")
	}
	if _, err := Open(t.Context(), path, schemaOf(integer("age", "9", "0")), 1); err == nil {
		t.Error("a schema that does not check: no error")
	}
}

func zip(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGzip(t *testing.T) {
	s := open(t, write(t, "h.CSV.gz", string(zip(t, "age\n7\n8\n"))), schemaOf(integer("age", "0", "9")), 2)
	if got := stream(t, s, nil, "age"); !slices.Equal(got.values["age"], []int64{7, 8}) {
		t.Errorf("ages %v", got.values["age"])
	}
}

// A source answers from its snapshot whatever happens to the file afterwards.
func TestSnapshot(t *testing.T) {
	path := write(t, "h.csv", "age\n7\n")
	s := open(t, path, schemaOf(integer("age", "0", "9")), 1)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("age\n8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := stream(t, s, nil, "age"); got.values["age"][0] != 7 {
		t.Errorf("age %d, want that of the snapshot, 7", got.values["age"][0])
	}
}

func TestClosed(t *testing.T) {
	s, err := Open(t.Context(), write(t, "h.csv", "age\n7\n"), schemaOf(integer("age", "0", "9")), 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Rows(t.Context(), nil, columnVectors("age"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Check: %v", err)
	}
	if r.Next() || r.Err() == nil {
		t.Errorf("a reader goes on after Close: %v", r.Err())
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	s := open(t, write(t, "h.csv", "age\n"+strings.Repeat("7\n", 1000)), schemaOf(integer("age", "0", "9")), 1000)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Check(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("Check: %v", err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatalf("a cancelled call spoilt the next: %v", err)
	}
	if _, err := s.Summaries(gone, nil, []job.Summary{{Name: "n", Terms: []job.Term{{}}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Summaries: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Rows(ctx, nil, columnVectors("age"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	cancel()
	if r.Next() || !errors.Is(r.Err(), context.Canceled) {
		t.Errorf("Rows: %v", r.Err())
	}
}

func TestSourcesSideBySide(t *testing.T) {
	path := write(t, "h.csv", "age\n1\n2\n3\n")
	for _, name := range []string{"a", "b", "c", "d"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, path, schemaOf(integer("age", "0", "9")), 3)
			got, err := s.Summaries(t.Context(), nil, []job.Summary{{Name: "sum", Complete: []string{"age"}, Terms: []job.Term{{"age"}}}})
			if err != nil || got[0][0].Int64() != 6 {
				t.Errorf("sum %v, error %v", got, err)
			}
		})
	}
}
