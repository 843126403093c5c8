package main

import (
	"fmt"
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// sampled is how many elements of a long vector are compared.
const sampled = 4096

// checker opens results when the clock has stopped.
type checker struct {
	s      *mpc.Session
	opened int
}

// open tells all parties x.
func (c *checker) open(x rss.Vec) []int64 {
	c.opened++
	return rss.Open(c.s.Step("opened", c.opened), x).Int64()
}

// same compares x with want(0) …, on a sample when it is long.
func (c *checker) same(x rss.Vec, want func(i int) int64) error {
	return c.compare(x, func(i int, got int64) error {
		if w := want(i); got != w {
			return fmt.Errorf("element %d is %d, want %d", i, got, w)
		}
		return nil
	})
}

// near compares x, with f fractional bits, with want(0) …. The error may be abs,
// or rel times the value if that is more.
func (c *checker) near(x rss.Vec, f int, abs, rel float64, want func(i int) float64) error {
	return c.compare(x, func(i int, got int64) error {
		g, w := math.Ldexp(float64(got), -f), want(i)
		if !(math.Abs(g-w) <= max(abs, rel*math.Abs(w))) {
			return fmt.Errorf("element %d is %v, want %v within %v or %v of it", i, g, w, abs, rel)
		}
		return nil
	})
}

func (c *checker) compare(x rss.Vec, ok func(i int, got int64) error) error {
	n := x.Len()
	stride := max(1, n/sampled) | 1 // odd, so that all places of a word and a block are met
	var at []int
	for i := 0; i < n; i += stride {
		at = append(at, i)
	}
	if last := n - 1; at[len(at)-1] != last {
		at = append(at, last)
	}
	for k, got := range c.open(pick(x, at)) {
		if err := c.s.Err(); err != nil {
			return err
		}
		if err := ok(at[k], got); err != nil {
			return fmt.Errorf("wrong result: %w", err)
		}
	}
	return nil
}

// truth compares one plane with want(0) …, whole: it is cheap to open.
func (c *checker) truth(x rss.Bits, want func(i int) bool) error {
	c.opened++
	p := rss.OpenBits(c.s.Step("opened", c.opened), x)
	if err := c.s.Err(); err != nil {
		return err
	}
	for i := range p.N {
		if got := p.Bit(0, i); got != want(i) {
			return fmt.Errorf("wrong result: bit %d is %v", i, got)
		}
	}
	return nil
}

// pick returns the elements at the given places.
func pick(x rss.Vec, at []int) rss.Vec {
	z := rss.Zero[ring.Vec64](len(at))
	for k, i := range at {
		z.A[k], z.B[k] = x.A[i], x.B[i]
	}
	return z
}
