package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

func TestFiguresOfOneSite(t *testing.T) {
	var out bytes.Buffer
	in, _ := io.Pipe() // stays open
	if err := run(t.Context(), []string{t.TempDir(), "20000"}, in, &out); err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(out.Bytes(), &fields); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%q: %v", out.String(), err)
	}
	for _, name := range []string{"n", "seconds", "duckdb", "ratio", "cpu_ratio", "mb", "mb_s", "rows_seconds", "rows_mb_s", "peak_mb"} {
		if x, ok := fields[name].(float64); !ok || x <= 0 {
			t.Errorf("%s is %v", name, fields[name])
		}
	}
	if fields["op"] != "source" || len(fields) != 11 {
		t.Errorf("fields: %v", fields)
	}
}

func TestEndsWithTheMeasuringProcess(t *testing.T) {
	err := run(t.Context(), []string{t.TempDir(), "1000000000"}, strings.NewReader(""), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "the measuring process has gone") {
		t.Errorf("error %v, want one that says who has gone", err)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"x"}, {"x", "0"}, {"x", "many"}, {"x", "1", "2"}} {
		if err := run(t.Context(), args, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
