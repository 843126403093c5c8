package overlay_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"consilium/node/overlay"
)

// pair returns two pipes that are each other's end.
func pair() (a, b *overlay.Pipe) {
	a = overlay.NewPipe(func(m *overlay.Message) error { b.Deliver(m); return nil })
	b = overlay.NewPipe(func(m *overlay.Message) error { a.Deliver(m); return nil })
	return a, b
}

// TestPipesHoldBackAndLoseNothing sends far more messages and bytes than one end
// has taken: the other one waits, and all arrives in order.
func TestPipesHoldBackAndLoseNothing(t *testing.T) {
	a, b := pair()
	for _, c := range []struct{ writes, size int }{{1000, 3}, {7, overlay.MaxPiece + 1}, {40, overlay.Window / 5}} {
		var work sync.WaitGroup
		var sent bytes.Buffer
		for i := range c.writes {
			sent.Write(bytes.Repeat([]byte{byte(i + 1)}, c.size))
		}
		work.Go(func() {
			for rest := sent.Bytes(); len(rest) > 0; rest = rest[c.size:] {
				if n, err := a.Write(rest[:c.size]); n != c.size || err != nil {
					t.Errorf("wrote %d: %v", n, err)
				}
			}
		})
		got := make([]byte, sent.Len())
		if _, err := io.ReadFull(b, got); err != nil || !bytes.Equal(got, sent.Bytes()) {
			t.Errorf("%d writes of %d bytes: %v, or other bytes", c.writes, c.size, err)
		}
		work.Wait()
	}
}

func TestPiecesAreSmallEnough(t *testing.T) {
	var sizes []int
	p := overlay.NewPipe(func(m *overlay.Message) error {
		if m.Kind == overlay.KindData {
			sizes = append(sizes, len(m.Data))
		}
		return nil
	})
	if _, err := p.Write(make([]byte, overlay.MaxPiece+5)); err != nil {
		t.Fatal(err)
	}
	if len(sizes) != 2 || sizes[0] != overlay.MaxPiece || sizes[1] != 5 {
		t.Errorf("pieces of %v bytes", sizes)
	}
}

func TestASlowReaderHoldsItsWriterBack(t *testing.T) {
	a, b := pair()
	if _, err := a.Write(make([]byte, overlay.Window)); err != nil {
		t.Fatal(err)
	}
	if err := a.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d beyond the credit: %v", n, err)
	}
	if err := b.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(b, make([]byte, overlay.Window/2)); err != nil {
		t.Fatal(err)
	}
	if err := a.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write(make([]byte, overlay.Window/4)); err != nil {
		t.Errorf("reading gave no credit: %v", err)
	}
}

func TestReadingEndsInItsTime(t *testing.T) {
	a, b := pair()
	if err := b.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := b.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("rest")); err != nil {
		t.Fatal(err)
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); string(got) != "rest" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := errors.Join(a.Close(), b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed pipe writes: %v", err)
	}
}

// TestPipesEndWithWhatBreaksThem gives a pipe what no honest end sends, or what is
// left when messages were lost on the way.
func TestPipesEndWithWhatBreaksThem(t *testing.T) {
	open := overlay.Message{Kind: overlay.KindOpen}
	full := []overlay.Message{open}
	for i := range overlay.Window/overlay.MaxPiece + 1 {
		full = append(full, overlay.Message{Kind: overlay.KindData, Number: uint64(i + 1), Data: make([]byte, overlay.MaxPiece)})
	}
	for name, c := range map[string]struct {
		want     string
		messages []overlay.Message
	}{
		"a gap":              {"message 2 of hospital-2 comes in place of 1", []overlay.Message{open, {Kind: overlay.KindData, Number: 2, Data: []byte("x")}}},
		"a message twice":    {"message 0 of hospital-2 comes in place of 1", []overlay.Message{open, open}},
		"a second opening":   {"breaks the protocol", []overlay.Message{open, {Kind: overlay.KindOpen, Number: 1}}},
		"an unknown kind":    {"breaks the protocol", []overlay.Message{open, {Kind: 9, Number: 1}}},
		"no kind":            {"breaks the protocol", []overlay.Message{{}}},
		"an empty piece":     {"breaks the protocol", []overlay.Message{open, {Kind: overlay.KindData, Number: 1}}},
		"a piece too long":   {"breaks the protocol", []overlay.Message{open, {Kind: overlay.KindData, Number: 1, Data: make([]byte, overlay.MaxPiece+1)}}},
		"more than credited": {"breaks the protocol", full},
		"credit for nothing": {"breaks the protocol", []overlay.Message{open, {Kind: overlay.KindCredit, Number: 1, Size: 1}}},
		"credit of ages":     {"breaks the protocol", []overlay.Message{open, {Kind: overlay.KindCredit, Number: 1, Size: 1 << 63}}},
		"data after the end": {"breaks the protocol", []overlay.Message{open, {Kind: overlay.KindEnd, Number: 1}, {Kind: overlay.KindData, Number: 2, Data: []byte("x")}}},
		"a reset":            {"hospital-2 has closed the connection", []overlay.Message{open, {Kind: overlay.KindReset, Number: 1}}},
	} {
		p := overlay.NewPipe(func(*overlay.Message) error { return nil })
		for _, m := range c.messages {
			p.Deliver(&m)
		}
		if err := p.Cause(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestAPipeThatCannotSendBreaks(t *testing.T) {
	lost := errors.New("no route")
	p := overlay.NewPipe(func(*overlay.Message) error { return lost })
	if _, err := p.Write([]byte("x")); !errors.Is(err, lost) || !strings.Contains(err.Error(), "hospital-2") {
		t.Errorf("got %v", err)
	}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}
