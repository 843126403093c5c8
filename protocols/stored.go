package protocols

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// A stored job is asked of what the sites have deposited, not of their files: a quorum
// of the sites, whom the job names, adds up products of stored columns under
// encryption and opens the sums for the recipient alone, who finishes them as under
// engine mhe. Each site computes the sums itself, from ciphertexts that it keeps or
// that a keeper in the session sends it and that have the hashes which the sites signed.

// planStored completes a plan from sums for what is stored.
func (p *Plan) planStored(j *job.Job, r *job.Roster) error {
	if err := p.sumsSuffice(); err != nil {
		return err
	}
	var err error
	if p.vault, err = vaultOf(p.Dataset, r); err != nil {
		return err
	}
	if n := len(r.Sealers(j)); n != p.Dataset.Quorum() {
		return fmt.Errorf("what is stored is opened by exactly %d of the sites %s, and %d of them take part: name them under nodes", p.Dataset.Quorum(), strings.Join(siteNames(p.Dataset), ", "), n)
	}
	p.beside = notSites(p.Dataset, r.Participants(j))
	p.answers, err = p.vault.answers(p.sums())
	return err
}

// storedTerm is how many columns a term has at most: a product has room for one more,
// which says what rows count.
const storedTerm = mhe.MaxFactors - 1

// sumsSuffice refuses sums that are no sums of products of few columns.
func (p *Plan) sumsSuffice() error {
	for _, s := range p.Summaries {
		if len(s.Groups) > 0 || slices.ContainsFunc(s.Terms, func(t job.Term) bool { return len(t) > storedTerm }) {
			return &Unsupported{
				What: fmt.Sprintf("%s by groups, or over more than its columns' products in pairs, of what is stored", p.Analysis),
				Hint: "one group at a time can be asked for by where, if it is deposited as a filter; or " + p.unstored(),
			}
		}
	}
	if p.sums() > mhe.MaxTerms {
		return fmt.Errorf("the result would have %d sums, at most %d of what is stored are possible; ask for fewer columns", p.sums(), mhe.MaxTerms)
	}
	return nil
}

// held is a deposit whose manifests were read and checked.
type held struct {
	*Deposit
	manifests []*mhe.Manifest // in the order of the dataset's sites
}

// columns are those that every site has deposited.
func (h *held) columns() []mhe.Column { return h.manifests[0].Columns }

// openDeposit checks a deposit against the study: it is of this dataset as it is
// declared, and each site has signed what is said to be its manifest.
func (b *binding) openDeposit(d *Deposit) (*held, error) {
	sites := siteIndexes(b.plan.Dataset, b.roster)
	h := &held{Deposit: d}
	if len(d.Manifests) != len(sites) || len(d.Signatures) != len(sites) {
		return nil, errOtherStudy
	}
	for i, site := range sites {
		m, err := mhe.ParseManifest(d.Manifests[i])
		if err != nil {
			return nil, err
		}
		if m.Site != site || m.Rows != b.plan.Dataset.Sites[i].Rows || m.Epoch != d.Epoch || len(m.Columns) == 0 ||
			!b.signedManifest(d, site, d.Manifests[i], d.Signatures[i]) {
			return nil, errOtherStudy
		}
		if h.manifests = append(h.manifests, m); !slices.EqualFunc(m.Columns, h.columns(), func(x, y mhe.Column) bool { return x.Name == y.Name && x.Bits == y.Bits }) {
			return nil, errOtherStudy
		}
	}
	return h, nil
}

// depositAgain says what mends deposits that differ.
const depositAgain = "run consilium deposit again"

// errOtherStudy says that a deposit does not fit the roster.
var errOtherStudy = errors.New("what is deposited was changed, or is from before the study changed the dataset's sites, rows or columns: run consilium deposit again")

// signedManifest tells whether a site has signed what is said to be its manifest.
func (b *binding) signedManifest(d *Deposit, site mpc.PartyID, manifest, signature []byte) bool {
	return slices.Contains(siteIndexes(b.plan.Dataset, b.roster), site) &&
		job.VerifyManifest(d.Job, b.plan.Dataset, manifest, b.roster.NodeKey(int(site)), signature)
}

// answerStored is a node's part in a stored job: a site answers, and who keeps
// ciphertexts sends them to the sites that do not.
func (w *work) answerStored(s *mpc.Session) *job.SealedShare {
	share, err := w.answer(s)
	if err != nil {
		s.Fail(err)
	}
	return share
}

func (w *work) answer(s *mpc.Session) (*job.SealedShare, error) {
	stored, err := w.Vault.Deposit()
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	h, err := w.openDeposit(stored.Deposit())
	if err != nil {
		return nil, err
	}
	circuit, err := w.plan.circuit(h.columns())
	if err != nil {
		return nil, err
	}
	at := s.Step(stepCompute)
	if !w.sameDeposit(at.Step("deposit"), h) {
		return nil, nil
	}
	supply := &supply{work: w, stored: stored, held: h, columns: circuit.Columns()}
	if !w.isParty() {
		supply.serve(at)
		return nil, nil
	}
	return w.answerCircuit(s, supply, circuit)
}

// sameDeposit compares what is deposited over all who take part.
func (w *work) sameDeposit(s *mpc.Session, h *held) bool {
	own := h.digest()
	theirs := mpc.Exchange(s, w.members(), own[:])
	for _, p := range w.members() {
		if p != w.self && s.Err() == nil && word(theirs[p]) != own {
			s.Fail(fmt.Errorf("%s has another deposit than %s: %s", s.Name(p), w.Self, depositAgain))
		}
	}
	return s.Err() == nil
}

