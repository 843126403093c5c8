package render

import (
	"regexp"
	"strings"

	"charm.land/lipgloss/v2"
)

// figure matches a cell that begins with a number, and takes it apart at its
// decimal point: "62.4 (9.1)" is "62" and ".4 (9.1)", "<0.001" is "<0" and ".001".
var figure = regexp.MustCompile(`^([<>≤≥=]? ?[-−+]?\d+)((?:\.\d+)?(?:[eE][-−+]?\d+)?(?:[ %(].*)?)$`)

// blank are the cells that stand for a figure that is not there.
var blank = map[string]bool{"": true, "-": true, "–": true, "—": true, "NA": true}

// alignDecimals pads the cells of a column so that their decimal points stand
// under each other, and reports whether the column is one of figures. A column
// with any other text in it stays as it is.
func alignDecimals(cells []string) ([]string, bool) {
	left, right := make([]string, len(cells)), make([]string, len(cells))
	wide, deep, figures := 0, 0, 0
	for i, cell := range cells {
		if blank[cell] {
			left[i] = cell
		} else {
			m := figure.FindStringSubmatch(cell)
			if m == nil {
				return cells, false
			}
			left[i], right[i] = m[1], m[2]
			figures++
		}
		wide = max(wide, lipgloss.Width(left[i]))
		deep = max(deep, lipgloss.Width(right[i]))
	}
	if figures == 0 {
		return cells, false
	}
	out := make([]string, len(cells))
	for i := range cells {
		out[i] = strings.Repeat(" ", wide-lipgloss.Width(left[i])) + left[i] +
			right[i] + strings.Repeat(" ", deep-lipgloss.Width(right[i]))
	}
	return out, true
}
