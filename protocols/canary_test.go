package protocols

import (
	"bytes"
	"math/big"
	"sync"
	"testing"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
)

// TestNoFrameHoldsACanary reads every frame in the clear, as its receiver does
// behind the link's encryption, and looks for the sums of one site: they must
// reach nobody. The same search finds them in the vector that the site seals.
func TestNoFrameHoldsACanary(t *testing.T) {
	leakFree(t)
	const canary = 48613597
	const site = 4
	lines := [][]string{{"48613597", "f"}, {"48613597", "f"}}
	p := pieces{name: "ward", schema: job.Schema{Columns: []job.Column{
		{Name: "x", Type: job.Integer, Min: "0", Max: "99999999"},
		{Name: "sex", Type: job.Text, Categories: []string{"f", "m"}},
	}}}
	for i := range studyNodes {
		own := lines
		if i != site {
			own = [][]string{{"1", "m"}, {"20", "f"}}
		}
		p.sites = append(p.sites, table{[]string{"x", "sex"}, own})
	}
	sums := ring.FromBig([]*big.Int{big.NewInt(2), big.NewInt(2 * canary), big.NewInt(2 * canary * canary)})
	sealed := sums.Append(nil)
	var needles [][]byte
	for _, v := range sums.Big()[1:] {
		needles = append(needles, ring.FromBig([]*big.Int{v})[:1].Append(nil)[:8], v.Bytes(), []byte(v.String()))
	}
	if found := holds(sealed, needles); found != 2 {
		t.Fatalf("the search finds %d needles in what the site seals, want both numbers", found)
	}

	tr := newStudy(t, nil, p).trial(ask{"ward", "describe", "", `{"columns":["x"],"by":["sex"]}`})
	var mu sync.Mutex
	seen := make(map[mpc.PartyID][]byte) // by receiver
	tr.hooks = memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		seen[m.To] = append(seen[m.To], m.Frame...)
		return m.Frame, true
	}}
	tr.succeed()
	for to, frames := range seen {
		if n := holds(frames, needles); n > 0 {
			t.Errorf("node %d received %d of the site's numbers in the clear", to, n)
		}
	}
	if len(seen) != studyNodes {
		t.Errorf("frames went to %d nodes, want %d", len(seen), studyNodes)
	}
	for _, share := range tr.shares {
		for _, o := range share.Outputs {
			if holds(o.Ciphertext, needles) > 0 {
				t.Errorf("the sealed output %s of %s holds a number in the clear", o.Name, share.Party)
			}
		}
	}
}

// holds counts the needles in a haystack.
func holds(haystack []byte, needles [][]byte) int {
	n := 0
	for _, needle := range needles {
		if bytes.Contains(haystack, needle) {
			n++
		}
	}
	return n
}
