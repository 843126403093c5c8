package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"consilium/job"
	"consilium/protocols"
)

type cpraOptions struct {
	runOptions
	panel, list, hospital, candidate, day string
}

func newMatchCPRACommand() *cobra.Command {
	var o cpraOptions
	cmd := &cobra.Command{
		Use:   "cpra --hospital NODE --candidate LABEL",
		Short: "Have a candidate's hospital told how many of a panel's donors she could accept",
		Long: `Cpra holds the unacceptable antigens of one candidate of a waiting list against a panel,
which is a list of donors of the study, at any number of sites. How many donors the
panel has, how many of them the candidate could accept, and how many if one of her
antigens were dropped, goes to her hospital's node alone: consilium match show prints
it there. Here the answer is that it was answered, or the word "suppressed" where the
panel has fewer donors than the policy's minimum.

The policy must allow such questions, and says how many for each hospital in 24 hours;
every node counts those that it accepts, however they end. Blood groups do not count.

--panel and --list may be left out in a study that has one list of each.`,
		Example: `  consilium match cpra --panel donors --list kidney --hospital hospital-2 --candidate C017
  consilium match show 3f2a --state /etc/consilium/node/state`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.cpra(cmd) },
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.panel, "panel", "", "the panel, a `dataset` that is a list of donors")
	f.StringVar(&o.list, "list", "", "the candidate's waiting list, a `dataset`")
	f.StringVar(&o.hospital, "hospital", "", "the `node` of the candidate's hospital")
	f.StringVar(&o.candidate, "candidate", "", "the candidate's `label` in her hospital's list")
	f.StringVar(&o.day, "day", "", "the `day` of the question, such as 2025-01-31 (default: today)")
	return cmd
}

func (o *cpraOptions) cpra(cmd *cobra.Command) error {
	if err := o.check(); err != nil {
		return err
	}
	switch {
	case o.hospital == "" || o.candidate == "":
		return fmt.Errorf("--hospital or --candidate is missing; see %s --help", cmd.CommandPath())
	case o.format.plot != "":
		return errors.New("a question to a panel has no plot; leave out --plot")
	}
	c, err := loadClient(o.client)
	if err != nil {
		return err
	}
	r := c.Roster().Roster
	panel, err := onlyList(r, "--panel", o.panel, job.Donors, "")
	if err != nil {
		return err
	}
	policy := ""
	if d, ok := r.Dataset(panel); ok {
		policy = d.List.Policy
	}
	list, err := onlyList(r, "--list", o.list, job.Candidates, policy)
	if err != nil {
		return err
	}
	args := map[string]any{protocols.ArgList: list, protocols.ArgHospital: o.hospital, protocols.ArgCandidate: o.candidate}
	return o.askMatch(cmd, c, protocols.MatchCPRA, panel, o.day, args)
}
