package protocols

import (
	"bytes"
	"crypto/sha256"
	endian "encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/protocols/match"
)

// The steps of revealing a row.
const (
	stepState   = "state"   // what the parties keep of the run
	stepAnswers = "answers" // the hospitals' answers to the rank before
	stepOffered = "offered" // whether the one who answers was offered it
	stepWritten = "written" // all parties have written that the rank is being revealed
)

// nextRow is this node's part in revealing a row: its share of the row, if it is a
// party, and what it keeps of the offer, if it is a site.
func (w *work) nextRow(s *mpc.Session) (*job.SealedShare, Change) {
	k := w.plan.match.next
	var out *matchOutputs
	var answer Answered
	var kept changes
	opened := w.openKept(s)
	states := w.compareKept(s.Step(stepState), opened)
	answers := w.gatherAnswers(s.Step(stepAnswers))
	if w.isParty() && s.Err() == nil {
		if answer = w.decideAnswer(s, opened.Run(), states, answers); s.Err() == nil {
			kept.add(w.turnTo(s, opened, answer))
			out = w.rowOutputs(s.Step(stepCompute), opened.Run(), answer)
		}
	}
	if opened != nil && len(kept) == 0 {
		opened.Close()
	}
	told := w.tell(s, out)
	var share *job.SealedShare
	if w.isParty() && s.Err() == nil {
		share = w.sealRow(s, out, answer)
	}
	if w.isSite() && s.Err() == nil {
		kept.add(w.keepOffer(s, k, told))
	}
	return share, kept.one()
}

// openKept opens the run at a party, nil elsewhere and where it is not kept.
func (w *work) openKept(s *mpc.Session) OpenedRun {
	if !w.isParty() || s.Err() != nil {
		return nil
	}
	opened, err := w.Rows.Open(w.plan.match.next.run)
	if err != nil && !errors.Is(err, ErrNoRows) {
		s.Fail(err)
	}
	if err != nil {
		return nil
	}
	if err := opened.Run().check(); err != nil {
		s.Fail(err)
		opened.Close()
		return nil
	}
	return opened
}

// keptState is what a party tells the others of a run before a rank is revealed.
type keptState struct {
	kept   bool
	facts  job.Hash // of the run, and of what was answered to earlier ranks
	rank   int
	late   bool     // whether the time for an answer to the rank before is over
	answer Answered // to the rank before, if the party has recorded it
}

const stateSize = 1 + 32 + 8 + 1 + answeredSize

func (k *keptState) encode() []byte {
	b := make([]byte, 2, stateSize)
	for i, flag := range []bool{k.kept, k.late} {
		if flag {
			b[i] = 1
		}
	}
	b = append(b, k.facts[:]...)
	b = endian.BigEndian.AppendUint64(b, uint64(k.rank))
	return append(b, k.answer.encode()...)
}

func parseState(b []byte) (keptState, error) {
	if len(b) != stateSize || b[0] > 1 || b[1] > 1 {
		return keptState{}, errAnswer
	}
	rank := endian.BigEndian.Uint64(b[34:])
	answer, err := parseAnswered(b[42:])
	if err != nil || rank > maxCandidates+1 {
		return keptState{}, errAnswer
	}
	return keptState{b[0] == 1, job.Hash(b[2:34]), int(rank), b[1] == 1, answer}, nil
}

// stateOf is this party's own, before rank n is revealed.
func (w *work) stateOf(opened OpenedRun, n int) keptState {
	if opened == nil {
		return keptState{}
	}
	run := opened.Run()
	k := keptState{kept: true, rank: run.Rank}
	earlier := run.Answers[:min(max(n-2, 0), len(run.Answers))]
	h := sha256.New()
	facts := run.digest()
	h.Write(facts[:])
	for i := range earlier {
		h.Write(earlier[i].encode())
	}
	h.Sum(k.facts[:0])
	if n > 1 && len(run.Answers) >= n-1 {
		k.answer = run.Answers[n-2]
	}
	within := w.plan.match.policy.AnswerWithin()
	k.late = within > 0 && run.Rank == n-1 && !run.Shown.IsZero() && time.Since(run.Shown) >= within
	return k
}

