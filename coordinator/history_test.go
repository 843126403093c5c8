package coordinator

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
)

// FuzzStoredShare decodes what the store holds. What passes is of the wire's
// form and is stored the same again.
func FuzzStoredShare(f *testing.F) {
	f.Add(must(proto.Marshal(&api.SealedShare{
		Party: "hospital-1", Session: make([]byte, 32), Signature: make([]byte, 64),
		Outputs: []*api.SealedOutput{{Name: "n", Ciphertext: []byte{1}}},
	})))
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeShare(b)
		if err != nil {
			return
		}
		if n := len(m.GetOutputs()); n == 0 || n > wire.MaxOutputs || len(m.GetSession()) != 32 || len(m.GetSignature()) != 64 {
			t.Errorf("past the caps: %v", m)
		}
		s := must(wire.ShareFrom(m))
		if back, err := decodeShare(must(encodeShare(s))); err != nil || !proto.Equal(back, wire.ShareTo(s)) {
			t.Errorf("share came back as %v: %v", back, err)
		}
	})
}
