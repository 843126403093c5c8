package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// TestEveryOperation runs each operation over real links at small sizes, with its
// own check of the result, and checks the line that comes out.
func TestEveryOperation(t *testing.T) {
	b := inProcess(t)
	for _, o := range ops {
		sizes := []size{{rows: 37}, {rows: 200}}
		if o.most.cols > 0 {
			sizes = append(sizes, size{150, 3})
		}
		if strings.HasSuffix(o.name, "-rows") { // measured above, but for where the rows come from
			sizes = []size{{rows: 200}}
		}
		if o.most.rows < 1000 { // much work a row
			sizes = []size{{rows: 37}, {40, 2}}
		}
		for _, n := range sizes {
			r := request{find(o.name), n}
			t.Run(r.String(), func(t *testing.T) {
				res, err := b.measure(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				line, err := json.Marshal(res)
				if err != nil {
					t.Fatal(err)
				}
				want, _ := json.Marshal(n)
				var further []string
				if res.Prepared > 0 { // of a store on disk
					further = []string{"mb_s", "prepared"}
				}
				checkLine(t, string(line), o.name, string(want), further...)
				if once := strings.HasSuffix(o.name, "-rows"); once != (res.Rounds == 0) {
					t.Errorf("%d rounds are counted", res.Rounds)
				}
			})
		}
	}
}

// TestWrongResultIsAnError gives each way of checking a result that is wrong in
// one place.
func TestWrongResultIsAnError(t *testing.T) {
	const n = 3 * sampled
	value := func(i int) int64 { return int64(i) }
	for _, c := range []struct {
		name  string
		check func(c *checker, d *dealer, wrong int) error
	}{
		{"same", func(c *checker, d *dealer, wrong int) error {
			return c.same(d.vec(n, value), func(i int) int64 {
				if i == wrong {
					return -1
				}
				return value(i)
			})
		}},
		{"near", func(c *checker, d *dealer, wrong int) error {
			return c.near(d.vec(n, value), 1, 0.1, 0, func(i int) float64 {
				if i == wrong {
					return -1
				}
				return float64(i) / 2
			})
		}},
		{"truth", func(c *checker, d *dealer, wrong int) error {
			odd := func(i int) bool { return i%2 == 1 }
			return c.truth(d.bits(n, odd), func(i int) bool { return odd(i) != (i == wrong) })
		}},
	} {
		for _, wrong := range []int{-1, 0, n - 1} {
			w := memnet.New(memnet.Config{})
			got, err := memnet.Collect(w, func(s *mpc.Session) (string, error) {
				d := &dealer{s: s, seed: mpc.Seed{1}}
				return fmt.Sprint(c.check(&checker{s: s.Step("check")}, d, wrong)), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if bad := strings.HasPrefix(got[0], "wrong result"); bad != (wrong >= 0) {
				t.Errorf("%s with element %d wrong: %s", c.name, wrong, got[0])
			}
		}
	}
}

// TestDealtSharesAreReplicated checks what every operation starts from: the
// neighbour's copy is the same, the sum is the value, a component alone is not.
func TestDealtSharesAreReplicated(t *testing.T) {
	const n = 10000 // more than one buffer of coins
	value := func(i int) int64 { return int64(i) - 5000 }
	shares, err := memnet.Collect(memnet.New(memnet.Config{}), func(s *mpc.Session) (rss.Vec, error) {
		d := &dealer{s: s, seed: mpc.Seed{7}}
		d.vec(3, value) // another column before
		return d.vec(n, value), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	components := make([]ring.Vec64, 3)
	for p, x := range shares {
		components[p] = x.A
		if next := shares[(p+1)%3].A; fmt.Sprint(x.B) != fmt.Sprint(next) {
			t.Errorf("component %d differs between its holders", (p+1)%3)
		}
	}
	for i := range n {
		if got := int64(components[0][i] + components[1][i] + components[2][i]); got != value(i) {
			t.Fatalf("element %d is %d, want %d", i, got, value(i))
		}
	}
	for p, c := range components {
		if c[0] == 0 || c[0] == c[1] || c[n-1] == c[n-2] {
			t.Errorf("component %d does not look random", p)
		}
	}
}
