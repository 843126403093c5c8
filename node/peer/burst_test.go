package peer

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"testing"

	"consilium/mpc"
)

// counted is a connection that keeps what is written to it, write by write.
type counted struct {
	net.Conn
	writes [][]byte
	err    error
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes = append(c.writes, slices.Clone(b))
	return len(b), c.err
}

func TestBurst(t *testing.T) {
	c := &counted{}
	b := &burst{Conn: c}
	record := make([]byte, recordSize)
	put := func(p []byte) {
		t.Helper()
		if n, err := b.Write(p); n != len(p) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	var want []byte
	put([]byte("at once")) // outside of a message
	if len(c.writes) != 1 {
		t.Fatalf("%d writes, want 1", len(c.writes))
	}
	b.begin()
	for i := range 20 { // 320 KiB in bursts of 128 KiB
		record[0] = byte(i)
		put(record)
		want = append(want, record...)
	}
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if len(c.writes) != 1+3 {
		t.Errorf("20 records take %d writes, want 3", len(c.writes)-1)
	}
	if !bytes.Equal(bytes.Join(c.writes[1:], nil), want) {
		t.Error("records arrive otherwise than written")
	}
	b.begin()
	if err := b.end(); err != nil || len(c.writes) != 4 {
		t.Errorf("nothing held is written: %v", err)
	}
	put([]byte("at once"))
	if len(c.writes) != 5 {
		t.Error("a write after the message is held back")
	}
}

func TestBurstTellsErrors(t *testing.T) {
	broken := errors.New("broken")
	b := &burst{Conn: &counted{err: broken}}
	b.begin()
	if _, err := b.Write(make([]byte, burstSize)); !errors.Is(err, broken) {
		t.Errorf("a full burst: %v", err)
	}
	if _, err := b.Write([]byte("rest")); err != nil {
		t.Errorf("what is only held: %v", err)
	}
	if err := b.end(); !errors.Is(err, broken) {
		t.Errorf("the end: %v", err)
	}
}

// TestLongFrames sends frames of all sizes that matter for bursts and records,
// with small ones between, and gives their memory back.
func TestLongFrames(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	var sizes []int
	for _, n := range []int{1, smallFrame, recordSize, burstSize, 2 * burstSize, 3*burstSize + 7, mpc.MaxFrame} {
		sizes = append(sizes, n-1, n, max(n-600, 0)) // the step and the header take part of a record
	}
	go func() {
		for i, n := range sizes {
			_ = w.nets[0].Send(within(t), 1, mpc.Channel{Session: id, Step: "long"}, bytes.Repeat([]byte{byte(i + 1)}, n))
		}
	}()
	for i, n := range sizes {
		frame := recv(t, w.nets[1], 0, id, "long")
		if !bytes.Equal(frame, bytes.Repeat([]byte{byte(i + 1)}, n)) {
			t.Fatalf("frame %d of %d bytes arrives otherwise", i, n)
		}
		w.nets[1].Recycle(frame)
	}
}

func TestShelf(t *testing.T) {
	var s shelf
	for _, n := range []int{0, 1, smallFrame - 1, smallFrame, 1 << 20, mpc.MaxFrame} {
		if b := s.get(n); len(b) != n {
			t.Errorf("%d bytes wanted, %d got", n, len(b))
		}
	}
	// A pool may forget, but not hand out what is too short or far too long.
	for range 100 {
		s.put(make([]byte, 5000))
		s.put(make([]byte, 5100))
		for _, n := range []int{4500, 5050, 5099, 8000} {
			if b := s.get(n); len(b) != n || cap(b) < n || cap(b) > n+n/8 {
				t.Fatalf("%d bytes wanted, %d with room for %d got", n, len(b), cap(b))
			}
		}
	}
	used := 0
	for range 100 {
		b := make([]byte, 100<<10)
		b[17] = 1
		s.put(b)
		if s.get(99 << 10)[17] == 1 {
			used++
		}
	}
	if used == 0 {
		t.Error("memory that was given back is never used again")
	}
	s.put(nil)
	s.put(make([]byte, 10))
}
