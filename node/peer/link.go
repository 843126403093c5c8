package peer

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// recordSize is the largest TLS record: a small frame travels in one.
const recordSize = 16 << 10

// linger bounds how long a closing node waits for a peer to read the rest.
const linger = 2 * time.Second

// link is one connection to a peer, from hello to loss.
type link struct {
	r    *remote
	raw  *burst
	conn secured
	in   *bufio.Reader

	lock chan struct{}    // held while writing; a channel, so that waiting for it can end
	out  [recordSize]byte // start of the message being written

	once sync.Once
	err  error         // why the link was lost; set before done is closed
	done chan struct{} // closed when the link is lost
}

// secured is a connection with what makes it secure: TLS, or a carrier's own.
type secured interface {
	io.ReadWriter
	CloseWrite() error
}

func newLink(r *remote, raw *burst, conn secured) *link {
	return &link{
		r: r, raw: raw, conn: conn, in: bufio.NewReaderSize(conn, recordSize),
		lock: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// timedConn gives every single read and write the same limit of time, so that a
// slow link lives as long as it moves and a silent one does not, and counts
// bytes.
type timedConn struct {
	net.Conn
	limit          time.Duration
	sent, received *atomic.Uint64
}

func (c *timedConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	c.received.Add(uint64(n))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("nothing heard for %v", c.limit)
	}
	return n, err
}

func (c *timedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	c.sent.Add(uint64(n))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("nothing taken for %v", c.limit)
	}
	return n, err
}

// run serves the link until it is lost or ctx ends, and returns why.
func (l *link) run(ctx context.Context, heartbeat time.Duration) error {
	l.r.attach(l)
	var control sync.WaitGroup
	control.Go(func() { l.control(ctx, heartbeat) })
	control.Go(func() { l.bound(ctx) })
	l.fail(plain(l.receive()))
	control.Wait()
	l.r.detach(l)
	return l.err
}

// plain puts the ways in which a connection ends into words.
func plain(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was cut")
	case errors.Is(err, io.EOF):
		return errors.New("the peer has closed it")
	}
	return err
}

// fail gives the link up. The first reason stays.
func (l *link) fail(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.done)
		_ = l.raw.Close() // the link is lost either way
	})
}

// receive reads messages until the link fails.
func (l *link) receive() error {
	var head [headerSize]byte
	var step [maxStep]byte
	for {
		if _, err := io.ReadFull(l.in, head[:]); err != nil {
			return err
		}
		h, err := decodeHeader(&head)
		if err != nil {
			return fmt.Errorf("protocol broken: %w", err)
		}
		switch h.kind {
		case kindPing:
		case kindFrame:
			err = l.receiveFrame(h, step[:h.step])
		default:
			if err = l.r.handle(l, h); err != nil {
				err = fmt.Errorf("protocol broken: %w", err)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) receiveFrame(h header, step []byte) error {
	if _, err := io.ReadFull(l.in, step); err != nil {
		return cutShort(err)
	}
	lane, err := l.r.expect(l, h)
	if err != nil {
		return fmt.Errorf("protocol broken: %w", err)
	}
	if lane == nil {
		_, err := l.in.Discard(int(h.size))
		return cutShort(err)
	}
	payload := l.r.shelf.get(int(h.size))
	if _, err := io.ReadFull(l.in, payload); err != nil {
		return cutShort(err)
	}
	l.r.deliver(lane, string(step), payload)
	return nil
}

// cutShort makes an end inside a frame an unexpected one.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// send writes a frame for which credit is reserved. It gives up when ctx ends
// before its turn to write; a frame begun is written to its end, which Idle
// bounds. It reports whether anything was written.
func (l *link) send(ctx context.Context, h header, step string, payload []byte) (bool, error) {
	select {
	case l.lock <- struct{}{}:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-l.done:
		return false, l.r.lost(l.err)
	}
	defer func() { <-l.lock }()
	return true, l.write(h, step, payload)
}

// write needs the lock. Header, step and the payload's start share one record;
// the rest is not copied.
func (l *link) write(h header, step string, payload []byte) error {
	h.encode(l.out[:])
	n := headerSize + copy(l.out[headerSize:], step)
	first := copy(l.out[n:], payload)
	large := first < len(payload)
	if large {
		l.raw.begin()
	}
	_, err := l.conn.Write(l.out[:n+first])
	if large {
		if err == nil {
			_, err = l.conn.Write(payload[first:])
		}
		err = cmp.Or(err, l.raw.end())
	}
	if err != nil {
		l.fail(err)
		return l.r.lost(l.err)
	}
	return nil
}

// control writes pings, credits and ends of sessions, and says goodbye.
func (l *link) control(ctx context.Context, heartbeat time.Duration) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ctx.Done():
			l.leave()
			return
		case now := <-tick.C:
			l.r.sweep(now)
			if _, err := l.send(ctx, header{kind: kindPing}, "", nil); err != nil {
				continue
			}
		case <-l.r.control:
		}
		for h, ok := l.r.next(l); ok; h, ok = l.r.next(l) {
			if _, err := l.send(context.WithoutCancel(ctx), h, "", nil); err != nil {
				break
			}
		}
	}
}

// leave ends the link in good order: what was sent arrives, and the peer closes
// when it has read it. Closing at once could reset the connection under its
// hands. The lock is not given back, so that nothing is written after the end.
func (l *link) leave() {
	select {
	case l.lock <- struct{}{}:
	case <-l.done:
		return
	}
	for h, ok := l.r.next(l); ok; h, ok = l.r.next(l) {
		if l.write(h, "", nil) != nil {
			return
		}
	}
	if err := l.conn.CloseWrite(); err != nil {
		l.fail(err)
	}
	<-l.done
}

// bound cuts a goodbye short to which the peer does not answer.
func (l *link) bound(ctx context.Context) {
	select {
	case <-l.done:
		return
	case <-ctx.Done():
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.fail(errClosing)
	}
}
