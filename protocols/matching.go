package protocols

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/organ/policy"
	"consilium/protocols/match"
)

// A match is asked of lists by a policy, in place of an analysis of a table's rows.
// Every site commits to the rows that it puts in and shares them out; the three
// parties run the policy on shares; what the recipient may see is sealed to it as any
// result, and what a site may see of its own rows the parties send to that site alone,
// in as many bytes whatever the match gave.

// matchKind is one match, with what its kind works out of the job's arguments.
type matchKind interface {
	// compute maps sealed rows, by Plan.match.inputs, to what will be revealed.
	compute(s *mpc.Session, p *Plan, in []*listShares) *matchOutputs
	// finish tells the recipient's result, of status ok.
	finish(p *Plan, opened Opened) (*Result, error)
	// finishSite tells a site's own part, of what the parties told it and what it keeps.
	finishSite(p *Plan, run *MatchRun, opened Opened) (*Result, error)
	// says is what a job's statement says of it, a whole sentence an item.
	says(p *Plan, r *job.Roster) []string
}

// matchKinds are the kinds of matches by the word in the job file: each checks the
// job's arguments, and completes a plan whose policy and lists are known.
func matchKinds() map[string]func(*Plan, *job.Job, *job.Roster) (matchKind, error) {
	return map[string]func(*Plan, *job.Job, *job.Roster) (matchKind, error){
		MatchRank:     planRank,
		MatchExchange: planExchange,
		MatchCPRA:     planCPRA,
	}
}

// matchPlan is the public side of a match.
type matchPlan struct {
	kind   matchKind
	policy *policy.Policy
	day    time.Time    // to which dates count, in UTC
	inputs []*listInput // in the order in which they are committed to
	told   map[string][]Output
	words  []string          // how it may end but for ok, in the order of their precedence
	why    map[string]string // explanations of words that mean something of their own here
	next   *nextRow          // in place of kind: one row of a run of before
}

// reason explains how a match ended.
func (m *matchPlan) reason(word string) string {
	if why, ok := m.why[word]; ok {
		return why
	}
	return explanations[word]
}

// listInput is what one site puts into a match: rows of one side of a list.
type listInput struct {
	site    string // node
	dataset string
	side    job.Side
	rows    int    // that are sealed
	label   string // of the one row that is meant; empty: all
	columns []policy.InputInfo
	places  []int // of the columns among those of the policy's side; nil: all of these
	bitwise bool  // words of sets are sealed bit by bit: see sealedBits
}

// numbers is how many columns are sealed.
func (in *listInput) numbers() int {
	if in.bitwise {
		return sealedBits(in.columns)
	}
	return len(in.columns)
}

// sealed are the columns that are sealed of rows.
func (in *listInput) sealed(columns [][]int64) [][]int64 {
	if in.bitwise && columns != nil {
		return bitColumns(in.columns, columns)
	}
	return columns
}

// listShares is a listInput as parties hold it: a column for each of its inputs, or of
// their bits.
type listShares struct {
	*listInput
	values []rss.Vec
}

// matchOutputs is what a match computed, on shares. All of it is products: nothing but
// its values can be learned from the three components of each.
type matchOutputs struct {
	office map[string]rss.Vec            // by Plan.revealed
	sites  map[string]map[string]rss.Vec // by site, and matchPlan.told
	kept   *match.Rows                   // what the parties keep, to be revealed row by row; nil: nothing
}