// compareKept has the parties tell each other what they keep of the run, and ends the
// job where rank n cannot be revealed. It returns what all of them have, by role.
func (w *work) compareKept(s *mpc.Session, opened OpenedRun) []keptState {
	if !w.isParty() || s.Err() != nil {
		return nil
	}
	k := w.plan.match.next
	own := w.stateOf(opened, k.sequence)
	theirs := mpc.Exchange(s, w.parties, own.encode())
	states := make([]keptState, len(w.parties))
	for role, p := range w.parties {
		if states[role] = own; p == w.self || s.Err() != nil {
			continue
		}
		var err error
		if states[role], err = parseState(theirs[p]); err != nil {
			s.Fail(fmt.Errorf("what %s tells of run %s cannot be read: compare versions of consilium", s.Name(p), k.run.Short()))
		}
	}
	if s.Err() == nil {
		if err := w.mayReveal(opened, states); err != nil {
			s.Fail(err)
		}
	}
	return states
}

// mayReveal says why rank n of the run cannot be revealed now to who asks. It says the
// same at all parties, and nothing of a run to anybody but its office.
func (w *work) mayReveal(opened OpenedRun, states []keptState) error {
	k := w.plan.match.next
	for role, state := range states {
		if !state.kept {
			return fmt.Errorf("%s keeps no rows of run %s: rows are kept of runs with reveal: next alone; ask for such a run anew", w.roster.Parties[role], k.run.Short())
		}
	}
	run := opened.Run()
	if !bytes.Equal(run.Signer, w.Signed.Signer) || !bytes.Equal(run.Recipient, w.job.Recipient) {
		return fmt.Errorf("run %s was asked for by another client, or with another recipient key: only its own office may have its rows", k.run.Short())
	}
	switch {
	case run.Dataset != w.plan.Dataset.Name:
		return fmt.Errorf("run %s is of list %s, not of %s", k.run.Short(), run.Dataset, w.plan.Dataset.Name)
	case run.Roster != w.job.Roster:
		return fmt.Errorf("run %s was made under roster %s, and the study has changed since: ask for a new run", k.run.Short(), run.Roster.Short())
	case k.sequence > run.Top+1:
		return fmt.Errorf("run %s ranked the best %d: it has no rank %d", k.run.Short(), run.Top, k.sequence)
	}
	return w.inTurn(run, states)
}

// inTurn says why rank n is not the next one by what all parties have.
func (w *work) inTurn(run *KeptRun, states []keptState) error {
	k := w.plan.match.next
	byRank := func(a, b keptState) int { return a.rank - b.rank }
	n, low, high := k.sequence, slices.MinFunc(states, byRank).rank, slices.MaxFunc(states, byRank).rank
	for role, state := range states {
		if high > low+1 && state.rank == low {
			return fmt.Errorf("%s has come to rank %d of run %s and another party to rank %d: it has restored an old copy; ask for a new run", w.roster.Parties[role], low, k.run.Short(), high)
		}
		if state.rank != n && state.rank != n-1 {
			return fmt.Errorf("rank %d of run %s is not the next: ask for rank %d", n, k.run.Short(), low+1)
		}
		if state.facts != states[0].facts {
			return fmt.Errorf("%s and %s keep different things of run %s: one of them has restored an old copy, or is cheating; ask for a new run", w.roster.Parties[0], w.roster.Parties[role], k.run.Short())
		}
	}
	if accepted := slices.IndexFunc(run.Answers, func(a Answered) bool { return a.Kind == answerAccepted }) + 1; accepted > 0 && accepted < n-1 {
		return fmt.Errorf("rank %d of run %s was accepted: the run has ended", accepted, k.run.Short())
	}
	return nil
}

