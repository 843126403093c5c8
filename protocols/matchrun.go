package protocols

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/organ/policy"
)

// MatchRun is what a site keeps of a match that it took part in: what it put in, so
// that the run can be replayed, and what it learned.
type MatchRun struct {
	Job         job.Hash // which is the run's id
	Study       string
	Analysis    string
	Dataset     string
	Policy      string
	PolicyHash  job.Hash
	Day         string
	Site        string
	Commitments []Commitment // of all sites
	Inputs      []MatchInput // this site's own
	Result      *Result      // what this site learned of its own rows
}

// Commitment says to which rows a site has committed itself before anything was
// shared. It is a hash over a fresh nonce too, so that it tells nothing of the rows.
type Commitment struct {
	Site string
	List string
	Side job.Side
	Hash job.Hash
}

// MatchInput is what a site put in of one side of a list. With its nonce it opens the
// site's commitment. Text is a CSV file of the numbers that entered the match, padding
// included, under the names of the policy's inputs.
type MatchInput struct {
	List   string
	Side   job.Side
	Labels []string // what the site calls its rows; not committed to
	Nonce  job.Base64
	Text   string
}

// label is what the site calls a candidate's row of the list that is matched, from 0.
func (r *MatchRun) label(row int) string {
	for _, in := range r.Inputs {
		if in.List == r.Dataset && in.Side == job.Candidates && row < len(in.Labels) {
			return in.Labels[row]
		}
	}
	return ""
}

// MatchRuns is where a site keeps the runs of its matches.
type MatchRuns interface {
	// Keep writes what this node keeps of a run. It is durable from Commit on.
	Keep(run *MatchRun) (Change, error)
	// KeepOffer writes what this site was told of a rank, in place of what it was told of
	// it before. It is durable from Commit on.
	KeepOffer(o *Offer) (Change, error)
	// Answer returns this site's answer to a rank of a run, or nil.
	Answer(run job.Hash, sequence int) *job.Answer
}

// nonceSize is the size of a commitment's nonce, in bytes.
const nonceSize = 32

// commit is the commitment of a site to that input of a job.
func (in *MatchInput) commit(id job.Hash, site string) job.Hash {
	h := sha256.New()
	for _, part := range [][]byte{
		[]byte("consilium match input v1"), id[:], []byte(site), []byte(in.List), []byte(in.Side), in.Nonce, []byte(in.Text),
	} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return job.Hash(h.Sum(nil))
}

// commitment is the public part of an input's commitment.
func (in *listInput) commitment() Commitment {
	return Commitment{Site: in.site, List: in.dataset, Side: in.side}
}

func commitmentBytes(all []Commitment) []byte {
	var b []byte
	for _, c := range all {
		b = append(b, c.Hash[:]...)
	}
	return b
}

func (w *work) newMatchRun() *MatchRun {
	m := w.plan.match
	run := &MatchRun{
		Job: w.id, Study: w.roster.Study, Analysis: w.plan.Analysis, Dataset: w.plan.Dataset.Name,
		Policy: m.policy.Name, PolicyHash: m.policy.Hash, Day: m.day.Format("2006-01-02"), Site: w.Self,
	}
	for _, in := range m.inputs {
		run.Commitments = append(run.Commitments, in.commitment())
	}
	return run
}

// readLists reads this site's rows of every input, nil for others', and notes them with
// fresh nonces in the run. After a failure, which ends the session, they mean nothing.
func (w *work) readLists(s *mpc.Session, run *MatchRun) [][][]int64 {
	out := make([][][]int64, len(w.plan.match.inputs))
	for i, in := range w.plan.match.inputs {
		if in.site != w.Self || s.Err() != nil {
			continue
		}
		w.report(Sealing, "list "+in.dataset)
		rows, err := w.readList(s, in)
		if err != nil {
			s.Fail(fmt.Errorf("read its rows of list %s: %w", in.dataset, err))
			continue
		}
		kept := MatchInput{List: in.dataset, Side: in.side, Labels: rows.Labels, Nonce: make([]byte, nonceSize), Text: inputText(in.columns, rows)}
		rand.Read(kept.Nonce) // never fails: it would end the process
		run.Commitments[i].Hash = kept.commit(w.id, w.Self)
		run.Inputs = append(run.Inputs, kept)
		out[i] = rows.Columns
	}
	return out
}

