package protocols

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// keeping is a node that is asked to take its part in a job with what it keeps.
type keeping struct {
	*binding
	self   string
	vault  Vault
	shares ShareStore
}

// CheckVault says why this node, self, cannot take its part in a planned job with what
// it keeps of the dataset: what a node asks before it accepts. The vault is nil at a
// node that has no key for one. It says nothing of the other nodes' vaults, which may
// differ: that the job itself finds out.
func CheckVault(j *job.Job, p *Plan, r *job.Roster, self string, v Vault) error {
	n := &keeping{&binding{job: j, roster: r, plan: p}, self, v, nil}
	switch {
	case !p.usesVault(), !n.isSite() && !slices.Contains(p.beside, self):
		return nil
	case v == nil && p.keepsNothing(self):
		return nil
	case v == nil:
		return errNoVaultKey
	case p.custody != nil:
		return p.custody.check(n)
	}
	return n.checkStored()
}

// CheckShares is CheckVault for what nodes keep as shares. The store is nil at a node that
// has no vault key.
func CheckShares(j *job.Job, p *Plan, r *job.Roster, self string, store ShareStore) error {
	n := &keeping{&binding{job: j, roster: r, plan: p}, self, nil, store}
	party := slices.Contains(r.Parties, self)
	switch {
	case p.program == nil && !p.onShares(), !party && (p.program != nil || !n.isSite()):
		return nil
	case store == nil:
		return errNoVaultKey
	case p.program != nil:
		return n.sharesFit()
	}
	return p.custody.check(n)
}

// errNoVaultKey says that a node can keep nothing.
var errNoVaultKey = errors.New("this node has no vault key, and can keep nothing of what is deposited, nor a key of the sites; its operator gives it one")

// ReadsRows tells whether the sites read their files for the job. Where they do not,
// Task.Data stays nil.
func (p *Plan) ReadsRows() bool {
	return !p.Dataset.IsList() && p.scoring == nil && p.answers == nil && p.mixed == nil && p.program == nil && (p.custody == nil || p.custody.reads())
}

// Lists returns the datasets that are read as lists for the job: see Task.List.
func (p *Plan) Lists() []string { return p.lists }

// ListsAt returns those of which a node puts rows in.
func (p *Plan) ListsAt(node string) []string {
	var at []string
	if p.match == nil {
		return nil
	}
	for _, in := range p.match.inputs {
		if in.site == node && !slices.Contains(at, in.dataset) {
			at = append(at, in.dataset)
		}
	}
	return at
}

// MatchesAt tells whether a node is a site of a match: it puts in rows, or is told of some.
func (p *Plan) MatchesAt(node string) bool {
	return p.match != nil && slices.Contains(p.matchSites(), node)
}

// usesVault tells whether the job concerns what nodes keep of the dataset under engine
// mhe.
func (p *Plan) usesVault() bool {
	return p.custody != nil && !p.onShares() || p.answers != nil || p.mixed != nil
}

// keepsNothing tells whether a node takes part in the job also if it can keep nothing:
// it then has nothing to give up.
func (p *Plan) keepsNothing(self string) bool {
	if _, site := p.Dataset.Site(self); site {
		return false
	}
	if p.custody == (depositing{}) {
		return !slices.Contains(p.Detail.(*deposited).at, self)
	}
	return p.custody == withdrawing{}
}

func (n *keeping) isSite() bool {
	_, ok := n.plan.Dataset.Site(n.self)
	return ok
}

func (n *keeping) index() mpc.PartyID { return mpc.PartyID(n.roster.NodeIndex(n.self)) }

func (n *keeping) takesPart(node string) bool {
	return slices.Contains(n.roster.Participants(n.job), node)
}

// checkStored is CheckVault for a stored job.
func (n *keeping) checkStored() error {
	stored, err := n.vault.Deposit()
	if errors.Is(err, ErrNoDeposit) && !n.isSite() {
		return n.notNeeded()
	}
	if err != nil {
		return err
	}
	defer stored.Close()
	h, err := n.openDeposit(stored.Deposit())
	if err != nil {
		return err
	}
	if !n.isSite() && !slices.Contains(h.At, n.self) {
		return n.notNeeded()
	}
	if !slices.ContainsFunc(h.At, n.takesPart) {
		return fmt.Errorf("the deposit is kept at %s, and none of them takes part in the job: name one under nodes", strings.Join(h.At, ", "))
	}
	circuit, err := n.plan.circuit(h.columns())
	if err != nil {
		return err
	}
	if err := checkSupply(h.manifests, circuit.Columns()); err != nil {
		return err
	}
	if !n.isSite() || n.plan.mixed != nil && !slices.Contains(n.plan.mixed.sites, n.self) {
		return nil
	}
	e, budget, err := stored.Key()
	if err != nil {
		return err
	}
	defer e.Erase()
	if err := n.plan.vault.fits(e, n.index()); err != nil {
		return err
	}
	if need, left := n.plan.opens().Ciphertexts, budget.Left(); need > left {
		return fmt.Errorf("ciphertexts to open: %d, left: %d: %w; run consilium rekey and deposit", need, left, mhe.ErrSpent)
	}
	return nil
}

// notNeeded says that a job on what is deposited should not name this node.
func (n *keeping) notNeeded() error {
	return fmt.Errorf("%s holds no rows of dataset %s and keeps none of its ciphertexts: leave it out of nodes", n.self, n.plan.Dataset.Name)
}

// mostSupply caps the ciphertexts, in bytes, that a site which answers has in memory.
const mostSupply = 4 << 30

// checkSupply refuses a job on more of what is deposited than a site can hold.
func checkSupply(manifests []*mhe.Manifest, columns []string) error {
	size := 0
	for _, m := range manifests {
		for _, c := range m.Columns {
			if slices.Contains(columns, c.Name) {
				size += len(c.Hashes) * mhe.StoredSize()
			}
		}
	}
	if size > mostSupply {
		return fmt.Errorf("the job takes %.1f GB of ciphertexts at each site that answers, at most %.1f are allowed: name fewer columns", float64(size)/1e9, float64(mostSupply)/1e9)
	}
	return nil
}
