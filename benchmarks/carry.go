package main

import (
	"io"
	"sync"
	"time"
)

// queueLimit is how many packets of full size a sender's queue holds before it
// drops, as a router does.
const queueLimit = 1000

// packet is on its way to a party.
type packet struct {
	to   int
	data []byte
	sent time.Time // when its last bit leaves the sender
}

// carry moves IPv4 packets between the parties' devices: each sender's leave one
// after the other at the line's rate and arrive half a round trip later. It ends
// when the devices close; the returned function waits for that.
func (w *wan) carry(devices [parties]io.ReadWriter) (wait func()) {
	var work sync.WaitGroup
	for i := range devices {
		queue := make(chan packet, 8*queueLimit) // what flies takes no room in the queue
		work.Go(func() { w.depart(i, devices[i], queue) })
		work.Go(func() { w.arrive(devices, queue) })
	}
	return work.Wait
}

// depart gives each packet of a sender its time, or drops it.
func (w *wan) depart(self int, from io.Reader, queue chan<- packet) {
	defer close(queue)
	l := sender{wan: w}
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		to, ok := destination(buf[:n])
		if !ok || to == self {
			continue
		}
		if sent, ok := l.send(time.Now(), n); ok {
			select {
			case queue <- packet{to, append([]byte(nil), buf[:n]...), sent}:
			default: // very many small packets: dropped as well
			}
		}
	}
}

// sender is the near end of a party's line.
type sender struct {
	*wan
	free time.Time // when all packets so far have left
}

// send returns when the last bit of a packet leaves, or false when the queue is
// full.
func (l *sender) send(now time.Time, size int) (sent time.Time, ok bool) {
	if l.free.Before(now) {
		l.free = now
	}
	if l.free.Sub(now) > l.takes(queueLimit*mtu) {
		return time.Time{}, false
	}
	l.free = l.free.Add(l.takes(size))
	return l.free, true
}

// takes returns how long the line needs for so many bytes.
func (w *wan) takes(size int) time.Duration {
	return time.Duration(float64(size) * 8e3 / w.mbit)
}

// destination returns the party that a packet is for.
func destination(p []byte) (party int, ok bool) {
	if len(p) < 20 || p[0]>>4 != 4 {
		return 0, false
	}
	party = int(p[19]) - 1
	return party, party >= 0 && party < parties
}

// arrive hands packets over when they are due.
func (w *wan) arrive(devices [parties]io.ReadWriter, queue <-chan packet) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range queue {
		if d := time.Until(p.sent.Add(w.rtt / 2)); d > 0 {
			timer.Reset(d)
			<-timer.C
		}
		_, _ = devices[p.to].Write(p.data) // a closed device ends depart too
	}
}
