package node

import (
	"context"
	"errors"
	"testing"
)

func hasCome(p *place) bool {
	select {
	case <-p.come:
		return true
	default:
		return false
	}
}

func TestTurnsComeInOrder(t *testing.T) {
	line := newTurns(2)
	a, b, c, d, e := line.join(), line.join(), line.join(), line.join(), line.join()
	if !hasCome(a) || !hasCome(b) || hasCome(c) {
		t.Fatal("two and only two turns should have come")
	}
	d.leave() // gives up before its turn
	a.leave()
	if !hasCome(c) || hasCome(e) {
		t.Fatal("the third's turn should have come, and the fifth's not")
	}
	b.leave()
	if !hasCome(e) {
		t.Fatal("the fifth's turn should have come")
	}
	c.leave()
	e.leave()
	if line.free != 2 || len(line.waiting) != 0 {
		t.Errorf("%d free and %d waiting after all left", line.free, len(line.waiting))
	}
}

func TestWaitForATurnEndsWithItsContext(t *testing.T) {
	line := newTurns(1)
	if err := line.join().wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	why := errors.New("cancelled by its signer")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := line.join().wait(ctx); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
}
