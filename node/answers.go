package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/organ/policy"
	"consilium/protocols"
)

// A hospital keeps what it was told of each rank of a run, and its answers, beside the
// run itself: RUN.offer-N.json, which the node writes, and RUN.answer-N.json, which its
// operator does by AnswerOffer. An answer is written once and never changed.
const (
	offerWord  = "offer"
	answerWord = "answer"
)

// maxOffer caps such a file, in bytes.
const maxOffer = 1 << 20

func rankPath(state, word string, run job.Hash, sequence int) string {
	return filepath.Join(state, matchesDir, fmt.Sprintf("%s.%s-%d.json", run, word, sequence))
}

// KeepOffer implements protocols.MatchRuns.
func (state matchRuns) KeepOffer(o *protocols.Offer) (protocols.Change, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return writeNew(rankPath(string(state), offerWord, o.Run, o.Sequence), append(b, '\n'))
}

// siteRuns is protocols.MatchRuns at a running node.
type siteRuns struct {
	matchRuns
	log *slog.Logger
}

// KeepOffer implements protocols.MatchRuns. Once it is in force the operator's log says
// that somebody has to answer.
func (s siteRuns) KeepOffer(o *protocols.Offer) (protocols.Change, error) {
	change, err := s.matchRuns.KeepOffer(o)
	if err != nil || !o.Mine {
		return change, err
	}
	return &loggedChange{change, func() {
		s.log.Warn("this hospital is offered a rank and has to answer: consilium match answer", "run", o.Run.Short(), "rank", o.Sequence)
	}}, nil
}

// loggedChange is a change of which something is said once it is in force.
type loggedChange struct {
	protocols.Change
	say func()
}

// Commit implements protocols.Change.
func (c *loggedChange) Commit() error {
	err := c.Change.Commit()
	if err == nil {
		c.say()
	}
	return err
}

// Answer implements protocols.MatchRuns. One that cannot be read is none: its operator's
// log says so, and nobody else hears that there is one.
func (s siteRuns) Answer(run job.Hash, sequence int) *job.Answer {
	a, err := readAnswer(string(s.matchRuns), run, sequence)
	if err != nil {
		s.log.Error("the answer to an offer cannot be used: it counts as not given", "run", run.Short(), "rank", sequence, "error", line(err.Error()))
		return nil
	}
	return a
}

// readRank reads a file of a rank into v; false where it is not there.
func readRank(path string, v any) (bool, error) {
	b, err := job.ReadFile(path, maxOffer)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return false, fmt.Errorf("%s: it is damaged, or of another version", path)
	}
	return true, nil
}

// readAnswer reads the answer to a rank, nil if there is none.
func readAnswer(state string, run job.Hash, sequence int) (*job.Answer, error) {
	path := rankPath(state, answerWord, run, sequence)
	a := new(job.Answer)
	there, err := readRank(path, a)
	if err != nil || !there {
		return nil, err
	}
	if a.Run != run || a.Sequence != sequence {
		return nil, fmt.Errorf("%s holds the answer to another rank: the file was renamed", path)
	}
	return a, nil
}

// Offered is what a hospital was told of a rank of a run, and its answer, if it has given one.
type Offered struct {
	protocols.Offer
	Answer *job.Answer
}

// ReadOffers reads from a node's state directory what it was told of the ranks of a run,
// in their order. The node may be running or not.
func ReadOffers(state string, run job.Hash) ([]Offered, error) {
	entries, err := os.ReadDir(filepath.Join(state, matchesDir))
	if err != nil {
		return nil, err
	}
	var all []Offered
	for _, e := range entries {
		text, ours := strings.CutPrefix(e.Name(), run.String()+"."+offerWord+"-")
		text, whole := strings.CutSuffix(text, ".json")
		n, err := strconv.Atoi(text)
		if !ours || !whole || err != nil {
			continue
		}
		path := rankPath(state, offerWord, run, n)
		var o Offered
		if _, err = readRank(path, &o.Offer); err == nil {
			o.Answer, err = readAnswer(state, run, n)
		}
		if err != nil {
			return nil, err
		}
		if o.Run != run || o.Sequence != n {
			return nil, fmt.Errorf("%s holds another offer: the file was renamed", path)
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b Offered) int { return a.Sequence - b.Sequence })
	return all, nil
}

