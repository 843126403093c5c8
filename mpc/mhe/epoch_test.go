package mhe_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/linktest"

	"filippo.io/age"
)

// archive is three sites with a key epoch of which two answer, their deposits, and
// the signatures on these.
type archive struct {
	epochs    []*mhe.Epoch
	manifests [][]byte
	signed    [][]byte
	stored    [][][][]byte // by site, column and place
	keys      []ed25519.PrivateKey
	data      []map[string][]int64
}

// columns of one site: x and y with their validity bits, and a filter.
func records(site, rows int) map[string][]int64 {
	d := make(map[string][]int64)
	for i := range rows {
		k := int64(i*31+site*17) % 1000
		v, w := int64(1), int64(1)
		if k%7 == 0 {
			v = 0
		}
		if k%11 == 0 {
			w = 0
		}
		d["x"], d["v"] = append(d["x"], (k-400)*v), append(d["v"], v)
		d["y"], d["w"] = append(d["y"], (3*k+5)*w), append(d["w"], w)
		d["f"] = append(d["f"], k%2)
	}
	return d
}

// archived is one archive for many tests.
var archived = sync.OnceValues(func() (*archive, error) { return newArchive(memnet.New, 20, 17000, 3) })

// newArchive makes an epoch in a session of such a world, and deposits of so many rows.
func newArchive(worlds linktest.Worlds, rows ...int) (*archive, error) {
	q, err := mhe.NewQuorum([]mpc.PartyID{0, 1, 2}, 2)
	if err != nil {
		return nil, err
	}
	world := worlds(memnet.Config{N: 3, Compute: []mpc.PartyID{}})
	a := &archive{}
	a.epochs, err = memnet.Collect(world, func(s *mpc.Session) (*mhe.Epoch, error) { return mhe.MakeEpoch(s, q, 60, 1000), nil })
	if err != nil {
		return nil, err
	}
	for site, rows := range rows {
		d := records(site, rows)
		m, stored, err := deposit(a.epochs[site], site, rows, d)
		if err != nil {
			return nil, err
		}
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, err
		}
		a.keys, a.data = append(a.keys, key), append(a.data, d)
		a.manifests, a.stored = append(a.manifests, m.Bytes()), append(a.stored, stored)
		a.signed = append(a.signed, ed25519.Sign(key, m.Bytes()))
	}
	return a, nil
}

