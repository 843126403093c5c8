package protocols

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// depositing encrypts columns of a dataset once, under the newest key epoch of its
// sites, for jobs that are asked of what is stored: their codes, 0 where missing; for
// each column one of 0/1 that says where it has a value; one of 0/1 for every filter,
// which is 1 where that is true; and one that says where there is a row at all. The
// ciphertexts go to the nodes that keep them, each site's signed list of their hashes
// to all who take part.
//
// A site reads one column after the other and encrypts it a few ciphertexts at a time:
// it has never more than one column in memory. Of the same dataset it costs a node that
// keeps ciphertexts 1.3 MB for every 16,384 rows of a site, plaintext prime and stored
// column, of which there are two for a column of numbers and one for a filter.
//
// The recipient learns the numbers of the deposit and of the key epoch.
type depositing struct{}

func (depositing) name() string { return "deposit" }

func (depositing) engine() string { return job.EngineMHE }

func (depositing) reads() bool { return true }

// manifestsOutput is a hash of all that the sites have signed.
const manifestsOutput = "manifests"

func (depositing) outputs() []string { return []string{epochOutput, manifestsOutput} }

// maxFilters caps the filters of a deposit: how a circuit is found takes time that
// grows with their number.
const maxFilters = 64

// storedColumn is one column of a deposit.
type storedColumn struct {
	name   string // as in the manifest
	bits   int
	vector job.Vector // what the site reads for it
	of     aspect
}

// aspect is what is stored of a vector that a site reads.
type aspect int

const (
	itsCodes  aspect = iota // 0 where there is none
	itsValues               // 1 where there is a value
	itsRows                 // 1 where there is a row at all, whatever its value
)

// deposited is what the plan of a deposit works out.
type deposited struct {
	columns     []string
	filters     []string // in canonical form
	at          []string // the nodes that keep the ciphertexts, in the roster's order
	stored      []storedColumn
	ciphertexts []int // of one column, by site
}

// thereIsARow names the column of 0/1 that says where a row is.
const thereIsARow = "*"

func (depositing) plan(p *Plan, j *job.Job, r *job.Roster) error {
	args := j.Arguments()
	names, filters := args.OptionalStrings("columns"), args.OptionalStrings("filters")
	at := args.OptionalStrings("at", siteNames(p.Dataset)...)
	if err := args.Err(); err != nil {
		return err
	}
	if err := keepable(p.Dataset, r.Disclosure); err != nil {
		return err
	}
	d := &deposited{}
	p.Detail = d
	var err error
	if p.vault, err = vaultOf(p.Dataset, r); err != nil {
		return err
	}
	if err := d.take(p, names); err != nil {
		return err
	}
	if err := d.filter(p, filters); err != nil {
		return err
	}
	if d.at, err = keepersOf(r, at); err != nil {
		return err
	}
	rows := make([]int, len(p.Dataset.Sites))
	for i, s := range p.Dataset.Sites {
		rows[i] = s.Rows
	}
	if d.ciphertexts, err = mhe.StoredCiphertexts(rows, p.vault.bits); err != nil {
		return err
	}
	if err := checkPresent(r, j, d.at); err != nil {
		return err
	}
	// Also those that keep nothing of this one: they may keep some of the last.
	p.beside = notSites(p.Dataset, r.Participants(j))
	p.Reveals = []string{"the numbers of the deposit and of the key epoch that it is under, and nothing of any row"}
	return nil
}

// take takes columns of numbers, all that fit where none is named.
func (d *deposited) take(p *Plan, names []string) error {
	fits := func(c *job.Column) bool { return pairBits(p.Dataset, c) <= p.vault.bits }
	if names == nil {
		for i := range p.Dataset.Schema.Columns {
			if c := &p.Dataset.Schema.Columns[i]; c.Type != job.Text && fits(c) {
				names = append(names, c.Name)
			}
		}
	}
	cols, err := columns(p.Dataset, names)
	if err != nil {
		return err
	}
	for i, c := range cols {
		if c.Type == job.Text {
			return fmt.Errorf("column %q is text: deposit filters for its categories, such as %q", c.Name, job.Identifier(c.Name)+" = '…'")
		}
		if !fits(c) {
			return fmt.Errorf("column %q has values of up to 2^%d steps, too wide for encrypted products over %d rows: declare a larger step or a narrower range", c.Name, c.Bits(), p.Dataset.Rows())
		}
		vector := columnVector(c.Name)
		if i == 0 {
			d.stored = append(d.stored, storedColumn{thereIsARow, 1, vector, itsRows})
		}
		d.stored = append(d.stored,
			storedColumn{job.Identifier(c.Name), storedBits(c), vector, itsCodes},
			storedColumn{job.Present(c.Name), 1, vector, itsValues})
	}
	d.columns, p.columns = names, slices.Clone(names)
	return nil
}

