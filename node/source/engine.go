package source

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// engine is a kind of database server.
type engine struct {
	dialect *dialect
	// open makes a handle, and connects to nothing. Its TLS configuration is nil where
	// the server is reached without.
	open func(s *Setting, password string, tls *tls.Config) (*sql.DB, error)
	// transaction is how one consistent state is read; nil: the engine has none.
	transaction *sql.TxOptions
	// parts finds the names of a table's parts that lie on servers of their own; nil: the
	// engine sees to it itself.
	parts func(ctx context.Context, db querier, table string) ([]string, error)
	// problem sorts an error of the engine's: none of its own text is ever shown, since
	// it may quote values.
	problem func(err error) problem
}

// problem is what went wrong, as far as an operator can mend it.
type problem int

const (
	unknown problem = iota
	refused         // user or password
	noDatabase
	noTable
	noColumn
	forbidden
	late
	wrongQuery
	overflow
	unreachable
	elsewhere
)

var hints = map[problem]string{
	refused:    "the server refuses the user or the password; mend user, password_file or password_env",
	noDatabase: "the server has no such database; mend database",
	noTable:    "there is no such table; mend table, or the query's tables",
	noColumn:   "the query names a column that is not there; mend the query",
	forbidden:  "the user may not read it; grant SELECT on it",
	late:       "the server gave it up for its limits of time or memory",
	wrongQuery: "the server does not understand the query; mend query_file",
	elsewhere:  "parts of its answer lie at other addresses, which are not followed; name an address that answers itself",
	overflow:   "a value or a sum exceeds the server's numbers",
}

// engines are the servers that a Setting may name.
var engines = map[string]*engine{
	"postgres":   &postgres,
	"mysql":      &mySQL,
	"clickhouse": &clickHouse,
	"trino":      &trinoDB,
	"flightsql":  &flightSQL,
}

// connectTime bounds connecting to a server.
const connectTime = 15 * time.Second

// connection is one state of a server's tables, for whoever asks several queries.
type connection struct {
	db      querier
	dialect *dialect
	failed  func(ctx context.Context, doing string, err error) error // see store
	close   func() error
}

// connect connects to the setting's server; name is for errors.
func connect(ctx context.Context, setting *Setting, name string) (_ *connection, err error) {
	e := engines[setting.Source]
	fail := func(err error) error { return fmt.Errorf("%s: %w", name, err) }
	d, err := setting.dialect()
	if err != nil {
		return nil, fail(err)
	}
	password, err := setting.password()
	if err != nil {
		return nil, fail(err)
	}
	config, err := setting.tlsConfig()
	if err != nil {
		return nil, fail(err)
	}
	db, err := e.open(setting, password, config)
	if err != nil {
		return nil, fail(errors.New("the server's address or user cannot be used; mend address, database and user"))
	}
	db.SetMaxOpenConns(1)
	// A transaction lives as long as the source, its beginning no longer than ctx.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	closeAll := func() error { end(); return db.Close() }
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	c := &connection{db: db, dialect: d, close: closeAll}
	c.failed = func(ctx context.Context, doing string, err error) error {
		return serverError(ctx, e, setting, name+": "+doing, err)
	}
	const doing = "connecting"
	connecting, stop := context.WithTimeoutCause(ctx, connectTime, fmt.Errorf("the server at %s did not answer within %v", setting.Address, connectTime))
	defer stop()
	release := context.AfterFunc(connecting, end)
	if err := db.PingContext(connecting); err != nil {
		return nil, c.failed(connecting, doing, err)
	}
	if e.transaction != nil {
		tx, err := db.BeginTx(life, e.transaction)
		if err != nil {
			return nil, c.failed(connecting, doing, err)
		}
		c.db = tx
		c.close = func() error { // what it was is of no interest: nothing was written
			tx.Rollback()
			return closeAll()
		}
	}
	if !release() {
		return nil, c.failed(connecting, doing, context.Cause(connecting))
	}
	return c, nil
}

// openServer opens a table or query of a server to be cast in each query.
func (s *Source) openServer(ctx context.Context) (_ *store, err error) {
	c, err := connect(ctx, &s.setting, s.name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	from, err := s.setting.relation(c.dialect)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	st := &store{name: s.name, db: c.db, declared: s.declared, rows: -1, failed: c.failed, close: c.close}
	st.relation = relation{dialect: c.dialect, from: from, orderBy: s.setting.OrderBy}
	if parts := engines[s.setting.Source].parts; parts != nil && s.setting.Table != "" {
		if st.relation.parts, err = parts(ctx, st.db, from); err != nil {
			return nil, st.failed(ctx, "asking for its parts", err)
		}
	}
	for i := range s.schema.Columns {
		st.columns = append(st.columns, newColumn(&s.schema.Columns[i], i))
	}
	st.pages = func(ctx context.Context, query string, width int) (pages, error) {
		return openServerPages(ctx, st, query, width)
	}
	if err := st.relation.bind(ctx, st.db, s.name, s.schema, true); err != nil {
		var failed asked
		if errors.As(err, &failed) {
			return nil, st.failed(ctx, "asking for its columns", failed.error)
		}
		return nil, err
	}
	return st, nil
}

// serverError says what is wrong in words of this package.
func serverError(ctx context.Context, e *engine, s *Setting, doing string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", doing, cause)
	}
	if hint := tlsHint(err); hint != "" && s.encrypted() {
		return fmt.Errorf("%s: the server at %s %s", doing, s.Address, hint)
	}
	kind := e.problem(err)
	if hint, ok := hints[kind]; ok {
		if kind == refused && !s.encrypted() && !strings.HasPrefix(s.Address, "/") {
			hint += "; or it wants TLS: then write tls: on"
		}
		return fmt.Errorf("%s: %s", doing, hint)
	}
	var network net.Error
	if kind == unreachable || errors.As(err, &network) {
		return fmt.Errorf("%s: the server at %s cannot be reached, or broke off", doing, s.Address)
	}
	return fmt.Errorf("%s: the server at %s failed; its own log says why", doing, s.Address)
}
