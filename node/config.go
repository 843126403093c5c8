package node

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"consilium/daemon"
	"consilium/job"
	"consilium/node/source"
)

// Config is a node's configuration file. Relative paths in the file are
// relative to the file itself; in the struct they are ready to open.
type Config struct {
	Name       string                    `yaml:"name"`        // this node's name in the roster
	Identity   string                    `yaml:"identity"`    // directory with identity.key and identity.crt
	Roster     string                    `yaml:"roster"`      // the study's roster file
	RosterHash string                    `yaml:"roster_hash"` // in hex: the roster that this node's operator approved
	Policy     string                    `yaml:"policy"`      // the policy file; it is read again for every job
	State      string                    `yaml:"state"`       // directory of the store; created when missing
	VaultKey   string                    `yaml:"vault_key"`   // key file of the vault; without one the node keeps nothing encrypted
	Listen     string                    `yaml:"listen"`      // host:port for links from other nodes
	Metrics    string                    `yaml:"metrics"`     // host:port of metrics and health, loopback only
	Datasets   map[string]source.Setting `yaml:"datasets"`    // dataset name -> CSV, Parquet or mapping file, or a database's table
	Models     map[string]string         `yaml:"models"`      // model name -> file: what this node scores patients by
	Timeout    time.Duration             `yaml:"timeout"`     // of a single wait for a peer; 20s when left out
	Deadline   time.Duration             `yaml:"deadline"`    // of a whole job; 10m when left out
	Jobs       int                       `yaml:"jobs"`        // jobs that may run at once; 4 when left out
}

// Defaults and bounds of the configuration's numbers.
const (
	defaultTimeout  = 20 * time.Second
	defaultDeadline = 10 * time.Minute
	defaultJobs     = 4
	maxTimeout      = 10 * time.Minute
	maxDeadline     = 24 * time.Hour
	maxJobs         = 64
)

// maxFile caps the configuration and the policy file, in bytes.
const maxFile = 256 << 10

// LoadConfig reads and checks a configuration file. It opens none of the files
// that the configuration names: Start does.
func LoadConfig(path string) (*Config, error) {
	b, err := job.ReadFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c, err := parseConfig(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.resolve(dir)
	return c, nil
}

func parseConfig(b []byte) (*Config, error) {
	c := &Config{Timeout: defaultTimeout, Deadline: defaultDeadline, Jobs: defaultJobs}
	if err := job.DecodeYAML("configuration", b, maxFile, c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

// resolve makes the configuration's paths absolute.
func (c *Config) resolve(dir string) {
	for _, path := range []*string{&c.Identity, &c.Roster, &c.Policy, &c.State} {
		*path = job.Within(dir, *path)
	}
	if c.VaultKey != "" {
		c.VaultKey = job.Within(dir, c.VaultKey)
	}
	for name, setting := range c.Datasets {
		setting.Resolve(func(path string) string { return job.Within(dir, path) })
		c.Datasets[name] = setting
	}
	for name, path := range c.Models {
		c.Models[name] = job.Within(dir, path)
	}
}

// check refuses what can be seen to be wrong without opening a file.
func (c *Config) check() error {
	required := []struct{ key, value, hint string }{
		{"name", c.Name, "this node's name in the roster"},
		{"identity", c.Identity, "the directory with identity.key and identity.crt"},
		{"roster", c.Roster, "the study's roster file"},
		{"policy", c.Policy, "this site's policy file"},
		{"state", c.State, "a directory that this node may write to"},
		{"listen", c.Listen, "host:port where other nodes reach this one"},
		{"metrics", c.Metrics, "a loopback host:port such as 127.0.0.1:9101"},
	}
	for _, r := range required {
		if r.value == "" {
			return fmt.Errorf("%s is missing: give %s", r.key, r.hint)
		}
	}
	if _, err := job.ParsePin(c.RosterHash); err != nil {
		return err
	}
	if err := daemon.CheckAddress("listen", c.Listen); err != nil {
		return err
	}
	if err := daemon.CheckLoopback("metrics", c.Metrics); err != nil {
		return err
	}
	for _, name := range c.datasetNames() {
		setting := c.Datasets[name]
		if name == "" || reflect.DeepEqual(setting, source.Setting{}) {
			return fmt.Errorf("datasets: %q has no file; give NAME: PATH", name)
		}
		if err := setting.Check(); err != nil {
			return fmt.Errorf("datasets: %s: %w", name, err)
		}
	}
	for _, name := range c.modelNames() {
		if err := job.CheckName("models: a name", name); err != nil {
			return err
		}
		if c.Models[name] == "" {
			return fmt.Errorf("models: %s has no file; give NAME: PATH", name)
		}
	}
	return c.checkNumbers()
}

func (c *Config) checkNumbers() error {
	switch {
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return fmt.Errorf("timeout is %v, want 1s to %v; write it with its unit, such as 20s", c.Timeout, maxTimeout)
	case c.Deadline < time.Second || c.Deadline > maxDeadline:
		return fmt.Errorf("deadline is %v, want 1s to %v; write it with its unit, such as 10m", c.Deadline, maxDeadline)
	case c.Jobs < 1 || c.Jobs > maxJobs:
		return fmt.Errorf("jobs is %d, want 1 to %d", c.Jobs, maxJobs)
	}
	return nil
}

func (c *Config) modelNames() []string { return slices.Sorted(maps.Keys(c.Models)) }

func (c *Config) datasetNames() []string {
	names := make([]string, 0, len(c.Datasets))
	for name := range c.Datasets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
