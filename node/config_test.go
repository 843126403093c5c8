package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const goodConfig = `name: hospital-1
identity: identity
roster: study/roster.txt
roster_hash: 0101010101010101010101010101010101010101010101010101010101010101
policy: policy.yaml
state: /var/lib/consilium
vault_key: vault.key
listen: 0.0.0.0:7101
metrics: 127.0.0.1:9101
datasets:
  lung: data/lung.csv
`

func TestLoadConfigResolvesPathsAndDefaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(path, []byte(goodConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ key, got, want string }{
		{"identity", c.Identity, filepath.Join(dir, "identity")},
		{"roster", c.Roster, filepath.Join(dir, "study", "roster.txt")},
		{"policy", c.Policy, filepath.Join(dir, "policy.yaml")},
		{"state", c.State, "/var/lib/consilium"},
		{"vault_key", c.VaultKey, filepath.Join(dir, "vault.key")},
		{"lung", c.Datasets["lung"].Path, filepath.Join(dir, "data", "lung.csv")},
	} {
		if want.got != want.want {
			t.Errorf("%s is %s, want %s", want.key, want.got, want.want)
		}
	}
	if c.Timeout != 20*time.Second || c.Deadline != 10*time.Minute || c.Jobs != 4 {
		t.Errorf("defaults are %v, %v, %d", c.Timeout, c.Deadline, c.Jobs)
	}
	if want := strings.Repeat("01", 32); c.RosterHash != want {
		t.Errorf("roster_hash is %s, want %s", c.RosterHash, want)
	}
}

func TestConfigErrors(t *testing.T) {
	replace := func(old, new string) string {
		if !strings.Contains(goodConfig, old) {
			t.Fatalf("no %q in the good configuration", old)
		}
		return strings.Replace(goodConfig, old, new, 1)
	}
	tests := []struct{ name, config, want string }{
		{"empty", "", "the file is empty"},
		{"unknown key", goodConfig + "colour: red\n", `unknown key "colour": known: name, identity`},
		{"two documents", goodConfig + "---\nname: x\n", "more than one YAML document"},
		{"key twice", goodConfig + "name: hospital-2\n", "already defined"},
		{"no name", replace("name: hospital-1\n", ""), "name is missing"},
		{"no identity", replace("identity: identity\n", ""), "identity is missing"},
		{"no roster", replace("roster: study/roster.txt\n", ""), "roster is missing"},
		{"no pin", replace("roster_hash: 0101010101010101010101010101010101010101010101010101010101010101\n", ""), "roster_hash is missing"},
		{"not approved yet", replace("0101010101010101010101010101010101010101010101010101010101010101", `""`), "run consilium study approve"},
		{"zero pin", replace("0101010101010101010101010101010101010101010101010101010101010101", strings.Repeat("00", 32)), "roster_hash: zero"},
		{"short pin", replace("0101010101010101010101010101010101010101010101010101010101010101", "'0101'"), "roster_hash: hash: not 64"},
		{"no policy", replace("policy: policy.yaml\n", ""), "policy is missing"},
		{"no state", replace("state: /var/lib/consilium\n", ""), "state is missing"},
		{"no listen", replace("listen: 0.0.0.0:7101\n", ""), "listen is missing"},
		{"listen without port", replace("0.0.0.0:7101", "hospital-1"), "not host:port"},
		{"listen with a service name", replace("0.0.0.0:7101", "0.0.0.0:https"), "no port number"},
		{"no metrics", replace("metrics: 127.0.0.1:9101\n", ""), "metrics is missing"},
		{"metrics for everyone", replace("127.0.0.1:9101", "0.0.0.0:9101"), "not a loopback address"},
		{"metrics on all interfaces", replace("127.0.0.1:9101", "':9101'"), "not a loopback address"},
		{"metrics by another name", replace("127.0.0.1:9101", "localhost.example.org:9101"), "not a loopback address"},
		{"metrics by name", replace("127.0.0.1:9101", "localhost:9101"), "write 127.0.0.1 or [::1], no name"},
		{"dataset without file", replace("data/lung.csv", "''"), `"lung" has no file`},
		{"timeout without unit", goodConfig + "timeout: 20\n", "cannot take the number `20` as a duration such as 20s"},
		{"timeout too short", goodConfig + "timeout: 20ms\n", "timeout is 20ms"},
		{"timeout too long", goodConfig + "timeout: 11m\n", "timeout is 11m0s"},
		{"deadline too short", goodConfig + "deadline: 10ms\n", "deadline is 10ms"},
		{"deadline too long", goodConfig + "deadline: 25h\n", "deadline is 25h0m0s"},
		{"no jobs", goodConfig + "jobs: 0\n", "jobs is 0"},
		{"wrong type", goodConfig + "jobs: many\n", "line 12"},
		{"too large", goodConfig + "# " + strings.Repeat("x", maxFile), "at most 262144"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseConfig([]byte(test.config))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %q", err)
			}
		})
	}
}

func TestConfigTakesLoopbackOfAnyForm(t *testing.T) {
	for _, metrics := range []string{"'[::1]:9101'", "127.8.9.1:0"} {
		if _, err := parseConfig([]byte(strings.Replace(goodConfig, "127.0.0.1:9101", metrics, 1))); err != nil {
			t.Errorf("%s: %v", metrics, err)
		}
	}
}

func TestConfigWithoutVaultKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.yaml")
	writeFile(t, path, strings.Replace(goodConfig, "vault_key: vault.key\n", "", 1))
	if c, err := LoadConfig(path); err != nil || c.VaultKey != "" {
		t.Errorf("the vault key is %q: %v", c.VaultKey, err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte("name: &a [*a]"))
	f.Add([]byte("datasets: {a: b}\ntimeout: -1s"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig(b)
		if err != nil {
			return
		}
		if err := c.check(); err != nil {
			t.Errorf("a parsed configuration fails its own check: %v", err)
		}
	})
}
