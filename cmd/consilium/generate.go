package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"consilium/cmd/consilium/localnet"
	"consilium/job"
	"consilium/synthetic"
)

func newDatasetsGenerateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make up a cohort of any size",
		Long: `Generate makes up a cohort of any size by a documented model. The model comes first
(so far there is one, cardiac), then its flags: --rows N and --out DIR, and --sites,
--seed and --format where the defaults will not do.`,
		Example: `  consilium datasets generate cardiac --rows 100000 --sites 5 --out cohort`,
	}
	cmd.AddCommand(newGenerateCardiacCommand())
	return cmd
}

type generateOptions struct {
	rows   int64
	seed   uint64
	sites  int
	out    string
	format string
}

func newGenerateCardiacCommand() *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "cardiac --rows N --out DIR",
		Short: "Make up a cardiac cohort: demographics, 20 laboratory values, outcome, follow-up",
		Long: `cardiac writes DIR/cardiac/hospital-1.parquet … hospital-K.parquet and, beside them,
DIR/study.yaml: the start of a study file with the cohort's schema. The patients
are made up by a documented model (see docs/operations.md): measurements
correlate, a part of them is missing, readmission follows a logistic model and
follow-up two competing hazards.

Equal seeds give equal bytes at any number of threads. The sites hold the rows one
after the other, so that together they are the same patients however many they
are. Memory does not grow with the rows.`,
		Example: `  consilium datasets generate cardiac --rows 10000 --sites 5 --out cohort
  consilium datasets generate cardiac --rows 1000000000 --seed 7 --out national`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return generateCardiac(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), o)
		},
	}
	f := cmd.Flags()
	f.Int64Var(&o.rows, "rows", 0, "patients in all (required)")
	f.Uint64Var(&o.seed, "seed", 1, "what the cohort is made from")
	f.IntVar(&o.sites, "sites", 1, "files to spread the patients over, one for each site")
	f.StringVar(&o.out, "out", "", "folder to write to; made when absent (required)")
	f.StringVar(&o.format, "format", "parquet", "parquet or csv")
	for _, required := range []string{"rows", "out"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

func (o *generateOptions) check() error {
	switch {
	case o.sites < 1 || o.sites > job.MaxNodes:
		return fmt.Errorf("--sites %d: use 1 to %d", o.sites, job.MaxNodes)
	case o.rows < int64(o.sites):
		return fmt.Errorf("--rows %d: give every one of the %d sites at least one", o.rows, o.sites)
	case o.format != "parquet" && o.format != "csv":
		return fmt.Errorf("--format %q: use parquet or csv", o.format)
	}
	return nil
}

func generateCardiac(ctx context.Context, out, errOut io.Writer, o generateOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	m := synthetic.NewCardiac(o.seed)
	d := job.Dataset{Name: "cardiac", Title: fmt.Sprintf("Cardiac cohort, made up from seed %d", o.seed), Schema: *m.Schema()}
	folder := filepath.Join(o.out, d.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	begin, size := time.Now(), int64(0)
	for k := range int64(o.sites) {
		first, end := o.rows*k/int64(o.sites), o.rows*(k+1)/int64(o.sites)
		node := localnet.NodeName(int(k) + 1)
		written, err := synthetic.WriteFile(ctx, filepath.Join(folder, node+"."+o.format), m, first, end-first, progressOf(errOut, first, o.rows))
		if err != nil {
			return err
		}
		size += written
		d.Sites = append(d.Sites, job.Site{Node: node, Rows: int(end - first)})
	}
	study := filepath.Join(o.out, "study.yaml")
	if err := writeDataset(study, &d); err != nil {
		return err
	}
	took := time.Since(begin).Seconds()
	_, err := fmt.Fprintf(out, "%d patients of %d sites in %s, %.1f MB, in %.1f s; their schema is in %s\n", o.rows, o.sites, folder, float64(size)/1e6, took, study)
	return err
}

// progressOf says on a terminal how far the rows are.
func progressOf(errOut io.Writer, before, all int64) func(int64) {
	if !isTerminal(errOut) {
		return nil
	}
	return func(rows int64) {
		end := "\r"
		if before+rows == all {
			end = "\n"
		}
		fmt.Fprintf(errOut, "%d of %d rows%s", before+rows, all, end)
	}
}

// writeDataset writes the start of a study file.
func writeDataset(path string, d *job.Dataset) error {
	var text bytes.Buffer
	writeStudyLines(&text)
	if err := encodeDataset(&text, d); err != nil {
		return err
	}
	return job.WriteFile(path, text.Bytes(), 0o644)
}

// encodeDataset writes a dataset as a study file has it.
func encodeDataset(w io.Writer, d *job.Dataset) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	err := e.Encode(map[string]any{"datasets": []*job.Dataset{d}})
	return errors.Join(err, e.Close())
}
