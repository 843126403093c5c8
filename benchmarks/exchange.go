package main

import (
	"cmp"
	"errors"
	"fmt"

	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/protocols/match"
)

// An exchange is a pool of pairs. Time and bytes do not depend on who suits whom;
// here about one donor in four suits a recipient.

const (
	poolWords  = 3 // of antigens a pair
	poolBits   = 60
	poolCycle  = 3 // arcs of the longest cycle
	poolGroups = 4
	nameBits   = 32
)

// donorGroup is 0 for what all recipients may be given, 1 and 2 for two kinds of
// recipients and 3 for those who may be given anything.
func donorGroup(i int) int64 { return min(below(4, i, 60), below(4, i, 61)) }

// accepts is the mask of groups that pair i's recipient may be given.
func accepts(i int) int64 { return []int64{0b1, 0b11, 0b101, 0b1111}[below(4, i, 62)] }

// antigens are word k of a donor's six or so, of 180.
func antigens(i, k int) int64 { return 1<<below(poolBits, i, 70+k) | 1<<below(poolBits, i, 80+k) }

// unacceptable are word k of what a recipient may not be given: one antigen in eight.
func unacceptable(i, k int) int64 {
	return int64(noise(i, 90+k)&noise(i, 100+k)&noise(i, 110+k)) & (1<<poolBits - 1)
}

// suits says whether pair i's donor may give to pair j's recipient.
func suits(i, j int) bool {
	if i == j || accepts(j)>>donorGroup(i)&1 == 0 {
		return false
	}
	for k := range poolWords {
		if antigens(i, k)&unacceptable(j, k) != 0 {
			return false
		}
	}
	return true
}

// setupExchange chooses cycles of up to 3 arcs, or C, of N pairs.
func setupExchange(d *dealer, n size) task {
	p := &match.Pool{
		N: n.rows, Groups: poolGroups, Words: poolWords, WordBits: poolBits, PseudonymBits: nameBits, MaxCycle: cmp.Or(n.cols, poolCycle),
		Valid:         d.vec(n.rows, func(int) int64 { return 1 }),
		DonorGroup:    d.vec(n.rows, donorGroup),
		Accepts:       d.vec(n.rows, accepts),
		DonorAntigens: d.vec(n.rows*poolWords, func(i int) int64 { return antigens(i/poolWords, i%poolWords) }),
		Unacceptable:  d.vec(n.rows*poolWords, func(i int) int64 { return unacceptable(i/poolWords, i%poolWords) }),
		Pseudonym:     d.vec(n.rows, func(i int) int64 { return int64(i) + 1 }),
	}
	return task{
		run: func(s *mpc.Session) output {
			m := match.Exchange(s, p)
			return output{vecs: []rss.Vec{m.Matched, m.To, m.From}}
		},
		check: func(c *checker, out output) error { return checkCycles(c, out, p.N, p.MaxCycle) },
	}
}

// checkCycles wants disjoint cycles within the limit of pairs that suit each other.
func checkCycles(c *checker, out output, n, limit int) error {
	matched, to, from := c.open(out.vecs[0]), c.open(out.vecs[1]), c.open(out.vecs[2])
	if err := c.s.Err(); err != nil {
		return err
	}
	some := false
	for i := range n {
		if matched[i] == 0 && to[i] == 0 && from[i] == 0 {
			continue
		}
		some = true
		at := i
		for length := 1; ; length++ {
			next := int(to[at]) - 1
			if length > limit || next < 0 || next >= n || matched[at] != 1 || !suits(at, next) || int(from[next])-1 != at {
				return fmt.Errorf("wrong result: pair %d is in no cycle", i)
			}
			if at = next; at == i {
				break
			}
		}
	}
	if !some {
		return errors.New("wrong result: no cycle at all")
	}
	return nil
}
