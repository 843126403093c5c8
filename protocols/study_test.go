package protocols

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"consilium/job"
)

// study is a whole study in memory: five nodes of which the first three
// compute, a coordinator, a client, and each dataset's rows at its sites.
type study struct {
	t         testing.TB
	nodes     []*job.Identity
	client    *job.Identity
	recipient []byte // private key
	public    []byte
	roster    *job.RosterFile
	data      map[string][]SiteData // by dataset, then node
}

const studyNodes = 5

// pieces are a dataset's schema and its rows, one element a site; a nil one: the
// node holds none.
type pieces struct {
	name   string
	schema job.Schema
	sites  []table
}

func newStudy(t testing.TB, change func(*job.Roster), datasets ...pieces) *study {
	t.Helper()
	s := &study{t: t, data: map[string][]SiteData{}}
	identity := func(name string) *job.Identity {
		id, err := job.NewIdentity(name, nil)
		s.must(err)
		return id
	}
	coordinator, admin := identity("coordinator"), identity("admin")
	s.client = identity("researcher")
	var err error
	s.recipient, s.public, err = job.NewRecipientKey()
	s.must(err)
	r := &job.Roster{
		Study: "trial", Version: 1, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Coordinator: job.Coordinator{Name: "coordinator", Address: "coordinator.example.org:7400", Certificate: coordinator.Certificate},
		Clients:     []job.Client{{Name: "researcher", Organisation: "University", Certificate: s.client.Certificate, Recipient: s.public}},
		Parties:     []string{"hospital-1", "hospital-2", "hospital-3"},
	}
	for i := range studyNodes {
		name := fmt.Sprintf("hospital-%d", i+1)
		s.nodes = append(s.nodes, identity(name))
		r.Nodes = append(r.Nodes, job.Node{
			Name: name, Organisation: fmt.Sprintf("Clinic %d", i+1),
			Address: name + ".example.org:7400", Certificate: s.nodes[i].Certificate,
		})
	}
	for _, p := range datasets {
		r.Datasets = append(r.Datasets, s.dataset(p))
	}
	if change != nil {
		change(r)
	}
	file, err := job.SignRoster(r, admin)
	s.must(err)
	s.roster, err = job.ParseRoster(file)
	s.must(err)
	return s
}

// dataset declares a dataset and keeps its rows.
func (s *study) dataset(p pieces) job.Dataset {
	s.t.Helper()
	d := job.Dataset{Name: p.name, Schema: p.schema}
	s.data[p.name] = make([]SiteData, studyNodes)
	for i, piece := range p.sites {
		if piece.header == nil {
			continue
		}
		d.Sites = append(d.Sites, job.Site{Node: s.nodes[i].Name, Rows: max(1, len(piece.lines))})
		s.data[p.name][i] = fromText(s.t, &p.schema, piece.header, piece.lines)
	}
	return d
}

func (s *study) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// ask is a job to be signed. Args is its JSON.
type ask struct {
	dataset, analysis, where, args string
}

// args decodes a job's arguments as a job file gives them.
func (s *study) args(text string) map[string]any {
	s.t.Helper()
	var args map[string]any
	s.must(decodeJSON(text, &args))
	return args
}

func (s *study) job(a ask) *job.Job {
	s.t.Helper()
	nonce := make([]byte, job.NonceSize)
	_, err := rand.Read(nonce)
	s.must(err)
	return &job.Job{
		Protocol: job.ProtocolVersion, Study: "trial", Roster: s.roster.Hash,
		Dataset: a.dataset, Analysis: a.analysis, Where: a.where, Args: s.args(a.args),
		Engine: "shares", Recipient: s.public, Nonce: nonce,
		Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func (s *study) sign(j *job.Job) *job.Signed {
	s.t.Helper()
	signed, err := job.Sign(j, s.client.Key)
	s.must(err)
	return signed
}

// decide makes every node that takes part accept.
func (s *study) decide(signed *job.Signed) []job.Decision {
	s.t.Helper()
	var out []job.Decision
	for i, node := range s.nodes {
		if s.takesPart(signed, i) {
			out = append(out, s.accept(node, signed))
		}
	}
	return out
}

// takesPart tells whether the i-th node does in a job.
func (s *study) takesPart(signed *job.Signed, i int) bool {
	s.t.Helper()
	j, err := signed.Verify()
	s.must(err)
	return slices.Contains(s.roster.Roster.Participants(j), s.nodes[i].Name)
}

func (s *study) accept(node *job.Identity, signed *job.Signed) job.Decision {
	s.t.Helper()
	d := job.Decision{Node: node.Name, Job: signed.ID(), Accept: true, Nonce: make([]byte, job.NonceSize)}
	_, err := rand.Read(d.Nonce)
	s.must(err)
	d.Sign(node.Key)
	return d
}

// referenceStudy holds datasets of the reference set.
func referenceStudy(t testing.TB, names ...string) *study {
	t.Helper()
	return studyOf(t, "reference", names)
}

// certifiedStudy holds datasets of the certified set.
func certifiedStudy(t testing.TB, names ...string) *study {
	t.Helper()
	return studyOf(t, "certified", names)
}

func studyOf(t testing.TB, set string, names []string) *study {
	t.Helper()
	var all []pieces
	for _, name := range names {
		tables := referenceDataset(t, set, name)
		all = append(all, pieces{name, inferSchema(tables), tables})
	}
	allow := func(r *job.Roster) { r.Disclosure = job.Disclosure{AllowMinimum: true, AllowMaximum: true} }
	return newStudy(t, allow, all...)
}

// wardSchema is a small schema that has everything: integers with negative
// values, decimals, categories in text and in numbers.
func wardSchema() job.Schema {
	return job.Schema{Columns: []job.Column{
		{Name: "age", Type: job.Integer, Unit: "years", Min: "-5", Max: "120"},
		{Name: "dose", Type: job.Decimal, Unit: "mg", Step: "0.5", Min: "0", Max: "100"},
		{Name: "sex", Type: job.Text, Categories: []string{"m", "f"}},
		{Name: "grade", Type: job.Decimal, Step: "0.5", Min: "0", Max: "10", Categories: []string{"10", "0.5", "2"}},
	}}
}

var wardHeader = []string{"age", "dose", "sex", "grade"}

// ward is a study of wardSchema over those lines at each of five sites.
func ward(t testing.TB, sites ...[][]string) *study {
	t.Helper()
	return ruledWard(t, job.Disclosure{}, sites...)
}

// ruledWard is a ward with rules on what its results may show.
func ruledWard(t testing.TB, rules job.Disclosure, sites ...[][]string) *study {
	t.Helper()
	p := pieces{name: "ward", schema: wardSchema()}
	for _, lines := range sites {
		p.sites = append(p.sites, table{wardHeader, lines})
	}
	return newStudy(t, func(r *job.Roster) { r.Disclosure = rules }, p)
}

// fiveWards has one site with one sex only, one with an empty column, one with
// no row.
func fiveWards(t testing.TB) *study {
	t.Helper()
	return ward(t, fiveWardLines()...)
}

func fiveWardLines() [][][]string {
	return [][][]string{
		{{"40", "1.5", "f", "2"}, {"-3", "2", "f", "0.5"}, {"61", "", "f", "2"}},
		{{"", "3.5", "m", "2"}, {"", "4", "f", "10"}},
		{{"70", "0.5", "m", ""}, {"55", "99.5", "", "2"}},
		{},
		{{"33", "7", "m", "0.5"}},
	}
}

func decodeJSON(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}
