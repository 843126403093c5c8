package source

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/cmd/consilium/localserver"
	"consilium/job"
)

// served is a server with the tables that the tests of every engine ask.
type served struct {
	setting Setting // without a table
	world   string  // the table of a world's rows, as typed columns
	odd     string  // that of oddities
	exec    func(t *testing.T, statements ...string)
	types   map[string]string
	after   string // behind a table's columns
	wide    bool   // products of more than 62 bits can be summed

	password string
	shards   []func(t *testing.T, statements ...string) // what runs SQL on servers behind this one
}

// columnTypes are standard SQL's.
var columnTypes = map[string]string{
	"small": "SMALLINT", "int": "INTEGER", "big": "BIGINT", "decimal": "DECIMAL(6,2)", "double": "DOUBLE PRECISION", "text": "VARCHAR(20)",
}

// oddities are cells that engines treat in ways of their own.
var oddities = [][]string{ // of columns n, x, y, f, t, r
	{"1", "99999999999999999", "-99999999999999999", "0.1", "A", " "},
	{"2", "99999999999999998", "99999999999999999", "0.3", "a", "x"},
	{"3", "-99999999999999999", "99999999999999999", "-12.7", "it's", ""},
	{"4", "-1", "1", "", `back\slash`, ""},
	{"5", "", "3", "4.1", "a ", "NA"},
	{"6", "0", "0", "0", "", "\t"},
	{"7", "12345678901234567", "1", "7", "é", "y"},
}

func oddSchema() *job.Schema {
	remark := text("r")
	remark.Missing = []string{"NA"}
	return schemaOf(
		integer("n", "0", "9"), integer("x", "-99999999999999999", "99999999999999999"), integer("y", "-99999999999999999", "99999999999999999"),
		decimal("f", "0.1", "-20", "20"), text("t", "A", "a", "a ", "it's", `back\slash`, "é"), remark)
}

func worldSchema() *job.Schema {
	return schemaOf(integer("a", "-3", "3"), decimal("b", "0.5", "-1", "1"), text("c", "x", "y", "z"))
}

// fill creates a table and inserts rows of texts, "" being null.
func (s *served) fill(t *testing.T, d *dialect, table string, columns, types []string, rows [][]string) {
	t.Helper()
	definitions := make([]string, len(columns))
	for i, c := range columns {
		definitions[i] = c + " " + s.types[types[i]]
	}
	s.exec(t, "CREATE TABLE "+table+" ("+strings.Join(definitions, ", ")+")"+s.after)
	s.insert(t, d, table, types, rows)
}

func (s *served) insert(t *testing.T, d *dialect, table string, types []string, rows [][]string) {
	t.Helper()
	var values []string
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			switch {
			case cell == "":
				cells[i] = "NULL"
			case types[i] == "text":
				cells[i] = d.literal(cell)
			default:
				cells[i] = cell
			}
		}
		values = append(values, "("+strings.Join(cells, ", ")+")")
	}
	s.exec(t, "INSERT INTO "+table+" VALUES "+strings.Join(values, ", "))
}

// fillAll makes both tables.
func (s *served) fillAll(t *testing.T, d *dialect, w *world) {
	t.Helper()
	s.fill(t, d, s.world, []string{"a", "b", "c"}, []string{"small", "decimal", "text"}, w.cells())
	s.fill(t, d, s.odd, []string{"n", "x", "y", "f", "t", "r"}, []string{"int", "big", "big", "double", "text", "text"}, oddities)
}

