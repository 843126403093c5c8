package job

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certify makes a self-signed certificate as NewIdentity does, for a given key.
func certify(t testing.TB, name string, key ed25519.PrivateKey) []byte {
	t.Helper()
	return issue(t, name, key.Public(), name, key)
}

func issue(t testing.TB, name string, pub any, issuer string, signer any) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent := *template
	parent.Subject.CommonName = issuer
	der, err := x509.CreateCertificate(rand.Reader, template, &parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestIdentitySaveAndLoad(t *testing.T) {
	id := newTestIdentity(t, "hospital-1")
	dir := t.TempDir()
	if err := id.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != id.Name || !got.Key.Equal(id.Key) || !bytes.Equal(got.Certificate, id.Certificate) {
		t.Errorf("got %v", got)
	}
	info, err := os.Stat(filepath.Join(dir, "identity.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	wantError(t, newTestIdentity(t, "hospital-1").Save(dir), "never overwritten")

	key := filepath.Join(dir, "identity.key")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		_, err = LoadIdentity(dir)
		wantError(t, err, "chmod 600")
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}

	_, err = LoadIdentity(t.TempDir())
	wantError(t, err, "consilium init")

	other := newTestIdentity(t, "hospital-1")
	certificate := filepath.Join(dir, "identity.crt")
	for want, b := range map[string][]byte{
		"another key":     encodePEM(certificatePEM, other.Certificate),
		"not X.509":       encodePEM(certificatePEM, []byte("x")),
		"PEM file of one": append(encodePEM(certificatePEM, id.Certificate), encodePEM(certificatePEM, id.Certificate)...),
		"more than":       make([]byte, maxKeyFile+1),
	} {
		if err := os.WriteFile(certificate, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = LoadIdentity(dir)
		wantError(t, err, want)
	}
	if err := os.WriteFile(key, encodePEM(keyPEM, []byte("x")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = LoadIdentity(dir)
	wantError(t, err, "not an Ed25519 private key")
}

func TestIdentityCertificate(t *testing.T) {
	id := newTestIdentity(t, "hospital-1")
	cert, err := x509.ParseCertificate(id.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if cert.VerifyHostname("hospital-1") != nil || cert.VerifyHostname("127.0.0.1") != nil || cert.VerifyHostname("localhost") != nil || cert.IsCA {
		t.Errorf("names %v %v", cert.DNSNames, cert.IPAddresses)
	}
	if years := time.Until(cert.NotAfter).Hours() / 24 / 365; years < 19.9 || years > 20.1 {
		t.Errorf("valid for %v years", years)
	}
	for _, bad := range []string{"", "A", "a.b", "-a", strings.Repeat("a", 64)} {
		_, err := NewIdentity(bad, nil)
		wantError(t, err, "name is")
	}
	_, err = NewIdentity("a", []string{"ü"})
	wantError(t, err, "host names")
}

func TestIdentityHidesItsKey(t *testing.T) {
	id := newTestIdentity(t, "hospital-1")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "id", id)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "id", *id)
	log.WriteString(fmt.Sprintf("%v %+v %#v %s %v %#v", id, id, id, id, *id, *id))
	for _, leak := range []string{fmt.Sprint(id.Key[:4])[1:8], fmt.Sprintf("%x", id.Key[:4]), "PrivateKey", "Certificate"} {
		if strings.Contains(log.String(), leak) {
			t.Errorf("%q is in %s", leak, log.String())
		}
	}
	if !strings.Contains(log.String(), "redacted") {
		t.Errorf("output is %s", log.String())
	}
}

func TestCertificateKey(t *testing.T) {
	id := newTestIdentity(t, "a")
	key, err := CertificateKey(id.Certificate)
	if err != nil || !key.Equal(id.Key.Public()) {
		t.Errorf("key %x, %v", key, err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Clone(id.Certificate)
	altered[len(altered)-1] ^= 1
	for name, c := range map[string]struct {
		der  []byte
		want string
	}{
		"empty":        {nil, "0 bytes"},
		"too large":    {make([]byte, maxCertificate+1), "4097 bytes"},
		"trailing":     {append(bytes.Clone(id.Certificate), 0), "not X.509"},
		"altered":      {altered, "not signed by its own key"},
		"another kind": {issue(t, "a", ec.Public(), "a", ec), "no Ed25519 key"},
		"issued":       {issue(t, "a", id.Key.Public(), "b", newTestIdentity(t, "b").Key), "not signed by its own key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CertificateKey(c.der)
			wantError(t, err, c.want)
		})
	}
}

// handshake connects both configurations over loopback and says one word.
func handshake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		raw, err := listener.Accept()
		if err != nil {
			done <- err
			return
		}
		conn := tls.Server(raw, server)
		defer conn.Close()
		err = conn.HandshakeContext(ctx)
		if err == nil {
			_, err = conn.Write([]byte("hello"))
		}
		done <- err
	}()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, client)
	defer conn.Close()
	clientErr = conn.HandshakeContext(ctx)
	if clientErr == nil { // with TLS 1.3 a refused client learns it on reading
		_, clientErr = conn.Read(make([]byte, 5))
	}
	raw.Close()
	return <-done, clientErr
}

func TestTLS(t *testing.T) {
	server, alice, bob := newTestIdentity(t, "server"), newTestIdentity(t, "alice"), newTestIdentity(t, "bob")
	impostor := newTestIdentity(t, "server")
	fakeAlice := newTestIdentity(t, "alice")
	// Issued by a listed key, though that key is no authority.
	issued := &Identity{Name: "alice", Key: bob.Key, Certificate: issue(t, "alice", bob.Key.Public(), "alice", alice.Key)}
	expired := &Identity{Name: "alice", Key: alice.Key, Certificate: expiredCertificate(t, alice)}

	for name, c := range map[string]struct {
		server, client *Identity
		accept         [][]byte
		serverName     string
		serverCert     []byte
		ok             bool
	}{
		"right":                    {server, alice, [][]byte{bob.Certificate, alice.Certificate}, "server", server.Certificate, true},
		"client not listed":        {server, alice, [][]byte{bob.Certificate}, "server", server.Certificate, false},
		"nobody listed":            {server, alice, nil, "server", server.Certificate, false},
		"client's name, other key": {server, fakeAlice, [][]byte{alice.Certificate}, "server", server.Certificate, false},
		"issued by a listed key":   {server, issued, [][]byte{alice.Certificate}, "server", server.Certificate, false},
		"expired":                  {server, expired, [][]byte{expired.Certificate}, "server", server.Certificate, false},
		"server's name, other key": {impostor, alice, [][]byte{alice.Certificate}, "server", server.Certificate, false},
		"server of another name":   {server, alice, [][]byte{alice.Certificate}, "other", server.Certificate, false},
		"no server certificate":    {server, alice, [][]byte{alice.Certificate}, "server", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			serverErr, clientErr := handshake(t, ServerTLS(c.server, c.accept...), ClientTLS(c.client, c.serverName, c.serverCert))
			if c.ok && (serverErr != nil || clientErr != nil) {
				t.Errorf("refused: server %v, client %v", serverErr, clientErr)
			}
			if !c.ok && (serverErr == nil || clientErr == nil) {
				t.Errorf("accepted: server %v, client %v", serverErr, clientErr)
			}
		})
	}

	t.Run("no client certificate", func(t *testing.T) {
		client := ClientTLS(alice, "server", server.Certificate)
		client.Certificates = nil
		if _, err := handshake(t, ServerTLS(server, alice.Certificate), client); err == nil {
			t.Error("accepted")
		}
	})
	t.Run("TLS 1.2", func(t *testing.T) {
		client := ClientTLS(alice, "server", server.Certificate)
		client.MinVersion, client.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		if _, err := handshake(t, ServerTLS(server, alice.Certificate), client); err == nil {
			t.Error("accepted")
		}
	})
}

func expiredCertificate(t *testing.T, id *Identity) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: id.Name}, DNSNames: []string{id.Name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, id.Key.Public(), id.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRecipientKey(t *testing.T) {
	priv, pub, err := NewRecipientKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, _, err = LoadRecipientKey(dir)
	wantError(t, err, "consilium init")
	if err := SaveRecipientKey(dir, priv); err != nil {
		t.Fatal(err)
	}
	wantError(t, SaveRecipientKey(dir, priv), "never overwritten")
	wantError(t, SaveRecipientKey(t.TempDir(), priv[1:]), "not an MLKEM768-X25519 private key")
	gotPriv, gotPub, err := LoadRecipientKey(dir)
	if err != nil || !bytes.Equal(gotPriv, priv) || !bytes.Equal(gotPub, pub) || CheckRecipientKey(gotPub) != nil {
		t.Errorf("loaded keys differ: %v", err)
	}
	kem := hpke.MLKEM768X25519()
	public, err := kem.NewPublicKey(gotPub)
	if err != nil {
		t.Fatal(err)
	}
	private, err := kem.NewPrivateKey(gotPriv)
	if err != nil {
		t.Fatal(err)
	}
	info := SealInfo(Hash{1}, [32]byte{2}, "a", "b")
	sealed, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), info, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed); err != nil || string(got) != "hello" {
		t.Errorf("opened %q, %v", got, err)
	}
	path := filepath.Join(dir, "recipient.key")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = LoadRecipientKey(dir)
	wantError(t, err, "chmod 600")
	wantError(t, CheckRecipientKey(bytes.Repeat([]byte{0xff}, RecipientKeySize)), "not an MLKEM768-X25519 public key")
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	for _, content := range []string{"one", "two"} {
		if err := WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("got %q, %v", got, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	wantError(t, WriteFile(filepath.Join(dir, "none", "x"), nil, 0o600), "cannot be written")
	// A directory in the way of the rename leaves no temporary file.
	if err := os.MkdirAll(filepath.Join(dir, "d", "e"), 0o755); err != nil {
		t.Fatal(err)
	}
	wantError(t, WriteFile(filepath.Join(dir, "d"), []byte("x"), 0o600), "cannot be written")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
