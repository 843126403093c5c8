package protocols

import (
	"bytes"
	"crypto/hpke"
	"math/big"
	"slices"
	"strings"
	"testing"

	"consilium/job"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

var sexCounts = ask{"ward", "frequency", "", `{"columns":"sex"}`}

// resign puts a party's signature under a share that was changed.
func (s *study) resign(tr *trial, share *job.SealedShare) {
	for _, node := range s.nodes {
		if node.Name == share.Party {
			share.Sign(tr.signed.ID(), node.Key)
		}
	}
}

// reseal makes a party's share of the first output anew, from a plaintext that
// change has had.
func (s *study) reseal(tr *trial, share *job.SealedShare, change func([]byte) []byte) {
	s.t.Helper()
	kem, kdf, aead := suite()
	info := job.SealInfo(tr.signed.ID(), share.Session, share.Party, share.Outputs[0].Name)
	private, err := kem.NewPrivateKey(s.recipient)
	s.must(err)
	plain, err := hpke.Open(private, kdf, aead, info, share.Outputs[0].Ciphertext)
	s.must(err)
	share.Outputs[0].Ciphertext, err = hpke.Seal(private.PublicKey(), kdf, aead, info, change(plain))
	s.must(err)
	s.resign(tr, share)
}

// copyShares returns shares that a test may change.
func copyShares(shares []job.SealedShare) []job.SealedShare {
	out := slices.Clone(shares)
	for i := range out {
		out[i].Outputs = slices.Clone(out[i].Outputs)
		for k := range out[i].Outputs {
			out[i].Outputs[k].Ciphertext = bytes.Clone(out[i].Outputs[k].Ciphertext)
		}
	}
	return out
}

// TestOpenRefuses: whatever a coordinator or one party does to a result, the
// recipient is told and gets nothing.
func TestOpenRefuses(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	tr, other := s.trial(ask{"ward", "describe", "", `{"columns":["age"]}`}), s.trial(sexCounts)
	tr.run()
	other.run()
	again := s.try(tr.signed)
	again.run()
	stranger, _, err := job.NewRecipientKey()
	s.must(err)

	if _, _, err := Open(tr.signed, s.roster, tr.decisions, tr.shares, s.recipient); err != nil {
		t.Fatalf("the honest result is refused: %v", err)
	}
	// Shares in any order open.
	backwards := copyShares(tr.shares)
	slices.Reverse(backwards)
	if _, _, err := Open(tr.signed, s.roster, tr.decisions, backwards, s.recipient); err != nil {
		t.Fatalf("the honest result, backwards, is refused: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(shares []job.SealedShare) []job.SealedShare
		want   string
	}{
		{"a bit of a ciphertext", func(x []job.SealedShare) []job.SealedShare {
			x[1].Outputs[0].Ciphertext[1130] ^= 1
			return x
		}, `the signature of party "hospital-2" does not fit`},
		{"a bit of a ciphertext, signed", func(x []job.SealedShare) []job.SealedShare {
			x[1].Outputs[0].Ciphertext[1130] ^= 1
			s.resign(tr, &x[1])
			return x
		}, "output status of hospital-2 cannot be opened"},
		{"a cut ciphertext, signed", func(x []job.SealedShare) []job.SealedShare {
			x[1].Outputs[0].Ciphertext = x[1].Outputs[0].Ciphertext[:50]
			s.resign(tr, &x[1])
			return x
		}, "output status of hospital-2 cannot be opened"},
		{"signed by another party", func(x []job.SealedShare) []job.SealedShare {
			x[1].Sign(tr.signed.ID(), s.nodes[2].Key)
			return x
		}, `the signature of party "hospital-2" does not fit`},
		{"no signature", func(x []job.SealedShare) []job.SealedShare {
			x[0].Signature = nil
			return x
		}, `the signature of party "hospital-1" does not fit`},
		{"another's share under its own name", func(x []job.SealedShare) []job.SealedShare {
			x[2].Outputs = x[1].Outputs
			s.resign(tr, &x[2])
			return x
		}, "output status of hospital-3 cannot be opened"},
		{"swapped outputs", func(x []job.SealedShare) []job.SealedShare {
			slices.Reverse(x[0].Outputs)
			s.resign(tr, &x[0])
			return x
		}, "the share of hospital-1 has other outputs than the job's plan"},
		{"swapped ciphertexts", func(x []job.SealedShare) []job.SealedShare {
			o := x[0].Outputs
			o[0].Ciphertext, o[1].Ciphertext = o[1].Ciphertext, o[0].Ciphertext
			s.resign(tr, &x[0])
			return x
		}, "output status of hospital-1 cannot be opened"},
		{"an output less", func(x []job.SealedShare) []job.SealedShare {
			x[0].Outputs = x[0].Outputs[:1]
			s.resign(tr, &x[0])
			return x
		}, "the share of hospital-1 has other outputs than the job's plan"},
		{"a party missing", func(x []job.SealedShare) []job.SealedShare { return x[:2] }, "the share of hospital-3 is missing"},
		{"nothing", func([]job.SealedShare) []job.SealedShare { return nil }, "the share of hospital-1 is missing"},
		{"a party twice", func(x []job.SealedShare) []job.SealedShare { return append(x, x[1]) }, "there are two shares of hospital-2"},
		{"a party twice, another missing", func(x []job.SealedShare) []job.SealedShare {
			return []job.SealedShare{x[0], x[1], x[1]}
		}, "there are two shares of hospital-2"},
		{"of a node that is no party", func(x []job.SealedShare) []job.SealedShare {
			x[2].Party = "hospital-4"
			s.resign(tr, &x[2])
			return x
		}, `"hospital-4", which seals nothing of this job`},
		{"another session of the same job", func(x []job.SealedShare) []job.SealedShare {
			x[2] = again.shares[2]
			return x
		}, "the share of hospital-3 is of another session"},
		{"all of another session", func([]job.SealedShare) []job.SealedShare { return again.shares }, "the share of hospital-1 is of another session"},
		{"another job", func(x []job.SealedShare) []job.SealedShare {
			x[2] = other.shares[2]
			return x
		}, "the share of hospital-3 is of another session"},
		{"another job, session renamed", func(x []job.SealedShare) []job.SealedShare {
			x[2] = copyShares(other.shares)[2]
			x[2].Session = x[1].Session
			return x
		}, `the signature of party "hospital-3" does not fit`},
		{"one party lies in its first component", func(x []job.SealedShare) []job.SealedShare {
			s.reseal(tr, &x[1], func(b []byte) []byte { b[0] ^= 1; return b })
			return x
		}, "output status: hospital-1 and hospital-2 disagree"},
		{"one party lies in its second component", func(x []job.SealedShare) []job.SealedShare {
			s.reseal(tr, &x[2], func(b []byte) []byte { b[len(b)-1] ^= 128; return b })
			return x
		}, "output status: hospital-3 and hospital-1 disagree"},
		{"an element more", func(x []job.SealedShare) []job.SealedShare {
			s.reseal(tr, &x[0], func(b []byte) []byte { return append(b, make([]byte, 32)...) })
			return x
		}, "output status of hospital-1 has the wrong length"},
		{"a byte less", func(x []job.SealedShare) []job.SealedShare {
			s.reseal(tr, &x[0], func(b []byte) []byte { return b[1:] })
			return x
		}, "output status of hospital-1 has the wrong length"},
	} {
		opened, _, err := Open(tr.signed, s.roster, tr.decisions, c.change(copyShares(tr.shares)), s.recipient)
		if err == nil || opened != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name      string
		signed    *job.Signed
		decisions []job.Decision
		key       []byte
		want      string
	}{
		{"another recipient's key", tr.signed, tr.decisions, stranger, "sealed to another key"},
		{"no key at all", tr.signed, tr.decisions, []byte("key"), "not one of this version"},
		{"another job's decisions", tr.signed, other.decisions, s.recipient, "submit the job anew"},
		{"another set of nonces", tr.signed, again.decisions, s.recipient, "is of another session"},
		{"a decision less", tr.signed, tr.decisions[1:], s.recipient, "hospital-1 is missing"},
		{"an altered job", &job.Signed{Bytes: other.signed.Bytes, Signer: tr.signed.Signer, Signature: tr.signed.Signature}, tr.decisions, s.recipient, "signature does not fit"},
	} {
		opened, _, err := Open(c.signed, s.roster, c.decisions, tr.shares, c.key)
		if err == nil || opened != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// TestReconstruct checks signed 128-bit values against sums made here.
func TestReconstruct(t *testing.T) {
	limit := new(big.Int).Lsh(big.NewInt(1), 127)
	lowest := new(big.Int).Neg(limit)
	want := []*big.Int{big.NewInt(0), big.NewInt(-1), new(big.Int).Sub(limit, big.NewInt(1)), lowest, big.NewInt(1 << 62)}
	x := [3]ring.Vec128{{}, {{Lo: 5, Hi: 7}, {Lo: ^uint64(0), Hi: ^uint64(0)}, {Lo: 1}, {Hi: 1 << 63}, {Lo: 3}}, {{Lo: 9}, {Hi: 1}, {Hi: 1 << 63}, {Lo: 8}, {Hi: 4}}}
	x[0] = ring.FromBig(want).Sub(x[1]).Sub(x[2])
	parts := []rss.Vec128{{A: x[0], B: x[1]}, {A: x[1], B: x[2]}, {A: x[2], B: x[0]}}
	got, err := reconstruct([]string{"a", "b", "c"}, parts)
	if err != nil || !slices.EqualFunc(got, want, func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

func TestInt128(t *testing.T) {
	limit := new(big.Int).Lsh(big.NewInt(1), 127)
	for _, c := range []struct {
		x    *big.Int
		want bool
	}{
		{nil, false},
		{big.NewInt(0), true},
		{big.NewInt(-1), true},
		{new(big.Int).Sub(limit, big.NewInt(1)), true},
		{limit, false},
		{new(big.Int).Neg(limit), true},
		{new(big.Int).Sub(new(big.Int).Neg(limit), big.NewInt(1)), false},
	} {
		if got := isInt128(c.x); got != c.want {
			t.Errorf("%v: %v, want %v", c.x, got, c.want)
		}
	}
}

// FuzzDecodeShare: any bytes give a share of exactly the length or an error, and
// what was decoded encodes to the same bytes.
func FuzzDecodeShare(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add(make([]byte, 32), 1)
	f.Add(make([]byte, 33), 1)
	f.Add(bytes.Repeat([]byte{0xff}, 96), 3)
	f.Add(make([]byte, 31), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > MaxElements {
			return
		}
		x, err := decodeShare(b, n)
		if err != nil {
			if len(b) == 2*n*16 {
				t.Fatalf("%d bytes are refused for %d elements: %v", len(b), n, err)
			}
			return
		}
		if x.A.Len() != n || x.B.Len() != n || !bytes.Equal(encodeShare(x), b) {
			t.Fatalf("%d bytes decode to %d and %d elements", len(b), x.A.Len(), x.B.Len())
		}
	})
}

// TestWireLayout fixes the bytes: component A, then B, little endian.
func TestWireLayout(t *testing.T) {
	x := rss.Vec128{A: ring.Vec128{{Lo: 1, Hi: 2}}, B: ring.Vec128{{Lo: 0x0304, Hi: 5}}}
	want := make([]byte, 32)
	want[0], want[8], want[16], want[17], want[24] = 1, 2, 4, 3, 5
	if got := encodeShare(x); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
