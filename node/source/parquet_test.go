package source

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consilium/job"
)

// writeParquet makes a file of what a query selects.
func writeParquet(t testing.TB, query string) string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(t.TempDir(), "h.parquet")
	if _, err := db.ExecContext(context.Background(), "COPY ("+query+") TO '"+path+"' (FORMAT parquet, ROW_GROUP_SIZE 2048)"); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParquet(t *testing.T) {
	path := writeParquet(t, `SELECT * FROM (VALUES
		(1, {'p': 1, 'q': {'r': 2}}, 60::SMALLINT, 0.1::DOUBLE, 12.50::DECIMAL(9,2), 5.0::DOUBLE, 'f', true, 100000::DOUBLE),
		(2, NULL, NULL, 70.072553045859, NULL, NULL, '', NULL, NULL),
		(3, NULL, 61, 1e-7, -0.25, 7, 'm', false, 1e5)) v(id, nested, age, "dose ""x""", "select", whole, sex, flag, big)`)
	schema := schemaOf(
		integer("age", "0", "120"), decimal("select", "0.05", "-100", "100"), integer("whole", "0", "9"),
		text("sex", "f", "m"), text("flag", "false", "true"), integer("big", "0", "100000"), integer("id", "1", "3"))
	s := open(t, path, schema, 4)
	got := stream(t, s, job.Compare{Column: "id", Op: job.Ge, Value: 1}, "age", "select", "whole", "sex", "flag", "big")
	for name, want := range map[string][]int64{
		"age": {60, 0, 61, 0}, "select": {250, 0, -5, 0}, "whole": {5, 0, 7, 0}, "sex": {0, 0, 1, 0}, "flag": {1, 0, 0, 0}, "big": {100000, 0, 100000, 0},
	} {
		if !slices.Equal(got.values[name], want) {
			t.Errorf("%s: %v, want %v", name, got.values[name], want)
		}
		if valid := []bool{true, false, true, false}; !slices.Equal(got.valid[name], valid) {
			t.Errorf("%s.valid: %v, want %v", name, got.valid[name], valid)
		}
	}
	if _, err := Open(t.Context(), path, schemaOf(integer("r", "0", "9"), integer("age", "0", "9")), 4); err == nil || !strings.Contains(err.Error(), "has no column r") {
		t.Errorf("a nested field is taken for a column: %v", err)
	}
}

func TestParquetDoublesAreExact(t *testing.T) {
	s := open(t, writeParquet(t, "SELECT * FROM (VALUES (70.072553045859::DOUBLE), (1e-7), (0.3)) v(x)"), schemaOf(decimal("x", "1e-13", "0", "100")), 3)
	if got := stream(t, s, nil, "x").values["x"]; !slices.Equal(got, []int64{700725530458590, 1000000, 3000000000000}) {
		t.Errorf("%v", got)
	}
	s = open(t, writeParquet(t, "SELECT 0.1::DOUBLE + 0.2::DOUBLE AS x"), schemaOf(decimal("x", "0.1", "0", "1")), 3)
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "not a whole number of steps of 0.1") {
		t.Errorf("0.30000000000000004 passes for 0.3: %v", err)
	}
}

func TestParquetOverManyPages(t *testing.T) {
	const rows = 2*pageRows + 5
	path := writeParquet(t, "SELECT range AS n, NULL::INTEGER AS nothing FROM range(2 * 16384 + 5)")
	s := open(t, path, schemaOf(integer("n", "0", "100000"), integer("nothing", "0", "1")), rows)
	got := stream(t, s, nil, "n")
	for i, v := range got.values["n"] {
		if v != int64(i) {
			t.Fatalf("row %d holds %d", i, v)
		}
	}
	short := open(t, path, s.schema, rows-1)
	if err := short.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "more than the 32772 rows") {
		t.Errorf("one row too many: %v", err)
	}
	bad := open(t, path, schemaOf(integer("n", "0", "32771"), integer("nothing", "0", "1")), rows)
	if err := bad.Check(t.Context()); err == nil || err.Error() != "h.parquet: row 32773, column n: out of the declared range 0 to 32771" {
		t.Errorf("error %v", err)
	}
}

func TestParquetPathThatIsAPattern(t *testing.T) {
	_, err := Open(t.Context(), write(t, "h*.parquet", "PAR1"), schemaOf(integer("x", "0", "1")), 1)
	if err == nil || !strings.Contains(err.Error(), "pattern") {
		t.Errorf("error %v", err)
	}
}

// The database of a file reaches that file and nothing else, and stays so.
func TestHardenedDatabase(t *testing.T) {
	own := writeParquet(t, "SELECT 1 AS it")
	other := write(t, "other's.csv", "a\n31337\n")
	for name, path := range map[string]string{"with a file": own, "without": "", "with a quote": other} {
		t.Run(name, func(t *testing.T) {
			db, err := openDatabase(t.Context(), baseMemory, slices.DeleteFunc([]string{path}, func(s string) bool { return s == "" })...)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var n int
			err = db.QueryRowContext(t.Context(), "SELECT it FROM read_parquet($1)", own).Scan(&n)
			if allowed := path == own; allowed != (err == nil) {
				t.Errorf("its own file: %v", err)
			}
			err = db.QueryRowContext(t.Context(), "SELECT a FROM read_csv($1)", other).Scan(&n)
			if allowed := path == other; allowed != (err == nil) {
				t.Errorf("another file: %v", err)
			}
			for _, q := range []string{
				"SELECT * FROM read_text('/etc/hostname')",
				"SELECT * FROM glob('/etc/*')",
				"COPY (SELECT 1) TO '" + filepath.Join(t.TempDir(), "out.csv") + "'",
				"ATTACH '" + filepath.Join(t.TempDir(), "new.db") + "' AS new",
				"SET enable_external_access = true",
				"SET lock_configuration = false",
				"SET memory_limit = '64GB'",
				"RESET allowed_paths",
				"INSTALL httpfs",
				"LOAD httpfs",
			} {
				if _, err := db.ExecContext(t.Context(), q); err == nil {
					t.Errorf("%s succeeds", q)
				}
			}
		})
	}
}
