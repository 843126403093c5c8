package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"consilium/client"
	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/job"
	"consilium/node/source"
	"consilium/protocols"
)

// Options say what to verify and how.
type Options struct {
	Dir    string
	Exe    string // the binary to run as daemons
	Engine string // "" leaves the choice to the job
	Only   string // prefix of case ids
	// Source is where the sites' data are put first: one of Sources; "" leaves them in
	// their files.
	Source string
	// Deposited has the cases run on what the parties keep as shares, all sites gone.
	Deposited bool
	Out       io.Writer
	Log       io.Writer // progress
}

// Totals counts the cases by outcome.
type Totals struct{ Passed, Partial, Failed, Skipped int }

// String is the last line of a verification.
func (t Totals) String() string {
	return fmt.Sprintf("%d passed, %d partial, %d failed, %d skipped", t.Passed, t.Partial, t.Failed, t.Skipped)
}

// caseDeadline bounds one case from submission to result.
const caseDeadline = 5 * time.Minute

// Run starts a local network for the folder, runs its cases one by one and
// prints a line a case. An error means that the verification itself could not
// run; failing cases are in the totals.
func Run(ctx context.Context, o Options) (Totals, error) {
	var t Totals
	f, err := Load(o.Dir)
	if err != nil {
		return t, err
	}
	cases, organ := chosen(f, o.Only)
	if len(cases)+len(organ) == 0 {
		return t, fmt.Errorf("no case id of %s begins with %q", o.Dir, o.Only)
	}
	if len(cases) > 0 {
		if err := runCases(ctx, o, f, cases, &t); err != nil {
			return t, err
		}
	}
	donors, pools := donorsOf(organ)
	if len(donors) > 0 {
		if err := runRanks(ctx, o, donors, &t); err != nil {
			return t, err
		}
	}
	if len(pools) > 0 {
		if err := runExchanges(ctx, o, pools, &t); err != nil {
			return t, err
		}
	}
	_, err = fmt.Fprintln(o.Out, t)
	return t, err
}

func chosen(f *Folder, prefix string) (cases []Case, organ []string) {
	for _, c := range f.Cases {
		if strings.HasPrefix(c.ID, prefix) {
			cases = append(cases, c)
		}
	}
	for _, id := range f.Organ {
		if strings.HasPrefix(id, prefix) {
			organ = append(organ, id)
		}
	}
	return cases, organ
}

func runCases(ctx context.Context, o Options, f *Folder, cases []Case, t *Totals) (err error) {
	place, err := startPlace(ctx, o.Source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.stop()) }()
	fmt.Fprintf(o.Log, "inferring schemas and starting %d nodes …\n", f.Nodes())
	create := func(dir string) (_ *localnet.Layout, err error) {
		if o.Deposited {
			if f, err = f.copied(filepath.Join(dir, "files")); err != nil {
				return nil, err
			}
		}
		return create(ctx, filepath.Join(dir, "study"), f, place, vaultFor(o.Engine))
	}
	return inStudy(ctx, o, create, func(s *study) error {
		s.engine, s.stored = o.Engine, o.Deposited || o.Engine == job.EngineMixed
		if o.Engine == job.EngineMixed {
			if err := s.encrypt(ctx, cases, o.Log); err != nil {
				return err
			}
		}
		if o.Deposited {
			if err := s.deposit(ctx, cases, o.Log); err != nil {
				return err
			}
			if err := s.leaveParties(f); err != nil {
				return err
			}
		}
		for _, k := range cases {
			t.add(o.Out, s.runCase(ctx, k))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	})
}

// study is a local network that runs, and its client.
type study struct {
	layout  *localnet.Layout
	network *localnet.Network
	client  *client.Client
	conn    *client.Conn
	engine  string // of the cases; "" leaves it to the job
	stored  bool   // whether they run on what is deposited
}

// inStudy makes a study in a folder of its own, runs ask in it, and removes it.
func inStudy(ctx context.Context, o Options, create func(dir string) (*localnet.Layout, error), ask func(*study) error) (err error) {
	dir, err := os.MkdirTemp("", "consilium-verify-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &study{}
	if s.layout, err = create(dir); err != nil {
		return err
	}
	if s.network, err = localnet.Start(ctx, o.Exe, s.layout); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.network.Stop()) }()
	if s.client, err = client.Load(s.layout.ClientDir()); err != nil {
		return err
	}
	if s.conn, err = s.client.Dial(ctx); err != nil {
		return err
	}
	defer s.conn.Close()
	return ask(s)
}

