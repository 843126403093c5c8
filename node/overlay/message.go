package overlay

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.dedis.ch/onet/v3/network"
)

const (
	// protocolName names the one protocol; its number changes with Message.
	protocolName = "consilium pipe 1"

	// maxPiece is the longest Data. onet carries 4 MiB as well; but a peer is heard
	// only when a whole piece of it has come, and a slow link must not seem silent.
	maxPiece = 512 << 10

	// maxPacket is the longest message of onet, with what it adds around a piece.
	// It is below onet's own limit, above which messages vanish.
	maxPacket = maxPiece + 64<<10

	// window is how many bytes a pipe's other end may send before this one has read
	// any: enough for a fast link with a long way.
	window = 16 * maxPiece
)

// Kinds of messages.
const (
	kindOpen   = 1 + iota // the first of a pipe
	kindData              // Data follows
	kindCredit            // Size more bytes may be sent
	kindEnd               // no more data comes
	kindReset             // the pipe is of no use any more
)

// Message is what travels in a pipe.
type Message struct {
	Kind   uint32
	Number uint64 // counts from 0 in each direction
	Size   uint64
	Data   []byte
}

// register makes the messages known to onet, which has to happen before the first
// one is sent or read.
func register() (message network.MessageTypeID) {
	return network.RegisterMessages(&Message{})[0]
}

// typeSize is the length of the type with which each of onet's messages begins.
const typeSize = len(network.MessageTypeID{})

// typeOf returns the type of an encoded message.
func typeOf(b []byte) (network.MessageTypeID, error) {
	if len(b) < typeSize {
		return network.ErrorType, fmt.Errorf("message of %d bytes", len(b))
	}
	return network.MessageTypeID(b[:typeSize]), nil
}

// encode returns a message as it travels, behind its length.
func encode(m network.Message) ([]byte, error) {
	b, err := network.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(b) > maxPacket {
		return nil, fmt.Errorf("message of %d bytes, at most %d travel", len(b), maxPacket)
	}
	packet := make([]byte, lengthSize, lengthSize+len(b))
	binary.BigEndian.PutUint32(packet, uint32(len(b)))
	return append(packet, b...), nil
}

// lengthSize is the size of a message's length before it.
const lengthSize = 4

// decode reads a message of one of the types. onet's decoder follows nested
// structures without limit, which the allowed types do not have.
func decode(b []byte, suite network.Suite, allowed ...network.MessageTypeID) (network.Message, network.MessageTypeID, error) {
	kind, err := typeOf(b)
	if err != nil {
		return nil, kind, err
	}
	for _, t := range allowed {
		if kind == t {
			_, m, err := network.Unmarshal(b, suite)
			return m, kind, err
		}
	}
	return nil, kind, errors.New("message of a type that has no place here")
}
