package coordinator

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"consilium/api"
	"consilium/job"
)

func TestSlowWatcherHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	// This one reads nothing until the job is done and far more has happened
	// than fits into its window.
	slow, err := w.client("alice", s.Addr()).rpc.Watch(w.context(), &api.WatchRequest{Id: id[:]})
	if err != nil {
		t.Fatal(err)
	}
	session := w.accepted(nodes, id)
	for round := range 400 {
		for _, n := range nodes {
			n.progress(id, fmt.Sprintf("phase %d", round), strings.Repeat("x", maxDetail))
		}
	}
	w.finished(nodes, id, session)
	alice.ends(id, api.State_STATE_DONE, "")

	want := alice.watch(id, 0)
	for i, e := range want {
		got, err := slow.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got.GetSequence() != e.GetSequence() || got.GetPhase() != e.GetPhase() {
			t.Fatalf("event %d is %v, want %v", i, got, e)
		}
	}
}

func TestWatchGoesOnAfterTheKnown(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	w.finished(nodes, id, w.accepted(nodes, id))
	all := alice.watch(id, 0)
	rest := alice.watch(id, 3)
	if len(rest) != len(all)-3 {
		t.Errorf("%d events after the third of %d", len(rest), len(all))
	}
	if past := alice.watch(id, int64(len(all))); len(past) != 0 {
		t.Errorf("%d events after the last", len(past))
	}
	missing := make([]byte, len(job.Hash{}))
	stream, err := alice.rpc.Watch(w.context(), &api.WatchRequest{Id: missing})
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, err, codes.NotFound)
}

func TestWatchEndsWhenTheCoordinatorStops(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(context.Background())
	s, err := Start(ctx, w.config())
	if err != nil {
		t.Fatal(err)
	}
	n := w.node("hospital-1", s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	n.offered(id)
	stream, err := alice.rpc.Watch(w.context(), &api.WatchRequest{Id: id[:]})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	stop()
	for err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, err, codes.Unavailable)
	_, err = n.stream.Recv()
	wantCode(t, err, codes.Unavailable)
	<-s.Done()
	w.closeServer(s)
}

func TestNotesAreBounded(t *testing.T) {
	o := newOpenJob(&record{state: api.State_STATE_RUNNING}, nil, false)
	at := time.UnixMilli(1_000_000)
	kept := 0
	for round := range notesPerNode {
		for phase := range 2 * notesPerFlush {
			if o.note(at, "hospital-1", fmt.Sprintf("phase %d", phase), fmt.Sprint(round)) {
				kept++
			}
		}
		if n := len(o.notes); n > notesPerFlush {
			t.Fatalf("%d events wait for one write, want at most %d", n, notesPerFlush)
		}
		o.stored(o.numbered(at, nil))
	}
	if o.sequence != notesPerNode || o.counts["hospital-1"] != notesPerNode {
		t.Errorf("%d events stored, want %d", o.sequence, notesPerNode)
	}
	if !o.note(at, "hospital-2", "computing", "") || o.note(at, "hospital-1", "computing", "") {
		t.Error("the cap is not each node's own")
	}
}

func TestNotesOfOnePhaseMerge(t *testing.T) {
	o := newOpenJob(&record{state: api.State_STATE_RUNNING}, nil, false)
	at := time.UnixMilli(1_000_000)
	for step := range 5 {
		o.note(at, "hospital-1", "computing", fmt.Sprint(step))
		o.note(at, "hospital-2", "computing", fmt.Sprint(step))
	}
	o.note(at, "hospital-1", "revealing", "")
	if len(o.notes) != 3 || o.notes[0].GetDetail() != "4" || o.notes[2].GetPhase() != "revealing" {
		t.Errorf("kept %v", o.notes)
	}
	if !o.flush.Equal(at.Add(noteEvery)) {
		t.Errorf("stored at %v", o.flush)
	}
}

func TestTextsOfNodesAreMadeHarmless(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	session := w.accepted(nodes, id)
	nodes[0].progress(id, strings.Repeat("p", 1000), "line\nline\x1b]0;é"+strings.Repeat("y", 100_000))
	w.finished(nodes, id, session)
	for _, e := range alice.watch(id, 0) {
		if len(e.GetPhase()) > maxPhase || len(e.GetDetail()) > maxDetail {
			t.Errorf("an event has %d and %d bytes", len(e.GetPhase()), len(e.GetDetail()))
		}
		if text := e.GetPhase() + e.GetDetail(); text != job.Printable(text, len(text)) {
			t.Errorf("an event has %q", text)
		}
	}
}
