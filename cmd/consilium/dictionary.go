package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"consilium/client/render"
	"consilium/job"
	"consilium/protocols"
)

func newDatasetsDictionaryCommand() *cobra.Command {
	var study studyFlags
	var asJSON, asCSV bool
	cmd := &cobra.Command{
		Use:   "dictionary [DATASET]",
		Short: "Print what every column of a dataset means",
		Long: `dictionary prints, of one dataset or of all, what the study's roster says of every
column: meaning, type, unit, range, step, what each category means and what stands
for a missing value. No data are read and no value of a record is in it.`,
		Example: `  consilium datasets dictionary lung
  consilium datasets dictionary --roster study.roster --csv > dictionary.csv`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && asCSV {
				return errors.New("--json and --csv exclude each other; give one of them")
			}
			r, err := study.read()
			if err != nil {
				return err
			}
			datasets, err := dictionaryOf(r.Roster, args)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				return dictionaryJSON(out, datasets)
			case asCSV:
				return dictionaryCSV(out, datasets)
			}
			return dictionaryTables(out, datasets)
		},
	}
	study.flags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print it as CSV, one category a line")
	return cmd
}

// dictionaryOf picks the datasets with a schema: the one that is named, or all.
func dictionaryOf(r *job.Roster, names []string) ([]*job.Dataset, error) {
	var list []*job.Dataset
	if len(names) > 0 {
		d, err := dataset(r, names[0])
		if err != nil {
			return nil, err
		}
		if d.IsList() {
			return nil, fmt.Errorf("dataset %s is a list by policy %s, which says what its columns mean: see consilium datasets", d.Name, d.List.Policy)
		}
		return append(list, d), nil
	}
	for i := range r.Datasets {
		if !r.Datasets[i].IsList() {
			list = append(list, &r.Datasets[i])
		}
	}
	return list, nil
}

func dictionaryTables(out io.Writer, datasets []*job.Dataset) error {
	for i, d := range datasets {
		if i > 0 {
			fmt.Fprintln(out)
		}
		t := protocols.Table{
			Title:  titled(d),
			Header: []string{"Column", "Meaning", "Type", "Unit", "Range", "Step", "Value", "Value means"},
			Notes:  []string{declared(d)},
		}
		for k := range d.Schema.Columns {
			c := &d.Schema.Columns[k]
			span := ""
			if c.Type != job.Text {
				span = c.Min + " to " + c.Max
			}
			row := []string{c.Name, c.Description, string(c.Type), c.Unit, span, c.Step}
			// A column's values stand below each other, the first beside its name.
			values := valuesOf(c)
			if values == nil {
				values = []value{{}}
			}
			for _, v := range values {
				t.Rows = append(t.Rows, append(row, v.text, v.meaning))
				row = make([]string, len(row))
			}
		}
		if err := render.Table(out, withoutEmptyColumns(t), pageOf(out)); err != nil {
			return err
		}
	}
	return nil
}

// value is a category or a text that means missing.
type value struct {
	text, meaning string
	missing       bool
}

func valuesOf(c *job.Column) []value {
	var list []value
	for _, s := range c.Categories {
		list = append(list, value{s, c.Labels[s], false})
	}
	for _, s := range c.Missing {
		meaning := "missing"
		if label := c.Labels[s]; label != "" {
			meaning += ": " + label
		}
		list = append(list, value{s, meaning, true})
	}
	return list
}

func dictionaryCSV(out io.Writer, datasets []*job.Dataset) error {
	w := csv.NewWriter(out)
	rows := [][]string{{"dataset", "column", "meaning", "type", "unit", "min", "max", "step", "value", "value_means", "value_is_missing"}}
	for _, d := range datasets {
		for i := range d.Schema.Columns {
			c := &d.Schema.Columns[i]
			column := []string{d.Name, c.Name, c.Description, string(c.Type), c.Unit, c.Min, c.Max, c.Step}
			for _, v := range valuesOf(c) {
				rows = append(rows, slices.Concat(column, []string{v.text, c.Labels[v.text], map[bool]string{true: "yes", false: "no"}[v.missing]}))
			}
			if len(c.Categories)+len(c.Missing) == 0 {
				rows = append(rows, slices.Concat(column, []string{"", "", ""}))
			}
		}
	}
	return w.WriteAll(rows)
}

// dictionaryJSON prints the datasets with the names of a study file.
func dictionaryJSON(out io.Writer, datasets []*job.Dataset) error {
	type column struct {
		Name        string            `json:"name"`
		Description string            `json:"description,omitempty"`
		Type        job.Type          `json:"type"`
		Unit        string            `json:"unit,omitempty"`
		Step        string            `json:"step,omitempty"`
		Min         string            `json:"min,omitempty"`
		Max         string            `json:"max,omitempty"`
		Categories  []string          `json:"categories,omitempty"`
		Missing     []string          `json:"missing,omitempty"`
		Labels      map[string]string `json:"labels,omitempty"`
	}
	type table struct {
		Name    string         `json:"name"`
		Title   string         `json:"title,omitempty"`
		Rows    map[string]int `json:"rows"` // declared, by site
		Columns []column       `json:"columns"`
	}
	tables := []table{}
	for _, d := range datasets {
		t := table{Name: d.Name, Title: d.Title, Rows: map[string]int{}}
		for _, s := range d.Sites {
			t.Rows[s.Node] = s.Rows
		}
		for _, c := range d.Schema.Columns {
			t.Columns = append(t.Columns, column{c.Name, c.Description, c.Type, c.Unit, c.Step, c.Min, c.Max, c.Categories, c.Missing, c.Labels})
		}
		tables = append(tables, t)
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"datasets": tables})
}

// labelled writes a category with its meaning.
func labelled(c *job.Column, category string) string {
	if label := c.Labels[category]; label != "" {
		return category + " = " + label
	}
	return category
}

func labelledAll(c *job.Column, categories []string) string {
	texts := make([]string, len(categories))
	for i, s := range categories {
		texts[i] = labelled(c, s)
	}
	return strings.Join(texts, ", ")
}
