package client

import (
	"strings"
	"testing"

	"consilium/job"
)

// TestPrepareScore: what is signed names what the job brings along, and the key of one
// answer signs one job.
func TestPrepareScore(t *testing.T) {
	c := newStudy(t).load(t)
	p, err := c.PrepareScore("emme", "risk", "patients", []string{"age", "sex"}, [][]int64{{64, 0}})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := p.Sign()
	if err != nil {
		t.Fatal(err)
	}
	j, err := signed.Verify()
	if err != nil || j.CheckAttachment(p.Attachment()) != nil || len(j.Nodes) != 1 || j.Nodes[0] != "emme" || j.Engine != job.EngineMHE {
		t.Errorf("signed %+v: %v", j, err)
	}
	if _, err := p.Sign(); err == nil || !strings.Contains(err.Error(), "prepare the scores anew") {
		t.Errorf("signed twice: %v", err)
	}
	for _, c := range []struct {
		owner, dataset string
		features       []string
		want           string
	}{
		{"ene", "patients", []string{"age"}, `no node "ene"`},
		{"emme", "patient", []string{"age"}, `did you mean "patients"`},
		{"emme", "patients", []string{"sex", "age"}, "in the order of the schema"},
		{"emme", "patients", []string{"age", "sex"}, "patient 1 has 1 features, not 2"},
	} {
		if _, err := newStudy(t).load(t).PrepareScore(c.owner, "risk", c.dataset, c.features, [][]int64{{64}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
