package protocols

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
	"consilium/mpc/rss"
)

// A job of engine mixed is asked of what the sites have deposited, and finished by the
// three parties: a quorum of the sites adds up products of stored columns under
// encryption, as for engine mhe, and in place of opening the sums for anybody turns them
// into shares of the parties, who go on as under engine shares. So the study's min_count
// holds, and the recipient learns the final statistic alone.

// mixed is what a plan of engine mixed has besides.
type mixed struct {
	*mhe.Conversion
	sites []string // who answer, in the roster's order
}

// mixedSums is how many sums of one job the keys of a dataset are wide enough for where
// its vault is for engine mixed; jobs of narrow columns may have more.
const mixedSums = 1 << 10

// momentsPlanner is an analysis with a plan for engine mixed of its own, because the
// one for shares asks for rows.
type momentsPlanner interface {
	// PlanMixed is Plan, with summaries alone; Compute and Finish go on from it.
	PlanMixed(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error)
}

// mixedPlanner returns how an analysis plans for engine mixed.
func mixedPlanner(a Analysis) func(*job.Job, *job.Dataset, job.Disclosure) (*Plan, error) {
	if m, ok := a.(momentsPlanner); ok {
		return m.PlanMixed
	}
	return a.Plan
}

// planMixed completes a plan from sums for what is stored and converted.
func (p *Plan) planMixed(j *job.Job, r *job.Roster) error {
	if len(p.Samples) > 0 {
		return &Unsupported{
			What: fmt.Sprintf(`%s with these arguments and engine "mixed"`, p.Analysis),
			Hint: "it needs more than sums over the rows; take engine: shares",
		}
	}
	err := p.sumsSuffice()
	if err != nil {
		return err
	}
	if p.vault, err = vaultOf(p.Dataset, r); err != nil {
		return err
	}
	p.mixed = &mixed{}
	for _, name := range r.Participants(j) {
		if _, site := p.Dataset.Site(name); site && len(p.mixed.sites) < p.Dataset.Quorum() {
			p.mixed.sites = append(p.mixed.sites, name)
		}
	}
	if n := len(p.mixed.sites); n < p.Dataset.Quorum() {
		return fmt.Errorf("what is stored is opened by %d of the sites %s, and %d of them take part: name them under nodes", p.Dataset.Quorum(), strings.Join(siteNames(p.Dataset), ", "), n)
	}
	p.beside = slices.DeleteFunc(notSites(p.Dataset, r.Participants(j)), func(name string) bool { return slices.Contains(r.Parties, name) })
	v := p.vault
	if p.mixed.Conversion, err = mhe.NewStoredConversion(p.sums(), p.widest(), v.bits, v.quorum, v.openings); err != nil {
		return fmt.Errorf("%w: %s", err, p.widen())
	}
	return nil
}

// widest is below which power of two all sums of stored products stay, filters included.
func (p *Plan) widest() int {
	widest := 0
	for _, s := range p.Summaries {
		for _, t := range s.Terms {
			width := bits.Len(uint(p.Dataset.Rows())) + mhe.MaxFactors - len(t)
			for _, name := range t {
				c, _ := p.Dataset.Schema.Column(name)
				width += storedBits(c)
			}
			widest = max(widest, width)
		}
	}
	return widest
}

// widen says what mends keys that are too narrow.
func (p *Plan) widen() string {
	if p.Dataset.Vault.Mixed {
		return "ask for fewer columns, or for such of smaller ranges"
	}
	return fmt.Sprintf("engine mixed needs a study that declares vault: {mixed: true} for dataset %s; then run consilium rekey and consilium deposit", p.Dataset.Name)
}

// keepable refuses to keep a dataset of which nothing could be asked.
func keepable(d *job.Dataset, rules job.Disclosure) error {
	if rules.MinCount > 0 && !d.Vault.Mixed {
		return fmt.Errorf("the study hides what tells of fewer than %d patients, and of what is stored under engine mhe only engine mixed does so: let the study declare vault: {mixed: true} for dataset %s", rules.MinCount, d.Name)
	}
	return showable(d, job.Disclosure{})
}

