package rss_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

func testMatMul[V ring.Vector[V]](t *testing.T, kd kind[V], shapes [][3]int) {
	rng := rand.New(rand.NewPCG(1, uint64(kd.bits)))
	for _, shape := range shapes {
		r, k, c := shape[0], shape[1], shape[2]
		x, y := bounded(rng, r*k, kd.bits), bounded(rng, k*c, kd.bits)
		got := kd.leave(opened(t, func(s *mpc.Session, in ...rss.Share[V]) rss.Share[V] {
			return rss.MatMul(s.Step("product"), in[0], in[1], r, k, c)
		}, kd.enter(x), kd.enter(y)))
		for i := range r {
			for j := range c {
				want, term := new(big.Int), new(big.Int)
				for l := range k {
					want.Add(want, term.Mul(x[i*k+l], y[l*c+j]))
				}
				if kd.wrap(want)[0].Cmp(got[i*c+j]) != 0 {
					t.Fatalf("%d x %d times %d x %d is wrong at %d, %d", r, k, k, c, i, j)
				}
			}
		}
	}
}

func TestMatMul(t *testing.T) {
	testMatMul(t, kind64, [][3]int{{1, 1, 1}, {2, 3, 4}, {5, 1, 7}, {1, 40, 1}, {101, 2, 99}, {1, 1, 70_000}, {70_000, 1, 1}})
	testMatMul(t, kind128, [][3]int{{1, 1, 1}, {3, 4, 5}, {93, 1, 95}})
}

func TestDotRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, shape := range [][2]int{{1, 1}, {4, 3}, {9000, 2}} {
		rows, n := shape[0], shape[1]
		x, y := bounded(rng, rows*n, 64), bounded(rng, rows*n, 64)
		got := kind64.leave(opened(t, func(s *mpc.Session, in ...rss.Vec) rss.Vec {
			return rss.DotRows(s.Step("dots"), in[0], in[1], n)
		}, kind64.enter(x), kind64.enter(y)))
		for i := range rows {
			if want := kind64.sum(kind64.zip(x[i*n:(i+1)*n], y[i*n:(i+1)*n], (*big.Int).Mul)); want[0].Cmp(got[i]) != 0 {
				t.Fatalf("row %d of %d is wrong", i, rows)
			}
		}
	}
}

// TestDots: pairs of vectors of several lengths, one of them in two pairs.
func TestDots(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	x, y, z := bounded(rng, 70, 64), bounded(rng, 70, 64), bounded(rng, 3, 64)
	got := kind64.leave(opened(t, func(s *mpc.Session, in ...rss.Vec) rss.Vec {
		return rss.Dots(s.Step("dots"), []rss.Vec{in[0], in[0], in[2]}, []rss.Vec{in[1], in[0], in[2]})
	}, kind64.enter(x), kind64.enter(y), kind64.enter(z)))
	for i, pair := range [][2][]*big.Int{{x, y}, {x, x}, {z, z}} {
		if want := kind64.sum(kind64.zip(pair[0], pair[1], (*big.Int).Mul)); want[0].Cmp(got[i]) != 0 {
			t.Errorf("pair %d is wrong", i)
		}
	}
}

func TestMulPublic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	x, c := bounded(rng, 50, 64), bounded(rng, 50, 64)
	got := opened(t, func(s *mpc.Session, in ...rss.Vec) rss.Vec { return rss.MulPublic(s, in[0], kind64.enter(c)) }, kind64.enter(x))
	if want := kind64.zip(x, c, (*big.Int).Mul); !equal(kind64.leave(got), want) {
		t.Error("wrong")
	}
}
