package protocols

import (
	"context"
	"math/big"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// rowSums is an analysis of this test only: it takes the same sums both ways,
// row by row on shares and pushed down. Its outputs from rows are right modulo
// 2^64, and what is above that tells of the shares: no such analysis may exist
// outside of tests before a sum can be lifted to 128 bits.
type rowSums struct{}

func (rowSums) Name() string { return "rowsums" }

func (rowSums) Plan(j *job.Job, _ *job.Dataset) (*Plan, error) {
	args := j.Arguments()
	names := args.Strings("columns")
	return &Plan{
		Columns: names,
		Summaries: []job.Summary{
			{Name: "selected", Terms: []job.Term{{}}},
			{Name: "complete", Complete: names, Terms: []job.Term{{}, {names[0]}, {names[0], names[1]}}},
		},
		Outputs: []Output{{"pushed", 4}, {"rows", 4}},
	}, args.Err()
}

func (rowSums) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	x, y := p.Columns[0], p.Columns[1]
	rows := in.Rows
	// A row counts where it is selected and both columns have a value.
	both := rss.Mul(s.Step("both"), rows.Valid[x], rows.Valid[y])
	counts := rss.Mul(s.Step("counts"), both, rows.Selected)
	xs := rss.Mul(s.Step("xs"), counts, rows.Value[x])
	byRow := rss.Concat(s,
		rss.Sum(s, rows.Selected),
		rss.Sum(s, counts),
		rss.Sum(s, xs),
		rss.Dot(s.Step("products"), xs, rows.Value[y]))
	return Outputs{
		"pushed": rss.Concat(s, in.Sums["selected"], in.Sums["complete"]),
		"rows":   rss.Vec128{A: widen(byRow.A), B: widen(byRow.B)},
	}
}

func widen(v ring.Vec64) ring.Vec128 {
	out := make(ring.Vec128, len(v))
	for i, x := range v {
		out[i].Lo = x
	}
	return out
}

func (rowSums) Finish(_ *Plan, opened Opened) (*Result, error) {
	var narrowed []string
	for _, x := range opened["rows"] {
		low := new(big.Int).And(x, new(big.Int).SetUint64(^uint64(0)))
		narrowed = append(narrowed, big.NewInt(int64(low.Uint64())).String())
	}
	var pushed []string
	for _, x := range opened["pushed"] {
		pushed = append(pushed, x.String())
	}
	return &Result{Status: statusOK, Value: [2]string{strings.Join(narrowed, " "), strings.Join(pushed, " ")}}, nil
}

func TestRowsEqualPushedDown(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	for where, want := range map[string]string{
		// selected, complete in age and dose, sum of ages, sum of age x dose in half milligrams
		"":                          "8 5 195 11585",
		"sex = 'f'":                 "4 2 37 108",
		"age > 60 OR dose >= 3.5":   "6 3 158 11477",
		"grade IS NULL":             "1 1 70 70",
		"age < -100":                "0 0 0 0",
		"NOT (age < 60) AND dose<1": "1 1 70 70",
	} {
		tr := s.trial(ask{"ward", "rowsums", where, `{"columns":["age","dose"]}`})
		tr.analysis = rowSums{}
		if got := tr.succeed().Value.([2]string); got[0] != want || got[1] != want {
			t.Errorf("where %q: rows %q, pushed down %q, want %q", where, got[0], got[1], want)
		}
	}
}

// TestRowsKeepTheirShape: a filter that keeps nothing sends what one sends that
// keeps everything.
func TestRowsKeepTheirShape(t *testing.T) {
	shape := func(s *study, where string) string {
		tr := s.trial(ask{"ward", "rowsums", where, `{"columns":["age","dose"]}`})
		tr.analysis = rowSums{}
		tr.succeed()
		return tr.net.Transcript().Shape()
	}
	all, none := shape(fiveWards(t), ""), shape(fiveWards(t), "age < -100")
	if all != none {
		t.Errorf("the filter shows in the transcript:\n%s\n%s", all, none)
	}
	if strings.Contains(all, "open") {
		t.Errorf("something was opened:\n%s", all)
	}
}

// oneRecord is a SiteData of a single record, right or wrong.
type oneRecord struct {
	rowsInMemory
	fields []arrow.Field
	rows   []string // JSON
}

func (d *oneRecord) Rows(context.Context, job.Predicate, []string) (array.RecordReader, error) {
	schema := arrow.NewSchema(d.fields, nil)
	record, _, err := array.RecordFromJSON(memory.NewGoAllocator(), schema, strings.NewReader("["+strings.Join(d.rows, ",")+"]"))
	if err != nil {
		return nil, err
	}
	return array.NewRecordReader(schema, []arrow.Record{record})
}

