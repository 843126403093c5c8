package protocols

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/protocols/match"
)

// KeptRun is what a party keeps of a match run whose ranks are revealed one at a time:
// its shares of the rows, whose run it is, and how far it has come. It prints as
// redacted.
type KeptRun struct {
	KeptFacts
	Rows    job.Base64 // this party's shares of the columns, one after the other; none once the run is over
	Rank    int        // that was revealed last, or is being revealed; 0: none yet
	Shown   time.Time  // when it was, by this party's clock; zero: not to its end
	Answers []Answered // to the ranks before that
}

// KeptFacts are the facts of a run, the same at all parties.
type KeptFacts struct {
	Job         job.Hash // that ranked: the run's id
	Roster      job.Hash
	Signer      job.Base64 // the office that may ask for the rows: its keys
	Recipient   job.Base64
	Dataset     string
	Policy      string
	PolicyHash  job.Hash
	Day         string
	Top         int // rows
	Columns     []string
	Commitments []Commitment
}

// Format keeps shares and answers out of every verb.
func (r *KeptRun) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "kept run %s (redacted)", r.Job.Short())
}

// digest names the facts.
func (r *KeptFacts) digest() job.Hash {
	b, err := json.Marshal(r)
	if err != nil {
		return job.Hash{} // of plain values: it cannot be
	}
	return sha256.Sum256(b)
}

// KeptRows is where a party keeps such runs.
type KeptRows interface {
	// Keep writes a run. It is there from Commit on.
	Keep(run *KeptRun) (Change, error)
	// Open returns a run, for one use at a time; ErrNoRows if it is not there.
	Open(run job.Hash) (OpenedRun, error)
}

// OpenedRun is a run in use.
type OpenedRun interface {
	// Run is the run as it is on disk. It is not to be changed.
	Run() *KeptRun
	// Write replaces it. It is durable when Write returns.
	Write(run *KeptRun) error
	// Close ends the use.
	Close()
}

// ErrNoRows says that a party keeps nothing of a run.
var ErrNoRows = errors.New("it keeps no rows of that run")

// KeepsRows tells whether the parties keep rows for the job, or use what they keep.
func (p *Plan) KeepsRows() bool {
	if p.match == nil {
		return false
	}
	k, ok := p.match.kind.(*rankRun)
	return p.match.next != nil || ok && k.next
}

// columns are all that somebody may see of a row, and the hospital, by which it is known
// whose it is.
func (k *rankRun) columns() []string {
	var all []string
	for _, name := range slices.Concat(k.office, k.rows, []string{match.ColumnHospital}) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// keepRows writes this party's shares of ranked rows; nil where there are none to keep.
func (w *work) keepRows(s *mpc.Session, commitments []Commitment, rows *match.Rows) Change {
	if rows == nil || s.Err() != nil {
		return nil
	}
	m, k := w.plan.match, w.plan.match.kind.(*rankRun)
	run := &KeptRun{KeptFacts: KeptFacts{
		Job: w.id, Roster: w.job.Roster, Signer: job.Base64(w.Signed.Signer), Recipient: w.job.Recipient, Dataset: w.plan.Dataset.Name,
		Policy: m.policy.Name, PolicyHash: m.policy.Hash, Day: m.day.Format(time.DateOnly), Top: k.k, Columns: k.columns(), Commitments: commitments,
	}}
	values := rowValues(rows, run.Columns)
	var all []rss.Vec
	for _, name := range run.Columns {
		all = append(all, values[name])
	}
	run.Rows = encodeShare(rss.Concat(s, all...))
	change, err := w.Rows.Keep(run)
	if err != nil {
		s.Fail(fmt.Errorf("keep the rows of the run: %w", err))
		return nil
	}
	return change
}

// check refuses what no party has written: the file may be anything.
func (r *KeptRun) check() error {
	whole := r.Top > 0 && r.Top <= MaxElements && len(r.Columns) > 0 && r.Columns[0] == outputRanked &&
		r.Rank >= 0 && r.Rank <= r.Top+1 && len(r.Answers) == max(r.Rank-1, 0)
	for i := range r.Answers {
		a := &r.Answers[i]
		whole = whole && a.Kind < answerKinds && (len(a.Signature) == signatureSize || len(a.Signature) == 0 && !a.signed())
	}
	if !whole {
		return fmt.Errorf("what it keeps of run %s is damaged: ask for a new run", r.Job.Short())
	}
	return nil
}

// over tells whether no row can be revealed any more: the rank before was accepted, or the
// rank lies beyond the last. That there are fewer rows than ranks no party knows.
func (r *KeptRun) over() bool {
	n := len(r.Answers)
	return r.Rank > r.Top || n > 0 && r.Answers[n-1].Kind == answerAccepted
}

// row returns a party's shares of one row, by rank; zeros beyond the last.
func (r *KeptRun) row(s *mpc.Session, rank, sites int) (*match.Rows, error) {
	at := func(int) rss.Vec { return rss.Zero[ring.Vec64](1) }
	if rank >= 1 && rank <= r.Top {
		if len(r.Rows) == 0 {
			return nil, fmt.Errorf("run %s is over here, and its shares of the rows are removed: ask for a new run", r.Job.Short())
		}
		share, err := decodeParts[ring.Vec64](r.Rows, r.Top*len(r.Columns))
		if err != nil {
			return nil, errors.New("its shares of the rows are damaged")
		}
		at = func(c int) rss.Vec { return rss.Slice(s, share, c*r.Top+rank-1, c*r.Top+rank) }
	}
	var columns []match.Column
	for c, name := range r.Columns[1:] {
		columns = append(columns, match.Column{Name: name, Values: at(c + 1)})
	}
	return match.NewRows(at(0), columns, sites), nil
}

// finishKept tells the office that there is a list.
func (k *rankRun) finishKept(p *Plan, opened Opened) *Result {
	run := hashIn(opened, jobOutput)
	return &Result{
		Status: statusOK,
		Value:  map[string]any{"donor": k.donor, "reveal": revealNext, "top": int64(k.k), "rows": []any{}},
		Tables: []Table{{
			Title: fmt.Sprintf("Match run %s: donor %s, list %s", run.Short(), k.donor, p.Dataset.Name),
			Notes: []string{
				fmt.Sprintf("The %s are ranked; consilium match next %s reveals one at a time.", k.best(), run.Short()),
				fmt.Sprintf("Policy %s, version %s; dates count to %s.", p.match.policy.Name, p.match.policy.Version, p.match.day.Format(time.DateOnly)),
			},
		}},
	}
}

// saysKept is what a statement says of rows that are kept.
func (k *rankRun) saysKept() string {
	return fmt.Sprintf("The %s are ranked and nobody learns any of them: the three parties keep their shares of the rows. The same office, by the same keys, may have them revealed one at a time, each after the signed answer to the one before (%s). Every hospital of the list learns which of its own rows are on the list more than once.", k.best(), MatchNext)
}

// changes are several changes of one node.
type changes []Change

func (c *changes) add(change Change) {
	if change != nil {
		*c = append(*c, change)
	}
}

// one returns the changes as one, nil if there are none.
func (c changes) one() Change {
	switch len(c) {
	case 0:
		return nil
	case 1:
		return c[0]
	}
	return c
}

// Commit implements Change. After an error the rest is discarded.
func (c changes) Commit() error {
	for i, change := range c {
		if err := change.Commit(); err != nil {
			c[i+1:].Discard()
			return err
		}
	}
	return nil
}

// Discard implements Change.
func (c changes) Discard() {
	for _, change := range c {
		change.Discard()
	}
}