// digest is a hash of all that a deposit is described by.
func (h *held) digest() word {
	return digestOf(append(slices.Clone(h.Manifests), h.Job[:]), append(slices.Clone(h.Signatures), []byte(strings.Join(h.At, "\n"))))
}

// answerCircuit is a site's part once all have the same deposit.
func (w *work) answerCircuit(s *mpc.Session, from *supply, circuit mhe.Circuit) (*job.SealedShare, error) {
	var part mhe.Part
	at := s.Step(stepCompute)
	err := from.use(at, func(e *mhe.Epoch, o mhe.Options, b *mhe.Budget, in []mhe.Input) {
		part = e.Answer(at.Step("answer"), o, b, circuit, in)
	})
	if err != nil || s.Err() != nil {
		return nil, err
	}
	return w.revealPart(s.Step(stepReveal), part), nil
}

// opens is the layout in which sums of what is stored are opened, to whomever.
func (p *Plan) opens() *mhe.Layout {
	if p.mixed != nil {
		return p.mixed.Layout
	}
	return p.answers.Layout
}

// supply brings the ciphertexts of a circuit's columns to the sites that answer.
type supply struct {
	*work
	*held
	stored  StoredDeposit
	columns []string // of the circuit
}

// use has a site that answers do so with its key, and with what it fetches.
func (y *supply) use(s *mpc.Session, answer func(e *mhe.Epoch, o mhe.Options, b *mhe.Budget, in []mhe.Input)) error {
	e, budget, err := y.stored.Key()
	if err != nil {
		return err
	}
	defer e.Erase()
	inputs, err := y.fetch(s, e)
	if err != nil || s.Err() != nil {
		return err
	}
	tree, err := mpc.NewTree(y.answering(), mpc.BranchingFor(len(y.answering()), y.plan.opens().TotalSize()))
	if err != nil {
		return err
	}
	answer(e, mhe.Options{Tree: tree}, budget, inputs)
	return nil
}

// routes says who sends to whom: every site that keeps no ciphertexts has one of the
// keepers who take part.
func (y *supply) routes() map[mpc.PartyID]mpc.PartyID {
	at := y.indexes(y.At)
	keepers := slices.DeleteFunc(slices.Clone(y.members()), func(p mpc.PartyID) bool { return !slices.Contains(at, p) })
	routes := make(map[mpc.PartyID]mpc.PartyID)
	for _, site := range y.answering() {
		if !slices.Contains(at, site) && len(keepers) > 0 {
			routes[site] = keepers[len(routes)%len(keepers)]
		}
	}
	return routes
}

// serve sends to all whose keeper this node is.
func (y *supply) serve(s *mpc.Session) {
	var wg sync.WaitGroup
	for to, keeper := range y.routes() {
		if keeper == y.self {
			step := s.Step("fetch", slices.Index(y.answering(), to))
			wg.Go(func() { y.send(step, to) })
		}
	}
	wg.Wait()
}

// send sends one site all that it needs, in the order in which it asks: site by site,
// column by column.
func (y *supply) send(s *mpc.Session, to mpc.PartyID) {
	for _, m := range y.bySite() {
		for _, name := range y.columns {
			i := slices.IndexFunc(m.Columns, func(c mhe.Column) bool { return c.Name == name })
			for k := range m.Columns[i].Hashes {
				frame, err := y.stored.Ciphertext(m.Site, i, k)
				if err != nil {
					s.Fail(fmt.Errorf("read what is deposited: %w", err))
				}
				if s.Err() != nil {
					return
				}
				s.Send(to, frame)
			}
		}
	}
}

// bySite are the manifests in the order of their sites' places in the roster.
func (y *supply) bySite() []*mhe.Manifest {
	return slices.SortedFunc(slices.Values(y.manifests), func(a, b *mhe.Manifest) int { return int(a.Site - b.Site) })
}

// fetch returns what the circuit is computed on, and meanwhile serves others.
func (y *supply) fetch(s *mpc.Session, e *mhe.Epoch) ([]mhe.Input, error) {
	var serving sync.WaitGroup
	serving.Go(func() { y.serve(s) })
	defer serving.Wait()
	keeper, away := y.routes()[y.self]
	step := s.Step("fetch", slices.Index(y.answering(), y.self))
	var inputs []mhe.Input
	for _, m := range y.bySite() {
		from := y.stored.Ciphertext
		if away {
			from = func(mpc.PartyID, int, int) ([]byte, error) {
				if frame := step.Recv(keeper, mhe.StoredSize()); frame != nil {
					return frame, nil
				}
				return nil, step.Err()
			}
		}
		i := slices.Index(y.manifests, m)
		m, sealed, err := e.Fetch(y.Manifests[i], y.Signatures[i], y.verify, y.columns, func(column, k int) ([]byte, error) { return from(m.Site, column, k) })
		if err != nil && away {
			err = fmt.Errorf("from %s: %w", s.Name(keeper), err)
		}
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, mhe.Input{Manifest: m, Stored: sealed})
	}
	return inputs, nil
}

func (y *supply) verify(site mpc.PartyID, manifest, signature []byte) bool {
	return y.signedManifest(y.Deposit, site, manifest, signature)
}