func field(name string, kind arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: kind, Nullable: true}
}

func TestPackRows(t *testing.T) {
	integer, truth := arrow.PrimitiveTypes.Int64, arrow.FixedWidthTypes.Boolean
	good := []arrow.Field{field("age", integer), field("age.valid", truth), field(".selected", truth)}
	for _, c := range []struct {
		name   string
		fields []arrow.Field
		rows   []string
		want   string // of the packed vector, or part of the error
	}{
		{"whole", good, []string{`{"age":7,"age.valid":true,".selected":true}`, `{"age":-2,"age.valid":true,".selected":true}`, `{"age":0,"age.valid":false,".selected":true}`}, "7 -2 0 1 1 0 1 1 1"},
		{"padded", good, []string{`{"age":7,"age.valid":true,".selected":true}`}, "7 0 0 1 0 0 1 0 0"},
		{"empty", good, nil, "0 0 0 0 0 0 0 0 0"},
		{"too many", good, []string{`{"age":0,"age.valid":false,".selected":false}`, `{"age":0,"age.valid":false,".selected":false}`, `{"age":0,"age.valid":false,".selected":false}`, `{"age":0,"age.valid":false,".selected":false}`}, "more rows than the roster declares"},
		{"out of range", good, []string{`{"age":121,"age.valid":true,".selected":true}`}, "row 1 is outside the declared range"},
		{"not selected, not zero", good, []string{`{"age":7,"age.valid":true,".selected":false}`}, "not zeroed"},
		{"missing, not zero", good, []string{`{"age":7,"age.valid":false,".selected":true}`}, "not zeroed"},
		{"null code", good, []string{`{"age":null,"age.valid":false,".selected":true}`}, "non-null int64 column age"},
		{"null bit", good, []string{`{"age":7,"age.valid":null,".selected":true}`}, "non-null boolean column age.valid"},
		{"null selection", good, []string{`{"age":7,"age.valid":true,".selected":null}`}, "non-null boolean column .selected"},
		{"swapped", []arrow.Field{good[1], good[0], good[2]}, []string{`{"age":7,"age.valid":true,".selected":true}`}, "non-null int64 column age"},
		{"other name", []arrow.Field{field("dose", integer), good[1], good[2]}, []string{`{"dose":7,"age.valid":true,".selected":true}`}, "non-null int64 column age"},
		{"float", []arrow.Field{field("age", arrow.PrimitiveTypes.Float64), good[1], good[2]}, []string{`{"age":7,"age.valid":true,".selected":true}`}, "non-null int64 column age"},
		{"a field less", good[:2], []string{`{"age":7,"age.valid":true}`}, "2 fields, want 3"},
		{"a field more", append(good[:3:3], field("sex", integer)), []string{`{"age":7,"age.valid":true,".selected":true,"sex":1}`}, "4 fields, want 3"},
	} {
		schema := wardSchema()
		w := &work{
			Task:    &Task{Data: &oneRecord{fields: c.fields, rows: c.rows}},
			binding: &binding{plan: &Plan{Columns: []string{"age"}, Dataset: &job.Dataset{Name: "ward", Schema: schema}}},
		}
		var got string
		if packed, err := w.packRows(context.Background(), 3); err != nil {
			got = err.Error()
		} else {
			got = asText(packed)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if strings.Contains(got, "121") {
			t.Errorf("%s: the error tells a value: %q", c.name, got)
		}
	}
}

func asText(v ring.Vec64) string {
	var out []string
	for _, x := range v {
		out = append(out, big.NewInt(int64(x)).String())
	}
	return strings.Join(out, " ")
}

// worldRun seals and computes with given seeds, so that every byte is decided.
func worldRun(t *testing.T, s *study, a ask, analysis Analysis) memnet.Transcript {
	t.Helper()
	tr := s.trial(a)
	tr.analysis = analysis
	tasks := tr.tasks(memnet.NewNetwork(studyNodes, 0, memnet.Hooks{}))
	world := memnet.New(memnet.Config{N: studyNodes, Names: s.roster.Roster.Names(), Seed: 7})
	err := world.Run(func(session *mpc.Session) error {
		task := tasks[session.Self()]
		b, err := tr.binding(task)
		if err != nil {
			return err
		}
		w, err := task.work(b)
		if err != nil {
			return err
		}
		in := w.seal(session)
		if w.isParty() {
			w.compute(session.Step(stepCompute), in)
		}
		return session.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return world.Transcript()
}
