package protocols

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/node/linktest"
)

// others checks that every node but the named ones ended with an error that has
// want in it.
func (tr *trial) others(want string, but ...int) {
	tr.t.Helper()
	for i, err := range tr.errs {
		if slices.Contains(but, i) {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			tr.t.Errorf("%s: got %v, want an error with %q", tr.nodes[i].Name, err, want)
		}
	}
}

// underEachEngine runs a test of what holds whichever engine a job has. Try makes a
// trial of a job under it, whose sites first tell of their rows at the step begins.
func underEachEngine(t *testing.T, test func(t *testing.T, try func(*study, ask) *trial, begins string)) {
	t.Run("shares", func(t *testing.T) { test(t, (*study).trial, stepSeal) })
	t.Run("mhe", func(t *testing.T) { test(t, (*study).underMHE, stepCompute) })
}

// phases has the trial note which phases each node reports, in order.
func (tr *trial) phases() [][]string {
	var mu sync.Mutex
	phases := make([][]string, studyNodes)
	tr.task = func(i int, task *Task) {
		task.Progress = func(phase, _ string) {
			mu.Lock()
			defer mu.Unlock()
			if n := len(phases[i]); n == 0 || phases[i][n-1] != phase {
				phases[i] = append(phases[i], phase)
			}
		}
	}
	return phases
}

// TestOnlyPartiesHaveShares: three sealed shares come, of the parties; sites
// that compute nothing end well without one.
func TestOnlyPartiesHaveShares(t *testing.T) {
	leakFree(t)
	tr := fiveWards(t).trial(sexCounts)
	tr.run()
	tr.must(errors.Join(tr.errs...))
	var of []string
	for _, share := range tr.shares {
		of = append(of, share.Party)
	}
	if want := []string{"hospital-1", "hospital-2", "hospital-3"}; !slices.Equal(of, want) {
		t.Errorf("shares of %v, want %v", of, want)
	}
}

// TestBystanderOnlyConfirms: a node that neither holds rows nor computes takes
// part in nothing but the comparison of sessions; parties without rows compute.
func TestBystanderOnlyConfirms(t *testing.T) {
	leakFree(t)
	lines := [][]string{{"40", "1.5", "f", "2"}, {"41", "2", "f", "2"}, {"50", "2", "m", "2"}}
	p := pieces{name: "ward", schema: wardSchema(), sites: []table{{}, {wardHeader, lines}, {}, {wardHeader, lines}, {}}}
	s := newStudy(t, nil, p)
	tr := s.trial(sexCounts)
	got := tr.succeed().Value.(map[string]any)
	if got["f"] != int64(4) || got["m"] != int64(2) {
		t.Errorf("got %v", got)
	}
	for _, record := range tr.net.Transcript() {
		if (record.From == 4 || record.To == 4) && record.Step != stepConfirm {
			t.Errorf("the bystander has part in %s", record.Step)
		}
	}
}

// TestConfirm: a coordinator that hands one node another nonce is found out by
// every node, before anything is sealed.
func TestConfirm(t *testing.T) {
	leakFree(t)
	tr := fiveWards(t).trial(sexCounts)
	differing := slices.Clone(tr.decisions)
	differing[2] = tr.accept(tr.nodes[2], tr.signed)
	tr.task = func(i int, task *Task) {
		if i == 1 {
			task.Decisions = differing
		}
	}
	tr.run()
	tr.others("holds another set of session nonces: the coordinator sent different ones")
	for _, record := range tr.net.Transcript() {
		if record.Step != stepConfirm && record.Step != "abort" {
			t.Errorf("a frame of step %s was sent", record.Step)
		}
	}
	if len(tr.shares) != 0 {
		t.Error("there is a share of a result")
	}
}

func TestDecisionsInAnyOrder(t *testing.T) {
	leakFree(t)
	tr := fiveWards(t).trial(sexCounts)
	tr.task = func(i int, task *Task) {
		task.Decisions = slices.Clone(task.Decisions)
		slices.SortFunc(task.Decisions, func(a, b job.Decision) int { return strings.Compare(b.Node, a.Node) * (i%2*2 - 1) })
	}
	tr.succeed()
}

