package protocols

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/big"
	"math/bits"
	"slices"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// custody is what a job does to the vaults of a dataset, in place of an analysis of its
// rows: to make a key, to deposit, to withdraw. It reveals nothing of any row.
type custody interface {
	// name is the word in the job file, and engine the engine of which it is.
	name() string
	engine() string
	// reads tells whether sites read their rows for it.
	reads() bool
	// plan checks the job's arguments and completes the plan: what it reveals, who
	// takes part beside the sites, and the custody's own detail.
	plan(p *Plan, j *job.Job, r *job.Roster) error
	// check says why this node cannot take its part with what its vault has.
	check(n *keeping) error
	// perform is this node's part. It returns what all sites tell the recipient in the
	// clear, alike: the outputs; and what is in force once all have ended well.
	perform(w *work, s *mpc.Session) ([]word, Change)
	// outputs names the words.
	outputs() []string
	// result tells what has been done.
	result(p *Plan, opened Opened) *Result
	// says is what a job's statement says of it, a whole sentence an item.
	says(p *Plan, r *job.Roster) []string
}

// custodies returns all that can be done to what nodes keep.
func custodies() []custody {
	return []custody{rekey{}, depositing{}, withdrawing{}, sharing{}, removing{}, refreshing{}, rebuilding{}}
}

// custodyOf returns the custody that a job names: of its engine or, where there is none,
// of another.
func custodyOf(j *job.Job) (custody, bool) {
	var found custody
	for _, c := range custodies() {
		if c.name() == j.Analysis && (found == nil || c.engine() == j.Engine) {
			found = c
		}
	}
	return found, found != nil
}

// onShares tells whether the plan changes what parties keep as shares.
func (p *Plan) onShares() bool { return p.custody != nil && p.custody.engine() == job.EngineShares }

// word is an output that is no secret and the same at all sites, such as the number of
// a key epoch.
type word = [sha256.Size]byte

// jobOutput is the job's own number among what is opened: it names what was deposited.
const jobOutput = "job"

// planCustody is planFor for what is done to vaults.
func planCustody(c custody, j *job.Job, r *job.Roster) (*Plan, error) {
	switch {
	case j.Engine != c.engine():
		return nil, fmt.Errorf("%s is of engine %s; say engine: %s", c.name(), c.engine(), c.engine())
	case j.Stored:
		return nil, fmt.Errorf("%s asks nothing of what is stored; leave out stored", c.name())
	case j.Where != "":
		return nil, fmt.Errorf("%s concerns all rows; leave out where, and name conditions as filters of a deposit", c.name())
	}
	d, err := checkTable(j, r)
	if err != nil {
		return nil, err
	}
	p := &Plan{Analysis: c.name(), Engine: j.Engine, Dataset: d, custody: c}
	if err := c.plan(p, j, r); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name(), err)
	}
	if p.onShares() {
		return p, checkPresent(r, j, r.Parties)
	}
	return p, checkPresent(r, j, slices.Concat(siteNames(d), p.beside))
}

// checkPresent refuses a job in which one of those nodes takes no part.
func checkPresent(r *job.Roster, j *job.Job, needed []string) error {
	participants := r.Participants(j)
	for _, name := range needed {
		if !slices.Contains(participants, name) {
			return fmt.Errorf("nodes: %s has to take part in the job; name it, or no nodes at all", name)
		}
	}
	return nil
}

// vaultShape is what follows from the roster for the keys of a dataset's vault.
type vaultShape struct {
	quorum   *mhe.Quorum
	bits     int // every sum of products is smaller than 2^bits
	openings int
}

// vaultOf works it out. The sums are as wide as products of two columns under one
// filter can be and, in a vault for engine mixed, as many of these with their masks.
func vaultOf(d *job.Dataset, r *job.Roster) (*vaultShape, error) {
	quorum, err := mhe.NewQuorum(slices.Sorted(slices.Values(siteIndexes(d, r))), d.Quorum())
	if err != nil {
		return nil, err
	}
	v := &vaultShape{quorum: quorum, openings: d.Openings()}
	for i := range d.Schema.Columns {
		c := &d.Schema.Columns[i]
		if wide := pairBits(d, c); c.Type != job.Text && wide <= mhe.StoredBits() {
			v.bits = max(v.bits, wide)
			if masked := mhe.ConversionBits(mixedSums, wide, len(d.Sites)); d.Vault.Mixed && masked <= mhe.StoredBits() {
				v.bits = max(v.bits, masked)
			}
		}
	}
	if v.bits == 0 {
		return nil, fmt.Errorf("dataset %s has no column of numbers that could be deposited", d.Name)
	}
	if _, err := v.answers(1); err != nil {
		return nil, fmt.Errorf("vault of dataset %s: %w; let the study declare fewer openings", d.Name, err)
	}
	return v, nil
}

