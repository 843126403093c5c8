package coordinator

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"consilium/daemon"
	"consilium/job"
)

// Config is what a coordinator is made of. Zero values of the optional fields
// stand for the defaults below.
type Config struct {
	Listen   string          // host:port of the gRPC services
	Identity *job.Identity   // the roster's coordinator
	Roster   *job.RosterFile // the one study that is served
	State    string          // directory of the store; made when missing

	Metrics string       // optional host:port on loopback for /metrics and /healthz
	Log     *slog.Logger // optional; no logs without it

	DecideTimeout time.Duration // how long nodes may take to answer an offer
	RunTimeout    time.Duration // how long an accepted job may run
	Grace         time.Duration // how long a node may be away from a running job
	QueueCap      int           // jobs of the study that are not over
	ClientCap     int           // of these, one client's
	Parallel      int           // of these, being decided or run at once
}

// The defaults.
const (
	defaultDecideTimeout = 30 * time.Second
	defaultRunTimeout    = time.Hour
	defaultGrace         = 30 * time.Second
	defaultQueueCap      = 256
	defaultClientCap     = 32
	defaultParallel      = 2
)

// maxConfig caps the configuration file, in bytes.
const maxConfig = 64 << 10

// configFile is the YAML form of Config.
type configFile struct {
	Roster        string        `yaml:"roster"`
	RosterHash    string        `yaml:"roster_hash"`
	Identity      string        `yaml:"identity"`
	Listen        string        `yaml:"listen"`
	State         string        `yaml:"state"`
	Metrics       string        `yaml:"metrics"`
	DecideTimeout time.Duration `yaml:"decide_timeout"`
	RunTimeout    time.Duration `yaml:"run_timeout"`
	Grace         time.Duration `yaml:"grace"`
	QueueCap      int           `yaml:"queue_cap"`
	ClientCap     int           `yaml:"client_cap"`
	Parallel      int           `yaml:"parallel"`
}

// LoadConfig reads a configuration file and all that it names: the roster,
// which must have the pinned hash, and the coordinator's identity. Paths are
// relative to the file. Unknown keys are refused. The keys are those of Config
// in lower case: roster, roster_hash, identity (a directory), listen, state;
// optional metrics, decide_timeout, run_timeout, grace, queue_cap, client_cap,
// parallel. The caller adds the logger.
func LoadConfig(path string) (*Config, error) {
	f, err := readConfigFile(path)
	if err != nil {
		return nil, err
	}
	pin, err := job.ParsePin(f.RosterHash)
	if err != nil {
		return nil, fmt.Errorf("%s: configuration: %w", path, err)
	}
	dir := filepath.Dir(path)
	roster, err := job.ReadRoster(job.Within(dir, f.Roster), pin)
	if err != nil {
		return nil, err
	}
	identity, err := job.LoadIdentity(job.Within(dir, f.Identity))
	if err != nil {
		return nil, err
	}
	cfg := &Config{
		Listen: f.Listen, Identity: identity, Roster: roster,
		State: job.Within(dir, f.State), Metrics: f.Metrics,
		DecideTimeout: f.DecideTimeout, RunTimeout: f.RunTimeout, Grace: f.Grace,
		QueueCap: f.QueueCap, ClientCap: f.ClientCap, Parallel: f.Parallel,
	}
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

func readConfigFile(path string) (*configFile, error) {
	b, err := job.ReadFile(path, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	f, err := parseConfig(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// parseConfig decodes the file's form; what it names is checked by LoadConfig.
func parseConfig(b []byte) (*configFile, error) {
	var f configFile
	if err := job.DecodeYAML("configuration", b, maxConfig, &f); err != nil {
		return nil, err
	}
	for _, need := range []struct{ key, value string }{
		{"roster", f.Roster},
		{"identity", f.Identity},
		{"listen", f.Listen},
		{"state", f.State},
	} {
		if need.value == "" {
			return nil, fmt.Errorf("configuration: %q is missing; add it", need.key)
		}
	}
	return &f, nil
}

// complete fills in defaults and checks everything that can be checked before
// anything is opened.
func (c *Config) complete() error {
	switch {
	case c.Roster == nil:
		return errors.New("coordinator: no roster given")
	case c.Identity == nil:
		return errors.New("coordinator: no identity given")
	case c.State == "":
		return errors.New("coordinator: no state directory given")
	}
	if r := c.Roster.Roster; !bytes.Equal(c.Identity.Certificate, r.Coordinator.Certificate) {
		return fmt.Errorf("coordinator: identity %q is not the coordinator of study %s, which is %q; use that one's directory or have the roster changed",
			c.Identity.Name, r.Study, r.Coordinator.Name)
	}
	if err := daemon.CheckAddress("listen", c.Listen); err != nil {
		return err
	}
	if c.Metrics != "" {
		if err := daemon.CheckLoopback("metrics", c.Metrics); err != nil {
			return err
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		key   string
		value *time.Duration
		usual time.Duration
	}{
		{"decide_timeout", &c.DecideTimeout, defaultDecideTimeout},
		{"run_timeout", &c.RunTimeout, defaultRunTimeout},
		{"grace", &c.Grace, defaultGrace},
	} {
		if err := orDefault(d.key, d.value, d.usual); err != nil {
			return err
		}
	}
	for _, n := range []struct {
		key   string
		value *int
		usual int
	}{
		{"queue_cap", &c.QueueCap, defaultQueueCap},
		{"client_cap", &c.ClientCap, defaultClientCap},
		{"parallel", &c.Parallel, defaultParallel},
	} {
		if err := orDefault(n.key, n.value, n.usual); err != nil {
			return err
		}
	}
	return nil
}

func orDefault[T int | time.Duration](key string, value *T, usual T) error {
	if *value < 0 {
		return fmt.Errorf("%s: %v is negative; give a positive value or leave it out", key, *value)
	}
	if *value == 0 {
		*value = usual
	}
	return nil
}
