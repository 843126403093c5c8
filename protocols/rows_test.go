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
// row by row on shares and pushed down.
type rowSums struct{}

func (rowSums) Name() string { return "rowsums" }

func (rowSums) Plan(j *job.Job, _ *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	names := args.Strings("columns")
	return &Plan{
		Samples: []Sample{{"both", columnVectors(names...)}, {"first", columnVectors(names[0])}, {"all", nil}},
		Summaries: []job.Summary{
			{Name: "selected", Terms: []job.Term{{}}},
			{Name: "first", Complete: names[:1], Terms: []job.Term{{}}},
			{Name: "complete", Complete: names, Terms: []job.Term{{}, {names[0]}, {names[0], names[1]}}},
		},
		Outputs: []Output{{"pushed", 5}, {"rows", 5}},
		Detail:  names,
	}, args.Err()
}

func (rowSums) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	names := p.Detail.([]string)
	all, first, both := in.Rows["all"].whole(s), in.Rows["first"].whole(s), in.Rows["both"].whole(s)
	x, y := both.Value[names[0]], both.Value[names[1]]
	byRow := rss.Concat(s,
		rss.Sum(s, all.Member),
		rss.Sum(s, first.Member),
		rss.Sum(s, both.Member),
		rss.Sum(s, x),
		rss.Dot(s.Step("products"), x, y))
	return Outputs{
		Values: map[string]rss.Vec128{
			"pushed": rss.Concat(s, in.Sums["selected"], in.Sums["first"], in.Sums["complete"]),
			"rows":   rss.Lift(s.Step("lift"), byRow),
		},
		Rows: rss.AddConst(s, rss.Sum(s, all.Member), 1), // never empty: this test is about sums
	}
}

func (rowSums) Finish(_ *Plan, opened Opened) (*Result, error) {
	text := func(name string) string {
		var words []string
		for _, x := range opened[name] {
			words = append(words, x.String())
		}
		return strings.Join(words, " ")
	}
	return &Result{Status: statusOK, Value: [2]string{text("rows"), text("pushed")}}, nil
}

func TestRowsEqualPushedDown(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	for where, want := range map[string]string{
		// selected, with an age, complete in age and dose, sum of ages, sum of age x dose
		// in half milligrams
		"":                          "8 6 5 195 11585",
		"sex = 'f'":                 "4 3 2 37 108",
		"age > 60 OR dose >= 3.5":   "6 4 3 158 11477",
		"grade IS NULL":             "1 1 1 70 70",
		"age < -100":                "0 0 0 0 0",
		"NOT (age < 60) AND dose<1": "1 1 1 70 70",
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

func (d *oneRecord) Rows(context.Context, job.Predicate, []job.Vector) (array.RecordReader, error) {
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
	good := []arrow.Field{field("0.age", integer), field("0.age.valid", truth), field(".selected", truth)}
	for _, c := range []struct {
		name   string
		fields []arrow.Field
		rows   []string
		want   string // of the packed vector, or part of the error
	}{
		{"whole", good, []string{`{"0.age":7,"0.age.valid":true,".selected":true}`, `{"0.age":-2,"0.age.valid":true,".selected":true}`, `{"0.age":0,"0.age.valid":false,".selected":true}`}, "7 -2 0 1 1 0"},
		{"padded", good, []string{`{"0.age":7,"0.age.valid":true,".selected":true}`}, "7 0 0 1 0 0"},
		{"empty", good, nil, "0 0 0 0 0 0"},
		{"too many", good, []string{`{"0.age":0,"0.age.valid":false,".selected":false}`, `{"0.age":0,"0.age.valid":false,".selected":false}`, `{"0.age":0,"0.age.valid":false,".selected":false}`, `{"0.age":0,"0.age.valid":false,".selected":false}`}, "more rows than the roster declares"},
		{"out of range", good, []string{`{"0.age":121,"0.age.valid":true,".selected":true}`}, "row 1 is outside the declared range"},
		{"not selected, not zero", good, []string{`{"0.age":7,"0.age.valid":true,".selected":false}`}, "not zeroed"},
		{"missing, not zero", good, []string{`{"0.age":7,"0.age.valid":false,".selected":true}`}, "not zeroed"},
		{"null code", good, []string{`{"0.age":null,"0.age.valid":false,".selected":true}`}, "non-null int64 column 0.age"},
		{"null bit", good, []string{`{"0.age":7,"0.age.valid":null,".selected":true}`}, "non-null boolean column 0.age.valid"},
		{"null selection", good, []string{`{"0.age":7,"0.age.valid":true,".selected":null}`}, "non-null boolean column .selected"},
		{"swapped", []arrow.Field{good[1], good[0], good[2]}, []string{`{"0.age":7,"0.age.valid":true,".selected":true}`}, "non-null int64 column 0.age"},
		{"other name", []arrow.Field{field("dose", integer), good[1], good[2]}, []string{`{"dose":7,"0.age.valid":true,".selected":true}`}, "non-null int64 column 0.age"},
		{"float", []arrow.Field{field("age", arrow.PrimitiveTypes.Float64), good[1], good[2]}, []string{`{"0.age":7,"0.age.valid":true,".selected":true}`}, "non-null int64 column 0.age"},
		{"a field less", good[:2], []string{`{"0.age":7,"0.age.valid":true}`}, "2 fields, want 3"},
		{"a field more", append(good[:3:3], field("sex", integer)), []string{`{"0.age":7,"0.age.valid":true,".selected":true,"sex":1}`}, "4 fields, want 3"},
	} {
		schema := wardSchema()
		w := &work{
			Task:    &Task{Data: &oneRecord{fields: c.fields, rows: c.rows}},
			binding: &binding{plan: &Plan{Samples: []Sample{{"ages", columnVectors("age")}}, Dataset: &job.Dataset{Name: "ward", Schema: schema}}},
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
			w.plan.Compute(session.Step(stepCompute), in)
		}
		return session.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return world.Transcript()
}
