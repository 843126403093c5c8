package peer

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"consilium/mpc"
)

// Both configs let the standard library verify against pools that hold roster
// certificates and nothing else, and then compare the leaf byte for byte: a
// second certificate over a pinned key, or signed by it, is refused as well.

func (c *Config) baseTLS() *tls.Config {
	return &tls.Config{
		Certificates:                []tls.Certificate{c.Identity},
		MinVersion:                  tls.VersionTLS13,
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true, // frames are bulk data: full records at once
	}
}

func (c *Config) clientTLS(to mpc.PartyID) (*tls.Config, error) {
	pool, err := poolOf(c.Peers[to])
	if err != nil {
		return nil, err
	}
	t := c.baseTLS()
	t.RootCAs = pool
	t.ServerName = c.Peers[to].Name
	t.VerifyConnection = func(s tls.ConnectionState) error {
		if !bytes.Equal(s.PeerCertificates[0].Raw, c.Peers[to].Certificate) {
			return fmt.Errorf("the certificate is not the one that the roster holds for %s", c.Peers[to].Name)
		}
		return nil
	}
	return t, nil
}

func (c *Config) serverTLS() (*tls.Config, error) {
	pool, err := poolOf(c.Peers...)
	if err != nil {
		return nil, err
	}
	t := c.baseTLS()
	t.ClientAuth = tls.RequireAndVerifyClientCert
	t.ClientCAs = pool
	t.VerifyConnection = func(s tls.ConnectionState) error {
		_, err := c.identify(s)
		return err
	}
	return t, nil
}

// identify finds the node whose pinned certificate the client showed. Only
// nodes of a lower index dial this one.
func (c *Config) identify(s tls.ConnectionState) (mpc.PartyID, error) {
	for i, p := range c.Peers {
		if !bytes.Equal(s.PeerCertificates[0].Raw, p.Certificate) {
			continue
		}
		if mpc.PartyID(i) >= c.Self {
			return 0, fmt.Errorf("%s (node %d) dials node %d: only lower nodes dial higher ones", p.Name, i, c.Self)
		}
		return mpc.PartyID(i), nil
	}
	return 0, errors.New("the certificate is in no entry of the roster")
}

func poolOf(peers ...Peer) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, p := range peers {
		leaf, err := x509.ParseCertificate(p.Certificate)
		if err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", p.Name, err)
		}
		pool.AddCert(leaf)
	}
	return pool, nil
}
