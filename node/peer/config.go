package peer

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"consilium/mpc"
)

// Peer is one node of the roster.
type Peer struct {
	Name        string // roster name; the certificate carries it as DNS name
	Address     string // host:port that lower-indexed nodes dial
	Certificate []byte // DER, exactly the roster's bytes
}

// Config is what a Net is made of. Zero durations and a zero Window take the
// defaults named beside them.
type Config struct {
	Self     mpc.PartyID     // this node's index in Peers
	Peers    []Peer          // roster order, this node included
	Identity tls.Certificate // its leaf is Peers[Self].Certificate
	Listen   string          // host:port on which higher-indexed nodes await the lower ones

	// Carrier, if not nil, makes the connections instead of TCP and TLS on Listen.
	// The Net closes it.
	Carrier Carrier

	Protocol int      // 1 to 65535; the two ends of a link must have the same
	Roster   [32]byte // hash of the roster; the two ends must have the same

	Heartbeat time.Duration // a ping this often; 5 s
	Idle      time.Duration // silent or stuck for so long is lost; 15 s, at least 2 Heartbeat of any peer
	Handshake time.Duration // for connecting, TLS and hello together; 10 s
	Early     time.Duration // how long frames of a session wait for its admission; 1 min
	Window    int           // bytes of unread frames a session and peer; 64 MiB, 16 MiB to 1 GiB

	Log *slog.Logger // nil discards
}

// The smallest window holds two of the largest frames, which mpc.Transport
// promises, and the credit that a receiver may withhold (an eighth).
const (
	minWindow = 16 << 20
	maxWindow = 1 << 30
)

// Prepared returns a copy with its defaults filled in, or what is wrong with c.
func (c Config) Prepared() (Config, error) {
	c.Heartbeat = cmp.Or(c.Heartbeat, 5*time.Second)
	c.Idle = cmp.Or(c.Idle, 15*time.Second)
	c.Handshake = cmp.Or(c.Handshake, 10*time.Second)
	c.Early = cmp.Or(c.Early, time.Minute)
	c.Window = cmp.Or(c.Window, 64<<20)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	switch {
	case c.Protocol < 1 || c.Protocol > math.MaxUint16:
		return c, fmt.Errorf("protocol version %d is not between 1 and %d", c.Protocol, math.MaxUint16)
	case c.Heartbeat < 0 || c.Handshake < 0 || c.Early < 0 || c.Idle < 2*c.Heartbeat:
		return c, fmt.Errorf("durations must be positive and idle (%v) at least twice heartbeat (%v)", c.Idle, c.Heartbeat)
	case c.Window < minWindow || c.Window > maxWindow:
		return c, fmt.Errorf("window of %d bytes is not between %d and %d", c.Window, minWindow, maxWindow)
	}
	return c, c.checkPeers()
}

func (c *Config) checkPeers() error {
	if len(c.Peers) > math.MaxUint16 || int(c.Self) < 0 || int(c.Self) >= len(c.Peers) {
		return fmt.Errorf("self is node %d of %d", c.Self, len(c.Peers))
	}
	names, certs := make(map[string]bool), make(map[string]bool)
	for i, p := range c.Peers {
		if p.Name == "" {
			return fmt.Errorf("node %d has no name", i)
		}
		if names[p.Name] || certs[string(p.Certificate)] {
			return fmt.Errorf("node %d (%s) repeats the name or the certificate of another", i, p.Name)
		}
		names[p.Name], certs[string(p.Certificate)] = true, true
		leaf, err := x509.ParseCertificate(p.Certificate)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", p.Name, err)
		}
		if err := leaf.VerifyHostname(p.Name); err != nil {
			return fmt.Errorf("certificate of %s: %w", p.Name, err)
		}
	}
	if len(c.Identity.Certificate) == 0 || !bytes.Equal(c.Identity.Certificate[0], c.Peers[c.Self].Certificate) {
		return errors.New("this node's certificate is not the one that the roster holds for " + c.Peers[c.Self].Name)
	}
	return nil
}
