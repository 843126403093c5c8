package node

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"consilium/job"
)

// Config is a node's configuration file. Relative paths in the file are
// relative to the file itself; in the struct they are ready to open.
type Config struct {
	Name       string            `yaml:"name"`        // this node's name in the roster
	Identity   string            `yaml:"identity"`    // directory with identity.key and identity.crt
	Roster     string            `yaml:"roster"`      // the study's roster file
	RosterHash job.Hash          `yaml:"roster_hash"` // the roster that this node's operator approved
	Policy     string            `yaml:"policy"`      // the policy file; it is read again for every job
	State      string            `yaml:"state"`       // directory of the store; created when missing
	Listen     string            `yaml:"listen"`      // host:port for links from other nodes
	Metrics    string            `yaml:"metrics"`     // host:port of metrics and health, loopback only
	Datasets   map[string]string `yaml:"datasets"`    // dataset name -> CSV or Parquet file
	Timeout    time.Duration     `yaml:"timeout"`     // of a single wait for a peer; 20s when left out
	Deadline   time.Duration     `yaml:"deadline"`    // of a whole job; 10m when left out
	Jobs       int               `yaml:"jobs"`        // jobs that may run at once; 4 when left out
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

// LoadConfig reads and checks a configuration file. It opens none of the files
// that the configuration names: Start does.
func LoadConfig(path string) (*Config, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c, err := parseConfig(b)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	c.resolve(dir)
	return c, nil
}

func parseConfig(b []byte) (*Config, error) {
	c := &Config{Timeout: defaultTimeout, Deadline: defaultDeadline, Jobs: defaultJobs}
	if err := decodeYAML(b, c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// resolve makes the configuration's paths absolute.
func (c *Config) resolve(dir string) {
	absolute := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	for _, path := range []*string{&c.Identity, &c.Roster, &c.Policy, &c.State} {
		*path = absolute(*path)
	}
	for name, path := range c.Datasets {
		c.Datasets[name] = absolute(path)
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
	if c.RosterHash == (job.Hash{}) {
		return errors.New("roster_hash is missing: give the hash of the roster that this site's operator approved")
	}
	if _, err := address("listen", c.Listen); err != nil {
		return err
	}
	host, err := address("metrics", c.Metrics)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("metrics: %s is not a loopback address; use 127.0.0.1, ::1 or localhost and let a local collector read it", c.Metrics)
	}
	for _, name := range c.datasetNames() {
		if name == "" || c.Datasets[name] == "" {
			return fmt.Errorf("datasets: %q has no file; give NAME: PATH", name)
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

// address checks host:port and returns the host.
func address(key, value string) (string, error) {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return "", fmt.Errorf("%s: %q is not host:port, such as 127.0.0.1:7101", key, value)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("%s: %q has no port number from 0 to 65535", key, value)
	}
	return host, nil
}

func (c *Config) datasetNames() []string {
	names := make([]string, 0, len(c.Datasets))
	for name := range c.Datasets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
