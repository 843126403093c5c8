// Package linktest runs nodes with real links on loopback in one process, so that
// a test of a protocol in memory is a test over every transport. Only tests may
// import it.
package linktest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/node/overlay"
	"consilium/node/peer"
)

// patience bounds the wait for links to come up.
const patience = 30 * time.Second

// Worlds makes worlds of which all run over the same transport.
type Worlds = func(memnet.Config) *memnet.World

// Each runs a test three times: in memory, over TLS links and over onet. The test
// makes its worlds with the function that it is given; nodes start once for each
// number of participants.
func Each(t *testing.T, test func(t *testing.T, worlds Worlds)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, memnet.New) })
	t.Run("tls", func(t *testing.T) { test(t, over(t, TLS(t))) })
	t.Run("onet", func(t *testing.T) { test(t, over(t, Onet(t))) })
}

// over makes worlds over nodes that listen starts.
func over(t *testing.T, listen func(peer.Config) (*peer.Net, error)) Worlds {
	nodes := make(map[int][]memnet.Link)
	return func(cfg memnet.Config) *memnet.World {
		n := cfg.N
		if n == 0 {
			n = max(3, len(cfg.Names))
		}
		if nodes[n] == nil {
			nodes[n] = Links(t, n, listen)
		}
		cfg.Links = nodes[n]
		return memnet.New(cfg)
	}
}

// TLS starts nodes that are linked by TLS.
func TLS(testing.TB) func(peer.Config) (*peer.Net, error) {
	return func(cfg peer.Config) (*peer.Net, error) { return peer.Listen(context.Background(), cfg) }
}

// Onet starts nodes that are linked over onet.
func Onet(t testing.TB) func(peer.Config) (*peer.Net, error) {
	return func(cfg peer.Config) (*peer.Net, error) {
		return overlay.Listen(context.Background(), cfg, t.TempDir())
	}
}

// Links starts n nodes, waits until all are linked, and closes them with the test.
func Links(t testing.TB, n int, listen func(peer.Config) (*peer.Net, error)) []memnet.Link {
	t.Helper()
	var links []memnet.Link
	nets := Nodes(t, Roster(t, n), listen)
	for _, net := range nets {
		links = append(links, net)
	}
	tick, limit := time.NewTicker(time.Millisecond), time.After(patience)
	defer tick.Stop()
	for i, net := range nets {
		for p := range n {
			for p != i && net.Status(mpc.PartyID(p)) != nil {
				select {
				case <-tick.C:
				case <-limit:
					t.Fatal(net.Status(mpc.PartyID(p)))
				}
			}
		}
	}
	return links
}

// Nodes starts all nodes of a roster and closes them with the test.
func Nodes(t testing.TB, roster []Member, listen func(peer.Config) (*peer.Net, error)) []*peer.Net {
	t.Helper()
	nets := make([]*peer.Net, len(roster))
	for i := range slices.Backward(roster) { // lower nodes dial higher ones, whose ports must be known
		net, err := listen(Config(roster, i))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = net.Close() })
		nets[i], roster[i].Peer.Address = net, net.Addr().String()
	}
	return nets
}

// Member is a node of a test's roster with its private key.
type Member struct {
	Peer     peer.Peer
	Identity tls.Certificate
}

// Roster makes n nodes with fresh keys.
func Roster(t testing.TB, n int) []Member {
	t.Helper()
	roster := make([]Member, n)
	for i := range roster {
		name := fmt.Sprintf("hospital-%d", i+1)
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		roster[i].Identity = Certify(t, name, public, private)
		roster[i].Peer = peer.Peer{Name: name, Address: "127.0.0.1:0", Certificate: roster[i].Identity.Certificate[0]}
	}
	return roster
}

// Certify makes a self-signed certificate as nodes have it.
func Certify(t testing.TB, name string, public ed25519.PublicKey, private ed25519.PrivateKey) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// Config is what node i of a roster starts with.
func Config(roster []Member, i int) peer.Config {
	cfg := peer.Config{
		Self: mpc.PartyID(i), Identity: roster[i].Identity, Listen: roster[i].Peer.Address,
		Protocol: 1, Roster: [32]byte{1},
	}
	for _, m := range roster {
		cfg.Peers = append(cfg.Peers, m.Peer)
	}
	return cfg
}
