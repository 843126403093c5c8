package localnet

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"consilium/cmd/consilium/setup"
	"consilium/job"
)

// Client is the name of the study's one client.
const Client = "researcher"

// Spec is what a local study is made of.
type Spec struct {
	Study *setup.StudyFile
	Nodes int // hospital-1 … hospital-N
	// Names are those of the nodes where they are to have others.
	Names []string
	// Coordinator is its name where it is to have another.
	Coordinator string
	// Files names each dataset's data file at each node that has one.
	Files map[string]map[string]string
	// Sources names the same, as the node's configuration does, for data in a
	// database; it goes before Files.
	Sources map[string]map[string]map[string]string
	// Deadline bounds a whole job, Timeout a single wait of a protocol.
	Deadline, Timeout time.Duration
	// Proxy, if not nil, gives the address that others dial to reach the member
	// that listens on the given one; tests record traffic there.
	Proxy func(member, listen string) (string, error)
}

// Layout is a local study on disk.
type Layout struct {
	Dir     string
	Nodes   []Daemon
	Central Daemon // the coordinator
}

// Daemon is one process to run.
type Daemon struct {
	Name    string
	Dir     string
	Metrics string // host:port of /metrics, /healthz, /readyz
}

// NodeName is the name of the k-th node, from 1.
func NodeName(k int) string { return "hospital-" + strconv.Itoa(k) }

// ClientDir is where the client's keys lie: the program's default for whoever
// works in the study's folder.
func (l *Layout) ClientDir() string { return filepath.Join(l.Dir, "client") }

// memberDir is a daemon's folder, beside those that every study has.
func (l *Layout) memberDir(name string) string {
	switch name {
	case "client", "admin", "logs":
		name = "member-" + name
	}
	return filepath.Join(l.Dir, name)
}

// Log is the file that takes a daemon's output.
func (l *Layout) Log(name string) string { return filepath.Join(l.Dir, "logs", name+".log") }

// Create makes the study's members under dir, which must be empty or absent.
// Ports are free ones of the loopback interface at the time of the call.
func Create(dir string, spec Spec) (*Layout, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	l := &Layout{Dir: dir}
	names := spec.Names
	for k := len(names); k < spec.Nodes; k++ {
		names = append(names, NodeName(k+1))
	}
	ports, err := freePorts(2*len(names) + 2)
	if err != nil {
		return nil, err
	}
	next := func() string { a := ports[0]; ports = ports[1:]; return a }
	member := func(name, organisation string) (setup.Member, error) {
		m := setup.Member{Name: name, Organisation: organisation, Listen: next(), Metrics: next()}
		m.Address = m.Listen
		if spec.Proxy != nil {
			m.Address, err = spec.Proxy(name, m.Listen)
		}
		return m, err
	}
	var cards []*job.Card
	for _, name := range names {
		m, err := member(name, organisation(name))
		if err != nil {
			return nil, err
		}
		d := Daemon{Name: m.Name, Dir: l.memberDir(m.Name), Metrics: m.Metrics}
		card, err := setup.NewNode(d.Dir, m)
		if err != nil {
			return nil, err
		}
		cards, l.Nodes = append(cards, card), append(l.Nodes, d)
	}
	m, err := member(cmp.Or(spec.Coordinator, "coordinator"), "Coordination office")
	if err != nil {
		return nil, err
	}
	l.Central = Daemon{Name: m.Name, Dir: l.memberDir(m.Name), Metrics: m.Metrics}
	central, err := setup.NewCoordinator(l.Central.Dir, m)
	if err != nil {
		return nil, err
	}
	client, err := setup.NewClient(l.ClientDir(), setup.Member{Name: Client, Organisation: "Institute of Epidemiology"})
	if err != nil {
		return nil, err
	}
	if err := l.join(spec, append(cards, central, client)); err != nil {
		return nil, err
	}
	return l, errors.Join(l.configure(spec), os.MkdirAll(filepath.Join(dir, "logs"), 0o700))
}

// organisation is who runs a node: Hospital 1 runs hospital-1.
func organisation(node string) string {
	return strings.ToUpper(node[:1]) + strings.ReplaceAll(node[1:], "-", " ")
}

// join makes the roster and has every member approve it.
func (l *Layout) join(spec Spec, cards []*job.Card) error {
	r, err := spec.Study.Roster(1, cards, time.Now())
	if err != nil {
		return err
	}
	admin, err := setup.Admin(filepath.Join(l.Dir, "admin"))
	if err != nil {
		return err
	}
	file, err := job.SignRoster(r, admin)
	if err != nil {
		return err
	}
	parsed, err := job.ParseRoster(file)
	if err != nil {
		return err
	}
	for _, dir := range append(l.nodeDirs(), l.Central.Dir, l.ClientDir()) {
		if err := setup.Approve(dir, file, parsed.Hash, false); err != nil {
			return err
		}
	}
	return nil
}

// configure gives the nodes their data files, time limits and a policy that
// lets the local client ask anything.
func (l *Layout) configure(spec Spec) error {
	for _, n := range l.Nodes {
		files := make(map[string]any)
		for dataset, at := range spec.Files {
			if path, ok := at[n.Name]; ok {
				abs, err := filepath.Abs(path)
				if err != nil {
					return err
				}
				files[dataset] = abs
			}
			if setting, ok := spec.Sources[dataset][n.Name]; ok {
				files[dataset] = setting
			}
		}
		if err := setup.SetDatasets(n.Dir, files); err != nil {
			return err
		}
		if err := setup.SetLimits(n.Dir, spec.Timeout, spec.Deadline); err != nil {
			return err
		}
		if err := setup.AllowAll(n.Dir, Client); err != nil {
			return err
		}
	}
	return setup.SetRunTimeout(l.Central.Dir, spec.Deadline)
}

func (l *Layout) nodeDirs() []string {
	dirs := make([]string, len(l.Nodes))
	for i, n := range l.Nodes {
		dirs[i] = n.Dir
	}
	return dirs
}

// The ports that a local study may use lie below those that systems hand out to
// outgoing connections, which could take a port between its choice and its use.
const (
	firstPort = 20_000
	endPort   = 32_000
)

// freePorts returns n distinct loopback addresses that nobody listens on now.
func freePorts(n int) ([]string, error) {
	var addrs []string
	for tries := 0; len(addrs) < n; tries++ {
		offset, err := rand.Int(rand.Reader, big.NewInt(endPort-firstPort))
		if err != nil {
			return nil, err
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.FormatInt(firstPort+offset.Int64(), 10)))
		if err != nil {
			if tries > 100*n {
				return nil, fmt.Errorf("no free port between %d and %d: %w", firstPort, endPort, err)
			}
			continue
		}
		defer l.Close() // all are held until the last is found, so that none repeats
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
