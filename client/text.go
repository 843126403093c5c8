package client

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText caps a reason, a step or a message of another machine, in bytes.
const maxText = 500

// Printable makes foreign text safe to print: one line, no control characters
// (which a terminal would obey), no broken UTF-8, at most limit bytes.
func Printable(text string, limit int) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			r = ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			r = '?'
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