// deposit encrypts the columns of one site.
func deposit(e *mhe.Epoch, site, rows int, d map[string][]int64) (*mhe.Manifest, [][][]byte, error) {
	m, err := e.NewManifest(mpc.PartyID(site), rows)
	if err != nil {
		return nil, nil, err
	}
	var stored [][][]byte
	for name, width := range map[string]int{"x": 10, "y": 12, "v": 1, "w": 1, "f": 1} {
		var frames [][]byte
		err := e.Deposit(m, name, width, d[name], func(_ int, frame []byte) error {
			frames = append(frames, frame)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		stored = append(stored, frames)
	}
	return m, stored, nil
}

func theArchive(t testing.TB) *archive {
	t.Helper()
	a, err := archived()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *archive) verify(site mpc.PartyID, message, signature []byte) bool {
	return ed25519.Verify(a.keys[site].Public().(ed25519.PublicKey), message, signature)
}

// fetch gives what site has of a deposit, read as from where it is kept.
func (a *archive) fetch(e *mhe.Epoch, depositor int, columns []string) (mhe.Input, error) {
	m, stored, err := e.Fetch(a.manifests[depositor], a.signed[depositor], a.verify, columns, func(column, k int) ([]byte, error) {
		return slices.Clone(a.stored[depositor][column][k]), nil
	})
	return mhe.Input{Manifest: m, Stored: stored}, err
}

func (a *archive) inputs(t testing.TB, e *mhe.Epoch, c mhe.Circuit) []mhe.Input {
	t.Helper()
	var list []mhe.Input
	for depositor := range a.manifests {
		in, err := a.fetch(e, depositor, c.Columns())
		if err != nil {
			t.Error(err)
		}
		list = append(list, in)
	}
	return list
}

// plain is what a circuit gives in the clear.
func (a *archive) plain(c mhe.Circuit) []*big.Int {
	sums := make([]*big.Int, len(c))
	for i, term := range c {
		sum := int64(0)
		for _, d := range a.data {
			for row := range d["x"] {
				product := int64(1)
				for _, name := range term {
					product *= d[name][row]
				}
				sum += product
			}
		}
		sums[i] = big.NewInt(sum)
	}
	return sums
}

// run answers a circuit at sites, each with its own idea of it.
func (a *archive) run(t testing.TB, worlds linktest.Worlds, active []mpc.PartyID, budget func(p mpc.PartyID) *mhe.Budget, at func(p mpc.PartyID) (mhe.Circuit, []mhe.Input)) ([]mhe.Part, *memnet.World, error) {
	world := worlds(memnet.Config{N: 3, Compute: []mpc.PartyID{}})
	o := flat(t, active)
	parts, err := memnet.Collect(world, func(s *mpc.Session) (mhe.Part, error) {
		if !slices.Contains(active, s.Self()) {
			return mhe.Part{}, nil
		}
		c, in := at(s.Self())
		return a.epochs[s.Self()].Answer(s, o, budget(s.Self()), c, in), nil
	})
	return parts, world, err
}

func budgets(t testing.TB, a *archive) func(p mpc.PartyID) *mhe.Budget {
	t.Helper()
	var list []*mhe.Budget
	for i, e := range a.epochs {
		b, err := mhe.NewBudget(filepath.Join(t.TempDir(), fmt.Sprint("budget", i)), e)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return func(p mpc.PartyID) *mhe.Budget { return list[p] }
}

func openAnswers(t testing.TB, a *archive, sums int, parts []mhe.Part) ([]*big.Int, error) {
	t.Helper()
	e := a.epochs[0]
	answers, err := mhe.NewAnswers(sums, e.Bits, e.Quorum, e.Openings)
	if err != nil {
		t.Fatal(err)
	}
	return answers.Open(together(parts))
}

// Sums, means, variances, covariances, and each of them filtered, on what is stored,
// by any two of the three sites, one depositor being away. The long work is each
// site's own: TestEpochsOverEveryTransport has the sessions over links.
func TestAnswersOnStoredData(t *testing.T) {
	a := theArchive(t)
	c := mhe.Circuit{{"x"}, {"v"}, {"x", "x"}, {"x", "y"}, {"x", "w"}, {"v", "y"}, {"v", "w"}, {"f", "x"}, {"f", "v"}, {"f", "x", "x"}, {"f", "x", "y"}}
	budget := budgets(t, a)
	spent := 0
	for i, active := range [][]mpc.PartyID{{0, 1}, {0, 2}} {
		if i > 0 {
			c = c[:2]
		}
		spent += 2 // all in one ciphertext over each of two primes
		parts, _, err := a.run(t, memnet.New, active, budget, func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) { return c, a.inputs(t, a.epochs[p], c) })
		if err != nil {
			t.Fatal(err)
		}
		got, err := openAnswers(t, a, len(c), parts)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, a.plain(c))
	}
	if left := budget(0).Left(); left != 1000-spent {
		t.Errorf("%d openings left of 1000, after %d", left, spent)
	}
}

// An epoch that is made over links answers over them.
func TestEpochsOverEveryTransport(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		a, err := newArchive(worlds, 7, 4, 9)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range a.epochs {
			if e.ID != a.epochs[0].ID {
				t.Errorf("%v and %v are of one session", e, a.epochs[0])
			}
		}
		c := mhe.Circuit{{"x"}, {"f", "x", "y"}}
		parts, _, err := a.run(t, worlds, []mpc.PartyID{0, 2}, budgets(t, a), func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) { return c, a.inputs(t, a.epochs[p], c) })
		if err != nil {
			t.Fatal(err)
		}
		got, err := openAnswers(t, a, len(c), parts)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, a.plain(c))
	})
}

