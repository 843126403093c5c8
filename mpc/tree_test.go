package mpc_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"consilium/mpc"
)

// people returns members that are not simply numbered in order.
func people(n int) []mpc.PartyID {
	members := make([]mpc.PartyID, n)
	for i := range members {
		members[i] = mpc.PartyID(n - 1 - i)
	}
	return members
}

func newTree(t *testing.T, members []mpc.PartyID, branching int) *mpc.Tree {
	t.Helper()
	tree, err := mpc.NewTree(members, branching)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestTreesOfEveryShape sums without a network along every tree of 1 to 100
// members: whoever is counted once on the way up is heard once.
func TestTreesOfEveryShape(t *testing.T) {
	for n := 1; n <= 100; n++ {
		members := people(n)
		for b := 1; b <= n; b++ {
			tree := newTree(t, members, b)
			if err := sound(tree, members, b); err != nil {
				t.Fatalf("%d members, branching %d: %v", n, b, err)
			}
		}
	}
}

func sound(tree *mpc.Tree, members []mpc.PartyID, branching int) error {
	if !slices.Equal(tree.Members(), members) || tree.Root() != members[0] {
		return fmt.Errorf("root %d, members %v", tree.Root(), tree.Members())
	}
	if _, has := tree.Parent(tree.Root()); has {
		return fmt.Errorf("the root has a parent")
	}
	under := make(map[mpc.PartyID]int) // how many are below a member, and itself
	farthest := 0
	for _, p := range slices.Backward(members) { // children come before their parents
		under[p]++
		if parent, has := tree.Parent(p); has {
			under[parent] += under[p]
			if !slices.Contains(tree.Children(parent), p) {
				return fmt.Errorf("%d has the parent %d, which has the children %v", p, parent, tree.Children(parent))
			}
		}
		if c := len(tree.Children(p)); c > branching {
			return fmt.Errorf("%d has %d children", p, c)
		}
		links := 0
		for q, has := tree.Parent(p); has; q, has = tree.Parent(q) {
			links++
		}
		farthest = max(farthest, links)
	}
	if under[tree.Root()] != len(members) || tree.Height() != farthest {
		return fmt.Errorf("%d members under the root, height %d and not %d", under[tree.Root()], tree.Height(), farthest)
	}
	return nil
}

func TestTreesThatCannotBe(t *testing.T) {
	for want, c := range map[string]struct {
		members   []mpc.PartyID
		branching int
	}{
		"0 members":           {nil, 2},
		"branching 0":         {people(3), 0},
		"participant 7 twice": {[]mpc.PartyID{7, 1, 7}, 2},
	} {
		if tree, err := mpc.NewTree(c.members, c.branching); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v; want %q", tree, err, want)
		}
	}
	tree := newTree(t, people(3), 2)
	if _, has := tree.Parent(9); has || tree.Children(9) != nil {
		t.Error("a stranger has a place in the tree")
	}
}

func TestBranchingFollowsSize(t *testing.T) {
	for _, c := range []struct{ members, size, want int }{
		{1, 1 << 20, 1},
		{2, 1 << 20, 1},
		{3, 1 << 30, 2},
		{12, 32, 11},
		{100, 10 << 10, 99},
		{100, 100 << 10, 10},
		{100, 1 << 20, 3},
		{100, 4 << 20, 2},
		{100, 1 << 40, 2},
		{0, 0, 1},
	} {
		if got := mpc.BranchingFor(c.members, c.size); got != c.want {
			t.Errorf("%d members, %d bytes: branching %d, want %d", c.members, c.size, got, c.want)
		}
	}
	for n := 2; n <= 100; n++ { // longer payloads never make a tree wider
		for size, last := 1, n; size < 1<<30; size *= 2 {
			b := mpc.BranchingFor(n, size)
			if b > last || b < 1 || b >= max(2, n) {
				t.Fatalf("%d members, %d bytes: branching %d after %d", n, size, b, last)
			}
			last = b
		}
	}
}
