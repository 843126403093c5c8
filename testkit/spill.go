package testkit

import (
	"testing"

	"consilium/mpc/rss"
	"consilium/mpc/spool"
)

// NewSpill takes what does not fit chunks of that many rows, until the test ends.
func NewSpill(t testing.TB, chunkRows int) *rss.Spill {
	t.Helper()
	dir, err := spool.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	spill := rss.NewSpill(dir, chunkRows)
	t.Cleanup(func() {
		if err := spill.Close(); err != nil {
			t.Error(err)
		}
	})
	return spill
}
