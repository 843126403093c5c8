package peer

import (
	"net"
	"sync"
)

// burstSize is about how many bytes go to the kernel in one write: several TLS
// records, few enough to stay in the cache on their way.
const burstSize = 128 << 10

// burst gathers the TLS records of a large message. crypto/tls makes one write
// of each record of 16 KiB, and the kernel then handles each as a segment of its
// own. Writes outside of begin and end pass at once.
type burst struct {
	net.Conn

	mu      sync.Mutex // a message's writer and TLS's own alerts may meet
	holding bool
	held    []byte
}

// begin starts to hold records back.
func (b *burst) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = true
}

// end writes what is still held.
func (b *burst) end() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = false
	return b.flush()
}

func (b *burst) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.holding {
		return b.Conn.Write(p)
	}
	if b.held = append(b.held, p...); len(b.held) < burstSize {
		return len(p), nil
	}
	return len(p), b.flush()
}

func (b *burst) flush() error {
	if len(b.held) == 0 {
		return nil
	}
	_, err := b.Conn.Write(b.held)
	b.held = b.held[:0]
	return err
}
