package overlay_test

import (
	"context"
	"strconv"
	"testing"

	"consilium/mpc"
	"consilium/node/linktest"
	"consilium/node/peer"
)

// BenchmarkLink measures round trips and bulk data between two nodes, over TLS
// links and over onet.
func BenchmarkLink(b *testing.B) {
	for name, listen := range map[string]func(testing.TB) func(peer.Config) (*peer.Net, error){"tls": linktest.TLS, "onet": linktest.Onet} {
		for _, size := range []int{100, 512 << 10} {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				links := linktest.Links(b, 2, listen(b))
				ch := mpc.Channel{Session: mpc.SessionID{1}, Step: "step"}
				for _, l := range links {
					if err := l.Admit(ch.Session); err != nil {
						b.Fatal(err)
					}
				}
				ctx, frame := context.Background(), make([]byte, size)
				go func() {
					for {
						got, err := links[1].Recv(ctx, 0, ch)
						if err != nil || links[1].Send(ctx, 0, ch, got[:min(len(got), 100)]) != nil {
							return
						}
						links[1].(mpc.Recycler).Recycle(got)
					}
				}()
				b.SetBytes(int64(size))
				const ahead = 4
				for i := range b.N + ahead { // bulk data goes ahead of its answers
					if i < b.N {
						if err := links[0].Send(ctx, 1, ch, frame); err != nil {
							b.Fatal(err)
						}
					}
					if size < 1000 && i < b.N || size >= 1000 && i >= ahead {
						if _, err := links[0].Recv(ctx, 1, ch); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.StopTimer()
				for _, l := range links {
					l.Release(ch.Session)
				}
			})
		}
	}
}
