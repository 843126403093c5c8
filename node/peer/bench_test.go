package peer

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"consilium/mpc"
)

// BenchmarkLink measures one direction of 512 KiB frames (MB/s, and processor
// seconds a GB of both ends together, which other load disturbs less) and the round
// trip of 100 bytes over loopback mutual TLS 1.3, both ends in one process:
//
//	net    this package, with sessions, steps, credit and Recv by channel
//	plain  the least that can work: a length, then the payload, nothing else
//	yamux  the same length and payload on one stream of hashicorp/yamux, 8 MiB window
func BenchmarkLink(b *testing.B) {
	for _, kind := range []struct {
		name string
		open func(b *testing.B) (near, far framed)
	}{{"net", openNet}, {"plain", openPlain}, {"yamux", openYamux}} {
		b.Run("throughput/"+kind.name, func(b *testing.B) {
			near, far := kind.open(b)
			throughput(b, near, far, make([]byte, 512<<10))
		})
		b.Run("roundtrip/"+kind.name, func(b *testing.B) {
			near, far := kind.open(b)
			roundTrip(b, near, far, make([]byte, 100))
		})
	}
}

// framed is one end of whatever is measured.
type framed struct {
	send func(frame []byte) error
	recv func() ([]byte, error)
	done func(frame []byte) // the receiver has read the frame
}

func throughput(b *testing.B, near, far framed, frame []byte) {
	b.SetBytes(int64(len(frame)))
	failed := make(chan error, 1)
	before := cpuSeconds(b)
	b.ResetTimer()
	go func() {
		var err error
		for i := 0; i < b.N && err == nil; i++ {
			var frame []byte
			frame, err = far.recv()
			far.done(frame)
		}
		failed <- err
	}()
	for range b.N {
		if err := near.send(frame); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
	gigabytes := float64(b.N) * float64(len(frame)) / 1e9
	b.ReportMetric((cpuSeconds(b)-before)/gigabytes, "cpu-s/GB")
}

// cpuSeconds is what this process has used of all cores so far, in user and
// system mode.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func roundTrip(b *testing.B, near, far framed, frame []byte) {
	failed := make(chan error, 1)
	b.ResetTimer()
	go func() {
		var err error
		for i := 0; i < b.N && err == nil; i++ {
			var got []byte
			if got, err = far.recv(); err == nil {
				err = far.send(got)
			}
		}
		failed <- err
	}()
	for range b.N {
		if err := near.send(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := near.recv(); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
}

func openNet(b *testing.B) (near, far framed) {
	w := runWorld(b, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	ctx, ch := b.Context(), mpc.Channel{Session: id, Step: "linear/mul/round.12"}
	end := func(n *Net, other mpc.PartyID) framed {
		return framed{
			send: func(frame []byte) error { return n.Send(ctx, other, ch, frame) },
			recv: func() ([]byte, error) { return n.Recv(ctx, other, ch) },
			done: n.Recycle,
		}
	}
	return end(w.nets[0], 1), end(w.nets[1], 0)
}

func openPlain(b *testing.B) (near, far framed) {
	client, server := tlsPair(b)
	return lengthFramed(client), lengthFramed(server)
}

func openYamux(b *testing.B) (near, far framed) {
	config := yamux.DefaultConfig()
	config.MaxStreamWindowSize = 8 << 20
	config.LogOutput = io.Discard
	client, server := tlsPair(b)
	cs, err := yamux.Client(client, config)
	if err != nil {
		b.Fatal(err)
	}
	ss, err := yamux.Server(server, config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = cs.Close(), ss.Close() })
	out, err := cs.OpenStream()
	if err != nil {
		b.Fatal(err)
	}
	in, err := ss.AcceptStream()
	if err != nil {
		b.Fatal(err)
	}
	return lengthFramed(out), lengthFramed(in)
}

func lengthFramed(rw io.ReadWriter) framed {
	in := bufio.NewReaderSize(rw, recordSize)
	var head [4]byte
	out := make([]byte, 0, 1<<20)
	return framed{
		send: func(frame []byte) error {
			out = binary.BigEndian.AppendUint32(out[:0], uint32(len(frame)))
			out = append(out, frame...)
			_, err := rw.Write(out)
			return err
		},
		recv: func() ([]byte, error) {
			if _, err := io.ReadFull(in, head[:]); err != nil {
				return nil, err
			}
			frame := make([]byte, binary.BigEndian.Uint32(head[:]))
			_, err := io.ReadFull(in, frame)
			return frame, err
		},
		done: func([]byte) {},
	}
}

// tlsPair connects two ends with the package's own TLS settings.
func tlsPair(b *testing.B) (client, server net.Conn) {
	w := newWorld(b, 2, nil)
	lower, higher := w.config(0), w.config(1)
	serverTLS, err := higher.serverTLS()
	if err != nil {
		b.Fatal(err)
	}
	clientTLS, err := lower.clientTLS(1)
	if err != nil {
		b.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", serverTLS)
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = conn.(*tls.Conn).Handshake()
		}
		if err != nil {
			b.Error(err)
		}
		accepted <- conn
	}()
	client, err = tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", listener.Addr().String(), clientTLS)
	if err != nil {
		b.Fatal(err)
	}
	server = <-accepted
	b.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}
