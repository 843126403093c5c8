package rss

import (
	"errors"
	"sync"

	"consilium/mpc"
	"consilium/mpc/ring"
)

const (
	// partElements is how many elements go through the many layers of a numerical
	// function at once: its memory, some hundred bytes an element, is bounded by
	// this and not by the vector's length.
	partElements = 16 << 10
	// partsAtOnce is how many parts are on their way: while one waits for messages,
	// others compute.
	partsAtOnce = 3
)

// inParts computes a vector of n elements part by part, each in a step of its own,
// a few side by side. A short vector is one part, in the function's own step.
func inParts[V ring.Vector[V]](s *mpc.Session, n int, compute func(s *mpc.Session, lo, hi int) Share[V]) Share[V] {
	if n <= partElements {
		return compute(s, 0, n)
	}
	var (
		z      = zero[V](n)
		wg     sync.WaitGroup
		free   = make(chan struct{}, partsAtOnce)
		panics = make([]any, (n+partElements-1)/partElements)
	)
	for i := range panics {
		free <- struct{}{}
		wg.Go(func() {
			defer func() {
				if panics[i] = recover(); panics[i] != nil {
					s.Fail(errors.New("internal error"))
				}
				<-free
			}()
			lo, hi := i*partElements, min((i+1)*partElements, n)
			part, whole := compute(s.Step("part", i), lo, hi), z.slice(lo, hi)
			whole.A.Set(part.A)
			whole.B.Set(part.B)
		})
	}
	wg.Wait()
	for _, v := range panics {
		if v != nil {
			panic(v)
		}
	}
	if s.Err() != nil {
		return zero[V](n)
	}
	return z
}

// part returns elements lo to hi-1, in the same memory.
func (x Real[V]) part(lo, hi int) Real[V] { return Real[V]{x.slice(lo, hi), x.Frac, x.Bits} }
