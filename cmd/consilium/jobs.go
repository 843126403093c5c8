package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"consilium/client"
	"consilium/client/plot"
	"consilium/client/render"
	"consilium/job"
	"consilium/protocols"
)

const jobTime = "2006-01-02 15:04"

func newJobsCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List, show, watch and cancel jobs",
		Long: `Jobs lists the jobs that this client signed, and works on those that were submitted
from its directory. A job is named by the first digits of its id.`,
		Example: `  consilium jobs
  consilium jobs show 3f2a91c07b55d014
  consilium jobs cancel 3f2a`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listJobs(cmd, dir) },
	}
	clientFlag(cmd.PersistentFlags(), &dir)
	cmd.AddCommand(newJobsListCommand(&dir), newJobsShowCommand(&dir), newJobsWatchCommand(&dir), newJobsCancelCommand(&dir))
	return cmd
}

func newJobsListCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List this client's jobs",
		Long:    "List prints every job of this client that the coordinator knows, the newest first, and those submitted from here that it does not know.",
		Example: "  consilium jobs list",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return listJobs(cmd, *dir) },
	}
}

func listJobs(cmd *cobra.Command, dir string) error {
	c, conn, err := connect(cmd, dir)
	if err != nil {
		return err
	}
	defer conn.Close()
	ids, err := c.StoredIDs()
	if err != nil {
		return err
	}
	unlisted := make(map[job.Hash]bool, len(ids))
	for _, id := range ids {
		unlisted[id] = true
	}
	table := protocols.Table{Header: []string{"Job", "State", "Submitted", "By", "Analysis", "Dataset", "Reason"}}
	for s, err := range conn.Jobs(cmd.Context()) {
		if err != nil {
			return err
		}
		delete(unlisted, s.ID)
		table.Rows = append(table.Rows, []string{
			s.ID.Short(), string(s.State), s.Submitted.Format(jobTime), s.Signer, s.Analysis, s.Dataset, s.Reason,
		})
	}
	for _, s := range storedJobs(c, unlisted, cmd.ErrOrStderr()) {
		table.Rows = append(table.Rows, []string{
			s.ID.Short(), "unknown", s.Submitted.Local().Format(jobTime), c.Name(), s.Job.Analysis, s.Job.Dataset, "the coordinator does not know it",
		})
	}
	if len(table.Rows) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no jobs yet")
		return err
	}
	return render.Table(cmd.OutOrStdout(), table, pageOf(cmd.OutOrStdout()))
}

// storedJobs reads jobs that were submitted from here, in the order of their
// submission. One that cannot be read is named and left out.
func storedJobs(c *client.Client, ids map[job.Hash]bool, errOut io.Writer) []*client.Stored {
	var jobs []*client.Stored
	for id := range ids {
		s, err := c.Stored(id)
		if err != nil {
			fmt.Fprintf(errOut, "left out: %v\n", err)
			continue
		}
		jobs = append(jobs, s)
	}
	slices.SortFunc(jobs, func(a, b *client.Stored) int { return a.Submitted.Compare(b.Submitted) })
	return jobs
}

func newJobsShowCommand(dir *string) *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Print a job and open its result",
		Long: `Show prints what was asked and what became of it, and opens the result when there
is one, and draws it with --plot. Only the client that signed a job can. It exits
with 0 only when a result was opened, whatever its status.`,
		Example: `  consilium jobs show 3f2a91c07b55d014
  consilium jobs show 3f2a --json
  consilium jobs show 3f2a --plot survival.svg`,
		Args: one("the first digits of a job's id"),
		RunE: func(cmd *cobra.Command, args []string) error { return showJob(cmd, *dir, args[0], &f, nil) },
	}
	f.flags(cmd)
	return cmd
}

// findStored finds a job that was signed here by the first digits of its id.
func findStored(c *client.Client, prefix string) (*client.Stored, error) {
	id, err := c.FindStored(prefix)
	if err != nil {
		return nil, err
	}
	return c.Stored(id)
}