// A site that gives a wrong share of the key of a turn spoils the key for all alike, as
// with every other key: what is opened then is noise beyond all bounds, and refused. A
// relay that sends another key to one site than to the rest is noticed.
func TestWrongKeysOfTurnsAreNoticed(t *testing.T) {
	tampered := func(from, to mpc.PartyID) linktest.Worlds {
		return func(c memnet.Config) *memnet.World {
			c.Hooks.Tamper = func(m memnet.Message) ([]byte, bool) {
				if m.From == from && m.To == to && m.Channel.Step == "turns" {
					m.Frame[0] ^= 1
				}
				return m.Frame, true
			}
			return memnet.New(c)
		}
	}
	a, err := newArchive(tampered(2, 0), 4, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	c := mhe.Circuit{{"x"}}
	parts, _, err := a.run(t, memnet.New, []mpc.PartyID{0, 1}, budgets(t, a), func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) { return c, a.inputs(t, a.epochs[p], c) })
	if err != nil {
		t.Fatal(err)
	}
	if sums, err := openAnswers(t, a, 1, parts); err == nil || !strings.Contains(err.Error(), "does not open") {
		t.Errorf("%v, %v", sums, err)
	}
	if _, err := newArchive(tampered(0, 2), 4, 4, 4); err == nil || !strings.Contains(err.Error(), "has seen other nonces or keys") {
		t.Errorf("another key for one site: %v", err)
	}
}

// A site that is to answer another circuit than the others, or over another deposit,
// makes no share.
func TestOtherCircuitsAreNotAnswered(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		a := theArchive(t)
		c := mhe.Circuit{{"x"}}
		for name, other := range map[string]mhe.Circuit{"another column": {{"y"}}, "a square": {{"x", "x"}}} {
			_, world, err := a.run(t, worlds, []mpc.PartyID{0, 1}, budgets(t, a), func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) {
				if p == 1 {
					return other, a.inputs(t, a.epochs[p], other)
				}
				return c, a.inputs(t, a.epochs[p], c)
			})
			if err == nil || !strings.Contains(err.Error(), "has seen other key epoch, circuit or manifests") || len(world.Transcript().At("switch")) > 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, _, err := a.run(t, worlds, []mpc.PartyID{0, 1}, budgets(t, a), func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) {
			in := a.inputs(t, a.epochs[p], c)
			return c, in[:len(in)-int(p)]
		})
		if err == nil || !strings.Contains(err.Error(), "has seen other key epoch, circuit or manifests") {
			t.Errorf("a deposit less: %v", err)
		}
	})
}

// The same circuit and manifests, but a node whose evaluation is of another ciphertext:
// the attack of a storing node, past the hashes.
func TestChosenCiphertextOfStoredDataIsNotSwitched(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		a := theArchive(t)
		c := mhe.Circuit{{"x"}}
		_, world, err := a.run(t, worlds, []mpc.PartyID{0, 1}, budgets(t, a), func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) {
			in := a.inputs(t, a.epochs[p], c)
			if p == 1 {
				for _, column := range in[0].Stored {
					if column != nil {
						column.C1[0].Coeffs[0][0] ^= 1
					}
				}
			}
			return c, in
		})
		if err == nil || !strings.Contains(err.Error(), "has seen other stored ciphertexts") || len(world.Transcript().At("switch")) > 0 {
			t.Errorf("%v", err)
		}
	})
}

