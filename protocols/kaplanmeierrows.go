package protocols

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// What Kaplan-Meier estimates take of rows in the order of the risk sets.

// curve takes of each event time the time and the events.
func (k *survival) curve(s *mpc.Session, r *riskRows, values map[string]rss.Vec) {
	var times, events []rss.Vec
	left := rss.Zero[ring.Vec64](1)
	for i, part := range r.parts() {
		s := s.Step("part", i)
		c := r.piece(s, part)
		last := c.lastOfTie(s.Step("ties"))
		var sums rss.Vec
		sums, left = c.tieSums(s.Step("events"), last, c.event, left)
		// Censored rows come first: the last row of an event time has the event.
		at := rss.Mul(s.Step("at"), last, c.event)
		both := rss.Mul(s.Step("shown"), rss.Concat(s, at, at), rss.Concat(s, c.time, sums))
		shown := inParts(s, both, 2)
		times, events = append(times, shown[0]), append(events, shown[1])
	}
	values[curveTimes], values[curveEvents] = rss.Concat(s, times...), rss.Concat(s, events...)
}

// atTimes takes what the times ask for, group by group.
func (k *survival) atTimes(s *mpc.Session, r *riskRows, values map[string]rss.Vec) {
	var outs [4][]rss.Vec
	for g := range r.blocks {
		s := s.Step("group", g)
		sums := survivalSums(s, r.block(g))
		at := k.axis.upTo(s.Step("times"), k.times, sums, 2)
		median := k.median(s.Step("median"), sums)
		sums.Close()
		for i, x := range append(at, median) {
			outs[i] = append(outs[i], x)
		}
	}
	for i, name := range []string{survivalLogs, survivalErrors, survivalAtRisk, survivalMedian} {
		values[name] = rss.Concat(s, outs[i]...)
	}
}

// Columns of a group in which its sums are looked up: the time, the place, the sums of
// -log S and of Greenwood's, and -log S at each row's time, or within a tie on the way
// there.
const (
	survivalLeft    = soughtSums + 2
	survivalColumns = survivalLeft + 1
)

// survivalSums returns these columns of one block's rows. Local.
func survivalSums(s *mpc.Session, r *riskRows) *rss.Chunked {
	logs := func(c *riskPiece) rss.Vec { return c.eventLogs(s, vanished) }
	total := r.sum(s, logs)
	out := r.blocks[0].Like(s, survivalColumns, 0)
	var lastLog, lastSquare rss.Vec
	for _, part := range r.parts() {
		c := r.piece(s, part)
		own := logs(c)
		squares := rss.MulPublic(s, c.event, c.atRisk(func(n float64) float64 {
			if n == 1 {
				return 0 // S is 0: it has no standard error
			}
			return math.Ldexp(1/(n*(n-1)), greenwoodFrac)
		}))
		logSums, squareSums := c.prefixSums(s, own, &lastLog), c.prefixSums(s, squares, &lastSquare)
		left := rss.Sub(s, rss.Repeat(s, total, c.rows()), rss.Sub(s, logSums, own))
		out.Put(s, part.chunk, []rss.Vec{c.time, c.places(s), logSums, squareSums, left})
	}
	return out
}

// halfTolerance is how near to 1/2 a survival is 1/2, as in R.
var halfTolerance = math.Sqrt(0x1p-52)

// median returns the median, doubled twice, of the rows of a group, or 0: the times
// at which S is at most 1/2, and at which it is below, are the same or those to take
// the middle of; if S stays 1/2 to the end, there is the former alone.
func (k *survival) median(s *mpc.Session, sums *rss.Chunked) rss.Vec {
	bound := func(half float64) int64 { return int64(-math.Ldexp(math.Log(half), logFrac)) }
	const width = logFrac + 7 // of a vanished S, and all before
	bounds := []int64{bound(0.5 + halfTolerance), bound(0.5 - halfTolerance)}
	found := lastNotBelow(s.Step("rows"), sums, survivalLeft, width, bounds, soughtTime)
	at, below := rss.Slice(s, found[0], 0, 1), rss.Slice(s, found[0], 1, 2)
	// Where nothing is below, the former counts twice.
	isBelow := rss.ToArith(s.Step("number"), rss.Not(s, rss.EqualPublic(s.Step("none"), below, 0, k.axis.bits)))
	return rss.Add(s, at, rss.Select(s.Step("middle"), isBelow, below, at))
}
