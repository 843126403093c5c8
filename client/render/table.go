package render

import (
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"consilium/job"
	"consilium/protocols"
)

// maxCell caps one cell, in bytes.
const maxCell = 200

// meaning says what a status word means to somebody who waits for figures.
var meaning = map[string]string{
	"suppressed": "a count behind the result is below the study's minimum, so nothing is shown",
	"singular":   "the covariates determine each other, so the model has no unique solution; leave one out",
	"separated":  "a covariate separates the outcomes completely, so the estimates are infinite; leave it out",
	"no events":  "no event is among the selected rows; widen the filter or the event",
	"empty":      "no row is selected; widen the filter",
}

// Text prints a result as a clinical paper prints it: a title, a rule, the
// header, a rule, the rows with aligned decimals, a rule, the notes. Styled
// draws the rules as lines and sets the title bold, for a terminal; otherwise
// the output is ASCII around the cells, for a file or a screen reader.
func Text(w io.Writer, r *protocols.Result, styled bool) error {
	var b strings.Builder
	if r.Status != "ok" {
		b.WriteString("No figures: " + status(r.Status) + "\n")
	}
	for i, t := range r.Tables {
		if i > 0 || r.Status != "ok" {
			b.WriteString("\n")
		}
		writeTable(&b, t, styled)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Table prints one table as Text does.
func Table(w io.Writer, t protocols.Table, styled bool) error {
	var b strings.Builder
	writeTable(&b, t, styled)
	_, err := io.WriteString(w, b.String())
	return err
}

func status(word string) string {
	word = job.Printable(word, maxCell)
	if m, ok := meaning[word]; ok {
		return fmt.Sprintf("%s (%s).", word, m)
	}
	return word + "."
}

func writeTable(b *strings.Builder, t protocols.Table, styled bool) {
	title := job.Printable(t.Title, maxCell)
	if styled {
		title = lipgloss.NewStyle().Bold(true).Render(title)
	}
	if t.Title != "" {
		b.WriteString(title + "\n")
	}
	if len(t.Header) > 0 || len(t.Rows) > 0 {
		b.WriteString(grid(t, styled) + "\n")
	}
	for _, note := range t.Notes {
		b.WriteString(job.Printable(note, 4*maxCell) + "\n")
	}
}

// grid lays out header and rows. Columns of figures stand to the right with
// their decimal points aligned, all others to the left.
func grid(t protocols.Table, styled bool) string {
	columns := len(t.Header)
	for _, row := range t.Rows {
		columns = max(columns, len(row))
	}
	rows := make([][]string, len(t.Rows))
	for i := range rows {
		rows[i] = make([]string, columns)
	}
	right := make([]bool, columns)
	for c := range columns {
		cells := make([]string, len(t.Rows))
		for i, row := range t.Rows {
			if c < len(row) {
				cells[i] = job.Printable(row[c], maxCell)
			}
		}
		cells, right[c] = alignDecimals(cells)
		for i := range rows {
			rows[i][c] = cells[i]
		}
	}
	var header []string
	for _, h := range t.Header {
		header = append(header, job.Printable(h, maxCell))
	}
	text := layout(header, rows, right, styled)
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
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
				s = s.PaddingRight(3)
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
