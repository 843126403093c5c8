package source

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// flightSQL is any server of Arrow Flight SQL. The driver for database/sql is this
// package's own: that of the Arrow project takes a stream that breaks off for one
// that ends. All parts of an answer are asked of the server itself.
var flightSQL = engine{
	dialect: ansiSQL,
	open:    openFlight,
	problem: flightProblem,
}

func openFlight(s *Setting, password string, tls *tls.Config) (*sql.DB, error) {
	return sql.OpenDB(&flightConnector{setting: s, password: password, tls: tls}), nil
}

// loginError is an error of logging in, for which servers have codes of their own.
type loginError struct{ error }

// Unwrap implements the interface of package errors.
func (e loginError) Unwrap() error { return e.error }

// elsewhereError is an error of fetching an answer that the server says is to be had at
// other addresses.
type elsewhereError struct{ error }

// Unwrap implements the interface of package errors.
func (e elsewhereError) Unwrap() error { return e.error }

func flightProblem(err error) problem {
	var away elsewhereError
	if errors.As(err, &away) {
		return elsewhere
	}
	var login loginError
	code := status.Code(err)
	if errors.As(err, &login) {
		if code = status.Code(login.error); code != codes.Unavailable && code != codes.DeadlineExceeded {
			return refused
		}
	}
	switch code {
	case codes.Unavailable:
		return unreachable
	case codes.Unauthenticated:
		return refused
	case codes.PermissionDenied:
		return forbidden
	case codes.NotFound:
		return noTable
	case codes.DeadlineExceeded, codes.ResourceExhausted:
		return late
	case codes.InvalidArgument:
		return wrongQuery
	case codes.OutOfRange:
		return overflow
	}
	return unknown
}

// flightConnector implements driver.Connector.
type flightConnector struct {
	setting  *Setting
	password string
	tls      *tls.Config
}

// Driver implements driver.Connector.
func (c *flightConnector) Driver() driver.Driver { return flightDriver{} }

type flightDriver struct{}

// Open implements driver.Driver.
func (flightDriver) Open(string) (driver.Conn, error) { return nil, errOnlyQueries }

// Connect implements driver.Connector.
func (c *flightConnector) Connect(ctx context.Context) (driver.Conn, error) {
	secure := insecure.NewCredentials()
	if c.tls != nil {
		secure = credentials.NewTLS(c.tls)
	}
	client, err := flightsql.NewClient(c.setting.Address, nil, nil, grpc.WithTransportCredentials(secure))
	if err != nil {
		return nil, err
	}
	conn := &flightConn{client: client, address: c.setting.Address, header: metadata.MD{}}
	switch {
	case c.setting.User != "":
		as, err := client.Client.AuthenticateBasicToken(ctx, c.setting.User, c.password)
		if err != nil {
			return nil, errors.Join(loginError{err}, client.Close())
		}
		conn.header, _ = metadata.FromOutgoingContext(as)
	case c.password != "":
		conn.header.Set("authorization", "Bearer "+c.password)
	}
	return conn, nil
}

// flightConn answers queries and does nothing else.
type flightConn struct {
	client  *flightsql.Client
	address string
	header  metadata.MD
}

var errOnlyQueries = errors.New("this driver answers queries and nothing else")

// Prepare implements driver.Conn.
func (c *flightConn) Prepare(string) (driver.Stmt, error) { return nil, errOnlyQueries }

// Begin implements driver.Conn.
func (c *flightConn) Begin() (driver.Tx, error) { return nil, errOnlyQueries }

// Close implements driver.Conn.
func (c *flightConn) Close() error { return c.client.Close() }

// Ping implements driver.Pinger.
func (c *flightConn) Ping(ctx context.Context) error {
	rows, err := c.QueryContext(ctx, "SELECT 1", nil)
	if err != nil {
		return err
	}
	return rows.Close()
}