func TestBudgetIsDurableAndEnds(t *testing.T) {
	a := theArchive(t)
	e, path := a.epochs[0], filepath.Join(t.TempDir(), "budget")
	if _, err := mhe.LoadBudget(path, e); err == nil {
		t.Error("a budget without its file")
	}
	b, err := mhe.NewBudget(path, e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mhe.NewBudget(path, e); err == nil {
		t.Error("a count began again")
	}
	if err := b.Charge(999); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 0, -1} {
		if err := b.Charge(n); !errors.Is(err, mhe.ErrSpent) {
			t.Errorf("%d more: %v", n, err)
		}
	}
	again, err := mhe.LoadBudget(path, e) // after a crash
	if err != nil || again.Left() != 1 {
		t.Fatalf("%v %v", again, err)
	}
	c := mhe.Circuit{{"x"}} // needs two ciphertexts
	_, world, err := a.run(t, memnet.New, []mpc.PartyID{0, 1}, func(mpc.PartyID) *mhe.Budget { return again }, func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) { return c, a.inputs(t, a.epochs[p], c) })
	if !errors.Is(err, mhe.ErrSpent) && (err == nil || !strings.Contains(err.Error(), "spent")) || len(world.Transcript().At("switch")) > 0 {
		t.Errorf("a spent key answered: %v", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := *e
	other.ID[0] ^= 1
	if _, err := mhe.LoadBudget(path, &other); err == nil || !strings.Contains(err.Error(), "another epoch") {
		t.Errorf("another epoch's budget: %v", err)
	}
	flipped := slices.Clone(content)
	flipped[len(flipped)-33] ^= 1
	for name, bad := range map[string][]byte{"truncated": content[:len(content)-1], "padded": append(slices.Clone(content), 0), "empty": nil, "flipped": flipped} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := mhe.LoadBudget(path, e); err == nil {
			t.Errorf("a %s budget is read", name)
		}
	}
	// A directory that is gone: nothing is answered, and it counts.
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	gone, err := mhe.NewBudget(filepath.Join(dir, "budget"), e)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := gone.Charge(1); err == nil || gone.Left() != 999 {
		t.Errorf("a budget that cannot be written is charged: %v, %d left", err, gone.Left())
	}
}

func TestEpochIsKeptEncrypted(t *testing.T) {
	a := theArchive(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "epoch.age")
	for range 2 { // the second replaces the first
		if err := a.epochs[1].Save(path, identity.Recipient()); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v %v", files, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	e, err := mhe.LoadEpoch(path, identity)
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != a.epochs[1].ID || e.Openings != 1000 || e.Bits != 60 {
		t.Errorf("%v became %v", a.epochs[1], e)
	}
	// What was read answers as what was made.
	whole := *a
	whole.epochs = []*mhe.Epoch{a.epochs[0], e, a.epochs[2]}
	c := mhe.Circuit{{"x", "f"}}
	parts, _, err := whole.run(t, memnet.New, []mpc.PartyID{0, 1}, budgets(t, &whole), func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) { return c, whole.inputs(t, whole.epochs[p], c) })
	if err != nil {
		t.Fatal(err)
	}
	got, err := openAnswers(t, &whole, 1, parts)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, whole.plain(c))

	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mhe.LoadEpoch(path, other); err == nil {
		t.Error("another key opens it")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{content[:len(content)-1], append(slices.Clone(content), 0), nil, content[:200]} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := mhe.LoadEpoch(path, identity); err == nil {
			t.Errorf("%d of %d bytes are read", len(bad), len(content))
		}
	}
}

