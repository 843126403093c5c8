// Command consilium is the whole of Consilium in one binary: the node's and the
// coordinator's daemons, the researcher's client, and what makes a study.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker (see Makefile).
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "consilium:", oneLine(err))
		os.Exit(1)
	}
}

// oneLine puts joined errors on one line, as every message of the program is.
func oneLine(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "consilium",
		Short: "Joint statistics over hospitals' data that stay where they are",
		Long: `Consilium answers a question over the records of several hospitals without any
record leaving its hospital in readable form.

  consilium demo              see it work on this machine, in half a minute
  consilium init STUDY        make a ready local study to play with
  consilium run job.yaml      ask a question`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(
		newDemoCommand(), newInitCommand(), newStudyCommand(),
		newNodeCommand(), newCoordinatorCommand(),
		newDatasetsCommand(), newRunCommand(), newScoreCommand(), newJobsCommand(),
		newMatchCommand(),
		newRekeyCommand(), newDepositCommand(), newRefreshCommand(), newWithdrawCommand(),
		newVerifyCommand(), newVersionCommand(),
	)
	for _, cmd := range root.Commands() {
		explainGroups(cmd)
	}
	return root
}

// explainGroups lets commands that only lead to others say which these are, whatever
// stands in their place.
func explainGroups(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		explainGroups(sub)
	}
	if !cmd.HasSubCommands() || cmd.Runnable() {
		return
	}
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
	explained := func(problem string) error {
		return fmt.Errorf("%s: %s is followed by %s and then by flags, for example: %s", problem, cmd.CommandPath(), strings.Join(names, " or "), example)
	}
	cmd.DisableFlagsInUseLine = true
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if c != cmd {
			return err
		}
		return explained(err.Error())
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return explained(fmt.Sprintf("there is no %q", args[0]))
	}
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  consilium version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "consilium", version)
			return err
		},
	}
}
