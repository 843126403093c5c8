package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"consilium/mpc"
)

// hello is the first message of either end. Its length, magic and the place of
// the version stay the same in every version, so that two releases that cannot
// work together can still tell each other so.
type hello struct {
	protocol uint16
	from, to uint16 // roster indexes
	roster   [32]byte
}

const (
	helloMagic = "conspeer"
	helloSize  = len(helloMagic) + 2 + 2 + 2 + 32
)

func (h hello) encode() []byte {
	b := make([]byte, 0, helloSize)
	b = append(b, helloMagic...)
	b = binary.BigEndian.AppendUint16(b, h.protocol)
	b = binary.BigEndian.AppendUint16(b, h.from)
	b = binary.BigEndian.AppendUint16(b, h.to)
	return append(b, h.roster[:]...)
}

func decodeHello(b []byte) (hello, error) {
	if len(b) != helloSize || string(b[:len(helloMagic)]) != helloMagic {
		return hello{}, errors.New("the other end is not a consilium node: check the address")
	}
	b = b[len(helloMagic):]
	return hello{
		protocol: binary.BigEndian.Uint16(b),
		from:     binary.BigEndian.Uint16(b[2:]),
		to:       binary.BigEndian.Uint16(b[4:]),
		roster:   [32]byte(b[6:]),
	}, nil
}

// greet sends this end's hello and checks the other's. Both ends send before
// they judge, so both learn of a mismatch.
func greet(conn io.ReadWriter, own hello, name string) error {
	if _, err := conn.Write(own.encode()); err != nil {
		return fmt.Errorf("send hello: %w", err)
	}
	b := make([]byte, helloSize)
	if _, err := io.ReadFull(conn, b); err != nil {
		return fmt.Errorf("%s answers no hello (does its roster hold this node's certificate?): %w", name, err)
	}
	h, err := decodeHello(b)
	if err != nil {
		return err
	}
	switch {
	case h.protocol != own.protocol:
		return fmt.Errorf("%s speaks protocol version %d, this node %d: run the same release on both", name, h.protocol, own.protocol)
	case h.roster != own.roster:
		return fmt.Errorf("%s holds the roster %x…, this node %x…: approve the same roster file on both", name, h.roster[:8], own.roster[:8])
	case h.from != own.to || h.to != own.from:
		return fmt.Errorf("%s calls itself node %d and this one %d, the roster says %d and %d", name, h.from, h.to, own.to, own.from)
	}
	return nil
}

func (n *Net) hello(to mpc.PartyID) hello {
	return hello{
		protocol: uint16(n.cfg.Protocol),
		from:     uint16(n.cfg.Self),
		to:       uint16(to),
		roster:   n.cfg.Roster,
	}
}
