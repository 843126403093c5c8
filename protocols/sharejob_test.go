package protocols

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
)

// kept are the three parties' stores of a dataset.
type kept [3]*sharesInMemory

// deposit has the parties keep a dataset's rows: some columns, or all, of each site in
// chunks of at most so many rows. A site with fewer rows than declared has some that pad
// them.
func (s *study) deposit(dataset string, chunk int, columns ...string) kept {
	s.t.Helper()
	d, _ := s.roster.Roster.Dataset(dataset)
	if len(columns) == 0 {
		columns = d.Schema.Names()
	}
	snapshot := ShareSnapshot{ID: job.Hash{1}, Deposit: job.Hash{1}, Dataset: dataset, Version: 1, Parties: s.roster.Roster.Parties}
	for _, name := range columns {
		c, _ := d.Schema.Column(name)
		snapshot.Columns = append(snapshot.Columns, ShareColumn{Name: name, Meaning: c.Meaning()})
	}
	var chunks []plainChunk
	for _, site := range d.Sites {
		all := s.plainRows(dataset, site, columns)
		for lo := 0; lo < site.Rows; lo += chunk {
			chunks = append(chunks, all.cut(lo, min(lo+chunk, site.Rows)))
		}
	}
	var stores kept
	for i := range stores {
		stores[i] = newShares(s.t)
	}
	putShares(s.t, stores, snapshot, chunks)
	return stores
}

// plainRows reads a site's rows.
func (s *study) plainRows(dataset string, site job.Site, columns []string) *plainChunk {
	s.t.Helper()
	data := s.data[dataset][s.roster.Roster.NodeIndex(site.Node)]
	reader, err := data.Rows(context.Background(), nil, columnVectors(columns...))
	s.must(err)
	defer reader.Release()
	out := &plainChunk{site: site.Node, rows: site.Rows, present: make([]bool, site.Rows), columns: map[string]plainColumn{}}
	for _, name := range columns {
		out.columns[name] = plainColumn{make([]int64, site.Rows), make([]bool, site.Rows)}
	}
	at := 0
	for reader.Next() {
		r := reader.Record()
		for i := range int(r.NumRows()) {
			out.present[at] = true
			for j, name := range columns {
				out.columns[name].codes[at] = r.Column(2 * j).(*array.Int64).Value(i)
				out.columns[name].valid[at] = r.Column(2*j + 1).(*array.Boolean).Value(i)
			}
			at++
		}
	}
	s.must(reader.Err())
	return out
}

func (c *plainChunk) cut(lo, hi int) plainChunk {
	out := plainChunk{site: c.site, rows: hi - lo, present: c.present[lo:hi], columns: map[string]plainColumn{}}
	for name, column := range c.columns {
		out.columns[name] = plainColumn{column.codes[lo:hi], column.valid[lo:hi]}
	}
	return out
}

// stored is a trial of a job on what the parties keep: no site takes part.
func (s *study) stored(a ask, stores kept) *trial {
	s.t.Helper()
	j := s.job(a)
	j.Stored, j.Nodes = true, s.roster.Roster.Parties
	tr := s.try(s.sign(j))
	tr.task = func(i int, t *Task) {
		t.Data = nil
		if i < len(stores) {
			t.Shares = stores[i]
		}
	}
	return tr
}

// What is computed of deposited shares is what R says, as from the sites' files: every
// case of the reference set.
func TestStoredReference(t *testing.T) {
	leakFree(t)
	cases := referenceCases(t, "reference")
	var names []string
	for _, c := range cases {
		names = append(names, c.Dataset)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	s := referenceStudy(t, names...)
	stores := map[string]kept{}
	for _, name := range names {
		stores[name] = s.deposit(name, 100)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			r := s.stored(ask{c.Dataset, c.Analysis, c.Where, string(c.Args)}, stores[c.Dataset]).succeed()
			if r.Status != statusOK {
				t.Fatalf("status %q", r.Status)
			}
			compare(t, c.ID, throughJSON(t, r.Value), c.Expect, c.RelTol)
		})
	}
}

// storedAsks are jobs over a ward, one for each kind of input: sums by levels and edges,
// filters, samples, events, and rows that pad a site.
var storedAsks = []ask{
	{"ward", "frequency", "", `{"columns":["sex","grade"]}`},
	{"ward", "describe", "dose IS NULL OR age < 50", `{"columns":["age"],"by":["sex"]}`},
	{"ward", "histogram", "sex IN ('f','m') AND NOT age = 61", `{"column":"dose","edges":[0,10,50,100]}`},
	{"ward", "describe", "age <= 55", `{"columns":["age","dose"]}`},
	{"ward", "describe", "age > 100", `{"columns":["age"]}`},
	{"ward", "correlation", "", `{"columns":["age","dose","grade"],"method":"pearson"}`},
}

// A stored job tells what the same job on the sites' files tells, status words included.
func TestStoredAsFromFiles(t *testing.T) {
	leakFree(t)
	for _, least := range []int{0, 2} {
		s := ruledWard(t, job.Disclosure{MinCount: least}, fiveWardLines()...)
		stores := s.deposit("ward", 2)
		for _, a := range storedAsks {
			got, want := s.stored(a, stores).succeed(), s.result(a)
			if got.Status != want.Status {
				t.Errorf("%v with at least %d: %s, from files %s", a, least, got.Status, want.Status)
			}
			compare(t, a.analysis, throughJSON(t, got.Value), throughJSON(t, want.Value), 1e-9)
		}
	}
}

