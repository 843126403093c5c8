package setup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"consilium/job"
	"consilium/organ/policy"
	"consilium/policies"
)

// StudyFile is a study as its founders describe it, before keys are known.
type StudyFile struct {
	Study      string         `yaml:"study"`
	Parties    []string       `yaml:"parties"`
	Disclosure job.Disclosure `yaml:"disclosure"`
	Overlay    job.Overlay    `yaml:"overlay"`
	Policies   []string       `yaml:"policies"` // files beside the study file, or names of those that come with Consilium
	Datasets   []job.Dataset  `yaml:"datasets"`

	bundled []job.Policy // see Bundle
}

// maxStudyFile caps a study file, in bytes.
const maxStudyFile = 4 << 20

// ParseStudyFile reads a study file; unknown keys are refused. A study that says
// nothing of a minimum count has the usual one.
func ParseStudyFile(b []byte) (*StudyFile, error) {
	s := StudyFile{Disclosure: job.Disclosure{MinCount: job.DefaultMinCount}}
	if err := job.DecodeYAML("study file", b, maxStudyFile, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Bundle reads the policies that the study names: files in dir, each with the tables
// that it names, or a name without ending for a policy that comes with Consilium.
func (s *StudyFile) Bundle(dir string) error {
	s.bundled = nil
	for _, name := range s.Policies {
		p, err := readPolicy(dir, name)
		if err != nil {
			return fmt.Errorf("policies: %s: %w", name, err)
		}
		s.bundled = append(s.bundled, job.Policy{Name: p.Name, Text: string(p.Canonical())})
	}
	return nil
}

func readPolicy(dir, name string) (*policy.Policy, error) {
	const ending = ".yaml"
	if filepath.Ext(name) != "" {
		return policy.Load(job.Within(dir, name))
	}
	text, err := policies.FS.ReadFile(name + ending)
	if err != nil {
		return nil, fmt.Errorf("no policy of that name comes with Consilium; name the file of your own, such as %s%s", name, ending)
	}
	return policy.Parse(text, policies.FS)
}

// Roster joins a study with its members' cards under version.
func (s *StudyFile) Roster(version int, cards []*job.Card, now time.Time) (*job.Roster, error) {
	r := &job.Roster{
		Study: s.Study, Version: version, Created: now.UTC().Truncate(time.Second),
		Parties: s.Parties, Datasets: s.Datasets, Disclosure: s.Disclosure, Overlay: s.Overlay,
		Policies: s.bundled,
	}
	if len(s.bundled) != len(s.Policies) {
		return nil, errors.New("the study's policies were not read") // Bundle comes first
	}
	for _, c := range cards {
		switch c.Kind {
		case job.KindNode:
			r.Nodes = append(r.Nodes, job.Node{Name: c.Name, Organisation: c.Organisation, Address: c.Address, Certificate: c.Certificate})
		case job.KindClient:
			r.Clients = append(r.Clients, job.Client{Name: c.Name, Organisation: c.Organisation, Certificate: c.Certificate, Recipient: c.Recipient})
		case job.KindCoordinator:
			if r.Coordinator.Name != "" {
				return nil, fmt.Errorf("two coordinator cards, %s and %s: a study has one", r.Coordinator.Name, c.Name)
			}
			r.Coordinator = job.Coordinator{Name: c.Name, Address: c.Address, Certificate: c.Certificate}
		default:
			return nil, fmt.Errorf("card of %s has kind %q, want node, client or coordinator", c.Name, c.Kind)
		}
	}
	if r.Coordinator.Name == "" {
		return nil, errors.New("no coordinator card: make one with `consilium init --coordinator`")
	}
	slices.SortFunc(r.Nodes, func(a, b job.Node) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return r, nil
}

// ReadCards reads card files.
func ReadCards(paths []string) ([]*job.Card, error) {
	cards := make([]*job.Card, 0, len(paths))
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		c, err := job.ReadCard(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		cards = append(cards, c)
	}
	return cards, nil
}

// Admin loads the founder's signing key from a directory, or makes it where
// there is no such directory yet.
func Admin(dir string) (*job.Identity, error) {
	if _, err := os.Stat(dir); err == nil {
		return job.LoadIdentity(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	id, err := job.NewIdentity("study-admin", nil)
	if err != nil {
		return nil, err
	}
	return id, id.Save(dir)
}
