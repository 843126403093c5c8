package job

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"plain", 100, "plain"},
		{"", 0, ""},
		{"two\nlines\r\n", 100, "two lines"},
		{"two\nlines\tand\r\nmore ", 100, "two lines and more"},
		{"sex = 'a  b'", 100, "sex = 'a  b'"}, // a condition keeps its meaning
		{"line\u2028separator", 100, "line separator"},
		{"\x1b]0;title\x07", 100, "?]0;title?"},
		{"escape \x1b[31m and \u202e", 100, "escape ?[31m and ?"},
		{"\u202eright to left", 100, "?right to left"},
		{"\xff\xfe", 100, "??"},
		{"broken \xff end", 100, "broken ? end"},
		{"größe", 7, "größe"},
		{"größe", 6, "gr…"},
		{"gr ße", 6, "gr ße"},
		{"gr größe", 6, "gr…"},
		{"größe", 3, "…"},
		{"größe", 2, "gr"},
		{"größe", 0, ""},
		{strings.Repeat("ä", 900), 900, strings.Repeat("ä", 448) + "…"},
	} {
		if got := Printable(c.in, c.limit); got != c.want {
			t.Errorf("Printable(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func TestPrintableOfAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		limit := rapid.IntRange(0, 50).Draw(t, "limit")
		got := Printable(text, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("%q of %d bytes, at most %d", got, len(got), limit)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q cannot be printed", r)
			}
		}
		if again := Printable(got, limit); again != got {
			t.Fatalf("%q becomes %q", got, again)
		}
		plain := strings.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) < 0
		if plain && len(text) <= limit && got != strings.TrimSpace(text) {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
}
