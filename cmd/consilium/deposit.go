package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"consilium/job"
)

// custody are the options of the commands that keep a dataset encrypted: each asks a
// job, as run does.
type custody struct {
	runOptions
	engine string
}

func (o *custody) flags(cmd *cobra.Command) {
	o.runOptions.flags(cmd)
	cmd.Flags().StringVar(&o.engine, "engine", o.engine, "mhe: encrypted under a key that all sites hold together")
}

// ask runs the job of that name about a dataset.
func (o *custody) ask(cmd *cobra.Command, analysis, dataset string, args map[string]any) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.engine != job.EngineMHE {
		return fmt.Errorf("--engine is %q; this version keeps datasets under engine mhe: add --engine mhe", o.engine)
	}
	c, err := loadClient(o.client)
	if err != nil {
		return err
	}
	prepared, err := prepare(c, &job.File{
		Study: c.Roster().Roster.Study, Dataset: dataset, Analysis: analysis, Args: args, Engine: o.engine,
	}, o.timeout)
	if err != nil {
		return err
	}
	return o.runOptions.ask(cmd, c, prepared)
}

func newRekeyCommand() *cobra.Command {
	o := custody{engine: job.EngineMHE}
	cmd := &cobra.Command{
		Use:   "rekey DATASET",
		Short: "Have the sites of a dataset make a key together",
		Long: `Rekey has all sites of a dataset make a key epoch: a public key that datasets are
encrypted under, of which each site holds a piece of the secret in its own vault.
The study's file says how many sites, any of them, open together (vault: quorum) and
how many ciphertexts each site may open under one key (vault: openings); a job takes
one, and for wide numbers two or three. When these are spent,
or a piece may have been lost, rekey and deposit again.

What is deposited stays under the key that it was encrypted with.`,
		Example: `  consilium rekey lung
  consilium rekey lung --yes --json`,
		Args: one("a dataset"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.ask(cmd, "rekey", args[0], map[string]any{})
		},
	}
	o.flags(cmd)
	return cmd
}

func newDepositCommand() *cobra.Command {
	var o custody
	var columns, filters, at []string
	cmd := &cobra.Command{
		Use:   "deposit DATASET --engine mhe",
		Short: "Have the sites of a dataset encrypt it and keep it for later jobs",
		Long: `Deposit has every site encrypt columns of its rows, and which values are missing,
under the key that the sites hold together (consilium rekey makes it), sign what it
encrypted, and hand it to the nodes that keep it. Jobs with "stored: true" then run on
the ciphertexts: no site reads its rows again, and as many sites as the study's quorum
says suffice. It takes the place of what was deposited before.

Jobs on what is deposited take their rows by conditions that were deposited with it:
give each as --filter. A regression takes the rows that are complete in all of its
columns, which is a condition too.

With --at the ciphertexts are at these nodes alone: a job that fewer than all sites
answer then has to name one of them under nodes. A column that is too wide for products
is left out, unless it is named; the statement lists what goes.`,
		Example: `  consilium deposit lung --engine mhe
  consilium deposit lung --engine mhe --columns age,time --filter "sex = 1" --at hospital-2
  consilium deposit lung --engine mhe --filter "time IS NOT NULL AND age IS NOT NULL"

and then, in a job file:

  study: lung-2026
  dataset: lung
  analysis: describe
  where: sex = 1
  args: {columns: [age]}
  stored: true`,
		Args: one("a dataset"),
		RunE: func(cmd *cobra.Command, args []string) error {
			given := map[string]any{}
			for name, list := range map[string][]string{"columns": columns, "filters": filters, "at": at} {
				if len(list) > 0 {
					given[name] = list
				}
			}
			return o.ask(cmd, "deposit", args[0], given)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringSliceVar(&columns, "columns", nil, "columns to deposit (default: all numeric ones)")
	cmd.Flags().StringArrayVar(&filters, "filter", nil, "a condition that later jobs may take rows by; may be repeated")
	cmd.Flags().StringSliceVar(&at, "at", nil, "nodes that keep the ciphertexts (default: all sites)")
	return cmd
}

func newWithdrawCommand() *cobra.Command {
	var o custody
	cmd := &cobra.Command{
		Use:   "withdraw DATASET --engine mhe",
		Short: "Have what is deposited of a dataset deleted everywhere",
		Long: `Withdraw has all nodes that keep something of a deposit delete it. The key stays, for
the next deposit. Backups of the nodes' disks are beyond its reach.`,
		Example: `  consilium withdraw lung --engine mhe`,
		Args:    one("a dataset"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.ask(cmd, "withdraw", args[0], map[string]any{})
		},
	}
	o.flags(cmd)
	return cmd
}
