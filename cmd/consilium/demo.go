package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"consilium/client"
	"consilium/client/render"
	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/verify"
	"consilium/examples"
	"consilium/job"
	"consilium/protocols"
)

func newDemoCommand() *cobra.Command {
	var keep, registry bool
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch five hospitals answer a researcher's questions on this machine",
		Long: `demo makes a study of five hospitals with example data, starts its coordinator and
its nodes as processes of their own, and asks ten questions. It prints each
result beside the one that R computes over the pooled rows, and what each
process saw. With --keep the study goes on running for you to try.

With --registry the study is an organ registry of four hospitals: waiting lists are
matched against donors, each list beside the expected one, and kidneys exchanged.`,
		Example: `  consilium demo --keep
  consilium demo --registry --keep --dir my-registry`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				temp, err := os.MkdirTemp("", "consilium-demo-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(temp)
				dir = filepath.Join(temp, "study")
			}
			if registry {
				return runDemo(cmd.Context(), cmd.OutOrStdout(), dir, keep, registryExample(), (*demo).matches)
			}
			return runDemo(cmd.Context(), cmd.OutOrStdout(), dir, keep, analysisExample(), (*demo).questions)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the study running until Ctrl-C, and say what to try")
	cmd.Flags().BoolVar(&registry, "registry", false, "make an organ registry, and match")
	cmd.Flags().StringVar(&dir, "dir", "", "make the study here and leave it, instead of a temporary folder")
	return cmd
}

// runDemo makes an example's study, starts it, and asks what is asked of it.
func runDemo(ctx context.Context, out io.Writer, dir string, keep bool, e example, ask func(*demo, context.Context) (ran, matched int, err error)) (err error) {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Making keys, a roster and configuration for the nodes, a coordinator and a researcher …")
	layout, err := createExample(dir, e, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Starting %d processes …\n", len(layout.Nodes)+1)
	network, err := localnet.Start(ctx, exe, layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Stop()) }()
	d := &demo{out: out, layout: layout}
	ran, matched, err := d.connected(ctx, ask)
	if err != nil {
		return err
	}
	if keep {
		d.keep(ctx, exe, e)
	}
	fmt.Fprintf(out, "demo: %d jobs, %d match the reference\n", ran, matched)
	if matched < ran {
		return fmt.Errorf("%d of %d results differ from the reference", ran-matched, ran)
	}
	return nil
}

type demo struct {
	out    io.Writer
	layout *localnet.Layout
	client *client.Client
	conn   *client.Conn
	source string // who computed the expected values
	expect map[string]any
	within func(id string) float64 // relative tolerance of a job's figures
}

// connected asks with a client of the study.
func (d *demo) connected(ctx context.Context, ask func(*demo, context.Context) (ran, matched int, err error)) (ran, matched int, err error) {
	if d.client, err = client.Load(d.layout.ClientDir()); err != nil {
		return 0, 0, err
	}
	if d.conn, err = d.client.Dial(ctx); err != nil {
		return 0, 0, err
	}
	defer d.conn.Close()
	return ask(d, ctx)
}

