package peer

import (
	"encoding/binary"
	"fmt"

	"consilium/mpc"
)

// What both ends of a link agree on; changing any of it is a new protocol
// version.
const (
	headerSize = 40  // bytes before every step name and payload
	maxStep    = 512 // bytes of a step's path

	// frameOverhead is what a frame costs beyond its bytes, so that a flood of
	// empty frames spends credit as it spends the receiver's memory.
	frameOverhead = 256

	// earlyWindow is the credit for a session that the receiver has not yet
	// admitted; larger frames wait for the admission.
	earlyWindow = 256 << 10

	// maxCredit bounds what a receiver may ever grant one session.
	maxCredit = 1 << 40
)

// kind says what a header announces.
type kind uint8

const (
	kindFrame  kind = 1 + iota // step and payload of a session follow
	kindCredit                 // size more bytes of the session may be sent
	kindEnd                    // the sender has left the session in good order
	kindDrop                   // the sender has lost or refused the session
	kindPing                   // keeps the link audible
)

// header is laid out as size (4 bytes), kind (1), zero (1), step length (2),
// session (32), big-endian.
type header struct {
	kind    kind
	size    uint32 // frame: payload bytes; credit: bytes granted; otherwise 0
	step    uint16 // frame: bytes of the step's path; otherwise 0
	session mpc.SessionID
}

// cost is what a frame takes from its session's credit.
func (h header) cost() int64 { return frameCost(int(h.step), int(h.size)) }

func frameCost(step, payload int) int64 { return int64(frameOverhead + step + payload) }

func (h header) encode(b []byte) {
	binary.BigEndian.PutUint32(b, h.size)
	b[4], b[5] = byte(h.kind), 0
	binary.BigEndian.PutUint16(b[6:], h.step)
	copy(b[8:headerSize], h.session[:])
}

// decodeHeader takes exactly one header and refuses whatever encode does not
// produce.
func decodeHeader(b *[headerSize]byte) (header, error) {
	h := header{
		kind:    kind(b[4]),
		size:    binary.BigEndian.Uint32(b[:]),
		step:    binary.BigEndian.Uint16(b[6:]),
		session: mpc.SessionID(b[8:]),
	}
	switch {
	case h.kind < kindFrame || h.kind > kindPing:
		return header{}, fmt.Errorf("message of unknown kind %d", h.kind)
	case b[5] != 0:
		return header{}, fmt.Errorf("reserved byte is %d, want 0", b[5])
	case h.kind == kindFrame && h.size > mpc.MaxFrame:
		return header{}, fmt.Errorf("frame of %d bytes, at most %d are allowed", h.size, mpc.MaxFrame)
	case h.kind == kindFrame && h.step > maxStep:
		return header{}, fmt.Errorf("step name of %d bytes, at most %d are allowed", h.step, maxStep)
	case h.kind != kindFrame && h.step != 0:
		return header{}, fmt.Errorf("message of kind %d with a step name", h.kind)
	case h.kind == kindCredit && h.size == 0:
		return header{}, fmt.Errorf("credit of 0 bytes")
	case h.kind > kindCredit && h.size != 0:
		return header{}, fmt.Errorf("message of kind %d with a payload", h.kind)
	case h.kind == kindPing && h.session != mpc.SessionID{}:
		return header{}, fmt.Errorf("ping that names a session")
	}
	return h, nil
}
