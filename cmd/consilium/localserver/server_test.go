package localserver

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// Every server starts, answers its client and leaves nothing behind.
func TestServersStartAndStop(t *testing.T) {
	one := func(s *Server, err error) ([]*Server, error) { return []*Server{s}, err }
	for name, start := range map[string]func(context.Context) ([]*Server, error){
		"postgres":   func(ctx context.Context) ([]*Server, error) { return one(Postgres(ctx)) },
		"mariadb":    func(ctx context.Context) ([]*Server, error) { return one(MariaDB(ctx)) },
		"clickhouse": func(ctx context.Context) ([]*Server, error) { return ClickHouse(ctx, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			servers, err := start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("started in %v", time.Since(begin))
			for _, s := range servers {
				columns := "(x INT)"
				if name == "clickhouse" {
					columns = "(x Int32) ENGINE = Memory"
				}
				for _, sql := range []string{"CREATE TABLE t " + columns + ";", "INSERT INTO t VALUES (41), (1);"} {
					if _, err := s.Run(t.Context(), sql); err != nil {
						t.Fatal(err)
					}
				}
				out, err := s.Run(t.Context(), "SELECT sum(x) FROM t;")
				if err != nil || strings.TrimSpace(out) != "42" {
					t.Errorf("%q, %v", out, err)
				}
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
					t.Errorf("%s is left", s.dir)
				}
				if _, err := s.Run(t.Context(), "SELECT 1;"); err == nil {
					t.Error("still answers")
				}
			}
			t.Logf("done in %v", time.Since(begin))
		})
	}
}
