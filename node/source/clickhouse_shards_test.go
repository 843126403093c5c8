package source

import (
	"fmt"
	"strings"
	"testing"

	"consilium/cmd/consilium/localserver"
	"consilium/job"
)

// clickHouseShards asks a Distributed table over two servers, half the rows on each.
func clickHouseShards(t *testing.T, s *served, servers []*localserver.Server, w *world) {
	const columns = "(a Nullable(Int16), b Nullable(Decimal(6,2)), c Nullable(String))"
	cells := w.cells()
	for i, half := range [][][]string{cells[:len(cells)/2], cells[len(cells)/2:]} {
		part := *s
		part.exec = execOn(servers[i])
		part.exec(t, "CREATE TABLE part "+columns+" ENGINE = Memory")
		part.insert(t, clickHouseSQL, "part", []string{"small", "decimal", "text"}, half)
	}
	s.exec(t, "CREATE TABLE sharded "+columns+" ENGINE = Distributed("+localserver.Cluster+", hospital, part)")
	both := *s
	both.world = "sharded"
	both.answers(t, w)
	t.Run("shards sum", func(t *testing.T) {
		where := job.Or{L: job.Compare{Column: "b", Op: job.Le, Value: 1}, R: job.IsNull{Column: "b"}}
		for _, c := range []struct {
			sum   job.Summary
			sends string // rows of the second server: one for each combination of keys
		}{
			{job.Summary{Name: "m", Complete: []string{"a", "b"}, Terms: []job.Term{{}, {"a"}, {"a", "b"}, {"b", "b"}}}, "1"},
			{job.Summary{Name: "f", Complete: []string{"a"}, Terms: []job.Term{{}, {"a"}}, Groups: []job.Grouping{{Column: "c", Levels: []int64{0, 1, 2}}}}, "4"},
		} {
			source := both.open(t, "sharded", worldSchema(), len(w.rows))
			st, err := source.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			q, err := source.newScan(st, where, []job.Summary{c.sum}, []int{0})
			if err != nil {
				t.Fatal(err)
			}
			execOn(servers[0])(t, "SET log_queries = 1; "+q.query)
			const last = "SELECT read_rows, result_rows FROM system.query_log WHERE type = 2 AND NOT is_initial_query ORDER BY event_time DESC, query_start_time DESC, result_rows = %s DESC LIMIT 1;"
			got, err := servers[1].Run(t.Context(), "SYSTEM FLUSH LOGS; "+fmt.Sprintf(last, c.sends))
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%d\t%s", len(cells)-len(cells)/2, c.sends); strings.TrimSpace(got) != want {
				t.Errorf("%s: the second server read and sent %q rows, want %q", c.sum.Name, got, want)
			}
		}
	})
}
