package job

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// ServerTLS is the configuration of a listener that admits exactly the clients
// whose certificates (DER) are given. Who a peer is follows from its leaf's
// bytes: Roster.NodeByCert, Roster.ClientByCert.
func ServerTLS(id *Identity, accept ...[]byte) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{id.TLS()},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              pool(accept),
		VerifyConnection:       leafAmong(accept),
		SessionTicketsDisabled: true, // every connection shows its certificate
	}
}

// ClientTLS is the configuration of a connection to the server of that roster
// name with exactly that certificate (DER).
func ClientTLS(id *Identity, serverName string, serverCert []byte) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{id.TLS()},
		RootCAs:                pool([][]byte{serverCert}),
		ServerName:             serverName,
		VerifyConnection:       leafAmong([][]byte{serverCert}),
		SessionTicketsDisabled: true,
	}
}

// pool never is nil, which would stand for the system's authorities. What does
// not parse is left out: it can verify nobody.
func pool(ders [][]byte) *x509.CertPool {
	p := x509.NewCertPool()
	for _, der := range ders {
		if cert, err := parseCertificate(der); err == nil {
			p.AddCert(cert)
		}
	}
	return p
}

// leafAmong compares bytes on top of the standard verification, which by itself
// would also accept a certificate that one in the pool has issued.
func leafAmong(ders [][]byte) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		for _, der := range ders {
			if len(state.PeerCertificates) > 0 && bytes.Equal(state.PeerCertificates[0].Raw, der) {
				return nil
			}
		}
		return errors.New("peer's certificate is not the one of the roster: compare roster hashes and the peer's card")
	}
}
