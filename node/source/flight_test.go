package source

import (
	"context"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

// away is a server whose answers lie at another address.
type away struct{ flightsql.BaseServer }

func (away) GetFlightInfoStatement(_ context.Context, query flightsql.StatementQuery, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	ticket, err := flightsql.CreateStatementQueryTicket([]byte(query.GetQuery()))
	there := []*flight.Location{{Uri: "grpc://worker.example:8815"}}
	return &flight.FlightInfo{FlightDescriptor: d, Endpoint: []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: ticket}, Location: there}}}, err
}

func (away) DoGetStatement(context.Context, flightsql.StatementQueryTicket) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return nil, nil, status.Error(codes.NotFound, "no such ticket")
}

func TestAnswersThatLieElsewhere(t *testing.T) {
	server := flight.NewServerWithMiddleware(nil)
	if err := server.Init("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	server.RegisterFlightService(flightsql.NewFlightServer(&away{}))
	done := make(chan error, 1)
	go func() { done <- server.Serve() }()
	defer func() {
		server.Shutdown()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	setting := Setting{Source: "flightsql", Address: server.Addr().String(), Table: "visits"}
	_, err := OpenSetting(t.Context(), setting, schemaOf(integer("a", "0", "9")), 9)
	if err == nil || !strings.Contains(err.Error(), "table visits: connecting: parts of its answer lie at other addresses") {
		t.Errorf("error %v", err)
	}
}
