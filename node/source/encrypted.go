package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// tlsConfig trusts the named authorities, or the system's.
func (s *Setting) tlsConfig() (*tls.Config, error) {
	if !s.encrypted() {
		return nil, nil
	}
	host, _, _ := net.SplitHostPort(s.Address)
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if s.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: cannot be read: %w", errors.Unwrap(err))
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca_file: holds no certificate in PEM")
	}
	return c, nil
}

// tlsHint says what is wrong with a server's TLS, "" if that is not what failed.
func tlsHint(err error) string {
	var name x509.HostnameError
	var record tls.RecordHeaderError
	text := err.Error() // of drivers that keep no more of the cause
	switch {
	case errors.As(err, &name) || strings.Contains(text, "x509: certificate is ") && strings.Contains(text, " not "):
		return "has a certificate for another name; mend address, or have the server's certificate made out to it"
	case strings.Contains(text, "x509: certificate has expired"):
		return "has a certificate that has expired or is not yet valid; have it renewed, and look at both clocks"
	case strings.Contains(text, "x509: "):
		return "has a certificate of no authority that is trusted; name the file with its authority's in ca_file"
	case errors.As(err, &record) || errors.Is(err, mysql.ErrNoTLS) || strings.Contains(text, "refused TLS"),
		strings.Contains(text, "first record does not look like"), strings.Contains(text, "HTTP response to HTTPS client"):
		return "does not speak TLS; have it set up there, or write tls: off if nobody can listen in between"
	}
	return ""
}
