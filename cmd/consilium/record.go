package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"consilium/job"
	"consilium/node"
)

func newRecordCommand() *cobra.Command {
	var asJSON bool
	var rosters []string
	cmd := &cobra.Command{
		Use:   "record STATE",
		Short: "Print a node's record of jobs, for an auditor",
		Long: `record prints what a node keeps of every job for good: who asked what, what the
node answered, in which session it ran, what it let out and to whom. STATE is the
node's state directory; the node may be running or not. With --json each line also holds
the signed job, every node's signed answer, and the signature of what was sealed.

--verify holds each record against the study's roster: the signatures of the client
and of the nodes, the session that follows from them, and the share and the outcome
that left the node. It ends at the first record that does not verify. Give it once
for each version of the roster under which jobs were signed.`,
		Example: `  consilium node record /etc/consilium/node/state
  consilium node record /etc/consilium/node/state --verify study.roster`,
		Args: one("the node's state directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := newAudit(rosters)
			if err != nil {
				return err
			}
			records, err := node.ReadRecords(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			for i := range records {
				if err := a.verify(&records[i]); err != nil {
					return err
				}
				if err := printRecord(cmd.OutOrStdout(), &records[i], asJSON, len(a) > 0); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().StringArrayVar(&rosters, "verify", nil, "verify each record against this roster file; may be given several times")
	return cmd
}

// maxRecordText caps a reason or a revealed item, in bytes.
const maxRecordText = 1000

// audit holds the rosters against which records are verified; none: they are not.
type audit []*job.RosterFile

func newAudit(paths []string) (audit, error) {
	var a audit
	for _, path := range paths {
		roster, err := job.ReadRoster(path, job.Hash{})
		if err != nil {
			return nil, err
		}
		a = append(a, roster)
	}
	return a, nil
}

// verify takes the roster that the job names, or else any: of a rejected job the
// node's own may be another.
func (a audit) verify(r *node.Record) (err error) {
	j, err := job.Decode(r.Signed.Bytes)
	if err != nil {
		return err
	}
	for _, roster := range a {
		if err = r.Verify(roster); err == nil || roster.Hash == j.Roster {
			return err
		}
	}
	return err
}

func printRecord(out io.Writer, r *node.Record, asJSON, verified bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			*node.Record
			Verified bool `json:",omitempty"`
		}{r, verified})
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
			fmt.Fprintf(&b, "    %s\n", job.Printable(what, maxRecordText))
		}
	}
	for _, reason := range []string{r.Decision.Reason, r.Error} {
		if reason != "" {
			fmt.Fprintf(&b, "  %s\n", job.Printable(reason, maxRecordText))
		}
	}
	if verified {
		b.WriteString("  verified\n")
	}
	_, err = io.WriteString(out, b.String())
	return err
}
