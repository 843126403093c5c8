package main

import (
	"errors"

	"github.com/spf13/cobra"

	"consilium/job"
	"consilium/protocols"
)

type exchangeOptions struct {
	runOptions
	list, mode, day string
	cycle           int
}

func newMatchExchangeCommand() *cobra.Command {
	var o exchangeOptions
	cmd := &cobra.Command{
		Use:   "exchange",
		Short: "Find cycles among pairs of a recipient and a donor who does not suit her",
		Long: `Exchange looks in a list of pairs, at several hospitals, for cycles in which each
donor gives to the next pair's recipient, by the policy that the study has agreed on.
It says what the run will reveal and to whom before it signs, and prints the number
of transplants; every hospital of the list gets the partners of its own pairs at its
node: consilium match show prints them.

By default cycles are chosen without anybody seeing who could give to whom: some 97 %
of the most transplants that there can be. --mode exact finds the most. For that the
three parties see the graph of who could give to whom, of shuffled pairs without
names, so none of them may have pairs in the list.

--list may be left out in a study that has one list of pairs.`,
		Example: `  consilium match exchange
  consilium match exchange --list pairs --cycle 2
  consilium match exchange --list pairs --mode exact --yes --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.exchange(cmd) },
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.list, "list", "", "the list of pairs, a `dataset`")
	f.IntVar(&o.cycle, "cycle", 3, "how many pairs a cycle has at most, 2 or 3")
	f.StringVar(&o.mode, "mode", "", "how cycles are chosen: greedy or exact (default greedy)")
	f.StringVar(&o.day, "day", "", "the `day` to which dates count, such as 2025-01-31 (default: today)")
	return cmd
}

func (o *exchangeOptions) exchange(cmd *cobra.Command) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.format.plot != "" {
		return errors.New("an exchange has no plot; leave out --plot")
	}
	c, err := loadClient(o.client)
	if err != nil {
		return err
	}
	r := c.Roster().Roster
	list, err := onlyList(r, "--list", o.list, job.Pairs, "")
	if err != nil {
		return err
	}
	args := map[string]any{"cycle": o.cycle}
	if o.mode != "" {
		args["mode"] = o.mode
	}
	return o.askMatch(cmd, c, protocols.MatchExchange, list, o.day, args)
}
