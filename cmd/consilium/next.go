package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"consilium/client"
	"consilium/protocols"
)

type nextOptions struct {
	runOptions
	rank int
}

func newMatchNextCommand() *cobra.Command {
	var o nextOptions
	cmd := &cobra.Command{
		Use:   "next RUN",
		Short: "Reveal the next rank of a run, and offer it to its hospital",
		Long: `Next goes on with a run that was asked for with --reveal next: it brings the answer to
the rank before, signed by its hospital, and reveals the next one to this office and to
the hospital whose candidate it is. While there is no answer it says so, and reveals
nothing. After an acceptance, and after the last candidate, the run has ended.

Which rank is next it reads from what was revealed here before; --rank says it where
that is not known, or asks for the same rank once more when a job had failed.`,
		Example: `  consilium match next 3f2a91c07b55d014
  consilium match next 3f2a --yes --json
  consilium match next 3f2a --rank 2`,
		Args: one("the first digits of a run's id"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.next(cmd, args[0]) },
	}
	o.flags(cmd)
	cmd.Flags().IntVar(&o.rank, "rank", 0, "the `rank` to reveal (default: the one after the last)")
	return cmd
}

func (o *nextOptions) next(cmd *cobra.Command, prefix string) error {
	if err := o.check(); err != nil {
		return err
	}
	switch {
	case o.rank < 0:
		return fmt.Errorf("--rank %d is no rank; give 1 or more", o.rank)
	case o.format.plot != "":
		return errors.New("a rank has no plot; leave out --plot")
	}
	c, conn, err := connect(cmd, o.client)
	if err != nil {
		return err
	}
	defer conn.Close()
	stored, err := findStored(c, prefix)
	if err != nil {
		return err
	}
	id := stored.ID
	if !oneByOne(stored) {
		return fmt.Errorf("job %s is no match run with --reveal next: it has no next rank", id.Short())
	}
	if o.rank == 0 {
		if o.rank, err = nextRank(cmd.Context(), conn, stored); err != nil {
			return err
		}
	}
	file, err := protocols.NextFile(c.Roster().Roster, stored.Job.Dataset, id, o.rank)
	if err != nil {
		return err
	}
	return o.askFile(cmd, c, file)
}

// nextRank is the one after those that were revealed of a run that goes on.
func nextRank(ctx context.Context, conn *client.Conn, stored *client.Stored) (int, error) {
	ranks, err := conn.Ranks(ctx, stored.ID)
	if err != nil {
		return 0, err
	}
	var last *protocols.Result
	if n := len(ranks); n > 0 {
		last = ranks[n-1].Result
	} else if last, err = conn.Result(ctx, stored.Signed); err != nil {
		return 0, err
	}
	if last.Status != "ok" {
		return 0, fmt.Errorf("run %s has no further rank: %s", stored.ID.Short(), last.Reason)
	}
	return len(ranks) + 1, nil
}

// oneByOne tells whether a job is a run whose ranks are revealed one at a time.
func oneByOne(s *client.Stored) bool {
	return s.Job.Analysis == protocols.MatchRank && s.Job.Args[protocols.ArgReveal] == "next"
}

// addRanks adds to the result of such a run what was revealed of it.
func addRanks(cmd *cobra.Command) func(*client.Client, *client.Conn, *client.Stored, *protocols.Result) error {
	return func(c *client.Client, conn *client.Conn, stored *client.Stored, result *protocols.Result) error {
		if !oneByOne(stored) {
			return nil
		}
		ranks, err := conn.Ranks(cmd.Context(), stored.ID)
		if err != nil {
			return err
		}
		plan, err := c.Plan(stored.Job)
		if err != nil {
			return err
		}
		plan.AddRanks(result, ranks)
		return nil
	}
}
