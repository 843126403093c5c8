package main

import (
	"encoding/binary"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// noise is a well-mixed number for row i of column c: the data of all
// measurements. Every process computes it, and so can share it without sending.
func noise(i, c int) uint64 {
	z := uint64(i)*0x9e3779b97f4a7c15 + uint64(c)*0xd1342543de82ef95 + 1
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is noise between 0 and n-1.
func below(n uint64, i, c int) int64 { return int64(noise(i, c) % n) }

// signed is noise of k bits with a sign: -2^(k-1) to 2^(k-1)-1.
func signed(k, i, c int) int64 { return int64(noise(i, c)) >> (64 - k) }

// dealer makes shares of public data, each party on its own. The components come
// from a seed that all parties have, so they hide nothing, but they look and cost
// like any others.
type dealer struct {
	s       *mpc.Session
	seed    mpc.Seed
	columns int
	bytes   int // of all shares dealt
}

// vec shares value(0) … value(n-1).
func (d *dealer) vec(n int, value func(i int) int64) rss.Vec {
	x := rss.Zero[ring.Vec64](n)
	d.deal([2][]uint64{x.A, x.B}, func(i int) uint64 { return uint64(value(i)) },
		func(z, coin uint64) uint64 { return z - coin })
	return x
}

// bits shares one plane of n bits.
func (d *dealer) bits(n int, value func(i int) bool) rss.Bits {
	x := rss.ZeroBits(n, 1)
	d.deal([2][]uint64{x.A.Words, x.B.Words}, func(i int) uint64 {
		var word uint64
		for j := 64 * i; j < min(64*i+64, n); j++ {
			if value(j) {
				word |= 1 << (j % 64)
			}
		}
		return word
	}, func(z, coin uint64) uint64 { return z ^ coin })
	return x
}

// deal sets the two components that this party holds: 0 and 1 are coins, 2 is
// the value with both taken off.
func (d *dealer) deal(own [2][]uint64, value func(i int) uint64, off func(z, coin uint64) uint64) {
	d.columns++
	d.bytes += 16 * len(own[0])
	for k, z := range own {
		component := (d.s.Role() + k) % 3
		if component < 2 {
			d.coins(component, z, func(_, coin uint64) uint64 { return coin })
			continue
		}
		for i := range z {
			z[i] = value(i)
		}
		d.coins(0, z, off)
		d.coins(1, z, off)
	}
}

// coins applies set to each element and the next coin of a component.
func (d *dealer) coins(component int, z []uint64, set func(z, coin uint64) uint64) {
	stream := d.s.Step("deal", d.columns, component).ExpandSeed(d.seed)
	buf := make([]byte, 64<<10)
	for len(z) > 0 {
		part := z[:min(len(z), len(buf)/8)]
		stream.Fill(buf)
		for i := range part {
			part[i] = set(part[i], binary.LittleEndian.Uint64(buf[8*i:]))
		}
		z = z[len(part):]
	}
}
