package localserver

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/duckdb/duckdb-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// FlightSQL starts a server of Arrow Flight SQL within this process, over an embedded
// DuckDB in memory: Debian has none to install. It answers queries and nothing else.
func FlightSQL(context.Context) (*Server, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	s, err := newServer()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	f := &flightServer{db: db}
	f.Alloc = memory.DefaultAllocator
	server := flight.NewServerWithMiddleware([]flight.ServerMiddleware{flight.CreateServerBasicAuthMiddleware(onlyUser{})})
	if err := server.Init(s.Address); err != nil {
		return nil, errors.Join(err, db.Close(), s.Stop())
	}
	server.RegisterFlightService(flightsql.NewFlightServer(f))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve() }()
	s.run = func(ctx context.Context, text string) (string, error) {
		_, err := db.ExecContext(ctx, text)
		return "", err
	}
	s.end = func() error {
		server.Shutdown()
		return errors.Join(<-ended, db.Close(), os.RemoveAll(s.dir))
	}
	return s, nil
}

// onlyUser implements flight.BasicAuthValidator.
type onlyUser struct{}

// Validate implements flight.BasicAuthValidator.
func (onlyUser) Validate(name, secret string) (string, error) {
	if name != userName || secret != password {
		return "", errors.New("wrong user or password")
	}
	return base64.StdEncoding.EncodeToString([]byte(name)), nil
}

// IsValid implements flight.BasicAuthValidator.
func (onlyUser) IsValid(token string) (any, error) {
	name, err := base64.StdEncoding.DecodeString(token)
	if err != nil || string(name) != userName {
		return nil, errors.New("no such token")
	}
	return nil, nil
}

// flightServer answers statements.
type flightServer struct {
	flightsql.BaseServer
	db *sql.DB
}

// GetFlightInfoStatement implements flightsql.Server: the ticket is the query.
func (f *flightServer) GetFlightInfoStatement(_ context.Context, statement flightsql.StatementQuery, descriptor *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	ticket, err := flightsql.CreateStatementQueryTicket([]byte(statement.GetQuery()))
	if err != nil {
		return nil, err
	}
	return &flight.FlightInfo{
		Endpoint:         []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: ticket}}},
		FlightDescriptor: descriptor, TotalRecords: -1, TotalBytes: -1,
	}, nil
}

// DoGetStatement implements flightsql.Server.
func (f *flightServer) DoGetStatement(ctx context.Context, ticket flightsql.StatementQueryTicket) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	rows, err := f.db.QueryContext(ctx, string(ticket.GetStatementHandle()))
	if err != nil {
		return nil, nil, flightError(err)
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, errors.Join(err, rows.Close())
	}
	fields := make([]arrow.Field, len(types))
	for i, t := range types {
		fields[i] = arrow.Field{Name: t.Name(), Type: arrowType(t.DatabaseTypeName()), Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	chunks := make(chan flight.StreamChunk)
	go func() {
		defer close(chunks)
		defer rows.Close()
		for more := true; more; {
			var record arrow.Record
			if record, more, err = nextRecord(rows, schema); err == nil && record.NumRows() == 0 {
				return
			}
			select {
			case chunks <- flight.StreamChunk{Data: record, Err: err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return schema, chunks, nil
}

// recordRows is how many rows go into a record.
const recordRows = 4096

// nextRecord takes rows into a record, and tells whether there may be more.
func nextRecord(rows *sql.Rows, schema *arrow.Schema) (arrow.Record, bool, error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	values := make([]any, schema.NumFields())
	targets := make([]any, len(values))
	for i := range values {
		targets[i] = &values[i]
	}
	n := 0
	for ; n < recordRows && rows.Next(); n++ {
		if err := rows.Scan(targets...); err != nil {
			return nil, false, err
		}
		for i, v := range values {
			if err := appendValue(b.Field(i), v); err != nil {
				return nil, false, err
			}
		}
	}
	if err := rows.Err(); n < recordRows && err != nil {
		return nil, false, flightError(err)
	}
	return b.NewRecord(), n == recordRows, nil
}

// arrowType is the type of a DuckDB type's values.
func arrowType(name string) arrow.DataType {
	var precision, scale int32
	switch {
	case name == "BOOLEAN":
		return arrow.FixedWidthTypes.Boolean
	case name == "SMALLINT":
		return arrow.PrimitiveTypes.Int16
	case name == "INTEGER":
		return arrow.PrimitiveTypes.Int32
	case name == "BIGINT":
		return arrow.PrimitiveTypes.Int64
	case name == "DOUBLE":
		return arrow.PrimitiveTypes.Float64
	case name == "HUGEINT":
		return &arrow.Decimal128Type{Precision: 38}
	}
	if n, _ := fmt.Sscanf(name, "DECIMAL(%d,%d)", &precision, &scale); n == 2 {
		return &arrow.Decimal128Type{Precision: precision, Scale: scale}
	}
	return arrow.BinaryTypes.String
}

func appendValue(b array.Builder, value any) error {
	if value == nil {
		b.AppendNull()
		return nil
	}
	switch b := b.(type) {
	case *array.Decimal128Builder:
		switch v := value.(type) {
		case *big.Int:
			b.Append(decimal128.FromBigInt(v))
			return nil
		case duckdb.Decimal:
			b.Append(decimal128.FromBigInt(v.Value))
			return nil
		}
	default:
		return b.AppendValueFromString(fmt.Sprint(value))
	}
	return fmt.Errorf("%T in a column of decimal numbers", value)
}

// flightError is the error as a server tells it.
func flightError(err error) error {
	code := codes.Internal
	var e *duckdb.Error
	if errors.As(err, &e) {
		switch e.Type {
		case duckdb.ErrorTypeCatalog:
			code = codes.NotFound
		case duckdb.ErrorTypeParser, duckdb.ErrorTypeBinder:
			code = codes.InvalidArgument
		case duckdb.ErrorTypeOutOfRange, duckdb.ErrorTypeConversion:
			code = codes.OutOfRange
		}
	}
	return status.Error(code, strings.SplitN(err.Error(), "\n", 2)[0])
}
