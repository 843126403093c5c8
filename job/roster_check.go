package job

import (
	"fmt"
	"net"
	"strconv"
)

const (
	maxTitle        = 256
	maxOrganisation = 128
	maxAddress      = 256
	maxOpenings     = 1 << 30
)

// Check checks the roster whole: names, keys, parties, datasets and schemas.
func (r *Roster) Check() error {
	if err := r.check(); err != nil {
		return fmt.Errorf("roster: %w", err)
	}
	return nil
}

func (r *Roster) check() error {
	if err := checkName("study", r.Study); err != nil {
		return err
	}
	if r.Version < 1 {
		return fmt.Errorf("version is %d: count from 1", r.Version)
	}
	if r.Disclosure.MinCount < 0 || r.Disclosure.MinCount > 1_000_000 {
		return fmt.Errorf("disclosure min_count is %d: use 0 to 1000000", r.Disclosure.MinCount)
	}
	if err := r.Overlay.check(); err != nil {
		return err
	}
	if err := r.checkMembers(); err != nil {
		return err
	}
	if err := r.checkParties(); err != nil {
		return err
	}
	if err := r.checkPolicies(); err != nil {
		return err
	}
	return r.checkDatasets()
}

// members collects names and keys over all roles: a name or key that stands for
// two would let one pass as the other.
type members struct {
	names map[string]bool
	keys  map[string]string // key -> name
}

func (m *members) add(role, name string, certificate []byte) error {
	if err := checkName(role, name); err != nil {
		return err
	}
	what := role + " " + name
	if m.names[name] {
		return fmt.Errorf("%s: the name is taken: give every node, client and coordinator its own", what)
	}
	m.names[name] = true
	key, err := checkCertificate(what, name, certificate)
	if err != nil {
		return err
	}
	if other, taken := m.keys[string(key)]; taken {
		return fmt.Errorf("%s: it has the key of %s: make a key for each with consilium init", what, other)
	}
	m.keys[string(key)] = name
	return nil
}

func (r *Roster) checkMembers() error {
	if len(r.Nodes) < 3 || len(r.Nodes) > MaxNodes {
		return fmt.Errorf("%d nodes: a study has 3 to %d", len(r.Nodes), MaxNodes)
	}
	if len(r.Clients) > maxClients {
		return fmt.Errorf("%d clients: a study has at most %d", len(r.Clients), maxClients)
	}
	if len(r.Admin.Key) != 0 || r.Admin.Name != "" {
		if err := r.Admin.check(); err != nil {
			return err
		}
	}
	m := members{names: map[string]bool{}, keys: map[string]string{}}
	if err := m.add("coordinator", r.Coordinator.Name, r.Coordinator.Certificate); err != nil {
		return err
	}
	if err := checkAddress("coordinator", r.Coordinator.Address); err != nil {
		return err
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if err := m.add("node", n.Name, n.Certificate); err != nil {
			return err
		}
		if err := checkOrganisation("node "+n.Name, n.Organisation); err != nil {
			return err
		}
		if err := checkAddress("node "+n.Name, n.Address); err != nil {
			return err
		}
	}
	for i := range r.Clients {
		c := &r.Clients[i]
		if err := m.add("client", c.Name, c.Certificate); err != nil {
			return err
		}
		if err := checkOrganisation("client "+c.Name, c.Organisation); err != nil {
			return err
		}
		if err := CheckRecipientKey(c.Recipient); err != nil {
			return fmt.Errorf("client %s: %w", c.Name, err)
		}
	}
	return nil
}

func (r *Roster) checkParties() error {
	if len(r.Parties) != 3 {
		return fmt.Errorf("%d parties: name three nodes of different organisations", len(r.Parties))
	}
	for i, name := range r.Parties {
		n, ok := r.Node(name)
		if !ok {
			return fmt.Errorf("party %s is no node: %s", quoted(name), Near(name, r.Names()))
		}
		for _, other := range r.Parties[:i] {
			o, _ := r.Node(other)
			if sameOrganisation(n.Organisation, o.Organisation) {
				return fmt.Errorf("parties %s and %s are of one organisation, %s: privacy rests on three that do not collude, name nodes of different ones", other, name, quoted(n.Organisation))
			}
		}
	}
	return nil
}

func (r *Roster) checkDatasets() error {
	if len(r.Datasets) > maxDatasets {
		return fmt.Errorf("%d datasets: a study has at most %d", len(r.Datasets), maxDatasets)
	}
	seen := map[string]bool{}
	for i := range r.Datasets {
		d := &r.Datasets[i]
		if err := checkWord("dataset", d.Name); err != nil {
			return err
		}
		if seen[d.Name] {
			return fmt.Errorf("dataset %s comes twice: list its sites under one entry", d.Name)
		}
		seen[d.Name] = true
		if err := r.checkDataset(d); err != nil {
			return fmt.Errorf("dataset %s: %w", d.Name, err)
		}
	}
	return nil
}

func (r *Roster) checkDataset(d *Dataset) error {
	if err := checkText("title", d.Title, maxTitle); err != nil {
		return err
	}
	if len(d.Sites) == 0 {
		return fmt.Errorf("it has no sites: name the nodes that hold it")
	}
	seen := map[string]bool{}
	for _, s := range d.Sites {
		if _, ok := r.Node(s.Node); !ok {
			return fmt.Errorf("site %s is no node: %s", quoted(s.Node), Near(s.Node, r.Names()))
		}
		if seen[s.Node] {
			return fmt.Errorf("site %s comes twice: a node holds one piece of a dataset", s.Node)
		}
		seen[s.Node] = true
		if s.Rows < 1 || s.Rows > maxRows {
			return fmt.Errorf("site %s declares %d rows: declare 1 to %d, at least as many as its file has", s.Node, s.Rows, maxRows)
		}
	}
	if d.IsList() {
		return r.checkList(d)
	}
	if v := d.Vault; v.Quorum != 0 && (v.Quorum < 2 || v.Quorum > len(d.Sites)) {
		return fmt.Errorf("vault quorum is %d: use 2 to %d, the number of its sites", v.Quorum, len(d.Sites))
	}
	if v := d.Vault; v.Openings < 0 || v.Openings > maxOpenings {
		return fmt.Errorf("vault openings is %d: use 1 to %d", v.Openings, maxOpenings)
	}
	return d.Schema.Check()
}

func checkOrganisation(what, s string) error {
	if s == "" {
		return fmt.Errorf("%s has no organisation: say whose it is", what)
	}
	return checkText(what+": organisation", s, maxOrganisation)
}

func checkAddress(what, s string) error {
	host, port, err := net.SplitHostPort(s)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || host == "" || n == 0 || len(s) > maxAddress {
		return fmt.Errorf("%s has the address %s: write host:port, such as node-1.example.org:7400", what, quoted(s))
	}
	return checkText(what+": address", s, maxAddress)
}
