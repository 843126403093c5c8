package main

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/node/overlay"
	"consilium/node/peer"
)

const (
	// wait bounds each wait for another party.
	wait = 2 * time.Minute
	// protocolVersion is what the links compare in their hello.
	protocolVersion = 1
)

// order is what one process is told to do.
type order struct {
	Self         int
	Names        []string
	Certificates [][]byte // DER
	Key          []byte   // Ed25519 seed of this party's certificate, made for this run
	Addresses    []string // of the parties of higher index, which are dialled
	Listen       string
	Session      []byte // 32 bytes
	Data         []byte // 32 bytes: seed of the public inputs' shares

	Lead time.Duration // see barrier
	Wire int           // not 0: frames of each transfer over bare connections, instead of an operation
	Op   string
	Rows int
	Cols int

	Sites *sites // not nil: Op is a sum over sites

	Consigned *consigned // not nil: a deposit
	watch     *stopwatch
}

// do carries the order out, with the heap bound of the node daemon.
func (o *order) do(ctx context.Context, ready func(address string) error) (*measured, error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if o.Wire > 0 {
		return o.wire(ctx, ready)
	}
	if o.Consigned != nil {
		return o.consign(ctx, ready)
	}
	return o.measure(ctx, ready)
}

// network starts this party's links and says where they listen.
func (o *order) network(ctx context.Context, ready func(address string) error) (*peer.Net, error) {
	id := o.identity()
	cfg := peer.Config{
		Self: mpc.PartyID(o.Self), Identity: id.TLS(), Listen: o.Listen,
		Protocol: protocolVersion, Roster: [32]byte(o.Session),
	}
	for i, name := range o.Names {
		cfg.Peers = append(cfg.Peers, peer.Peer{Name: name, Address: o.Addresses[i], Certificate: o.Certificates[i]})
	}
	n, err := o.listen(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := ready(n.Addr().String()); err != nil {
		_ = n.Close() // nobody knows of it
		return nil, err
	}
	return n, nil
}

// listen starts the links, over what carries them.
func (o *order) listen(ctx context.Context, cfg peer.Config) (*peer.Net, error) {
	if o.Sites == nil || o.Sites.Overlay != job.OverlayOnet {
		return peer.Listen(ctx, cfg)
	}
	return overlay.Listen(ctx, cfg, filepath.Join(o.Sites.Scratch, o.Names[o.Self]))
}

func (o *order) identity() *job.Identity {
	return &job.Identity{
		Name: o.Names[o.Self], Key: ed25519.NewKeyFromSeed(o.Key), Certificate: o.Certificates[o.Self],
	}
}

// measure runs the operation as this party. It calls ready with the address on
// which it awaits the parties of lower index.
func (o *order) measure(ctx context.Context, ready func(address string) error) (*measured, error) {
	n, err := o.network(ctx, ready)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	id := mpc.SessionID(o.Session)
	if err := n.Admit(id); err != nil {
		return nil, err
	}
	defer n.Release(id)
	rec := &recorder{transport: n}
	s, err := o.session(ctx, rec)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	sent := func() (sent uint64) {
		for p := range o.Names {
			sent += n.Stats(mpc.PartyID(p)).BytesSent
		}
		return sent
	}
	if o.Sites != nil {
		return o.sum(s, rec, sent)
	}
	return o.clock(s, rec, sent)
}

// session agrees on seeds with the other parties and starts a session.
func (o *order) session(ctx context.Context, t mpc.Transport) (*mpc.Session, error) {
	all := make([]mpc.PartyID, len(o.Names))
	for i := range all {
		all[i] = mpc.PartyID(i)
	}
	seeds, err := o.agree(ctx, t, all)
	if err != nil {
		return nil, err
	}
	c := mpc.Config{
		ID: mpc.SessionID(o.Session), Self: mpc.PartyID(o.Self), Names: o.Names, Compute: all,
		Transport: t, Seeds: seeds, Timeout: wait,
	}
	if o.Sites != nil {
		o.watch = new(stopwatch)
		c.Timeout, c.Progress = o.Sites.Patience, o.watch.hear
	}
	return mpc.NewSession(ctx, c)
}

// agree makes the seeds that parties share. Sites share none.
func (o *order) agree(ctx context.Context, t mpc.Transport, all []mpc.PartyID) (mpc.Seeds, error) {
	if o.Sites != nil {
		return mpc.Agree(ctx, mpc.Agreement{})
	}
	self := mpc.PartyID(o.Self)
	keys := make([]ed25519.PublicKey, len(all))
	for i := range all {
		var err error
		if keys[i], err = job.CertificateKey(o.Certificates[i]); err != nil {
			return mpc.Seeds{}, err
		}
	}
	return mpc.Agree(ctx, mpc.Agreement{
		ID: mpc.SessionID(o.Session), Self: self, Names: o.Names, Transport: t,
		Peers: slices.DeleteFunc(slices.Clone(all), func(p mpc.PartyID) bool { return p == self }),
		Key:   o.identity().Key, PeerKey: func(p mpc.PartyID) ed25519.PublicKey { return keys[p] }, Timeout: wait,
	})
}
