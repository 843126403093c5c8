package oblivious_test

import (
	"errors"
	"math/big"
	"os"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/mpc/spool"
	"consilium/protocols/oblivious"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// schema has every kind of column: negative codes, one value only, two values, texts,
// texts without a list, and ranges whose products take 64, 128 bits and more.
func schema() *job.Schema {
	return &job.Schema{Columns: []job.Column{
		{Name: "age", Type: job.Integer, Min: "-5", Max: "120"},
		{Name: "dose", Type: job.Decimal, Step: "0.5", Min: "-100", Max: "100"},
		{Name: "sex", Type: job.Text, Categories: []string{"m", "f"}},
		{Name: "abo", Type: job.Text, Categories: []string{"A", "B", "AB", "0", "?"}},
		{Name: "note", Type: job.Text},
		{Name: "one", Type: job.Integer, Min: "7", Max: "7"},
		{Name: "lab", Type: job.Integer, Min: "-4194304", Max: "4194304"},
		{Name: "id", Type: job.Integer, Min: "-100000000000000000", Max: "100000000000000000"},
	}}
}

// cell is a value or none.
type cell struct {
	code int64
	ok   bool
}

// table is a dataset in the clear. A row that does not exist is nil.
type table []map[string]cell

func (t table) value(row int) func(string) (int64, bool) {
	return func(name string) (int64, bool) { return t[row][name].code, t[row][name].ok }
}

// drawTable draws rows whose values lie near each other, and at the ends of ranges.
func drawTable(t *rapid.T, s *job.Schema, rows int) table {
	out := make(table, rows)
	for i := range out {
		if rapid.IntRange(0, 9).Draw(t, "absent") == 0 {
			continue
		}
		out[i] = map[string]cell{}
		for j := range s.Columns {
			c := &s.Columns[j]
			low, high := c.Codes()
			if high < low || rapid.IntRange(0, 4).Draw(t, "missing") == 0 {
				continue
			}
			out[i][c.Name] = cell{drawCode(t, low, high), true}
		}
	}
	return out
}

func drawCode(t *rapid.T, low, high int64) int64 {
	return rapid.OneOf(
		rapid.SampledFrom([]int64{low, high}),
		rapid.Int64Range(low, min(high, low+6)),
		rapid.Int64Range(low, high),
	).Draw(t, "code")
}

// drawLiteral draws what a predicate may compare with: also what no row can have.
func drawLiteral(t *rapid.T, s *job.Schema, name string) int64 {
	c, _ := s.Column(name)
	low, high := c.Codes()
	return drawCode(t, low-1, max(high, low)+1)
}

func drawColumn(t *rapid.T, s *job.Schema) string {
	return rapid.SampledFrom(s.Names()).Draw(t, "column")
}

func drawPredicate(t *rapid.T, s *job.Schema, depth int) job.Predicate {
	most := 5
	if depth == 0 {
		most = 2
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		name := drawColumn(t, s)
		op := rapid.SampledFrom([]job.Op{job.Eq, job.Ne, job.Lt, job.Le, job.Gt, job.Ge}).Draw(t, "op")
		return job.Compare{Column: name, Op: op, Value: drawLiteral(t, s, name)}
	case 1:
		name := drawColumn(t, s)
		in := job.In{Column: name}
		for range rapid.IntRange(0, 3).Draw(t, "values") { // some of them twice
			in.Values = append(in.Values, drawLiteral(t, s, name))
		}
		return in
	case 2:
		return job.IsNull{Column: drawColumn(t, s)}
	case 3:
		return job.Not{P: drawPredicate(t, s, depth-1)}
	case 4:
		return job.And{L: drawPredicate(t, s, depth-1), R: drawPredicate(t, s, depth-1)}
	}
	return job.Or{L: drawPredicate(t, s, depth-1), R: drawPredicate(t, s, depth-1)}
}

// answers are what a question gives, in the clear.
type answers struct {
	sums    [][]*big.Int
	samples []clearSample
}

type clearSample struct {
	values [][]int64
	member []int64
}

// failer is a test or one of rapid's.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// ask has three parties answer over chunks of the rows, which a fourth participant
// shares to them, and opens all.
func ask(t failer, q *oblivious.Question, rows table, chunk int) answers {
	t.Helper()
	var out answers
	w := memnet.New(memnet.Config{N: 4, Seed: 5})
	if err := w.Run(func(s *mpc.Session) error { return answer(s, q, rows, chunk, &out) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// newSpill takes samples in chunks of 64 rows, in a directory of its own, until end.
func newSpill() (sp *rss.Spill, end func() error, err error) {
	dir, err := os.MkdirTemp("", "oblivious-")
	if err != nil {
		return nil, nil, err
	}
	d, err := spool.Open(dir)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	sp = rss.NewSpill(d, 64)
	return sp, func() error { return errors.Join(sp.Close(), os.RemoveAll(dir)) }, nil
}

const dealer = mpc.PartyID(3)

func answer(s *mpc.Session, q *oblivious.Question, rows table, chunk int, out *answers) (err error) {
	p, err := oblivious.Compile(q)
	if err != nil {
		return err
	}
	spill, end, err := newSpill()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var samples []*rss.Chunked
	for _, vectors := range q.Samples {
		samples = append(samples, spill.New(s, q.Rows, len(vectors)+1, 0))
	}
	run := p.Start(samples...)
	for k, lo := 0, 0; lo < len(rows); k, lo = k+1, lo+chunk {
		c := deal(s.Step("deal", k), p, rows[lo:min(lo+chunk, len(rows))])
		if s.Role() >= 0 {
			run.Add(s.Step("add", k), c)
		}
	}
	if s.Role() < 0 {
		return s.Err()
	}
	sums := run.End(s.Step("end"))
	var opened answers
	for i, sum := range sums {
		opened.sums = append(opened.sums, rss.Open(s.Step("sum", i), sum).Big())
	}
	for i, sample := range samples {
		opened.samples = append(opened.samples, openSample(s.Step("sample", i), sample))
	}
	if s.Role() == 0 {
		*out = opened
	}
	return s.Err()
}

// openSample opens all rows of a sample.
func openSample(s *mpc.Session, sample *rss.Chunked) clearSample {
	var columns [][]int64
	for k := range sample.Chunks() {
		for j, x := range sample.Get(s, k) {
			if k == 0 {
				columns = append(columns, nil)
			}
			columns[j] = append(columns[j], rss.Open(s.Step("column", k, j), x).Int64()...)
		}
	}
	last := len(columns) - 1
	return clearSample{values: columns[:last:last], member: columns[last]}
}

// deal shares some rows.
func deal(s *mpc.Session, p *oblivious.Program, rows table) *oblivious.Chunk {
	input := func(step *mpc.Session, value func(map[string]cell) int64) rss.Vec {
		var v ring.Vec64
		if s.Self() == dealer {
			for _, row := range rows {
				v = append(v, uint64(value(row)))
			}
		}
		return rss.Input(step, dealer, len(rows), v)
	}
	c := &oblivious.Chunk{Columns: map[string]oblivious.Column{}}
	bits := func(step *mpc.Session, value func(map[string]cell) bool) rss.Bits {
		x := input(step, func(row map[string]cell) int64 { return bit(value(row)) })
		if s.Role() < 0 {
			return rss.Bits{}
		}
		b := rss.Parity(s, x)
		if tail := len(rows) % 64; tail > 0 { // bits past the end mean nothing
			b.A.Words[len(b.A.Words)-1] |= 1 << tail
		}
		return b
	}
	c.Exists = bits(s.Step("exists"), func(row map[string]cell) bool { return row != nil })
	for i, name := range p.Columns() {
		at := s.Step("column", i)
		c.Columns[name] = oblivious.Column{
			Codes: input(at.Step("codes"), func(row map[string]cell) int64 { return row[name].code }),
			Valid: bits(at.Step("valid"), func(row map[string]cell) bool { return row[name].ok }),
		}
	}
	return c
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// plain answers in the clear, row by row, as job says.
func plain(q *oblivious.Question, rows table) answers {
	var out answers
	for i := range q.Summaries {
		out.sums = append(out.sums, plainSums(q, &q.Summaries[i], rows))
	}
	for _, vectors := range q.Samples {
		out.samples = append(out.samples, plainSample(q, vectors, rows))
	}
	return out
}

func selected(q *oblivious.Question, rows table, i int) bool {
	truth, known := job.Eval(q.Where, rows.value(i))
	return rows[i] != nil && truth && known
}

func plainSums(q *oblivious.Question, sum *job.Summary, rows table) []*big.Int {
	out := make([]*big.Int, sum.Len())
	for i := range out {
		out[i] = new(big.Int)
	}
rows:
	for i, row := range rows {
		if !selected(q, rows, i) {
			continue
		}
		for _, name := range sum.Complete {
			if !row[name].ok {
				continue rows
			}
		}
		at := 0
		for g := range sum.Groups {
			cell, ok := sum.Groups[g].Cell(rows.value(i))
			if !ok {
				continue rows
			}
			at = at*sum.Groups[g].Cells() + cell
		}
		for k, term := range sum.Terms {
			x := big.NewInt(1)
			for _, name := range term {
				x.Mul(x, big.NewInt(row[name].code))
			}
			to := out[at*len(sum.Terms)+k]
			to.Add(to, x)
		}
	}
	return out
}

func plainSample(q *oblivious.Question, vectors []job.Vector, rows table) clearSample {
	out := clearSample{values: make([][]int64, len(vectors)), member: make([]int64, len(rows))}
	for j := range vectors {
		out.values[j] = make([]int64, len(rows))
	}
	for i := range rows {
		member := selected(q, rows, i)
		values := make([]int64, len(vectors))
		for j, v := range vectors {
			code, ok := rows.value(i)(v.Column)
			if v.Column == "" {
				var truth bool
				truth, ok = job.Eval(v.Predicate, rows.value(i))
				code = bit(truth)
			}
			values[j], member = code, member && ok
		}
		if !member {
			continue
		}
		out.member[i] = 1
		for j := range vectors {
			out.values[j][i] = values[j]
		}
	}
	return out
}