// Offers are a hospital's offers of one run, with what it takes to answer the latest.
type Offers struct {
	All    []Offered
	state  string
	run    job.Hash
	policy *policy.Policy
	roster *job.Roster
	self   *job.Identity
}

// FindOffers finds the offers of a run, by the first digits of its id, at the node of a
// configuration, which may be running or not.
func FindOffers(c *Config, prefix string) (*Offers, error) {
	id, err := findMatch(c.State, prefix)
	if err != nil {
		return nil, err
	}
	o := &Offers{state: c.State, run: id}
	if o.self, err = job.LoadIdentity(c.Identity); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	roster, err := pinnedRoster(c)
	if err != nil {
		return nil, err
	}
	o.roster = roster.Roster
	if err := checkIdentity(c, o.self, o.roster); err != nil {
		return nil, err
	}
	if o.All, err = ReadOffers(c.State, id); err != nil {
		return nil, err
	}
	if len(o.All) == 0 {
		return nil, fmt.Errorf("nothing of run %s was offered yet", id.Short())
	}
	o.policy, err = protocols.PolicyOf(o.roster, o.All[0].Policy)
	return o, err
}

// Run names the run.
func (o *Offers) Run() job.Hash { return o.run }

// Policy is the policy of the run.
func (o *Offers) Policy() *policy.Policy { return o.policy }

// Waiting is the offer to this hospital that can be answered: that of the rank revealed
// last.
func (o *Offers) Waiting() (*Offered, error) {
	last := &o.All[len(o.All)-1]
	if last.Mine {
		return last, nil
	}
	for _, offer := range slices.Backward(o.All) {
		if offer.Mine && offer.Answer == nil {
			return nil, fmt.Errorf("rank %d of run %s was offered to this hospital and is no more: the office has gone on to rank %d; call it", offer.Sequence, o.run.Short(), last.Sequence)
		}
	}
	return nil, fmt.Errorf("rank %d of run %s, the latest, was not offered to this hospital: there is nothing to answer", last.Sequence, o.run.Short())
}

// Answer signs the answer to the waiting offer, accepted or refused by a code, and writes
// it where the node finds it when the office asks for the next rank. An answer that was
// given stands: the same one once more changes nothing, and another is refused.
func (o *Offers) Answer(accept bool, code int) (*job.Answer, error) {
	offer, err := o.Waiting()
	if err != nil {
		return nil, err
	}
	a := &job.Answer{Run: o.run, Sequence: offer.Sequence, Node: o.self.Name, Accept: accept, Code: code}
	a.Sign(o.self.Key)
	if err := protocols.CheckAnswer(a, o.roster, o.policy); err != nil {
		return nil, err
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	err = writeOnce(rankPath(o.state, answerWord, o.run, a.Sequence), append(b, '\n'))
	if !errors.Is(err, fs.ErrExist) {
		return a, err
	}
	given, err := readAnswer(o.state, o.run, a.Sequence)
	if err != nil {
		return nil, err
	}
	if given == nil || given.Accept != a.Accept || given.Code != a.Code {
		return nil, fmt.Errorf("rank %d of run %s was answered already, and not so: an answer is never changed; call the office", a.Sequence, o.run.Short())
	}
	return given, nil
}

// writeOnce puts a file at a path where none is, in one step; it is durable when
// writeOnce returns. If one is there the error is fs.ErrExist.
func writeOnce(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	return errors.Join(err, os.Remove(f.Name()), job.SyncDir(filepath.Dir(path)))
}
