package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"consilium/coordinator"
	"consilium/node"
)

func newNodeCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a hospital's node",
		Long: `node runs a hospital's node until it is told to stop (SIGTERM or Ctrl-C). It logs
JSON lines to standard error, never a value of a record, and answers /healthz,
/readyz and /metrics on its loopback metrics address.`,
		Example: "  consilium node --config /etc/consilium/node/node.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := node.LoadConfig(config)
			if err != nil {
				return err
			}
			boundHeap()
			n, err := node.Start(cmd.Context(), c, daemonLog())
			if err != nil {
				return err
			}
			return n.Wait()
		},
	}
	cmd.Flags().StringVar(&config, "config", "node.yaml", "configuration file")
	cmd.AddCommand(newRecordCommand(), newVaultKeyCommand())
	return cmd
}

func newCoordinatorCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "coordinator",
		Short: "Run a study's coordinator",
		Long: `coordinator runs the study's rendezvous until it is told to stop (SIGTERM or
Ctrl-C). It queues jobs and carries sealed results; it never holds a share, a
key or a result.`,
		Example: "  consilium coordinator --config /etc/consilium/coordinator/coordinator.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := coordinator.LoadConfig(config)
			if err != nil {
				return err
			}
			c.Log = daemonLog()
			s, err := coordinator.Start(cmd.Context(), *c)
			if err != nil {
				return err
			}
			<-s.Done()
			return s.Close(context.WithoutCancel(cmd.Context()))
		},
	}
	cmd.Flags().StringVar(&config, "config", "coordinator.yaml", "configuration file")
	return cmd
}

// boundHeap collects garbage twice as often as usual, unless the operator chose:
// a party's heap is large vectors without pointers, so that collecting costs
// little and waiting for it costs memory.
func boundHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

func daemonLog() *slog.Logger { return slog.New(slog.NewJSONHandler(os.Stderr, nil)) }
