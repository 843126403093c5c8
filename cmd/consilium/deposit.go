package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"consilium/job"
)

// custody are the options of the commands that change what nodes keep of a dataset: each
// asks a job, as run does.
type custody struct {
	runOptions
	engine string
}

func (o *custody) flags(cmd *cobra.Command) {
	o.runOptions.flags(cmd)
	cmd.Flags().StringVar(&o.engine, "engine", o.engine, "shares: kept by the three parties as shares; mhe: encrypted under a key that all sites hold together")
}

// ask runs the job of that name about a dataset, at nodes of which the roster says who
// they are; nil is all.
func (o *custody) ask(cmd *cobra.Command, analysis, dataset string, args map[string]any, nodes func(*job.Roster) []string) error {
	if err := o.check(); err != nil {
		return err
	}
	switch o.engine {
	case job.EngineMHE, job.EngineShares:
	case "":
		return errors.New("datasets are kept under engine shares or mhe: add --engine shares, or --engine mhe")
	case job.EngineMixed:
		return errors.New("engine mixed asks what is kept under engine mhe: say --engine mhe")
	default:
		return fmt.Errorf("--engine is %q; datasets are kept under engine shares or mhe: add --engine shares, or --engine mhe", o.engine)
	}
	c, err := loadClient(o.client)
	if err != nil {
		return err
	}
	file := &job.File{Study: c.Roster().Roster.Study, Dataset: dataset, Analysis: analysis, Args: args, Engine: o.engine}
	if nodes != nil {
		r := c.Roster().Roster
		names := nodes(r)
		for _, name := range names {
			if r.NodeIndex(name) < 0 {
				return fmt.Errorf("there is no node %.64q: %s", name, job.Near(name, r.Names()))
			}
		}
		file.Nodes = r.Participants(&job.Job{Nodes: names})
	}
	prepared, err := prepare(c, file, o.timeout)
	if err != nil {
		return err
	}
	return o.runOptions.ask(cmd, c, prepared)
}

// theParties are the nodes that keep shares.
func theParties(r *job.Roster) []string { return r.Parties }

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
			return o.ask(cmd, "rekey", args[0], map[string]any{}, nil)
		},
	}
	o.flags(cmd)
	return cmd
}

// depositOptions are those of deposit, of both engines.
type depositOptions struct {
	custody
	columns, filters, at, sites []string
	rows                        int
	appends                     bool
	rebuild                     string
}

