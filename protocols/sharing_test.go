package protocols

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/testkit"
)

// stores are a study with a store of shares at every node.
type stores struct {
	*study
	of []*sharesInMemory
}

// sharedWard is a ward of three sites, at nodes 2, 4 and 5, of which the roster declares
// so many rows each, with stores. Node 2 is a party too.
func sharedWard(t testing.TB, declared int, sites ...[][]string) *stores {
	t.Helper()
	p := pieces{name: "ward", schema: wardSchema(), sites: []table{{}, {wardHeader, sites[0]}, {}, {wardHeader, sites[1]}, {wardHeader, sites[2]}}}
	s := &stores{study: newStudy(t, func(r *job.Roster) {
		for i := range r.Datasets[0].Sites {
			r.Datasets[0].Sites[i].Rows = declared
		}
	}, p)}
	for range s.nodes {
		s.of = append(s.of, newShares(t))
	}
	return s
}

// wardRows are n rows that differ, some with missing values.
func wardRows(from, n int) [][]string {
	var out [][]string
	for i := from; i < from+n; i++ {
		row := []string{fmt.Sprint(i % 100), fmt.Sprint(float64(i%50) / 2), []string{"m", "f", ""}[i%3], []string{"10", "0.5", "2"}[i%3]}
		if i%7 == 3 {
			row[0] = ""
		}
		out = append(out, row)
	}
	return out
}

// grow adds rows at the end of a site's source.
func (s *stores) grow(node int, rows [][]string) {
	s.t.Helper()
	schema := wardSchema()
	old := s.data["ward"][node].(*rowsInMemory)
	s.data["ward"][node] = &rowsInMemory{schema: old.schema, rows: slices.Concat(old.rows, fromText(s.t, &schema, wardHeader, rows).rows)}
}

func (s *stores) try(a ask, nodes ...string) *trial {
	s.t.Helper()
	j := s.job(a)
	j.Nodes = nodes
	tr := s.study.try(s.sign(j))
	plan, err := PlanJob(j, s.roster.Roster)
	s.must(err)
	tr.task = func(i int, task *Task) {
		task.Shares = s.of[i]
		if !plan.ReadsRows() {
			task.Data = nil
		}
	}
	return tr
}

func (s *stores) do(a ask, nodes ...string) map[string]any {
	s.t.Helper()
	r := s.try(a, nodes...).succeed()
	s.tidy()
	return r.Value.(map[string]any)
}

// tidy checks that no job left anything half done.
func (s *stores) tidy() {
	s.t.Helper()
	for i, store := range s.of {
		if store.pending != 0 || store.open != 0 || store.changing {
			s.t.Errorf("%s: %d changes pending, %d versions open, changing: %t", s.nodes[i].Name, store.pending, store.open, store.changing)
		}
	}
}

// parties are the three, in the order of their roles.
func (s *stores) parties() [3]*sharesInMemory { return [3]*sharesInMemory(s.of[:3]) }

// rows puts the parties' newest version together: by site, every row that there is.
func (s *stores) rows() map[string][]map[string]cell {
	s.t.Helper()
	return storedRowsOf(s.t, s.parties())
}

