package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// reshareRounded is reshare for z / 2^f: it makes a replicated share of the
// quotient when each party can compute its z_i of z = z0 + z1 + z2, and costs
// hardly more than the product alone. Its products are recorded as those in
// reshare.go are: z itself (split), what the dealer deals, and in the step's child
// "signs" a product of the pair's (exchange). V is the ring of z, W that of the
// quotient: the same one, or Vec64 for a quotient that fits. local sets part to
// elements lo to hi-1 of z_i.
//
// |z| <= 2^61 (Vec64) or 2^125 (Vec128). The result is one of the two integers
// next to z / 2^f, drawn by the coins with the chances that make it right on
// average; a whole quotient comes out exactly. Which of the two is drawn depends
// on components: a party that is told the result later learns by it one
// inequality about the bits that were cut off.
//
// One party, the dealer, holds a, the other two, the pair, both hold b, with z = a
// + b; masks that the dealer shares with either make them random. The quotient is
// the sum of the signed quotients of a and b, and of 2^(w-f) when a and b are both
// negative (ring.Rounding). That product of signs is shared by two messages that
// the dealer's coins mask at each end. Every message is a number plus fresh coins
// that its receiver does not know. The wrap as a product of signs is known from
// two-party computation (Rathee et al., "SIRNN", IEEE S&P 2021); for three parties
// and together with the product it is derived here, checked by simulation, not
// reviewed.
//
// 2 rounds; a party sends 12 n bytes (Vec64, f <= 32), 16 n (Vec64 otherwise), 24 n
// (Vec128) or on average 17 n (Vec128 to Vec64, f <= 96).
func reshareRounded[V ring.Vector[V], W ring.Vector[W]](s *mpc.Session, n, f int, local func(l *strand, part V, lo, hi int)) Share[W] {
	in, out := ringBits[V](), ringBits[W]()
	if !between(s, "shift", f, 1, min(in-3, in-out+64)) {
		return zero[W](n)
	}
	z := zero[W](n)
	ok := strands(s, n, 1, func(l *strand) {
		var kind V
		n := l.hi - l.lo
		r := rounded[V, W]{
			Rounding: ring.NewRounding(in, out, f), l: l, g: l.ownGate(), local: local,
			z: z.slice(l.lo, l.hi), sum: kind.Make(n), shared: make(ring.Vec64, n),
			wraps: make(ring.Vec64, min(n, frameElements)), mask: make(ring.Vec64, min(n, frameElements)),
		}
		r.g.made(formSplit, n)
		r.g.made(formDeal, 2*n) // quotients and signs
		r.pass(r.split, r.collect)
		r.g = l.gate("signs")
		r.g.made(formExchange, n)
		r.pass(r.divide, r.join)
	})
	if !ok {
		return zero[W](n)
	}
	return z
}

// rounded is one strand of reshareRounded.
type rounded[V ring.Vector[V], W ring.Vector[W]] struct {
	ring.Rounding
	l      *strand
	g      *gate
	local  func(l *strand, part V, lo, hi int)
	z      Share[W]
	sum    V          // a at the dealer, b at the pair
	shared ring.Vec64 // at the pair: a part of the dealer's weighted signs
	wraps  ring.Vec64 // scratch of a frame
	mask   ring.Vec64 // scratch of a frame
}

// pass runs emit on every frame, and absorb one frame behind it, so that the next
// frame is computed and sent while one travels.
func (r *rounded[V, W]) pass(emit, absorb func(lo, hi int)) {
	last, waiting := [2]int{}, false
	for lo, hi := range frames(r.sum.Len()) {
		if r.g.s.Err() != nil {
			return
		}
		if emit(lo, hi); waiting {
			absorb(last[0], last[1])
		}
		last, waiting = [2]int{lo, hi}, true
	}
	absorb(last[0], last[1])
}

// withDealer draws size bytes of the coins shared with the dealer.
func (r *rounded[V, W]) withDealer(size int) []byte {
	if r.l.seat() == after {
		return r.g.withPrev(size)
	}
	return r.g.withNext(size)
}

// partner is the other one of the pair.
func (r *rounded[V, W]) partner() mpc.PartyID {
	if r.l.seat() == after {
		return r.l.me.next
	}
	return r.l.me.prev
}