// readList reads the rows of one input and checks that they are what the plan says.
func (w *work) readList(s *mpc.Session, in *listInput) (*policy.Rows, error) {
	rows, err := w.List.Rows(s.Context(), in.dataset, in.side, w.plan.match.day)
	if err != nil {
		return nil, err
	}
	if in.places != nil {
		if rows, err = someColumns(rows, in.places); err != nil {
			return nil, err
		}
	}
	if in.label != "" {
		if rows, err = oneRow(rows, in.label); err != nil {
			return nil, err
		}
	}
	if rows.N != in.rows || len(rows.Columns) != len(in.columns) {
		return nil, fmt.Errorf("%d rows of %d columns came, %d of %d were asked for", rows.N, len(rows.Columns), in.rows, len(in.columns))
	}
	for k, c := range in.columns {
		for _, v := range rows.Columns[k] {
			if v < c.Low || v > c.High {
				return nil, fmt.Errorf("%s is outside its declared range", c.Name)
			}
		}
	}
	return rows, nil
}

// someColumns returns rows with those columns alone.
func someColumns(rows *policy.Rows, places []int) (*policy.Rows, error) {
	some := &policy.Rows{N: rows.N, Labels: rows.Labels}
	for _, place := range places {
		if place >= len(rows.Columns) {
			return nil, fmt.Errorf("only %d columns came", len(rows.Columns))
		}
		some.Columns = append(some.Columns, rows.Columns[place])
	}
	return some, nil
}

// oneRow returns the row of that label alone.
func oneRow(rows *policy.Rows, label string) (*policy.Rows, error) {
	at := slices.Index(rows.Labels, label)
	switch {
	case at < 0:
		return nil, fmt.Errorf("it has no row %q", label)
	case slices.Contains(rows.Labels[at+1:], label):
		return nil, fmt.Errorf("it has several rows %q", label)
	}
	one := &policy.Rows{N: 1, Labels: []string{label}}
	for _, v := range rows.Row(at) {
		one.Columns = append(one.Columns, []int64{v})
	}
	return one, nil
}

