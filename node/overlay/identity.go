package overlay

import (
	"crypto/ed25519"
	"crypto/x509"
	"fmt"

	"go.dedis.ch/kyber/v3"
	"go.dedis.ch/kyber/v3/group/edwards25519"
	"go.dedis.ch/onet/v3/network"

	"consilium/mpc"
	"consilium/node/peer"
)

// address is what onet calls every node. It connects nobody: the host does, by the
// addresses of the roster. onet wants a port with a port behind it.
const address = network.Address("tls://127.0.0.1:1")

// members are the nodes of the roster as onet knows them.
type members struct {
	suite      network.Suite
	identities []*network.ServerIdentity
	known      map[string]mpc.PartyID // by the key's bytes
}

// newMembers reads the Ed25519 keys of the roster's certificates as points of
// onet's curve, which is the same. No private key comes with them.
func newMembers(peers []peer.Peer) (*members, error) {
	m := &members{suite: edwards25519.NewBlakeSHA256Ed25519(), known: make(map[string]mpc.PartyID)}
	for i, p := range peers {
		leaf, err := x509.ParseCertificate(p.Certificate)
		if err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", p.Name, err)
		}
		key, ok := leaf.PublicKey.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("certificate of %s: its key is no Ed25519 key", p.Name)
		}
		if _, twice := m.known[string(key)]; twice {
			return nil, fmt.Errorf("certificate of %s: it has the key of another node", p.Name)
		}
		public := m.suite.Point()
		if err := public.UnmarshalBinary(key); err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", p.Name, err)
		}
		m.known[string(key)] = mpc.PartyID(i)
		m.identities = append(m.identities, network.NewServerIdentity(public, address))
	}
	return m, nil
}

// find returns whose public key it is.
func (m *members) find(public kyber.Point) (mpc.PartyID, bool) {
	if public == nil {
		return 0, false
	}
	key, err := public.MarshalBinary()
	if err != nil {
		return 0, false
	}
	p, ok := m.known[string(key)]
	return p, ok
}
