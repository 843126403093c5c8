package node

import (
	"log/slog"
	"sync"
	"time"
)

// stepInterval is the shortest time between two steps of one job that are told
// to the coordinator. Phases are told always.
const stepInterval = 250 * time.Millisecond

// progress thins out what a run reports and logs how long its phases took. The
// texts are public: names of phases and paths of steps.
type progress struct {
	tell func(phase, detail string)
	log  *slog.Logger

	mu    sync.Mutex
	phase string
	since time.Time // when the phase began
	told  time.Time // when a message last went out
}

// report hears of each phase and step that begins. It does not block.
func (p *progress) report(phase, detail string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if phase == p.phase && now.Sub(p.told) < stepInterval {
		return
	}
	if phase != p.phase {
		p.endPhase(now)
		p.phase, p.since = phase, now
	}
	p.told = now
	p.tell(phase, detail)
}

// end logs the last phase.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endPhase(time.Now())
	p.phase = ""
}

func (p *progress) endPhase(now time.Time) {
	if p.phase != "" {
		p.log.Info("phase ended", "phase", p.phase, "took", rounded(now.Sub(p.since)))
	}
}
