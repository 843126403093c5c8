package rss

import (
	"iter"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Every multiplication, of numbers or of bits, passes the seam of this file, made,
// before any of its messages: there it is recorded with its step, and there a check
// against parties that deviate can note factors and product. A test proves that
// whatever parties send is a product that was recorded, an opening or a move of
// rows.
//
// A product of shares is a sum of products of components, of which each party knows
// some. By who contributes there are three kinds, and five forms:
//
//   - all three parties: reshare; or split, when the product is to be rounded at
//     once, after which the dealer has one summand of it and the other two have
//     another;
//   - one party, the dealer, knows both factors: it deals the product (deal), or
//     the end of a chain of such products, as are the bits of a sum that it knows
//     (a check would have it deal the whole chain);
//   - the other two know one factor, and have a part each of the other, which was
//     dealt: they answer the dealer (reply), or each other (exchange).
//
// Forms split and exchange are in rounded.go, the others here.
type form string

const (
	formReshare  form = "reshare"
	formSplit    form = "split"
	formDeal     form = "deal"
	formReply    form = "reply"
	formExchange form = "exchange"
)

// made records that n elements are made in a form at the gate's step.
func (g *gate) made(f form, n int) { g.s.Made(string(f), n) }

// reshare makes a replicated share of z = z0 + z1 + z2 when each party can
// compute its z_i. local sets part to elements lo to hi-1 of this party's z_i,
// which is computed once and nowhere else, for a long vector in several
// goroutines.
//
// The zero share F(i,i+1) - F(i-1,i) of pair coins makes z_i uniformly random, so
// that the one neighbour who gets it, i-1, learns nothing. 1 round, n elements,
// leaks nothing.
func reshare[V ring.Vector[V]](s *mpc.Session, n int, local func(part V, lo, hi int)) Share[V] {
	z := zero[V](n)
	if !reshareInto(s, z.A, z.B, local) {
		return zero[V](n)
	}
	return z
}

// reshareBits is reshare for w planes of n bits: local sets words lo to hi-1.
func reshareBits(s *mpc.Session, n, w int, local func(part []uint64, lo, hi int)) Bits {
	z := ZeroBits(n, w)
	if !reshareInto(s, z.A.Words, z.B.Words, func(part ring.Words, lo, hi int) { local(part, lo, hi) }) {
		return ZeroBits(n, w)
	}
	return z
}

// reshareInto writes the components of a reshared vector to a and b.
func reshareInto[V ring.Group[V]](s *mpc.Session, a, b V, local func(part V, lo, hi int)) bool {
	return strands(s, a.Len(), 1, func(l *strand) {
		reshareOn(l.ownGate(), a.Slice(l.lo, l.hi), b.Slice(l.lo, l.hi), 1, func(part V, lo, hi int) {
			local(part, l.lo+lo, l.lo+hi)
		})
	})
}

// reshareOn is reshare within a strand.
func reshareOn[V ring.Group[V]](g *gate, a, b V, unit int, local func(part V, lo, hi int)) {
	g.made(formReshare, a.Len())
	absorb := func(lo, hi int) { fetch(g.s, g.me.next, b.Slice(lo, hi)) }
	// One frame ahead: the next is computed and sent while this one travels.
	last, waiting := [2]int{}, false
	for lo, hi := range cuts(a.Len(), unit) {
		if g.s.Err() != nil {
			return
		}
		part := a.Slice(lo, hi)
		local(part, lo, hi)
		frame := g.arena.frame(part.Size())
		for block := range blocks(part) {
			block.AddBytes(g.withNext(block.Size()))
			block.SubBytes(g.withPrev(block.Size()))
			frame = block.Append(frame)
		}
		g.s.Send(g.me.prev, frame)
		if waiting {
			absorb(last[0], last[1])
		}
		last, waiting = [2]int{lo, hi}, true
	}
	absorb(last[0], last[1])
}

// offer shares what the strand's dealer d alone knows: component d is coins of d and
// d-1, component d+1 is value less these and goes to d+1, component d+2 is zero.
// Where a party holds component d it is written to coin, unless that is empty;
// where it holds component d+1, to value. 1 round, n elements of the dealer's,
// leaks nothing: what is sent is masked by coins used for nothing else.
func offer[V ring.Group[V]](l *strand, g *gate, value, coin V) {
	g.made(formDeal, max(value.Len(), coin.Len()))
	switch l.seat() {
	case dealer:
		for lo, hi := range frames(value.Len()) {
			part := value.Slice(lo, hi)
			frame := g.arena.frame(part.Size())
			for block := range blocks(part) {
				mask := g.withPrev(block.Size())
				if block.SubBytes(mask); coin.Len() > 0 {
					coin.Slice(0, block.Len()).SetBytes(mask)
					coin = coin.Slice(block.Len(), coin.Len())
				}
				frame = block.Append(frame)
			}
			g.s.Send(g.me.next, frame)
		}
	case after:
		for lo, hi := range frames(value.Len()) {
			fetch(g.s, g.me.prev, value.Slice(lo, hi))
		}
	case before:
		for block := range blocks(coin) {
			block.SetBytes(g.withNext(block.Size()))
		}
	}
}

// reply shares z = v + w, of which the party after the dealer d has v in a and the
// one before it w in b. With coins p and q of these two, component d+1 is v - p and
// component d is w - q, both sent to d, and component d+2 is p + q. 1 round, n
// elements of each of the two, leaks nothing: d sees two parts that are masked by
// coins it does not know.
func reply[V ring.Group[V]](l *strand, g *gate, a, b V) {
	g.made(formReply, a.Len())
	for lo, hi := range frames(a.Len()) {
		a, b := a.Slice(lo, hi), b.Slice(lo, hi)
		switch l.seat() {
		case dealer:
			fetch(g.s, g.me.next, b)
			fetch(g.s, g.me.prev, a)
		case after:
			g.s.Send(g.me.prev, answer(g, a, b, g.withNext, true))
		case before:
			g.s.Send(g.me.next, answer(g, b, a, g.withPrev, false))
		}
	}
}

// answer masks part by the first or the second of two streams of coins, returns
// the frame of it, and sets sum to the sum of both.
func answer[V ring.Group[V]](g *gate, part, sum V, coins func(size int) []byte, first bool) []byte {
	frame := g.arena.frame(part.Size())
	for lo := 0; lo < part.Len(); lo += blockElements {
		hi := min(lo+blockElements, part.Len())
		part, sum := part.Slice(lo, hi), sum.Slice(lo, hi)
		mask := coins(part.Size())
		if sum.SetBytes(mask); first {
			part.SubBytes(mask)
		}
		mask = coins(part.Size())
		if sum.AddBytes(mask); !first {
			part.SubBytes(mask)
		}
		frame = part.Append(frame)
	}
	return frame
}

// blockElements is how many elements are masked at a time: they and their coins
// stay in the first cache.
const blockElements = 1 << 10

// blocks yields the parts of v that are masked at a time.
func blocks[V ring.Group[V]](v V) iter.Seq[V] {
	return func(yield func(V) bool) {
		for lo := 0; lo < v.Len(); lo += blockElements {
			if !yield(v.Slice(lo, min(lo+blockElements, v.Len()))) {
				return
			}
		}
	}
}
