package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// A small deposit is measured, and what the parties keep adds up.
func TestDeposit(t *testing.T) {
	var out strings.Builder
	if status := command(t.Context(), []string{"deposit=3000x2"}, nil, &out, io.Discard); status != 0 {
		t.Fatalf("status %d: %s", status, out.String())
	}
	var got depositResult
	if err := json.Unmarshal([]byte(strings.Replace(out.String(), `"3000x2"`, `{}`, 1)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.MB) != parties+1 || got.Seconds <= 0 || got.MBs <= 0 || got.DiskMB[0] <= 0 {
		t.Errorf("got %s", out.String())
	}
}
