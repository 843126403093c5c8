package job

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	wordPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
)

// checkName checks the name of a study, node, coordinator, client or
// administrator. It is also a DNS label, since certificates carry it.
func checkName(what, s string) error {
	if !namePattern.MatchString(s) {
		return fmt.Errorf("%s is %s: use 1 to 63 of a-z, 0-9 and '-', not beginning with '-'", what, quoted(s))
	}
	return nil
}

// CheckName checks a name of that form which stands in somebody else's file.
func CheckName(what, s string) error { return checkName(what, s) }

// checkWord checks the name of a dataset, analysis, engine or argument.
func checkWord(what, s string) error {
	if !wordPattern.MatchString(s) {
		return fmt.Errorf("%s is %s: use 1 to 63 of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit", what, quoted(s))
	}
	return nil
}

// checkText checks a text for people: one line, at most max bytes. Control and
// format characters are refused since such texts end up on terminals.
func checkText(what, s string, max int) error {
	if len(s) > max {
		return fmt.Errorf("%s has %d bytes, at most %d are allowed: shorten it", what, len(s), max)
	}
	if !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return fmt.Errorf("%s holds a character that cannot be printed: use plain text on one line", what)
	}
	return nil
}

// checkLines is checkText for a text that may have several lines and tabs.
func checkLines(what, s string, max int) error {
	return checkText(what, strings.NewReplacer("\n", "", "\t", "").Replace(s), max)
}

// quoted shows a foreign text in an error, cut short and on one line.
func quoted(s string) string {
	const most = 64
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

// Printable makes foreign text safe to show and to log: one line of valid UTF-8
// without characters that a terminal would obey, of at most limit bytes. White
// space becomes spaces, what cannot be printed '?', and "…" marks a cut.
func Printable(text string, limit int) string {
	text = strings.TrimSpace(text)
	var b strings.Builder
	for i, r := range text {
		if b.Len() > limit {
			break // foreign text has no end that is worth reading
		}
		switch {
		case r == '\n' && i > 0 && text[i-1] == '\r':
			continue // one line break, one space
		case unicode.IsSpace(r):
			r = ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			r = '?'
		}
		b.WriteRune(r)
	}
	if b.Len() <= limit {
		return b.String()
	}
	mark := "…"
	if limit < len(mark) {
		mark = ""
	}
	kept := strings.ToValidUTF8(b.String()[:max(limit, 0)-len(mark)], "")
	return strings.TrimSpace(kept) + mark
}

// oneLine makes one line of a message that another package wrote.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Near is the hint for an unknown name: the known one that it resembles, if
// any, and the list of all.
func Near(name string, known []string) string {
	if len(known) == 0 {
		return "there are none"
	}
	list := listed(known)
	// More than one letter in three wrong, or all of them, is no slip of the keyboard.
	best, nearest := "", min(2+len(name)/3, len(name))
	if len(name) <= 64 { // the comparison is quadratic, and longer names are pasted
		for _, k := range known {
			if max(len(k)-len(name), len(name)-len(k)) >= nearest {
				continue
			}
			if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < nearest {
				best, nearest = k, d
			}
		}
	}
	if best == "" {
		return "known: " + list
	}
	return fmt.Sprintf("did you mean %q? known: %s", best, list)
}

// listed joins names until the line is long enough.
func listed(names []string) string {
	const most = 480 // bytes
	length := 0
	for i, n := range names {
		if length += len(n) + len(", "); length > most {
			return fmt.Sprintf("%s and %d more", strings.Join(names[:i], ", "), len(names)-i)
		}
	}
	return strings.Join(names, ", ")
}

// editDistance counts the insertions, deletions and substitutions of bytes that
// turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for k := range len(b) {
			substitute := diagonal
			if a[i] != b[k] {
				substitute++
			}
			diagonal = row[k+1]
			row[k+1] = min(substitute, row[k]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
