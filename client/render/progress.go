package render

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"consilium/client"
	"consilium/job"
	"consilium/protocols"
)

// Progress shows a job's way while it runs. Call Event for every event in
// order, and Close at the end whatever came of the job.
type Progress struct {
	out   io.Writer
	party map[string]bool // the nodes that compute and seal
	level map[string]int  // how far each node of the roster has come
	said  map[string]bool // plain lines so far: several nodes report the same phase
	bar   *bar            // nil: plain lines

	broken bool // the line to the coordinator, since the last event
}

// How far a node has come. Sites end after sealing, parties go on.
var levels = map[string]int{"accepted": 1, protocols.Sealing: 2, protocols.Computing: 3, protocols.Revealing: 4, "done": 5}

// phases are what all nodes go through side by side: the word says enough.
var phases = map[string]bool{protocols.Confirming: true, protocols.Agreeing: true, protocols.Sealing: true, protocols.Revealing: true}

const (
	siteLevels  = 2
	partyLevels = 4
)

// NewProgress shows progress on out: a bar that is drawn over itself on a
// terminal, else one line for each thing that changes.
func NewProgress(out io.Writer, terminal bool, roster *job.Roster, j *job.Job) *Progress {
	p := &Progress{out: out, party: make(map[string]bool), level: make(map[string]int), said: make(map[string]bool)}
	for _, name := range roster.Participants(j) {
		p.level[name] = 0
	}
	for _, name := range roster.Sealers(j) {
		p.party[name] = true
	}
	if terminal {
		total := siteLevels*(len(p.level)-len(p.party)) + partyLevels*len(p.party)
		p.bar = newBar(out, total)
	}
	return p
}

// Event takes in what happened next.
func (p *Progress) Event(e client.Event) {
	stillBroken := p.broken && e.Phase == client.Reconnecting
	if p.broken = e.Phase == client.Reconnecting; stillBroken {
		return // said once, while Watch tries again and again
	}
	p.advance(e)
	text, stays := p.describe(e)
	if text == "" {
		return
	}
	switch {
	case p.bar == nil:
		if stays || !p.said[text] {
			fmt.Fprintln(p.out, text)
		}
		p.said[text] = true
	case stays:
		p.bar.print(text)
	default:
		p.bar.show(text, p.done())
	}
	if p.bar != nil && e.State == client.Done {
		p.bar.complete(text)
	}
}

// advance notes how far the node of an event has come. Nodes that the roster
// does not know are the coordinator's invention.
func (p *Progress) advance(e client.Event) {
	so, known := p.level[e.Node]
	if !known {
		return
	}
	top := siteLevels
	if p.party[e.Node] {
		top = partyLevels
	}
	p.level[e.Node] = max(so, min(levels[e.Phase], top))
}

func (p *Progress) done() int {
	n := 0
	for _, l := range p.level {
		n += l
	}
	return n
}

// describe puts an event into words. What stays is printed above the bar: it
// must still be there when the bar has gone on.
func (p *Progress) describe(e client.Event) (text string, stays bool) {
	switch {
	case e.State.Terminal() && e.Node == "":
		return string(e.State), false // the reason comes with the error
	case e.Phase == client.Reconnecting:
		return withDetail("the line to the coordinator broke, trying again", e.Detail), true
	case e.Phase == "waiting":
		return withDetail(e.Phase, e.Detail), true
	case e.Phase == "accepted":
		return fmt.Sprintf("accepted by %s (%d of %d)", e.Node, p.accepted(), len(p.level)), false
	case e.Phase == "rejected":
		return withDetail("rejected by "+who(e.Node), e.Detail), true
	case e.Phase == "failed":
		return withDetail("failed at "+who(e.Node), e.Detail), true
	case e.Phase == protocols.Computing:
		return withDetail(e.Phase, p.step(e.Detail)), false
	case phases[e.Phase]:
		return e.Phase, false
	case e.Node == "":
		return withDetail(first(e.Phase, string(e.State)), e.Detail), false
	}
	return withDetail(e.Phase+" at "+e.Node, e.Detail), false
}

// step names a step of the computation. A long one has thousands of steps; a log
// gets their first words, the bar all.
func (p *Progress) step(path string) string {
	_, path, _ = strings.Cut(path, "/") // what is left out is the phase again
	if p.bar == nil {
		path, _, _ = strings.Cut(path, "/")
		path, _, _ = strings.Cut(path, ".")
	}
	return path
}

func (p *Progress) accepted() int {
	n := 0
	for _, l := range p.level {
		if l >= levels["accepted"] {
			n++
		}
	}
	return n
}

func who(node string) string { return first(node, "the coordinator") }

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func withDetail(text, detail string) string {
	if detail == "" {
		return text
	}
	return text + ": " + detail
}

// Close takes the bar off the terminal's hands; nothing is drawn afterwards.
func (p *Progress) Close() {
	if p.bar != nil {
		p.bar.close()
	}
}

// bar is one mpb bar with a changing text behind it.
type bar struct {
	group *mpb.Progress
	bar   *mpb.Bar
	total int

	mu   sync.Mutex // the drawing goroutine reads text
	text string
}

const (
	barWidth  = 30
	textWidth = 60
)

func newBar(out io.Writer, total int) *bar {
	b := &bar{total: total}
	b.group = mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh(), mpb.WithWidth(barWidth))
	b.bar = b.group.New(int64(total), mpb.BarStyle().Rbound("]"),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.text
		})))
	return b
}

// show sets text and position; the last step is left to complete.
func (b *bar) show(text string, done int) {
	b.set(text)
	b.bar.SetCurrent(int64(min(done, b.total-1)))
}

func (b *bar) set(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = job.Printable(text, textWidth)
}

func (b *bar) print(text string) {
	// Fails only after close, when there is nobody to tell.
	_, _ = fmt.Fprintln(b.group, text)
}

func (b *bar) complete(text string) {
	b.set(text)
	b.bar.SetCurrent(int64(b.total))
}

func (b *bar) close() {
	b.bar.Abort(false) // no effect on a bar that is complete
	b.group.Wait()
}
