package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"consilium/client"
	"consilium/client/plot"
	"consilium/client/render"
	"consilium/job"
	"consilium/protocols"
)

// format is how a result is printed, and the file of its plot.
type format struct {
	json, csv bool
	plot      string
}

func (f *format) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as JSON, in full precision")
	cmd.Flags().BoolVar(&f.csv, "csv", false, "print the result as CSV, one figure a line, in full precision")
	cmd.Flags().StringVar(&f.plot, "plot", "", "draw the result into this `file`, which ends in .svg, .png or .pdf")
}

func (f *format) check() error {
	if f.json && f.csv {
		return errors.New("--json and --csv exclude each other; give one of them")
	}
	return nil
}

// checkPlot refuses what could not be drawn, before a job is submitted for it.
func (f *format) checkPlot(j *job.Job) error {
	if f.plot == "" {
		return nil
	}
	return plot.Check(f.plot, j)
}

// show prints the answer, and then draws it where a plot is asked for.
func (f *format) show(cmd *cobra.Command, id job.Hash, answer *plot.Figure) error {
	if err := f.print(cmd.OutOrStdout(), id, answer.Result); err != nil || f.plot == "" {
		return err
	}
	if answer.Result.Status != "ok" {
		fmt.Fprintf(cmd.ErrOrStderr(), "no plot: the result is %q; %s is not written\n", answer.Result.Status, f.plot)
		return nil
	}
	if err := plot.Write(f.plot, answer); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "plot in %s\n", f.plot)
	return nil
}

func (f *format) print(w io.Writer, id job.Hash, r *protocols.Result) error {
	switch {
	case f.json:
		return render.JSON(w, id, r)
	case f.csv:
		return render.CSV(w, id, r)
	}
	return render.Text(w, r, pageOf(w))
}

// one refuses any number of arguments but one.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes one argument, %s, not %d; see %s --help", cmd.CommandPath(), what, len(args), cmd.CommandPath())
		}
		return nil
	}
}

// clientFlag adds the flag that names a client's directory.
func clientFlag(flags *pflag.FlagSet, dir *string) {
	flags.StringVar(dir, "client", "", "the client's directory (else $CONSILIUM_CLIENT, else ./client)")
}

// loadClient reads the client's directory that the flag or its defaults name.
func loadClient(dir string) (*client.Client, error) {
	if dir == "" {
		dir = os.Getenv("CONSILIUM_CLIENT")
	}
	if dir == "" {
		const usual = "client"
		if _, err := os.Stat(filepath.Join(usual, client.ConfigFile)); err != nil {
			return nil, fmt.Errorf("no client here: ./%s does not exist; name the client's directory with --client or CONSILIUM_CLIENT, or make a study to play with by consilium init", filepath.Join(usual, client.ConfigFile))
		}
		dir = usual
	}
	return client.Load(dir)
}

type runOptions struct {
	client  string
	format  format
	yes     bool
	timeout time.Duration
	local   localOptions
}

func newRunCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run job.yaml",
		Short: "Ask a study a question and print the answer",
		Long: `Run plans the job in the file, says what it will reveal and to whom, signs it,
hands it to the study's coordinator, shows its progress, and opens the result,
which is sealed to this client alone.

The statement and the progress go to standard error, the result to standard
output. Run asks on the terminal before it signs; without one it signs nothing
unless --yes is given. It exits with 0 when a result was opened, also where the
result is but a word such as "suppressed" or "singular" with its reason: the job
went well, and --json and --csv tell the word as status.

With --local the job runs on this machine alone, through a coordinator and nodes
of its own, over data that are made up by the study's schema (or over files of
yours, with --data): to try a job file before anybody sees it. Nothing is sent to
the study, and every table, file and plot says that the numbers mean nothing.

With --plot it draws survival curves (kaplanmeier), forest plots (cox, linear,
logistic, oddsratio, poisson), histograms and ROC curves (roc).`,
		Example: `  consilium run job.yaml
  consilium run job.yaml --yes --json | jq .value
  consilium run job.yaml --client ~/studies/lung --csv > result.csv
  consilium run survival.yaml --plot survival.svg
  consilium run --local job.yaml

with, in job.yaml:

  study: lung-2026
  dataset: lung
  analysis: describe
  where: age >= 50 AND sex = 1
  args: {columns: [age, meal_cal]}`,
		Args: one("a job file"),
		RunE: func(cmd *cobra.Command, args []string) error { return runJob(cmd, &o, args[0]) },
	}
	o.flags(cmd)
	o.local.flags(cmd)
	return cmd
}

