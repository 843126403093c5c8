package vault

import (
	"bytes"
	"path/filepath"
	"testing"
)

func TestSealedContent(t *testing.T) {
	var keys []*Key
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(t.TempDir(), name)
		if err := MakeKey(path); err != nil {
			t.Fatal(err)
		}
		key, err := LoadKey(path)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for _, plain := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte("long "), 40_000)} {
		sealed, err := keys[0].Seal(plain)
		if err != nil || !IsSealed(sealed) || IsSealed(plain) || len(plain) > 0 && bytes.Contains(sealed, plain) {
			t.Fatalf("%d bytes: %v", len(plain), err)
		}
		if back, err := keys[0].Open(sealed); err != nil || !bytes.Equal(back, plain) {
			t.Errorf("%d bytes: %v", len(plain), err)
		}
		if _, err := keys[1].Open(sealed); err == nil {
			t.Error("another key opens it")
		}
		for _, at := range []int{len(sealed) - 1, len(sealed) / 2} {
			spoiled := bytes.Clone(sealed)
			spoiled[at] ^= 1
			if _, err := keys[0].Open(spoiled); err == nil {
				t.Error("what was altered opens")
			}
		}
	}
}
