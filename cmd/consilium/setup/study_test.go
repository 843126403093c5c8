package setup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consilium/examples"
	"consilium/job"
	"consilium/node/vault"
	"consilium/policies"
	"consilium/protocols"
)

func exampleStudy(t *testing.T) *StudyFile {
	t.Helper()
	text, err := examples.FS.ReadFile("study.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseStudyFile(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// members makes five nodes, a coordinator and a client, and returns their
// directories and cards.
func members(t *testing.T) (dirs []string, cards []*job.Card) {
	t.Helper()
	add := func(name string, make func(string, Member) (*job.Card, error)) {
		dir := filepath.Join(t.TempDir(), name)
		m := Member{Name: name, Organisation: "org " + name, Address: "127.0.0.1:1", Metrics: "127.0.0.1:2"}
		if name == "alice" {
			m.Address, m.Metrics = "", ""
		}
		c, err := make(dir, m)
		if err != nil {
			t.Fatal(err)
		}
		dirs, cards = append(dirs, dir), append(cards, c)
	}
	for _, name := range []string{"hospital-5", "hospital-1", "hospital-2", "hospital-3", "hospital-4"} {
		add(name, NewNode)
	}
	add("coordinator", NewCoordinator)
	add("alice", NewClient)
	return dirs, cards
}

func TestRosterAndApproval(t *testing.T) {
	dirs, cards := members(t)
	parsed := signedRoster(t, 1, cards)
	file := parsed.Bytes
	for i, dir := range dirs {
		if err := Approve(dir, file, parsed.Hash, false); err != nil {
			t.Errorf("%s: %v", cards[i].Name, err)
		}
		if pinned, err := job.ReadRoster(filepath.Join(dir, RosterFile), parsed.Hash); err != nil || pinned.Hash != parsed.Hash {
			t.Errorf("%s: %v", cards[i].Name, err)
		}
	}
	if err := Approve(dirs[0], file, job.Hash{1}, false); err == nil {
		t.Error("a roster with another hash was approved")
	}
	stranger := filepath.Join(t.TempDir(), "stranger")
	if _, err := NewNode(stranger, Member{Name: "stranger", Organisation: "x", Address: "127.0.0.1:1", Metrics: "127.0.0.1:2"}); err != nil {
		t.Fatal(err)
	}
	if err := Approve(stranger, file, parsed.Hash, false); err == nil || !strings.Contains(err.Error(), "card.yaml") {
		t.Errorf("a node that is not in the roster approved it: %v", err)
	}
}

// signedRoster makes a version of the example's roster.
func signedRoster(t *testing.T, version int, cards []*job.Card) *job.RosterFile {
	t.Helper()
	r, err := exampleStudy(t).Roster(version, cards, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	admin, err := Admin(filepath.Join(t.TempDir(), "admin"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := job.SignRoster(r, admin)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := job.ParseRoster(file)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// Every node has a key for its vault, its own; nobody else has one.
func TestNodesHaveVaultKeys(t *testing.T) {
	dirs, cards := members(t)
	keys := make(map[string]string)
	for i, dir := range dirs {
		path := filepath.Join(dir, VaultKeyFile)
		if cards[i].Kind != job.KindNode {
			if _, err := os.Stat(path); err == nil {
				t.Errorf("%s has a vault key", cards[i].Name)
			}
			continue
		}
		if _, err := vault.LoadKey(path); err != nil {
			t.Errorf("%s: %v", cards[i].Name, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := keys[string(text)]; ok {
			t.Errorf("%s has the vault key of %s", cards[i].Name, other)
		}
		keys[string(text)] = cards[i].Name
		c, err := os.ReadFile(filepath.Join(dir, NodeConfig))
		if err != nil || !strings.Contains(string(c), "\nvault_key: "+VaultKeyFile+" ") {
			t.Errorf("the configuration of %s names no vault key: %v", cards[i].Name, err)
		}
	}
}

func TestEveryApprovedRosterIsKept(t *testing.T) {
	dirs, cards := members(t)
	first, second := signedRoster(t, 1, cards), signedRoster(t, 2, cards)
	dir := dirs[len(dirs)-1] // the client's
	if err := Approve(dir, first.Bytes, first.Hash, false); err != nil {
		t.Fatal(err)
	}
	// A member that approved its roster with an older program has kept none.
	if err := os.RemoveAll(filepath.Join(dir, "rosters")); err != nil {
		t.Fatal(err)
	}
	if err := Approve(dir, second.Bytes, second.Hash, false); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*job.RosterFile{first, second} {
		if kept, err := job.ReadRoster(job.KeptRoster(dir, r.Hash), r.Hash); err != nil || kept.Hash != r.Hash {
			t.Errorf("version %d is not kept: %v", r.Roster.Version, err)
		}
	}
	err := Approve(dir, first.Bytes, first.Hash, false)
	if err == nil || !strings.Contains(err.Error(), "version 2 is approved") || !strings.Contains(err.Error(), "--force") {
		t.Errorf("went back: %v", err)
	}
	if _, err := job.ReadRoster(filepath.Join(dir, RosterFile), second.Hash); err != nil {
		t.Errorf("a refusal changed the approved roster: %v", err)
	}
	if err := Approve(dir, second.Bytes, second.Hash, false); err != nil {
		t.Errorf("the same version again: %v", err)
	}
	if err := Approve(dir, first.Bytes, first.Hash, true); err != nil {
		t.Error(err)
	}
	if _, err := job.ReadRoster(filepath.Join(dir, RosterFile), first.Hash); err != nil {
		t.Errorf("--force did not go back: %v", err)
	}
}

func TestRosterNeedsOneCoordinator(t *testing.T) {
	_, cards := members(t)
	s := exampleStudy(t)
	if _, err := s.Roster(1, append(cards[:5:5], cards[6]), time.Now()); err == nil {
		t.Error("a roster without a coordinator was made")
	}
	if _, err := s.Roster(1, append(cards, cards[5]), time.Now()); err == nil {
		t.Error("a roster with two coordinators was made")
	}
	dir := filepath.Join(t.TempDir(), "bob")
	if _, err := NewClient(dir, Member{Name: "bob", Organisation: "x", Address: "127.0.0.1:1"}); err == nil {
		t.Error("a client with an address was made")
	}
}

func FuzzParseStudyFile(f *testing.F) {
	text, err := examples.FS.ReadFile("study.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("study: x\nparties: [a, b]\n"))
	f.Add([]byte("study: x\n---\nstudy: y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseStudyFile(b); (s == nil) == (err == nil) {
			t.Errorf("got %v and %v", s, err)
		}
	})
}

func TestPoliciesAreBundled(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, policies.FS); err != nil {
		t.Fatal(err)
	}
	_, cards := members(t)
	s := exampleStudy(t)
	s.Policies = []string{"etkas", "kidney-exchange.yaml"}
	if _, err := s.Roster(1, cards, time.Now()); err == nil {
		t.Error("a roster without the study's policies")
	}
	if err := s.Bundle(dir); err != nil {
		t.Fatal(err)
	}
	s.Datasets = append(s.Datasets, job.Dataset{
		Name: "kidney", List: job.List{Policy: "etkas", Side: job.Donors}, Sites: []job.Site{{Node: "hospital-1", Rows: 10}},
	})
	r, err := s.Roster(1, cards, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Check(), protocols.CheckLists(r)); err != nil || len(r.Policies) != 2 {
		t.Errorf("%d policies: %v", len(r.Policies), err)
	}
	p, err := protocols.PolicyOf(r, "etkas")
	if err != nil || p.Hash != r.Policies[0].Hash() {
		t.Error("the roster has another policy:", err)
	}
	for _, wrong := range []job.List{{Policy: "etkas", Side: job.Pairs}, {Policy: "kidney-exchange", Side: job.Donors}} {
		r.Datasets[len(r.Datasets)-1].List = wrong
		if err := protocols.CheckLists(r); err == nil || !strings.Contains(err.Error(), "dataset kidney: the side of its list is "+string(wrong.Side)) {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{
		"etkass": "no policy of that name", "other.yaml": "no such file", "hla_frequencies_eurotransplant.csv": "policy",
	} {
		s.Policies = []string{name}
		if err := s.Bundle(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
