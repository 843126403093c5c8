package node

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressTellsPhasesAlwaysAndStepsNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		logs := new(logs)
		p := &progress{log: logs.logger(), tell: func(phase, detail string) { told = append(told, phase+" "+detail) }}
		p.report("sealing", "seal.0")
		p.report("sealing", "seal.1")
		time.Sleep(stepInterval)
		p.report("sealing", "seal.2")
		p.report("computing", "compute")
		p.report("computing", "compute/round.0")
		time.Sleep(time.Second)
		p.end()
		if want := []string{"sealing seal.0", "sealing seal.2", "computing compute"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		logs.wait(t, "phase=sealing", "took="+stepInterval.String())
		logs.wait(t, "phase=computing", "took=1s")
	})
}
