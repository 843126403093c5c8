package protocols

import (
	"slices"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// coxCounting counts what does not change while coefficients do: rows at risk, ties, rows
// of strata.
type coxCounting struct {
	*coxRows
	ties   *borders // through runs of 1; before them of 1, of events
	strata *borders // through strata of events, of members; before them of 1, of members
}

// coxUnits are the columns of a chunk.
type coxUnits struct{ one, event, member []rss.Vec128 }

func (c *coxCounting) columns(s *mpc.Session, i int) coxUnits {
	wide := c.order.Wide(s, i)
	one := rss.Public(s, constant128(1, 0, wide[wideEvent].Len()))
	return coxUnits{[]rss.Vec128{one}, wide[:wideMember], wide[wideMember:]}
}

func (x coxUnits) ofTies() (through, before []rss.Vec128) {
	return x.one, slices.Concat(x.one, x.event)
}

func (x coxUnits) ofStrata() (through, before []rss.Vec128) {
	return slices.Concat(x.event, x.member), slices.Concat(x.one, x.member)
}

// count counts, and makes the columns of z and of risk from sorted ones.
func (c *coxRows) count(s *mpc.Session, sorted *rss.Chunked) {
	k := &coxCounting{coxRows: c, ties: c.ties.borders(1, 2)}
	if c.strata != nil {
		k.strata = c.strata.borders(2, 2)
	}
	for i := range sorted.Chunks() {
		s, x := s.Step("tell", i), k.columns(s, i)
		through, before := x.ofTies()
		k.ties.tell(s.Step("ties"), i, through, before)
		if c.strata != nil {
			through, before := x.ofStrata()
			k.strata.tell(s.Step("strata"), i, through, before)
		}
	}
	k.ties.settle(s.Step("ties"))
	if c.strata != nil {
		k.strata.settle(s.Step("strata"))
	}
	events := k.ties.all[2]
	c.events = rss.Narrow(s, events)
	c.perEvent = rss.Reciprocal(s.Step("per event"), rss.NewFixed128(s, events, 0, log2(c.n)+1), averageFrac)

	if c.z, c.risk = sorted.Like(s, 0, c.p), sorted.Like(s, 0, riskTied); c.efron {
		c.risk = sorted.Like(s, 0, riskTied+1)
	}
	for i := range sorted.Chunks() {
		k.chunk(s.Step("chunk", i), i, sorted)
	}
}

// chunk does so in one chunk.
func (c *coxCounting) chunk(s *mpc.Session, i int, sorted *rss.Chunked) {
	x := c.columns(s, i)
	n := x.one[0].Len()
	through, before := x.ofTies()
	ends, starts := c.ties.sums(s.Step("ties"), i, through, before)
	last, first, earlier := ends[0], starts[0], starts[1] // of ties; events before them
	ties := rss.Sub(s, last, first)
	events := rss.Repeat(s, c.ties.all[2], n)
	if c.strata != nil {
		through, before := x.ofStrata()
		ends, starts := c.strata.sums(s.Step("strata"), i, through, before)
		last, first, events = rss.Sub(s, last, starts[0]), rss.Sub(s, first, starts[0]), ends[0]
		c.countStrata(s.Step("strata rows"), i, rss.Sub(s, ends[1], starts[1]))
	}
	survived := rss.Dot(s.Step("comparable"), c.order.Get(s, i, orderEvent)[0], rss.Narrow(s, first))
	c.comparable = plus(s, c.comparable, survived)
	c.expose(s.Step("expose"), i, sorted, rss.Sub(s, events, earlier))

	risk := []rss.Vec128{last}
	if c.efron {
		place, tied := c.tied(s.Step("tied"), i, starts[0], ties, x.event[0])
		risk = []rss.Vec128{rss.Sub(s, last, place), tied}
	}
	c.risk.Put(s, i, nil, risk...)
}

// tied returns the place of an event among its ties, from 0, and what part that is of
// these, given the rows before its ties.
func (c *coxCounting) tied(s *mpc.Session, i int, before, ties, event rss.Vec128) (place, part rss.Vec128) {
	lo, hi := c.order.Bounds(i)
	width := log2(c.n) + 1
	rows := rss.Public(s, constant128(1, 0, hi-lo))
	place = rss.Sub(s, rss.AddConst(s, rss.PrefixSum(s, rows), int64(lo-1)), before)
	place = rss.Mul(s.Step("place"), place, event)
	per := rss.Reciprocal(s.Step("per tie"), rss.NewFixed128(s, ties, 0, width), tiedFrac)
	return place, rss.NewFixed128(s, place, 0, width).Mul(s.Step("part"), per, tiedFrac).Share
}

// expose makes covariates 0 in rows that are in the risk set of no event, given how many
// events there are of which they are: no likelihood depends on these rows, however large
// their covariates.
func (c *coxCounting) expose(s *mpc.Session, i int, sorted *rss.Chunked, events rss.Vec128) {
	none := rss.EqualPublic(s.Step("none"), rss.Narrow(s, events), 0, log2(c.n)+1)
	some := rss.ToArith(s.Step("some"), rss.Not(s, none))
	columns := sorted.Get(s, i)[riskCarried : riskCarried+c.p]
	z := rss.Mul(s.Step("rows"), rss.Concat(s, columns...), rss.Repeat(s, some, c.p))
	c.z.Put(s, i, nil, inParts(s, rss.Lift(s.Step("lift"), z), c.p)...)
}

// countStrata takes how many rows there are in each row's stratum, and keeps it once for
// each stratum that starts in the chunk.
func (c *coxCounting) countStrata(s *mpc.Session, i int, rows rss.Vec128) {
	starts := c.order.Get(s, i, orderStratumStart)[0]
	own := rss.Mul(s.Step("own"), starts, rss.Narrow(s, rows))
	front := rss.Compact(s.Step("front"), starts, own)[0]
	c.strataCounts = append(c.strataCounts, rss.Slice(s, front, 0, min(front.Len(), c.mostStrata)))
}