// QueryContext implements driver.QueryerContext.
func (c *flightConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) > 0 {
		return nil, errOnlyQueries
	}
	ctx, stop := context.WithCancel(metadata.NewOutgoingContext(ctx, c.header))
	rows := &flightRows{ctx: ctx, stop: stop, client: c.client, address: c.address}
	info, err := c.client.Execute(ctx, query)
	if err != nil {
		stop()
		return nil, err
	}
	rows.rest = info.Endpoint
	if err := rows.open(); err != nil {
		rows.Close()
		return nil, err
	}
	return rows, nil
}

// flightRows are the parts of an answer, one after the other.
type flightRows struct {
	ctx     context.Context
	stop    context.CancelFunc
	client  *flightsql.Client
	address string
	rest    []*flight.FlightEndpoint
	schema  *arrow.Schema
	reader  *flight.Reader
	record  arrow.Record // the reader's; nil: none at hand
	at      int          // its next row
}

// open begins the next part.
func (r *flightRows) open() error {
	if len(r.rest) == 0 {
		if r.schema == nil {
			return errors.New("an answer without a part")
		}
		return io.EOF
	}
	reader, err := r.client.DoGet(r.ctx, r.rest[0].Ticket)
	if err != nil {
		if r.ctx.Err() == nil && r.away(r.rest[0].Location) {
			err = elsewhereError{err}
		}
		return err
	}
	r.rest, r.reader, r.schema = r.rest[1:], reader, reader.Schema()
	return nil
}

// away tells whether a part of an answer is said to lie at other addresses alone.
func (r *flightRows) away(locations []*flight.Location) bool {
	return len(locations) > 0 && !slices.ContainsFunc(locations, func(l *flight.Location) bool {
		return strings.HasPrefix(l.Uri, "arrow-flight-reuse-connection:") || strings.HasSuffix(l.Uri, "//"+r.address)
	})
}

// Columns implements driver.Rows.
func (r *flightRows) Columns() []string {
	names := make([]string, r.schema.NumFields())
	for i, f := range r.schema.Fields() {
		names[i] = f.Name
	}
	return names
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName.
func (r *flightRows) ColumnTypeDatabaseTypeName(i int) string {
	t := r.schema.Field(i).Type
	if d, ok := t.(*arrow.DictionaryType); ok {
		t = d.ValueType
	}
	switch t.ID() {
	case arrow.LARGE_STRING:
		return "utf8"
	case arrow.DECIMAL128, arrow.DECIMAL256:
		return "decimal" + t.String()[len(t.Name()):]
	}
	return t.String()
}

// Next implements driver.Rows.
func (r *flightRows) Next(dest []driver.Value) error {
	for r.record == nil || r.at == int(r.record.NumRows()) {
		r.record, r.at = nil, 0
		if r.reader.Next() {
			r.record = r.reader.Record()
			continue
		}
		if err := r.reader.Err(); err != nil {
			return err
		}
		r.reader.Release()
		r.reader = nil
		if err := r.open(); err != nil {
			return err
		}
	}
	for i := range dest {
		dest[i] = arrowValue(r.record.Column(i), r.at)
	}
	r.at++
	return nil
}

// Close implements driver.Rows.
func (r *flightRows) Close() error {
	r.stop()
	if r.reader != nil {
		r.reader.Release()
		r.reader = nil
	}
	return nil
}

// arrowValue is a value as database/sql takes it: 64-bit whole numbers and truth
// values as such, anything else as text.
func arrowValue(column arrow.Array, row int) driver.Value {
	if column.IsNull(row) {
		return nil
	}
	switch c := column.(type) {
	case *array.Int64:
		return c.Value(row)
	case *array.Int32:
		return int64(c.Value(row))
	case *array.Boolean:
		return c.Value(row)
	}
	return arrowText(column, row)
}

// arrowText is a value as text: decimal numbers with all their digits, which the
// library's own way rounds.
func arrowText(column arrow.Array, row int) string {
	switch c := column.(type) {
	case *array.Decimal128:
		return c.Value(row).ToString(c.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Decimal256:
		return c.Value(row).ToString(c.DataType().(*arrow.Decimal256Type).Scale)
	}
	return column.ValueStr(row)
}
