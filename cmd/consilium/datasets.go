package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"consilium/client/render"
	"consilium/job"
	"consilium/node"
	"consilium/node/source"
	"consilium/protocols"
)

func newDatasetsCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "datasets",
		Short: "List a study's datasets, propose a schema, check a file, make one up",
		Long: `Datasets lists what the study's roster says of each dataset: its columns with
type, unit and range, the sites that hold it and how many rows they declare. The
roster is public within the study; no data are read.`,
		Example: `  consilium datasets
  consilium datasets infer data/lung/hospital-*.csv
  consilium datasets check --roster study.roster --dataset lung hospital-1.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listDatasets(cmd, dir) },
	}
	clientFlag(cmd.Flags(), &dir)
	cmd.AddCommand(
		newDatasetsDictionaryCommand(), newDatasetsInferCommand(), newDatasetsCheckCommand(),
		newDatasetsExportCommand(), newDatasetsTwinCommand(), newDatasetsGenerateCommand(),
	)
	return cmd
}

func listDatasets(cmd *cobra.Command, dir string) error {
	c, err := loadClient(dir)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for i := range c.Roster().Roster.Datasets {
		if i > 0 {
			fmt.Fprintln(out)
		}
		d := &c.Roster().Roster.Datasets[i]
		table := datasetTable
		if d.IsList() {
			table = listTable
		}
		t, err := table(c.Roster().Roster, d)
		if err != nil {
			return err
		}
		if err := render.Table(out, t, pageOf(out)); err != nil {
			return err
		}
	}
	return nil
}

// datasetTable shows one dataset's schema and sites.
func datasetTable(_ *job.Roster, d *job.Dataset) (protocols.Table, error) {
	t := protocols.Table{
		Title:  titled(d),
		Header: []string{"Column", "Type", "Unit", "Range", "Step", "Categories", "Description"},
	}
	for i := range d.Schema.Columns {
		c := &d.Schema.Columns[i]
		span := ""
		if c.Type != job.Text {
			span = c.Min + " to " + c.Max
		}
		t.Rows = append(t.Rows, []string{c.Name, string(c.Type), c.Unit, span, c.Step, categories(c), c.Description})
	}
	t = withoutEmptyColumns(t)
	t.Notes = []string{declared(d)}
	return t, nil
}

// listTable shows one list's inputs, as its policy declares them, and sites.
func listTable(r *job.Roster, d *job.Dataset) (protocols.Table, error) {
	t := protocols.Table{Title: titled(d), Header: []string{"Column", "Input", "Type", "Range", "Step", "Values", "Remark"}}
	p, err := protocols.PolicyOf(r, d.List.Policy)
	if err != nil {
		return t, err
	}
	for _, in := range protocols.ListInputs(p, d.List.Side) {
		span, values := "", strings.Join(in.Values, ", ")
		if in.Min+in.Max != "" {
			span = in.Min + " to " + in.Max
		}
		if len(in.Loci) > 0 {
			values = "antigens of " + strings.Join(in.Loci, ", ")
		}
		t.Rows = append(t.Rows, []string{strings.Join(in.Columns, ", "), in.Name, in.Type, span, in.Step, values, in.Remark})
	}
	t = withoutEmptyColumns(t)
	t.Notes = []string{declared(d), fmt.Sprintf("A list of %ss by policy %s, version %s, hash %s.", d.List.Side, p.Name, p.Version, p.Hash)}
	return t, nil
}

func titled(d *job.Dataset) string {
	if d.Title == "" {
		return "Dataset " + d.Name
	}
	return "Dataset " + d.Name + ": " + d.Title
}

// declared says how many rows the sites declare.
func declared(d *job.Dataset) string {
	var sites []string
	for _, s := range d.Sites {
		sites = append(sites, fmt.Sprintf("%s %d", s.Node, s.Rows))
	}
	return fmt.Sprintf("%d rows declared: %s.", d.Rows(), strings.Join(sites, ", "))
}

// categories lists the first few.
func categories(c *job.Column) string {
	const shown = 8
	text := labelledAll(c, c.Categories[:min(shown, len(c.Categories))])
	if more := len(c.Categories) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func withoutEmptyColumns(t protocols.Table) protocols.Table {
	for c := len(t.Header) - 1; c >= 0; c-- {
		if slices.ContainsFunc(t.Rows, func(row []string) bool { return row[c] != "" }) {
			continue
		}
		t.Header = slices.Delete(t.Header, c, c+1)
		for i := range t.Rows {
			t.Rows[i] = slices.Delete(t.Rows[i], c, c+1)
		}
	}
	return t
}

func newDatasetsInferCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "infer FILE…",
		Short: "Propose a dataset's schema from all its files",
		Long: `Infer reads files of one dataset, CSV or Parquet, and prints the start of a study
