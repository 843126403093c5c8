package node

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLineIsOnePrintableLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                      "plain",
		"two\nlines\tand\r\nmore ":   "two lines and more",
		"escape \x1b[31m and \u202e": "escape ?[31m and ?",
		"broken \xff end":            "broken ? end",
	} {
		if got := line(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	long := line(strings.Repeat("ä", maxText))
	if !utf8.ValidString(long) || len(long) > maxText+len("…") || !strings.HasSuffix(long, "ä…") {
		t.Errorf("a long text becomes %d bytes, %q", len(long), long[len(long)-8:])
	}
}