// create makes the study: schemas from all files of a dataset together, node K
// holding hospital-K of each, parties the first three nodes.
func create(ctx context.Context, dir string, f *Folder, place *place, vault func(*job.Dataset) job.Vault) (*localnet.Layout, error) {
	study := &setup.StudyFile{
		Study:      "verify",
		Parties:    []string{localnet.NodeName(1), localnet.NodeName(2), localnet.NodeName(3)},
		Disclosure: job.Disclosure{AllowMinimum: true, AllowMaximum: true},
	}
	files := make(map[string]map[string]string)
	names := make([]string, 0, len(f.Files))
	for name := range f.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		dataset, err := infer(ctx, name, f.Files[name])
		if err != nil {
			return nil, fmt.Errorf("dataset %s: %w", name, err)
		}
		dataset.Vault = vault(dataset)
		study.Datasets = append(study.Datasets, *dataset)
		files[name] = make(map[string]string)
		for k, path := range f.Files[name] {
			files[name][localnet.NodeName(k)] = path
		}
	}
	sources, err := place.load(ctx, filepath.Dir(dir), study.Datasets, f)
	if err != nil {
		return nil, err
	}
	return localnet.Create(dir, localnet.Spec{
		Study: study, Nodes: f.Nodes(), Files: files, Sources: sources,
		Timeout: time.Minute, Deadline: caseDeadline,
	})
}

func infer(ctx context.Context, name string, files map[int]string) (*job.Dataset, error) {
	hospitals := make([]int, 0, len(files))
	for k := range files {
		hospitals = append(hospitals, k)
	}
	slices.Sort(hospitals)
	paths := make([]string, len(hospitals))
	for i, k := range hospitals {
		paths[i] = files[k]
	}
	schema, report, err := source.Infer(ctx, paths)
	if err != nil {
		return nil, err
	}
	d := &job.Dataset{Name: name, Schema: *schema}
	for i, k := range hospitals {
		d.Sites = append(d.Sites, job.Site{Node: localnet.NodeName(k), Rows: max(1, report.Files[i].Rows)})
	}
	return d, nil
}

// The words of a case's line.
const (
	pass = "PASS"
	part = "PART"
	fail = "FAIL"
	skip = "SKIP"
)

type outcome struct {
	id, word string
	maxError float64
	seconds  float64
	reason   string
}

func (t *Totals) add(out io.Writer, o outcome) {
	switch o.word {
	case pass:
		t.Passed++
	case part:
		t.Partial++
	case fail:
		t.Failed++
	default:
		t.Skipped++
	}
	line := fmt.Sprintf("%s %-26s %8.1e %7.3f", o.word, o.id, o.maxError, o.seconds)
	if o.reason != "" {
		line += "  " + o.reason
	}
	fmt.Fprintln(out, line)
}

func (s *study) runCase(ctx context.Context, k Case) outcome {
	ctx, cancel := context.WithTimeout(ctx, caseDeadline)
	defer cancel()
	o := outcome{id: k.ID}
	begin := time.Now()
	value, err := s.answer(ctx, s.file(k))
	o.seconds = time.Since(begin).Seconds()
	var unsupported *protocols.Unsupported
	switch {
	case errors.As(err, &unsupported):
		o.word, o.reason = skip, err.Error()
		return o
	case err != nil:
		o.word, o.reason = fail, err.Error()
		return o
	}
	cmp := Compare(value, k.Expect, k.RelTol)
	o.maxError = cmp.MaxError
	switch {
	case len(cmp.Wrong) > 0:
		o.word, o.reason = fail, strings.Join(cmp.Wrong, "; ")
	case len(cmp.Absent) > 0:
		o.word, o.reason = part, "absent: "+strings.Join(cmp.Absent, ", ")
	default:
		o.word = pass
	}
	return o
}

// file is the job of a case.
func (s *study) file(k Case) *job.File {
	return &job.File{
		Study: "verify", Dataset: k.Dataset, Analysis: k.Analysis, Where: k.Where, Args: k.Args, Engine: s.engine, Stored: s.stored,
	}
}

// answer takes one job through client, coordinator and nodes.
func (s *study) answer(ctx context.Context, file *job.File) (any, error) {
	prepared, err := s.client.Prepare(file)
	if err != nil {
		return nil, err
	}
	signed, err := prepared.Sign()
	if err != nil {
		return nil, err
	}
	id, _, err := s.conn.Submit(ctx, signed)
	if err != nil {
		return nil, err
	}
	if err := s.conn.Watch(ctx, id, func(client.Event) {}); err != nil {
		return nil, err
	}
	result, err := s.conn.Result(ctx, signed)
	if err != nil {
		return nil, err
	}
	if result.Status != "ok" {
		return nil, fmt.Errorf("status %s", result.Status)
	}
	return result.Value, nil
}
