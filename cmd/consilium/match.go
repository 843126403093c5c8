package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"consilium/client"
	"consilium/client/render"
	"consilium/job"
	"consilium/node"
	"consilium/protocols"
)

func newMatchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "match",
		Short: "Match donors against waiting lists that nobody sees",
		Long: `Match runs an allocation policy of the study over its hospitals' waiting lists, which
stay secret-shared: the allocation office gets the ranked list, and each hospital the
rows of its own candidates. It finds exchange cycles among pairs likewise, and has a
hospital told how many of a panel's donors one of its candidates could accept.`,
		Example: `  consilium match rank --donor D01
  consilium match next 3f2a91c07b55d014
  consilium match answer 3f2a --node /etc/consilium/node/node.yaml --refuse 812
  consilium match exchange --list pairs --cycle 3
  consilium match cpra --hospital hospital-2 --candidate C017
  consilium match show 3f2a91c07b55d014
  consilium match show 3f2a --state /etc/consilium/node/state
  consilium match replay 3f2a --inputs hospital-1 --inputs hospital-2 --inputs hospital-3`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newMatchRankCommand(), newMatchNextCommand(), newMatchAnswerCommand(), newMatchExchangeCommand(), newMatchCPRACommand(), newMatchShowCommand(), newMatchReplayCommand())
	return cmd
}

type matchOptions struct {
	runOptions
	list, donors, donor, at, day, reveal string
	top                                  int
	all                                  bool
}