func TestEpochPrintsItsNumberAlone(t *testing.T) {
	e := theArchive(t).epochs[0]
	for _, v := range []any{e, struct{ E *mhe.Epoch }{e}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if text := fmt.Sprintf(verb, v); len(text) > 100 {
				t.Errorf("%s prints %d bytes", verb, len(text))
			}
		}
		if b, err := json.Marshal(v); err != nil || len(b) > 100 {
			t.Errorf("%d bytes of JSON, %v", len(b), err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		if log.Len() > 200 {
			t.Errorf("a log line of %d bytes", log.Len())
		}
	}
}

func TestFetchRefusesWhatWasNotSigned(t *testing.T) {
	a := theArchive(t)
	e := a.epochs[1]
	good := func(column, k int) ([]byte, error) { return slices.Clone(a.stored[0][column][k]), nil }
	m, err := mhe.ParseManifest(a.manifests[0])
	if err != nil {
		t.Fatal(err)
	}
	resigned := func(change func(m *mhe.Manifest)) ([]byte, []byte) {
		c, err := mhe.ParseManifest(a.manifests[0])
		if err != nil {
			t.Fatal(err)
		}
		change(c)
		return c.Bytes(), ed25519.Sign(a.keys[0], c.Bytes())
	}
	for name, c := range map[string]struct {
		change func(m *mhe.Manifest)
		sign   bool
		frame  func(column, k int) ([]byte, error)
		says   string
	}{
		"changed manifest":             {func(m *mhe.Manifest) { m.Columns[0].Bits++ }, false, good, "not signed by it"},
		"another epoch":                {func(m *mhe.Manifest) { m.Epoch[0] ^= 1 }, true, good, "another epoch"},
		"a stranger's":                 {func(m *mhe.Manifest) { m.Site = 7 }, true, good, "holds no piece"},
		"another site's":               {func(m *mhe.Manifest) { m.Site = 2 }, true, good, "not signed by it"},
		"a column twice":               {func(m *mhe.Manifest) { m.Columns[1].Name = m.Columns[0].Name }, true, good, "twice"},
		"a hash less":                  {func(m *mhe.Manifest) { m.Columns[0].Hashes = m.Columns[0].Hashes[1:] }, true, good, "not as it must be"},
		"more rows":                    {func(m *mhe.Manifest) { m.Rows = 1 << 20 }, true, good, "not as it must be"},
		"no rows":                      {func(m *mhe.Manifest) { m.Rows = 0 }, true, good, "rows"},
		"truncated ciphertext":         {nil, true, func(c, k int) ([]byte, error) { b, _ := good(c, k); return b[:len(b)-1], nil }, "bytes, want"},
		"padded ciphertext":            {nil, true, func(c, k int) ([]byte, error) { b, _ := good(c, k); return append(b, 0), nil }, "bytes, want"},
		"no ciphertext":                {nil, true, func(c, k int) ([]byte, error) { return nil, nil }, "bytes, want"},
		"another ciphertext":           {nil, true, func(c, k int) ([]byte, error) { b, _ := good(c, k); b[9] ^= 1; return b, nil }, "not the one in the manifest"},
		"another column's":             {nil, true, func(c, k int) ([]byte, error) { return good((c+1)%5, k) }, "not the one in the manifest"},
		"ciphertexts in a wrong order": {nil, true, func(c, k int) ([]byte, error) { return good(c, 1-k) }, "not the one in the manifest"},
		"unreduced, hashed so": {func(m *mhe.Manifest) {
			for i := range m.Columns {
				b, _ := good(i, 0)
				m.Columns[i].Hashes[0] = mhe.HashOf(m, m.Columns[i].Name, 0, unreduced(b, 4))
			}
		}, true, func(c, k int) ([]byte, error) {
			b, _ := good(c, k)
			if k == 0 {
				b = unreduced(b, 4)
			}
			return b, nil
		}, "is not reduced"},
	} {
		t.Run(name, func(t *testing.T) {
			manifest, signature := a.manifests[0], a.signed[0]
			if c.change != nil {
				var fresh []byte
				if manifest, fresh = resigned(c.change); c.sign {
					signature = fresh
				}
			}
			_, _, err := e.Fetch(manifest, signature, a.verify, []string{m.Columns[0].Name}, c.frame)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, _, err := e.Fetch(a.manifests[0], a.signed[0], a.verify, []string{"z"}, good); err == nil || !strings.Contains(err.Error(), "no column z") {
		t.Errorf("a column that is not there: %v", err)
	}
}

func TestCircuitsThatDoNotFitAreRefused(t *testing.T) {
	a := theArchive(t)
	for name, c := range map[string]struct {
		circuit mhe.Circuit
		change  func(in []mhe.Input) []mhe.Input
		says    string
	}{
		"no sums":         {mhe.Circuit{}, nil, "0 sums of 60 bits"},
		"no factor":       {mhe.Circuit{{}}, nil, "a product of 0"},
		"four factors":    {mhe.Circuit{{"x", "x", "x", "x"}}, nil, "a product of 4"},
		"no deposits":     {mhe.Circuit{{"x"}}, func([]mhe.Input) []mhe.Input { return nil }, "over 0 deposits"},
		"a deposit twice": {mhe.Circuit{{"x"}}, func(in []mhe.Input) []mhe.Input { return []mhe.Input{in[0], in[0]} }, "in the order of their sites"},
		"too wide": {mhe.Circuit{{"x", "y"}}, func(in []mhe.Input) []mhe.Input {
			for i := range in[0].Manifest.Columns {
				in[0].Manifest.Columns[i].Bits = 30
			}
			return in
		}, "can have 75 bits"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := a.run(t, memnet.New, []mpc.PartyID{0, 1}, budgets(t, a), func(p mpc.PartyID) (mhe.Circuit, []mhe.Input) {
				in := a.inputs(t, a.epochs[p], c.circuit)
				if c.change != nil {
					in = c.change(in)
				}
				return c.circuit, in
			})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDepositRefusesValuesBeyondItsBits(t *testing.T) {
	e := theArchive(t).epochs[0]
	keep := func(int, []byte) error { return nil }
	for name, c := range map[string]struct {
		column  string
		bits    int
		numbers []int64
	}{
		"too large": {"y", 3, []int64{8}}, "too small": {"y", 3, []int64{-8}}, "smallest of all": {"y", 60, []int64{math.MinInt64}},
		"more rows": {"y", 3, []int64{1, 1}}, "no rows": {"y", 3, nil}, "no name": {"", 3, []int64{1}}, "twice": {"x", 3, []int64{1}},
		"too wide": {"y", 61, []int64{1}}, "no bits": {"y", 0, []int64{0}}, "a long name": {strings.Repeat("y", 1025), 3, []int64{1}},
	} {
		m, err := e.NewManifest(0, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Deposit(m, "x", 3, []int64{-7}, keep); err != nil {
			t.Fatal(err)
		}
		if err := e.Deposit(m, c.column, c.bits, c.numbers, keep); err == nil || len(m.Columns) != 1 {
			t.Errorf("%s is deposited", name)
		}
	}
	for _, rows := range []int{0, -1, 256<<14 + 1} {
		if _, err := e.NewManifest(0, rows); err == nil {
			t.Errorf("a deposit of %d rows", rows)
		}
	}
	if _, err := e.NewManifest(7, 1); err == nil {
		t.Error("a stranger's deposit")
	}
	full := errors.New("the disk is full")
	m, err := e.NewManifest(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Deposit(m, "x", 3, []int64{1}, func(int, []byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

// Who keeps ciphertexts checks what it is given without any key.
func TestKeeperChecksWithoutAKey(t *testing.T) {
	a := theArchive(t)
	m, err := mhe.ParseManifest(a.manifests[1])
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range m.Columns {
		for k, want := range c.Hashes {
			got, err := mhe.HashStored(m.Epoch, m.Site, c.Name, k, a.stored[1][i][k])
			if err != nil || got != want {
				t.Errorf("ciphertext %d of %s: %v", k, c.Name, err)
			}
		}
	}
	good := a.stored[1][0][0]
	for name, bad := range map[string][]byte{
		"nothing": nil, "cut": good[1:], "longer": append(slices.Clone(good), 0), "unreduced": unreduced(slices.Clone(good), 4),
		"unreduced in its second half": append(slices.Clone(good[:len(good)/2]), unreduced(slices.Clone(good[:len(good)/2]), 4)...),
	} {
		if _, err := mhe.HashStored(m.Epoch, m.Site, "x", 0, bad); err == nil {
			t.Errorf("a ciphertext that is %s", name)
		}
	}
	if n := mhe.StoredSize(); n != len(good) {
		t.Errorf("a ciphertext has %d bytes, not %d", len(good), n)
	}
	if n, err := mhe.StoredCiphertexts([]int{20, 17000, 3}, 60); err != nil || !slices.Equal(n, []int{2, 4, 2}) {
		t.Errorf("columns of %v ciphertexts, %v", n, err)
	}
	for _, c := range []struct {
		rows []int
		bits int
	}{{[]int{0}, 60}, {[]int{1}, mhe.StoredBits() + 1}, {[]int{255 << 14, 1<<14 + 1}, 60}} {
		if n, err := mhe.StoredCiphertexts(c.rows, c.bits); err == nil {
			t.Errorf("%v rows and %d bits are columns of %v ciphertexts", c.rows, c.bits, n)
		}
	}
}
