package peer

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
)

func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := header{kind: kind(rapid.IntRange(1, 5).Draw(t, "kind"))}
		if h.kind != kindPing {
			copy(h.session[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "session"))
		}
		switch h.kind {
		case kindFrame:
			h.size = rapid.Uint32Range(0, mpc.MaxFrame).Draw(t, "size")
			h.step = rapid.Uint16Range(0, maxStep).Draw(t, "step")
		case kindCredit:
			h.size = rapid.Uint32Min(1).Draw(t, "credit")
		}
		var b [headerSize]byte
		h.encode(b[:])
		got, err := decodeHeader(&b)
		if err != nil || got != h {
			t.Fatalf("%+v became %+v, %v", h, got, err)
		}
	})
}

// TestHeaderLayout pins the bytes on the wire.
func TestHeaderLayout(t *testing.T) {
	var b [headerSize]byte
	header{kind: kindFrame, size: 0x010203, step: 0x104, session: mpc.SessionID{0: 0xaa, 31: 0xbb}}.encode(b[:])
	want := append([]byte{0, 1, 2, 3, 1, 0, 1, 4, 0xaa}, append(make([]byte, 30), 0xbb)...)
	if !bytes.Equal(b[:], want) {
		t.Fatalf("got %x, want %x", b, want)
	}
}

func TestHeadersThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, want string
		header     header
		reserved   byte
	}{
		{"no kind", "unknown kind 0", header{}, 0},
		{"next kind", "unknown kind 6", header{kind: kindPing + 1}, 0},
		{"reserved byte", "reserved byte is 1", header{kind: kindPing}, 1},
		{"payload", "frame of 4194305 bytes", header{kind: kindFrame, size: mpc.MaxFrame + 1}, 0},
		{"step", "step name of 513 bytes", header{kind: kindFrame, step: maxStep + 1}, 0},
		{"credit with a step", "kind 2 with a step name", header{kind: kindCredit, size: 1, step: 1}, 0},
		{"no credit", "credit of 0 bytes", header{kind: kindCredit}, 0},
		{"end with a payload", "kind 3 with a payload", header{kind: kindEnd, size: 1}, 0},
		{"drop with a payload", "kind 4 with a payload", header{kind: kindDrop, size: 1}, 0},
		{"ping with a session", "ping that names a session", header{kind: kindPing, session: session(1)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b [headerSize]byte
			c.header.encode(b[:])
			b[5] = c.reserved
			_, err := decodeHeader(&b)
			mustFail(t, err, c.want)
		})
	}
}

func TestTwoLargestFramesFitTheSmallestWindow(t *testing.T) {
	// Credit below an eighth of the window may be withheld from the sender.
	if 2*frameCost(maxStep, mpc.MaxFrame) > minWindow-minWindow/8 {
		t.Fatal("a second frame of MaxFrame could wait for the first to be read")
	}
}

func FuzzHeader(f *testing.F) {
	for _, h := range []header{
		{kind: kindFrame, size: 10, step: 3, session: session(1)},
		{kind: kindCredit, size: 1 << 20, session: session(2)},
		{kind: kindEnd, session: session(3)},
		{kind: kindDrop},
		{kind: kindPing},
	} {
		var b [headerSize]byte
		h.encode(b[:])
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != headerSize {
			return
		}
		in := [headerSize]byte(b)
		h, err := decodeHeader(&in)
		if err != nil {
			return
		}
		var again [headerSize]byte
		h.encode(again[:])
		if again != in {
			t.Fatalf("%x decodes to %+v, which encodes to %x", in, h, again)
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add(hello{protocol: 1, from: 2, to: 3, roster: [32]byte{4}}.encode())
	f.Add([]byte(helloMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHello(b)
		if err == nil && !bytes.Equal(h.encode(), b) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", b, h, h.encode())
		}
	})
}

// FuzzReceive feeds the reader of a link, with one admitted session, and checks
// that what it keeps stays within what it granted.
func FuzzReceive(f *testing.F) {
	message := func(h header, body string) string {
		var b [headerSize]byte
		h.encode(b[:])
		return string(b[:]) + body
	}
	frame := message(header{kind: kindFrame, size: 4, step: 1, session: session(1)}, "xdata")
	f.Add([]byte(frame + frame + message(header{kind: kindEnd, session: session(1)}, "")))
	f.Add([]byte(message(header{kind: kindFrame, size: 4, step: 1, session: session(2)}, "xearly") + frame[:45]))
	f.Add([]byte(message(header{kind: kindCredit, size: 9, session: session(1)}, "") + message(header{kind: kindPing}, "") +
		message(header{kind: kindDrop, session: session(1)}, "") + frame))
	f.Add([]byte(strings.Repeat(message(header{kind: kindFrame, size: mpc.MaxFrame, session: session(1)}, ""), 3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &remote{name: "hospital-1", window: minWindow, control: make(chan struct{}, 1), shelf: &shelf{}, lanes: make(map[mpc.SessionID]*lane)}
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		l := newLink(r, &burst{Conn: near}, nil)
		l.in = bufio.NewReader(bytes.NewReader(data))
		r.attach(l)
		r.admit(session(1))
		if err := l.receive(); err == nil {
			t.Fatal("a link ended without a reason")
		}
		if len(r.lanes) > maxEarly+1 {
			t.Fatalf("%d sessions opened", len(r.lanes))
		}
		for id, lane := range r.lanes {
			held := int64(0)
			for step, in := range lane.steps {
				for _, frame := range in.frames {
					held += frameCost(len(step), len(frame))
				}
			}
			// No credit beyond the early window was written to the peer.
			if held+lane.room > earlyWindow || lane.room < 0 {
				t.Fatalf("session %v holds %d bytes and allows %d more", id, held, lane.room)
			}
		}
	})
}
