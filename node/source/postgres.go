package source

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is PostgreSQL and what speaks its protocol, such as a coordinator of
// shards. All queries of a job see one state of the tables.
var postgres = engine{
	dialect:     postgresSQL,
	transaction: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	open:        openPostgres,
	parts:       postgresParts,
	problem:     postgresProblem,
}

func openPostgres(s *Setting, password string, tls *tls.Config) (*sql.DB, error) {
	c, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	// Nothing is taken from the environment or from files in a home directory.
	c.Host, c.Port, c.Password, c.TLSConfig, c.Fallbacks = s.Address, 5432, password, tls, nil
	c.User, c.Database = s.User, s.Database
	if host, port, err := net.SplitHostPort(s.Address); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, err
		}
		c.Host, c.Port = host, uint16(n)
	}
	c.RuntimeParams = map[string]string{"application_name": "consilium", "standard_conforming_strings": "on", "extra_float_digits": "1", "DateStyle": "ISO"}
	return stdlib.OpenDB(*c), nil
}

func postgresProblem(err error) problem {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return unknown
	}
	switch e.Code {
	case "28P01", "28000":
		return refused
	case "3D000":
		return noDatabase
	case "42P01", "3F000":
		return noTable
	case "42703":
		return noColumn
	case "42501":
		return forbidden
	case "57014", "53200", "53400":
		return late
	case "42601", "42883", "42804":
		return wrongQuery
	case "22003":
		return overflow
	}
	return unknown
}
