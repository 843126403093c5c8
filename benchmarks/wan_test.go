package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// wireEnd is one end of an emulated device: what the kernel would send comes
// out of out, what it would get goes into in.
type wireEnd struct {
	out chan []byte
	in  chan []byte
}

func (e *wireEnd) Read(b []byte) (int, error) {
	p, ok := <-e.out
	if !ok {
		return 0, io.EOF
	}
	return copy(b, p), nil
}

func (e *wireEnd) Write(b []byte) (int, error) {
	e.in <- slices.Clone(b)
	return len(b), nil
}

// ipv4 is a packet to a party with one byte that tells it apart.
func ipv4(to int, mark byte, size int) []byte {
	p := make([]byte, size)
	p[0], p[19], p[size-1] = 0x45, byte(to+1), mark
	return p
}

func TestCarryDelaysAndKeepsOrder(t *testing.T) {
	var ends [parties]*wireEnd
	var devices [parties]io.ReadWriter
	for i := range ends {
		ends[i] = &wireEnd{make(chan []byte), make(chan []byte, 100)}
		devices[i] = ends[i]
	}
	w := wan{rtt: 20 * time.Millisecond, mbit: 1} // 1000 bytes take 8 ms
	wait := w.carry(devices)
	start := time.Now()
	for i := range 3 {
		ends[0].out <- ipv4(1, byte(i), 1000)
	}
	ends[0].out <- []byte{0x60, 0, 0, 0}                     // another protocol
	ends[0].out <- ipv4(0, 9, 100)                           // to itself
	ends[0].out <- append([]byte{0x45}, make([]byte, 30)...) // to nobody
	ends[2].out <- ipv4(1, 7, 1000)                          // on a line of its own
	var order []byte
	for range 4 {
		p := <-ends[1].in
		order = append(order, p[len(p)-1])
		least := 10 * time.Millisecond
		if mark := p[len(p)-1]; mark < 3 {
			least += 8 * time.Millisecond * time.Duration(mark+1)
		}
		if took := time.Since(start); took < least {
			t.Errorf("packet %d arrives after %v, the line needs %v", order[len(order)-1], took, least)
		}
	}
	if !slices.IsSorted(slices.DeleteFunc(slices.Clone(order), func(b byte) bool { return b == 7 })) {
		t.Errorf("packets of one sender arrive as %v", order)
	}
	for _, e := range ends {
		close(e.out)
	}
	wait()
	for i, e := range ends {
		if len(e.in) > 0 {
			t.Errorf("party %d got %d packets that are not its own", i, len(e.in))
		}
	}
}

func TestFullQueueDrops(t *testing.T) {
	l := sender{wan: &wan{mbit: 12}} // a packet of full size takes 1 ms
	now := time.Now()
	for i := range queueLimit + 1 {
		if sent, ok := l.send(now, mtu); !ok || sent.Sub(now) != time.Duration(i+1)*time.Millisecond {
			t.Fatalf("packet %d leaves after %v, %v", i, sent.Sub(now), ok)
		}
	}
	if _, ok := l.send(now, mtu); ok {
		t.Error("the queue has no end")
	}
	if sent, ok := l.send(now.Add(time.Millisecond), mtu); !ok || sent.Sub(now) != (queueLimit+2)*time.Millisecond {
		t.Errorf("when one packet has left the next is not taken: %v %v", sent.Sub(now), ok)
	}
	if sent, ok := l.send(now.Add(time.Hour), mtu/2); !ok || sent.Sub(now) != time.Hour+time.Millisecond/2 {
		t.Errorf("a free line holds a packet up: %v %v", sent.Sub(now), ok)
	}
}

// TestWAN runs a real measurement where the machine allows it; elsewhere it wants
// the exit status and the line that say so.
func TestWAN(t *testing.T) {
	status, out, errs := run(t, "--wan", "10ms,100", "mul=1000")
	if status == exitNoWAN {
		if out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, errNoWAN.Error()) {
			t.Errorf("stdout %q, stderr %q; want one line that says why not", out, errs)
		}
		return
	}
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, errs)
	}
	checkLine(t, out, "mul", "1000", "wan", "predicted")
	if !strings.Contains(out, `"wan":"10ms,100"`) || !strings.Contains(out, `"predicted":0.0056`) {
		t.Errorf("%s: want 5 ms for the round and 0.6 ms for 8 KB", out)
	}
}

func TestPredict(t *testing.T) {
	w := wan{rtt: 40 * time.Millisecond, mbit: 100}
	if got := w.predict(100, 12.5); got != 3 {
		t.Errorf("100 rounds of 20 ms and 100 Mbit at 100 Mbit/s: %v s, want 3", got)
	}
}
