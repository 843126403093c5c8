package node

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText caps a reason or an error that leaves the node, in bytes.
const maxText = 900

// line makes one printable line of at most maxText bytes: what goes to the
// coordinator may hold text that a peer or a job's author chose.
func line(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