// showJob prints a job and its result, to which more adds something, if it is not nil.
func showJob(cmd *cobra.Command, dir, prefix string, f *format, more func(*client.Client, *client.Conn, *client.Stored, *protocols.Result) error) error {
	if err := f.check(); err != nil {
		return err
	}
	c, err := loadClient(dir)
	if err != nil {
		return err
	}
	stored, err := findStored(c, prefix)
	if err != nil {
		return err
	}
	id := stored.ID
	if err := f.checkPlot(stored.Job); err != nil {
		return err
	}
	dataset, err := c.Dataset(stored.Job)
	if err != nil {
		return err
	}
	if err := printAsked(cmd, stored); err != nil {
		return err
	}
	conn, err := c.Dial(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := checkDone(cmd, conn, id); err != nil {
		return err
	}
	result, err := conn.Result(cmd.Context(), stored.Signed)
	if err == nil && more != nil {
		err = more(c, conn, stored, result)
	}
	if err != nil {
		return err
	}
	return f.show(cmd, id, &plot.Figure{Job: stored.Job, Dataset: dataset, Result: result})
}

// printAsked prints the signed question to standard error.
func printAsked(cmd *cobra.Command, s *client.Stored) error {
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "job %s, submitted %s\n", s.ID, s.Submitted.Local().Format(jobTime))
	fmt.Fprintf(out, "  %s of dataset %s in study %s\n", s.Job.Analysis, s.Job.Dataset, s.Job.Study)
	for _, name := range slices.Sorted(maps.Keys(s.Job.Args)) {
		value, err := json.Marshal(s.Job.Args[name])
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s: %s\n", name, job.Printable(string(value), 500))
	}
	if s.Job.Where != "" {
		fmt.Fprintf(out, "  where %s\n", job.Printable(s.Job.Where, 500))
	}
	return nil
}

// checkDone says why a job has no result. One that the coordinator does not
// list may still be there: fetching it tells.
func checkDone(cmd *cobra.Command, conn *client.Conn, id job.Hash) error {
	for s, err := range conn.Jobs(cmd.Context()) {
		switch {
		case err != nil:
			return err
		case s.ID != id:
			continue
		case s.State == client.Done:
			return nil
		case s.State.Terminal():
			return &client.EndedError{ID: id, State: s.State, Reason: s.Reason}
		}
		return fmt.Errorf("job %s is %s since %s; consilium jobs watch %s shows its progress", id.Short(), s.State, s.Changed.Format(time.TimeOnly), id.Short())
	}
	return nil
}

func newJobsWatchCommand(dir *string) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:     "watch ID",
		Short:   "Show a job's progress until it ends",
		Long:    "Watch shows a job's way from its first event until it ends. It exits with 0 only when the job is done.",
		Example: "  consilium jobs watch 3f2a91c07b55d014",
		Args:    one("the first digits of a job's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, conn, err := connect(cmd, *dir)
			if err != nil {
				return err
			}
			defer conn.Close()
			id, err := c.FindStored(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := waitAtMost(cmd.Context(), timeout)
			defer cancel()
			asked := &job.Job{} // of another client, whose job is not here
			if stored, err := c.Stored(id); err == nil {
				asked = stored.Job
			}
			if err := watchJob(ctx, conn, c, id, asked, cmd.ErrOrStderr()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "job %s is done; consilium jobs show %s prints its result\n", id.Short(), id.Short())
			return err
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", time.Hour, "how long to watch")
	return cmd
}

func newJobsCancelCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:     "cancel ID",
		Short:   "End a job before it is done",
		Long:    "Cancel signs the request to end a job. Nodes that are at work on it stop, and nothing of it is revealed.",
		Example: "  consilium jobs cancel 3f2a91c07b55d014",
		Args:    one("the first digits of a job's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, conn, err := connect(cmd, *dir)
			if err != nil {
				return err
			}
			defer conn.Close()
			id, err := c.FindStored(args[0])
			if err != nil {
				return err
			}
			s, err := conn.Cancel(cmd.Context(), id)
			if err != nil {
				return err
			}
			if s.State != client.Cancelled {
				return fmt.Errorf("job %s is %s and cannot be cancelled", id.Short(), s.State)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "job %s is cancelled\n", id.Short())
			return err
		},
	}
}

// connect loads the client and connects to its coordinator.
func connect(cmd *cobra.Command, dir string) (*client.Client, *client.Conn, error) {
	c, err := loadClient(dir)
	if err != nil {
		return nil, nil, err
	}
	conn, err := c.Dial(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	return c, conn, nil
}
