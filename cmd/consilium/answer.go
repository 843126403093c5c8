package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"consilium/client/render"
	"consilium/job"
	"consilium/node"
	"consilium/protocols"
)

// addOffers adds to what a hospital was told of a run the offers and its answers.
func addOffers(state string, run *protocols.MatchRun) error {
	offers, err := node.ReadOffers(state, run.Job)
	if err != nil || len(offers) == 0 {
		return err
	}
	all := []any{}
	for i := range offers {
		o := &offers[i]
		text := "none yet"
		if o.Answer != nil {
			text = saidOf(o.Answer)
		}
		value := map[string]any{"sequence": int64(o.Sequence), "own": o.Mine, "at": o.At.Format(time.RFC3339)}
		if o.Mine {
			value["answer"] = text
			for _, t := range o.Result.Tables {
				t.Title += ", offered " + o.At.Local().Format(jobTime)
				t.Notes = []string{"Answer: " + text + "."}
				run.Result.Tables = append(run.Result.Tables, t)
			}
		}
		all = append(all, value)
	}
	last := &offers[len(offers)-1]
	run.Result.Tables[0].Notes = append(run.Result.Tables[0].Notes, fmt.Sprintf("The office has asked for rank %d last, %s.", last.Sequence, last.At.Local().Format(jobTime)))
	if value, ok := run.Result.Value.(map[string]any); ok {
		value["offers"] = all
	}
	return nil
}

// saidOf is an answer in a few words.
func saidOf(a *job.Answer) string {
	if a.Accept {
		return "accepted"
	}
	return fmt.Sprintf("refused, %d", a.Code)
}

type answerOptions struct {
	node   string
	accept bool
	refuse int
	yes    bool
}

func newMatchAnswerCommand() *cobra.Command {
	var o answerOptions
	cmd := &cobra.Command{
		Use:   "answer RUN --accept | --refuse CODE",
		Short: "Accept or refuse the offer of a rank, at the hospital",
		Long: `Answer shows the candidate of this hospital who was offered the latest rank of a run, asks,
and signs the answer with the node's key. The node, which may be running, sends it to
the parties when the office asks for the next rank. An answer is never changed.

Without --accept and --refuse it shows the offer, and the codes that the policy has for
refusals.`,
		Example: `  consilium match answer 3f2a --node /etc/consilium/node/node.yaml
  consilium match answer 3f2a --node /etc/consilium/node/node.yaml --accept
  consilium match answer 3f2a --node /etc/consilium/node/node.yaml --refuse 812 --yes`,
		Args: one("the first digits of a run's id"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.answer(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.node, "node", "node.yaml", "the node's configuration `file`")
	f.BoolVar(&o.accept, "accept", false, "accept the offer")
	f.IntVar(&o.refuse, "refuse", 0, "refuse the offer, by a `code` of the policy")
	f.BoolVarP(&o.yes, "yes", "y", false, "sign without being asked")
	return cmd
}

func (o *answerOptions) answer(cmd *cobra.Command, prefix string) error {
	refused := cmd.Flags().Changed("refuse")
	if o.accept && refused {
		return errors.New("--accept and --refuse exclude each other; give one of them")
	}
	config, err := node.LoadConfig(o.node)
	if err != nil {
		return fmt.Errorf("%w; name the node's configuration by --node", err)
	}
	offers, err := node.FindOffers(config, prefix)
	if err != nil {
		return err
	}
	offer, err := offers.Waiting()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if err := o.show(out, offers, offer); err != nil {
		return err
	}
	if !o.accept && !refused {
		_, err := fmt.Fprintf(out, "Answer by --accept, or by --refuse CODE: %s.\n", offers.Policy().RefusalCodes())
		return err
	}
	if _, known := offers.Policy().Refusal(o.refuse); refused && !known {
		return fmt.Errorf("--refuse %d: policy %s has no such code; it has %s", o.refuse, offer.Policy, offers.Policy().RefusalCodes())
	}
	if err := o.consent(cmd, offers, offer); err != nil {
		return err
	}
	answer, err := offers.Answer(o.accept, o.refuse)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Rank %d of run %s: %s. The office gets it when it asks for the next rank.\n", offer.Sequence, offers.Run().Short(), saidOf(answer))
	return err
}

// show prints the offer, and until when it counts.
func (o *answerOptions) show(out io.Writer, offers *node.Offers, offer *node.Offered) error {
	for _, t := range offer.Result.Tables {
		t.Notes = []string{fmt.Sprintf("Offered %s.", offer.At.Local().Format(jobTime))}
		if within := offers.Policy().AnswerWithin(); within > 0 {
			t.Notes = append(t.Notes, fmt.Sprintf("The office may go on without an answer from %s on.", offer.At.Add(within).Local().Format(jobTime)))
		}
		if offer.Answer != nil {
			t.Notes = append(t.Notes, "Answered: "+saidOf(offer.Answer)+".")
		}
		if err := render.Table(out, t, pageOf(out)); err != nil {
			return err
		}
	}
	return nil
}

// consent asks on the terminal.
func (o *answerOptions) consent(cmd *cobra.Command, offers *node.Offers, offer *node.Offered) error {
	if o.yes {
		return nil
	}
	if !isTerminal(cmd.InOrStdin()) {
		return errors.New("not signed: nobody can be asked, since standard input is no terminal; add --yes to sign without being asked")
	}
	what := "Accept"
	if !o.accept {
		text, _ := offers.Policy().Refusal(o.refuse)
		what = fmt.Sprintf("Refuse (%d, %s)", o.refuse, text)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s rank %d of run %s? It is never changed. [y/N] ", what, offer.Sequence, offers.Run().Short())
	text, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n') // no answer is no consent
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not signed; the offer waits")
}