func newMatchRankCommand() *cobra.Command {
	var o matchOptions
	cmd := &cobra.Command{
		Use:   "rank --donor LABEL",
		Short: "Rank the candidates of a waiting list for a donor",
		Long: `Rank matches one donor, by her label in the list of donors, against a waiting list,
by the policy that the study has agreed on for both. It says what the run will reveal
and to whom before it signs, and prints the ranked list; every hospital of the list
gets the rows of its own candidates at its node: consilium match show prints them.

A candidate who is on the list at two hospitals ends the run without a list: the
result is the word "duplicates", and those hospitals are told which of their rows it
is. Dates count to today, unless --day says otherwise; nodes take a day's difference.

With --reveal next nobody sees any row yet: consilium match next reveals one rank at a
time, each after the hospital of the one before has answered.

--list and --donors may be left out in a study that has one list of each.`,
		Example: `  consilium match rank --donor D01
  consilium match rank --donor D01 --reveal next
  consilium match rank --donor D01 --list kidney --donors donors --top 20
  consilium match rank --donor D01 --all --yes --csv > run.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.rank(cmd) },
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.donor, "donor", "", "the donor's `label` in the list of donors")
	f.StringVar(&o.at, "at", "", "the `site` that has the donor, in a list of donors at several")
	f.StringVar(&o.list, "list", "", "the waiting list, a `dataset`")
	f.StringVar(&o.donors, "donors", "", "the list of donors, a `dataset`")
	f.IntVar(&o.top, "top", 0, "how many candidates to rank (default 50)")
	f.BoolVar(&o.all, "all", false, "rank the whole list")
	f.StringVar(&o.day, "day", "", "the `day` to which dates count, such as 2025-01-31 (default: today)")
	f.StringVar(&o.reveal, "reveal", "", "how rows are revealed: list, or next for one rank at a time (default list)")
	return cmd
}

func (o *matchOptions) rank(cmd *cobra.Command) error {
	if err := o.check(); err != nil {
		return err
	}
	switch {
	case o.donor == "":
		return fmt.Errorf("--donor is missing; see %s --help", cmd.CommandPath())
	case o.format.plot != "":
		return errors.New("a ranked list has no plot; leave out --plot")
	}
	c, err := loadClient(o.client)
	if err != nil {
		return err
	}
	r := c.Roster().Roster
	if o.list, err = onlyList(r, "--list", o.list, job.Candidates, ""); err != nil {
		return err
	}
	args := map[string]any{protocols.ArgDonor: o.donor}
	policy := ""
	if d, ok := r.Dataset(o.list); ok && d.List.Side == job.Candidates { // of others the plan says what they are
		policy = d.List.Policy
	}
	if args[protocols.ArgDonors], err = onlyList(r, "--donors", o.donors, job.Donors, policy); err != nil {
		return err
	}
	if o.at != "" {
		args[protocols.ArgDonorAt] = o.at
	}
	if cmd.Flags().Changed("top") {
		args["top"] = o.top
	}
	if o.all {
		args["all"] = true
	}
	if o.reveal != "" {
		args[protocols.ArgReveal] = o.reveal
	}
	return o.askMatch(cmd, c, protocols.MatchRank, o.list, o.day, args)
}

// askMatch asks for a match of a list, to whose day dates count if one is given, or today.
func (o *runOptions) askMatch(cmd *cobra.Command, c *client.Client, analysis, list, day string, args map[string]any) error {
	if day != "" {
		args[protocols.ArgDay] = day
	}
	file, err := protocols.MatchFile(c.Roster().Roster, analysis, list, args, time.Now())
	if err != nil {
		return err
	}
	return o.askFile(cmd, c, file)
}

// onlyList is the list that a flag names or, where it names none, the only one of that
// side, by that policy if one is given.
func onlyList(r *job.Roster, flag, name string, side job.Side, policy string) (string, error) {
	if name != "" {
		return name, nil
	}
	var found []string
	for i := range r.Datasets {
		if d := &r.Datasets[i]; d.List.Side == side && (policy == "" || d.List.Policy == policy) {
			found = append(found, d.Name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("study %s has no list of %ss; it has %s", r.Study, side, strings.Join(r.DatasetNames(), ", "))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s is missing; the study has the lists %s", flag, strings.Join(found, ", "))
}

func newMatchShowCommand() *cobra.Command {
	var o runOptions
	var state string
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "Print a match run: the list at the office, a hospital's own rows at its node",
		Long: `Show prints what a match run gave: at the office that asked, the ranked list; with
--state, the rows of a hospital's own candidates, which its node keeps. A run is named
by the first digits of its id, which is that of its job.`,
		Example: `  consilium match show 3f2a91c07b55d014
  consilium match show 3f2a --state /etc/consilium/node/state`,
		Args: one("the first digits of a run's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if state == "" {
				return showJob(cmd, o.client, args[0], &o.format, addRanks(cmd))
			}
			return showMatch(cmd, state, args[0], &o.format)
		},
	}
	clientFlag(cmd.Flags(), &o.client)
	cmd.Flags().BoolVar(&o.format.json, "json", false, "print the result as JSON")
	cmd.Flags().BoolVar(&o.format.csv, "csv", false, "print the result as CSV")
	cmd.Flags().StringVar(&state, "state", "", "a node's state `directory`: show what the run left there")
	return cmd
}

// showMatch prints what a site keeps of a run.
func showMatch(cmd *cobra.Command, state, prefix string, f *format) error {
	if err := f.check(); err != nil {
		return err
	}
	run, err := node.ReadMatch(state, prefix)
	if err != nil {
		return err
	}
	errOut := cmd.ErrOrStderr()
	fmt.Fprintf(errOut, "run %s at %s\n", run.Job, run.Site)
	fmt.Fprintf(errOut, "  %s of list %s in study %s, by policy %s (%s), dates as of %s\n", run.Analysis, run.Dataset, run.Study, run.Policy, run.PolicyHash.Short(), run.Day)
	for _, in := range run.Inputs {
		fmt.Fprintf(errOut, "  rows put in on the %s side of list %s: %d\n", in.Side, in.List, strings.Count(in.Text, "\n")-1)
	}
	for _, c := range run.Commitments {
		fmt.Fprintf(errOut, "  commitment of %s to the %s side of list %s: %s\n", c.Site, c.Side, c.List, c.Hash)
	}
	if run.Result == nil {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "This site learned nothing but that the run ended well.")
		return err
	}
	if err := addOffers(state, run); err != nil {
		return err
	}
	return f.print(cmd.OutOrStdout(), run.Job, run.Result)
}

func newMatchReplayCommand() *cobra.Command {
	var dir string
	var inputs []string
	cmd := &cobra.Command{
		Use:   "replay RUN --inputs DIR …",
		Short: "Run a match again in the clear, from what its sites put in, and compare",
		Long: `Replay is for an auditor with the office's keys to whom all sites of a run have given
what they keep of it: the file matches/RUN.json in the state directory of each node,
left in a directory of that form. Of a run with --reveal next it takes what was revealed
so far, whose answers' signatures it checks. It checks that each site shows what it had committed
to before anything was shared, and that the policy is the one of the run; runs the
policy in the clear; and prints the list if it is the run's own to the last row.

An exchange draws at random among cycles of equal score. Its replay puts the cycles
together from what each hospital was told, and checks that they are disjoint cycles of
pairs that suit each other, as many as the office was told, and a choice that the
policy can make: every cycle that was passed over shares a pair with a chosen one of an
equal or better score; or, in mode exact, that there can be no more.`,
		Example: `  consilium match replay 3f2a --inputs hospital-1/state --inputs hospital-2/state --inputs hospital-3/state`,
		Args:    one("the first digits of a run's id"),
		RunE:    func(cmd *cobra.Command, args []string) error { return replayMatch(cmd, dir, args[0], inputs) },
	}
	clientFlag(cmd.Flags(), &dir)
	cmd.Flags().StringArrayVar(&inputs, "inputs", nil, "a node's state `directory`, or a copy of its matches; may be given several times")
	return cmd
}

func replayMatch(cmd *cobra.Command, dir, prefix string, inputs []string) error {
	if len(inputs) == 0 {
		return errors.New("--inputs is missing: name the state directory of each site of the run")
	}
	c, conn, err := connect(cmd, dir)
	if err != nil {
		return err
	}
	defer conn.Close()
	stored, err := findStored(c, prefix)
	if err != nil {
		return err
	}
	id := stored.ID
	var runs []*protocols.MatchRun
	for _, state := range inputs {
		run, err := node.ReadMatch(state, id.String())
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	result, err := conn.Replay(cmd.Context(), stored.Signed, runs)
	if err != nil {
		return fmt.Errorf("run %s: %w", id.Short(), err)
	}
	return printReplay(cmd.OutOrStdout(), id, runs[0].Analysis, result)
}

func printReplay(out io.Writer, id job.Hash, analysis string, result *protocols.Result) error {
	if err := render.Text(out, result, pageOf(out)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "Replayed: every input is the one that its site had committed to, and run %s %s.\n", id.Short(), protocols.Replayed(analysis))
	return err
}
