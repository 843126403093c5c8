package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
	"consilium/node/source"
	"consilium/organ/policy"
)

// datasets are the files of which the roster makes this node a site.
type datasets struct {
	files    map[string]*file
	patience time.Duration // for a look at a file
}

// file is this site's piece of a dataset.
type file struct {
	dataset string
	setting source.Setting
	path    string // of a file; "" of a database
	rows    int    // declared in the roster
	schema  *job.Schema
	list    *list // in place of a schema

	header func(context.Context) error // holds the file's header against the schema

	mu   sync.Mutex
	look *look // under way; nil when there is none
}

// look is one opening of a file, for all who ask while it is under way.
type look struct {
	done chan struct{} // closed when err is set
	err  error
}

// newDatasets holds the configured files against the roster, both ways.
func newDatasets(c *Config, r *job.Roster) (*datasets, error) {
	d := &datasets{files: make(map[string]*file), patience: c.Timeout}
	for _, name := range c.datasetNames() {
		set, ok := r.Dataset(name)
		if !ok {
			return nil, fmt.Errorf("datasets: study %s has no dataset %s; it has %s", r.Study, name, strings.Join(r.DatasetNames(), ", "))
		}
		site, ok := set.Site(c.Name)
		if !ok {
			return nil, fmt.Errorf("datasets: the roster does not make %s a site of dataset %s; take it out of the configuration, or have the roster changed", c.Name, name)
		}
		setting := c.Datasets[name]
		if setting.IsFile() {
			if err := readable(setting.Path); err != nil {
				return nil, fmt.Errorf("datasets: %s: %w; put the file there or mend the path", name, err)
			}
		}
		f := &file{dataset: name, setting: setting, path: setting.Path, schema: &set.Schema, rows: site.Rows}
		f.header = f.checkHeader
		if set.IsList() {
			if !setting.IsFile() {
				return nil, fmt.Errorf("datasets: %s: a list of matching is read from a CSV file; give NAME: PATH", name)
			}
			var err error
			if f.list, err = newList(r, set); err != nil {
				return nil, err
			}
			f.header = f.checkListHeader
		}
		d.files[name] = f
	}
	for i := range r.Datasets {
		set := &r.Datasets[i]
		if _, ok := set.Site(c.Name); ok && d.files[set.Name] == nil {
			return nil, fmt.Errorf("datasets: the roster makes %s a site of dataset %s, and no file is configured; add %s: PATH", c.Name, set.Name, set.Name)
		}
	}
	return d, nil
}

// readable says whether path is a file that this process may read.
func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	return nil
}

func (d *datasets) names() []string {
	names := make([]string, 0, len(d.files))
	for name := range d.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// holdsAny tells whether this node is a site of one of the datasets.
func (d *datasets) holdsAny(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return d.files[name] != nil })
}

