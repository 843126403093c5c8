package main

import (
	"encoding/json"
	"io"
	"testing"
)

func TestSource(t *testing.T) {
	for _, o := range []*loneOp{findLone("source")} {
		res, err := o.measure(t.Context(), &bench{progress: io.Discard}, size{rows: 20_000})
		if err != nil {
			t.Fatalf("%s: %v", o.name, err)
		}
		line, err := json.Marshal(res)
		var fields map[string]float64
		if err != nil || json.Unmarshal([]byte(string(line[:1])+string(line[len(`{"op":"source",`):])), &fields) != nil {
			t.Fatalf("%s: %s, %v", o.name, line, err)
		}
		for _, name := range []string{"seconds", "duckdb", "ratio", "mb_s", "rows_mb_s", "peak_mb"} {
			if fields[name] <= 0 {
				t.Errorf("%s: %s is %v", o.name, name, fields[name])
			}
		}
	}
}
