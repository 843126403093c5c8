package mhe

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// tiny is a codec whose frames a fuzzer fills quickly.
var tiny = codec{4, []uint64{97, sums.modulus[0]}}

func frameOf(words ...uint64) []byte {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// FuzzPolynomial: what is accepted has the right length and reduced coefficients,
// and comes out again byte for byte; nothing else is, and nothing panics.
func FuzzPolynomial(f *testing.F) {
	good := frameOf(0, 1, 2, 96, 0, 1, 2, sums.modulus[0]-1)
	for _, seed := range [][]byte{
		good, nil, good[:len(good)-1], append(slices.Clone(good), 0), append(slices.Clone(good), good...),
		frameOf(0, 0, 0, 97, 0, 0, 0, 0), frameOf(0, 0, 0, 0, 0, 0, 0, sums.modulus[0]), bytes.Repeat([]byte{0xff}, len(good)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p := ring.NewPoly(tiny.n, len(tiny.moduli)-1)
		err := tiny.get(p, frame)
		if err != nil {
			return
		}
		for i, limb := range p.Coeffs {
			for _, x := range limb {
				if x >= tiny.moduli[i] {
					t.Fatalf("coefficient %d is not below %d", x, tiny.moduli[i])
				}
			}
		}
		if again := tiny.put(make([]byte, tiny.size()), p); !bytes.Equal(again, frame) {
			t.Fatalf("%x became %x", frame, again)
		}
		if err := tiny.add(p, frame); err != nil {
			t.Fatal(err)
		}
		for i, limb := range p.Coeffs {
			for j, x := range limb {
				if once := binary.LittleEndian.Uint64(frame[(i*tiny.n+j)*wordSize:]); x != addMod(once, once, tiny.moduli[i]) {
					t.Fatalf("%d twice is %d modulo %d", once, x, tiny.moduli[i])
				}
			}
		}
	})
}

// FuzzOpen: the recipient's decoder bears anything as a total and as seeds. The
// bytes are laid over a total of the right length, or taken as they are.
func FuzzOpen(f *testing.F) {
	l, err := NewLayout(3, 10, 2)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, []byte{}, true)
	f.Add([]byte{1}, bytes.Repeat([]byte{1}, SeedSize), true)
	f.Add(bytes.Repeat([]byte{0xff}, 16), bytes.Repeat([]byte{1}, SeedSize), true)
	f.Add(make([]byte, 100), make([]byte, SeedSize+1), false)
	f.Fuzz(func(t *testing.T, total, seed []byte, laid bool) {
		if laid {
			total = append(slices.Clone(total), make([]byte, l.TotalSize())...)[:l.TotalSize()]
		}
		sums, err := l.Open(total, [][]byte{seed, make([]byte, SeedSize)})
		if err == nil {
			t.Fatalf("opens to %v", sums)
		}
	})
}

// BenchmarkAdd is what a site does with every half of a ciphertext that it receives.
func BenchmarkAdd(b *testing.B) {
	l, err := NewLayout(1, 1, 2)
	if err != nil {
		b.Fatal(err)
	}
	p := l.rings.q.NewPoly()
	frame, h := l.rings.half.put(make([]byte, l.HalfSize()), p), sha256.New()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		h.Write(frame)
		if err := l.rings.half.add(p, frame); err != nil {
			b.Fatal(err)
		}
	}
}
