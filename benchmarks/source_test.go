package main

import (
	"encoding/json"
	"testing"
)

// TestSourceIsBuiltAndRun: the child's line comes through as it is.
func TestSourceIsBuiltAndRun(t *testing.T) {
	status, out, errs := run(t, "source=20000")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, errs)
	}
	var line struct {
		Op      string
		N       int
		Seconds float64
		PeakMB  float64 `json:"peak_mb"`
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	if line.Op != "source" || line.N != 20_000 || line.Seconds <= 0 || line.PeakMB <= 0 {
		t.Errorf("the line is %s", out)
	}
}
