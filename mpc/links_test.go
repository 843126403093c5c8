package mpc_test

import (
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/node/linktest"
)

// TestTreesOverLinks runs the trees over every transport, with the same transcript.
func TestTreesOverLinks(t *testing.T) {
	want := make(map[int]string)
	linktest.Each(t, func(t *testing.T, world func(memnet.Config) *memnet.World) {
		for i, c := range []struct{ n, branching int }{{3, 2}, {7, 2}, {7, 6}, {7, 1}} {
			tree := newTree(t, people(c.n), c.branching)
			w := world(memnet.Config{N: c.n, Timeout: 30 * time.Second})
			err := w.Run(func(s *mpc.Session) error { return allTogether(s, tree, []int{8, 0, mpc.MaxFrame + 8}) })
			if err != nil {
				t.Fatalf("%d members, branching %d: %v", c.n, c.branching, err)
			}
			got := w.Transcript().String()
			if want[i] == "" {
				want[i] = got
			}
			if got != want[i] {
				t.Errorf("%d members, branching %d: the transcript differs from that in memory", c.n, c.branching)
			}
		}
	})
}
