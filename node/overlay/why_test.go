package overlay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"go.dedis.ch/kyber/v3/util/key"
	"go.dedis.ch/onet/v3/network"
)

// TestWhyOnetsOwnTLSIsNotUsed stands between two nodes that talk by onet's own TLS
// and is taken for the second by the first: onet signs the nonce of whoever asks,
// and not the key of the certificate that carries the signature. When this test
// fails, onet has been mended, and the host of this package may be thought over.
func TestWhyOnetsOwnTLSIsNotUsed(t *testing.T) {
	honest := func() *network.ServerIdentity {
		pair := key.NewKeyPair(suite)
		si := network.NewServerIdentity(pair.Public, "tls://127.0.0.1:0")
		si.SetPrivate(pair.Private)
		return si
	}
	first, second := honest(), honest()
	listener, err := network.NewTLSListenerWithListenAddr(second, suite, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- listener.Listen(func(c network.Conn) { _, _ = c.Receive() }) }()
	t.Cleanup(func() {
		_ = listener.Stop()
		<-done
	})
	between, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		ClientAuth: tls.RequireAnyClientCert, // onet shows one when it is asked with a nonce
		ClientCAs:  poolOf(make([]byte, 32)),
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return impersonate(listener.Address().NetworkAddress(), hello.ServerName)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = between.Close() })
	fooled := make(chan error, 1)
	go func() {
		c, err := between.Accept()
		if err == nil {
			err = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
		fooled <- err
	}()
	elsewhere := *second
	elsewhere.Address = network.NewTLSAddress(between.Addr().String())
	c, err := network.NewTLSConn(first, &elsewhere, suite)
	if err != nil {
		t.Fatalf("the first node was not fooled: %v", err)
	}
	if err := <-fooled; err != nil {
		t.Errorf("in between: %v", err)
	}
	_ = c.Close()
}

func poolOf(subject []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(&x509.Certificate{RawSubject: subject})
	return pool
}

// impersonate asks a node of onet to sign a nonce and puts its signature into a
// certificate with a key of our own.
func impersonate(node, nonce string) (*tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	var shown *x509.Certificate
	enough := errors.New("this is all that we wanted")
	tcp, err := net.Dial("tcp", node)
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	err = tls.Client(tcp, &tls.Config{ServerName: nonce, InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
		shown, err = x509.ParseCertificate(raw[0])
		return errors.Join(err, enough)
	}}).Handshake()
	if !errors.Is(err, enough) || shown == nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: shown.Subject.CommonName},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, ExtKeyUsage: shown.ExtKeyUsage, URIs: []*url.URL{shown.URIs[0]},
	}
	for _, e := range shown.Extensions {
		if len(e.Id) > 6 && e.Id[6] == 51281 { // onet's signature
			template.ExtraExtensions = []pkix.Extension{e}
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}
