package mhe

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"

	"consilium/mpc"
)

// SumKey is what a site holds of the collective key of one sum. RevealSum makes one
// and uses it; who wants the key before there are numbers makes it beforehand. It
// serves once, is not safe for concurrent use, and prints as redacted.
type SumKey struct {
	layout  *Layout
	options Options
	public  *PublicKey
	secret  *Secret // nil once it has served
	seen    *Seen
}

// NewSumKey makes the collective key of one sum with the other sites, at the steps
// crs and key below s. It returns nil when the session has failed.
func NewSumKey(s *mpc.Session, l *Layout, o Options) *SumKey {
	if err := o.check(s, l); err != nil {
		s.Fail(err)
		return nil
	}
	k := &SumKey{layout: l, options: o, secret: NewSecret(l), seen: NewSeen(s, l)}
	crs := AgreeCRS(s.Step("crs"), o.Tree, k.seen)
	k.public = CollectiveKey(s.Step("key"), l, o.Tree, crs, k.secret, k.seen)
	if s.Err() != nil {
		k.secret.Erase()
		return nil
	}
	return k
}

// errServed says that a key was asked for a second sum. It would open for a second
// time what its smudging was reckoned for once.
var errServed = errors.New("the collective key of one sum serves no other")

// RevealSum is the function of that name with the key made already, which ends with
// it. A nil key does nothing.
func (k *SumKey) RevealSum(s *mpc.Session, own []*big.Int) Part {
	if k == nil || s.Err() != nil {
		return Part{}
	}
	secret := k.secret
	if k.secret = nil; secret == nil {
		s.Fail(errServed)
		return Part{}
	}
	defer secret.Erase()
	var part Part
	sealed, err := Encrypt(k.layout, k.public, own)
	if err == nil {
		part, err = answer(s, k.layout, k.options, secret, sealed, nil, k.seen)
	}
	if err != nil {
		s.Fail(err)
	}
	if s.Err() != nil {
		return Part{}
	}
	return part
}

// Format keeps a key out of every verb.
func (*SumKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a key out of structured logs.
func (*SumKey) LogValue() slog.Value { return slog.StringValue(redacted) }