// TestSiteFails: what a site says of its own file reaches everybody, and nobody
// has a share.
func TestSiteFails(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 127)
	short := func(n int, x *big.Int) SiteData { return fixedSums{slices.Repeat([]*big.Int{x}, n)} }
	for _, c := range []struct {
		name string
		site int
		data SiteData
		want string
	}{
		{"a party's file", 1, failing(), "row 17, column age"},
		{"another site's file", 4, failing(), "row 17, column age"},
		{"a sum less", 4, short(1, big.NewInt(1)), "has 1 sums, 2 were asked for"},
		{"a sum too large", 4, short(2, huge), "does not fit 128 bits"},
		{"a sum missing", 0, short(2, nil), "does not fit 128 bits"},
		{"no sums", 0, fixedSums{}, "0 summaries came, 1 were asked for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			leakFree(t)
			tr := fiveWards(t).trial(sexCounts)
			tr.task = func(i int, task *Task) {
				if i == c.site {
					task.Data = c.data
				}
			}
			tr.run()
			tr.others(c.want)
			tr.others(tr.nodes[c.site].Name)
			if len(tr.shares) != 0 {
				t.Error("there is a share of a result")
			}
		})
	}
}

// fixedSums is a SiteData with the same sums for every question.
type fixedSums [][]*big.Int

func (d fixedSums) Summaries(context.Context, job.Predicate, []job.Summary) ([][]*big.Int, error) {
	return d, nil
}

func (fixedSums) Rows(context.Context, job.Predicate, []job.Vector) (array.RecordReader, error) {
	return nil, errors.New("not asked for")
}

// TestNodeVanishes: whenever a node falls silent, all others end with an error
// that names it. The clock is not real: waiting takes no time.
func TestNodeVanishes(t *testing.T) {
	for _, c := range []struct {
		name   string
		victim mpc.PartyID
		from   string // the step from which on nothing of it arrives
	}{
		{"a party from the beginning", 1, ""},
		{"a site from the beginning", 4, ""},
		{"a party before agreeing", 2, "agree"},
		{"a party before sealing", 0, "seal"},
		{"a site before sealing", 3, "seal"},
		{"a party while shares are compared", 1, "compare"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if shares := vanishes(t, (*study).trial, c.victim, c.from); len(shares) != 0 {
				t.Error("there is a share of a result")
			}
		})
	}
}

// vanishes tries a job of which a node falls silent, wants all others to name it, and
// returns the shares of a result that there are.
func vanishes(t *testing.T, try func(*study, ask) *trial, victim mpc.PartyID, from string) (shares []job.SealedShare) {
	s := fiveWards(t)
	synctest.Test(t, func(*testing.T) {
		tr := try(s, sexCounts)
		tr.hooks.Tamper = silence(victim, from)
		tr.run()
		tr.others(tr.nodes[victim].Name, int(victim))
		shares = tr.shares
	})
	return shares
}

// silence loses all frames of a participant from the first on whose step has
// the text in it.
func silence(victim mpc.PartyID, from string) func(memnet.Message) ([]byte, bool) {
	var mu sync.Mutex
	silent := false
	return func(m memnet.Message) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		if m.From == victim && strings.Contains(m.Channel.Step, from) {
			silent = true
		}
		return m.Frame, m.From != victim || !silent
	}
}

// TestNodeNeverStarts: a node that is down ends the job by its name.
func TestNodeNeverStarts(t *testing.T) {
	underEachEngine(t, func(t *testing.T, try func(*study, ask) *trial, _ string) {
		s := fiveWards(t)
		synctest.Test(t, func(*testing.T) {
			tr := try(s, sexCounts)
			tr.absent = 3
			tr.run()
			tr.others("hospital-4", 3)
		})
	})
}

// TestLinkLost: a link that breaks while sites tell of their rows ends the job at
// both its ends and, by their aborts, everywhere. Links in memory alone can be cut.
func TestLinkLost(t *testing.T) {
	leakFree(t)
	underEachEngine(t, func(t *testing.T, try func(*study, ask) *trial, begins string) {
		tr := try(fiveWards(t), sexCounts)
		var once sync.Once
		tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
			if strings.HasPrefix(m.Channel.Step, begins) {
				once.Do(func() { tr.net.Cut(1, 4, errors.New("the cable is out")) })
			}
			return m.Frame, true
		}
		tr.run()
		tr.others("the cable is out")
	})
}

