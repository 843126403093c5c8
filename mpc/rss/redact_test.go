package rss_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

func TestSharesPrintRedacted(t *testing.T) {
	x := rss.Vec{A: ring.Vec64{987654321}, B: ring.Vec64{987654321}}
	wide := rss.Vec128{A: ring.Vec128{{Lo: 987654321}}, B: ring.Vec128{{Lo: 987654321}}}
	table := struct{ Column rss.Vec }{x}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%X", "%s", "%q", "%b"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", x, wide, &table)
	}
	fmt.Fprintln(&out, x.String(), x.GoString(), wide.String(), wide.GoString())
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("shares", "x", x, "wide", wide, "table", table)
	}
	if err := json.NewEncoder(&out).Encode(table); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"987654321", "3ade68b1", "3ADE68B1", "111010110111100110100010110001"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is printed in\n%s", secret, out.String())
		}
	}
	if got, want := strings.Count(out.String(), "redacted"), 9*3+4+3+3+1; got != want {
		t.Errorf("redacted %d times, want %d:\n%s", got, want, out.String())
	}
}