file to correct by hand: remarks on what to look at, the study's own lines to
fill in, and the dataset. The ranges and lists are those of the data at hand and
become public with the roster, so widen them to what may occur. The rows become
the public size of each site's part; round them up if the exact number is
nobody's business.`,
		Example: `  consilium datasets infer data/lung/hospital-*.csv > study.yaml
  consilium datasets infer --name lung registry.parquet`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			schema, report, err := source.Infer(cmd.Context(), args)
			if err != nil {
				return err
			}
			if name == "" {
				name = filepath.Base(filepath.Dir(args[0]))
			}
			return writeProposal(cmd.OutOrStdout(), name, schema, report)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the dataset's name (else that of the first file's folder)")
	return cmd
}

// writeProposal prints the start of a study file: the dataset, and commented the
// lines that only people know. Sites are called after their files until somebody
// writes the nodes' names.
func writeProposal(out io.Writer, name string, schema *job.Schema, report source.Report) error {
	d := job.Dataset{Name: name, Schema: *schema}
	for _, f := range report.Files {
		node, _, _ := strings.Cut(filepath.Base(f.Path), ".")
		d.Sites = append(d.Sites, job.Site{Node: node, Rows: max(1, f.Rows)}) // none can be declared
	}
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "# Proposed from %d file(s). Correct names, units, ranges and rows.\n", len(report.Files))
	for _, note := range report.Notes {
		fmt.Fprintf(w, "# Look at %s\n", job.Printable(note, 500))
	}
	writeStudyLines(w)
	return errors.Join(encodeDataset(w, &d), w.Flush())
}

// writeStudyLines prints what a study file says beside its datasets, as comments.
func writeStudyLines(w io.Writer) {
	fmt.Fprint(w, `# For "consilium study create --from" uncomment and fill in these lines:
# study: NAME
# parties: [NODE-1, NODE-2, NODE-3]  # the computing nodes, of three organisations
# disclosure: {min_count: 0, allow_minimum: false, allow_maximum: false}
# overlay: onet  # what the nodes' links run over; links when left out
# and below, under sites, write the nodes' names as on their cards:
#   sites: [{node: NODE-1, rows: 100}]
`)
}

type checkOptions struct{ roster, dataset, node, config string }

func newDatasetsCheckCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check FILE --roster ROSTER --dataset NAME | check --config NODE.yaml",
		Short: "Check a site's files against the study's schemas",
		Long: `Check reads a site's file as its node would and names every cell that does not
fit the declared schema by row and column, never by value. With --node it also
checks that the file has no more rows than the roster declares for that site.

With --config it checks every dataset of a node's configuration, files, tables of
databases and lists, and
prints a line for each; it exits with 0 when all of them fit.`,
		Example: `  consilium datasets check --roster study.roster --dataset lung hospital-1.csv
  consilium datasets check --roster study.roster --dataset lung --node hospital-1 hospital-1.csv
  consilium datasets check --config /etc/consilium/node/node.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd, args); err != nil {
				return err
			}
			if o.config != "" {
				return checkConfigured(cmd, o.config)
			}
			return checkFile(cmd, o, args[0])
		},
	}
	cmd.Flags().StringVar(&o.roster, "roster", "", "the study's roster file")
	cmd.Flags().StringVar(&o.dataset, "dataset", "", "the dataset's name")
	cmd.Flags().StringVar(&o.node, "node", "", "the site's node, to check its declared rows too")
	cmd.Flags().StringVar(&o.config, "config", "", "a node's configuration, to check all of its datasets")
	return cmd
}

func (o *checkOptions) check(cmd *cobra.Command, args []string) error {
	if o.config != "" {
		if len(args) > 0 || o.roster != "" || o.dataset != "" || o.node != "" {
			return errors.New("--config says what to check: leave out the file, --roster, --dataset and --node")
		}
		return nil
	}
	if o.roster == "" || o.dataset == "" {
		return errors.New("--roster or --dataset is missing: give both, or --config with a node's configuration")
	}
	return one("a site's file")(cmd, args)
}

// checkConfigured checks all datasets of a node.
func checkConfigured(cmd *cobra.Command, path string) error {
	c, err := node.LoadConfig(path)
	if err != nil {
		return err
	}
	out, checked, unfit := cmd.OutOrStdout(), 0, 0
	err = node.CheckDatasets(cmd.Context(), c, func(d node.Checked) {
		checked++
		if d.Err == nil {
			fmt.Fprintf(out, "%s: fits, of at most %d rows (%s)\n", d.Dataset, d.Declared, d.Path)
			return
		}
		unfit++
		why := oneLine(spreadCells(out, d.Err))
		fmt.Fprintf(out, "%s: DOES NOT FIT (%s): %s\n", d.Dataset, d.Path, why)
	})
	if err != nil {
		return err
	}
	if unfit > 0 {
		return fmt.Errorf("of %d datasets %d do not fit: jobs on them would fail until that is mended", checked, unfit)
	}
	if checked == 0 {
		_, err = fmt.Fprintf(out, "%s is no site of any dataset: nothing to check\n", c.Name)
		return err
	}
	_, err = fmt.Fprintf(out, "all of %d datasets fit\n", checked)
	return err
}

func checkFile(cmd *cobra.Command, o checkOptions, path string) (err error) {
	file, err := job.ReadRoster(o.roster, job.Hash{})
	if err != nil {
		return err
	}
	d, err := dataset(file.Roster, o.dataset)
	if err != nil {
		return err
	}
	rows, against := maxDeclared, "the schema"
	if o.node != "" {
		site, ok := d.Site(o.node)
		if !ok {
			var sites []string
			for _, s := range d.Sites {
				sites = append(sites, s.Node)
			}
			return fmt.Errorf("%q holds no rows of dataset %s: %s", o.node, d.Name, job.Near(o.node, sites))
		}
		rows, against = site.Rows, "the schema and the "+strconv.Itoa(site.Rows)+" declared rows"
	}
	if d.IsList() {
		return checkList(cmd, file.Roster, d, path, rows)
	}
	s, err := source.Open(cmd.Context(), path, &d.Schema, rows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Check(cmd.Context()); err != nil {
		return spreadCells(cmd.OutOrStdout(), err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s fits %s of dataset %s\n", path, against, d.Name)
	return err
}

// checkList checks a file of a list as its node would read it today.
func checkList(cmd *cobra.Command, r *job.Roster, d *job.Dataset, path string, rows int) error {
	n, err := node.CheckList(r, d, path, rows, time.Now())
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(cmd.ErrOrStderr(), strings.TrimSuffix(line, "\n"))
		}
		return fmt.Errorf("%s does not fit policy %s: mend the rows that are named above", path, d.List.Policy)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s fits dataset %s: %d rows, read by policy %s\n", path, d.Name, n, d.List.Policy)
	return err
}

// maxDeclared is the most that a roster can declare for a site.
const maxDeclared = 1 << 31

// spreadCells prints the cells that do not fit, one a line.
func spreadCells(out io.Writer, err error) error {
	var cells *source.CellErrors
	if !errors.As(err, &cells) {
		return err
	}
	for _, c := range cells.Cells {
		fmt.Fprintln(out, c)
	}
	return fmt.Errorf("cells that do not fit the schema: %d; mend the file, or have the schema changed", len(cells.Cells)+cells.More)
}
