package node

import (
	"context"
	"slices"
	"sync"
)

// turns lets a fixed number of jobs run at once, first come, first served.
// Coordinators start jobs in the same order at every node, so the oldest job
// has its turn everywhere: nodes never wait for each other in a circle.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{} // closed when the turn comes
}

func newTurns(n int) *turns { return &turns{free: n} }

// join takes a place in the line at once. Every place must be given back by leave.
func (t *turns) join() *place {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &place{turns: t, come: make(chan struct{})}
	if t.free > 0 {
		t.free--
		close(p.come)
	} else {
		t.waiting = append(t.waiting, p.come)
	}
	return p
}

// place is one job's place in the line.
type place struct {
	turns *turns
	come  chan struct{}
}

// wait returns when the turn has come, or with the cause of ctx's end.
func (p *place) wait(ctx context.Context) error {
	select {
	case <-p.come:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave gives the place back, whether its turn had come or not.
func (p *place) leave() {
	t := p.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, p.come); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	} else if len(t.waiting) > 0 {
		close(t.waiting[0])
		t.waiting = t.waiting[1:]
	} else {
		t.free++
	}
}
