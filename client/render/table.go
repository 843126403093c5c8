package render

import (
	"io"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"consilium/job"
	"consilium/protocols"
)

// maxCell caps one cell, in bytes.
const maxCell = 200

// Page is what tables are printed on.
type Page struct {
	// Lines draws rules as lines and sets titles bold, for a terminal; otherwise the
	// output is ASCII around the cells, for a file or a screen reader.
	Lines bool
	// Width is how many characters fit on a line. A wider table goes on below, its
	// first column repeated. 0 has room for any.
	Width int
}

// Text prints a result as a clinical paper prints it: a title, a rule, the
// header, a rule, the rows with aligned decimals, a rule, the notes. A result
// with a status other than "ok" is one line: the word, and the reason. A caveat is
// the first note of every table.
func Text(w io.Writer, r *protocols.Result, page Page) error {
	var b strings.Builder
	if r.Status != "ok" {
		b.WriteString(status(r) + "\n")
		if r.Caveat != "" {
			b.WriteString(capital(r.Caveat) + ".\n")
		}
	}
	for i, t := range r.Tables {
		if r.Caveat != "" {
			t.Notes = append([]string{capital(r.Caveat) + "."}, t.Notes...)
		}
		if i > 0 || r.Status != "ok" {
			b.WriteString("\n")
		}
		page.write(&b, t)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// capital begins a sentence.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// Table prints one table as Text does.
func Table(w io.Writer, t protocols.Table, page Page) error {
	var b strings.Builder
	page.write(&b, t)
	_, err := io.WriteString(w, b.String())
	return err
}

func status(r *protocols.Result) string {
	line := "Result: " + job.Printable(r.Status, maxCell)
	if r.Reason != "" {
		line += " - " + job.Printable(r.Reason, 4*maxCell)
	}
	return line
}

func (p Page) write(b *strings.Builder, t protocols.Table) {
	title := job.Printable(t.Title, maxCell)
	if p.Lines {
		title = lipgloss.NewStyle().Bold(true).Render(title)
	}
	if t.Title != "" {
		b.WriteString(title + "\n")
	}
	if len(t.Header) > 0 || len(t.Rows) > 0 {
		b.WriteString(p.lay(newGrid(t)))
	}
	for _, note := range t.Notes {
		b.WriteString(job.Printable(note, 4*maxCell) + "\n")
	}
}

// grid is a table's cells by column, ready to print: columns of figures stand to
// the right with their decimal points aligned, all others to the left.
type grid struct {
	header []string   // none where the table has none
	cells  [][]string // column by column
	right  []bool
	rows   int
}

func newGrid(t protocols.Table) *grid {
	columns := len(t.Header)
	for _, row := range t.Rows {
		columns = max(columns, len(row))
	}
	g := &grid{rows: len(t.Rows), right: make([]bool, columns)}
	if len(t.Header) > 0 {
		g.header = make([]string, columns)
	}
	for i, h := range t.Header {
		g.header[i] = job.Printable(h, maxCell)
	}
	for c := range columns {
		cells := make([]string, g.rows)
		for i, row := range t.Rows {
			if c < len(row) {
				cells[i] = job.Printable(row[c], maxCell)
			}
		}
		cells, g.right[c] = alignDecimals(cells)
		g.cells = append(g.cells, cells)
	}
	return g
}

// between is the room between two columns.
const between = 3

// panels divides the columns into groups that fit on lines of a width. The first
// column, and a second one of text, say what a row is: each group has them.
func (g *grid) panels(width int) [][]int {
	all := make([]int, len(g.cells))
	total := -between
	for c := range all {
		all[c] = c
		total += g.width(c) + between
	}
	keys := 1
	if len(all) > 1 && !g.right[1] {
		keys = 2
	}
	if width <= 0 || total <= width || len(all) <= keys {
		return [][]int{all}
	}
	begin := 0
	for _, c := range all[:keys] {
		begin += g.width(c) + between
	}
	var panels [][]int
	used := 0
	for _, c := range all[keys:] {
		if wide := g.width(c); len(panels) == 0 || used+between+wide > width {
			panels = append(panels, append(all[:keys:keys], c))
			used = begin + wide
		} else {
			panels[len(panels)-1] = append(panels[len(panels)-1], c)
			used += between + wide
		}
	}
	return panels
}

// width is how many characters column c takes.
func (g *grid) width(c int) int {
	wide := 0
	if g.header != nil {
		wide = lipgloss.Width(g.header[c])
	}
	for _, cell := range g.cells[c] {
		wide = max(wide, lipgloss.Width(cell))
	}
	return wide
}

// lay prints the grid, in as many panels as it needs.
func (p Page) lay(g *grid) string {
	var b strings.Builder
	for _, columns := range g.panels(p.Width) {
		var header []string
		right := make([]bool, len(columns))
		rows := make([][]string, g.rows)
		for i, c := range columns {
			right[i] = g.right[c]
			if g.header != nil {
				header = append(header, g.header[c])
			}
			for r := range rows {
				rows[r] = append(rows[r], g.cells[c][r])
			}
		}
		for line := range strings.SplitSeq(layout(header, rows, right, p.Lines), "\n") {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	return b.String()
}

func layout(header []string, rows [][]string, right []bool, styled bool) string {
	border := lipgloss.ASCIIBorder()
	border.Middle, border.MiddleTop, border.MiddleBottom = "-", "-", "-"
	if styled {
		border = lipgloss.NormalBorder()
	}
	last := len(right) - 1
	t := table.New().Rows(rows...).Wrap(false).
		Border(border).BorderLeft(false).BorderRight(false).BorderColumn(false).BorderRow(false).
		StyleFunc(func(row, col int) lipgloss.Style {
			s := lipgloss.NewStyle()
			if right[col] {
				s = s.Align(lipgloss.Right)
			}
			if col < last {
				s = s.PaddingRight(between)
			}
			if styled && row == table.HeaderRow {
				s = s.Bold(true)
			}
			return s
		})
	if len(header) > 0 {
		t.Headers(header...)
	}
	return t.Render()
}