// answers is how so many sums are opened.
func (v *vaultShape) answers(sums int) (*mhe.Answers, error) {
	return mhe.NewAnswers(sums, v.bits, v.quorum, v.openings)
}

// storedBits is how many bits a column's numbers have in a vault, where 1 is the least.
func storedBits(c *job.Column) int { return max(1, c.Bits()) }

// pairBits is how many bits a sum of the column's squares has, under a filter.
func pairBits(d *job.Dataset, c *job.Column) int {
	return bits.Len(uint(d.Rows())) + 2*storedBits(c) + 1
}

// siteIndexes are the sites' places in the roster, in the dataset's order.
func siteIndexes(d *job.Dataset, r *job.Roster) []mpc.PartyID {
	var out []mpc.PartyID
	for _, s := range d.Sites {
		out = append(out, mpc.PartyID(r.NodeIndex(s.Node)))
	}
	return out
}

// fits refuses a key epoch that was made for another study than this one.
func (v *vaultShape) fits(e *mhe.Epoch, self mpc.PartyID) error {
	same := e.Bits == v.bits && e.Openings == v.openings && e.Quorum.Need() == v.quorum.Need() &&
		slices.Equal(e.Quorum.Holders(), v.quorum.Holders()) && e.Holder() == self
	if !same {
		return fmt.Errorf("%v was made before the study changed the dataset's sites, rows, columns or vault: run consilium rekey", e)
	}
	return nil
}

// openWords reads what all sites tell alike.
func (b *binding) openWords(shares []*job.SealedShare) (Opened, error) {
	opened := Opened{jobOutput: {new(big.Int).SetBytes(b.id[:])}}
	first := shares[0]
	for i, name := range b.plan.custody.outputs() {
		own := first.Outputs[i].Ciphertext
		if len(own) != len(word{}) {
			return nil, fmt.Errorf("output %s of %s has %d bytes, want %d", name, first.Party, len(own), len(word{}))
		}
		for _, share := range shares[1:] {
			if !bytes.Equal(share.Outputs[i].Ciphertext, own) {
				return nil, fmt.Errorf("%s and %s differ in output %s: one of them is faulty or cheating", first.Party, share.Party, name)
			}
		}
		opened[name] = []*big.Int{new(big.Int).SetBytes(own)}
	}
	return opened, nil
}

// hashIn reads a word among what was opened.
func hashIn(opened Opened, name string) job.Hash {
	var h job.Hash
	opened[name][0].FillBytes(h[:])
	return h
}

// finishCustody tells what was done, once the words are there.
func (p *Plan) finishCustody(opened Opened) (*Result, error) {
	for _, name := range slices.Concat([]string{jobOutput}, p.custody.outputs()) {
		if x := opened[name]; len(x) != 1 || x[0].Sign() < 0 || x[0].BitLen() > 8*len(word{}) {
			return nil, fmt.Errorf("the opened result lacks %s", name)
		}
	}
	return p.custody.result(p, opened), nil
}

// keep is this node's part in a job on vaults: its share of the result, in the clear,
// and what is to be committed.
func (w *work) keep(s *mpc.Session) (*job.SealedShare, Change) {
	words, change := w.plan.custody.perform(w, s)
	if !w.isParty() || s.Err() != nil {
		return nil, change
	}
	share := &job.SealedShare{Party: w.Self, Session: w.session}
	for i, name := range w.plan.custody.outputs() {
		share.Outputs = append(share.Outputs, job.SealedOutput{Name: name, Ciphertext: words[i][:]})
	}
	share.Sign(w.id, w.Key)
	return share, change
}

// sameAtSites compares a word of this site with that of every other, and ends the
// session with what is to be done where it differs.
func (w *work) sameAtSites(s *mpc.Session, own word, what, remedy string) {
	theirs := mpc.Exchange(s, w.parties, own[:])
	for _, p := range w.parties {
		if p != w.self && s.Err() == nil && !bytes.Equal(theirs[p], own[:]) {
			s.Fail(fmt.Errorf("%s has another %s than %s: %s", s.Name(p), what, w.Self, remedy))
		}
	}
}