// mixedBy is computedBy for engine mixed.
func (p *Plan) mixedBy(r *job.Roster) string {
	return fmt.Sprintf("It is computed by %s, on ciphertexts under a key that all sites hold together, without their files: %s They add up and open nothing; their sums go, as random shares, to %s, who compute the rest. No fewer sites together with any single one of these parties learn anything of rows, of sums or of the result, as long as they keep to the protocol; two parties that pool their shares do.",
		people(r, p.mixed.sites), quorumMeans(p.Dataset), people(r, r.Parties))
}

// answering are the sites that compute on what is stored.
func (b *binding) answering() []mpc.PartyID {
	if b.plan.mixed != nil {
		return b.indexes(b.plan.mixed.sites)
	}
	return b.parties()
}

// computeMixed is a node's part in a job of engine mixed.
func (w *work) computeMixed(s *mpc.Session) *job.SealedShare {
	at := s.Step(stepSeal)
	parts, err := w.converted(at)
	if err != nil {
		at.Fail(err)
	}
	// The sites may have computed for longer than parties wait for a frame.
	mpc.Meet(at.Step("converted"), w.members())
	if !w.isParty() && !slices.Contains(w.answering(), w.self) || s.Err() != nil {
		return nil
	}
	sums := dealt(at, w.answering(), w.plan.mixed.Values, parts)
	if !w.isParty() {
		return nil
	}
	outputs := w.plan.Compute(s.Step(stepCompute), Inputs{Sums: w.plan.cut(s, sums)})
	return w.reveal(s.Step(stepReveal), outputs)
}

// converted is a node's part until the sums are shares of the sites: it returns those
// of this one, if it answers.
func (w *work) converted(s *mpc.Session) ([]*big.Int, error) {
	stored, err := w.kept()
	if err != nil {
		return nil, err
	}
	var h *held
	if stored != nil {
		defer stored.Close()
		if h, err = w.openDeposit(stored.Deposit()); err != nil {
			return nil, err
		}
	}
	if !w.sameKept(s.Step("deposit"), h) || h == nil {
		return nil, nil
	}
	circuit, err := w.plan.circuit(h.columns())
	if err != nil {
		return nil, err
	}
	supply := &supply{work: w, stored: stored, held: h, columns: circuit.Columns()}
	if !slices.Contains(w.answering(), w.self) {
		supply.serve(s)
		return nil, nil
	}
	var parts []*big.Int
	return parts, supply.use(s, func(e *mhe.Epoch, o mhe.Options, b *mhe.Budget, in []mhe.Input) {
		parts = e.Convert(s.Step("convert"), o, b, w.plan.mixed.Conversion, circuit, in)
	})
}

// onlyComputes tells whether a node is a party and no site: it may keep something of
// the deposit, or nothing.
func (w *work) onlyComputes(p mpc.PartyID) bool {
	return slices.Contains(w.parties, p) && !slices.Contains(w.sites, p)
}

// kept returns what this node keeps of the deposit; nil at a party that keeps nothing.
func (w *work) kept() (StoredDeposit, error) {
	if w.Vault == nil {
		return nil, nil // CheckVault has let it pass
	}
	stored, err := w.Vault.Deposit()
	if errors.Is(err, ErrNoDeposit) && w.onlyComputes(w.self) {
		return nil, nil
	}
	return stored, err
}

// sameKept compares what is deposited over all who take part and keep something.
func (w *work) sameKept(s *mpc.Session, h *held) bool {
	var own word // of who keeps nothing
	if h != nil {
		own = h.digest()
	}
	theirs := mpc.Exchange(s, w.members(), own[:])
	for _, p := range w.members() {
		if h == nil || p == w.self || s.Err() != nil {
			continue
		}
		nothing := word(theirs[p]) == word{} && w.onlyComputes(p) && !slices.Contains(w.indexes(h.At), p)
		if word(theirs[p]) != own && !nothing {
			s.Fail(fmt.Errorf("%s has another deposit than %s: %s", s.Name(p), w.Self, depositAgain))
		}
	}
	return s.Err() == nil
}

// cut gives each summary of the plan its part of all sums.
func (p *Plan) cut(s *mpc.Session, all rss.Vec128) map[string]rss.Vec128 {
	sums, at := map[string]rss.Vec128{}, 0
	for _, summary := range p.Summaries {
		sums[summary.Name] = rss.Slice(s, all, at, at+summary.Len())
		at += summary.Len()
	}
	return sums
}
