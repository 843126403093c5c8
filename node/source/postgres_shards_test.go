package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"consilium/job"
)

// postgresShards asks a table whose partitions lie on two other servers.
func postgresShards(t *testing.T, s *served, w *world) {
	shardTable(t, s, "sharded", "a SMALLINT, b DECIMAL(6,2), c VARCHAR(20)", "a")
	shardTable(t, s, "oddsharded", "n INTEGER, x BIGINT, y BIGINT, f DOUBLE PRECISION, t VARCHAR(20), r VARCHAR(20)", "n")
	s.insert(t, postgresSQL, "sharded", []string{"small", "decimal", "text"}, w.cells())
	s.insert(t, postgresSQL, "oddsharded", []string{"int", "big", "big", "double", "text", "text"}, oddities)
	both := *s
	both.world, both.odd = "sharded", "oddsharded"
	both.answers(t, w)
	t.Run("shards sum", func(t *testing.T) {
		source := both.open(t, "sharded", worldSchema(), len(w.rows))
		groups := []job.Grouping{{Column: "c", Levels: []int64{0, 1, 2}}}
		where := job.Or{L: job.Compare{Column: "b", Op: job.Le, Value: 1}, R: job.IsNull{Column: "b"}}
		for name, sum := range map[string]job.Summary{
			"moments":     {Name: "m", Complete: []string{"a", "b"}, Terms: []job.Term{{}, {"a"}, {"a", "b"}, {"b", "b"}}},
			"frequencies": {Name: "f", Complete: []string{"a"}, Terms: []job.Term{{}, {"a"}}, Groups: groups},
		} {
			plan := explain(t, source, where, sum)
			if n := strings.Count(plan, "Relations: Aggregate on"); n != 2 || strings.Contains(plan, "GroupAggregate") || strings.Contains(plan, "HashAggregate") {
				t.Errorf("%s: %d of 2 shards sum:\n%s", name, n, plan)
			}
		}
	})
	t.Run("odd shards sum", func(t *testing.T) {
		source := both.open(t, "oddsharded", oddSchema(), 10)
		plan := explain(t, source, nil, job.Summary{
			Name: "odd", Complete: []string{"x", "f", "r"}, Terms: []job.Term{{}, {"x", "y"}, {"f"}},
			Groups: []job.Grouping{{Column: "t", Levels: []int64{0, 3, 5}}},
		})
		if n := strings.Count(plan, "Relations: Aggregate on"); n != 2 {
			t.Errorf("%d of 2 shards sum:\n%s", n, plan)
		}
	})
}

// startShards starts two servers behind this one.
func startShards(t *testing.T, s *served) {
	t.Helper()
	s.exec(t, "CREATE EXTENSION postgres_fdw")
	for i := range 2 {
		shard := startPostgres(t)
		host, port, _ := strings.Cut(shard.Address, ":")
		s.shards = append(s.shards, execOn(shard))
		s.exec(t, fmt.Sprintf("CREATE SERVER shard%d FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname '%s')", i, host, port, shard.Database),
			fmt.Sprintf("CREATE USER MAPPING FOR PUBLIC SERVER shard%d OPTIONS (user '%s', password '%s')", i, shard.User, shard.Password))
	}
}

// shardTable makes a table by the hash of a column over them.
func shardTable(t *testing.T, s *served, name, columns, key string) {
	t.Helper()
	s.exec(t, fmt.Sprintf("CREATE TABLE %s (%s) PARTITION BY HASH (%s)", name, columns, key))
	for i, exec := range s.shards {
		exec(t, fmt.Sprintf("CREATE TABLE %s (%s)", name, columns))
		s.exec(t, fmt.Sprintf(`CREATE FOREIGN TABLE "%s Part %d" PARTITION OF %[1]s FOR VALUES WITH (MODULUS 2, REMAINDER %[2]d) SERVER shard%[2]d OPTIONS (table_name '%[1]s')`, name, i))
	}
}

// explain is the server's plan for a summary.
func explain(t *testing.T, s *Source, where job.Predicate, sums ...job.Summary) string {
	t.Helper()
	st, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q, err := s.newScan(st, where, sums, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := st.db.QueryContext(t.Context(), "EXPLAIN (VERBOSE, COSTS OFF) "+q.query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// postgresWhole: whoever may not read a partition by its name, or only some rows of
// it, is answered by the table.
func postgresWhole(t *testing.T, s *served) {
	shardTable(t, s, "guarded", "a SMALLINT, b SMALLINT", "a")
	s.exec(t, "INSERT INTO guarded SELECT i, i FROM generate_series(1, 9) i",
		"CREATE ROLE reader LOGIN PASSWORD '"+s.password+"'", "GRANT SELECT ON guarded TO reader")
	reader := *s
	reader.setting.User = "reader"
	sum := job.Summary{Name: "b", Complete: []string{"b"}, Terms: []job.Term{{}, {"b"}}}
	asked := func(name, want string, apart bool) {
		t.Run(name, func(t *testing.T) { // whose end ends the transaction
			source := reader.open(t, "guarded", schemaOf(integer("a", "1", "9"), integer("b", "1", "9")), 9)
			if got := fmt.Sprint(summaries(t, source, nil, sum)); got != want {
				t.Errorf("%v, want %v", got, want)
			}
			st, err := source.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := len(st.relation.parts) > 0; got != apart {
				t.Errorf("by parts: %v, want %v", got, apart)
			}
		})
	}
	asked("the table alone", "[[9 45]]", false)
	s.exec(t, `GRANT SELECT ON "guarded Part 0", "guarded Part 1" TO reader`)
	asked("its parts too", "[[9 45]]", true)
	s.exec(t, "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY", "CREATE POLICY few ON guarded TO reader USING (a < 4)")
	asked("some rows", "[[3 6]]", false)
}

// postgresCollations: texts are compared by their bytes also where the database's own order takes different
// texts for equal.
func postgresCollations(t *testing.T, s *served) {
	s.exec(t, "CREATE COLLATION folded (provider = icu, deterministic = false, locale = 'und-u-ks-level2')",
		"CREATE TABLE folded (c TEXT COLLATE folded)", "INSERT INTO folded VALUES ('a'), ('A'), ('A'), (' '), ('é'), (NULL)")
	source := s.open(t, "folded", schemaOf(text("c", "A", "a", "é")), 6)
	sum := job.Summary{Name: "c", Complete: []string{"c"}, Terms: []job.Term{{}}, Groups: []job.Grouping{{Column: "c", Levels: []int64{0, 1, 2}}}}
	if got := ints(summaries(t, source, nil, sum)[0]); !slices.Equal(got, []int64{2, 1, 1}) {
		t.Errorf("%v of A, a and é, want 2, 1 and 1", got)
	}
}
