package oblivious_test

import (
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/protocols/oblivious"
)

// same holds opened answers against those in the clear.
func same(t failer, got, want answers) {
	t.Helper()
	for i := range want.sums {
		if !slices.EqualFunc(got.sums[i], want.sums[i], func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
			t.Fatalf("summary %d: %v, want %v", i, got.sums[i], want.sums[i])
		}
	}
	for i := range want.samples {
		if !reflect.DeepEqual(got.samples[i], want.samples[i]) {
			t.Fatalf("sample %d: %v, want %v", i, got.samples[i], want.samples[i])
		}
	}
}

// A predicate selects the rows that job.Eval says, whatever is missing; as a vector
// it is 1 or 0 where it is known.
func TestPredicates(t *testing.T) {
	s := schema()
	rapid.Check(t, func(t *rapid.T) {
		rows := drawTable(t, s, rapid.IntRange(1, 70).Draw(t, "rows"))
		q := &oblivious.Question{
			Schema: s, Rows: len(rows), Where: drawPredicate(t, s, 3),
			Samples: [][]job.Vector{{{Name: "p", Predicate: drawPredicate(t, s, 2)}}},
		}
		same(t, ask(t, q, rows, len(rows)), plain(q, rows))
	})
}

// drawGrouping draws one of the four kinds.
func drawGrouping(t *rapid.T, s *job.Schema) job.Grouping {
	name := rapid.SampledFrom([]string{"age", "dose", "sex", "abo", "one"}).Draw(t, "by")
	low := drawLiteral(t, s, name)
	switch rapid.IntRange(0, 3).Draw(t, "grouping") {
	case 0:
		return job.Grouping{Predicate: drawPredicate(t, s, 1)}
	case 1:
		return job.Grouping{Column: name, Range: &job.Range{First: low, Last: low + rapid.Int64Range(0, 5).Draw(t, "more")}}
	case 2:
		edges := []int64{low}
		for range rapid.IntRange(1, 4).Draw(t, "bins") {
			edges = append(edges, edges[len(edges)-1]+rapid.Int64Range(0, 40).Draw(t, "bin"))
		}
		return job.Grouping{Column: name, Edges: edges}
	}
	g := job.Grouping{Column: name}
	for i := range rapid.Int64Range(1, 5).Draw(t, "levels") {
		g.Levels = append(g.Levels, low+i)
	}
	return g
}

// drawSummary draws sums of products of up to three columns in the cells of up to two
// groupings. Wide columns make sums that take 128 bits.
func drawSummary(t *rapid.T, s *job.Schema) job.Summary {
	columns := []string{"age", "dose", "one", "sex", "lab"}
	if rapid.IntRange(0, 3).Draw(t, "wide") == 0 {
		columns = append(columns, "id")
	}
	sum := job.Summary{Name: "s"}
	for range rapid.IntRange(0, 2).Draw(t, "groups") {
		sum.Groups = append(sum.Groups, drawGrouping(t, s))
	}
	for range rapid.IntRange(1, 3).Draw(t, "terms") {
		term := job.Term{}
		for range rapid.IntRange(0, 3).Draw(t, "factors") {
			name := rapid.SampledFrom(columns).Draw(t, "factor")
			if name == "id" && slices.Contains(term, "id") {
				continue // 2^114 and more
			}
			term = append(term, name)
		}
		sum.Terms = append(sum.Terms, term)
		sum.Complete = append(sum.Complete, term...)
	}
	return sum
}

// Sums are those of job.Summary, cell by cell, over whatever chunks the rows come in.
func TestSummaries(t *testing.T) {
	s := schema()
	rapid.Check(t, func(t *rapid.T) {
		rows := drawTable(t, s, rapid.IntRange(1, 150).Draw(t, "rows"))
		q := &oblivious.Question{Schema: s, Rows: len(rows)}
		if rapid.Bool().Draw(t, "filter") {
			q.Where = drawPredicate(t, s, 1)
		}
		for range rapid.IntRange(1, 3).Draw(t, "summaries") {
			q.Summaries = append(q.Summaries, drawSummary(t, s))
		}
		same(t, ask(t, q, rows, rapid.IntRange(20, 150).Draw(t, "chunk")), plain(q, rows))
	})
}

// Samples are the codes of the rows that the filter takes and that are complete, and
// zeros elsewhere.
func TestSamples(t *testing.T) {
	s := schema()
	rapid.Check(t, func(t *rapid.T) {
		rows := drawTable(t, s, rapid.IntRange(1, 150).Draw(t, "rows"))
		q := &oblivious.Question{Schema: s, Rows: len(rows)}
		if rapid.Bool().Draw(t, "filter") {
			q.Where = drawPredicate(t, s, 1)
		}
		for range rapid.IntRange(1, 2).Draw(t, "samples") {
			var vectors []job.Vector
			for range rapid.IntRange(1, 3).Draw(t, "vectors") {
				v := job.Vector{Name: "v", Column: drawColumn(t, s)}
				if rapid.Bool().Draw(t, "event") {
					v = job.Vector{Name: "v", Predicate: drawPredicate(t, s, 1)}
				}
				vectors = append(vectors, v)
			}
			q.Samples = append(q.Samples, vectors)
		}
		same(t, ask(t, q, rows, rapid.IntRange(20, 150).Draw(t, "chunk")), plain(q, rows))
	})
}

