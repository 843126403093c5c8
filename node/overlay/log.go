package overlay

import (
	"context"
	"log/slog"
	"sync"

	onetlog "go.dedis.ch/onet/v3/log"
)

// ears writes onet's warnings and errors into the logs of the nodes in this
// process; onet has one log for all of them.
type ears struct {
	once sync.Once

	mu   sync.Mutex
	logs map[*Overlay]*slog.Logger
}

// listeners is the one logger that onet has here. It comes in the place of onet's
// own, which prints, before the first node starts, and stays: onet reads its list
// of loggers without a lock.
var listeners = &ears{logs: make(map[*Overlay]*slog.Logger)}

// add lets a node's log hear onet.
func (e *ears) add(o *Overlay, log *slog.Logger) {
	e.once.Do(func() {
		onetlog.UnregisterLogger(0)
		onetlog.RegisterLogger(e)
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.logs[o] = log
}

// remove ends that.
func (e *ears) remove(o *Overlay) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.logs, o)
}

// Log implements onet's Logger.
func (e *ears) Log(_ int, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, log := range e.logs {
		log.LogAttrs(context.Background(), slog.LevelWarn, "onet", slog.String("says", text))
	}
}

// Close implements onet's Logger.
func (*ears) Close() {}

// GetLoggerInfo implements onet's Logger: levels up to zero are warnings and
// errors, what is above traces messages.
func (*ears) GetLoggerInfo() *onetlog.LoggerInfo { return &onetlog.LoggerInfo{RawMessage: true} }
