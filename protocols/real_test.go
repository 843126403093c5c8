package protocols

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// TestReals: numbers of every size come out as they went in; a zero tells nothing.
func TestReals(t *testing.T) {
	whole := []int64{0, 1, -1, 3, -1000, math.MaxInt64, math.MinInt64 + 1, 1 << 40}
	x := make([]*big.Int, len(whole))
	for i, k := range whole {
		x[i] = big.NewInt(k)
	}
	for _, up := range []int{0, -500, 900} {
		opened, err := memnet.Collect(memnet.New(memnet.Config{}), func(s *mpc.Session) (ring.Vec128, error) {
			f := rss.Normalise128(s.Step("in"), rss.NewFixed128(s, rss.Public(s, ring.FromBig(x)), 7, 63))
			return rss.Open(s.Step("result"), revealReals(s.Step("out"), f.Scale(s, up))), s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		out := opened[0].Big()
		if want := realOutput("x", len(x)).Len; len(out) != want {
			t.Fatalf("%d elements, declared %d", len(out), want)
		}
		if out[0].Sign() != 0 || out[len(x)].Sign() != 0 {
			t.Errorf("zero came as %v", out)
		}
		got, err := readReals(out)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range whole {
			if want := math.Ldexp(float64(k), up-7); math.Abs(got[i]-want) > 0x1p-50*math.Abs(want) {
				t.Errorf("%v came as %v", want, got[i])
			}
		}
	}
}

// TestImpossibleReals: what no honest party reveals is refused.
func TestImpossibleReals(t *testing.T) {
	wide := new(big.Int).Lsh(big.NewInt(1), 80)
	top := big.NewInt(1 << 56)
	for _, opened := range [][]*big.Int{
		{wide, big.NewInt(1)},
		{top, wide},
		{top, big.NewInt(1024)},
		{top, big.NewInt(-1024)},
		{big.NewInt(5), big.NewInt(1)},
		{big.NewInt(1<<56 + 9), big.NewInt(1)},
		{big.NewInt(-1<<56 - 9), big.NewInt(1)},
		{big.NewInt(0), big.NewInt(1)},
		{big.NewInt(math.MinInt64), big.NewInt(1)},
	} {
		if got, err := readReals(opened); !errors.Is(err, errImpossible) {
			t.Errorf("%v was read as %v", opened, got)
		}
	}
	if got, err := readFixed([]*big.Int{big.NewInt(-5), wide}, 80, 1); err != nil || got[0] != math.Ldexp(-5, -80) || got[1] != 1 {
		t.Errorf("fixed: %v, %v", got, err)
	}
	if _, err := readFixed([]*big.Int{big.NewInt(3), wide}, 79, 1.5); !errors.Is(err, errImpossible) {
		t.Error("a number beyond its limit was read")
	}
}