// available returns nil when this node is no site of the dataset, or has a file
// with the columns of the schema. Rows are not read. It returns within the
// datasets' patience, or when ctx ends, even if the file's storage hangs.
func (d *datasets) available(ctx context.Context, dataset string, log *slog.Logger) error {
	f := d.files[dataset]
	if f == nil {
		return nil
	}
	late := time.NewTimer(d.patience)
	defer late.Stop()
	l := f.startLook(ctx)
	select {
	case <-l.done:
		if l.err != nil {
			return f.publicError(ctx, l.err, log)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
		return f.publicError(ctx, fmt.Errorf("%s was not opened within %v: does its storage hang?", f.setting.Place(), d.patience), log)
	}
}

// checkHeader opens the file and closes it again.
func (f *file) checkHeader(ctx context.Context) error {
	s, err := source.OpenSetting(ctx, f.setting, f.schema, f.rows)
	if err != nil {
		return err
	}
	return s.Close()
}

// startLook looks at the file's header, unless that is under way already: no
// call into a file system can be interrupted, and a storage that hangs must not
// take one goroutine for each offer. The goroutine ends when the storage answers,
// or with the process.
func (f *file) startLook(ctx context.Context) *look {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.look != nil {
		return f.look
	}
	l := &look{done: make(chan struct{})}
	f.look = l
	go func() {
		defer close(l.done)
		l.err = f.header(ctx)
		f.mu.Lock()
		f.look = nil
		f.mu.Unlock()
	}()
	return l
}

// check reads every file whole and warns of those that do not fit their schema.
// Jobs on them will fail until they are mended.
func (d *datasets) check(ctx context.Context, log *slog.Logger) {
	for _, name := range d.names() {
		checked := make(chan error, 1)
		f := d.files[name]
		go func() { checked <- f.check(ctx) }() // ends as that of startLook does
		var err error
		select {
		case err = <-checked:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.Warn("jobs on this dataset will fail until its file is mended", "dataset", name, "error", line(err.Error()))
		}
	}
}

func (f *file) check(ctx context.Context) error {
	if f.list != nil {
		_, err := f.list.read(f, time.Now())
		return err
	}
	s, err := source.OpenSetting(ctx, f.setting, f.schema, f.rows)
	if err != nil {
		return err
	}
	return errors.Join(s.Check(ctx), s.Close())
}

// publicError logs what is wrong with the file, by row and column and without
// values, for the operator; and returns the kind of it for everyone else.
func (f *file) publicError(ctx context.Context, err error, log *slog.Logger) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	log.Error("the file cannot be used", "dataset", f.dataset, "file", f.setting.Place(), "error", line(err.Error()))
	kind := "cannot be used"
	var cells *source.CellErrors
	var row *policy.RowError
	switch {
	case errors.As(err, &row):
		kind = "does not fit the policy"
	case errors.As(err, &cells):
		kind = "does not match the schema"
	}
	return fmt.Errorf("its file for dataset %s %s; its operator's log says where", f.dataset, kind)
}

// open returns the site's data for one job, or nil when this node is no site of
// the dataset. The file is read when the job first asks.
func (d *datasets) open(dataset string, log *slog.Logger) *siteData {
	f := d.files[dataset]
	if f == nil {
		return nil
	}
	return &siteData{file: f, log: log}
}

// siteData is protocols.SiteData over a file, for one job.
type siteData struct {
	file   *file
	log    *slog.Logger
	source *source.Source
}

// Summaries implements protocols.SiteData.
func (d *siteData) Summaries(ctx context.Context, where job.Predicate, summaries []job.Summary) ([][]*big.Int, error) {
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	sums, err := d.source.Summaries(ctx, where, summaries)
	if err != nil {
		return nil, d.file.publicError(ctx, err, d.log)
	}
	return sums, nil
}

// Rows implements protocols.SiteData.
func (d *siteData) Rows(ctx context.Context, where job.Predicate, vectors []job.Vector) (array.RecordReader, error) {
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	rows, err := d.source.Rows(ctx, where, vectors)
	if err != nil {
		return nil, d.file.publicError(ctx, err, d.log)
	}
	return &publicReader{RecordReader: rows, ctx: ctx, data: d}, nil
}

// begin opens the file. The runner asks for summaries and rows one after the other.
func (d *siteData) begin(ctx context.Context) (err error) {
	if d.source != nil {
		return nil
	}
	if d.source, err = source.OpenSetting(ctx, d.file.setting, d.file.schema, d.file.rows); err != nil {
		return d.file.publicError(ctx, err, d.log)
	}
	return nil
}

func (d *siteData) close() {
	if d.source == nil {
		return
	}
	if err := d.source.Close(); err != nil {
		d.log.Warn("the file's snapshot was not closed in good order", "dataset", d.file.dataset, "error", line(err.Error()))
	}
}

// publicReader keeps the row and column of an error at home.
type publicReader struct {
	array.RecordReader
	ctx  context.Context
	data *siteData
}

// Err implements array.RecordReader.
func (r *publicReader) Err() error {
	if err := r.RecordReader.Err(); err != nil {
		return r.data.file.publicError(r.ctx, err, r.data.log)
	}
	return nil
}
