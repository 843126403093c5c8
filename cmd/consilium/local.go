package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"consilium/client"
	"consilium/client/plot"
	"consilium/client/render"
	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/job"
	"consilium/node/source"
	"consilium/protocols"
	"consilium/synthetic"
)

// localOptions are what a run on this machine alone knows beside any run.
type localOptions struct {
	on     bool
	roster string
	data   string // folder of files in place of twins
	rows   int
	seed   seedFlag
}

func (o *localOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.on, "local", false, "run on this machine over made-up data; send nothing to the study")
	f.StringVar(&o.roster, "roster", "", "with --local: the study's roster file, where there is no client yet")
	f.StringVar(&o.data, "data", "", "with --local: `folder` of files DATASET/NODE.csv in place of made-up ones")
	f.IntVar(&o.rows, "rows", localRows, "with --local: most rows that are made up for a site")
	f.Var(&o.seed, "seed", "with --local: what the rows are made from (drawn when left out)")
}

func (o *localOptions) check() error {
	switch {
	case !o.on && (o.roster != "" || o.data != "" || o.rows != localRows && o.rows != 0 || o.seed.given):
		return errors.New("--roster, --data, --rows and --seed are for a run on this machine: add --local")
	case o.on && o.rows < 1:
		return fmt.Errorf("--rows %d: make up at least one", o.rows)
	}
	return nil
}

// What a result of a local run must be known for.
const (
	twinCaveat  = "synthetic data: the numbers mean nothing"
	filesCaveat = "local run over files given with --data: not a result of the study"
)

// localRows is the most rows that a twin has at a site, unless somebody says otherwise.
const localRows = 10_000

// localStep bounds a single wait of a protocol: many processes share one machine.
const localStep = time.Minute

// rehearsal is a job on a local network of made-up hospitals.
type rehearsal struct {
	o      *runOptions
	file   *job.File
	roster *job.Roster // of the study
	data   job.Dataset // as the local study declares it
	files  map[string]string
	caveat string
	errOut io.Writer
}

// runLocal runs a job on this machine. Nothing of it goes to the study.
func runLocal(ctx context.Context, o *runOptions, path string, errOut io.Writer, show func(job.Hash, *plot.Figure) error) (err error) {
	file, err := readJob(path)
	if err != nil {
		return err
	}
	r := &rehearsal{o: o, file: file, errOut: errOut}
	if err := r.plan(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	dir, err := os.MkdirTemp("", "consilium-local-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := r.provide(ctx, filepath.Join(dir, "data")); err != nil {
		return err
	}
	ctx, cancel := waitAtMost(ctx, o.timeout)
	defer cancel()
	layout, err := r.create(filepath.Join(dir, "study"))
	if err != nil {
		return err
	}
	c, prepared, err := r.prepare(layout)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(errOut, "starting a coordinator and %d nodes on this machine …\n", len(layout.Nodes))
	network, err := localnet.Start(ctx, exe, layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Stop()) }()
	id, result, err := r.ask(ctx, c, prepared)
	if err != nil {
		return err
	}
	result.Caveat = r.caveat
	return show(id, &plot.Figure{Job: prepared.Job(), Dataset: prepared.Plan().Dataset, Result: result})
}

// plan finds the dataset and, where there is a client, plans the job as the study
// would and prints its statement: what the same file will reveal in earnest.
func (r *rehearsal) plan() error {
	study := studyFlags{r.o.client, r.o.local.roster}
	roster, err := study.read()
	if err != nil {
		return err
	}
	r.roster = roster.Roster
	if r.file.Study != r.roster.Study {
		return fmt.Errorf("the job asks study %s, the roster is that of %s", r.file.Study, r.roster.Study)
	}
	d, err := dataset(r.roster, r.file.Dataset)
	if err != nil {
		return err
	}
	if d.IsList() {
		return errListTwin(d)
	}
	r.data = *d
	r.data.Sites = slices.Clone(d.Sites)
	if r.o.local.roster == "" {
		c, err := loadClient(r.o.client)
		if err != nil {
			return err
		}
		prepared, err := prepare(c, r.file, r.o.timeout)
		if err != nil {
			return err
		}
		if err := r.o.format.checkPlot(prepared.Job()); err != nil {
			return err
		}
		fmt.Fprintln(r.errOut, "asked of the study, this job would say:")
		say(r.errOut, prepared)
	}
	if r.file.Stored {
		fmt.Fprintln(r.errOut, "local: the job asks the files, since nothing is deposited here")
		local := *r.file
		local.Stored, local.Nodes, local.Engine = false, nil, job.EngineShares
		r.file = &local
	}
	return nil
}

