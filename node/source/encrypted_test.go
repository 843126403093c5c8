package source

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"consilium/job"
)

// authority makes certificates of its own root.
type authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // the root, as an operator has it
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Hospital"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	der, a.key = a.issue(t, template)
	var err error
	if a.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue signs a certificate for a new key; the first one with that key itself.
func (a *authority) issue(t *testing.T, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, by := template, key
	if a.root != nil {
		parent, by = a.root, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// server returns certificate and key of a server at 127.0.0.1, until then.
func (a *authority) server(t *testing.T, until time.Time) (certificate, key []byte) {
	t.Helper()
	der, private := a.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "db"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// TestPostgresOverTLS asks a server that takes nobody without TLS.
func TestPostgresOverTLS(t *testing.T) {
	server := startPostgres(t)
	run := func(sql string) string {
		t.Helper()
		out, err := server.Run(t.Context(), sql+";")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	run("CREATE TABLE few (n INTEGER); INSERT INTO few VALUES (1), (2), (4)")
	data := run("SHOW data_directory")
	ours, others := newAuthority(t), newAuthority(t)
	present := func(until time.Time) {
		certificate, key := ours.server(t, until)
		place(t, data, "server.crt", certificate)
		place(t, data, "server.key", key)
	}
	present(time.Now().Add(time.Hour))
	place(t, data, "pg_hba.conf", []byte("hostssl all all 127.0.0.1/32 scram-sha-256\n"))
	run("ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf()")

	setting := at(t, "postgres", server)
	setting.Table = "few"
	ask := func(change func(s *Setting)) (string, error) {
		s := setting
		change(&s)
		source, err := OpenSetting(t.Context(), s, schemaOf(integer("n", "0", "9")), 3)
		if err != nil {
			return "", err
		}
		defer source.Close()
		sums, err := source.Summaries(t.Context(), nil, []job.Summary{{Name: "n", Complete: []string{"n"}, Terms: []job.Term{{}, {"n"}}}})
		return fmt.Sprint(sums), err
	}
	fails := func(want string, change func(s *Setting)) {
		t.Helper()
		if _, err := ask(change); err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("error %v, want …%s…", err, want)
		}
	}
	ourCA := func(s *Setting) { s.TLS, s.CAFile = "on", ours.file }
	if got, err := ask(ourCA); err != nil || got != "[[3 7]]" {
		t.Errorf("%s, %v", got, err)
	}
	fails("has a certificate of no authority that is trusted; name the file with its authority's in ca_file", func(s *Setting) { s.TLS, s.CAFile = "on", others.file })
	fails("has a certificate of no authority that is trusted", func(s *Setting) { s.TLS = "on" })
	fails("has a certificate for another name; mend address", func(s *Setting) { ourCA(s); s.Address = "localhost:" + s.Address[len("127.0.0.1:"):] })
	fails("or it wants TLS: then write tls: on", func(s *Setting) { s.TLS = "off" })
	fails("ca_file: holds no certificate", func(s *Setting) { s.TLS, s.CAFile = "on", s.PasswordFile })
	present(time.Now().Add(-time.Hour))
	run("SELECT pg_reload_conf()")
	fails("has a certificate that has expired or is not yet valid", ourCA)
}

// place writes a file that belongs to the owner of its directory.
func place(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
}

// TestTLSIsTheDefault: only this machine is reached without, unless tls: off is said.
func TestTLSIsTheDefault(t *testing.T) {
	for _, c := range []struct {
		address, tls string
		want         bool
	}{
		{"127.0.0.1:1", "", false},
		{"[::1]:1", "", false},
		{"localhost:1", "", false},
		{"/run/postgresql", "", false},
		{"10.0.0.7:1", "", true},
		{"db.hospital.example:1", "", true},
		{"localhost.example:1", "", true},
		{"10.0.0.7:1", "off", false},
		{"127.0.0.1:1", "on", true},
	} {
		s := Setting{Source: "postgres", Address: c.address, TLS: c.tls}
		config, err := s.tlsConfig()
		if err != nil || s.encrypted() != c.want || (config != nil) != c.want || config != nil && config.InsecureSkipVerify {
			t.Errorf("%s, tls %q: %v, %v", c.address, c.tls, config, err)
		}
	}
}