// filter takes filters.
func (d *deposited) filter(p *Plan, filters []string) error {
	if len(filters) > maxFilters {
		return fmt.Errorf("%d filters, at most %d are possible", len(filters), maxFilters)
	}
	for _, text := range filters {
		predicate, err := job.ParsePredicate(text, &p.Dataset.Schema)
		if err != nil {
			return fmt.Errorf("filters: %w", err)
		}
		if predicate == nil {
			return errors.New("filters: one of them is empty: write a condition, such as age >= 50")
		}
		name := job.Canonical(predicate, &p.Dataset.Schema)
		if len(name) > mhe.MaxColumnName {
			return fmt.Errorf("filters: %.64q … is longer than %d bytes: shorten it", name, mhe.MaxColumnName)
		}
		if slices.ContainsFunc(d.stored, func(c storedColumn) bool { return c.name == name }) {
			return fmt.Errorf("filters: %.64q is deposited already: name it once, and leave out that a deposited column has a value", name)
		}
		d.stored = append(d.stored, storedColumn{name, 1, job.Vector{Name: name, Predicate: predicate}, itsCodes})
		d.filters = append(d.filters, name)
		p.columns = append(p.columns, job.Columns(predicate)...)
	}
	if len(d.stored) > mhe.MaxColumns {
		return fmt.Errorf("%d columns, at most %d are possible: name fewer", len(d.stored), mhe.MaxColumns)
	}
	return nil
}

// keepersOf puts nodes into the roster's order.
func keepersOf(r *job.Roster, names []string) ([]string, error) {
	for i, name := range names {
		if r.NodeIndex(name) < 0 {
			return nil, fmt.Errorf("at names %.64q, which is no node: %s", name, job.Near(name, r.Names()))
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("at names %s twice", name)
		}
	}
	return slices.DeleteFunc(r.Names(), func(name string) bool { return !slices.Contains(names, name) }), nil
}

func (depositing) check(n *keeping) error {
	if !n.isSite() {
		return nil
	}
	e, budget, err := n.vault.Epoch()
	if err != nil {
		return err
	}
	defer e.Erase()
	if err := n.plan.vault.fits(e, n.index()); err != nil {
		return err
	}
	if budget.Left() == 0 {
		return fmt.Errorf("%w: run consilium rekey", mhe.ErrSpent)
	}
	return nil
}

func (depositing) result(p *Plan, opened Opened) *Result {
	d := p.Detail.(*deposited)
	deposit, epoch := hashIn(opened, jobOutput).Short(), hashIn(opened, epochOutput).Short()
	size := 0
	for _, n := range d.ciphertexts {
		size += n * len(d.stored) * mhe.StoredSize()
	}
	list := func(texts []string) []any {
		out := make([]any, len(texts))
		for i, text := range texts {
			out[i] = text
		}
		return out
	}
	return &Result{
		Status: statusOK,
		Value: map[string]any{
			"deposit": deposit, "epoch": epoch, "columns": list(d.columns), "filters": list(d.filters),
			"rows": int64(p.Dataset.Rows()), "at": list(d.at), "bytes": int64(size),
		},
		Tables: []Table{{
			Title:  "Deposit of dataset " + p.Dataset.Name,
			Header: []string{"Deposit", "Key epoch", "Columns", "Filters", "Rows", "Kept at", "MB at each"},
			Rows: [][]string{{
				deposit, epoch, strings.Join(d.columns, ", "), strings.Join(d.filters, "; "), strconv.Itoa(p.Dataset.Rows()),
				strings.Join(d.at, ", "), strconv.FormatFloat(float64(size)/1e6, 'f', 1, 64),
			}},
			Notes: []string{"Rows are those that the sites declare, all encrypted. To open anything takes " + quorumText(p.Dataset) + "."},
		}},
	}
}

func (depositing) says(p *Plan, r *job.Roster) []string {
	d := p.Detail.(*deposited)
	what := strings.Join(d.columns, ", ")
	if len(d.filters) > 0 {
		what += ", and whether each of these holds: " + strings.Join(d.filters, "; ")
	}
	return []string{
		fmt.Sprintf("Every site of dataset %s encrypts of each of its rows %s. The ciphertexts are kept at %s until they are withdrawn or another deposit takes their place.", p.Dataset.Name, what, people(r, d.at)),
		"From then on " + quorumMeans(p.Dataset) + " They do that for jobs that each of them accepts.",
	}
}

// expected is the manifest that a site has to sign, but for the hashes.
func (d *deposited) expected(epoch word, site mpc.PartyID, rows, ciphertexts int) *mhe.Manifest {
	m := &mhe.Manifest{Epoch: epoch, Site: site, Rows: rows}
	for _, c := range d.stored {
		m.Columns = append(m.Columns, mhe.Column{Name: c.name, Bits: c.bits, Hashes: make([]word, ciphertexts)})
	}
	return m
}
