package protocols

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
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

// TestRowsInPieces: rows that sites seal in several pieces come to samples of several
// chunks in the sites' order, zeros where they are left out.
func TestRowsInPieces(t *testing.T) {
	leakFree(t)
	var sites [][][]string
	var ages, doses, members []int64
	for site, n := range []int{1, 130, 64, 10, 200} {
		var rows [][]string
		for i := range n {
			age, dose := int64(7*i+site)%100, int64(i%50)
			row, in := []string{fmt.Sprint(age), fmt.Sprint(dose), "f", "2"}, age > 30
			if i%11 == 5 {
				row[i%2], in = "", false
			}
			rows, members = append(rows, row), append(members, bit64(in))
			ages, doses = append(ages, age*bit64(in)), append(doses, 2*dose*bit64(in))
		}
		sites = append(sites, rows)
	}
	s := ward(t, sites...)
	tr := s.trial(ask{"ward", "rowsums", "age > 30", `{"columns":["age","dose"]}`})
	tr.analysis, tr.chunkRows = rowSums{}, 64
	sealedRun(t, tr, func(s *mpc.Session, w *work, in Inputs) error {
		if !w.isParty() {
			return nil
		}
		if in.Rows["both"].Chunks() != 7 || w.pieceRows(4) != 64 {
			return fmt.Errorf("%d chunks, pieces of %d", in.Rows["both"].Chunks(), w.pieceRows(4))
		}
		both := in.Rows["both"].whole(s)
		opened := rss.Open(s.Step("opened"), rss.Concat(s, both.Value["age"], both.Value["dose"], both.Member)).Int64()
		if want := slices.Concat(ages, doses, members); s.Err() == nil && !slices.Equal(opened, want) {
			return fmt.Errorf("rows are %v, want %v", opened, want)
		}
		return nil
	})
}

// TestSitesWaitForParties: a site that is no party has at most two pieces on their way
// that not all parties have kept, however slowly these take them.
func TestSitesWaitForParties(t *testing.T) {
	leakFree(t)
	sites := make([][][]string, studyNodes)
	for i := range 300 {
		sites[4] = append(sites[4], []string{fmt.Sprint(i % 100), "1", "f", "2"})
	}
	tr := ward(t, sites...).trial(ask{"ward", "rowsums", "", `{"columns":["age","dose"]}`})
	tr.analysis, tr.chunkRows = rowSums{}, 64
	var mu sync.Mutex
	kept, pieces := map[int]int{}, map[int]bool{}
	tr.hooks.Delay = func(m memnet.Message) time.Duration {
		if m.From == 4 && m.To == 1 && strings.HasPrefix(m.Channel.Step, "seal.4/rows.") {
			return 5 * time.Millisecond
		}
		return 0
	}
	tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		var piece int
		if _, err := fmt.Sscanf(m.Channel.Step, "seal.4/kept.%d", &piece); err == nil && m.To == 4 {
			kept[piece]++
		}
		if _, err := fmt.Sscanf(m.Channel.Step, "seal.4/rows.%d", &piece); err == nil && m.From == 4 {
			pieces[piece] = true
			if piece >= 2 && kept[piece-2] < 3 {
				t.Errorf("piece %d came when %d parties had kept piece %d", piece, kept[piece-2], piece-2)
			}
		}
		return m.Frame, true
	}
	tr.succeed()
	if len(pieces) != 5 || len(kept) != 3 {
		t.Errorf("%d pieces, of which %d are said to be kept", len(pieces), len(kept))
	}
}

// TestJoinedRowsWait: a party that puts the sites' rows together more slowly than others
// wait for a message is waited for.
func TestJoinedRowsWait(t *testing.T) {
	const n = 200
	sample := Sample{"all", columnVectors("x")}
	synctest.Test(t, func(t *testing.T) {
		spill := testkit.NewSpill(t, 64)
		plan := &Plan{Dataset: fixedPlan(n).Dataset, Samples: []Sample{sample}}
		w := &work{Task: &Task{Spill: spill}, binding: &binding{plan: plan}}
		err := memnet.New(memnet.Config{Timeout: time.Second}).Run(func(s *mpc.Session) error {
			x := rss.Public(s, numbersTo(0, n))
			kept := spill.NewOf(s, 256, n, 2, 0)
			kept.Put(s, 0, []rss.Vec{x, x})
			if s.Self() == 1 {
				time.Sleep(time.Hour)
			}
			joined := w.joinRows(s, []sealed{{rows: kept}})["all"].whole(s)
			if got := rss.Open(s.Step("open"), joined.Value["x"]); s.Err() == nil && !slices.Equal(got, numbersTo(0, n)) {
				return fmt.Errorf("rows are %v", got)
			}
			return s.Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func bit64(b bool) int64 { return int64(bit(b)) }

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
		for _, piece := range []int{1, 2, 3} {
			got := packAll(&oneRecord{fields: c.fields, rows: c.rows}, 3, piece)
			if !strings.Contains(got, c.want) {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
			if strings.Contains(got, "121") {
				t.Errorf("%s: the error tells a value: %q", c.name, got)
			}
		}
	}
}

// packAll packs the ages and members of so many rows, some at once, and writes all ages
// and then all members, or the error.
func packAll(data SiteData, rows, piece int) string {
	plan := &Plan{Samples: []Sample{{"ages", columnVectors("age")}}, Dataset: &job.Dataset{Name: "ward", Schema: wardSchema()}}
	packed, err := newPacker(context.Background(), plan, data, nil)
	if err != nil {
		return err.Error()
	}
	defer packed.reader.Release()
	var ages, members ring.Vec64
	for lo := 0; lo < rows; lo += piece {
		n := min(piece, rows-lo)
		out, err := packed.next(n)
		if err != nil {
			return err.Error()
		}
		ages, members = append(ages, out[:n]...), append(members, out[n:]...)
	}
	if err := packed.end(); err != nil {
		return err.Error()
	}
	return asText(append(ages, members...))
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
	return sealedRun(t, tr, func(session *mpc.Session, w *work, in Inputs) error {
		if w.isParty() {
			w.plan.Compute(session.Step(stepCompute), in)
		}
		return nil
	})
}

// sealedRun seals a trial's inputs with given seeds, and goes on as it is told.
func sealedRun(t *testing.T, tr *trial, then func(*mpc.Session, *work, Inputs) error) memnet.Transcript {
	t.Helper()
	tasks := tr.tasks(memnet.NewNetwork(studyNodes, 0, memnet.Hooks{}))
	world := memnet.New(memnet.Config{N: studyNodes, Names: tr.roster.Roster.Names(), Seed: 7})
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
		if err := then(session, w, w.seal(session)); err != nil {
			return err
		}
		return session.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return world.Transcript()
}
