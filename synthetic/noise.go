package synthetic

import (
	"crypto/rand"
	"encoding/binary"
	"math"
)

// noise is a source of numbers that depend on a seed, a row and a stream, and on
// nothing before: the finaliser of SplitMix64 (Steele, Lea and Flood 2014) over
// both, one after the other. It is good noise and no secret.
type noise uint64

// RandomSeed draws a seed.
func RandomSeed() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

const golden = 0x9e3779b97f4a7c15

func newNoise(seed uint64) noise { return noise(mix(seed + golden)) }

// row narrows the noise to one row.
func (n noise) row(i int64) rowNoise { return rowNoise(mix(uint64(n) + golden*uint64(i+1))) }

// rowNoise is the noise of one row.
type rowNoise uint64

func (r rowNoise) bits(stream int) uint64 { return mix(uint64(r) + golden*uint64(stream+1)) }

// uniform is strictly between 0 and 1.
func (r rowNoise) uniform(stream int) float64 {
	return (float64(r.bits(stream)>>11) + 0.5) / (1 << 53)
}

// below is a whole number from 0 to n - 1, n > 0, evenly but for one part in 2^32
// where n is below 2^32.
func (r rowNoise) below(n uint64, stream int) uint64 { return r.bits(stream) % n }

// normals are two independent standard normal numbers (Box and Muller 1958).
func (r rowNoise) normals(stream int) (float64, float64) {
	radius := math.Sqrt(-2 * math.Log(r.uniform(2*stream)))
	sine, cosine := math.Sincos(2 * math.Pi * r.uniform(2*stream+1))
	return radius * cosine, radius * sine
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
