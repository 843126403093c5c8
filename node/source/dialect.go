package source

import (
	"fmt"
	"strconv"
	"strings"
)

// dialect is what SQL engines spell differently. All that a query holds is made
// of these words, of whole numbers in decimal digits, of quoted names and texts of
// the site's configuration and the study's roster: never of a job's text.
type dialect struct {
	name string

	quote   func(name string) string // an identifier
	literal func(text string) string

	whole    func(x string) string            // as a signed 64-bit number; the nearest one to a fraction
	attempt  func(x string) string            // the same of any double, null where it has more than 15 digits
	power    func(n int) string               // 10^n as a double
	exact    func(x string, scale int) string // a decimal number, so that a product of more digits than narrow fits; nil: it does
	known    func(condition string) string    // false where it is unknown; nil: as it is
	wide     func(x string) string            // as an exact number of 126 bits at least; nil: there is none
	high     func(x string, n int) string     // x / 2^n, rounded down, where there is no wide
	low      func(x string, n int) string     // what that leaves
	sumsWide bool                             // sums of 64-bit numbers are exact beyond 64 bits
	show     func(x string) string            // as text
	quotient func(a, b string) string         // of whole numbers that divide evenly
	single   func(x string) string            // a 32-bit float as the double that its shortest text says
	isNaN    func(x string) string            // of a double
	blank    func(x string) string            // whether a text is nothing but white space

	bytes func(x string) string       // a text so that it is compared byte by byte; nil: it is
	alike func(x, text string) string // whether texts are the same bytes; nil: =

	flat bool // an expression gets a name by WITH; the engine shares out sums that way alone

	numbers  bool // there is row_number()
	showsAll bool // what show writes of any type is what a Parquet file's cell says
	narrow   int  // digits of a product of decimal numbers that needs no exact
	digits   int  // the most that a decimal number has; 0: no matter
}

// part is one sum of several: the total is that of all, each times 2^shift.
type part struct {
	sum   string
	shift uint
}

// spaces are the characters of which a blank text may be made, those that
// strings.TrimSpace takes off.
const spaces = "\t\n\v\f\r \u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

// literal quotes a text for SQL that knows no escapes in texts.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// written gives a whole number so that it can stand anywhere in an expression.
func written(n int64) string {
	if n < 0 {
		return "(" + strconv.FormatInt(n, 10) + ")"
	}
	return strconv.FormatInt(n, 10)
}

func writtenAll(list []int64) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = written(n)
	}
	return strings.Join(texts, ", ")
}

// columnRef is the name of a column of codes, by its place in the schema.
func columnRef(i int) string { return fmt.Sprintf("c%d", i) }
