package source

import (
	"testing"

	"consilium/cmd/consilium/localserver"
)

func TestFlightSQL(t *testing.T) {
	w := newWorld(t)
	server, err := localserver.FlightSQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, server)
	s := &served{setting: at(t, "flightsql", server), world: "world", odd: "main.odd", exec: execOn(server), types: columnTypes}
	s.setting.Database = ""
	s.fillAll(t, ansiSQL, &w)
	t.Run("ansi", func(t *testing.T) { s.setting.Dialect = "ansi"; s.answers(t, &w) })
	t.Run("duckdb", func(t *testing.T) { s.setting.Dialect = "duckdb"; s.wide = true; s.answers(t, &w) })
}