// TestPartyLeaves: a party that ends without a word fails all that wait for it.
func TestPartyLeaves(t *testing.T) {
	s := fiveWards(t)
	synctest.Test(t, func(*testing.T) {
		tr := s.trial(sexCounts)
		tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
			return m.Frame, m.Channel.Step != stepEnd || m.From != 2
		}
		tr.run()
		tr.others("from hospital-3: peer has ended the session", 2)
	})
}

// TestLongComputation: sites wait for the parties beyond the patience of a
// single receive.
func TestLongComputation(t *testing.T) {
	s := fiveWards(t)
	synctest.Test(t, func(*testing.T) {
		tr := s.trial(sexCounts)
		tr.analysis = slow{}
		tr.succeed()
	})
}

// slow is Frequency with a computation of half a minute, in 30 rounds.
type slow struct{ Frequency }

func (slow) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	x := in.Sums[cellCounts]
	for i := range 30 {
		time.Sleep(time.Second)
		x = rss.Mul(s.Step("round", i), x, rss.Public(s, ring.Vec128{{Lo: 1}, {Lo: 1}}))
	}
	return Outputs{Values: map[string]rss.Vec128{cellCounts: x}, Rows: rss.Narrow(s, rss.Sum(s, x))}
}

// TestFrameAltered: a frame cut on its way is refused by its receiver.
func TestFrameAltered(t *testing.T) {
	leakFree(t)
	tr := fiveWards(t).trial(sexCounts)
	tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
		if m.Channel.Step == "seal.3/sums" && m.To == 1 && m.Index == 0 {
			return m.Frame[:len(m.Frame)-1], true
		}
		return m.Frame, true
	}
	tr.run()
	tr.others("frame from hospital-4")
}

// TestSiteDealsUnequal: a site that gives two parties different copies of a
// component is caught before anything is computed.
func TestSiteDealsUnequal(t *testing.T) {
	leakFree(t)
	tr := fiveWards(t).trial(sexCounts)
	tr.hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
		if m.Channel.Step == "seal.3/sums" && m.To == 1 && m.Index == 0 {
			m.Frame[0] ^= 1
		}
		return m.Frame, true
	}
	tr.run()
	tr.others("the shares of hospital-4 differ")
}

// TestCancelled: a site whose daemon is stopped while it reads its file takes the
// others with it.
func TestCancelled(t *testing.T) {
	leakFree(t)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		underEachEngine(t, func(t *testing.T, try func(*study, ask) *trial, _ string) {
			tr := try(fiveWards(t), sexCounts).over(worlds)
			ctx, cancel := context.WithCancelCause(t.Context())
			tr.task = func(i int, task *Task) {
				if i == 1 {
					task.Data = cancelling{task.Data, func() { cancel(errors.New("its operator stopped the node")) }}
				}
			}
			tr.context = func(i int, parent context.Context) context.Context {
				if i == 1 {
					return ctx
				}
				return parent
			}
			tr.run()
			tr.others("hospital-2", 1)
			if tr.errs[1] == nil {
				t.Error("the cancelled node ends well")
			}
		})
	})
}

// cancelling is a SiteData that calls a function when it is asked.
type cancelling struct {
	SiteData
	call func()
}