func storedRowsOf(t testing.TB, parties [3]*sharesInMemory) map[string][]map[string]cell {
	t.Helper()
	out := map[string][]map[string]cell{}
	snapshot := parties[0].versions[0].Snapshot
	var names []string
	for _, c := range snapshot.Columns {
		names = append(names, c.Name)
	}
	for k, info := range snapshot.Chunks {
		var parts [3]*ShareChunk
		for role, store := range parties {
			stored, err := store.Open(snapshot.ID)
			if err == nil {
				parts[role], err = LoadChunk(stored, role, k, names...)
				stored.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range info.Rows {
			row := map[string]cell{}
			for _, name := range names {
				c := cell{}
				for role, p := range parts {
					if next := parts[(role+1)%3]; p.Codes[name].B[i] != next.Codes[name].A[i] {
						t.Fatalf("chunk %d: the holders of a component differ", k)
					}
					c.code += int64(p.Codes[name].A[i])
					c.valid = c.valid != p.Valid[name].A.Bit(0, i)
				}
				row[name] = c
			}
			if there := open3(parts, i); there {
				out[info.Site] = append(out[info.Site], row)
			} else if slices.ContainsFunc(names, func(n string) bool { return row[n] != cell{} }) {
				t.Errorf("chunk %d: row %d is padding and has values", k, i)
			}
		}
	}
	return out
}

func open3(parts [3]*ShareChunk, i int) (there bool) {
	for _, p := range parts {
		there = there != p.Present.A.Bit(0, i)
	}
	return there
}

// checkRows holds what is stored against the sites' sources: their first rows.
func (s *stores) checkRows(counts map[string]int) {
	s.t.Helper()
	got := s.rows()
	for i, node := range s.nodes {
		data, ok := s.data["ward"][i].(*rowsInMemory)
		if !ok {
			continue
		}
		want := data.rows[:counts[node.Name]]
		if !slices.EqualFunc(got[node.Name], want, func(a, b map[string]cell) bool {
			for name, c := range b {
				if a[name] != c {
					return false
				}
			}
			return true
		}) {
			s.t.Errorf("%s: %d rows are stored that are not the %d of its source", node.Name, len(got[node.Name]), len(want))
		}
	}
}

var (
	shareWard  = ask{"ward", "deposit", "", `{"chunk_rows":64}`}
	appendWard = ask{"ward", "deposit", "", `{"append":true,"chunk_rows":64}`}
)

// A deposit holds what the sites have; rows join it; new shares, a rebuilt party and
// another version hold the same; and nothing is left when it is withdrawn.
func TestSharesOverTime(t *testing.T) {
	leakFree(t)
	s := sharedWard(t, 300, wardRows(0, 150), wardRows(1000, 10), wardRows(2000, 99))
	at := map[string]int{"hospital-2": 150, "hospital-4": 10, "hospital-5": 99}
	deposit := ask{"ward", "deposit", "", `{"rows":150,"chunk_rows":64}`}
	if got := s.do(deposit); got["version"] != int64(1) || got["rows"] != int64(450) {
		t.Errorf("the deposit tells of %v", got)
	}
	s.checkRows(at)
	s.grow(1, wardRows(150, 20))
	s.grow(4, wardRows(2099, 70))
	addition := ask{"ward", "deposit", "", `{"append":true,"rows":60,"chunk_rows":64}`}
	if got := s.do(addition, "hospital-1", "hospital-2", "hospital-3", "hospital-5"); got["version"] != int64(2) || got["rows"] != int64(450+120) {
		t.Errorf("the addition tells of %v", got)
	}
	at["hospital-2"], at["hospital-5"] = 170, 159
	s.checkRows(at)

	before := s.parties()
	var old [3]*sharesVersion
	for role, store := range before {
		old[role] = store.versions[0]
	}
	if got := s.do(ask{"ward", "refresh", "", `{}`}, hospitals(1, 2, 3)...); got["version"] != int64(3) {
		t.Errorf("the refresh tells of %v", got)
	}
	s.checkRows(at)
	for role, store := range before {
		checkRenewed(t, old[role], store.versions[0])
	}

	s.grow(3, wardRows(1010, 5))
	if got := s.do(appendWard); got["version"] != int64(4) || got["rows"] != int64(900) {
		t.Errorf("the second addition tells of %v", got)
	}
	at["hospital-4"], at["hospital-5"] = 15, 169
	s.checkRows(at)

	for role := range 3 {
		s.of[role] = newShares(t)
		rebuild := ask{"ward", "rebuild", "", fmt.Sprintf(`{"party":"hospital-%d"}`, role+1)}
		if got := s.do(rebuild, hospitals(1, 2, 3)...); got["version"] != int64(4) {
			t.Errorf("the rebuild tells of %v", got)
		}
		s.checkRows(at)
	}
	s.do(ask{"ward", "withdraw", "", `{}`}, hospitals(1, 2, 3)...)
	for _, store := range s.parties() {
		if len(store.versions) > 0 {
			t.Error("something is left")
		}
	}
	s.do(ask{"ward", "withdraw", "", `{}`}, hospitals(1, 2, 3)...)
}

// checkRenewed looks whether any seed or block is as it was.
func checkRenewed(t *testing.T, old, now *sharesVersion) {
	t.Helper()
	if len(now.heads) != len(old.heads) || len(now.blocks) != len(old.blocks) {
		t.Fatal("a refresh changes what there is")
	}
	for k, h := range old.heads {
		n := now.heads[k]
		if h.A != nil && *h.A == *n.A || h.B != nil && *h.B == *n.B || h.Salt != nil && *h.Salt == *n.Salt {
			t.Errorf("chunk %d keeps a seed", k)
		}
	}
	for at, b := range old.blocks {
		for i, x := range now.blocks[at].Codes {
			if b.Codes[i] == x {
				t.Errorf("block %v keeps a share", at)
				break
			}
		}
		if slices.Equal(b.Bits, now.blocks[at].Bits) && b.Rows > 16 {
			t.Errorf("block %v keeps its bits", at)
		}
	}
}

// A refresh sends nobody the salt of a commitment: who draws a chunk's new seeds knows two
// of its components, and could try guesses of the rows with the third's salt.
func TestRefreshKeepsSalts(t *testing.T) {
	leakFree(t)
	s := sharedWard(t, 300, wardRows(0, 150), wardRows(1000, 10), wardRows(2000, 99))
	s.do(shareWard)
	var mu sync.Mutex
	var sent [][]byte
	tr := s.try(ask{"ward", "refresh", "", `{}`}, hospitals(1, 2, 3)...)
	tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, slices.Clone(m.Frame))
		return m.Frame, true
	}
	tr.succeed()
	parties := s.parties()
	salts := 0
	for k, info := range parties[0].versions[0].Snapshot.Chunks {
		one, other := parties[info.Explicit].versions[0].heads[k], parties[(info.Explicit+2)%3].versions[0].heads[k]
		if one.Salt == nil || other.Salt == nil || *one.Salt != *other.Salt || *one.Salt == (mpc.Seed{}) {
			t.Fatalf("chunk %d: its two holders do not have one salt", k)
		}
		if slices.ContainsFunc(sent, func(frame []byte) bool { return bytes.Contains(frame, one.Salt[:]) }) {
			t.Errorf("the salt of chunk %d travels", k)
		}
		salts++
	}
	if salts < 6 {
		t.Errorf("%d chunks are too few to be a test", salts)
	}
}

