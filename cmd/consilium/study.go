package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"consilium/cmd/consilium/setup"
	"consilium/job"
	"consilium/protocols"
)

func newStudyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "study",
		Short: "Make, show and approve a study's roster",
	}
	cmd.AddCommand(newStudyCreateCommand(), newStudyShowCommand(), newStudyApproveCommand())
	return cmd
}

func newStudyCreateCommand() *cobra.Command {
	var from, admin, out string
	var version int
	cmd := &cobra.Command{
		Use:   "create CARD…",
		Short: "Join a study file and its members' cards into a signed roster",
		Long: `create makes the roster: the signed file that names the study's nodes with their
keys, its three compute parties, its datasets and who may ask. It prints the
roster's hash; each member's operator compares it by a second way (a telephone)
and approves it. A change is a new version that every operator approves again.

--admin is the directory of the founder's signing key; it is made when absent.`,
		Example: `  consilium study create --from study.yaml --admin founder --out study.roster */card.yaml`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(out); err == nil {
				return fmt.Errorf("%s exists: move it away, or give another --out", out)
			}
			r, err := studyRoster(from, version, args)
			if err != nil {
				return err
			}
			if err := r.Check(); err != nil { // before a founder's key is made for nothing
				return err
			}
			if err := protocols.CheckLists(r); err != nil {
				return err
			}
			key, err := setup.Admin(admin)
			if err != nil {
				return err
			}
			file, err := job.SignRoster(r, key)
			if err != nil {
				return err
			}
			parsed, err := job.ParseRoster(file)
			if err != nil {
				return err
			}
			if err := job.WriteFile(out, file, 0o644); err != nil {
				return err
			}
			return showRoster(cmd.OutOrStdout(), parsed)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "study.yaml", "study file: name, parties, datasets with schema and sites, disclosure")
	f.StringVar(&admin, "admin", "admin", "directory of the founder's key")
	f.StringVar(&out, "out", setup.RosterFile, "roster file to write")
	f.IntVar(&version, "version", 1, "the roster's version; raise it with every change")
	return cmd
}

func studyRoster(from string, version int, cards []string) (*job.Roster, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return nil, err
	}
	study, err := setup.ParseStudyFile(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if err := study.Bundle(filepath.Dir(from)); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	members, err := setup.ReadCards(cards)
	if err != nil {
		return nil, err
	}
	return study.Roster(version, members, time.Now())
}

func newStudyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ROSTER",
		Short:   "Check a roster file and print what it says, and its hash",
		Example: "  consilium study show study.roster",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := job.ReadRoster(args[0], job.Hash{})
			if err != nil {
				return err
			}
			return showRoster(cmd.OutOrStdout(), r)
		},
	}
}

func newStudyApproveCommand() *cobra.Command {
	var member, hash string
	var force bool
	cmd := &cobra.Command{
		Use:   "approve ROSTER",
		Short: "Install a roster at a member and pin its hash",
		Long: `approve is how a member joins a study, or takes over a new version of its roster:
the operator gives the hash that the founders told by a second way. The daemon
uses it from its next start on. Every approved roster stays in the member's
directory, so that jobs signed under it can still be read. A version older than
the approved one is refused without --force.`,
		Example: "  consilium study approve study.roster --hash 3f1c… --member /etc/consilium/node",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pin, err := job.ParseHash(hash)
			if err != nil {
				return fmt.Errorf("--hash: %w", err)
			}
			file, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			if err := setup.Approve(member, file, pin, force); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Pinned roster %s in %s.\n", pin, member)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&member, "member", ".", "the member's directory")
	f.BoolVar(&force, "force", false, "go back to an older version of the study's roster")
	f.StringVar(&hash, "hash", "", "the roster's hash, 64 hex digits (required)")
	if err := cmd.MarkFlagRequired("hash"); err != nil {
		panic(err) // the flag is defined two lines above
	}
	return cmd
}

// showRoster prints all that an operator approves with the hash.
func showRoster(out io.Writer, f *job.RosterFile) error {
	r := f.Roster
	var b strings.Builder
	fmt.Fprintf(&b, "Study %s, version %d of %s\n", r.Study, r.Version, r.Created.Format(time.DateOnly))
	fmt.Fprintf(&b, "  founder      %-20s key %x\n", r.Admin.Name, []byte(r.Admin.Key))
	fmt.Fprintf(&b, "  coordinator  %-20s %s\n", r.Coordinator.Name, r.Coordinator.Address)
	for _, n := range r.Nodes {
		role := ""
		if i := slices.Index(r.Parties, n.Name); i >= 0 {
			role = fmt.Sprintf("  compute party %d", i+1)
		}
		fmt.Fprintf(&b, "  node         %-20s %-30s %s%s\n", n.Name, n.Organisation, n.Address, role)
	}
	for _, c := range r.Clients {
		fmt.Fprintf(&b, "  client       %-20s %s\n", c.Name, c.Organisation)
	}
	fmt.Fprintf(&b, "  disclosure   minimum count %d, minimum %s, maximum %s\n", r.Disclosure.MinCount, allowed(r.Disclosure.AllowMinimum), allowed(r.Disclosure.AllowMaximum))
	if r.Overlay != "" {
		fmt.Fprintf(&b, "  overlay      %s\n", r.Overlay)
	}
	for _, p := range r.Policies {
		fmt.Fprintf(&b, "  policy       %-20s hash %s\n", p.Name, p.Hash())
	}
	for _, d := range r.Datasets {
		sites := make([]string, len(d.Sites))
		for i, s := range d.Sites {
			sites[i] = fmt.Sprintf("%s (%d rows)", s.Node, s.Rows)
		}
		fmt.Fprintf(&b, "  dataset      %-20s at %s\n", d.Name, strings.Join(sites, ", "))
		if d.IsList() {
			fmt.Fprintf(&b, "    list of %ss by policy %s\n", d.List.Side, d.List.Policy)
		}
		for _, c := range d.Schema.Columns {
			fmt.Fprintf(&b, "    %s\n", columnLine(&c))
		}
	}
	fmt.Fprintf(&b, "hash %s\n", f.Hash)
	_, err := io.WriteString(out, b.String())
	return err
}

func allowed(yes bool) string {
	if yes {
		return "allowed"
	}
	return "not allowed"
}

// columnLine says of a column what a job may ask about.
func columnLine(c *job.Column) string {
	line := fmt.Sprintf("%-20s %s", c.Name, c.Type)
	if c.Type != job.Text {
		line += fmt.Sprintf(" %s to %s", c.Min, c.Max)
		if c.Step != "" && c.Step != "1" {
			line += " in steps of " + c.Step
		}
		if c.Unit != "" {
			line += " " + c.Unit
		}
	}
	if len(c.Categories) > 0 {
		line += ": " + labelledAll(c, c.Categories)
	}
	return line
}
