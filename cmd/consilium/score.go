package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/spf13/cobra"

	"consilium/job"
	"consilium/mpc/mhe"
	"consilium/node/source"
)

type scoreOptions struct {
	runOptions
	at, model, dataset string
	features           []string
}

func newScoreCommand() *cobra.Command {
	var o scoreOptions
	cmd := &cobra.Command{
		Use:   "score --at NODE --model NAME --dataset NAME patients.csv",
		Short: "Have patients scored by a hospital's model, without showing either to the other",
		Long: `Score encrypts the features of the patients in the file, one row each, under a key
that it makes for this and keeps nowhere, and asks the node that owns the model to
score them. The node, which keeps its model to itself, sees neither features nor
scores; only this process can open the scores. Where it is interrupted, ask again.

The first line of the file, CSV or Parquet, names the features: columns of the
dataset, whose types, units and ranges hold here too. Every value must be there.
Columns that the dataset does not have are passed over; where the file has more than
the model takes, name with --features those that it takes. A node whose model takes
others says which.

Of a logistic model the probability is printed besides. Up to 8192 patients are
scored at a time.`,
		Example: `  consilium score --at hospital-3 --model icu-death --dataset lung patients.csv
  consilium score --at hospital-3 --model icu-death --dataset lung --features age,sex --yes --json patients.csv`,
		Args: one("a file with the patients' rows"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.score(cmd, args[0]) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.at, "at", "", "the `node` that owns the model")
	cmd.Flags().StringVar(&o.model, "model", "", "the model's `name` there")
	cmd.Flags().StringVar(&o.dataset, "dataset", "", "the `dataset` whose columns the features are")
	cmd.Flags().StringSliceVar(&o.features, "features", nil, "the columns that the model takes (default: all of the dataset's columns in the file)")
	return cmd
}

func (o *scoreOptions) score(cmd *cobra.Command, path string) error {
	if err := o.check(); err != nil {
		return err
	}
	for _, need := range []struct{ flag, value string }{{"at", o.at}, {"model", o.model}, {"dataset", o.dataset}} {
		if need.value == "" {
			return fmt.Errorf("--%s is missing; see %s --help", need.flag, cmd.CommandPath())
		}
	}
	if o.format.plot != "" {
		return errors.New("scores have no plot; leave out --plot")
	}
	c, err := loadClient(o.client)
	if err != nil {
		return err
	}
	roster := c.Roster().Roster
	d, ok := roster.Dataset(o.dataset)
	if !ok {
		return fmt.Errorf("study %s has no dataset %.64q: %s", roster.Study, o.dataset, job.Near(o.dataset, roster.DatasetNames()))
	}
	features, passed, err := o.columns(cmd.Context(), path, d)
	if err != nil {
		return err
	}
	if len(passed) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "passed over in %s: %s\n", filepath.Base(path), strings.Join(passed, ", "))
	}
	rows, err := readPatients(cmd.Context(), path, d, features)
	if err != nil {
		return err
	}
	prepared, err := c.PrepareScore(o.at, o.model, o.dataset, features, rows)
	if err != nil {
		return err
	}
	prepared.Lifetime = lifetimeFor(o.timeout)
	return o.ask(cmd, c, prepared)
}

// columns settles what the features are, in the order of the schema, and what of the
// file is passed over.
func (o *scoreOptions) columns(ctx context.Context, path string, d *job.Dataset) (features, passed []string, err error) {
	header, err := source.Header(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	wanted := o.features
	if len(wanted) == 0 {
		wanted = header
	}
	for _, name := range o.features {
		if _, ok := d.Schema.Column(name); !ok {
			return nil, nil, fmt.Errorf("--features: dataset %s has no column %.64q: %s", d.Name, name, job.Near(name, d.Schema.Names()))
		}
	}
	for _, name := range d.Schema.Names() {
		if slices.Contains(wanted, name) {
			features = append(features, name)
		}
	}
	for _, name := range header {
		if !slices.Contains(features, name) {
			passed = append(passed, job.Printable(name, maxShownName))
		}
	}
	if len(features) == 0 {
		return nil, nil, fmt.Errorf("%s: its first line names no column of dataset %s; it has %s", filepath.Base(path), d.Name, strings.Join(d.Schema.Names(), ", "))
	}
	return features, passed, nil
}

// maxShownName caps a foreign column's name in a message, in bytes.
const maxShownName = 64

// readPatients reads the features of every row, as codes, by the rules that hold for a
// site's file.
func readPatients(ctx context.Context, path string, d *job.Dataset, features []string) ([][]int64, error) {
	var schema job.Schema
	var vectors []job.Vector
	for _, name := range features {
		c, _ := d.Schema.Column(name)
		schema.Columns = append(schema.Columns, *c)
		vectors = append(vectors, job.Vector{Name: name, Column: name})
	}
	const declared = 1 << 20 // more than are scored, so that the message is ours
	s, err := source.Open(ctx, path, &schema, declared)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	reader, err := s.Rows(ctx, nil, vectors)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	file := filepath.Base(path)
	var rows [][]int64
	for reader.Next() {
		batch := reader.Record()
		selected := batch.Column(2 * len(features)).(*array.Boolean)
		for r := range int(batch.NumRows()) {
			if !selected.Value(r) { // the file has ended
				return rows, noPatients(file, rows)
			}
			row := make([]int64, len(features))
			for i, name := range features {
				if !batch.Column(2*i + 1).(*array.Boolean).Value(r) {
					return nil, fmt.Errorf("%s: row %d, column %s: the value is missing, and a score needs all; leave the row out", file, len(rows)+1, name)
				}
				row[i] = batch.Column(2 * i).(*array.Int64).Value(r)
			}
			if rows = append(rows, row); len(rows) > mhe.MaxRows {
				return nil, fmt.Errorf("%s: has more than %d rows, as many as are scored at a time; split it", file, mhe.MaxRows)
			}
		}
	}
	if err := reader.Err(); err != nil {
		return nil, err
	}
	return rows, noPatients(file, rows)
}

func noPatients(file string, rows [][]int64) error {
	if len(rows) == 0 {
		return fmt.Errorf("%s: has no rows: there is nobody to score", file)
	}
	return nil
}
