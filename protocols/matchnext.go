package protocols

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"consilium/job"
)

// MatchNext is the word in a job for one rank of a match run with reveal: next.
//
// The run's own office asks, by the same keys, for rank n, once rank n-1 has been
// answered: every hospital of the list sends each party, in as many bytes, its signed
// answer or none; the parties check it, and on shares that the hospital which answers is
// the one whose candidate was offered. Each writes that rank n is being revealed, with
// the answer, before anything of it leaves. The office gets the row and the answer to
// the one before, every hospital as many bytes, zeros unless the row is its own.
const MatchNext = "match.next"

// Arguments of match.next beside the policy.
const (
	ArgRun      = "run"
	ArgSequence = "sequence"
)

// outputAnswer is the answer to the rank before, sealed by each party: see Answered.
const outputAnswer = "answer"

// The words with which it may end.
const (
	statusAccepted  = "accepted"
	statusExhausted = "exhausted"
)

// places of the words, as a status has them.
const (
	placeAccepted  = 1
	placeExhausted = 2
)

// nextRow is one row of a run.
type nextRow struct {
	rankRun  // of one row
	run      job.Hash
	sequence int
}

// planNext is PlanJob for the next row of a run. It does not know the run, which the
// parties do.
func planNext(j *job.Job, r *job.Roster) (*Plan, error) {
	p, err := newMatch(j, r)
	if err != nil {
		return nil, err
	}
	if err := p.planRow(j); err != nil {
		return nil, fmt.Errorf("%s: %w", j.Analysis, err)
	}
	return p, checkPresent(r, j, slices.Concat(r.Parties, p.matchSites()))
}

// planRow completes the plan of one row.
func (p *Plan) planRow(j *job.Job) error {
	m := p.match
	if p.Dataset.List.Side != job.Candidates {
		return fmt.Errorf("dataset %s is a list of %ss: name the run's waiting list", p.Dataset.Name, p.Dataset.List.Side)
	}
	k := &nextRow{rankRun: rankRun{k: 1}}
	args := j.Arguments()
	run, sequence, hash := args.String(ArgRun), args.OptionalDecimal(ArgSequence, nil), args.String(ArgPolicy)
	err := args.Err()
	if err == nil {
		err = m.isPolicy(hash)
	}
	if err == nil {
		k.run, err = job.ParseHash(run)
	}
	if err != nil {
		return err
	}
	if sequence == nil || !sequence.IsInt() || sequence.Sign() < 1 || sequence.Cmp(big.NewRat(maxCandidates+1, 1)) > 0 {
		return fmt.Errorf("argument %s is no rank: give a whole number from 1 on", ArgSequence)
	}
	k.sequence = int(sequence.Num().Int64())
	k.before = k.sequence - 1
	if err := k.entitled(p); err != nil {
		return err
	}
	for _, name := range k.office {
		p.Outputs = append(p.Outputs, Output{name, 1})
	}
	for _, site := range k.hospitals {
		for _, name := range k.rows {
			m.told[site] = append(m.told[site], Output{name, 1})
		}
	}
	m.next, m.words = k, []string{statusAccepted, statusExhausted}
	p.Reveals = []string{fmt.Sprintf("of rank %d of run %s: %s", k.sequence, k.run.Short(), strings.Join(m.policy.Entitlement.Office, ", "))}
	if k.sequence > 1 {
		p.Reveals = append(p.Reveals, fmt.Sprintf("the answer to rank %d: of which hospital, accepted or refused with which code, and its signature", k.sequence-1))
	}
	return nil
}

// saysNext is what a statement says of it.
func (k *nextRow) saysNext(p *Plan, r *job.Roster) []string {
	words := fmt.Sprintf("Or the word %s, where no candidate is left.", statusExhausted)
	if k.sequence > 1 {
		words = fmt.Sprintf("Or one of these words: %s, where rank %d was accepted; %s, where no candidate is left.", statusAccepted, k.sequence-1, statusExhausted)
	}
	lines := []string{
		words,
		fmt.Sprintf("Who learns which hospital is offered rank %d: the office; that hospital itself, which learns %s of its candidate; and, from the signature of its answer, the three parties %s, before the next rank is revealed. Every other hospital receives as many bytes, and learns that it is not its own.", k.sequence, strings.Join(p.match.policy.Entitlement.Hospital, ", "), people(r, r.Parties)),
	}
	if k.sequence > 1 {
		lines = append(lines, fmt.Sprintf("The parties learn the answer to rank %d, and check that it is of the hospital that was offered it. If it is not, the job ends and says so: everybody who takes part then learns that this hospital was not.", k.sequence-1))
		if within := p.match.policy.AnswerWithin(); within > 0 {
			lines = append(lines, fmt.Sprintf("Where rank %d was not answered within %v, the parties go on without an answer, and record it.", k.sequence-1, within))
		}
	}
	return append(lines, fmt.Sprintf("The rules are those of policy %s, version %s, hash %s.", p.match.policy.Name, p.match.policy.Version, p.match.policy.Hash.Short()))
}

