package memnet

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"consilium/mpc"
)

// Record is what a transcript keeps of one message.
type Record struct {
	Step     string
	From, To mpc.PartyID
	Index    int // counts from 0 within step, sender and receiver
	Length   int
	Hash     [8]byte // the first bytes of the frame's SHA-256
}

func newRecord(m Message) Record {
	sum := sha256.Sum256(m.Frame)
	return Record{m.Channel.Step, m.From, m.To, m.Index, len(m.Frame), [8]byte(sum[:8])}
}

func (r Record) compare(o Record) int {
	return cmp.Or(cmp.Compare(r.Step, o.Step), cmp.Compare(r.From, o.From),
		cmp.Compare(r.To, o.To), cmp.Compare(r.Index, o.Index))
}

// Transcript is what was sent in a run, sorted by step, sender, receiver and
// index: of one protocol with the same seeds and inputs it is always the same.
type Transcript []Record

// String returns the transcript for a golden file: one line a message.
func (t Transcript) String() string {
	var b strings.Builder
	for _, r := range t {
		fmt.Fprintf(&b, "%s %d>%d %d %x\n", r.Step, r.From, r.To, r.Length, r.Hash)
	}
	return b.String()
}

// Shape returns what an eavesdropper sees of the transcript: all but contents.
// It must be equal for any two inputs of equal public shape.
func (t Transcript) Shape() string {
	var b strings.Builder
	for _, r := range t {
		fmt.Fprintf(&b, "%s %d>%d %d\n", r.Step, r.From, r.To, r.Length)
	}
	return b.String()
}

// Openings returns the steps at which a secret was opened or revealed, sorted:
// those whose last element is "open" or "reveal". It is the list of what a
// protocol declassifies.
func (t Transcript) Openings() []string {
	var out []string
	for _, r := range t {
		last := r.Step[strings.LastIndex(r.Step, "/")+1:]
		if last == "open" || last == "reveal" {
			out = append(out, r.Step)
		}
	}
	return slices.Compact(out)
}

// Bytes returns how many bytes p has sent.
func (t Transcript) Bytes(p mpc.PartyID) int {
	n := 0
	for _, r := range t {
		if r.From == p {
			n += r.Length
		}
	}
	return n
}

// At returns the messages of the step path and of the steps below it.
func (t Transcript) At(path string) Transcript {
	var out Transcript
	for _, r := range t {
		if r.Step == path || strings.HasPrefix(r.Step, path+"/") {
			out = append(out, r)
		}
	}
	return out
}
