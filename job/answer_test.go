package job

import (
	"crypto/ed25519"
	"strings"
	"testing"
)

func TestAnswerIsSigned(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sign := func() *Answer {
		a := &Answer{Run: Hash{1}, Sequence: 3, Node: "hospital-1", Code: 812}
		a.Sign(private)
		return a
	}
	if err := sign().Verify(public); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(a *Answer){
		"run":       func(a *Answer) { a.Run[31] ^= 1 },
		"rank":      func(a *Answer) { a.Sequence++ },
		"node":      func(a *Answer) { a.Node = "hospital-2" },
		"decision":  func(a *Answer) { a.Accept, a.Code = true, 0 },
		"code":      func(a *Answer) { a.Code = 813 },
		"signature": func(a *Answer) { a.Signature[5] ^= 1 },
		"none":      func(a *Answer) { a.Signature = nil },
	} {
		a := sign()
		change(a)
		if err := a.Verify(public); err == nil || !strings.Contains(err.Error(), "the signature does not fit") {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for name, a := range map[string]*Answer{
		"an acceptance with a code": {Sequence: 1, Node: "a", Accept: true, Code: 740},
		"a refusal without one":     {Sequence: 1, Node: "a"},
		"no rank":                   {Node: "a", Accept: true},
	} {
		a.Sign(private)
		if err := a.Verify(public); err == nil || !strings.Contains(err.Error(), "an acceptance takes no code") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
