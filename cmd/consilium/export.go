package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"consilium/job"
	"consilium/node/source"
)

func newDatasetsExportCommand() *cobra.Command {
	var roster, name, out string
	cmd := &cobra.Command{
		Use:   "export FILE --roster ROSTER --dataset NAME --out TABLE.csv|TABLE.parquet",
		Short: "Write the table that a site's mapping or file gives, for the site itself",
		Long: `export writes what a mapping, or any file, gives under the study's schema into a CSV
or Parquet file: to look at the rows that a check names, to map a large database once
and have the node read the table, or to make Parquet of a large CSV file, which a node
reads in little memory. The file holds records of patients: its owner alone may read
it, and it stays in the hospital.`,
		Example: `  consilium datasets export omop.yaml --roster study.roster --dataset failure --out failure.csv
  consilium datasets export registry.csv --roster study.roster --dataset lung --out registry.parquet`,
		Args: one("a site's mapping or file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := job.ReadRoster(roster, job.Hash{})
			if err != nil {
				return err
			}
			d, err := dataset(r.Roster, name)
			if err != nil {
				return err
			}
			if d.IsList() {
				return fmt.Errorf("dataset %s is a list, which is read as it is", d.Name)
			}
			return export(cmd, args[0], d, out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&roster, "roster", "", "the study's roster file (required)")
	f.StringVar(&name, "dataset", "", "the dataset's name (required)")
	f.StringVar(&out, "out", "", "file to write, which ends in .csv or .parquet (required)")
	for _, required := range []string{"roster", "dataset", "out"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

// export writes a file that appears once it is complete.
func export(cmd *cobra.Command, path string, d *job.Dataset, out string) (err error) {
	write := source.Export
	switch filepath.Ext(out) {
	case ".csv":
	case ".parquet":
		write = source.ExportParquet
	default:
		return fmt.Errorf("%s: write a file that ends in .csv or .parquet", out)
	}
	if _, err := os.Lstat(out); err == nil {
		return fmt.Errorf("%s exists: move it away, or give another name", out)
	}
	f, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".*") // for its owner alone
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		os.Remove(f.Name()) // not there any more when all went well
	}()
	w := bufio.NewWriter(f)
	rows, err := write(cmd.Context(), path, &d.Schema, w)
	if err != nil {
		return spreadCells(cmd.OutOrStdout(), err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return err
	}
	if err := job.SyncDir(filepath.Dir(out)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d rows of dataset %s in %s: records of patients, which stay here\n", rows, d.Name, out)
	return err
}