// cells are the world's rows with numbers as every engine writes them.
func (w *world) cells() [][]string {
	plain := map[string]string{"-1.0": "-1", "1e0": "1", "+2": "2", "-.5": "-0.5", "5e-1": "0.5"}
	var rows [][]string
	for _, texts := range w.texts {
		row := slices.Clone(texts[:])
		for i, cell := range row {
			if better, ok := plain[cell]; ok {
				row[i] = better
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *served) open(t *testing.T, table string, schema *job.Schema, rows int) *Source {
	t.Helper()
	setting := s.setting
	setting.Table = table
	if err := setting.Check(); err != nil {
		t.Fatal(err)
	}
	source, err := OpenSetting(t.Context(), setting, schema, rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	return source
}

// answers asks a server all that the tests of every engine ask.
func (s *served) answers(t *testing.T, w *world) {
	t.Run("sums", func(t *testing.T) {
		source := s.open(t, s.world, worldSchema(), len(w.rows)+1)
		asked := 0
		rapid.Check(t, func(t *rapid.T) {
			// Enough of a server's time; with CONSILIUM_SOAK as often as elsewhere.
			if asked++; asked > 30 && os.Getenv("CONSILIUM_SOAK") == "" {
				return
			}
			var where job.Predicate
			if rapid.Bool().Draw(t, "filtered") {
				where = drawPredicate(t, 2)
			}
			sums := rapid.SliceOfN(rapid.Custom(drawSummary), 1, 4).Draw(t, "summaries")
			got, err := source.Summaries(t.Context(), where, sums)
			if err != nil {
				t.Fatal(err)
			}
			for i := range sums {
				if want := w.sum(where, sums[i]); !slices.Equal(ints(got[i]), want) {
					t.Errorf("%+v where %#v: %v, want %v", sums[i], where, got[i], want)
				}
			}
		})
	})
	t.Run("rows", func(t *testing.T) {
		source := s.open(t, s.world, worldSchema(), len(w.rows)+2)
		where := job.Or{L: job.Compare{Column: "a", Op: job.Gt, Value: 0}, R: job.IsNull{Column: "b"}}
		got := stream(t, source, where, "a", "c")
		var lines, want []string
		for i := range got.selected {
			lines = append(lines, fmt.Sprint(got.selected[i], got.values["a"][i], got.valid["a"][i], got.values["c"][i], got.valid["c"][i]))
		}
		for _, row := range append(slices.Clone(w.rows), nil, nil) {
			selected := row != nil && selects(where, row)
			a, hasA := row["a"]
			c, hasC := row["c"]
			if !selected {
				a, c, hasA, hasC = 0, 0, false, false
			}
			want = append(want, fmt.Sprint(selected, a, hasA, c, hasC))
		}
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			t.Errorf("rows %v, want %v", lines, want)
		}
	})
	t.Run("oddities", func(t *testing.T) { s.oddities(t) })
	t.Run("errors", func(t *testing.T) { s.errors(t, w) })
}

func (s *served) oddities(t *testing.T) {
	content := "n,x,y,f,t,r\n"
	for _, row := range oddities {
		for i, cell := range row {
			content += [...]string{"", ","}[min(i, 1)] + `"` + cell + `"`
		}
		content += "\n"
	}
	plain := open(t, write(t, "odd.csv", content), oddSchema(), 10)
	source := s.open(t, s.odd, oddSchema(), 10)
	sums := []job.Summary{
		{Name: "f", Complete: []string{"f"}, Terms: []job.Term{{}, {"f"}, {"f", "f"}}},
		{Name: "x", Complete: []string{"x"}, Terms: []job.Term{{"x"}}},
		{Name: "y", Complete: []string{"y", "x"}, Terms: []job.Term{{"y"}}},
		{Name: "t", Complete: []string{"t", "n"}, Terms: []job.Term{{}, {"t", "n"}}, Groups: []job.Grouping{{Column: "t", Levels: []int64{0, 1, 2, 3, 4, 5}}}},
		{Name: "r", Complete: []string{"r"}, Terms: []job.Term{{}}},
	}
	if s.wide {
		sums = append(sums, job.Summary{Name: "xx", Complete: []string{"x", "y", "n"}, Terms: []job.Term{{"x", "x"}, {"x", "y"}, {"y", "y"}, {"x", "y", "n"}, {"n", "n", "n", "x"}}})
	}
	want := summaries(t, plain, nil, sums...)
	for i, got := range summaries(t, source, nil, sums...) {
		if !slices.EqualFunc(got, want[i], func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
			t.Errorf("%s: %v, want %v", sums[i].Name, got, want[i])
		}
	}
}

// errors asks for what is not there, or not so.
func (s *served) errors(t *testing.T, w *world) {
	const secret = "31337"
	fails := func(name string, setting Setting, schema *job.Schema, rows int, want string) {
		t.Helper()
		source, err := OpenSetting(t.Context(), setting, schema, rows)
		if err == nil {
			err = source.Check(t.Context())
			source.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\r\n") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want …%s…", name, err, want)
		}
	}
	setting := s.setting
	setting.Table = "absent"
	fails("table", setting, worldSchema(), 1000, "table absent: ")
	setting.Table = s.world
	fails("column", setting, schemaOf(integer("a", "0", "9"), integer("zz", "0", "9")), 1000, "has no column zz")
	fails("type", setting, schemaOf(integer("a", "-9", "9"), integer("c", "0", "9")), 1000, "column c: is of type ")
	fails("range", setting, schemaOf(integer("a", "-3", "2")), len(w.rows), "table "+s.world+": column a: out of the declared range -3 to 2")
	fails("step", setting, schemaOf(decimal("b", "1", "-1", "1")), len(w.rows), "column b: not a whole number of steps of 1")
	fails("category", setting, schemaOf(text("c", "x", "y")), len(w.rows), "column c: not one of the 2 declared categories")
	fails("rows", setting, worldSchema(), 5, "more than the 5 rows")
	numbered := s.setting
	numbered.Table, numbered.OrderBy = s.odd, []string{"n"}
	place := "row 6, column n: out of the declared range 0 to 5"
	if numbered.SQL() == "clickhouse" { // whose old versions do not number rows
		place = "table " + s.odd + ": column n: out of the declared range 0 to 5"
	}
	fails("row", numbered, schemaOf(integer("n", "0", "5")), len(oddities), place)
	setting.Address = "127.0.0.1:1"
	fails("address", setting, worldSchema(), 1000, "127.0.0.1:1 cannot be reached")
	setting.Address = s.setting.Address
	setting.TLS = "on"
	fails("TLS", setting, worldSchema(), 1000, "does not speak TLS; have it set up there")
	setting.TLS = ""
	if s.setting.PasswordFile == "" {
		setting.User = "nobody"
		fails("user", setting, worldSchema(), 1000, "the server refuses the user or the password")
	} else {
		setting.PasswordFile = filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(setting.PasswordFile, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		fails("password", setting, worldSchema(), 1000, "the server refuses the user or the password")
		if err := os.Chmod(setting.PasswordFile, 0o644); err != nil {
			t.Fatal(err)
		}
		fails("readable password", setting, worldSchema(), 1000, "may be read by others")
	}
}

// at is the setting of a server of this machine.
func at(t *testing.T, source string, s *localserver.Server) Setting {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(s.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Setting{Source: source, Address: s.Address, User: s.User, Database: s.Database, PasswordFile: path}
}

func execOn(s *localserver.Server) func(t *testing.T, statements ...string) {
	return func(t *testing.T, statements ...string) {
		t.Helper()
		for _, sql := range statements {
			if _, err := s.Run(t.Context(), sql+";"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func stopAtEnd(t *testing.T, s *localserver.Server) {
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func startPostgres(t *testing.T) *localserver.Server {
	t.Helper()
	s, err := localserver.Postgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, s)
	return s
}

func TestPostgres(t *testing.T) {
	w := newWorld(t)
	one := startPostgres(t)
	s := &served{setting: at(t, "postgres", one), world: "world", odd: "public.odd", exec: execOn(one), types: columnTypes, wide: true, password: one.Password}
	s.fillAll(t, postgresSQL, &w)
	s.answers(t, &w)
	t.Run("types", func(t *testing.T) { postgresTypes(t, s) })
	startShards(t, s)
	t.Run("sharded", func(t *testing.T) { postgresShards(t, s, &w) })
	t.Run("collations", func(t *testing.T) { postgresCollations(t, s) })
	t.Run("not by parts", func(t *testing.T) { postgresWhole(t, s) })
}

// postgresTypes checks what only this engine's types do, and that a job sees one
// state of a table.
func postgresTypes(t *testing.T, s *served) {
	s.exec(t, "CREATE TABLE types (n NUMERIC, r REAL, f FLOAT8, b BOOLEAN, c CHAR(3), d DATE, \"Name\" TEXT)",
		"INSERT INTO types VALUES (1.50, 0.1, 'NaN', true, 'x', '2020-01-01', 'u'), (NULL, 1e-1, 2, false, 'xyz', NULL, 'v'), (-1, 7, 3, NULL, NULL, NULL, NULL)")
	missing := integer("f", "0", "9")
	missing.Missing = []string{"nan"}
	schema := schemaOf(decimal("n", "0.5", "-1", "2"), decimal("r", "0.1", "0", "9"), missing, text("b", "false", "true"), text("c", "x", "xyz"), text("name", "u", "v"))
	source := s.open(t, "types", schema, 3)
	got := summaries(t, source, nil,
		job.Summary{Name: "n", Complete: []string{"n"}, Terms: []job.Term{{}, {"n"}}},
		job.Summary{Name: "r", Complete: []string{"r"}, Terms: []job.Term{{}, {"r"}}},
		job.Summary{Name: "f", Complete: []string{"f"}, Terms: []job.Term{{}, {"f"}}},
		job.Summary{Name: "b", Complete: []string{"b"}, Terms: []job.Term{{}, {"b"}}},
		job.Summary{Name: "c", Complete: []string{"c"}, Terms: []job.Term{{}, {"c"}}},
		job.Summary{Name: "name", Complete: []string{"name"}, Terms: []job.Term{{}, {"name"}}})
	if fmt.Sprint(got) != "[[2 1] [3 72] [2 5] [2 1] [2 1] [2 1]]" {
		t.Errorf("%v", got)
	}
	s.exec(t, "INSERT INTO types VALUES (9, 9, 9, true, 'x', NULL, 'u')")
	again := summaries(t, source, nil, job.Summary{Name: "all", Terms: []job.Term{{}}})
	if again[0][0].Int64() != 3 {
		t.Errorf("%v rows, want those of the job's beginning", again)
	}
	_, err := OpenSetting(t.Context(), s.withTable("types"), schemaOf(text("d", "2020-01-01")), 9)
	if err == nil || !strings.Contains(err.Error(), "column d: is of type DATE there, which cannot be read as text") {
		t.Errorf("error %v", err)
	}
	setting := s.withTable("")
	setting.Query = "SELECT n, f FROM types WHERE f < 3"
	asked, err := OpenSetting(t.Context(), setting, schemaOf(decimal("n", "0.5", "-1", "2"), integer("f", "0", "9")), 9)
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	if got := summaries(t, asked, nil, job.Summary{Name: "f", Complete: []string{"f"}, Terms: []job.Term{{}, {"f"}}}); fmt.Sprint(got) != "[[1 2]]" {
		t.Errorf("by a query: %v", got)
	}
}

func (s *served) withTable(table string) Setting {
	setting := s.setting
	setting.Table = table
	return setting
}

func TestMySQL(t *testing.T) {
	w := newWorld(t)
	server, err := localserver.MariaDB(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, server)
	s := &served{setting: at(t, "mysql", server), world: "world", odd: "hospital.odd", exec: execOn(server), types: columnTypes, wide: true}
	s.fillAll(t, mySQLSQL, &w)
	s.answers(t, &w)
}

func TestClickHouse(t *testing.T) {
	w := newWorld(t)
	servers, err := localserver.ClickHouse(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		stopAtEnd(t, s)
	}
	types := map[string]string{
		"small": "Nullable(Int16)", "int": "Nullable(Int32)", "big": "Nullable(Int64)", "decimal": "Nullable(Decimal(6,2))", "double": "Nullable(Float64)", "text": "Nullable(String)",
	}
	s := &served{setting: at(t, "clickhouse", servers[0]), world: "world", odd: "hospital.odd", exec: execOn(servers[0]), types: types, after: " ENGINE = Memory", wide: true}
	s.fillAll(t, clickHouseSQL, &w)
	s.answers(t, &w)
	t.Run("columns called like ours", func(t *testing.T) {
		s.fill(t, clickHouseSQL, "named", []string{"bad", "c0"}, []string{"int", "int"}, [][]string{{"1", "5"}, {"2", ""}, {"", "7"}})
		source := s.open(t, "named", schemaOf(integer("bad", "0", "9"), integer("c0", "0", "9")), 3)
		if got := summaries(t, source, nil, job.Summary{Name: "x", Complete: []string{"bad", "c0"}, Terms: []job.Term{{}, {"c0"}, {"bad", "c0"}}}); fmt.Sprint(got) != "[[1 5 5]]" {
			t.Errorf("%v", got)
		}
	})
	t.Run("sharded", func(t *testing.T) { clickHouseShards(t, s, servers, &w) })
}
