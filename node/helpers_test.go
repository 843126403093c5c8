package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"consilium/job"
	"consilium/node/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; only a broken test reaches it.
const patience = 30 * time.Second

// copyDir makes a private copy of a state directory.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// stateDir is where a store can be made.
func stateDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "state")
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freeAddress returns an address to listen on later. Its port lies below those
// that the system hands out, which a connection of somebody else could take
// meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+mathrand.IntN(10_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// canary is a value that stands in one hospital's file and nowhere else.
const canary = "31337"

// files are the hospitals' records; age's values are checked by the tests.
var files = []string{
	"sex,age,marker\n1,70,10\n2,65,\n1,,20\n",
	"sex,age,marker\n1,50," + canary + "\n2,80,40\n",
	"sex,age,marker\n1,61,60\n1,59,70\n2,40,80\n1,90,\n",
}

const allowAll = `allow: [{signers: ["*"], datasets: ["*"], analyses: ["*"], columns: ["*"]}]` + "\n"

// study is a study with three hospitals, all keys, and its files on disk.
type study struct {
	dir                       string
	coordinator, alice, mallo *job.Identity
	recipientKey, recipient   []byte
	nodes                     []*job.Identity
	roster                    *job.RosterFile
	logs                      *logs
}

func newIdentity(t *testing.T, name string) *job.Identity {
	t.Helper()
	id, err := job.NewIdentity(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newStudy(t *testing.T) *study {
	t.Helper()
	s := &study{dir: t.TempDir(), coordinator: newIdentity(t, "office"), alice: newIdentity(t, "alice"), mallo: newIdentity(t, "mallory"), logs: new(logs)}
	var err error
	if s.recipientKey, s.recipient, err = job.NewRecipientKey(); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		id := newIdentity(t, fmt.Sprintf("hospital-%d", i+1))
		s.nodes = append(s.nodes, id)
		if err := os.Mkdir(s.path(id.Name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := id.Save(s.path(id.Name)); err != nil {
			t.Fatal(err)
		}
		writeFile(t, s.path(id.Name+".csv"), files[i])
		writeFile(t, s.path(id.Name+".policy"), allowAll)
	}
	s.writeRoster(t, s.newRoster(t))
	return s
}

func (s *study) path(name string) string { return filepath.Join(s.dir, name) }

func (s *study) newRoster(t *testing.T) *job.Roster {
	r := &job.Roster{
		Study: "lung-2026", Version: 1, Created: time.Now().UTC().Truncate(time.Second),
		Coordinator: job.Coordinator{Name: "office", Address: freeAddress(t), Certificate: s.coordinator.Certificate},
		Clients:     []job.Client{{Name: "alice", Organisation: "University", Certificate: s.alice.Certificate, Recipient: s.recipient}},
	}
	lung := job.Dataset{Name: "lung", Schema: job.Schema{Columns: []job.Column{
		{Name: "sex", Type: job.Integer, Min: "1", Max: "2", Categories: []string{"1", "2"}},
		{Name: "age", Type: job.Integer, Unit: "years", Min: "0", Max: "120"},
		{Name: "marker", Type: job.Integer, Min: "0", Max: "100000"},
	}}}
	for i, id := range s.nodes {
		r.Nodes = append(r.Nodes, job.Node{Name: id.Name, Organisation: fmt.Sprintf("Hospital %d", i+1), Address: freeAddress(t), Certificate: id.Certificate})
		r.Parties = append(r.Parties, id.Name)
		lung.Sites = append(lung.Sites, job.Site{Node: id.Name, Rows: 5})
	}
	r.Datasets = []job.Dataset{lung}
	return r
}

func (s *study) writeRoster(t *testing.T, r *job.Roster) {
	t.Helper()
	b, err := job.SignRoster(r, newIdentity(t, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	if s.roster, err = job.ParseRoster(b); err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.path("roster.txt"), string(b))
}

// at is a dataset in a file.
func at(path string) source.Setting { return source.Setting{Path: path} }

// config is the configuration of a hospital, 1 to 3.
func (s *study) config(hospital int) *Config {
	name := s.nodes[hospital-1].Name
	return &Config{
		Name: name, Identity: s.path(name), Roster: s.path("roster.txt"), RosterHash: s.roster.Hash.String(),
		Policy: s.path(name + ".policy"), State: s.path(name + ".state"),
		Listen: s.roster.Roster.Nodes[hospital-1].Address, Metrics: "127.0.0.1:0",
		Datasets: map[string]source.Setting{"lung": at(s.path(name + ".csv"))},
		Timeout:  20 * time.Second, Deadline: time.Minute, Jobs: 4,
	}
}

// start runs a hospital's node until the test ends.
func (s *study) start(t *testing.T, c *Config) *Node {
	t.Helper()
	n, err := Start(context.Background(), c, s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close of %s: %v", c.Name, err)
		}
	})
	return n
}

func (s *study) startAll(t *testing.T) []*Node {
	t.Helper()
	var nodes []*Node
	for i := range s.nodes {
		nodes = append(nodes, s.start(t, s.config(i+1)))
	}
	return nodes
}

// job is a describe job that every node accepts.
func (s *study) job() *job.Job {
	nonce := make([]byte, job.NonceSize)
	rand.Read(nonce)
	return &job.Job{
		Protocol: job.ProtocolVersion, Study: "lung-2026", Roster: s.roster.Hash, Dataset: "lung",
		Analysis: "describe", Args: map[string]any{"columns": []string{"age", "marker"}}, Where: "sex = 1",
		Engine: "shares", Recipient: s.recipient, Nonce: nonce,
		Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second),
	}
}

func (s *study) sign(t *testing.T, j *job.Job, by *job.Identity) *job.Signed {
	t.Helper()
	signed, err := job.Sign(j, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// logs collects what nodes log.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logs) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// wait returns when all words stand in one line of the log.
func (l *logs) wait(t *testing.T, words ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("a log line with %q", words), func() bool {
		for text := range strings.Lines(l.text()) {
			found := true
			for _, w := range words {
				found = found && strings.Contains(text, w)
			}
			if found {
				return true
			}
		}
		return false
	})
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}
