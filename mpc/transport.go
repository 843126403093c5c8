package mpc

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
)

// PartyID is a participant's index in the session's list of names. Compute
// parties and sites share one numbering: that of the study's roster.
type PartyID int

// SessionID names one run of one job. It is a hash that no single participant
// can choose, and it never repeats.
type SessionID [32]byte

// String returns the first eight bytes in hex: enough to find a session in logs.
func (id SessionID) String() string { return hex.EncodeToString(id[:8]) }

// LogValue is String for structured logs.
func (id SessionID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// MarshalText writes the whole id in hex.
func (id SessionID) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(id[:])), nil }

// Channel is one FIFO queue of frames from one participant to another: a
// session and the path of a step in it.
type Channel struct {
	Session SessionID
	Step    string
}

// ErrEnded says that a peer has left the session in good order and sends no
// more in it. Frames that it sent before are delivered first.
var ErrEnded = errors.New("peer has ended the session")

// MaxFrame is the largest frame, in bytes, that a Transport must carry. Longer
// vectors travel as several frames of one channel.
const MaxFrame = 4 << 20

// Transport moves frames between the participants of sessions. Frames of one
// channel from one sender arrive in the order in which they were sent; nothing
// is promised between channels. Implementations authenticate both ends and
// encrypt, and are safe for concurrent use.
type Transport interface {
	// Send queues frame for to. It does not keep frame after it returns. It
	// blocks while the receiver is too far behind, until ctx ends, but not before
	// two frames of the channel are unread: parties that exchange long vectors
	// send one frame ahead of what they have received.
	Send(ctx context.Context, to PartyID, ch Channel, frame []byte) error
	// Recv returns the next frame of ch that from sent. The frame is the
	// caller's. It waits until ctx ends, the link to from is known to be lost, or
	// from has ended the session (ErrEnded).
	Recv(ctx context.Context, from PartyID, ch Channel) ([]byte, error)
}

// Recycler is a Transport that can use the memory of frames again.
type Recycler interface {
	// Recycle takes back a frame that Recv returned. Its content is lost at once.
	Recycle(frame []byte)
}