// What is sent depends on the question and on the numbers of rows alone, not on how
// many rows a filter selects.
func TestStoredTranscriptShape(t *testing.T) {
	leakFree(t)
	for _, a := range storedAsks {
		one, other := storedRun(t, fiveWards(t), a), storedRun(t, otherWards(t), a)
		if one.Shape() != other.Shape() {
			t.Errorf("%v: the transcript tells of the data", a)
		}
	}
}

// storedRun returns what the parties send in a stored job, until the inputs are there.
func storedRun(t *testing.T, s *study, a ask) memnet.Transcript {
	t.Helper()
	tr := s.stored(a, s.deposit("ward", 2))
	tasks := tr.tasks(memnet.NewNetwork(studyNodes, 0, memnet.Hooks{}))
	world := memnet.New(memnet.Config{N: studyNodes, Names: s.roster.Roster.Names(), Seed: 7})
	s.must(world.Run(func(session *mpc.Session) error {
		if session.Role() < 0 {
			return nil
		}
		b, err := tr.binding(tasks[session.Self()])
		if err != nil {
			return err
		}
		w, err := tasks[session.Self()].work(b)
		if err != nil {
			return err
		}
		w.fromShares(session.Step(stepStored))
		return session.Err()
	}))
	return world.Transcript()
}

// What cannot be computed of what is deposited ends every party's job with a line that
// says how to mend it.
func TestStoredRefusals(t *testing.T) {
	leakFree(t)
	a := ask{"ward", "describe", "sex = 'f'", `{"columns":["age","dose"]}`}
	s := fiveWards(t)
	full := s.deposit("ward", 2)
	nothing := kept{newShares(t), newShares(t), newShares(t)}
	grown := fiveWards(t).deposit("ward", 2)
	for _, store := range grown {
		snapshot := *store.versions[0].Snapshot
		snapshot.Chunks = append(slices.Clone(snapshot.Chunks), snapshot.Chunks[0])
		store.versions[0].Snapshot = &snapshot
	}
	left := fiveWards(t).deposit("ward", 2)
	for _, store := range left {
		snapshot := *store.versions[0].Snapshot
		snapshot.Chunks = snapshot.Chunks[:1]
		store.versions[0].Snapshot = &snapshot
	}
	for _, c := range []struct {
		want   string
		stores kept
	}{
		{"nothing of this dataset is deposited as shares", nothing},
		{"hospital-3: nothing of this dataset is deposited as shares", kept{full[0], full[1], newShares(t)}},
		{"not deposited of dataset ward: dose, sex; run consilium deposit ward --engine shares --columns age,dose,grade,sex", s.deposit("ward", 2, "age", "grade")},
		{"hospital-1 has deposited 5 rows of dataset ward and the roster declares 3", grown},
		{"hospital-2 has deposited nothing of dataset ward", left},
	} {
		tr := s.stored(a, c.stores)
		tr.run()
		for i := range 3 {
			if tr.errs[i] == nil || !strings.Contains(tr.errs[i].Error(), c.want) {
				t.Errorf("%s: error %v, want %q", s.nodes[i].Name, tr.errs[i], c.want)
			}
		}
		for _, store := range c.stores {
			if store.open != 0 {
				t.Error("a version was not closed")
			}
		}
	}
}

// A stored job needs the three parties, and says that no site takes part.
func TestStoredStatement(t *testing.T) {
	s := fiveWards(t)
	j := s.job(ask{"ward", "describe", "", `{"columns":["age"]}`})
	j.Stored, j.Nodes = true, []string{"hospital-1", "hospital-2"}
	if _, err := PlanJob(j, s.roster.Roster); err == nil || !strings.Contains(err.Error(), "hospital-3 has to take part") {
		t.Errorf("two parties: %v", err)
	}
	j.Nodes = s.roster.Roster.Parties
	p, err := PlanJob(j, s.roster.Roster)
	s.must(err)
	text := strings.Join(p.Statement(j, s.roster.Roster), "\n")
	for _, want := range []string{"what is deposited of dataset ward", "by hospital-1 (Clinic 1), hospital-2 (Clinic 2), hospital-3 (Clinic 3) alone", "No site takes part"} {
		if !strings.Contains(text, want) {
			t.Errorf("the statement lacks %q:\n%s", want, text)
		}
	}
	if p.ReadsRows() {
		t.Error("the sites' files are read")
	}
}

// Who deposits fewer rows than there are is told that jobs count no others.
func TestDepositStatement(t *testing.T) {
	s := sharedWard(t, 300, wardRows(0, 150), wardRows(1000, 10), wardRows(2000, 99))
	for args, told := range map[string]bool{`{"rows":150}`: true, `{"rows":300}`: false, `{}`: false, `{"rows":150,"append":true}`: false} {
		j := s.job(ask{"ward", "deposit", "", args})
		p, err := PlanJob(j, s.roster.Roster)
		s.must(err)
		text := strings.Join(p.Statement(j, s.roster.Roster), "\n")
		if strings.Contains(text, "Only the first 150 rows of each site go in") != told {
			t.Errorf("%s: it says\n%s", args, text)
		}
	}
}
