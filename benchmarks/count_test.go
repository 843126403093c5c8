package main

import (
	"strings"
	"testing"

	"consilium/mpc"
)

func sent(to mpc.PartyID, step string) event  { return event{false, to, step} }
func got(from mpc.PartyID, step string) event { return event{true, from, step} }

func TestRounds(t *testing.T) {
	ring := func(steps ...string) [][]event { // every party sends to the one before
		all := make([][]event, 3)
		for p := range all {
			for _, s := range steps {
				all[p] = append(all[p], sent(mpc.PartyID((p+2)%3), s), got(mpc.PartyID((p+1)%3), s))
			}
		}
		return all
	}
	for _, c := range []struct {
		name   string
		events [][]event
		want   int
	}{
		{"nothing", make([][]event, 3), 0},
		{"one message", [][]event{{sent(1, "a")}, {got(0, "a")}, nil}, 1},
		{"a ring", ring("a"), 1},
		{"four rings", ring("a", "b", "c", "d"), 4},
		{"two at once", [][]event{{sent(1, "a"), sent(1, "b")}, {got(0, "b"), got(0, "a")}, nil}, 1},
		{"a relay by all three", [][]event{
			{sent(1, "a"), got(2, "a"), sent(1, "b")},
			{got(0, "a"), sent(2, "a"), got(0, "b")},
			{got(1, "a"), sent(0, "a")},
		}, 4},
		{"two strands side by side", [][]event{
			{sent(1, "x/strand.0/a"), sent(1, "x/strand.1/a"), sent(1, "y")},
			{got(0, "x/strand.0/a"), sent(0, "x/strand.1/b"), sent(0, "x/strand.0/b"), got(0, "y")},
			nil,
		}, 2},
		{"one after two strands", [][]event{
			{sent(1, "x/strand.0"), sent(1, "x/strand.1"), got(1, "y"), sent(1, "z")},
			{got(0, "x/strand.0"), got(0, "x/strand.1"), sent(0, "y"), got(0, "z")},
			nil,
		}, 3},
	} {
		if n, err := rounds(c.events); err != nil || n != c.want {
			t.Errorf("%s: %d rounds, %v; want %d", c.name, n, err, c.want)
		}
	}
	if _, err := rounds([][]event{{got(1, "a")}, nil, nil}); err == nil || !strings.Contains(err.Error(), "nobody sent") {
		t.Errorf("a message from nowhere: %v", err)
	}
}
