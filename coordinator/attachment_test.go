package coordinator

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// bringing makes a job bring something along, for hospital 3 alone, which is no site of
// the dataset.
func bringing(attachment []byte) func(*job.Job) {
	return func(j *job.Job) {
		j.Engine, j.Nodes, j.Attachment = job.EngineMHE, []string{"hospital-3"}, job.AttachmentHash(attachment)
	}
}

// brought takes an offer that comes with something.
func (n *node) brought(signed *job.Signed, attachment []byte) {
	n.w.t.Helper()
	got, with, err := wire.SubmittedFrom(n.next().GetOffer())
	if err != nil || got.ID() != signed.ID() || !bytes.Equal(with, attachment) {
		n.w.t.Fatalf("%s: offered %v with %d bytes: %v", n.name, got, len(with), err)
	}
}

// attachments is how many the store holds.
func (w *world) attachments() int {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "state", storeFile)+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	n := 0
	if err := db.QueryRow("SELECT count(*) FROM attachments").Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (c *client) bring(signed *job.Signed, attachment []byte) error {
	_, err := c.rpc.Submit(c.w.context(), wire.SubmittedTo(signed, attachment))
	return err
}

// TestAttachmentReachesWhoTakesPart: nobody else hears of the job, a coordinator that is
// killed hands the attachment out again, and the job's end takes it off the disk.
func TestAttachmentReachesWhoTakesPart(t *testing.T) {
	w := newWorld(t)
	c := w.child("parallel: 1\n")
	nodes := w.nodes(c.address)
	alice := w.client("alice", c.address)
	attachment := bytes.Repeat([]byte("sealed"), job.MaxAttachment/6) // next to the cap
	signed := w.signed("alice", bringing(attachment))
	if err := alice.bring(signed, attachment); err != nil {
		t.Fatal(err)
	}
	plain := alice.submit() // to everybody, later
	id := signed.ID()
	alice.until(id, inState(api.State_STATE_DECIDING))
	c.again(nodes)
	nodes[2].brought(signed, attachment)
	nodes[2].hangUp()
	nodes[2].attach(c.address) // and once more without a restart
	nodes[2].brought(signed, attachment)
	if n := w.attachments(); n != 1 {
		t.Errorf("%d attachments are stored", n)
	}
	nodes[2].decide(id, "")
	m := nodes[2].next().GetStart()
	decisions, err := wire.DecisionsFrom(m.GetDecisions(), 1)
	if err != nil {
		t.Fatal(err)
	}
	j, err := signed.Verify()
	if err != nil {
		t.Fatal(err)
	}
	session, err := job.SessionID(id, j, w.roster.Roster, decisions)
	if err != nil {
		t.Fatal(err)
	}
	nodes[2].report(id, "", nodes[2].part(id, session, 1<<20))
	nodes[2].acknowledged(id)
	alice.ends(id, api.State_STATE_DONE, "")
	if n := w.attachments(); n != 0 {
		t.Errorf("%d attachments outlast their jobs", n)
	}
	reply, err := alice.rpc.Fetch(w.context(), &api.JobRef{Id: id[:]})
	if err != nil || len(reply.GetShares()) != 1 || reply.GetShares()[0].GetParty() != "hospital-3" || len(reply.GetJob().GetAttachment()) != 0 {
		t.Errorf("fetched %d shares with an attachment of %d bytes: %v", len(reply.GetShares()), len(reply.GetJob().GetAttachment()), err)
	}
	for _, n := range nodes {
		n.offered(plain) // the first that the others hear of
	}
}

// TestAttachmentOfCancelledJob goes with the job.
func TestAttachmentOfCancelledJob(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice := w.client("alice", s.Addr())
	signed := w.signed("alice", bringing([]byte("sealed")))
	if err := alice.bring(signed, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	if n := w.attachments(); n != 1 {
		t.Errorf("%d attachments are stored", n)
	}
	if _, err := alice.cancel(signed.ID()); err != nil {
		t.Fatal(err)
	}
	if n := w.attachments(); n != 0 {
		t.Errorf("%d attachments outlast their jobs", n)
	}
}

func TestAttachmentsAreHeldAgainstTheJob(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice := w.client("alice", s.Addr())
	signed := w.signed("alice", bringing([]byte("sealed")))
	for _, c := range []struct {
		name       string
		signed     *job.Signed
		attachment []byte
		says       string
	}{
		{"another", signed, []byte("sealex"), "altered"},
		{"none", signed, nil, "did not come"},
		{"one too many", w.signed("alice"), []byte("sealed"), "6 bytes came with it"},
		{"too large", w.signed("alice", bringing(make([]byte, job.MaxAttachment+1))), make([]byte, job.MaxAttachment+1), "attachment has 8388609 bytes, at most 8388608"},
		{"for an unknown node", w.signed("alice", bringing([]byte("sealed")), func(j *job.Job) { j.Nodes = []string{"hospital-9"} }), []byte("sealed"), "unknown node"},
	} {
		err := alice.bring(c.signed, c.attachment)
		if text := status.Convert(err).Message(); status.Code(err) != codes.InvalidArgument || !strings.Contains(text, c.says) || strings.Contains(text, "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	for range maxAttached {
		if err := alice.bring(w.signed("alice", bringing([]byte("sealed"))), []byte("sealed")); err != nil {
			t.Fatal(err)
		}
	}
	err := alice.bring(signed, []byte("sealed"))
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "8 jobs with attachments") {
		t.Errorf("one more: %v", err)
	}
	alice.submit() // without one there is room
	if log, err := os.ReadFile(filepath.Join(w.dir, "log")); err != nil || strings.Contains(string(log), "sealed") {
		t.Errorf("attachments are logged: %v", err)
	}
}