// What is asked at the wrong time, or of sources that have changed, ends with one line and
// leaves everything as it was.
func TestSharesRefused(t *testing.T) {
	leakFree(t)
	s := sharedWard(t, 100, wardRows(0, 20), wardRows(1000, 10), wardRows(2000, 9))
	s.refuse(s.try(appendWard), "nothing of this dataset is deposited as shares")
	s.refuse(s.try(ask{"ward", "refresh", "", `{}`}, hospitals(1, 2, 3)...), "nothing of this dataset is deposited as shares")
	s.do(ask{"ward", "deposit", "", `{"rows":30}`})

	schema := wardSchema()
	kept := s.data["ward"][3]
	s.data["ward"][3] = fromText(t, &schema, wardHeader, wardRows(1001, 20))
	s.refuse(s.try(appendWard), "have changed, moved or gone")
	s.data["ward"][3] = fromText(t, &schema, wardHeader, wardRows(1000, 5))
	s.refuse(s.try(appendWard), "have changed, moved or gone")
	s.data["ward"][3] = fromText(t, &schema, wardHeader, wardRows(1000, 101))
	s.refuse(s.try(shareWard), "more rows than the roster declares")
	s.data["ward"][3] = kept

	versions := s.of[3].versions
	s.of[3].versions = nil
	s.refuse(s.try(appendWard), "hospital-4 has no record")
	s.of[3].versions = versions

	versions = s.of[2].versions
	s.of[2].versions = nil
	s.refuse(s.try(ask{"ward", "refresh", "", `{}`}, hospitals(1, 2, 3)...), "nothing of this dataset is deposited as shares")
	s.of[2].versions = versions

	s.of[2].damaged = true
	s.refuse(s.try(appendWard), "cannot be read here")
	s.refuse(s.try(ask{"ward", "refresh", "", `{}`}, hospitals(1, 2, 3)...), "cannot be read here")
	s.do(ask{"ward", "rebuild", "", `{"party":"hospital-3"}`}, hospitals(1, 2, 3)...)
	s.of[0].damaged, s.of[3].damaged = true, true
	s.do(ask{"ward", "deposit", "", `{"rows":30}`})

	s.of[0].full = fmt.Errorf("its disk is full")
	s.refuse(s.try(appendWard), "its disk is full")
	s.refuse(s.try(ask{"ward", "refresh", "", `{}`}, hospitals(1, 2, 3)...), "its disk is full")
	s.of[0].full = nil

	s.of[1].changing = true
	tr := s.try(shareWard)
	tr.run()
	if err := tr.errs[1]; err == nil || !strings.Contains(err.Error(), "being changed by another job") {
		t.Errorf("a second change: %v", err)
	}
	s.of[1].changing = false

	s.do(appendWard)
	s.refuse(s.try(appendWard), "all rows that the roster declares are deposited already")
	s.do(shareWard)
	s.checkRows(map[string]int{"hospital-2": 20, "hospital-4": 10, "hospital-5": 9})
}