// gatherAnswers has every hospital send each party its answer to the rank before, or
// none, in as many bytes. The parties compare what they got. By the hospitals' places.
func (w *work) gatherAnswers(s *mpc.Session) []Answered {
	k := w.plan.match.next
	all := make([]Answered, len(k.hospitals))
	digest := sha256.New()
	for i, name := range k.hospitals {
		at, from := s.Step("site", i), mpc.PartyID(w.roster.NodeIndex(name))
		var frame []byte
		if from == w.self {
			own := travelling(w.ownAnswer(k), i+1)
			frame = own.encode()
			for _, p := range w.parties {
				if p != w.self {
					at.Send(p, frame)
				}
			}
		} else if w.isParty() {
			frame = at.Recv(from, answeredSize)
		}
		if !w.isParty() || s.Err() != nil {
			continue
		}
		var err error
		if all[i], err = parseAnswered(frame); err != nil || all[i].signed() && all[i].Hospital != i+1 || all[i].Kind == answerExpired {
			s.Fail(fmt.Errorf("the answer of %s to rank %d of run %s cannot be read: compare versions of consilium", name, k.sequence-1, k.run.Short()))
		}
		digest.Write(frame)
	}
	if w.isParty() {
		mpc.Echo(s.Step("echo"), w.parties, digest.Sum(nil), "answers of hospitals")
	}
	return all
}

// ownAnswer is this hospital's, if it has one.
func (w *work) ownAnswer(k *nextRow) *job.Answer {
	if k.sequence == 1 {
		return nil
	}
	return w.Runs.Answer(k.run, k.sequence-1)
}

// decideAnswer finds what came of the rank before, and ends the job where nothing has.
func (w *work) decideAnswer(s *mpc.Session, run *KeptRun, states []keptState, answers []Answered) Answered {
	k := w.plan.match.next
	if k.sequence == 1 {
		return Answered{}
	}
	answer, err := w.findAnswer(states, answers)
	if err == nil {
		err = answer.check(k.run, k.sequence-1, w.plan.Dataset, w.roster, w.plan.match.policy)
	}
	if err != nil {
		s.Fail(err)
		return Answered{}
	}
	// What all parties have written they have all checked, and may have no rows for.
	written := !slices.ContainsFunc(states, func(state keptState) bool { return state.rank < k.sequence })
	if answer.signed() && !written {
		w.checkOffered(s.Step(stepOffered), run, answer)
	}
	return answer
}

// findAnswer is the answer that a party has recorded, or the only one that came, or that
// the time is over.
func (w *work) findAnswer(states []keptState, answers []Answered) (Answered, error) {
	k := w.plan.match.next
	before := k.sequence - 1
	var recorded *Answered
	late := 0
	for role := range states {
		state := &states[role]
		switch {
		case state.rank < k.sequence:
			if state.late {
				late++
			}
			continue
		case state.answer.Kind == noAnswer || recorded != nil && !bytes.Equal(recorded.encode(), state.answer.encode()):
			return Answered{}, fmt.Errorf("the parties have recorded different answers to rank %d of run %s: one of them is faulty or cheating; ask for a new run", before, k.run.Short())
		}
		late++
		recorded = &state.answer
	}
	if recorded != nil && (recorded.signed() || late == len(states)) {
		return *recorded, nil
	}
	var came []int
	for i := range answers {
		if answers[i].signed() {
			came = append(came, i)
		}
	}
	switch {
	case recorded != nil:
		return Answered{}, fmt.Errorf("one party has rank %d of run %s down as not answered in time, and by another's clock there is time left: check the clocks, and ask again", before, k.run.Short())
	case len(came) > 1:
		return Answered{}, fmt.Errorf("%s and %s both answer to rank %d of run %s, which was offered to one hospital: one of them is faulty or cheating", k.hospitals[came[0]], k.hospitals[came[1]], before, k.run.Short())
	case len(came) == 1:
		return answers[came[0]], nil
	case late == len(states):
		return Answered{Kind: answerExpired}, nil
	}
	return Answered{}, w.unanswered(before)
}

// unanswered says what to do while nobody has answered.
func (w *work) unanswered(rank int) error {
	run := w.plan.match.next.run.Short()
	text := "the run waits for it"
	if within := w.plan.match.policy.AnswerWithin(); within > 0 {
		text = fmt.Sprintf("the run waits for it until %v after rank %d was revealed", within, rank)
	}
	return fmt.Errorf("rank %d of run %s has no answer yet: its hospital gives it by consilium match answer %s, and %s; then ask again", rank, run, run, text)
}

