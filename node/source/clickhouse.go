package source

import (
	"crypto/tls"
	"database/sql"
	"errors"

	"github.com/mailru/go-clickhouse/v2"
)

// clickHouse is ClickHouse over HTTP. It has no transactions: a table that is written
// to between two queries of a job is noticed by its number of rows only.
var clickHouse = engine{
	dialect: clickHouseSQL,
	open:    openClickHouse,
	problem: clickHouseProblem,
}

func openClickHouse(s *Setting, password string, tls *tls.Config) (*sql.DB, error) {
	c := clickhouse.NewConfig()
	c.Host, c.Database, c.User, c.Password = s.Address, s.Database, s.User, password
	c.Params = map[string]string{
		"readonly": "2", // reads, and may set the following
		// The answer begins when it is complete: what breaks off is an error and not
		// an answer that is too short.
		"wait_end_of_query": "1",
	}
	if tls != nil {
		var err error
		if c.TLSConfig, err = registerTLS(tls, s); err != nil {
			return nil, err
		}
		c.Scheme = "https"
	}
	return sql.Open("chhttp", c.FormatDSN())
}

func clickHouseProblem(err error) problem {
	var e *clickhouse.Error
	if !errors.As(err, &e) {
		return unknown
	}
	switch e.Code {
	case 192, 193, 194, 516:
		return refused
	case 81:
		return noDatabase
	case 60:
		return noTable
	case 47:
		return noColumn
	case 497, 164, 291:
		return forbidden
	case 158, 159, 160, 241, 307:
		return late
	case 62, 46:
		return wrongQuery
	case 69, 70, 407:
		return overflow
	}
	return unknown
}

// registerTLS makes a configuration known to the driver, which takes it by name: one
// for each server and its authorities.
func registerTLS(c *tls.Config, s *Setting) (string, error) {
	name := "consilium " + s.Address + " " + s.CAFile
	return name, clickhouse.RegisterTLSConfig(name, c)
}