// questions asks every example job and returns how many ran and how many agree.
func (d *demo) questions(ctx context.Context) (ran, matched int, err error) {
	if err := d.load(); err != nil {
		return 0, 0, err
	}
	jobs, err := filepath.Glob(filepath.Join(d.layout.Dir, "examples", "jobs", "*.yaml"))
	if err != nil {
		return 0, 0, err
	}
	for _, path := range jobs {
		ok, err := d.question(ctx, path)
		if err != nil {
			return ran, matched, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		ran++
		if ok {
			matched++
		}
	}
	return ran, matched, nil
}

func (d *demo) load() error {
	b, err := examples.FS.ReadFile("expected.json")
	if err != nil {
		return err
	}
	var file struct {
		Source       string             `json:"source"`
		Expect       map[string]any     `json:"expect"`
		RelTol       float64            `json:"rel_tol"`
		RelTolOfIter map[string]float64 `json:"rel_tol_of_iterations"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return err
	}
	d.source, d.expect = file.Source, file.Expect
	d.within = func(id string) float64 { return cmp.Or(file.RelTolOfIter[id], file.RelTol) }
	return nil
}

// question takes one job file all the way and says whether it agrees with R.
func (d *demo) question(ctx context.Context, path string) (bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(d.out, "\n──── %s\n%s\n", filepath.Base(path), text)
	file, err := job.ParseFile(text)
	if err != nil {
		return false, err
	}
	prepared, err := d.client.Prepare(file)
	if err != nil {
		return false, err
	}
	before, err := d.layout.Received(ctx)
	if err != nil {
		return false, err
	}
	begin := time.Now()
	result, err := d.ask(ctx, prepared)
	if err != nil {
		return false, err
	}
	took := time.Since(begin)
	after, err := d.layout.Received(ctx)
	if err != nil {
		return false, err
	}
	if err := render.Text(d.out, result, render.Page{}); err != nil {
		return false, err
	}
	id := strings.TrimSuffix(filepath.Base(path), ".yaml")
	agrees, err := d.compare(id, result)
	if err != nil {
		return false, err
	}
	return agrees, d.whoSaw(prepared, before, after, took)
}

func (d *demo) ask(ctx context.Context, prepared *client.Prepared) (*protocols.Result, error) {
	signed, err := prepared.Sign()
	if err != nil {
		return nil, err
	}
	id, _, err := d.conn.Submit(ctx, signed)
	if err != nil {
		return nil, err
	}
	if err := d.conn.Watch(ctx, id, func(client.Event) {}); err != nil {
		return nil, err
	}
	return d.conn.Result(ctx, signed)
}

// compare prints every figure beside R's.
func (d *demo) compare(id string, result *protocols.Result) (bool, error) {
	want, ok := d.expect[id]
	if !ok {
		return false, fmt.Errorf("expected.json has no %s", id)
	}
	c := verify.Compare(result.Value, want, d.within(id))
	t := protocols.Table{
		Title:  "Beside " + d.source + " over the pooled rows",
		Header: []string{"Figure", "Consilium", "R"},
	}
	got, reference := verify.Flatten(result.Value), verify.Flatten(want)
	for _, f := range got {
		i := slices.IndexFunc(reference, func(r verify.Figure) bool { return r.Name == f.Name })
		if i >= 0 {
			t.Rows = append(t.Rows, []string{f.Name, figure(f.Value), figure(reference[i].Value)})
		}
	}
	t.Notes = []string{fmt.Sprintf("Largest relative difference %.1g.", c.MaxError)}
	for _, w := range c.Wrong {
		t.Notes = append(t.Notes, "DIFFERS: "+w)
	}
	for _, name := range c.Absent {
		t.Notes = append(t.Notes, "ABSENT: "+name)
	}
	fmt.Fprintln(d.out)
	return len(c.Wrong)+len(c.Absent) == 0 && len(t.Rows) > 0, render.Text(d.out, &protocols.Result{Status: "ok", Tables: []protocols.Table{t}}, render.Page{})
}

// figure writes a number with ten significant digits, R's own precision in the reference.
func figure(v any) string {
	f, ok := v.(float64)
	switch {
	case !ok:
		return fmt.Sprint(v)
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.FormatFloat(f, 'f', 0, 64)
	default:
		return strconv.FormatFloat(f, 'g', 10, 64)
	}
}

// whoSaw prints what each process saw of a job; the bytes are what the nodes
// counted on their links.
func (d *demo) whoSaw(p *client.Prepared, before, after map[string]float64, took time.Duration) error {
	r := d.client.Roster().Roster
	t := protocols.Table{
		Title:  "Who saw what",
		Header: []string{"Process", "Role", "Saw"},
		Notes:  []string{fmt.Sprintf("From signature to result: %.2f s.", took.Seconds())},
	}
	for _, n := range r.Nodes {
		site, isSite := p.Plan().Dataset.Site(n.Name)
		var roles, saw []string
		if isSite {
			roles, saw = append(roles, "site"), append(saw, fmt.Sprintf("its own %d rows", site.Rows))
		}
		received := int(after[n.Name] - before[n.Name])
		if slices.Contains(r.Parties, n.Name) {
			roles, saw = append(roles, "compute party"), append(saw, fmt.Sprintf("%d bytes over its links: random shares, checks, heartbeats", received))
		}
		if len(roles) == 0 {
			roles, saw = []string{"node"}, []string{"the question"}
		}
		t.Rows = append(t.Rows, []string{n.Name, strings.Join(roles, ", "), strings.Join(saw, "; ")})
	}
	t.Rows = append(t.Rows,
		[]string{r.Coordinator.Name, "coordinator", "the question; three sealed results that it cannot open"},
		[]string{localnet.Client, "recipient", "the result above"})
	fmt.Fprintln(d.out)
	return render.Text(d.out, &protocols.Result{Status: "ok", Tables: []protocols.Table{t}}, render.Page{})
}

// keep says what to try and waits for Ctrl-C.
func (d *demo) keep(ctx context.Context, exe string, e example) {
	fmt.Fprintf(d.out, "\nThe study goes on running; Ctrl-C stops it. Try in another terminal:\n\n  cd %s\n", d.layout.Dir)
	for _, command := range append(e.try, "jobs") {
		fmt.Fprintf(d.out, "  %s %s\n", exe, command)
	}
	node := d.layout.Nodes[0]
	fmt.Fprintf(d.out, "  curl http://%s/metrics\n  less %s\n\n", node.Metrics, d.layout.Log(node.Name))
	<-ctx.Done()
}
