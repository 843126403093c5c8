package client

import (
	"crypto/hpke"
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"consilium/job"
)

// study is a whole study in a test's directory: three hospitals which are sites
// and parties, a coordinator, an administrator and one researcher.
type study struct {
	dir         string // the client's
	file        *job.RosterFile
	nodes       []*job.Identity
	coordinator *job.Identity
	admin       *job.Identity
	researcher  *job.Identity
	listener    net.Listener // of the coordinator
}

var hospitals = []string{"aare", "birs", "emme"}

func newStudy(t *testing.T) *study {
	t.Helper()
	s := &study{dir: t.TempDir()}
	s.coordinator, s.admin, s.researcher = identity(t, "rendezvous"), identity(t, "founder"), identity(t, "lee")
	for _, name := range hospitals {
		s.nodes = append(s.nodes, identity(t, name))
	}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.listener.Close() })
	private, public, err := job.NewRecipientKey()
	if err != nil {
		t.Fatal(err)
	}
	s.file = s.sign(t, s.roster(public))
	if err := s.researcher.Save(s.dir); err != nil {
		t.Fatal(err)
	}
	if err := job.SaveRecipientKey(s.dir, private); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.dir, "study.roster"), string(s.file.Bytes))
	write(t, filepath.Join(s.dir, ConfigFile), s.config())
	return s
}

func (s *study) config() string {
	return fmt.Sprintf("name: lee\nidentity: .\nrecipient_key: recipient.key\nroster: study.roster\nroster_hash: %s\n", s.file.Hash)
}

func (s *study) roster(recipient []byte) *job.Roster {
	r := &job.Roster{
		Study: "hearts", Version: 1, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Coordinator: job.Coordinator{Name: "rendezvous", Address: s.listener.Addr().String(), Certificate: s.coordinator.Certificate},
		Parties:     hospitals,
		Clients:     []job.Client{{Name: "lee", Organisation: "Institute", Certificate: s.researcher.Certificate, Recipient: recipient}},
		Datasets: []job.Dataset{{
			Name: "patients",
			Schema: job.Schema{Columns: []job.Column{
				{Name: "age", Type: job.Integer, Unit: "years", Min: "0", Max: "120"},
				{Name: "sex", Type: job.Text, Categories: []string{"f", "m"}},
			}},
		}},
		Disclosure: job.Disclosure{AllowMinimum: true, AllowMaximum: true},
	}
	for i, id := range s.nodes {
		r.Nodes = append(r.Nodes, job.Node{
			Name: id.Name, Organisation: "Hospital " + id.Name, Address: fmt.Sprintf("127.0.0.1:%d", 7001+i), Certificate: id.Certificate,
		})
		r.Datasets[0].Sites = append(r.Datasets[0].Sites, job.Site{Node: id.Name, Rows: 100})
	}
	return r
}

func (s *study) sign(t *testing.T, r *job.Roster) *job.RosterFile {
	t.Helper()
	b, err := job.SignRoster(r, s.admin)
	if err != nil {
		t.Fatal(err)
	}
	file, err := job.ParseRoster(b)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// load loads the study's client.
func (s *study) load(t *testing.T) *Client {
	t.Helper()
	c, err := Load(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// frequency signs a job that counts the sexes.
func (s *study) frequency(t *testing.T, c *Client) *job.Signed {
	t.Helper()
	p, err := c.Prepare(&job.File{
		Study: "hearts", Dataset: "patients", Analysis: "frequency", Where: "age >= 50",
		Args: map[string]any{"columns": []any{"sex"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := p.Sign()
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// decide signs every node's acceptance.
func (s *study) decide(t *testing.T, signed *job.Signed) []job.Decision {
	t.Helper()
	var out []job.Decision
	for _, id := range s.nodes {
		d := job.Decision{Node: id.Name, Job: signed.ID(), Accept: true, Nonce: random(t, 32)}
		d.Sign(id.Key)
		out = append(out, d)
	}
	return out
}

// answer is what an honest study returns for a job: a sharing of the status, which
// is 0 for "ok", and of the values of each output, sealed and signed by the parties. The sharing is made here from
// its definition, x = x0 + x1 + x2 mod 2^128, party i holding x_i and x_{i+1}.
func (s *study) answer(t *testing.T, signed *job.Signed, outputs map[string][]int64) *Fetched {
	t.Helper()
	j, err := signed.Verify()
	if err != nil {
		t.Fatal(err)
	}
	f := &Fetched{Job: signed, Decisions: s.decide(t, signed)}
	session, err := job.SessionID(signed.ID(), j, s.file.Roster, f.Decisions)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range s.nodes {
		f.Shares = append(f.Shares, job.SealedShare{Party: id.Name, Session: session})
	}
	outputs = maps.Clone(outputs)
	outputs["status"] = []int64{0}
	names := slices.Sorted(maps.Keys(outputs))
	names = append([]string{"status"}, slices.DeleteFunc(names, func(name string) bool { return name == "status" })...)
	for _, name := range names {
		parts := share(t, outputs[name])
		for i := range f.Shares {
			plain := append(encode(parts[i]), encode(parts[(i+1)%3])...)
			f.Shares[i].Outputs = append(f.Shares[i].Outputs, job.SealedOutput{
				Name: name, Ciphertext: seal(t, j.Recipient, job.SealInfo(signed.ID(), session, hospitals[i], name), plain),
			})
		}
	}
	for i, id := range s.nodes {
		f.Shares[i].Sign(signed.ID(), id.Key)
	}
	return f
}

func share(t *testing.T, values []int64) [3][]*big.Int {
	modulus := new(big.Int).Lsh(big.NewInt(1), 128)
	var parts [3][]*big.Int
	for _, v := range values {
		rest := big.NewInt(v)
		for i := range 2 {
			x := new(big.Int).SetBytes(random(t, 16))
			parts[i] = append(parts[i], x)
			rest.Sub(rest, x)
		}
		parts[2] = append(parts[2], rest.Mod(rest, modulus))
	}
	return parts
}

// encode writes elements of 16 bytes, little endian.
func encode(xs []*big.Int) []byte {
	var out []byte
	for _, x := range xs {
		b := x.FillBytes(make([]byte, 16))
		for i := range b {
			out = append(out, b[15-i])
		}
	}
	return out
}

func seal(t *testing.T, recipient, info, plain []byte) []byte {
	t.Helper()
	key, err := hpke.MLKEM768X25519().NewPublicKey(recipient)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), info, plain)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func identity(t *testing.T, name string) *job.Identity {
	t.Helper()
	id, err := job.NewIdentity(name, []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
