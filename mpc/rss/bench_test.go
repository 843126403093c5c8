package rss_test

import (
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// BenchmarkMul multiplies a million pairs among three parties in one process,
// all on this machine's cores, with the hash of each frame for the transcript.
func BenchmarkMul(b *testing.B) {
	const n = 1 << 20
	w := memnet.New(memnet.Config{})
	b.SetBytes(8 * n)
	err := w.Run(func(s *mpc.Session) error {
		x := rss.Public(s, ramp(n, 3))
		if s.Self() != 0 {
			for i := range b.N {
				rss.Mul(s.Step("mul", i), x, x)
			}
			return s.Err()
		}
		b.ResetTimer()
		for i := range b.N {
			rss.Mul(s.Step("mul", i), x, x)
		}
		b.StopTimer()
		return s.Err()
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkInput shares a million values of a site.
func BenchmarkInput(b *testing.B) {
	const n = 1 << 20
	w := memnet.New(four(1))
	x := ramp(n, 3)
	b.SetBytes(8 * n)
	for b.Loop() {
		if err := w.Run(func(s *mpc.Session) error {
			rss.Input(s.Step("x"), site, n, only[ring.Vec64](s, site, x))
			return s.Err()
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrimitives computes on half a million elements among three parties in
// one process, with the hash of each frame for the transcript.
func BenchmarkPrimitives(b *testing.B) {
	const n = 1 << 19
	for _, p := range primitives {
		b.Run(p.name, func(b *testing.B) {
			w := memnet.New(memnet.Config{Window: 2})
			err := w.Run(func(s *mpc.Session) error {
				x, bits := operands(s, n, 3)
				if s.Self() == 0 {
					b.ResetTimer()
				}
				for i := range b.N {
					p.op(s.Step("op", i), x, bits)
				}
				return s.Err()
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
