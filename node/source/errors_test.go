package source

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// DuckDB's errors quote values; what leaves this package does not.
func TestEngineErrorsTellNoValue(t *testing.T) {
	db, err := openDatabase(t.Context(), 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range []struct{ query, want string }{
		{"SELECT CAST(31337e30 AS HUGEINT) * CAST(31337e30 AS HUGEINT)", "a sum exceeds 128 bits"},
		{"CREATE TABLE wide AS SELECT range, hash(range) FROM range(31337000)", "do not fit the memory"},
		{"SELECT CAST('31337x' AS INTEGER)", "the embedded database failed (kind"},
	} {
		_, err := db.ExecContext(t.Context(), c.query)
		if err == nil {
			t.Fatalf("%s succeeds", c.query)
		}
		told := engineError(t.Context(), "h.csv", "summing", err).Error()
		if !strings.HasPrefix(told, "h.csv: summing: ") || !strings.Contains(told, c.want) || strings.Contains(told, "31337") || strings.Contains(told, "\n") {
			t.Errorf("%q, want one line with %q", told, c.want)
		}
	}
}

func TestEngineErrorOfACancelledCall(t *testing.T) {
	reason := errors.New("the job was cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if err := engineError(ctx, "h.csv", "summing", errors.New("INTERRUPT Error: interrupted")); !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
}
