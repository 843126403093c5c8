package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"consilium/client"
	"consilium/job"
	"consilium/node"
)

func newRecordCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "record STATE",
		Short: "Print a node's record of jobs, for an auditor",
		Long: `record prints what a node keeps of every job for good: who asked what, what the
node answered, in which session it ran, what it let out and to whom. STATE is the
node's state directory; the node may be running or not. With --json each line
also holds the signed job and the signed answer, so that they can be verified.`,
		Example: "  consilium node record /etc/consilium/node/state",
		Args:    one("the node's state directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			records, err := node.ReadRecords(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			for i := range records {
				if err := printRecord(cmd.OutOrStdout(), &records[i], asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// maxRecordText caps a reason or a revealed item, in bytes.
const maxRecordText = 1000

func printRecord(out io.Writer, r *node.Record, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	j, err := job.Decode(r.Signed.Bytes)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  job %s  %s\n", r.Decided.UTC().Format(time.RFC3339), r.Job.Short(), r.State)
	fmt.Fprintf(&b, "  %s asked %q of %q", r.Signer, j.Analysis, j.Dataset)
	if j.Where != "" {
		fmt.Fprintf(&b, " where %q", j.Where) // a signer's text: it must not look like lines of ours
	}
	b.WriteString("\n")
	if len(r.Session) > 0 {
		fmt.Fprintf(&b, "  session %x, for %s alone:\n", r.Session, r.Recipient)
		for _, what := range r.Reveals {
			fmt.Fprintf(&b, "    %s\n", client.Printable(what, maxRecordText))
		}
	}
	for _, reason := range []string{r.Decision.Reason, r.Error} {
		if reason != "" {
			fmt.Fprintf(&b, "  %s\n", client.Printable(reason, maxRecordText))
		}
	}
	_, err = io.WriteString(out, b.String())
	return err
}
