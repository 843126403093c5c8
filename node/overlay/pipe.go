package overlay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"consilium/mpc"
)

// pipe is a connection with one node inside onet: a stream of bytes in each
// direction, cut into numbered messages. The end that reads grants credit as it
// goes, so that nobody has to wait inside onet, where one who waits holds up all.
type pipe struct {
	peer mpc.PartyID
	name string
	send func(*Message) error // over onet; waits while the connection is stuck

	sending sync.Mutex // held from a message's number until it is sent
	sent    uint64     // messages

	mu        sync.Mutex
	changed   chan struct{} // closed at the next change
	arrived   [][]byte      // pieces not yet read
	received  uint64        // messages
	room      int           // bytes that the peer may still send
	due       int           // bytes that were read and not yet granted again
	credit    int           // bytes that may be sent
	ended     bool          // the peer sends no more
	err       error         // why the pipe is broken
	over      chan struct{} // closed with err
	readBy    time.Time
	writeBy   time.Time
	closeOnce sync.Once
	finish    func() // after the last message, when the pipe is closed
}

var _ net.Conn = (*pipe)(nil)

func newPipe(peer mpc.PartyID, name string) *pipe {
	return &pipe{
		peer: peer, name: name, room: window, credit: window,
		changed: make(chan struct{}), over: make(chan struct{}),
	}
}

// change does something under the lock and wakes who waits.
func (p *pipe) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// fail breaks the pipe. The first reason stays.
func (p *pipe) fail(err error) {
	p.change(func() {
		if p.err == nil {
			p.err = err
			close(p.over)
		}
	})
}

// message numbers and sends a message.
func (p *pipe) message(m Message) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	m.Number = p.sent
	p.sent++
	if err := p.send(&m); err != nil {
		err = fmt.Errorf("send to %s over onet: %w", p.name, err)
		p.fail(err)
		return err
	}
	return nil
}

// deliver takes a message of the peer. It never waits.
func (p *pipe) deliver(m *Message) {
	p.change(func() {
		if p.err != nil {
			return
		}
		if p.err = p.take(m); p.err != nil {
			close(p.over)
		}
	})
}

func (p *pipe) take(m *Message) error {
	if m.Number != p.received {
		return fmt.Errorf("message %d of %s comes in place of %d: some were lost", m.Number, p.name, p.received)
	}
	p.received++
	switch {
	case m.Kind == kindOpen && m.Number == 0:
		return nil
	case m.Kind == kindData && !p.ended && len(m.Data) > 0 && len(m.Data) <= min(p.room, maxPiece):
		p.room -= len(m.Data)
		p.arrived = append(p.arrived, m.Data)
		return nil
	case m.Kind == kindCredit && m.Size > 0 && m.Size <= uint64(window-p.credit):
		p.credit += int(m.Size)
		return nil
	case m.Kind == kindEnd:
		p.ended = true
		return nil
	case m.Kind == kindReset && p.ended:
		return io.EOF
	case m.Kind == kindReset:
		return errors.New(p.name + " has closed the connection")
	}
	return fmt.Errorf("%s breaks the protocol with a message of kind %d and %d bytes", p.name, m.Kind, len(m.Data))
}

// await waits until ready gives true. The caller holds the lock.
func (p *pipe) await(by *time.Time, ready func() bool) error {
	for !ready() {
		changed, limit := p.changed, *by
		p.mu.Unlock()
		err := pause(changed, limit)
		p.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// pause waits for a change, but not beyond a limit that is not zero.
func pause(changed <-chan struct{}, limit time.Time) error {
	var due <-chan time.Time
	if !limit.IsZero() {
		timer := time.NewTimer(time.Until(limit))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-changed:
		return nil
	case <-due:
		return os.ErrDeadlineExceeded
	}
}

// Read implements net.Conn. What came before the pipe broke is still read.
func (p *pipe) Read(b []byte) (int, error) {
	n, grant, err := p.read(b)
	if grant > 0 {
		_ = p.message(Message{Kind: kindCredit, Size: uint64(grant)}) // a failure breaks the pipe, which the next Read tells
	}
	return n, err
}

func (p *pipe) read(b []byte) (n, grant int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.await(&p.readBy, func() bool { return len(p.arrived) > 0 || p.ended || p.err != nil }); err != nil {
		return 0, 0, err
	}
	if len(p.arrived) == 0 {
		if p.ended {
			return 0, 0, io.EOF
		}
		return 0, 0, p.err
	}
	n = copy(b, p.arrived[0])
	if p.arrived[0] = p.arrived[0][n:]; len(p.arrived[0]) == 0 {
		p.arrived[0] = nil
		p.arrived = p.arrived[1:]
	}
	if p.due += n; p.due >= window/4 && p.err == nil {
		grant, p.due = p.due, 0
		p.room += grant
	}
	return n, grant, nil
}

// Write implements net.Conn. Pieces go as soon as the peer has room for all of one.
func (p *pipe) Write(b []byte) (int, error) {
	written := 0
	for len(b) > written {
		piece := b[written:min(len(b), written+maxPiece)]
		if err := p.reserve(len(piece)); err != nil {
			return written, err
		}
		if err := p.message(Message{Kind: kindData, Data: piece}); err != nil {
			return written, err
		}
		written += len(piece)
	}
	return written, nil
}

// reserve waits until the peer has room for n bytes and takes it.
func (p *pipe) reserve(n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.await(&p.writeBy, func() bool { return p.credit >= n || p.err != nil }); err != nil {
		return err
	}
	if p.err != nil {
		return p.err
	}
	p.credit -= n
	return nil
}

// CloseWrite tells the peer that nothing more comes.
func (p *pipe) CloseWrite() error { return p.message(Message{Kind: kindEnd}) }

// Close ends the pipe at once. The peer hears of it when the connection lets it.
func (p *pipe) Close() error {
	p.fail(net.ErrClosed)
	p.closeOnce.Do(p.finish)
	return nil
}

// LocalAddr implements net.Conn.
func (p *pipe) LocalAddr() net.Addr { return pipeAddr("this node") }

// RemoteAddr implements net.Conn.
func (p *pipe) RemoteAddr() net.Addr { return pipeAddr(p.name) }

// SetDeadline implements net.Conn.
func (p *pipe) SetDeadline(t time.Time) error {
	p.change(func() { p.readBy, p.writeBy = t, t })
	return nil
}

// SetReadDeadline implements net.Conn.
func (p *pipe) SetReadDeadline(t time.Time) error {
	p.change(func() { p.readBy = t })
	return nil
}

// SetWriteDeadline implements net.Conn.
func (p *pipe) SetWriteDeadline(t time.Time) error {
	p.change(func() { p.writeBy = t })
	return nil
}

// pipeAddr is the name of a node at one end of a pipe.
type pipeAddr string

// Network implements net.Addr.
func (pipeAddr) Network() string { return "onet" }

// String implements net.Addr.
func (a pipeAddr) String() string { return string(a) }
