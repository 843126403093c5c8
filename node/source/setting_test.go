package source

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"consilium/job"
)

func TestSettingsThatAreRefused(t *testing.T) {
	server := Setting{Source: "postgres", Address: "db:5432", Table: "t"}
	for want, change := range map[string]func(*Setting){
		"is not known":             func(s *Setting) { s.Source = "oracle" },
		"has no path":              func(s *Setting) { s.Path = "x.csv" },
		"is not host:port":         func(s *Setting) { s.Address = "db" },
		"by a socket":              func(s *Setting) { s.Source, s.Address = "mysql", "/run/socket" },
		"write on or off":          func(s *Setting) { s.TLS = "maybe" },
		"not both":                 func(s *Setting) { s.PasswordEnv, s.PasswordFile = "A", "b" },
		"one of them":              func(s *Setting) { s.QueryFile = "q.sql" },
		"is not NAME":              func(s *Setting) { s.Table = "a..b" },
		"leave dialect out":        func(s *Setting) { s.Dialect = "ansi" },
		`dialect "x" is not known`: func(s *Setting) { s.Source, s.Dialect = "flightsql", "x" },
		"nothing else":             func(s *Setting) { *s = Setting{Path: "x.csv", User: "u"} },
		"has tables":               func(s *Setting) { *s = Setting{Source: "duckdb", Path: "x"} },
		"no file is given":         func(s *Setting) { *s = Setting{} },
	} {
		s := server
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want …%s…", s, err, want)
		}
	}
	if err := server.Check(); err != nil {
		t.Error(err)
	}
}

func TestJSONLines(t *testing.T) {
	path := write(t, "h.jsonl", `{"n": 1, "x": 0.5, "s": "f"}`+"\n\n"+`{"n": 2e0, "x": null}`+"\n"+`{"s": "m", "n": 3, "x": 1.0}`)
	s := open(t, path, schemaOf(integer("n", "0", "9"), decimal("x", "0.5", "0", "9"), text("s", "f", "m")), 3)
	got := stream(t, s, nil, "n", "x", "s")
	if !slices.Equal(got.values["n"], []int64{1, 2, 3}) || !slices.Equal(got.values["x"], []int64{1, 0, 2}) || !slices.Equal(got.valid["s"], []bool{true, false, true}) {
		t.Errorf("%+v", got)
	}
	for content, want := range map[string]string{
		`{"n": [31337]}`: "row 1: holds an array", `{"n": 1} 31337`: "row 1: is not one JSON object", "\n": "has no object", `[1]`: "row 1: is not one JSON object",
		`{"n": 1, "n": 31337}`: "row 1: holds a key twice", "{\"n\": 1}\n{\"n\": 31337": "row 2: is not one JSON object", "{\"n\":\"\xff\"}": "row 1: is not UTF-8", `{"n": 31337}`: "row 1, column n: out of the declared range",
	} {
		err := openAndCheck(t.Context(), write(t, "h.ndjson", content), schemaOf(integer("n", "0", "9")), 3)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "31337") {
			t.Errorf("%q: error %v, want …%s…", content, err, want)
		}
	}
}

func TestArrowFile(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "d", Type: &arrow.Decimal128Type{Precision: 38, Scale: 3}},
		{Name: "f", Type: arrow.PrimitiveTypes.Float64},
		{Name: "s", Type: arrow.BinaryTypes.String},
	}, nil)
	path := filepath.Join(t.TempDir(), "h.arrow")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := ipc.NewFileWriter(file, ipc.WithSchema(schema))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		b.Field(0).(*array.Int32Builder).AppendValues([]int32{7, 0}, []bool{true, false})
		b.Field(1).(*array.Decimal128Builder).AppendValues([]decimal128.Num{decimal128.FromI64(12345678901234500), decimal128.FromI64(-500)}, nil)
		b.Field(2).(*array.Float64Builder).AppendValues([]float64{0.1, 1e6}, nil)
		b.Field(3).(*array.StringBuilder).AppendValues([]string{"x", ""}, nil)
		record := b.NewRecord()
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
		record.Release()
		b.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	columns := schemaOf(integer("n", "0", "9"), decimal("d", "0.5", "-1", "100000000000000"), decimal("f", "0.1", "0", "1000000"), text("s", "x"))
	got := stream(t, open(t, path, columns, 4), nil, "n", "d", "f", "s")
	if !slices.Equal(got.values["d"], []int64{24691357802469, -1, 24691357802469, -1}) || !slices.Equal(got.values["f"], []int64{1, 10000000, 1, 10000000}) || !slices.Equal(got.valid["n"], []bool{true, false, true, false}) {
		t.Errorf("%+v", got)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{8, len(content) / 2, len(content) - 1} {
		err := openAndCheck(t.Context(), write(t, "h.arrow", string(content[:cut])), columns, 4)
		if err == nil || !strings.Contains(err.Error(), "cannot be read as an Arrow IPC file") {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

// A query over several files is a source, for what makes such queries.
func TestQueryOverFiles(t *testing.T) {
	person := writeParquet(t, "SELECT range AS id, 20 + range AS age FROM range(5)")
	visits := write(t, "visits.ndjson", `{"person": 1, "bp": 120}`+"\n"+`{"person": 3, "bp": 140}`+"\n")
	setting := Setting{
		Source: "duckdb", Tables: map[string]string{"person": person, "visits": visits},
		Query:   `SELECT p.id, p.age, CAST(v.json->>'bp' AS INTEGER) AS bp FROM person p LEFT JOIN visits v ON CAST(v.json->>'person' AS BIGINT) = p.id`,
		OrderBy: []string{"id"},
	}
	if err := setting.Check(); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSetting(t.Context(), setting, schemaOf(integer("age", "0", "99"), integer("bp", "0", "300")), 5)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := stream(t, s, nil, "age", "bp")
	if !slices.Equal(got.values["age"], []int64{20, 21, 22, 23, 24}) || !slices.Equal(got.values["bp"], []int64{0, 120, 0, 140, 0}) {
		t.Errorf("%+v", got)
	}
	if sums := summaries(t, s, job.Compare{Column: "age", Op: job.Gt, Value: 20}, job.Summary{Name: "s", Complete: []string{"bp"}, Terms: []job.Term{{}, {"bp"}}}); sums[0][1].Int64() != 260 {
		t.Errorf("%v", sums)
	}
}

func FuzzJSONLine(f *testing.F) {
	f.Add([]byte(`{"a": 1, "b": "x", "c": null, "d": true}`))
	f.Add([]byte(`{"a": {"b": 1}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if keys, values, problem := parseObject(line); problem == "" && len(keys) != len(values) {
			t.Errorf("%d keys, %d values", len(keys), len(values))
		}
	})
}
