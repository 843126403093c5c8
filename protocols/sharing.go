package protocols

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc/ring"
)

// sharing shares rows of a dataset out to the three parties, once, for jobs that are
// asked of what is stored: codes, 0 where missing, where there are values, and where
// there is a row at all. With append the rows join those that are there already.
//
// A site deals its rows in chunks of a public length. Two components of a chunk are
// expanded from seeds, which travel and are kept in their place; the third goes to its
// two holders, who write it as it comes: nobody has more than a few chunks in memory.
// Which of the three it is goes round. Of each component all who take part see a
// commitment, and the two holders compare theirs with the site's.
//
// The recipient learns the number of the version and how many rows are declared in it.
type sharing struct{}

func (sharing) name() string { return "deposit" }

func (sharing) engine() string { return job.EngineShares }

func (sharing) reads() bool { return true }

// What is told of a version.
const (
	snapshotOutput = "snapshot" // a hash of its description
	versionOutput  = "version"
	declaredOutput = "declared"
)

func (sharing) outputs() []string { return []string{snapshotOutput, versionOutput, declaredOutput} }

// sharePlan is what the plan of a deposit works out.
type sharePlan struct {
	columns   []ShareColumn
	rows      int // that each site adds at most; 0 is as many as it may
	chunkRows int
	appends   bool
}

func (sharing) plan(p *Plan, j *job.Job, r *job.Roster) error {
	args := j.Arguments()
	names, appends := args.OptionalStrings("columns"), args.OptionalBool("append", false)
	rows, chunk := args.OptionalDecimal("rows", new(big.Rat)), args.OptionalDecimal("chunk_rows", new(big.Rat))
	if err := args.Err(); err != nil {
		return err
	}
	d := &sharePlan{appends: appends}
	p.Detail = d
	if appends && names != nil {
		return fmt.Errorf("columns are those of the deposit that rows are added to; leave them out")
	}
	if names == nil {
		names = p.Dataset.Schema.Names()
	}
	cols, err := columns(p.Dataset, names)
	if err != nil {
		return err
	}
	for _, c := range cols {
		d.columns = append(d.columns, ShareColumn{Name: c.Name, Meaning: c.Meaning()})
	}
	p.columns = names
	if d.rows, err = wholeArgument("rows", rows, maxDeclared); err != nil {
		return err
	}
	if d.chunkRows, err = wholeArgument("chunk_rows", chunk, maxChunkRows); err != nil {
		return err
	}
	if d.chunkRows == 0 {
		d.chunkRows = defaultChunkRows(len(cols))
	}
	if d.chunkRows%64 != 0 {
		return fmt.Errorf("chunk_rows is %d: give a multiple of 64", d.chunkRows)
	}
	p.Reveals = []string{"the number of the deposit's version, and how many rows are declared in it; nothing of any row"}
	if appends {
		return nil
	}
	return checkPresent(r, j, siteNames(p.Dataset))
}

// maxDeclared bounds the rows of one addition.
const maxDeclared = 1 << 40

// wholeArgument is the whole number that an argument gives; 0 where it gives none.
func wholeArgument(name string, x *big.Rat, most int64) (int, error) {
	if x == nil || !x.IsInt() || x.Sign() < 0 || x.Num().Cmp(big.NewInt(most)) > 0 {
		return 0, fmt.Errorf("%s is no whole number up to %d", name, most)
	}
	return int(x.Num().Int64()), nil
}

// defaultChunkRows keeps a chunk of all columns in 64 MiB, which a site has a few times
// in memory.
func defaultChunkRows(columns int) int {
	const most, bytes = 1 << 19, 64 << 20
	rows := most
	for rows > 1<<12 && rows*columns*ring.Size64 > bytes {
		rows /= 2
	}
	return rows
}

func (sharing) check(n *keeping) error {
	err := n.hasShares()
	if !n.plan.Detail.(*sharePlan).appends && (errors.Is(err, ErrNoShares) || errors.Is(err, ErrSharesDamaged)) {
		return nil
	}
	return err
}

func (sharing) result(p *Plan, opened Opened) *Result {
	d := p.Detail.(*sharePlan)
	r := versionResult(p, opened, "Deposit of dataset "+p.Dataset.Name)
	names := make([]any, len(d.columns))
	for i, c := range d.columns {
		names[i] = c.Name
	}
	value := r.Value.(map[string]any)
	value["rows"] = opened[declaredOutput][0].Int64()
	if !d.appends {
		value["columns"] = names
	}
	t := &r.Tables[0]
	t.Header, t.Rows[0] = append(t.Header, "Rows"), append(t.Rows[0], opened[declaredOutput][0].String())
	t.Notes = []string{"Rows are those that the sites declare, all shared out. Any two of the parties together could read them; one alone learns nothing."}
	return r
}

// versionResult tells of the version that a job has made.
func versionResult(p *Plan, opened Opened, title string) *Result {
	id, snapshot := hashIn(opened, jobOutput).Short(), hashIn(opened, snapshotOutput).Short()
	version := opened[versionOutput][0]
	return &Result{
		Status: statusOK,
		Value:  map[string]any{"deposit": id, "snapshot": snapshot, "version": version.Int64()},
		Tables: []Table{{
			Title:  title,
			Header: []string{"Deposit", "Version", "Snapshot"},
			Rows:   [][]string{{id, version.String(), snapshot}},
		}},
	}
}

func (sharing) says(p *Plan, r *job.Roster) []string {
	d := p.Detail.(*sharePlan)
	first := fmt.Sprintf("Every site of dataset %s shares out of each of its rows %s, once, to %s, who keep their shares, encrypted on their disks, until they are withdrawn or another deposit takes their place.",
		p.Dataset.Name, strings.Join(p.columns, ", "), people(r, r.Parties))
	if d.appends {
		count := "as many as they may still add"
		if d.rows > 0 {
			count = "at most " + strconv.Itoa(d.rows) + " each"
		}
		first = fmt.Sprintf("The sites of dataset %s that take part share out rows that came after those deposited, %s, to %s, who add them to what they keep.", p.Dataset.Name, count, people(r, r.Parties))
	}
	said := []string{first, keptAsShares}
	if beyond := slices.ContainsFunc(p.Dataset.Sites, func(s job.Site) bool { return s.Rows > d.rows }); beyond && d.rows > 0 && !d.appends {
		said = slices.Insert(said, 1, fmt.Sprintf("Only the first %d rows of each site go in: jobs do not count those that it has beyond, until a deposit with append adds them.", d.rows))
	}
	return said
}

const keptAsShares = "No single party that keeps to the protocol learns anything of a row, now or later; two that pool what they keep can read all of it. From then on jobs run on it that each party accepts, also while the sites are away."

// snapshotWordsOf is what of a version that all parties tell alike.
func snapshotWordsOf(digest word, v *ShareSnapshot) []word {
	return []word{digest, numberWord(v.Version), numberWord(v.Rows())}
}

func numberWord(n int) (w word) {
	big.NewInt(int64(n)).FillBytes(w[:])
	return w
}
