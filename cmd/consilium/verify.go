package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"consilium/cmd/consilium/verify"
	"consilium/job"
)

func newVerifyCommand() *cobra.Command {
	var o verify.Options
	var strict bool
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Run a folder of reference cases through a whole local network",
		Long: `verify starts a local network of processes, one node a hospital file, runs every
case of DIR/cases.json through client, coordinator and nodes, and compares each
result with the expected one. A line a case:

  PASS|PART|FAIL|SKIP id max-error seconds [reason]

Of organ matching files (candidates.csv, donors.csv, etkas_expected.csv) it makes a
study with the candidates of each hospital at a node of its own and the donors at one
more, runs a match for each donor, and compares the ranked lists rank by rank.

With --source NAME the hospitals' files are first loaded into Parquet files, or into
a server that verify starts from this machine's packages (postgres, mysql,
clickhouse) or within itself (flightsql), a table a hospital, and the nodes are
pointed there.

With --deposited every dataset is deposited as shares with the three parties first;
then all data files are removed, all other nodes killed, and the cases run on what the
parties keep.

With --engine mixed the sites of every dataset deposit it encrypted first, as much of it
as the cases need; what sums of stored columns do not suffice for is skipped.

PART: all fields that are there agree, the absent ones are named. SKIP: this
version lacks the analysis, an argument or the engine. max-error is the largest
relative error of a number. The exit code is 0 when nothing failed; with
--strict, only when everything passed.`,
		Example: `  consilium verify testdata/reference
  consilium verify testdata/reference --only frequency-
  consilium verify testdata/reference --engine mhe
  consilium verify testdata/reference --engine mixed
  consilium verify testdata/reference --source postgres
  consilium verify testdata/reference --deposited
  consilium verify testdata/organ/examples`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			if o.Deposited && o.Engine != "" && o.Engine != job.EngineShares {
				return fmt.Errorf("--deposited is of engine shares, not %s", o.Engine)
			}
			if o.Deposited {
				o.Engine = job.EngineShares
			}
			o.Dir, o.Exe, o.Out, o.Log = args[0], exe, cmd.OutOrStdout(), cmd.ErrOrStderr()
			t, err := verify.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if t.Failed > 0 {
				return fmt.Errorf("%d cases failed", t.Failed)
			}
			if strict && t.Partial+t.Skipped > 0 {
				return fmt.Errorf("--strict: %d cases are partial and %d were skipped", t.Partial, t.Skipped)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Engine, "engine", "", "engine to ask for: shares, mhe or mixed (default: the job's choice)")
	f.StringVar(&o.Only, "only", "", "run only the cases whose id begins with this")
	f.StringVar(&o.Source, "source", "", "put the hospitals' data there first: "+strings.Join(verify.Sources(), ", "))
	f.BoolVar(&o.Deposited, "deposited", false, "run the cases on deposited shares, all sites stopped and their files removed")
	f.BoolVar(&strict, "strict", false, "refuse PART and SKIP too")
	return cmd
}