func (o *runOptions) flags(cmd *cobra.Command) {
	clientFlag(cmd.Flags(), &o.client)
	o.format.flags(cmd)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "sign without being asked")
	cmd.Flags().DurationVar(&o.timeout, "timeout", time.Hour, "how long to wait for the result")
}

func (o *runOptions) check() error {
	if o.timeout <= 0 {
		return fmt.Errorf("--timeout %v is no time to wait; give one such as 10m", o.timeout)
	}
	if err := o.local.check(); err != nil {
		return err
	}
	return o.format.check()
}

func runJob(cmd *cobra.Command, o *runOptions, path string) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.local.on {
		show := func(id job.Hash, f *plot.Figure) error { return o.format.show(cmd, id, f) }
		return runLocal(cmd.Context(), o, path, cmd.ErrOrStderr(), show)
	}
	c, err := loadClient(o.client)
	if err != nil {
		return err
	}
	file, err := readJob(path)
	if err != nil {
		return err
	}
	prepared, err := prepare(c, file, o.timeout)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return o.ask(cmd, c, prepared)
}

// askFile asks what a job file says.
func (o *runOptions) askFile(cmd *cobra.Command, c *client.Client, file *job.File) error {
	prepared, err := prepare(c, file, o.timeout)
	if err != nil {
		return err
	}
	return o.ask(cmd, c, prepared)
}

// ask says what a job reveals, signs it, waits for the result and shows it.
func (o *runOptions) ask(cmd *cobra.Command, c *client.Client, prepared *client.Prepared) error {
	if err := o.format.checkPlot(prepared.Job()); err != nil {
		return err
	}
	errOut := cmd.ErrOrStderr()
	consent := o.yes || isTerminal(cmd.InOrStdin())
	if !prepared.Chooses() || !consent {
		say(errOut, prepared)
	}
	if !consent {
		return errNoConsent
	}
	ctx, cancel := waitAtMost(cmd.Context(), o.timeout)
	defer cancel()
	conn, connected, err := dialStudy(ctx, c, prepared, errOut)
	if err != nil {
		return err
	}
	defer conn.Close()
	if prepared.Chooses() {
		if _, err := prepared.Choose(connected); err != nil {
			return err
		}
		say(errOut, prepared)
	}
	if !o.yes {
		if err := confirm(ctx, cmd.InOrStdin(), errOut); err != nil {
			return err
		}
	}
	signed, err := prepared.Sign()
	if err != nil {
		return err
	}
	id, _, err := conn.Bring(ctx, signed, prepared.Attachment())
	if err != nil {
		return err
	}
	fmt.Fprintf(errOut, "job %s submitted\n", id.Short())
	if err := watchJob(ctx, conn, c, id, prepared.Job(), errOut); err != nil {
		return err
	}
	result, err := prepared.Result(ctx, conn, signed)
	if err != nil {
		return err
	}
	if isTerminal(errOut) {
		fmt.Fprintln(errOut)
	}
	return o.format.show(cmd, id, &plot.Figure{Job: prepared.Job(), Dataset: prepared.Plan().Dataset, Result: result})
}