// inputText writes rows as a CSV file.
func inputText(columns []policy.InputInfo, rows *policy.Rows) string {
	var b strings.Builder
	for k, c := range columns {
		if k > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + c.Name + `"`)
	}
	b.WriteByte('\n')
	var number []byte
	for i := range rows.N {
		for k, column := range rows.Columns {
			if number = number[:0]; k > 0 {
				number = append(number, ',')
			}
			b.Write(strconv.AppendInt(number, column[i], 10))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// parseInput reads what inputText wrote.
func parseInput(columns []policy.InputInfo, text string) (*policy.Rows, error) {
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(all) == 0 {
		return nil, errors.New("its rows are no CSV file")
	}
	for k, c := range columns {
		if len(all[0]) != len(columns) || all[0][k] != c.Name {
			return nil, errors.New("its columns are not those of the policy")
		}
	}
	rows := &policy.Rows{N: len(all) - 1, Columns: make([][]int64, len(columns))}
	for _, cells := range all[1:] {
		for k, cell := range cells {
			v, err := strconv.ParseInt(cell, 10, 64)
			if err != nil {
				return nil, errors.New("its rows hold something else than numbers")
			}
			rows.Columns[k] = append(rows.Columns[k], v)
		}
	}
	return rows, nil
}

// commit gives every member the commitments of all sites.
func (w *work) commit(s *mpc.Session, run *MatchRun) {
	all := mpc.Exchange(s, w.members(), commitmentBytes(run.Commitments))
	if s.Err() != nil {
		return
	}
	for i := range run.Commitments {
		c := &run.Commitments[i]
		if c.Site != w.Self {
			from := all[mpc.PartyID(w.roster.NodeIndex(c.Site))]
			c.Hash = job.Hash(from[i*len(c.Hash) : (i+1)*len(c.Hash)])
		}
	}
}

// tell sends every site what it alone learns, and returns what this one was told. Of
// each value a party sends one component whole and a hash of its other one, which the
// next party sends whole, so that one party alone cannot change anything unnoticed.
// All parties send every site as many bytes, whatever the match gave.
func (w *work) tell(s *mpc.Session, out *matchOutputs) Opened {
	mpc.Meet(s.Step(stepReady), w.members()) // parties compute for as long as they need
	s = s.Step(stepReveal)
	opened := Opened{}
	for i, site := range w.plan.matchSites() {
		told := w.plan.match.told[site]
		if len(told) == 0 {
			continue
		}
		at := s.Step("site", i)
		to := mpc.PartyID(w.roster.NodeIndex(site))
		var own component
		if w.isParty() {
			own = w.componentFor(at, told, out, site)
			if to != w.self {
				for piece := range slices.Chunk(own.encode(), mpc.MaxFrame) {
					at.Send(to, piece)
				}
			}
		}
		if to == w.self && at.Err() == nil {
			w.hear(at, told, own, opened)
		}
	}
	return opened
}

// component is what a site gets of one party: a component of all its values, and the
// hash of the component that the next party sends.
type component struct {
	whole ring.Vec64
	next  job.Hash
}

func (c *component) encode() []byte { return append(c.whole.Append(nil), c.next[:]...) }

// componentFor is this party's for a site.
func (w *work) componentFor(s *mpc.Session, told []Output, out *matchOutputs, site string) component {
	if s.Err() != nil {
		return component{}
	}
	var all []rss.Vec
	for _, o := range told {
		x := out.sites[site][o.Name]
		if x.Len() != o.Len {
			s.Fail(fmt.Errorf("%s gives %s %d elements of %s, its plan has %d", w.plan.Analysis, site, x.Len(), o.Name, o.Len))
			return component{}
		}
		all = append(all, x)
	}
	flat := rss.Concat(s, all...)
	return component{flat.A, sha256.Sum256(flat.B.Append(nil))}
}

// hear puts together what the parties tell this site.
func (w *work) hear(s *mpc.Session, told []Output, own component, opened Opened) {
	n := 0
	for _, o := range told {
		n += o.Len
	}
	size := ring.Vec64{}.Make(n).Size()
	components := make([]component, len(w.parties))
	for role, p := range w.parties {
		if p == w.self {
			components[role] = own
			continue
		}
		var b []byte
		for left := size + len(job.Hash{}); left > 0 && s.Err() == nil; left = size + len(job.Hash{}) - len(b) {
			b = append(b, s.Recv(p, min(left, mpc.MaxFrame))...)
		}
		if s.Err() != nil {
			return
		}
		components[role] = component{ring.Vec64{}.Decode(b[:size]), job.Hash(b[size:])}
	}
	total := ring.Vec64{}.Make(n)
	for role, c := range components {
		next := components[(role+1)%len(components)]
		if sha256.Sum256(next.whole.Append(nil)) != c.next {
			s.Fail(fmt.Errorf("%s and %s tell different things of the match: one of them is faulty or cheating", s.Name(w.parties[role]), s.Name(w.parties[(role+1)%len(components)])))
			return
		}
		total = total.Add(c.whole)
	}
	for _, o := range told {
		opened[o.Name] = bigs(total[:o.Len])
		total = total[o.Len:]
	}
}

// keepRun writes what this site keeps of the run.
func (w *work) keepRun(s *mpc.Session, run *MatchRun, told Opened) Change {
	var err error
	if len(told) > 0 {
		run.Result, err = w.plan.match.kind.finishSite(w.plan, run, told)
	}
	var change Change
	if err == nil {
		change, err = w.Runs.Keep(run)
	}
	if err != nil {
		s.Fail(fmt.Errorf("%s: keep the run: %w", w.Self, err))
		return nil
	}
	return change
}

// opens tells whether an input is the one that was committed to.
func (r *MatchRun) opens(c Commitment) (*MatchInput, bool) {
	for i := range r.Inputs {
		in := &r.Inputs[i]
		hash := in.commit(r.Job, r.Site)
		if r.Site == c.Site && in.List == c.List && in.Side == c.Side && bytes.Equal(hash[:], c.Hash[:]) {
			return in, true
		}
	}
	return nil, false
}
