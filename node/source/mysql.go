package source

import (
	"crypto/tls"
	"database/sql"
	"errors"

	"github.com/go-sql-driver/mysql"
)

// mySQL is MySQL, MariaDB and the engines that speak their protocol.
var mySQL = engine{
	dialect:     mySQLSQL,
	transaction: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	open:        openMySQL,
	problem:     mySQLProblem,
}

func openMySQL(s *Setting, password string, tls *tls.Config) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", s.Address, s.User, password, s.Database
	c.TLS, c.Timeout = tls, connectTime
	c.AllowNativePasswords = true
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func mySQLProblem(err error) problem {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return unknown
	}
	switch e.Number {
	case 1045, 1698, 1251:
		return refused
	case 1044, 1142, 1143, 1227:
		return forbidden
	case 1049:
		return noDatabase
	case 1146, 1051:
		return noTable
	case 1054:
		return noColumn
	case 1969, 3024, 1317, 1205:
		return late
	case 1064, 1305:
		return wrongQuery
	case 1690, 1264:
		return overflow
	}
	return unknown
}