// say prints what a job will reveal, to whom, and who takes part.
func say(errOut io.Writer, prepared *client.Prepared) {
	fmt.Fprintln(errOut, strings.Join(prepared.Statement(), "\n"))
	if nodes := prepared.Job().Nodes; len(nodes) > 0 {
		fmt.Fprintf(errOut, "Of the nodes, %s take part.\n", strings.Join(nodes, ", "))
	}
}

// readJob reads a job file.
func readJob(path string) (*job.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, job.MaxJobBytes+1)) // ParseFile refuses what is longer
	if err != nil {
		return nil, err
	}
	file, err := job.ParseFile(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// prepare plans a job, which need not begin when nobody waits for its result any more.
func prepare(c *client.Client, file *job.File, timeout time.Duration) (*client.Prepared, error) {
	prepared, err := c.Prepare(file)
	if err != nil {
		return nil, err
	}
	prepared.Lifetime = lifetimeFor(timeout)
	return prepared, nil
}

// lifetimeFor is how long a job may wait to begin whose result is waited for so long.
func lifetimeFor(timeout time.Duration) time.Duration {
	return min(max(timeout, time.Minute), job.MaxLifetime)
}

func waitAtMost(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
}

// dialStudy connects, checks that the coordinator serves the pinned roster, and
// says which nodes the job would have to wait for. It returns those that are connected.
func dialStudy(ctx context.Context, c *client.Client, prepared *client.Prepared, errOut io.Writer) (*client.Conn, []string, error) {
	conn, err := c.Dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	connected, err := conn.Study(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	away := slices.DeleteFunc(c.Roster().Roster.Participants(prepared.Job()), func(name string) bool { return slices.Contains(connected, name) })
	if len(away) > 0 && !prepared.Chooses() {
		fmt.Fprintf(errOut, "not connected now: %s; the job cannot run without every node that takes part\n", strings.Join(away, ", "))
	}
	return conn, connected, nil
}

var (
	errNotSigned = errors.New("not signed, nothing was sent")
	errNoConsent = errors.New("not signed: nobody can be asked, since standard input is no terminal; add --yes to sign without being asked")
)

// confirm asks on a terminal. The reading goroutine cannot be interrupted; when
// ctx ends first, the process ends right after and takes it along.
func confirm(ctx context.Context, in io.Reader, out io.Writer) error {
	fmt.Fprint(out, "Sign and submit this job? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(in).ReadString('\n') // no answer is no consent
		answer <- text
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out)
		return errNotSigned
	case text := <-answer:
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "y", "yes":
			return nil
		}
		return errNotSigned
	}
}

// watchJob shows a job's progress until it is done. Any other end is an error.
func watchJob(ctx context.Context, conn *client.Conn, c *client.Client, id job.Hash, j *job.Job, errOut io.Writer) error {
	progress := render.NewProgress(errOut, drawsBars(errOut), c.Roster().Roster, j)
	err := conn.Watch(ctx, id, progress.Event)
	progress.Close()
	if err != nil && ctx.Err() != nil {
		why := context.Cause(ctx).Error()
		if errors.Is(ctx.Err(), context.Canceled) {
			why = "interrupted"
		}
		return fmt.Errorf("%s; job %s goes on without you: consilium jobs show %s prints its result, consilium jobs cancel %s ends it", why, id.Short(), id.Short(), id.Short())
	}
	return err
}

// pageOf is how tables are printed on w: plain and as wide as they are, but on a
// terminal.
func pageOf(w io.Writer) render.Page {
	page := render.Page{Lines: styled(w)}
	if isTerminal(w) {
		if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil { // a terminal is a file
			page.Width = width
		}
	}
	return page
}

// drawsBars says whether w is a terminal with room for a bar and its text.
func drawsBars(w io.Writer) bool {
	if !styled(w) {
		return false
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd())) // a terminal is a file
	return err == nil && width >= 60
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// styled says whether output to w may have lines, bold type and bars.
func styled(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
