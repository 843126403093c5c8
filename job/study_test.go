package job

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"
)

// study is a small study with all its keys.
type study struct {
	admin, coordinator, client *Identity
	nodes                      []*Identity
	recipient                  []byte // public key
	roster                     *Roster
}

var someTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newStudy(t testing.TB, nodes int) *study {
	t.Helper()
	s := &study{admin: newTestIdentity(t, "office"), coordinator: newTestIdentity(t, "rendezvous"), client: newTestIdentity(t, "ada")}
	_, pub, err := NewRecipientKey()
	if err != nil {
		t.Fatal(err)
	}
	s.recipient = pub
	r := &Roster{
		Study: "lung-2026", Version: 1, Created: someTime,
		Coordinator: Coordinator{Name: "rendezvous", Address: "127.0.0.1:7400", Certificate: s.coordinator.Certificate},
		Clients:     []Client{{Name: "ada", Organisation: "University", Certificate: s.client.Certificate, Recipient: pub}},
	}
	dataset := Dataset{Name: "lung", Title: "Lung cancer", Schema: testSchema()}
	for i := range nodes {
		id := newTestIdentity(t, fmt.Sprintf("hospital-%d", i+1))
		s.nodes = append(s.nodes, id)
		r.Nodes = append(r.Nodes, Node{Name: id.Name, Organisation: fmt.Sprintf("Hospital %d", i+1), Address: fmt.Sprintf("127.0.0.1:%d", 7401+i), Certificate: id.Certificate})
		dataset.Sites = append(dataset.Sites, Site{Node: id.Name, Rows: 100})
	}
	r.Parties = []string{"hospital-1", "hospital-2", "hospital-3"}
	r.Datasets = []Dataset{dataset}
	s.roster = r
	return s
}

func newTestIdentity(t testing.TB, name string) *Identity {
	t.Helper()
	id, err := NewIdentity(name, []string{"127.0.0.1", "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *study) file(t testing.TB) *RosterFile {
	t.Helper()
	b, err := SignRoster(s.roster, s.admin)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseRoster(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (s *study) job() *Job {
	nonce := sha256.Sum256([]byte("nonce"))
	return &Job{
		Protocol: ProtocolVersion, Study: "lung-2026", Roster: Hash{1}, Dataset: "lung", Analysis: "describe",
		Where: "age >= 50 AND sex = 'f'", Args: map[string]any{"columns": []string{"age", "sex"}},
		Engine: EngineShares, Recipient: s.recipient, Nonce: nonce[:], Expires: someTime.Add(time.Hour),
	}
}

func testSchema() Schema {
	return Schema{Columns: []Column{
		{Name: "age", Type: Integer, Unit: "years", Min: "0", Max: "120"},
		{Name: "sex", Type: Text, Categories: []string{"m", "f", "it's"}, Missing: []string{"?"}},
		{Name: "status", Type: Integer, Min: "1", Max: "2", Categories: []string{"2", "1"}},
		{Name: "wt loss", Type: Decimal, Step: "0.5", Min: "-10", Max: "100"},
		{Name: "is.smoker", Type: Integer, Min: "0", Max: "1"},
		{Name: "note", Type: Text},
	}}
}

// wantError checks that err is one line that holds the text.
func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", text)
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("error has several lines: %q", err)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("error %q, want one with %q", err, text)
	}
}
