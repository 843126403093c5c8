package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"consilium/job"
	"consilium/synthetic"
)

// studyFlags name the roster that a command without keys may read: a file, or that
// of a client.
type studyFlags struct{ client, roster string }

func (s *studyFlags) flags(f *pflag.FlagSet) {
	clientFlag(f, &s.client)
	f.StringVar(&s.roster, "roster", "", "the study's roster file, in place of a client's")
}

func (s *studyFlags) read() (*job.RosterFile, error) {
	if s.roster != "" {
		if s.client != "" {
			return nil, errors.New("--client and --roster exclude each other; give one of them")
		}
		return job.ReadRoster(s.roster, job.Hash{})
	}
	c, err := loadClient(s.client)
	if err != nil {
		return nil, err
	}
	return c.Roster(), nil
}

// dataset returns the roster's dataset of that name.
func dataset(r *job.Roster, name string) (*job.Dataset, error) {
	d, ok := r.Dataset(name)
	if !ok {
		return nil, fmt.Errorf("study %s has no dataset %q: %s", r.Study, name, job.Near(name, r.DatasetNames()))
	}
	return d, nil
}

// seedFlag is a seed that is drawn where none is given.
type seedFlag struct {
	seed  uint64
	given bool
}

func (s *seedFlag) String() string { return "" }
func (s *seedFlag) Type() string   { return "uint" }

func (s *seedFlag) Set(text string) (err error) {
	if s.seed, err = strconv.ParseUint(text, 10, 64); err != nil {
		return errors.New("a seed is a whole number from 0 to 2^64 - 1")
	}
	s.given = true
	return nil
}

func (s *seedFlag) value() uint64 {
	if !s.given {
		s.seed, s.given = synthetic.RandomSeed(), true
	}
	return s.seed
}

// twinMissing is the part of a twin's cells that is missing unless somebody says
// otherwise.
const twinMissing = 0.05

type twinOptions struct {
	study   studyFlags
	rows    int64
	out     string
	missing float64
	seed    seedFlag
}

func newDatasetsTwinCommand() *cobra.Command {
	var o twinOptions
	cmd := &cobra.Command{
		Use:   "twin DATASET --out FILE",
		Short: "Make up a dataset by the study's schema alone",
		Long: `twin writes a file that fits a dataset's schema and says nothing beside it: every
cell is drawn evenly from the declared range or list. No data are read, so a site
can publish it and a researcher can make it too, to write jobs against it. The
numbers mean nothing: columns do not even correlate.`,
		Example: `  consilium datasets twin lung --out lung.csv
  consilium datasets twin lung --roster study.roster --rows 100000 --seed 1 --out lung.parquet`,
		Args: one("a dataset's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeTwin(cmd.Context(), cmd.OutOrStdout(), &o, args[0])
		},
	}
	f := cmd.Flags()
	o.study.flags(f)
	f.Int64Var(&o.rows, "rows", 1000, "rows to make")
	f.StringVar(&o.out, "out", "", "file to write, which ends in .csv or .parquet (required)")
	f.Float64Var(&o.missing, "missing", twinMissing, "part of the cells of every column that is missing")
	f.Var(&o.seed, "seed", "what the twin is made from (drawn when left out)")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func writeTwin(ctx context.Context, out io.Writer, o *twinOptions, name string) error {
	r, err := o.study.read()
	if err != nil {
		return err
	}
	d, err := dataset(r.Roster, name)
	if err != nil {
		return err
	}
	if d.IsList() {
		return errListTwin(d)
	}
	twin, err := synthetic.NewTwin(&d.Schema, o.seed.value(), o.missing)
	if err != nil {
		return err
	}
	if _, err := synthetic.WriteFile(ctx, o.out, twin, 0, o.rows, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d rows made up by the schema of dataset %s, seed %d, in %s\n", o.rows, d.Name, o.seed.value(), o.out)
	return err
}

func errListTwin(d *job.Dataset) error {
	return fmt.Errorf("dataset %s is a list by policy %s: a twin is made by a schema, which it has not", d.Name, d.List.Policy)
}
