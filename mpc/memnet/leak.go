package memnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

const (
	// runLabel marks the goroutines of a run, and those that they start.
	runLabel = "memnet run"
	// leakPatience is how long a goroutine may take to end that was told to.
	leakPatience = 2 * time.Second
)

// tagGoroutines returns a function that marks the goroutine which calls it and
// all that descend from it, and one that returns the stacks of those still alive.
func tagGoroutines(ctx context.Context) (tag func(), left func() []string) {
	id := rand.Text()
	ctx = pprof.WithLabels(ctx, pprof.Labels(runLabel, id))
	return func() { pprof.SetGoroutineLabels(ctx) }, func() []string {
		deadline := time.Now().Add(leakPatience)
		for pause := 50 * time.Microsecond; ; pause *= 2 {
			stacks := tagged(id)
			if len(stacks) == 0 || time.Now().After(deadline) {
				return stacks
			}
			<-time.After(pause)
		}
	}
}

// tagged returns the stacks of the goroutines that carry the label.
func tagged(id string) []string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{"no goroutine profile: " + err.Error()}
	}
	var stacks []string
	mark := strconv.Quote(runLabel) + ":" + strconv.Quote(id)
	for entry := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(entry, mark) {
			stacks = append(stacks, entry)
		}
	}
	return stacks
}
