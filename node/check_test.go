package node

import (
	"net"
	"os"
	"strings"
	"testing"

	"consilium/job"
)

func TestSetupErrors(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, s *study, c *Config)
		want  string
	}{
		{"another pin", func(_ *testing.T, _ *study, c *Config) { c.RosterHash = job.Hash{7}.String() }, "approves version 1 of study lung-2026"},
		{"no roster", func(_ *testing.T, s *study, c *Config) { c.Roster = s.path("none.txt") }, "roster"},
		{"altered roster", func(t *testing.T, s *study, c *Config) {
			b, err := os.ReadFile(c.Roster)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, c.Roster, strings.Replace(string(b), "rows: 5", "rows: 6", 1))
		}, "roster"},
		{"no identity", func(_ *testing.T, s *study, c *Config) { c.Identity = s.path("none") }, "identity"},
		{"readable key", func(t *testing.T, s *study, _ *Config) {
			if err := os.Chmod(s.path("hospital-1/identity.key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "identity"},
		{"no vault key there", func(_ *testing.T, s *study, c *Config) { c.VaultKey = s.path("none.key") }, "vault_key"},
		{"readable vault key", func(t *testing.T, s *study, c *Config) {
			c.VaultKey = s.vaultKey(t, 1)
			if err := os.Chmod(c.VaultKey, 0o640); err != nil {
				t.Fatal(err)
			}
		}, "chmod 600"},
		{"another kind of vault key", func(_ *testing.T, s *study, c *Config) { c.VaultKey = s.path("hospital-1/identity.key") }, "X25519 identity of age"},
		{"vault not writable", func(t *testing.T, s *study, c *Config) {
			c.VaultKey = s.vaultKey(t, 1)
			if err := os.Mkdir(c.State, 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, c.State+"/vault", "")
		}, "vault: "},
		{"no node of the study", func(_ *testing.T, _ *study, c *Config) { c.Name = "hospital-9" }, "has no node hospital-9"},
		{"another's identity", func(_ *testing.T, s *study, c *Config) { c.Identity = s.path("hospital-2") }, "another certificate for hospital-1"},
		{"no dataset of the study", func(_ *testing.T, s *study, c *Config) { c.Datasets["heart"] = at(s.path("hospital-1.csv")) }, "no dataset heart"},
		{"no file configured", func(_ *testing.T, _ *study, c *Config) { c.Datasets = nil }, "add lung: PATH"},
		{"file missing", func(_ *testing.T, s *study, c *Config) { c.Datasets["lung"] = at(s.path("none.csv")) }, "mend the path"},
		{"directory for a file", func(_ *testing.T, s *study, c *Config) { c.Datasets["lung"] = at(s.dir) }, "not a regular file"},
		{"not a site", func(t *testing.T, s *study, c *Config) {
			r := *s.roster.Roster
			r.Datasets[0].Sites = r.Datasets[0].Sites[1:]
			s.writeRoster(t, &r)
			c.RosterHash = s.roster.Hash.String()
		}, "does not make hospital-1 a site of dataset lung"},
		{"no policy", func(_ *testing.T, s *study, c *Config) { c.Policy = s.path("none.yaml") }, "policy"},
		{"broken policy", func(t *testing.T, _ *study, c *Config) { writeFile(t, c.Policy, "permit: all\n") }, `unknown key "permit"`},
		{"slip in deny_columns", func(t *testing.T, _ *study, c *Config) { writeFile(t, c.Policy, allowAll+"deny_columns: [aeg]\n") }, `"aeg"`},
		{"metrics for everyone", func(_ *testing.T, _ *study, c *Config) { c.Metrics = "0.0.0.0:0" }, "loopback"},
		{"port taken", func(t *testing.T, _ *study, c *Config) { occupy(t, c.Listen) }, "peer links"},
		{"state not writable", func(t *testing.T, s *study, c *Config) { c.State = s.path("hospital-1.csv") }, "state directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStudy(t)
			c := s.config(1)
			test.spoil(t, s, c)
			n, err := Start(t.Context(), c, s.logs.logger())
			if err == nil {
				n.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %q", err)
			}
		})
	}
}

func occupy(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func TestPolicyWarnings(t *testing.T) {
	s := newStudy(t)
	c := s.config(1)
	writeFile(t, c.Policy, "allow: [{signers: [bob], datasets: [lung], analyses: [describe], columns: [age]}]\n")
	if _, err := checkSetup(c, s.logs.logger()); err != nil {
		t.Fatal(err)
	}
	s.logs.wait(t, "WARN", "client bob")
	writeFile(t, c.Policy, "allow: []\n")
	if _, err := checkSetup(c, s.logs.logger()); err != nil {
		t.Fatal(err)
	}
	s.logs.wait(t, "WARN", "every job will be rejected")
}
