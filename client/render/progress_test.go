package render

import (
	"bytes"
	"strings"
	"testing"

	"consilium/client"
	"consilium/job"
	"consilium/testkit"
)

var roster = &job.Roster{
	Nodes:   []job.Node{{Name: "aare"}, {Name: "birs"}, {Name: "emme"}, {Name: "thur"}},
	Parties: []string{"aare", "birs", "emme"},
}

var asked = &job.Job{Dataset: "visits", Engine: job.EngineShares}

// way is a job's way as coordinator and nodes report it.
var way = []client.Event{
	{Sequence: 1, State: client.Queued, Phase: "queued"},
	{Sequence: 2, State: client.Deciding, Phase: "deciding", Detail: "offered to every node"},
	{Sequence: 3, State: client.Deciding, Phase: "waiting", Detail: "birs is not connected"},
	{Sequence: 3, State: client.Deciding, Node: "aare", Phase: "accepted"},
	{Sequence: 4, State: client.Deciding, Node: "thur", Phase: "accepted"},
	{Phase: client.Reconnecting, Detail: "connection refused"},
	{Phase: client.Reconnecting, Detail: "connection refused again"},
	{Sequence: 5, State: client.Deciding, Node: "birs", Phase: "accepted"},
	{Sequence: 6, State: client.Deciding, Node: "emme", Phase: "accepted"},
	{Sequence: 7, State: client.Running, Phase: "running"},
	{Sequence: 7, State: client.Running, Node: "thur", Phase: "confirming", Detail: "confirm"},
	{Sequence: 7, State: client.Running, Node: "aare", Phase: "confirming", Detail: "confirm"},
	{Sequence: 8, State: client.Running, Node: "thur", Phase: "sealing", Detail: "seal.3"},
	{Sequence: 9, State: client.Running, Node: "aare", Phase: "sealing", Detail: "seal.0"},
	{Sequence: 10, State: client.Running, Node: "birs", Phase: "sealing", Detail: "seal.1"},
	{Sequence: 11, State: client.Running, Node: "aare", Phase: "computing", Detail: "compute/mul.1"},
	{Sequence: 12, State: client.Running, Node: "birs", Phase: "computing", Detail: "compute/mul.2/carry"},
	{Sequence: 12, State: client.Running, Node: "birs", Phase: "computing", Detail: "compute"},
	{Sequence: 12, State: client.Running, Node: "emme", Phase: "sealing", Detail: "seal.2"},
	{Sequence: 13, State: client.Running, Node: "aare", Phase: "revealing", Detail: "reveal"},
	{Sequence: 14, State: client.Running, Node: "aare", Phase: "done"},
	{Sequence: 15, State: client.Done, Phase: "done"},
}

func TestProgressLines(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out, false, roster, asked)
	for _, e := range way {
		p.Event(e)
	}
	p.Close()
	testkit.Golden(t, "progress.txt", out.String())
}

// TestProgressUnderMHE: the nodes that go all the way are the sites.
func TestProgressUnderMHE(t *testing.T) {
	joint := *roster
	joint.Datasets = []job.Dataset{{Name: "visits", Sites: []job.Site{{Node: "birs"}, {Node: "thur"}}}}
	p := NewProgress(&strings.Builder{}, false, &joint, &job.Job{Dataset: "visits", Engine: job.EngineMHE})
	for _, name := range joint.Names() {
		for _, phase := range []string{"accepted", "confirming", "sealing", "computing", "revealing", "done"} {
			p.Event(client.Event{Node: name, Phase: phase})
		}
	}
	if want := 2*partyLevels + 2*siteLevels; p.done() != want {
		t.Errorf("%d levels, want %d", p.done(), want)
	}
}

func TestProgressOfARejection(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out, false, roster, asked)
	p.Event(client.Event{Sequence: 1, State: client.Deciding, Node: "birs", Phase: "rejected", Detail: "column sex is not allowed"})
	p.Event(client.Event{Sequence: 2, State: client.Rejected, Phase: "rejected", Detail: "birs: column sex is not allowed"})
	p.Close()
	if want := "rejected by birs: column sex is not allowed\nrejected\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// The bar is drawn by a goroutine: what must be there in the end is checked, and
// that the goroutine ends (goleak) however the job ended.
func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, true, roster, asked)
	for _, e := range way {
		p.Event(e)
	}
	p.Close()
	for _, words := range []string{"the line to the coordinator broke, trying again: connection refused\n", "] done"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("the bar never showed %q:\n%q", words, out.String())
		}
	}
	out.Reset()
	p = NewProgress(&out, true, roster, asked)
	p.Event(way[0])
	p.Event(client.Event{Sequence: 2, Node: "birs", Phase: "rejected", Detail: "not allowed"})
	p.Close()
	if !strings.Contains(out.String(), "rejected by birs: not allowed\n") {
		t.Errorf("the rejection is not above the bar:\n%q", out.String())
	}
}

func TestProgressOfInventedNodes(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out, false, roster, asked)
	for _, name := range []string{"aare", "nobody", "noone"} {
		p.Event(client.Event{Sequence: 1, State: client.Deciding, Node: name, Phase: "accepted"})
	}
	p.Close()
	if !strings.HasSuffix(out.String(), "accepted by noone (1 of 4)\n") {
		t.Errorf("invented nodes count: %q", out.String())
	}
}

func TestProgressNeverGoesBack(t *testing.T) {
	p := NewProgress(&strings.Builder{}, false, roster, asked)
	last := 0
	for _, e := range way {
		p.Event(e)
		if d := p.done(); d < last {
			t.Fatalf("event %d: %d after %d", e.Sequence, d, last)
		} else {
			last = d
		}
	}
	if total := 3*partyLevels + siteLevels; last > total {
		t.Errorf("%d levels, at most %d", last, total)
	}
}
