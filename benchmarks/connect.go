package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"consilium/job"
)

// connect makes one connection with each other party; the lower one dials.
func (o *order) connect(ctx context.Context, ready func(address string) error) (map[int]*tls.Conn, error) {
	conns := make(map[int]*tls.Conn)
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return conns, err
	}
	defer listener.Close()
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	if err := ready(listener.Addr().String()); err != nil {
		return conns, err
	}
	id := o.identity()
	for p := o.Self + 1; p < parties; p++ {
		config := job.ClientTLS(id, o.Names[p], o.Certificates[p])
		config.DynamicRecordSizingDisabled = true
		d := tls.Dialer{Config: config}
		c, err := d.DialContext(ctx, "tcp", o.Addresses[p])
		if err != nil {
			return conns, fmt.Errorf("connect to %s: %w", o.Names[p], err)
		}
		conns[p] = c.(*tls.Conn)
	}
	config := job.ServerTLS(id, o.Certificates...)
	config.DynamicRecordSizingDisabled = true
	for range o.Self {
		raw, err := listener.Accept()
		if err != nil {
			return conns, err
		}
		c := tls.Server(raw, config)
		if err := c.HandshakeContext(ctx); err != nil {
			return conns, errors.Join(err, raw.Close())
		}
		p := slices.IndexFunc(o.Certificates, func(der []byte) bool {
			return bytes.Equal(der, c.ConnectionState().PeerCertificates[0].Raw)
		})
		conns[p] = c
	}
	return conns, nil
}
