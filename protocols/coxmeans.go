package protocols

import (
	"consilium/mpc"
	"consilium/mpc/rss"
)

// coxMeans are what events make of their risk sets.
type coxMeans struct {
	// columns are wide: the sums D, their inverses, 0 in rows without event, and with
	// Efron's ties the part of these that rows of the same ties do not count for.
	columns       *rss.Chunked
	risk, inverse format
	sums          *coxBorders
	between       rss.Vec128 // the sum over events of m m'
}

// Columns of coxMeans.
const (
	meansRisk = iota
	meansInverse
	meansLacking
)

// average makes the means.
func (c *coxRows) average(s *mpc.Session, w *coxWeights) *coxMeans {
	m := &coxMeans{columns: c.order.Like(s, 0, meansLacking), sums: c.hazardBorders()}
	if c.efron {
		m.columns = c.order.Like(s, 0, meansLacking+1)
	}
	for i := range c.order.Chunks() {
		s := s.Step("chunk", i)
		sums := c.riskSums(s.Step("risk sets"), i, w)
		n := sums.Len() / (c.p + 1)
		risk := sums.Slice(s, 0, n)
		// A sum has the weight of a row, or an average of such.
		inverse := rss.Reciprocal(s.Step("inverse"), risk, perRiskFrac).Within(s, perRiskFrac+weightBits+1)
		event := rss.NewFixed128(s, c.order.Wide(s, i, wideEvent)[0], 0, 0)
		inverse = inverse.Mul(s.Step("events"), event, perRiskFrac)
		m.risk, m.inverse = format{risk.Frac, risk.Bits}, format{inverse.Frac, inverse.Bits}

		means := sums.Slice(s, n, sums.Len()).
			Mul(s.Step("means"), repeat(s, inverse, c.p), w.format.frac).Within(s, w.format.frac+c.zFormat.bits-c.zFormat.frac+1)
		between := means.MatMul(s.Step("between"), rowwise(s, means, c.p), c.p, n, c.p, c.informationFrac())
		m.between = plus(s, m.between, between.Share)

		columns := []rss.Vec128{risk.Share, inverse.Share}
		if c.efron {
			columns = append(columns, inverse.Mul(s.Step("tied"), c.tied(s, i), inverse.Frac).Share)
		}
		m.columns.Put(s, i, nil, columns...)
		c.tellHazard(s.Step("hazard"), i, m.sums, columns)
	}
	m.sums.settle(s.Step("hazard"))
	return m
}

// hazardBorders are for the sums of hazard.
func (c *coxRows) hazardBorders() *coxBorders {
	b := &coxBorders{ties: c.ties.borders(0, 1)}
	if c.efron {
		b.ties = c.ties.borders(1, 2)
	}
	if c.strata != nil {
		b.strata = c.strata.borders(1, 0)
	}
	return b
}

// hazardSums are what of columns of coxMeans is summed through ties and before them.
func (c *coxRows) hazardSums(columns []rss.Vec128) (through, before []rss.Vec128) {
	if !c.efron {
		return nil, columns[meansInverse:]
	}
	return columns[meansLacking:], columns[meansInverse:]
}

func (c *coxRows) tellHazard(s *mpc.Session, i int, b *coxBorders, columns []rss.Vec128) {
	through, before := c.hazardSums(columns)
	b.ties.tell(s.Step("ties"), i, through, before)
	if c.strata != nil {
		b.strata.tell(s.Step("strata"), i, columns[meansInverse:meansLacking], nil)
	}
}

// hazard returns for every row of chunk i the sum over the events whose risk sets it is in
// of the inverses: what riskSums does, the other way round.
func (c *coxRows) hazard(s *mpc.Session, i int, m *coxMeans) rss.Fixed128 {
	columns := m.columns.Wide(s, i)
	through, before := c.hazardSums(columns)
	ends, starts := m.sums.ties.sums(s.Step("ties"), i, through, before)
	less := starts[0]
	if c.efron {
		less = rss.Add(s, less, rss.Sub(s, ends[0], starts[1]))
	}
	var all rss.Vec128
	if c.strata != nil {
		ends, _ := m.sums.strata.sums(s.Step("strata"), i, columns[meansInverse:meansLacking], nil)
		all = ends[0]
	} else {
		all = rss.Repeat(s, m.sums.ties.all[len(through)], less.Len())
	}
	return rss.NewFixed128(s, rss.Sub(s, all, less), m.inverse.frac, m.inverse.bits+log2(c.n))
}