// checkOffered opens to the parties whether the rank before is of the hospital that
// answers to it, and ends the job if it is not: the one bit is all that they learn.
func (w *work) checkOffered(s *mpc.Session, run *KeptRun, answer Answered) {
	k := w.plan.match.next
	row, err := run.row(s, k.sequence-1, len(k.hospitals))
	if err != nil {
		s.Fail(err)
		return
	}
	whose := rowValues(row, []string{match.ColumnHospital})[match.ColumnHospital]
	same := rss.EqualPublic(s.Step("same"), whose, int64(answer.Hospital), bits.Len(uint(len(k.hospitals))))
	open := rss.OpenBits(s.Step("told"), same)
	if s.Err() == nil && open.Words[0]&1 == 0 {
		s.Fail(fmt.Errorf("%s answers to rank %d of run %s, which it was not offered: it is faulty or cheating", k.hospitals[answer.Hospital-1], k.sequence-1, k.run.Short()))
	}
}

// turnTo writes that rank n is being revealed, with the answer to the rank before, and
// waits until all parties have: nothing of the row may leave any of them earlier. What it
// returns writes that the rank was revealed to its end.
func (w *work) turnTo(s *mpc.Session, opened OpenedRun, answer Answered) Change {
	if s.Err() != nil {
		return nil
	}
	k := w.plan.match.next
	change := &shownRow{opened}
	if run := *opened.Run(); run.Rank < k.sequence {
		run.Rank, run.Shown = k.sequence, time.Time{}
		if k.sequence > 1 {
			run.Answers = append(slices.Clone(run.Answers), answer)
		}
		if err := opened.Write(&run); err != nil {
			s.Fail(err)
			return change
		}
	}
	mpc.Meet(s.Step(stepWritten), w.parties)
	return change
}

// shownRow is the end of a row's revealing at a party.
type shownRow struct{ opened OpenedRun }

// Commit implements Change: from now on the time for an answer counts. Of a run that is
// over the rows go: all parties have written that it is.
func (c *shownRow) Commit() error {
	defer c.opened.Close()
	run := *c.opened.Run()
	if run.Shown = time.Now().UTC(); run.over() {
		run.Rows = nil
	}
	return c.opened.Write(&run)
}

// Discard implements Change.
func (c *shownRow) Discard() { c.opened.Close() }

// rowOutputs is the row for the office and for every hospital; zeros after an acceptance.
func (w *work) rowOutputs(s *mpc.Session, run *KeptRun, answer Answered) *matchOutputs {
	k := w.plan.match.next
	rank := k.sequence
	if answer.Kind == answerAccepted {
		rank = 0
	}
	row, err := run.row(s, rank, len(k.hospitals))
	if err != nil {
		s.Fail(err)
	}
	if s.Err() != nil {
		return nil
	}
	status := rss.Scale(s, rss.AddConst(s, rss.Neg(s, row.Ranked), 1), placeExhausted)
	if rank == 0 {
		status = rss.AddConst(s, rss.Zero[ring.Vec64](1), placeAccepted)
	}
	out := &matchOutputs{office: rowValues(row, k.office), sites: map[string]map[string]rss.Vec{}}
	out.office[statusOutput] = status
	every := make([]int, len(k.hospitals))
	for i := range every {
		every[i] = i
	}
	for i, own := range row.Of(s.Step("hospitals"), every...) {
		out.sites[k.hospitals[i]] = rowValues(own, k.rows)
	}
	return out
}

// sealRow seals the row and the answer to the one before to the office.
func (w *work) sealRow(s *mpc.Session, out *matchOutputs, answer Answered) *job.SealedShare {
	share := &job.SealedShare{Party: w.Self, Session: w.session}
	w.sealOffice(s, share, out)
	w.sealTo(s, w.recipientKey(s), share, outputAnswer, answer.encode())
	if s.Err() != nil {
		return nil
	}
	share.Sign(w.id, w.Key)
	return share
}

// keepOffer writes what this site was told of the rank.
func (w *work) keepOffer(s *mpc.Session, k *nextRow, told Opened) Change {
	mine, result, err := k.finishOffer(w.plan, told)
	var change Change
	if err == nil {
		change, err = w.Runs.KeepOffer(&Offer{
			Run: k.run, Sequence: k.sequence, Job: w.id, Dataset: w.plan.Dataset.Name, Policy: w.plan.match.policy.Name,
			Site: w.Self, At: time.Now().UTC(), Mine: mine, Result: result,
		})
	}
	if err != nil {
		s.Fail(fmt.Errorf("keep the offer: %w", err))
		return nil
	}
	return change
}