func newDepositCommand() *cobra.Command {
	var o depositOptions
	cmd := &cobra.Command{
		Use:   "deposit DATASET --engine shares|mhe",
		Short: "Have a dataset kept for later jobs, as shares or encrypted",
		Long: `Deposit has every site of a dataset hand it over once, in a form that nobody reads,
so that jobs with "stored: true" run on it without the sites' files. It takes the place
of what was deposited before.

With --engine shares every site shares its rows out to the study's three parties, who
keep their shares encrypted on their disks. Any analysis runs on them, with any filter,
also while all sites are away; no single party learns anything, two that pool what they
keep can read all. --append adds rows that came at the end of the sites' sources since
then, at most --rows of each site, and with --sites of these alone. --rebuild gives a
party that has lost its shares what it had. See also consilium refresh.

With --engine mhe every site encrypts its rows under the key that the sites hold together
(consilium rekey makes it), signs what it encrypted, and hands it to the nodes that keep
it; as many sites as the study's quorum says answer later jobs. These take their rows by
conditions that were deposited with the dataset: give each as --filter. A regression takes
the rows that are complete in all of its columns, which is a condition too. With --at the
ciphertexts are at these nodes alone: a job that fewer than all sites answer then has to
name one of them under nodes. A column that is too wide for products is left out, unless
it is named; the statement lists what goes. Where the study's file has vault: {mixed: true},
jobs of engine: mixed also keep the study's min_count.`,
		Example: `  consilium deposit lung --engine shares
  consilium deposit lung --engine shares --rows 500
  consilium deposit lung --engine shares --append --rows 100 --sites hospital-2
  consilium deposit lung --engine shares --rebuild hospital-3
  consilium deposit lung --engine mhe --columns age,time --filter "sex = 1" --at hospital-2
  consilium deposit lung --engine mhe --filter "time IS NOT NULL AND age IS NOT NULL"

and then, in a job file:

  study: lung-2026
  dataset: lung
  analysis: describe
  where: sex = 1
  args: {columns: [age]}
  stored: true
  engine: shares`,
		Args: one("a dataset"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.flags(cmd)
	return cmd
}

func (o *depositOptions) flags(cmd *cobra.Command) {
	o.custody.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.columns, "columns", nil, "columns to deposit (default: all; of engine mhe all numeric ones)")
	f.StringArrayVar(&o.filters, "filter", nil, "mhe: a condition that later jobs may take rows by; may be repeated")
	f.StringSliceVar(&o.at, "at", nil, "mhe: nodes that keep the ciphertexts (default: all sites)")
	f.BoolVar(&o.appends, "append", false, "shares: add the rows that came since the last deposit")
	f.IntVar(&o.rows, "rows", 0, "shares: rows that each site hands over at most, its first ones, padded to that number; --append adds the rest (default: as many as the study declares)")
	f.StringSliceVar(&o.sites, "sites", nil, "shares, with --append: the sites that add rows (default: all)")
	f.StringVar(&o.rebuild, "rebuild", "", "shares: give this `party` what it has lost")
}

func (o *depositOptions) run(cmd *cobra.Command, dataset string) error {
	if err := o.together(); err != nil {
		return err
	}
	if o.rebuild != "" {
		return o.ask(cmd, "rebuild", dataset, map[string]any{"party": o.rebuild}, theParties)
	}
	given := map[string]any{}
	for name, list := range map[string][]string{"columns": o.columns, "filters": o.filters, "at": o.at} {
		if len(list) > 0 {
			given[name] = list
		}
	}
	if o.rows != 0 {
		given["rows"] = o.rows
	}
	if o.engine != job.EngineShares {
		return o.ask(cmd, "deposit", dataset, given, nil)
	}
	if o.appends {
		given["append"] = true
	}
	return o.ask(cmd, "deposit", dataset, given, func(r *job.Roster) []string {
		sites := o.sites
		if d, ok := r.Dataset(dataset); ok && sites == nil {
			for _, s := range d.Sites {
				sites = append(sites, s.Node)
			}
		}
		return slices.Concat(sites, r.Parties)
	})
}

// together refuses options that do not go together.
func (o *depositOptions) together() error {
	ofShares := o.appends || o.rows != 0 || o.sites != nil || o.rebuild != ""
	switch {
	case o.rebuild != "" && o.engine == "":
		o.engine = job.EngineShares
	case ofShares && o.engine != job.EngineShares:
		return errors.New("--append, --rows, --sites and --rebuild are of engine shares: add --engine shares")
	}
	switch {
	case o.engine == job.EngineShares && (o.filters != nil || o.at != nil):
		return errors.New("--filter and --at are of engine mhe; under engine shares jobs take rows by any condition, and the three parties keep them: leave them out")
	case o.sites != nil && !o.appends:
		return errors.New("--sites says who adds rows: give --append with it; a deposit takes all sites")
	case o.rows < 0:
		return fmt.Errorf("--rows is %d: give how many rows each site may hand over", o.rows)
	case o.rebuild != "" && (o.appends || o.rows != 0 || o.columns != nil):
		return errors.New("--rebuild brings back what was deposited: leave the other options out")
	}
	return nil
}

func newRefreshCommand() *cobra.Command {
	o := custody{engine: job.EngineShares}
	cmd := &cobra.Command{
		Use:   "refresh DATASET",
		Short: "Have the parties give what they keep as shares new randomness",
		Long: `Refresh has the three parties replace all shares of what is deposited of a dataset by
new ones of the same values, and remove the old. A copy that somebody made of what one
party kept is then useless together with what another keeps. No site takes part. Run it
from time to time, and after a party's disk or backup may have been in other hands.`,
		Example: `  consilium refresh lung
  consilium refresh lung --yes --json`,
		Args: one("a dataset"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.ask(cmd, "refresh", args[0], map[string]any{}, theParties)
		},
	}
	o.runOptions.flags(cmd)
	return cmd
}

func newWithdrawCommand() *cobra.Command {
	var o custody
	cmd := &cobra.Command{
		Use:   "withdraw DATASET --engine shares|mhe",
		Short: "Have what is deposited of a dataset deleted everywhere",
		Long: `Withdraw has all nodes that keep something of a deposit delete it: under engine shares
the three parties, under engine mhe all; there the key stays, for the next deposit. Backups
of the nodes' disks are beyond its reach.`,
		Example: `  consilium withdraw lung --engine shares
  consilium withdraw lung --engine mhe`,
		Args: one("a dataset"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var nodes func(*job.Roster) []string
			if o.engine == job.EngineShares {
				nodes = theParties
			}
			return o.ask(cmd, "withdraw", args[0], map[string]any{}, nodes)
		},
	}
	o.flags(cmd)
	return cmd
}