// split masks what a party computed alone. The pair send theirs to each other; the
// dealer divides its own and shares quotients and signs.
func (r *rounded[V, W]) split(lo, hi int) {
	part, wraps := r.sum.Slice(lo, hi), r.wraps[:hi-lo]
	r.local(r.l, part, r.l.lo+lo, r.l.lo+hi)
	if r.l.seat() != dealer {
		part.AddBytes(r.withDealer(part.Size()))
		r.g.s.Send(r.partner(), part.Append(r.g.arena.frame(part.Size())))
		if r.l.seat() == before {
			z := r.z.B.Slice(lo, hi)
			z.SetBytes(r.withDealer(z.Size()))
			r.SetWraps(r.shared[lo:hi], r.withDealer(r.Wrap*(hi-lo)))
		}
		return
	}
	part.SubBytes(r.g.withNext(part.Size()))
	part.SubBytes(r.g.withPrev(part.Size()))
	z := r.z.slice(lo, hi)
	ring.SetLone(r.Rounding, z.B, wraps, part)
	coins := r.g.withPrev(z.A.Size())
	z.A.SetBytes(coins)
	z.B.SubBytes(coins)
	r.SetWraps(r.mask[:hi-lo], r.g.withPrev(r.Wrap*(hi-lo)))
	wraps.SetSub(wraps, r.mask[:hi-lo])
	frame := r.AppendWraps(z.B.Append(r.g.arena.frame(z.B.Size()+r.Wrap*len(wraps))), wraps)
	r.g.s.Send(r.l.me.next, frame)
}

// collect is split's other end.
func (r *rounded[V, W]) collect(lo, hi int) {
	if r.l.seat() == dealer {
		return
	}
	if z := r.z.A.Slice(lo, hi); r.l.seat() == after {
		if frame := r.g.s.Recv(r.l.me.prev, z.Size()+r.Wrap*(hi-lo)); frame != nil {
			z.SetBytes(frame[:z.Size()])
			r.SetWraps(r.shared[lo:hi], frame[z.Size():])
			r.g.s.Recycle(frame)
		}
	}
	part := r.sum.Slice(lo, hi)
	if frame := receive(r.g.s, r.partner(), part); frame != nil {
		part.AddBytes(frame)
		r.g.s.Recycle(frame)
	}
}

// divide lets the pair divide b and exchange parts of the product of the signs,
// under masks that the dealer adds to the component it shares with either.
func (r *rounded[V, W]) divide(lo, hi int) {
	z, wraps, mask := r.z.slice(lo, hi), r.wraps[:hi-lo], r.mask[:hi-lo]
	size := r.Wrap * (hi - lo)
	if r.l.seat() == dealer {
		r.SetWraps(mask, r.g.withNext(size))
		ring.AddWraps(r.Rounding, z.B, mask)
		r.SetWraps(mask, r.g.withPrev(size))
		ring.AddWraps(r.Rounding, z.A, mask)
		return
	}
	r.SetWraps(mask, r.withDealer(size))
	ring.AddWraps(r.Rounding, inside(r.l, z.A, z.B), mask)
	both := outside(r.l, z.A, z.B)
	ring.SetPair(r.Rounding, both, wraps, r.sum.Slice(lo, hi), r.shared[lo:hi], mask)
	ring.AddWraps(r.Rounding, both, wraps)
	frame := r.AppendWraps(r.g.arena.frame(r.Wrap*len(wraps)), wraps)
	r.g.s.Send(r.partner(), frame)
}

// join is divide's other end.
func (r *rounded[V, W]) join(lo, hi int) {
	if r.l.seat() == dealer {
		return
	}
	wraps := r.wraps[:hi-lo]
	if frame := r.g.s.Recv(r.partner(), r.Wrap*(hi-lo)); frame != nil {
		r.SetWraps(wraps, frame)
		ring.AddWraps(r.Rounding, outside(r.l, r.z.A, r.z.B).Slice(lo, hi), wraps)
		r.g.s.Recycle(frame)
	}
}

// ringBits returns the width of a ring's elements.
func ringBits[V ring.Vector[V]]() int {
	var kind V
	return 8 * kind.Make(1).Size()
}