// refuse runs a job that must fail with that line and change nothing.
func (s *stores) refuse(tr *trial, want string) {
	s.t.Helper()
	state := func() (ids []job.Hash) {
		for _, store := range s.of[:3] {
			for _, v := range store.versions {
				ids = append(ids, v.Snapshot.ID)
			}
		}
		return ids
	}
	before := state()
	tr.run()
	failed := 0
	for i, err := range tr.errs {
		if err == nil {
			continue
		}
		if failed++; strings.Contains(err.Error(), "\n") {
			s.t.Errorf("%s: not one line: %v", s.nodes[i].Name, err)
		}
	}
	if failed < 3 || !slices.ContainsFunc(tr.errs, func(err error) bool { return err != nil && strings.Contains(err.Error(), want) }) {
		s.t.Errorf("got %v, want %q", tr.errs, want)
	}
	if after := state(); !slices.Equal(before, after) {
		s.t.Errorf("%q: the versions have changed", want)
	}
	s.tidy()
}

// A party that fell out between the others' commits and its own has the version before:
// jobs take that, and the next change goes on from it.
func TestSharesFallBack(t *testing.T) {
	leakFree(t)
	s := sharedWard(t, 100, wardRows(0, 20), wardRows(1000, 10), wardRows(2000, 9))
	s.do(ask{"ward", "deposit", "", `{"rows":30,"chunk_rows":64}`})
	first := [3]*sharesVersion{s.of[0].versions[0], s.of[1].versions[0], s.of[2].versions[0]}
	s.do(ask{"ward", "refresh", "", `{}`}, hospitals(1, 2, 3)...)
	for role, store := range s.parties() {
		if role == 2 {
			store.versions = []*sharesVersion{first[role]}
		} else {
			store.versions = append(store.versions, first[role])
		}
	}
	s.do(appendWard)
	for _, store := range s.parties() {
		if len(store.versions) != 1 || store.versions[0].Snapshot.Version != 2 {
			t.Errorf("%d versions, the newest %d", len(store.versions), store.versions[0].Snapshot.Version)
		}
	}
	s.checkRows(map[string]int{"hospital-2": 20, "hospital-4": 10, "hospital-5": 9})

	// With nothing in common, a new deposit helps, and so does rebuilding who has none.
	s.of[1].versions = nil
	s.refuse(s.try(appendWard), "nothing of this dataset")
	s.do(shareWard)
	s.checkRows(map[string]int{"hospital-2": 20, "hospital-4": 10, "hospital-5": 9})
}