// planMatch is PlanJob for a match.
func planMatch(j *job.Job, r *job.Roster) (*Plan, error) {
	p, err := newMatch(j, r)
	if err != nil {
		return nil, err
	}
	if p.match.kind, err = matchKinds()[j.Analysis](p, j, r); err != nil {
		return nil, fmt.Errorf("%s: %w", j.Analysis, err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", j.Analysis, err)
	}
	return p, checkPresent(r, j, slices.Concat(r.Parties, p.matchSites()))
}

// newMatch begins the plan of a match of a list by its policy.
func newMatch(j *job.Job, r *job.Roster) (*Plan, error) {
	switch {
	case j.Engine != job.EngineShares:
		return nil, fmt.Errorf("%s is of engine shares; say engine: shares", j.Analysis)
	case j.Stored || j.Where != "":
		return nil, fmt.Errorf("%s is of all rows of its lists; leave out where and stored", j.Analysis)
	}
	d, err := checkStudy(j, r)
	if err != nil {
		return nil, err
	}
	if !d.IsList() {
		return nil, fmt.Errorf("%s is of lists, and dataset %s is a table: %s", j.Analysis, d.Name, job.Near(d.Name, lists(r)))
	}
	m := &matchPlan{told: map[string][]Output{}}
	if m.policy, err = PolicyOf(r, d.List.Policy); err != nil {
		return nil, err
	}
	return &Plan{Analysis: j.Analysis, Engine: j.Engine, Dataset: d, match: m}, nil
}

// lists names the datasets that are lists.
func lists(r *job.Roster) []string {
	var names []string
	for i := range r.Datasets {
		if r.Datasets[i].IsList() {
			names = append(names, r.Datasets[i].Name)
		}
	}
	return names
}

// matchArgs reads the arguments that all matches have: the policy by its hash, and the
// day to which dates count.
func (m *matchPlan) matchArgs(args *job.Args) error {
	hash, day := args.String(ArgPolicy), args.String(ArgDay)
	err := args.Err()
	if err == nil {
		err = m.isPolicy(hash)
	}
	if err != nil {
		return err
	}
	if m.day, err = time.Parse(time.DateOnly, day); err != nil {
		return fmt.Errorf("argument day is %.20q: write it as 2024-01-31", day)
	}
	return nil
}

// isPolicy holds an argument against the list's policy.
func (m *matchPlan) isPolicy(hash string) error {
	if hash != m.policy.Hash.String() {
		return fmt.Errorf("argument policy is %.64q: give the hash of the list's policy %s, which is %s", hash, m.policy.Name, m.policy.Hash)
	}
	return nil
}

// readsList adds what a side of a list puts in at all its sites.
func (p *Plan) readsList(d *job.Dataset, side job.Side, columns []policy.InputInfo) {
	for _, s := range d.Sites {
		p.match.inputs = append(p.match.inputs, &listInput{site: s.Node, dataset: d.Name, side: side, rows: s.Rows, columns: columns})
	}
	if !slices.Contains(p.lists, d.Name) {
		p.lists = append(p.lists, d.Name)
	}
	for _, name := range ListColumns(p.match.policy, side) {
		if !slices.Contains(p.columns, name) {
			p.columns = append(p.columns, name)
		}
	}
}

// maxDays is how far the day of a match may lie from a node's own: somewhere it is
// tomorrow already.
const maxDays = 1

// CheckClock refuses a match for another day than the node's own.
func (p *Plan) CheckClock(now time.Time) error {
	if p.match == nil || p.match.next != nil {
		return nil
	}
	today := now.UTC().Truncate(24 * time.Hour)
	if apart := p.match.day.Sub(today).Abs(); apart > maxDays*24*time.Hour {
		return fmt.Errorf("argument day is %s and it is %s here: ask for today, and check both clocks", p.match.day.Format(time.DateOnly), today.Format(time.DateOnly))
	}
	return nil
}

// matchSites are the sites that put rows in, or are told of a run's next row, each once.
func (p *Plan) matchSites() []string {
	if p.match.next != nil {
		return p.match.next.hospitals
	}
	var names []string
	for _, in := range p.match.inputs {
		if !slices.Contains(names, in.site) {
			names = append(names, in.site)
		}
	}
	return names
}

// match is this node's part in a match: its share of the result, if it is a party, and
// what it keeps of the run, if it is a site.
func (w *work) match(s *mpc.Session) (*job.SealedShare, Change) {
	if w.plan.match.next != nil {
		return w.nextRow(s)
	}
	run := w.newMatchRun()
	own := w.readLists(s, run)
	w.commit(s.Step(stepCommit), run)
	shares := w.sealLists(s, own)
	var out *matchOutputs
	if w.isParty() && s.Err() == nil {
		out = w.plan.match.kind.compute(s.Step(stepCompute), w.plan, shares)
	}
	told := w.tell(s, out)
	var share *job.SealedShare
	var kept changes
	if w.isParty() && s.Err() == nil {
		share = w.sealMatch(s, run.Commitments, out)
		kept.add(w.keepRows(s, run.Commitments, out.kept))
	}
	if w.isSite() && s.Err() == nil {
		kept.add(w.keepRun(s, run, told))
	}
	return share, kept.one()
}

// sealLists shares out the rows of every site.
func (w *work) sealLists(s *mpc.Session, own [][][]int64) []*listShares {
	var out []*listShares
	for i, in := range w.plan.match.inputs {
		from := mpc.PartyID(w.roster.NodeIndex(in.site))
		if !w.isParty() && from != w.self {
			continue
		}
		n := in.rows * in.numbers()
		var flat ring.Vec64
		if from == w.self {
			for _, column := range in.sealed(own[i]) {
				flat = append(flat, ring.FromInt64(column)...)
			}
			if s.Err() != nil {
				flat = make(ring.Vec64, n)
			}
		}
		x := rss.Input(s.Step(stepSeal, i), from, n, flat)
		if !w.isParty() {
			continue
		}
		shares := &listShares{listInput: in}
		for k := range in.numbers() {
			shares.values = append(shares.values, rss.Slice(s, x, k*in.rows, (k+1)*in.rows))
		}
		out = append(out, shares)
	}
	return out
}

// ending is what a match may end with but for ok: where its count, of one element
// below 2^32, is 0 or, if that is said, where it is not.
type ending struct {
	count   rss.Vec
	nonzero bool
}

// matchStatus says on shares how a match ends: status is the place, from 1, of the
// first ending that holds, and ok is 1 where none does. About 14 rounds. Leaks nothing.
func matchStatus(s *mpc.Session, endings ...ending) (ok, status rss.Vec) {
	var counts []rss.Vec
	for _, e := range endings {
		counts = append(counts, e.count)
	}
	isZero := rss.EqualPublic(s.Step("zero"), rss.Concat(s, counts...), 0, countBits).Across()
	var reasons []rss.Bits
	for i, e := range endings {
		reason := isZero.Plane(i)
		if e.nonzero {
			reason = rss.Not(s, reason)
		}
		reasons = append(reasons, reason)
	}
	firsts := rss.ToArith(s.Step("words"), firstOf(s.Step("first"), rss.ConcatPlanes(reasons...)))
	status = rss.Zero[ring.Vec64](1)
	for i := range firsts.Len() {
		status = rss.Add(s, status, rss.Scale(s, rss.Slice(s, firsts, i, i+1), int64(i+1)))
	}
	return rss.AddConst(s, rss.Neg(s, rss.Sum(s, firsts)), 1), status
}

// commitmentsOutput is the name of the output that says to which rows each site has
// committed itself, in the clear.
const commitmentsOutput = "commitments"

// sealMatch seals this party's share to the recipient, as reveal does.
func (w *work) sealMatch(s *mpc.Session, commitments []Commitment, out *matchOutputs) *job.SealedShare {
	share := &job.SealedShare{Party: w.Self, Session: w.session, Outputs: []job.SealedOutput{
		{Name: commitmentsOutput, Ciphertext: commitmentBytes(commitments)},
	}}
	w.sealOffice(s, share, out)
	if s.Err() != nil {
		return nil
	}
	share.Sign(w.id, w.Key)
	return share
}

// sealOffice seals what is revealed of a match to the recipient.
func (w *work) sealOffice(s *mpc.Session, share *job.SealedShare, out *matchOutputs) {
	to := w.recipientKey(s)
	for _, o := range w.plan.revealed() {
		x := out.office[o.Name]
		if x.Len() != o.Len {
			s.Fail(fmt.Errorf("%s gives %d elements of %s, its plan has %d", w.plan.Analysis, x.Len(), o.Name, o.Len))
		}
		w.sealTo(s, to, share, o.Name, encodeShare(x))
	}
}

// sealTo adds an output that is sealed to the recipient.
func (w *work) sealTo(s *mpc.Session, to hpke.PublicKey, share *job.SealedShare, name string, plain []byte) {
	if s.Err() != nil {
		return
	}
	_, kdf, aead := suite()
	sealed, err := hpke.Seal(to, kdf, aead, job.SealInfo(w.id, w.session, w.Self, name), plain)
	if err != nil {
		s.Fail(fmt.Errorf("seal output %s: %w", name, err))
		return
	}
	share.Outputs = append(share.Outputs, job.SealedOutput{Name: name, Ciphertext: sealed})
}

// openMatch opens what the parties sealed to the recipient.
func (b *binding) openMatch(key hpke.PrivateKey, ordered []*job.SealedShare) (Opened, error) {
	opened := Opened{jobOutput: {new(big.Int).SetBytes(b.id[:])}}
	if b.plan.match.next != nil {
		return opened, b.openNext(key, ordered, opened)
	}
	commitments := ordered[0].Outputs[0].Ciphertext
	for _, share := range ordered[1:] {
		if !bytes.Equal(share.Outputs[0].Ciphertext, commitments) {
			return nil, fmt.Errorf("%s and %s had other commitments to rows from a site: it, or one of them, is cheating", ordered[0].Party, share.Party)
		}
	}
	if len(commitments) != len(b.plan.match.inputs)*len(job.Hash{}) {
		return nil, errors.New("the commitments of the sites are not there")
	}
	for c := range slices.Chunk(commitments, len(job.Hash{})) {
		opened[commitmentsOutput] = append(opened[commitmentsOutput], new(big.Int).SetBytes(c))
	}
	return opened, b.openOffice(key, ordered, 1, opened)
}

// openOffice opens what sealOffice sealed, from the first of the shares' outputs on.
func (b *binding) openOffice(key hpke.PrivateKey, ordered []*job.SealedShare, first int, opened Opened) error {
	for i, o := range b.plan.revealed() {
		parts := make([]rss.Vec, len(ordered))
		for role, share := range ordered {
			plain, err := b.openSealed(key, share.Party, o.Name, share.Outputs[first+i].Ciphertext)
			if err != nil {
				return err
			}
			if parts[role], err = decodeParts[ring.Vec64](plain, o.Len); err != nil {
				return fmt.Errorf("output %s of %s has the wrong length: %w", o.Name, share.Party, err)
			}
		}
		total, err := join(b.roster.Parties, parts)
		if err != nil {
			return fmt.Errorf("output %s: %w", o.Name, err)
		}
		opened[o.Name] = bigs(total)
	}
	return nil
}

func bigs(v ring.Vec64) []*big.Int {
	out := make([]*big.Int, len(v))
	for i, x := range v.Int64() {
		out[i] = big.NewInt(x)
	}
	return out
}

// finishMatch reads the status, and the rows where it is ok.
func (p *Plan) finishMatch(opened Opened) (*Result, error) {
	if k := p.match.next; k != nil {
		return k.finishNext(p, opened)
	}
	for _, o := range p.revealed() {
		if len(opened[o.Name]) != o.Len {
			return nil, fmt.Errorf("the opened result lacks %s", o.Name)
		}
	}
	if len(opened[jobOutput]) != 1 || len(opened[commitmentsOutput]) != len(p.match.inputs) {
		return nil, errors.New("the opened result lacks the commitments of the sites")
	}
	word, err := p.statusWord(opened)
	if err != nil {
		return nil, err
	}
	result := &Result{Status: word, Reason: p.match.reason(word), Value: map[string]any{"rows": []any{}}}
	if word == statusOK {
		if result, err = p.match.kind.finish(p, opened); err != nil {
			return nil, err
		}
	}
	value := result.Value.(map[string]any) // of every kind
	value["run"], value["policy"], value["policy_hash"], value["day"] = hashIn(opened, jobOutput).String(), p.match.policy.Name, p.match.policy.Hash.String(), p.match.day.Format(time.DateOnly)
	var commitments []any
	for _, c := range p.commitmentsIn(opened) {
		commitments = append(commitments, map[string]any{"site": c.Site, "list": c.List, "side": string(c.Side), "commitment": c.Hash.String()})
	}
	value[commitmentsOutput] = commitments
	return result, nil
}

// commitmentsIn are the sites' commitments as the recipient opened them.
func (p *Plan) commitmentsIn(opened Opened) []Commitment {
	out := make([]Commitment, len(p.match.inputs))
	for i, in := range p.match.inputs {
		out[i] = in.commitment()
		opened[commitmentsOutput][i].FillBytes(out[i].Hash[:])
	}
	return out
}

// matchStatement is Statement for a match.
func (p *Plan) matchStatement(j *job.Job, r *job.Roster) []string {
	m := p.match
	if m.next != nil {
		return append(m.next.saysNext(p, r), p.computedBy(j, r), everybodySees)
	}
	lines := []string{"Or nothing but one of these words: " + strings.Join(m.words, ", ") + "."}
	lines = append(lines, m.kind.says(p, r)...)
	if r.Disclosure.MinCount > 0 {
		lines = append(lines, "The study's minimum count does not hold for matches: their rows are of single patients, and a panel has its policy's own minimum.")
	}
	return append(lines,
		fmt.Sprintf("The rules are those of policy %s, version %s, hash %s, and dates count to %s.", m.policy.Name, m.policy.Version, m.policy.Hash.Short(), m.day.Format(time.DateOnly)),
		p.computedBy(j, r),
		"Every site commits to the rows that it puts in: the commitments are in the record of the run and tell nothing of the rows.",
		everybodySees)
}