// Sums whose total may pass 64 bits while those of the rows at once do not are exact.
func TestSumsBeyond64Bits(t *testing.T) {
	s := &job.Schema{Columns: []job.Column{
		{Name: "x", Type: job.Integer, Min: "-4194304", Max: "4194304"},
		{Name: "y", Type: job.Integer, Min: "-4194303", Max: "4194303"},
	}}
	rows := slices.Repeat(table{{"x": {4194304, true}, "y": {-4194303, true}}}, 1<<17+5)
	q := &oblivious.Question{Schema: s, Rows: len(rows), Summaries: []job.Summary{
		{Name: "products", Complete: []string{"x", "y"}, Terms: []job.Term{{}, {"x", "y"}}},
		{Name: "counts", Terms: []job.Term{{}}},
	}}
	same(t, ask(t, q, rows, 100_000), plain(q, rows))
}

// What is sent depends on the question and the number of rows alone.
func TestTranscriptShape(t *testing.T) {
	s := schema()
	event, err := job.ParsePredicate("dose >= 2 OR abo IN ('A', 'B')", s)
	if err != nil {
		t.Fatal(err)
	}
	where, err := job.ParsePredicate("age BETWEEN 20 AND 60 AND sex = 'f' OR note IS NOT NULL", s)
	if err != nil {
		t.Fatal(err)
	}
	q := &oblivious.Question{
		Schema: s, Rows: 100, Where: where,
		Summaries: []job.Summary{
			{Name: "a", Complete: []string{"age", "id"}, Terms: []job.Term{{}, {"age"}, {"age", "id"}}},
			{Name: "b", Groups: []job.Grouping{{Column: "abo", Levels: []int64{0, 1, 2, 3, 4}}, {Column: "dose", Edges: []int64{0, 20, 40, 60, 80, 100}}}, Terms: []job.Term{{}}},
		},
		Samples: [][]job.Vector{{{Name: "age", Column: "age"}, {Name: "e", Predicate: event}}},
	}
	shape := func(rows table) string {
		w := memnet.New(memnet.Config{N: 4, Seed: 5})
		var out answers
		if err := w.Run(func(s *mpc.Session) error { return answer(s, q, rows, 70, &out) }); err != nil {
			t.Fatal(err)
		}
		same(t, out, plain(q, rows))
		return w.Transcript().Shape()
	}
	none, all := make(table, 100), make(table, 100)
	for i := range all {
		all[i] = map[string]cell{"age": {30, true}, "dose": {int64(i), true}, "sex": {0, true}, "abo": {int64(i % 5), true}, "id": {-1e17, true}}
	}
	if shape(none) != shape(all) {
		t.Error("the transcript tells of the rows")
	}
}

func TestCompileRefuses(t *testing.T) {
	s := schema()
	for want, q := range map[string]*oblivious.Question{
		"at least one row":       {Schema: s},
		`no column "weight"`:     {Schema: s, Rows: 1, Samples: [][]job.Vector{{{Name: "w", Column: "weight"}}}},
		"may need more than 126": {Schema: s, Rows: 100, Summaries: []job.Summary{{Name: "x", Complete: []string{"id"}, Terms: []job.Term{{"id", "id", "id"}}}}},
		`no column "wait"`:       {Schema: s, Rows: 1, Where: job.IsNull{Column: "wait"}},
	} {
		if _, err := oblivious.Compile(q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// Rows beyond the declared number end the session; fewer do not: they may still be added.
func TestOtherNumbersOfRows(t *testing.T) {
	for n, ok := range map[int]bool{9: true, 11: false} {
		q := &oblivious.Question{Schema: schema(), Rows: 10, Summaries: []job.Summary{{Name: "n", Terms: []job.Term{{}}}}}
		w := memnet.New(memnet.Config{N: 4, Seed: 5})
		err := w.Run(func(s *mpc.Session) error { return answer(s, q, make(table, n), 4, &answers{}) })
		if ok && err != nil || !ok && (err == nil || !strings.Contains(err.Error(), "more than the roster declares")) {
			t.Errorf("%d rows: %v", n, err)
		}
	}
}

// Rows that have not come are rows of no sample, also where whole chunks of it are missing.
func TestSamplesAreFilledUp(t *testing.T) {
	rows := make(table, 70)
	for i := range rows {
		rows[i] = map[string]cell{"age": {int64(i), true}}
	}
	q := &oblivious.Question{Schema: schema(), Rows: 200, Samples: [][]job.Vector{{{Name: "age", Column: "age"}}}}
	got := ask(t, q, rows, 40)
	same(t, got, plain(q, append(rows, make(table, 130)...)))
}