// NextFile is the job for a rank of a run of a list: only the parties and the list's
// hospitals take part.
func NextFile(r *job.Roster, list string, run job.Hash, sequence int) (*job.File, error) {
	d, ok := r.Dataset(list)
	if !ok || !d.IsList() {
		return nil, fmt.Errorf("study %s has no list %.64q: %s", r.Study, list, job.Near(list, lists(r)))
	}
	p, ok := r.Policy(d.List.Policy)
	if !ok {
		return nil, fmt.Errorf("list %s is by policy %s, which the roster does not have", list, d.List.Policy)
	}
	nodes := slices.DeleteFunc(r.Names(), func(name string) bool {
		_, site := d.Site(name)
		return !site && !slices.Contains(r.Parties, name)
	})
	args := map[string]any{ArgPolicy: p.Hash().String(), ArgRun: run.String(), ArgSequence: sequence}
	return &job.File{Study: r.Study, Dataset: list, Analysis: MatchNext, Args: args, Engine: job.EngineShares, Nodes: nodes}, nil
}

// Rank tells of which run a job reveals which rank; false for any other job.
func (p *Plan) Rank() (run job.Hash, sequence int, ok bool) {
	if p.match == nil || p.match.next == nil {
		return job.Hash{}, 0, false
	}
	return p.match.next.run, p.match.next.sequence, true
}

// openNext opens the row and the answer to the one before.
func (b *binding) openNext(key hpke.PrivateKey, ordered []*job.SealedShare, opened Opened) error {
	if err := b.openOffice(key, ordered, 0, opened); err != nil {
		return err
	}
	var first []byte
	for _, share := range ordered {
		plain, err := b.openSealed(key, share.Party, outputAnswer, share.Outputs[len(share.Outputs)-1].Ciphertext)
		if err != nil {
			return err
		}
		if first == nil {
			first = plain
		}
		if !bytes.Equal(plain, first) || len(plain) != answeredSize {
			return fmt.Errorf("%s and %s tell of other answers: one of them is faulty or cheating", ordered[0].Party, share.Party)
		}
	}
	k := b.plan.match.next
	answer, err := parseAnswered(first)
	if err == nil {
		err = answer.check(k.run, k.sequence-1, b.plan.Dataset, b.roster, b.plan.match.policy)
	}
	if err != nil {
		return fmt.Errorf("the answer to rank %d: %w", k.sequence-1, err)
	}
	if (answer.Kind == noAnswer) != (k.sequence == 1) {
		return fmt.Errorf("rank %d came without an answer to rank %d", k.sequence, k.sequence-1)
	}
	opened[outputAnswer] = []*big.Int{new(big.Int).SetBytes(first)}
	return nil
}

// answerIn is the answer among what was opened.
func answerIn(opened Opened) (Answered, error) {
	x := opened[outputAnswer]
	if len(x) != 1 || x[0].Sign() < 0 || x[0].BitLen() > 8*answeredSize {
		return Answered{}, errors.New("the opened result lacks the answer to the rank before")
	}
	return parseAnswered(x[0].FillBytes(make([]byte, answeredSize)))
}

// finishNext tells the office the row and the answer to the one before.
func (k *nextRow) finishNext(p *Plan, opened Opened) (*Result, error) {
	for _, o := range p.revealed() {
		if len(opened[o.Name]) != o.Len {
			return nil, fmt.Errorf("the opened result lacks %s", o.Name)
		}
	}
	word, err := p.statusWord(opened)
	if err != nil {
		return nil, err
	}
	answer, err := answerIn(opened)
	if err != nil {
		return nil, err
	}
	rows, err := k.read(p, k.office, opened)
	if err != nil {
		return nil, err
	}
	if (len(rows) == 1) != (word == statusOK) || (answer.Kind == answerAccepted) != (word == statusAccepted) {
		return nil, errImpossible
	}
	policy := p.match.policy
	value := map[string]any{
		"run": k.run.String(), "sequence": int64(k.sequence), "policy": policy.Name, "policy_hash": policy.Hash.String(), "rows": rowsValue(rows),
	}
	t := rowTable(fmt.Sprintf("Match run %s, rank %d", k.run.Short(), k.sequence), policy.Entitlement.Office, rows)
	if answer.Kind != noAnswer {
		value["answered"] = answer.value(k.sequence-1, p.Dataset, policy)
		t.Notes = append(t.Notes, answer.says(k.sequence-1, p.Dataset, policy))
	}
	if word == statusOK {
		t.Notes = append(t.Notes, fmt.Sprintf("Its hospital answers by consilium match answer %s. Then: consilium match next %s", k.run.Short(), k.run.Short()))
	}
	result := &Result{Status: word, Reason: explanations[word], Value: value, Tables: []Table{t}}
	if word != statusOK {
		result.Tables = nil
		if answer.Kind != noAnswer {
			result.Reason = strings.TrimSuffix(t.Notes[0], ".") + ": " + explanations[word]
		}
	}
	return result, nil
}

// finishOffer tells a hospital of its own row.
func (k *nextRow) finishOffer(p *Plan, opened Opened) (mine bool, result *Result, err error) {
	rows, err := k.read(p, k.rows, opened)
	if err != nil {
		return false, nil, err
	}
	t := rowTable(fmt.Sprintf("Match run %s, rank %d", k.run.Short(), k.sequence), p.match.policy.Entitlement.Hospital, rows)
	t.Notes = []string{fmt.Sprintf("To answer: consilium match answer %s --accept, or --refuse CODE.", k.run.Short())}
	if len(rows) == 0 {
		t = Table{Title: t.Title, Notes: []string{"No own candidate."}}
	}
	return len(rows) > 0, &Result{Status: statusOK, Value: map[string]any{"sequence": int64(k.sequence), "rows": rowsValue(rows)}, Tables: []Table{t}}, nil
}
