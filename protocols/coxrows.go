package protocols

import (
	"consilium/mpc"
	"consilium/mpc/rss"
)

// coxRows are rows in the order of the risk sets, as the iterations need them: in
// chunks. In memory are 8 bytes a row, 16 with strata, of runs.
type coxRows struct {
	n, p  int
	efron bool
	// order has the narrow columns orderEvent and on, and the wide ones wideEvent and on.
	order *rss.Chunked
	// z has a wide column a covariate, which is 0 in rows that are in no risk set.
	z       *rss.Chunked
	zFormat format
	// risk has the wide columns riskRowsAt and riskTied.
	risk   *rss.Chunked
	ties   *runs // events of one time, or censored rows of one time
	strata *runs // nil without
	// mostStrata is how many strata start at most, with the rows outside the sample.
	mostStrata int

	events     rss.Vec      // how many
	perEvent   rss.Fixed128 // 1 over that
	comparable rss.Vec      // pairs of an event and a row that outlives it
	// strataCounts has, with strata, the rows of each, and zeros.
	strataCounts []rss.Vec
}

// coxElements is how many rows times terms a chunk has at most: a step takes some 650
// bytes for each, so that a model of many terms has smaller chunks.
const coxElements = rss.ChunkRows << 3

// Columns of coxRows.order. The last three, and the last wide one, are there with strata.
const (
	orderEvent        = iota // 0 or 1
	orderRunStart            // 1 where a run of ties starts
	orderRun                 // the number of the row's run of ties, from 1
	orderStratumStart        // 1 where a stratum starts
	orderStratum             // the number of the row's stratum, from 1
	orderMember              // 0 outside the sample
	orderColumns

	wideEvent  = 0
	wideMember = 1
)

// Columns of coxRows.risk.
const (
	// riskNumber is how many rows are at risk at an event, less riskTied of its ties.
	riskNumber = iota
	// riskTied is what part of the sums over its ties an event's risk set lacks: 0,
	// 1/d, … (d-1)/d for d of them. With Efron's ties alone.
	riskTied
)

// format is the public side of fixed-point numbers.
type format struct{ frac, bits int }

func (f format) of(s *mpc.Session, x rss.Vec128) rss.Fixed128 {
	return rss.NewFixed128(s, x, f.frac, f.bits)
}

// newCoxRows sorts a sample and the terms' columns; efron tells which ties.
func newCoxRows(s *mpc.Session, axis timeAxis, rows *Sampled, x *standardised, efron bool) *coxRows {
	c := &coxRows{n: rows.Rows(), p: len(x.design.terms), efron: efron, zFormat: format{x.frac, x.zBits}}
	sorted := byRisk(s.Step("order"), axis, rows, func(s *mpc.Session, chunk *Rows) (rss.Vec, []rss.Vec) {
		columns := x.columns(s.Step("columns"), chunk)
		if axis.strata != nil {
			// From 1 on, and 0 for rows outside the sample, which so have a run of their own.
			from := rss.Scale(s, chunk.Member, 1-axis.stratum)
			columns = append(columns, rss.Add(s, chunk.Value[stratumVector], from), chunk.Member)
		}
		return chunk.Value[endVector], columns
	})
	block := sorted.blocks[0].Recut(s, coxElements/c.p)
	defer block.Close()
	c.number(s.Step("runs"), axis, block)
	c.ties = newRuns(s.Step("ties"), c.order, orderRunStart)
	if axis.strata != nil {
		c.strata = newRuns(s.Step("strata"), c.order, orderStratumStart)
		c.mostStrata = len(axis.strata.Categories) + 1
	}
	c.count(s.Step("count"), block)
	return c
}

// number tells where runs of ties and strata start, and numbers them.
func (c *coxRows) number(s *mpc.Session, axis timeAxis, sorted *rss.Chunked) {
	if c.order = sorted.Like(s, orderStratumStart, 1); axis.strata != nil {
		c.order = sorted.Like(s, orderColumns, 2)
	}
	var runs, strata rss.Vec // how many there are so far
	for i := range sorted.Chunks() {
		s := s.Step("chunk", i)
		event := sorted.Get(s, i, riskEvent)[0]
		start := startsIn(s.Step("starts"), sorted, i, riskKey, axis.width)
		narrow := []rss.Vec{event, start, prefixSums(s, start, &runs)}
		wide := event
		if axis.strata != nil {
			start := startsIn(s.Step("strata starts"), sorted, i, riskCarried+c.p, axis.width-axis.bits+1)
			member := sorted.Get(s, i, riskCarried+c.p+1)[0]
			narrow = append(narrow, start, prefixSums(s, start, &strata), member)
			wide = rss.Concat(s, event, member)
		}
		c.order.Put(s, i, narrow, inParts(s, rss.Lift(s.Step("lift"), wide), wide.Len()/event.Len())...)
	}
}
