package source

import (
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"go.uber.org/goleak"

	"consilium/job"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes a file in a directory of its own and returns its path.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens a file that fits and closes it at the test's end.
func open(t testing.TB, path string, schema *job.Schema, rows int) *Source {
	t.Helper()
	s, err := Open(t.Context(), path, schema, rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func schemaOf(columns ...job.Column) *job.Schema { return &job.Schema{Columns: columns} }

func integer(name, min, max string, categories ...string) job.Column {
	return job.Column{Name: name, Type: job.Integer, Min: min, Max: max, Categories: categories}
}

func decimal(name, step, min, max string) job.Column {
	return job.Column{Name: name, Type: job.Decimal, Step: step, Min: min, Max: max}
}

func text(name string, categories ...string) job.Column {
	return job.Column{Name: name, Type: job.Text, Categories: categories}
}

// streamed is what Rows streamed, put together.
type streamed struct {
	values   map[string][]int64
	valid    map[string][]bool
	selected []bool
	batches  int
}

func stream(t testing.TB, s *Source, where job.Predicate, columns ...string) streamed {
	t.Helper()
	r, err := s.Rows(t.Context(), where, columnVectors(columns...))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	return collect(t, r, columns)
}

// failer is a test, or a draw of one.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// collect reads a stream to its end and checks its form.
func collect(t failer, r array.RecordReader, columns []string) streamed {
	t.Helper()
	got := streamed{values: map[string][]int64{}, valid: map[string][]bool{}}
	if want := 2*len(columns) + 1; len(r.Schema().Fields()) != want {
		t.Fatalf("%d fields, want %d", len(r.Schema().Fields()), want)
	}
	for ; r.Next(); got.batches++ {
		record := r.Record()
		if record.NumRows() > pageRows {
			t.Errorf("a batch of %d rows, want at most %d", record.NumRows(), pageRows)
		}
		for i, name := range columns {
			if a, b := record.ColumnName(2*i), record.ColumnName(2*i+1); a != name || b != name+".valid" {
				t.Fatalf("fields %s, %s for column %s", a, b, name)
			}
			value, valid := record.Column(2*i).(*array.Int64), record.Column(2*i+1).(*array.Boolean)
			if value.NullN() != 0 || valid.NullN() != 0 {
				t.Errorf("column %s has nulls", name)
			}
			for row := range int(record.NumRows()) {
				got.values[name] = append(got.values[name], value.Value(row))
				got.valid[name] = append(got.valid[name], valid.Value(row))
			}
		}
		last := int(record.NumCols()) - 1
		if record.ColumnName(last) != ".selected" {
			t.Fatalf("last field %s, want .selected", record.ColumnName(last))
		}
		selected := record.Column(last).(*array.Boolean)
		for row := range int(record.NumRows()) {
			got.selected = append(got.selected, selected.Value(row))
		}
	}
	if r.Err() != nil {
		t.Fatalf("%v", r.Err())
	}
	return got
}

func ints(vector []*big.Int) []int64 {
	out := make([]int64, len(vector))
	for i, v := range vector {
		out[i] = v.Int64()
	}
	return out
}

// columnVectors are the vectors of columns by their names.
func columnVectors(names ...string) []job.Vector {
	var out []job.Vector
	for _, name := range names {
		out = append(out, job.Vector{Name: name, Column: name})
	}
	return out
}
