package protocols

import (
	"context"
	"fmt"
	"math/big"
	"sync"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// sealed is what the parties hold of one site: its sums, summary after summary,
// and its rows. A site that is no party holds nothing.
type sealed struct {
	sums rss.Vec128
	rows *rss.Chunked // nil where nothing goes row by row
}

// seal shares out every site's contribution to the parties and puts them
// together. This is where readable rows end. Sites do not wait for each other.
func (w *work) seal(s *mpc.Session) Inputs {
	bySite := make([]sealed, len(w.sites))
	var wg sync.WaitGroup
	for i, site := range w.sites {
		if w.isParty() || site == w.self {
			wg.Go(func() { bySite[i] = w.sealSite(s.Step(stepSeal, i), i) })
		}
	}
	wg.Wait()
	if !w.isParty() {
		return Inputs{}
	}
	return Inputs{Sums: w.addSums(s, bySite), Rows: w.joinRows(s, bySite)}
}

// sealSite runs one site's input, at the site and at the parties. Its lengths
// follow from the plan and the declared number of rows alone.
func (w *work) sealSite(s *mpc.Session, site int) sealed {
	var out sealed
	var sums ring.Vec128
	if n := w.plan.sums(); n > 0 {
		if w.sites[site] == w.self {
			sums = w.readSums(s, n)
		}
		out.sums = rss.Input(s.Step("sums"), w.sites[site], n, sums)
	}
	out.rows = w.sealRows(s, site)
	return out
}

// readSums asks this site's data for the plan's summaries. After a failure,
// which ends the session, it returns zeros.
func (w *work) readSums(s *mpc.Session, n int) ring.Vec128 {
	out, err := w.summaries(s.Context())
	if err != nil {
		s.Fail(fmt.Errorf("sum its rows of dataset %s: %w", w.plan.Dataset.Name, err))
		return ring.Vec128{}.Make(n)
	}
	return out
}

func (w *work) summaries(ctx context.Context) (ring.Vec128, error) {
	vectors, err := w.Data.Summaries(ctx, w.plan.Where, w.plan.Summaries)
	if err != nil {
		return nil, err
	}
	if len(vectors) != len(w.plan.Summaries) {
		return nil, fmt.Errorf("%d summaries came, %d were asked for", len(vectors), len(w.plan.Summaries))
	}
	var out ring.Vec128
	for i, summary := range w.plan.Summaries {
		if len(vectors[i]) != summary.Len() {
			return nil, fmt.Errorf("summary %s has %d sums, %d were asked for", summary.Name, len(vectors[i]), summary.Len())
		}
		for _, x := range vectors[i] {
			if !isInt128(x) {
				return nil, fmt.Errorf("a sum of summary %s does not fit 128 bits; check the declared ranges against the file", summary.Name)
			}
			if l := w.plan.layout; l != nil && x.BitLen() > l.Bits {
				return nil, fmt.Errorf("a sum of summary %s is beyond what the declared ranges allow; check them against the file", summary.Name)
			}
		}
		out = append(out, ring.FromBig(vectors[i])...)
	}
	return out, nil
}

// isInt128 tells whether x is a signed integer of 128 bits.
func isInt128(x *big.Int) bool {
	if x == nil {
		return false
	}
	// Two's complement has one negative number more than positive ones: -x-1 has
	// the length that counts.
	if x.Sign() < 0 {
		x = new(big.Int).Not(x)
	}
	return x.BitLen() <= 127
}

// addSums adds the sites' sums and cuts them into summaries.
func (w *work) addSums(s *mpc.Session, bySite []sealed) map[string]rss.Vec128 {
	if w.plan.sums() == 0 {
		return map[string]rss.Vec128{}
	}
	total := bySite[0].sums
	for _, site := range bySite[1:] {
		total = rss.Add(s, total, site.sums)
	}
	return w.plan.cut(s, total)
}
