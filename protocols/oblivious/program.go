package oblivious

import (
	"errors"
	"fmt"
	"slices"

	"consilium/job"
	"consilium/mpc/rss"
)

// Chunk is some rows of a stored dataset, on shares.
type Chunk struct {
	// Exists is set in rows that a site has, not in those that fill its declared number
	// up: one plane.
	Exists rss.Bits
	// Columns are by name; at least those that the program reads.
	Columns map[string]Column
}

// Column is a stored column: its codes, which are 0 where there is none, and where there
// is one, which is in no row that does not exist.
type Column struct {
	Codes rss.Vec
	Valid rss.Bits
}

// Rows returns the chunk's number of rows.
func (c *Chunk) Rows() int { return c.Exists.Len() }

// Question is what is asked of a dataset: sums, and samples of rows, each a list of
// vectors.
type Question struct {
	Schema    *job.Schema
	Rows      int           // declared, over all sites
	Where     job.Predicate // nil selects every row
	Summaries []job.Summary
	Samples   [][]job.Vector
}

// Program is a question compiled: what a Run does with each chunk. It follows from the
// question alone.
type Program struct {
	circuit      *circuit
	tests        []test
	columns      []string // that are read, sorted; gate given's inputs from 1 on
	narrow, wide sums
	spans        []span   // of each summary
	samples      []sample // their vectors are narrow's
	rows         int      // of the dataset
	step         int      // how many rows at once
}

// sample is where a sample's vectors are.
type sample struct {
	values []int
	member int
}

// builder compiles a question.
type builder struct {
	*Question
	program *Program
	circuit *circuit
	schema  *job.Schema
	rows    int
	tests   []test
	filter  wire
	err     error
}

// Compile plans the answers. It refuses what no checked plan has: columns that the
// schema lacks, and sums beyond 128 bits.
func Compile(q *Question) (*Program, error) {
	p := &Program{circuit: newCircuit(), narrow: sums{numbers: newNumbers()}, wide: sums{numbers: newNumbers()}, rows: q.Rows}
	b := &builder{Question: q, program: p, circuit: p.circuit, schema: q.Schema, rows: q.Rows}
	if err := q.check(); err != nil {
		return nil, err
	}
	p.columns = q.reads()
	b.filter = b.truth(q.Where).yes
	for i := range q.Summaries {
		p.spans = append(p.spans, b.summary(&q.Summaries[i]))
	}
	for _, vectors := range q.Samples {
		p.samples = append(p.samples, b.sample(vectors))
	}
	p.tests = b.tests
	p.step = p.atOnce()
	return p, b.err
}

func (q *Question) check() error {
	if q.Rows < 1 {
		return errors.New("a dataset has at least one row")
	}
	for i := range q.Summaries {
		if err := q.Summaries[i].Check(q.Schema, q.Rows); err != nil {
			return err
		}
	}
	for _, name := range q.reads() {
		if _, ok := q.Schema.Column(name); !ok {
			return fmt.Errorf("there is no column %.64q: %s", name, job.Near(name, q.Schema.Names()))
		}
	}
	return nil
}

// reads lists the columns that a question is about, sorted.
func (q *Question) reads() []string {
	names := job.Columns(q.Where)
	for _, s := range q.Summaries {
		names = append(names, s.Complete...)
		for i := range s.Groups {
			names = append(names, s.Groups[i].Reads()...)
		}
	}
	for _, vectors := range q.Samples {
		for _, v := range vectors {
			names = append(names, v.Reads()...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Columns returns the names of the stored columns that are read, sorted.
func (p *Program) Columns() []string { return p.columns }

// has is the wire of rows with a value of the column, exists that of rows at all.
func (b *builder) has(column string) wire {
	return b.circuit.plane(gate{op: given, input: 1 + slices.Index(b.program.columns, column)})
}

func (b *builder) exists() wire { return b.circuit.plane(gate{op: given}) }

// sample plans a sample: the rows that the filter selects and in which every vector
// has a value.
func (b *builder) sample(vectors []job.Vector) sample {
	var columns []string
	var known, yes []wire
	for _, v := range vectors {
		if v.Column != "" {
			columns = append(columns, v.Column)
			continue
		}
		t := b.truth(v.Predicate)
		known, yes = append(known, b.circuit.xor(t.yes, t.no)), append(yes, t.yes)
	}
	member := b.selected(columns, known)
	ns := b.program.narrow.numbers
	out := sample{member: ns.bit(member)}
	for _, v := range vectors {
		switch {
		case v.Column == "":
			out.values = append(out.values, ns.bit(b.circuit.and(member, yes[0])))
			yes = yes[1:]
		case member == b.has(v.Column):
			out.values = append(out.values, ns.column(v.Column))
		default:
			out.values = append(out.values, ns.product(out.member, ns.column(v.Column)))
		}
	}
	return out
}

func (b *builder) fail(what string) {
	if b.err == nil {
		b.err = errors.New(what)
	}
}

const (
	mostRows = 1 << 16 // at once
	// atOnceBytes is about how much memory the numbers of the rows at once may take.
	atOnceBytes = 256 << 20
	word        = 64 // the rows at once are a multiple of this, where they are not the last
)

// atOnce returns how many rows are computed on at once.
func (p *Program) atOnce() int {
	const share = 2 * 8 // bytes of an element's two components
	row := share * (3*len(p.tests) + 3*len(p.narrow.list) + 6*len(p.wide.list) + 1)
	return max(word, min(mostRows, atOnceBytes/row)/word*word)
}
