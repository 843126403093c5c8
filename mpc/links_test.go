package mpc_test

import (
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/node/linktest"
)

// TestTreesOverLinks runs trees over every transport, with the same transcript.
func TestTreesOverLinks(t *testing.T) {
	type shape struct{ members, branching int }
	var some []shape
	for n, branchings := range shapes() {
		for _, b := range branchings {
			if n <= 6 || n == 12 {
				some = append(some, shape{n, b})
			}
		}
	}
	inMemory := make(map[shape]string)
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		for _, c := range some {
			tree := newTree(t, people(c.members), c.branching)
			w := worlds(memnet.Config{N: c.members, Timeout: 30 * time.Second})
			if err := w.Run(func(s *mpc.Session) error { return allTogether(s, tree, []int{8, 0, 40}) }); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			got := w.Transcript().String()
			if inMemory[c] == "" {
				inMemory[c] = got
			}
			if got != inMemory[c] {
				t.Errorf("%+v: the transcript differs from that in memory", c)
			}
		}
	})
}
