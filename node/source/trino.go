package source

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/trinodb/trino-go-client/trino"
)

// trinoDB is Trino. Setting.Database is CATALOG or CATALOG.SCHEMA.
var trinoDB = engine{
	dialect: trinoSQL,
	open:    openTrino,
	problem: trinoProblem,
}

func openTrino(s *Setting, password string, tls *tls.Config) (*sql.DB, error) {
	server := url.URL{Scheme: "http", Host: s.Address, User: url.User(s.User)}
	if tls != nil {
		server.Scheme = "https"
		if password != "" {
			server.User = url.UserPassword(s.User, password)
		}
	} else if password != "" {
		return nil, errors.New("a password wants TLS")
	}
	c := &trino.Config{ServerURI: server.String(), Source: "consilium", DisableExplicitPrepare: true}
	attempts, patience := 2, 5*time.Second
	c.RequestRetryMaxAttempts, c.RequestRetryTimeout = &attempts, &patience
	c.Catalog, c.Schema, _ = strings.Cut(s.Database, ".")
	transport := &http.Transport{TLSClientConfig: tls, MaxIdleConns: 1, DisableKeepAlives: true}
	c.HTTPClient = &http.Client{Transport: transport}
	connector, err := trino.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func trinoProblem(err error) problem {
	var failed *trino.ErrQueryFailed
	if errors.As(err, &failed) && (failed.StatusCode == http.StatusUnauthorized || failed.StatusCode == http.StatusForbidden) {
		return refused
	}
	var e *trino.ErrTrino
	if !errors.As(err, &e) {
		return unknown
	}
	switch e.ErrorName {
	case "CATALOG_NOT_FOUND", "SCHEMA_NOT_FOUND":
		return noDatabase
	case "TABLE_NOT_FOUND":
		return noTable
	case "COLUMN_NOT_FOUND":
		return noColumn
	case "PERMISSION_DENIED":
		return forbidden
	case "EXCEEDED_TIME_LIMIT", "EXCEEDED_CPU_LIMIT", "EXCEEDED_GLOBAL_MEMORY_LIMIT", "EXCEEDED_LOCAL_MEMORY_LIMIT", "QUERY_QUEUE_FULL":
		return late
	case "SYNTAX_ERROR", "FUNCTION_NOT_FOUND", "TYPE_MISMATCH":
		return wrongQuery
	case "NUMERIC_VALUE_OUT_OF_RANGE", "INVALID_CAST_ARGUMENT":
		return overflow
	}
	return unknown
}