// provide makes the sites' twins or finds their files, and declares their rows.
func (r *rehearsal) provide(ctx context.Context, dir string) error {
	r.files = make(map[string]string, len(r.data.Sites))
	if r.o.local.data != "" {
		r.caveat = filesCaveat
		return r.find(ctx)
	}
	r.caveat = twinCaveat
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	twin, err := synthetic.NewTwin(&r.data.Schema, r.o.local.seed.value(), twinMissing)
	if err != nil {
		return err
	}
	first := int64(0)
	for i := range r.data.Sites {
		site := &r.data.Sites[i]
		site.Rows = min(site.Rows, r.o.local.rows)
		path := filepath.Join(dir, site.Node+".csv")
		if _, err := synthetic.WriteFile(ctx, path, twin, first, int64(site.Rows), nil); err != nil {
			return err
		}
		r.files[site.Node] = path
		first += int64(site.Rows)
	}
	fmt.Fprintf(r.errOut, "local: %d rows of %d sites are made up by the schema, seed %d\n", first, len(r.data.Sites), r.o.local.seed.value())
	return nil
}

// find looks for the sites' files in the folder that was given, and counts their rows.
func (r *rehearsal) find(ctx context.Context) error {
	for i := range r.data.Sites {
		site := &r.data.Sites[i]
		path, err := siteFile(r.o.local.data, r.data.Name, site.Node)
		if err != nil {
			return err
		}
		_, report, err := source.Infer(ctx, []string{path})
		if err != nil {
			return err
		}
		site.Rows = max(1, report.Files[0].Rows)
		s, err := source.Open(ctx, path, &r.data.Schema, site.Rows)
		if err != nil {
			return err
		}
		if err := errors.Join(s.Check(ctx), s.Close()); err != nil {
			return spreadCells(r.errOut, err)
		}
		r.files[site.Node] = path
	}
	return nil
}

// siteFile finds DIR/DATASET/NODE or DIR/NODE with an ending that a site can have.
func siteFile(dir, dataset, node string) (string, error) {
	for _, folder := range []string{filepath.Join(dir, dataset), dir} {
		for _, ending := range []string{".csv", ".csv.gz", ".parquet"} {
			path := filepath.Join(folder, node+ending)
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("--data: no file of %s: put it at %s, or one that ends in .csv.gz or .parquet", node, filepath.Join(dir, dataset, node+".csv"))
}

// create makes the local study: the parties and the dataset's sites under their own
// names, with the study's rules.
func (r *rehearsal) create(dir string) (*localnet.Layout, error) {
	study := &setup.StudyFile{
		Study: r.roster.Study, Parties: r.roster.Parties, Disclosure: r.roster.Disclosure, Datasets: []job.Dataset{r.data},
	}
	names := slices.DeleteFunc(r.roster.Names(), func(name string) bool {
		_, site := r.data.Site(name)
		return !site && !slices.Contains(r.roster.Parties, name) && !slices.Contains(r.file.Nodes, name)
	})
	return localnet.Create(dir, localnet.Spec{
		Study: study, Names: names, Coordinator: r.roster.Coordinator.Name,
		Files: map[string]map[string]string{r.data.Name: r.files}, Timeout: localStep, Deadline: min(r.o.timeout, 24*time.Hour),
	})
}

// prepare plans the job in the local study, before anything is started for it.
func (r *rehearsal) prepare(layout *localnet.Layout) (*client.Client, *client.Prepared, error) {
	c, err := client.Load(layout.ClientDir())
	if err != nil {
		return nil, nil, err
	}
	prepared, err := prepare(c, r.file, r.o.timeout)
	if err != nil {
		return nil, nil, err
	}
	if r.o.local.roster != "" { // else the study's own statement is there already
		say(r.errOut, prepared)
	}
	return c, prepared, r.o.format.checkPlot(prepared.Job())
}

// ask takes the job all the way, as runJob does.
func (r *rehearsal) ask(ctx context.Context, c *client.Client, prepared *client.Prepared) (job.Hash, *protocols.Result, error) {
	var id job.Hash
	conn, err := c.Dial(ctx)
	if err != nil {
		return id, nil, err
	}
	defer conn.Close()
	signed, err := prepared.Sign()
	if err != nil {
		return id, nil, err
	}
	if id, _, err = conn.Submit(ctx, signed); err != nil {
		return id, nil, err
	}
	result, err := r.await(ctx, c, conn, prepared, signed)
	return id, result, err
}

func (r *rehearsal) await(ctx context.Context, c *client.Client, conn *client.Conn, prepared *client.Prepared, signed *job.Signed) (*protocols.Result, error) {
	progress := render.NewProgress(r.errOut, drawsBars(r.errOut), c.Roster().Roster, prepared.Job())
	err := conn.Watch(ctx, signed.ID(), progress.Event)
	progress.Close()
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return prepared.Result(ctx, conn, signed)
}
