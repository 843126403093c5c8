package coordinator

import "testing"

// TestBlame: the node that gave a reason is named once, whatever it says of itself.
func TestBlame(t *testing.T) {
	for reason, want := range map[string]string{
		"":                               "anna: gave no reason",
		"it does not fit":                "anna: it does not fit",
		"anna: it does not fit":          "anna: it does not fit",
		"anna, step seal: it does not":   "anna: anna, step seal: it does not",
		"bern aborted: bern: no\x1b[31m": "anna: bern aborted: bern: no?[31m",
	} {
		if got := blame("anna", reason); got != want {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}
