package rss_test

import (
	"math/big"
	"slices"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// site is a participant of the test worlds that is no compute party.
const site = mpc.PartyID(3)

// four is a world of three parties and a site.
func four(seed uint64) memnet.Config { return memnet.Config{N: 4, Seed: seed} }

// kind is one of the two rings with its way to and from signed integers.
type kind[V ring.Vector[V]] struct {
	bits  uint
	enter func([]*big.Int) V
	leave func(V) []*big.Int
}

var (
	kind64 = kind[ring.Vec64]{
		64,
		func(x []*big.Int) ring.Vec64 {
			v := make(ring.Vec64, len(x))
			for i, e := range x {
				v[i] = new(big.Int).Mod(e, new(big.Int).Lsh(big.NewInt(1), 64)).Uint64()
			}
			return v
		},
		func(v ring.Vec64) []*big.Int {
			x := make([]*big.Int, len(v))
			for i, e := range v.Int64() {
				x[i] = big.NewInt(e)
			}
			return x
		},
	}
	kind128 = kind[ring.Vec128]{128, ring.FromBig, ring.Vec128.Big}
)

// wrap reduces integers to the ring's signed range: the oracle of what comes out.
func (k kind[V]) wrap(x ...*big.Int) []*big.Int {
	half := new(big.Int).Lsh(big.NewInt(1), k.bits-1)
	modulus := new(big.Int).Lsh(half, 1)
	out := make([]*big.Int, len(x))
	for i, e := range x {
		z := new(big.Int).Add(e, half)
		out[i] = z.Mod(z, modulus).Sub(z, half)
	}
	return out
}

// zip applies f to pairs of elements and wraps.
func (k kind[V]) zip(x, y []*big.Int, f func(z, a, b *big.Int) *big.Int) []*big.Int {
	out := make([]*big.Int, len(x))
	for i := range x {
		out[i] = f(new(big.Int), x[i], y[i])
	}
	return k.wrap(out...)
}

func (k kind[V]) sum(x []*big.Int) []*big.Int {
	z := new(big.Int)
	for _, e := range x {
		z.Add(z, e)
	}
	return k.wrap(z)
}

func repeat(c int64, n int) []*big.Int { return slices.Repeat([]*big.Int{big.NewInt(c)}, n) }

func equal(x, y []*big.Int) bool {
	return slices.EqualFunc(x, y, func(a, b *big.Int) bool { return a.Cmp(b) == 0 })
}

// only returns x at participant p and nil elsewhere, as Input wants it.
func only[V ring.Vector[V]](s *mpc.Session, p mpc.PartyID, x V) V {
	if s.Self() == p {
		return x
	}
	return nil
}

// everything runs each operation that talks once, on x known to the site and y
// known to party 1, and returns the product's dot with y at every party.
func everything(s *mpc.Session, x, y ring.Vec128) error {
	n := len(x)
	a := rss.Input(s.Step("input", 0), site, n, only(s, site, x))
	b := rss.Input(s.Step("input", 1), 1, n, only(s, 1, y))
	var d rss.Vec128
	if s.Role() >= 0 {
		c := rss.Mul(s.Step("product"), a, b)
		d = rss.Dot(s.Step("dot"), c, b)
		rss.Open(s.Step("total"), rss.Sum(s, c))
	}
	rss.RevealTo(s.Step("result"), site, 1, d)
	rss.RevealTo(s.Step("again"), 2, 1, d)
	return s.Err()
}

// vectors returns two inputs for everything, different for every salt.
func vectors(n int, salt int64) (x, y ring.Vec128) {
	ks := make([]int64, n)
	for i := range ks {
		ks[i] = salt * int64(i+1)
	}
	v := make(ring.Vec128, n)
	for i, k := range ks {
		v[i] = ring.Int128(k)
	}
	return v, v.Neg().AddConst(salt + 7)
}
