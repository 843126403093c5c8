package coordinator

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadConfig(t *testing.T) {
	w := newWorld(t)
	if err := os.Mkdir(filepath.Join(w.dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.ids["rendezvous"].Save(filepath.Join(w.dir, "keys")); err != nil {
		t.Fatal(err)
	}
	w.write("roster.yaml", string(w.roster.Bytes))
	good := "roster: roster.yaml\nroster_hash: " + w.roster.Hash.String() +
		"\nidentity: keys\nlisten: 127.0.0.1:0\nstate: state\nmetrics: 127.0.0.1:0\ndecide_timeout: 45s\nrun_timeout: 2h\n"
	path := filepath.Join(w.dir, "coordinator.yaml")

	w.write("coordinator.yaml", good)
	cfg, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DecideTimeout != 45*time.Second || cfg.RunTimeout != 2*time.Hour || cfg.Grace != defaultGrace ||
		cfg.State != filepath.Join(w.dir, "state") || cfg.Roster.Hash != w.roster.Hash || cfg.Identity.Name != "rendezvous" ||
		cfg.QueueCap != defaultQueueCap || cfg.Parallel != 2 {
		t.Errorf("loaded %+v", cfg)
	}

	for _, c := range []struct{ name, text, says string }{
		{"unknown key", good + "retries: 3\n", "retries"},
		{"twice", good + "state: other\n", "state"},
		{"two documents", good + "---\n{}\n", "one YAML document"},
		{"missing", strings.Replace(good, "state: state\n", "", 1), `"state" is missing`},
		{"hash", strings.Replace(good, "roster_hash: ", "roster_hash: 0", 1), "roster_hash"},
		{"no hash", strings.Replace(good, w.roster.Hash.String(), `""`, 1), "run consilium study approve"},
		{"zero hash", strings.Replace(good, w.roster.Hash.String(), strings.Repeat("0", 64), 1), "roster_hash: zero"},
		{"another hash", strings.Replace(good, w.roster.Hash.String(), strings.Repeat("0", 63)+"1", 1), "roster"},
		{"metrics for all", strings.Replace(good, "metrics: 127.0.0.1", "metrics: 0.0.0.0", 1), "loopback"},
		{"metrics by name", strings.Replace(good, "metrics: 127.0.0.1", "metrics: localhost", 1), "write 127.0.0.1 or [::1], no name"},
		{"metrics no port", strings.Replace(good, "metrics: 127.0.0.1:0", "metrics: 127.0.0.1", 1), "host:port"},
		{"listen", strings.Replace(good, "listen: 127.0.0.1:0", "listen: here", 1), "host:port"},
		{"negative", good + "queue_cap: -1\n", "queue_cap"},
		{"not a duration", strings.Replace(good, "45s", "soon", 1), "soon"},
		{"no identity", strings.Replace(good, "identity: keys", "identity: none", 1), "none"},
		{"empty", "", "configuration"},
		{"too large", good + strings.Repeat("#", maxConfig), "more than 65536 bytes"},
	} {
		w.write("coordinator.yaml", c.text)
		_, err := LoadConfig(path)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", c.name, err, c.says)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	w := newWorld(t)
	running := w.start()
	notDir := filepath.Join(w.dir, "file")
	w.write("file", "")
	for _, c := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"another's identity", func(c *Config) { c.Identity = w.ids["mallory"] }, `"mallory" is not the coordinator`},
		{"state in use", func(*Config) {}, "in use by another coordinator"},
		{"state is no directory", func(c *Config) { c.State = notDir }, "state directory"},
		{"address in use", func(c *Config) { c.Listen, c.State = running.Addr(), filepath.Join(w.dir, "other") }, "listen"},
		{"metrics in use", func(c *Config) { c.Metrics, c.State = running.Addr(), filepath.Join(w.dir, "other") }, "metrics"},
		{"no roster", func(c *Config) { c.Roster = nil }, "roster"},
		{"no state", func(c *Config) { c.State = "" }, "state"},
	} {
		cfg := w.config()
		c.change(&cfg)
		if _, err := Start(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", c.name, err, c.says)
		}
	}
}

func TestStateOfAnotherStudyOrVersion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := openStore(dir, "lung-2026")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(dir, "heart"); err == nil || !strings.Contains(err.Error(), `belongs to study "lung-2026"`) {
		t.Errorf("another study: %v", err)
	}
	if s, err = openStore(dir, "lung-2026"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(dir, "lung-2026"); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("another version: %v", err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("roster: r\nroster_hash: h\nidentity: i\nlisten: l\nstate: s\n"))
	f.Add([]byte("roster: &a [*a]\n"))
	f.Add([]byte("decide_timeout: 1e9\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig(b)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		if c.Roster == "" || c.State == "" || c.Listen == "" {
			t.Errorf("incomplete and accepted: %+v", c)
		}
	})
}
