package protocols

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Task is one node's part in one accepted job.
type Task struct {
	Signed    *job.Signed
	Roster    *job.RosterFile
	Decisions []job.Decision // every node's acceptance, in any order
	Self      string         // this node's name in the roster
	Key       ed25519.PrivateKey
	// Transport links all nodes of the roster; PartyID is the index there.
	Transport mpc.Transport
	// Data is this site's own rows; nil when the node holds none of the dataset, or the
	// job does not read them: see Plan.ReadsRows.
	Data SiteData
	// List is this site's own rows of lists; nil when the job reads none here: see
	// Plan.Lists.
	List ListData
	// Runs keeps what a match leaves at this site, and knows its answers to offers; nil
	// where the node is no site of a match.
	Runs MatchRuns
	// Rows keeps what a party needs of matches whose ranks are revealed one at a time; nil
	// of any other job.
	Rows KeptRows
	// Vault is what this node keeps of the dataset under engine mhe; nil when it keeps
	// nothing.
	Vault Vault
	// Shares is what this node keeps of the dataset under engine shares; nil when it can
	// keep nothing.
	Shares ShareStore
	// Spill takes what a party's memory does not hold while it computes; its owner ends it
	// after Run.
	Spill *rss.Spill
	// Scored is the model and the query of a private score; nil of any other job.
	Scored *Scored
	// Timeout bounds every single send and receive, and thereby how long a site
	// may read its data. The context bounds the whole.
	Timeout time.Duration
	// Progress, if not nil, hears of each phase and step that begins. It must not
	// block, and may be called from several goroutines at once.
	Progress func(phase, detail string)
}

// Format shows of a task whose it is: it holds the node's key.
func (t *Task) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "task of %s", t.Self) }

// LogValue is Format for structured logs.
func (t *Task) LogValue() slog.Value { return slog.StringValue("task of " + t.Self) }

// The phases of a task, in their order.
const (
	Confirming = "confirming"
	Agreeing   = "agreeing"
	Sealing    = "sealing"
	Computing  = "computing"
	Revealing  = "revealing"
)

// The first steps of a session's paths.
const (
	stepConfirm = "confirm"
	stepCommit  = "commit"
	stepSeal    = "seal"   // seal.0, seal.1 …: one for each site of the dataset
	stepStored  = "stored" // parties read what they keep
	stepCompute = "compute"
	stepReady   = "ready" // sites wait here while parties compute
	stepReveal  = "reveal"
	stepEnd     = "end"

	stepCommitted = "committed" // of what is kept as shares
)

// phaseOf names the phase to which a step's path belongs; "" for the farewell.
func phaseOf(path string) string {
	first, _, _ := strings.Cut(path, "/")
	first, _, _ = strings.Cut(first, ".")
	switch first {
	case stepConfirm:
		return Confirming
	case stepCommit, stepSeal:
		return Sealing
	case stepStored, stepCompute:
		return Computing
	case stepReveal:
		return Revealing
	}
	return ""
}

// Sessions returns the two sessions of which frames will come: that in which
// the nodes confirm, and that of the run. A node admits both at its transport
// before Run, and ends both after it.
func (t *Task) Sessions() (confirm, run mpc.SessionID, err error) {
	b, err := bind(PlanJob, t.Signed, t.Roster, t.Decisions)
	if err != nil {
		return confirm, run, err
	}
	return b.confirmSession(), b.session, nil
}

// Run does this node's part: it confirms the session with every node, seals the
// node's own rows if it is a site, computes if it is a party, and returns the
// party's share of the result, sealed to the recipient and signed. Under engine mhe
// the sites are the parties, and what a job changes in this node's vault is in force
// when Run returns. Nodes that are no party get nil. Parties, sites and who keeps
// ciphertexts return when all of them have done their parts; any other node only
// confirms.
//
// After an error all others end too, with an error that names the cause. All
// goroutines of the run have ended when Run returns. The context should have
// the job's deadline: it alone bounds the time for which parties compute.
func (t *Task) Run(ctx context.Context) (*job.SealedShare, error) {
	b, err := bind(PlanJob, t.Signed, t.Roster, t.Decisions)
	if err != nil {
		return nil, err
	}
	w, err := t.work(b)
	if err != nil {
		return nil, err
	}
	return w.do(ctx)
}

// work is a task with what was derived from it.
type work struct {
	*Task
	*binding
	self    mpc.PartyID
	among   []mpc.PartyID // who takes part
	parties []mpc.PartyID
	sites   []mpc.PartyID
}

func (t *Task) work(b *binding) (*work, error) {
	w := &work{Task: t, binding: b, among: b.participants(), parties: b.parties(), sites: b.sites()}
	w.self = mpc.PartyID(b.roster.NodeIndex(t.Self))
	if w.self < 0 {
		return nil, fmt.Errorf("%s is no node of the roster", t.Self)
	}
	if !slices.Contains(w.among, w.self) {
		return nil, fmt.Errorf("%s takes no part in the job", t.Self)
	}
	if len(t.Key) != ed25519.PrivateKeySize || !b.roster.NodeKey(int(w.self)).Equal(t.Key.Public()) {
		return nil, fmt.Errorf("the key is not the one that the roster has for %s", t.Self)
	}
	if needs := w.isSite() && b.plan.ReadsRows(); needs != (t.Data != nil) {
		return nil, fmt.Errorf("%s: the roster and this node disagree on whether it holds rows of dataset %s; compare the roster's sites with the node's own datasets", t.Self, b.plan.Dataset.Name)
	}
	if b.plan.KeepsRows() && w.isParty() && t.Rows == nil {
		return nil, fmt.Errorf("%s: nothing keeps the rows of runs here", t.Self)
	}
	if b.plan.MatchesAt(t.Self) != (t.Runs != nil) || (len(b.plan.ListsAt(t.Self)) > 0) != (t.List != nil) {
		return nil, fmt.Errorf("%s: the roster and this node disagree on whether it holds rows of the lists %s; compare the roster's sites with the node's own datasets", t.Self, strings.Join(b.plan.lists, ", "))
	}
	return w, nil
}

func (w *work) isParty() bool { return slices.Contains(w.parties, w.self) }
func (w *work) isSite() bool  { return slices.Contains(w.sites, w.self) }

// members are those who have a part in the run, in the roster's order: parties, sites,
// and who keeps ciphertexts. All others have only to confirm.
func (w *work) members() []mpc.PartyID {
	have := slices.Concat(w.parties, w.sites, w.indexes(w.plan.beside))
	return slices.DeleteFunc(slices.Clone(w.among), func(p mpc.PartyID) bool { return !slices.Contains(have, p) })
}

func (w *work) newSession(ctx context.Context, id mpc.SessionID, seeds mpc.Seeds) (*mpc.Session, error) {
	return mpc.NewSession(ctx, mpc.Config{
		ID: id, Self: w.self, Names: w.roster.Names(), Compute: w.parties, Among: w.among,
		Transport: w.Transport, Seeds: seeds, Timeout: w.Timeout,
		Progress: func(path string) {
			if phase := phaseOf(path); phase != "" {
				w.report(phase, path)
			}
		},
	})
}

func (w *work) report(phase, detail string) {
	if w.Progress != nil {
		w.Progress(phase, detail)
	}
}