func (d cancelling) Summaries(ctx context.Context, where job.Predicate, summaries []job.Summary) ([][]*big.Int, error) {
	d.call()
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// TestTaskRefuses: a task that does not fit job, roster or node never starts.
func TestTaskRefuses(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	otherRoster := fiveWards(t).roster
	for _, c := range []struct {
		name   string
		change func(*Task)
		want   string
	}{
		{"unsigned", func(task *Task) { task.Signed.Signature = nil }, "signature"},
		{"altered", func(task *Task) { task.Signed.Bytes[20] ^= 1 }, "signature"},
		{"another roster", func(task *Task) { task.Roster = otherRoster }, "signed under roster"},
		{"a stranger's signature", func(task *Task) {
			j, err := task.Signed.Verify()
			s.must(err)
			task.Signed, err = job.Sign(j, s.nodes[0].Key)
			s.must(err)
		}, "the job's signer is no client"},
		{"a decision missing", func(task *Task) { task.Decisions = task.Decisions[:4] }, "hospital-5 is missing"},
		{"a rejection", func(task *Task) {
			d := job.Decision{Node: "hospital-5", Job: task.Signed.ID(), Reason: "not in this house"}
			d.Sign(s.nodes[4].Key)
			task.Decisions[4] = d
		}, "not in this house"},
		{"no such node", func(task *Task) { task.Self = "hospital-9" }, "hospital-9 is no node"},
		{"another node's key", func(task *Task) { task.Key = s.nodes[3].Key }, "the key is not the one"},
		{"no key", func(task *Task) { task.Key = nil }, "the key is not the one"},
		{"a site without its data", func(task *Task) { task.Data = nil }, "disagree on whether it holds rows"},
		{"no timeout", func(task *Task) { task.Timeout = 0 }, "no timeout"},
	} {
		task := s.trial(sexCounts).tasks(memnet.NewNetwork(studyNodes, 0, memnet.Hooks{}))[0]
		c.change(task)
		share, err := task.Run(context.Background())
		if err == nil || share != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// TestSessions: both sessions are known before Run, differ, and are new for
// every set of nonces and every job.
func TestSessions(t *testing.T) {
	s := fiveWards(t)
	one, other := s.trial(sexCounts), s.trial(sexCounts)
	again := s.trial(sexCounts)
	again.signed, again.decisions = one.signed, s.decide(one.signed)
	ids := map[mpc.SessionID]string{}
	for name, tr := range map[string]*trial{"one": one, "other": other, "again": again} {
		confirm, run, err := tr.tasks(memnet.NewNetwork(studyNodes, 0, memnet.Hooks{}))[2].Sessions()
		s.must(err)
		for kind, id := range map[string]mpc.SessionID{" confirm": confirm, " run": run} {
			// The same job confirms in the same session, whatever the nonces.
			if ids[id] != "" && (kind != " confirm" || name == "other" || strings.HasPrefix(ids[id], "other")) {
				t.Errorf("%s%s and %s share a session", name, kind, ids[id])
			}
			ids[id] = name + kind
		}
	}
	if len(ids) != 5 {
		t.Errorf("%d sessions, want 5", len(ids))
	}
}

// TestProgress: every phase is reported by its node, in order.
func TestProgress(t *testing.T) {
	leakFree(t)
	tr := fiveWards(t).trial(sexCounts)
	phases := tr.phases()
	tr.succeed()
	party := []string{Confirming, Agreeing, Sealing, Computing, Revealing}
	site := []string{Confirming, Sealing}
	for i, got := range phases {
		want := party
		if i > 2 {
			want = site
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s reports %v, want %v", tr.nodes[i].Name, got, want)
		}
	}
}

// TestRunIsWhatNodesCall runs the exported way from end to end.
func TestRunIsWhatNodesCall(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	tr := s.trial(sexCounts)
	net := memnet.NewNetwork(studyNodes, 0, memnet.Hooks{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	shares := make([]*job.SealedShare, studyNodes)
	errs := make([]error, studyNodes)
	var wg sync.WaitGroup
	for i, task := range tr.tasks(net) {
		wg.Go(func() { shares[i], errs[i] = task.Run(ctx) })
	}
	wg.Wait()
	s.must(errors.Join(errs...))
	opened, plan, err := Open(tr.signed, s.roster, tr.decisions, []job.SealedShare{*shares[0], *shares[1], *shares[2]}, s.recipient)
	s.must(err)
	result, err := plan.Finish(opened)
	s.must(err)
	if got := result.Value.(map[string]any); got["f"] != int64(4) || got["m"] != int64(3) {
		t.Errorf("got %v", got)
	}
	if _, err := plan.Finish(Opened{}); err == nil {
		t.Error("a result without its outputs is finished")
	}
}

// TestTaskKeepsItsKey: neither a format verb nor a log shows the node's key.
func TestTaskKeepsItsKey(t *testing.T) {
	task := fiveWards(t).trial(sexCounts).tasks(memnet.NewNetwork(studyNodes, 0, memnet.Hooks{}))[0]
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "task", task)
	for _, text := range []string{fmt.Sprint(task), fmt.Sprintf("%+v %#v %d", task, task, task), log.String()} {
		if !strings.Contains(text, "task of hospital-1") || strings.Contains(text, "ey") {
			t.Errorf("shown as %s", text)
		}
	}
}
