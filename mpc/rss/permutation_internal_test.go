package rss

import (
	"context"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

// coinsForTest returns coins of a session that nobody else takes part in.
func coinsForTest(t *testing.T, seed byte) *mpc.Coins {
	t.Helper()
	s, err := mpc.NewSession(context.Background(), mpc.Config{
		Names: []string{"alone"}, Transport: memnet.NewNetwork(1, 0, memnet.Hooks{}).Transport(0),
		Seeds: mpc.Seeds{Own: mpc.Seed{seed}}, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.Step("coins").OwnCoins()
}

// With a bound of three quarters of all numbers, multiplying alone would give each
// third number twice as often as the others.
func TestDiceAreFair(t *testing.T) {
	d := dice{coins: coinsForTest(t, 1)}
	const casts = 30000
	var counts [3]int
	for range casts {
		counts[d.below(3<<30)%3]++
	}
	for r, k := range counts {
		if k < casts/3-500 || k > casts/3+500 { // six standard deviations
			t.Errorf("%d of %d casts are %d modulo 3", k, casts, r)
		}
	}
	for _, bound := range []uint32{1, 2, 3, 1 << 31} {
		for range 100 {
			if v := d.below(bound); v >= bound {
				t.Fatalf("%d is not below %d", v, bound)
			}
		}
	}
}

// One pair's permutation alone is uniform.
func TestRandomOrderIsUniform(t *testing.T) {
	const runs = 24 * 200
	coins := coinsForTest(t, 2)
	counts := make(map[[4]int32]int)
	for range runs {
		counts[[4]int32(randomOrder(coins, 4))]++
	}
	sum := 0.0
	for _, k := range counts {
		sum += float64((k-200)*(k-200)) / 200
	}
	if len(counts) != 24 || sum > 58 { // 23 degrees of freedom: exceeded once in 10^4
		t.Errorf("%d orders, chi-square %.1f", len(counts), sum)
	}
}