// What is stored says no more than that it is there: padding and rows are alike, and the
// description is the same for other rows but for its commitments.
func TestSnapshotSpelling(t *testing.T) {
	leakFree(t)
	s := sharedWard(t, 70, wardRows(0, 20), wardRows(1000, 10), wardRows(2000, 9))
	s.do(shareWard)
	snapshot := s.of[0].versions[0].Snapshot
	text := snapshot.Bytes()
	again, err := ParseShareSnapshot(text)
	if err != nil || string(again.Bytes()) != string(text) {
		t.Fatalf("%v", err)
	}
	for i := range text {
		broken := slices.Clone(text)
		broken[i] ^= 0x20
		if p, err := ParseShareSnapshot(broken); err == nil && string(p.Bytes()) != string(broken) {
			t.Fatalf("byte %d is read in another way than it is written", i)
		}
	}
	for _, v := range s.of[3].versions {
		if v.Party || v.Site == nil || v.Site.Rows != 10 || len(v.Signatures) != 5 {
			t.Errorf("the site keeps %+v", v.ShareVersion)
		}
	}
	for k, c := range snapshot.Chunks {
		if c.Rows != []int{64, 6}[k%2] || slices.Contains(c.Commitments[:], word{}) {
			t.Errorf("chunk %d: %d rows", k, c.Rows)
		}
	}
}

func FuzzParseShareSnapshot(f *testing.F) {
	s := ShareSnapshot{ID: job.Hash{1}, Deposit: job.Hash{2}, Dataset: "lung", Version: 3, Parties: []string{"a", "b", "c"}, Columns: []ShareColumn{{"age", job.Hash{4}}}, Chunks: []ShareChunkInfo{{"a", 64, 0, [3]word{}}}}
	f.Add(s.Bytes())
	f.Add([]byte(snapshotWords))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParseShareSnapshot(b); err == nil && string(p.Bytes()) != string(b) {
			t.Error("two spellings of one description")
		}
	})
}

// TestShareTranscripts: frames and lengths are the same for other data, and for other
// numbers of rows, of the same declared size; nothing is opened.
func TestShareTranscripts(t *testing.T) {
	leakFree(t)
	shapes := func(sites ...[][]string) string {
		s := sharedWard(t, 150, sites...)
		var all strings.Builder
		for _, c := range []struct {
			a     ask
			nodes []string
		}{
			{ask{"ward", "deposit", "", `{"rows":70,"chunk_rows":64}`}, nil},
			{ask{"ward", "deposit", "", `{"append":true,"rows":30,"chunk_rows":64}`}, nil},
			{ask{"ward", "refresh", "", `{}`}, hospitals(1, 2, 3)},
			{ask{"ward", "rebuild", "", `{"party":"hospital-2"}`}, hospitals(1, 2, 3)},
			{ask{"ward", "withdraw", "", `{}`}, hospitals(1, 2, 3)},
		} {
			tr := s.try(c.a, c.nodes...)
			tr.succeed()
			fmt.Fprintf(&all, "# %s\n%s%s", c.a.analysis, tr.net.Transcript().Shape(), sealedLengths(tr.shares))
			if opened := tr.net.Transcript().Openings(); len(opened) > 0 {
				t.Errorf("%s: steps %v open something", c.a.analysis, opened)
			}
		}
		return all.String()
	}
	one := shapes(wardRows(0, 100), wardRows(1000, 10), wardRows(2000, 99))
	if other := shapes(wardRows(7, 3), wardRows(300, 99), wardRows(0, 71)); one != other {
		t.Errorf("the transcript tells of the data:\n%s\n%s", one, other)
	}
	testkit.Golden(t, "shares.shape.golden", one)
}
