package vault

import (
	"crypto/ed25519"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/statedir"
	"consilium/protocols"
)

func TestNewVaultIsEmpty(t *testing.T) {
	h := newHome(t, "hospital-1")
	v := h.open(t)
	if _, _, err := v.Epoch(); !errors.Is(err, protocols.ErrNoEpoch) {
		t.Error(err)
	}
	if _, err := v.Deposit(); !errors.Is(err, protocols.ErrNoDeposit) {
		t.Error(err)
	}
	if _, err := v.Withdraw(); !errors.Is(err, protocols.ErrNoDeposit) {
		t.Error(err)
	}
	if n, ok := v.Left(); ok {
		t.Errorf("%d openings are left of no key", n)
	}
	if h.store.Dataset("heart") != nil {
		t.Error("a vault of a dataset that is not there")
	}
}

// What is deposited stays under its key when there is a newer one, and takes that with
// it when it goes.
func TestEpochLastsAsLongAsWhatIsUnderIt(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	first, second := made[0][0], made[1][0]
	one, two := job.Hash{1}, job.Hash{2}
	v := h.open(t)
	keepEpoch(t, v, first)
	newSheaf(t, made[0], one, "hospital-1").keep(t, v)
	h.want(t, epochName(first), depositPrefix+one.String())
	keepEpoch(t, v, second)
	for range 2 { // the second time after a restart
		h.want(t, epochName(first), epochName(second), depositPrefix+one.String())
		newest, _, err := v.Epoch()
		if err != nil || newest.ID != second.ID {
			t.Errorf("the newest epoch is %v: %v", newest, err)
		}
		d, err := v.Deposit()
		if err != nil {
			t.Fatal(err)
		}
		key, budget, err := d.Key()
		if err != nil || key.ID != first.ID || d.Deposit().Job != one {
			t.Errorf("deposit %v under %v: %v", d.Deposit().Job, key, err)
		}
		if err := budget.Charge(3); err != nil {
			t.Error(err)
		}
		d.Close()
		d.Close() // does nothing
		v = h.open(t)
	}
	if n, ok := v.Left(); !ok || n != openings-6 {
		t.Errorf("%d openings are left, %v", n, ok)
	}
	newSheaf(t, made[1], two, "hospital-1").keep(t, v)
	h.want(t, epochName(second), depositPrefix+two.String())
	w, err := v.Withdraw()
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	h.want(t, epochName(second))
	if n, ok := v.Left(); !ok || n != openings {
		t.Errorf("%d openings are left, %v", n, ok)
	}
	keepEpoch(t, v, first)
	h.want(t, epochName(first))
	if h.open(t); h.log.Len() > 0 {
		t.Error(h.log.String())
	}
}

func TestOneBudgetOfAnEpoch(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	newSheaf(t, made[0], job.Hash{1}, "hospital-1").keep(t, v)
	for range 2 {
		_, a, err := v.Epoch()
		if err != nil {
			t.Fatal(err)
		}
		d, err := v.Deposit()
		if err != nil {
			t.Fatal(err)
		}
		_, b, err := d.Key()
		if err != nil || a != b {
			t.Errorf("two budgets of one epoch: %v", err)
		}
		d.Close()
		v = h.open(t)
	}
	if _, err := v.KeepEpoch(made[0][0]); err == nil {
		t.Error("an epoch that is there was kept again")
	}
	if _, err := Open(h.Config); err == nil || !strings.Contains(err.Error(), "in use by another node") {
		t.Errorf("two processes hold the vault: %v", err)
	}
}

// A reader has its deposit, and the key under it, until it closes, whatever comes into
// force meanwhile.
func TestReadersKeepTheirDeposit(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	one := newSheaf(t, made[0], job.Hash{1}, "hospital-1")
	one.keep(t, v)
	a, err := v.Deposit()
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.Deposit()
	if err != nil {
		t.Fatal(err)
	}
	keepEpoch(t, v, made[1][0])
	newSheaf(t, made[1], job.Hash{2}, "hospital-1").keep(t, v)
	a.Close()
	for p, want := range one.frames {
		got, err := b.Ciphertext(p.site, p.column, p.k)
		if err != nil || string(got) != string(want) {
			t.Errorf("%v: %v", p, err)
		}
	}
	if e, _, err := b.Key(); err != nil || e.ID != made[0][0].ID {
		t.Error(err)
	}
	h.want(t, epochName(made[0][0]), epochName(made[1][0]), depositPrefix+job.Hash{1}.String(), depositPrefix+job.Hash{2}.String())
	b.Close()
	h.want(t, epochName(made[1][0]), depositPrefix+job.Hash{2}.String())
}

func TestDiscardedChangesLeaveNothing(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	c, err := v.KeepEpoch(made[0][0])
	if err != nil {
		t.Fatal(err)
	}
	c.Discard()
	if err := c.Commit(); err == nil {
		t.Error("a change was made after it was discarded")
	}
	h.want(t)
	keepEpoch(t, v, made[0][0])
	d, err := newSheaf(t, made[0], job.Hash{1}, "hospital-1").write(v)
	if err != nil {
		t.Fatal(err)
	}
	d.Discard()
	h.want(t, epochName(made[0][0]))
	newSheaf(t, made[0], job.Hash{2}, "hospital-1").keep(t, v)
	w, err := v.Withdraw()
	if err != nil {
		t.Fatal(err)
	}
	w.Discard()
	late, err := v.Withdraw()
	if err != nil {
		t.Fatal(err)
	}
	newSheaf(t, made[0], job.Hash{3}, "hospital-1").keep(t, v)
	if err := late.Commit(); err == nil {
		t.Error("another deposit than the one that was there was withdrawn")
	}
	h.want(t, epochName(made[0][0]), depositPrefix+job.Hash{3}.String())
}

// The sites rekey while one of them still writes a deposit.
func TestDepositIsWrittenUnderItsEpoch(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	d, err := newSheaf(t, made[0], job.Hash{1}, "hospital-1").write(v)
	if err != nil {
		t.Fatal(err)
	}
	keepEpoch(t, v, made[1][0])
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	d.Discard() // does nothing
	v = h.open(t)
	s, err := v.Deposit()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if e, _, err := s.Key(); err != nil || e.ID != made[0][0].ID {
		t.Error(err)
	}
}

func TestWhoKeepsWhat(t *testing.T) {
	made := theEpochs(t)
	d := newSheaf(t, made[0], job.Hash{1}, "hospital-1", "archive")
	// A node that is no site has the ciphertexts and no key.
	h := newHome(t, "archive")
	v := h.open(t)
	d.keep(t, v)
	for range 2 {
		s, err := v.Deposit()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Key(); !errors.Is(err, protocols.ErrNoEpoch) {
			t.Error(err)
		}
		if got, err := s.Ciphertext(2, 1, 0); err != nil || string(got) != string(d.frames[place{2, 1, 0}]) {
			t.Error(err)
		}
		for _, p := range []place{{3, 0, 0}, {-1, 0, 0}, {0, 2, 0}, {0, -1, 0}, {0, 0, 1 << 20}, {0, 0, -1}} {
			if _, err := s.Ciphertext(p.site, p.column, p.k); err == nil || !h.clear(err) {
				t.Errorf("%v: %v", p, err)
			}
		}
		s.Close()
		v = h.open(t)
	}
	// A site that keeps none has the manifests and the key.
	h = newHome(t, "hospital-2")
	v = h.open(t)
	keepEpoch(t, v, made[0][1])
	c, err := v.KeepDeposit(d.deposit)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Put(0, 0, 0, d.frames[place{0, 0, 0}]); err == nil {
		t.Error("a node that keeps no ciphertexts takes one")
	}
	c.Discard()
	d.keep(t, v)
	s, err := h.open(t).Deposit()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ciphertext(0, 0, 0); err == nil {
		t.Error("a node that keeps no ciphertexts gives one")
	}
	s.Close()
	// Who is neither has nothing to do with it.
	if _, err := newHome(t, "hospital-3").open(t).KeepDeposit(d.deposit); err == nil {
		t.Error("a stranger keeps a deposit")
	}
}

func TestDepositIsKeptWholeOrNotAtAll(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	id := byte(0)
	for name, spoil := range map[string]func(d *sheaf) error{
		"a ciphertext less": func(d *sheaf) error { delete(d.frames, place{1, 1, 0}); return nil },
		"one more":          func(d *sheaf) error { d.frames[place{1, 2, 0}] = []byte("x"); return nil },
		"too long":          func(d *sheaf) error { d.frames[place{1, 1, 0}] = make([]byte, maxCiphertext+1); return nil },
		"a signature less":  func(d *sheaf) error { d.deposit.Signatures = d.deposit.Signatures[1:]; return nil },
		"a short signature": func(d *sheaf) error { d.deposit.Signatures[0] = d.deposit.Signatures[0][1:]; return nil },
		"no manifest":       func(d *sheaf) error { d.deposit.Manifests, d.deposit.Signatures = nil, nil; return nil },
		"two of one site":   func(d *sheaf) error { d.deposit.Manifests[1] = d.deposit.Manifests[0]; return nil },
		"cut manifest":      func(d *sheaf) error { d.deposit.Manifests[0] = d.deposit.Manifests[0][:50]; return nil },
		"of another epoch":  func(d *sheaf) error { d.deposit.Epoch = job.Hash{9}; return nil },
		"no job":            func(d *sheaf) error { d.deposit.Job = job.Hash{}; return nil },
		"no keeper":         func(d *sheaf) error { d.deposit.At = nil; return nil },
		"a keeper twice":    func(d *sheaf) error { d.deposit.At = []string{"hospital-1", "hospital-1"}; return nil },
		"no node's name":    func(d *sheaf) error { d.deposit.At = []string{"hospital-1\nat x"}; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			id++
			d := newSheaf(t, made[0], job.Hash{id}, "hospital-1")
			if err := spoil(d); err != nil {
				t.Fatal(err)
			}
			c, err := d.write(v)
			if err == nil || !h.clear(err) {
				t.Errorf("it is kept: %v", err)
			}
			if c != nil {
				if err := c.Commit(); err == nil {
					t.Error("and in force")
				}
			}
			h.want(t, epochName(made[0][0]))
		})
	}
	d := newSheaf(t, made[0], job.Hash{99}, "hospital-1")
	c, err := v.KeepDeposit(d.deposit)
	if err != nil {
		t.Fatal(err)
	}
	frame := d.frames[place{0, 0, 0}]
	if err := c.Put(0, 0, 0, frame); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(0, 0, 0, frame); err == nil {
		t.Error("a ciphertext came twice")
	}
	c.Discard()
}

// A whole round at three nodes, with what each has on its disk: the keys, the deposit,
// and an opening by two of them after a restart.
func TestRound(t *testing.T) {
	made := theEpochs(t)
	d := newSheaf(t, made[0], job.Hash{1}, "hospital-1", "hospital-3")
	var homes []*home
	for i, name := range hospitals {
		h := newHome(t, name)
		v := h.open(t)
		keepEpoch(t, v, made[0][i])
		d.keep(t, v)
		h.open(t)
		homes = append(homes, h)
	}
	verify := func(site mpc.PartyID, message, signature []byte) bool {
		return ed25519.Verify(d.keys[site], message, signature)
	}
	circuit := mhe.Circuit{{"x"}, {"one"}, {"x", "x"}}
	active := []mpc.PartyID{0, 1}
	tree, err := mpc.NewTree(active, 2)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := homes[2].store.Dataset("lung").Deposit()
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	parts, err := memnet.Collect(memnet.New(memnet.Config{N: 3, Compute: []mpc.PartyID{}}), func(s *mpc.Session) (mhe.Part, error) {
		if s.Self() == 2 {
			return mhe.Part{}, nil
		}
		stored, err := homes[s.Self()].store.Dataset("lung").Deposit()
		if err != nil {
			return mhe.Part{}, err
		}
		defer stored.Close()
		from := stored
		if s.Self() == 1 {
			from = archive // the second site keeps none
		}
		key, budget, err := stored.Key()
		if err != nil {
			return mhe.Part{}, err
		}
		defer key.Erase()
		var inputs []mhe.Input
		for i, m := range stored.Deposit().Manifests {
			manifest, frames, err := key.Fetch(m, stored.Deposit().Signatures[i], verify, circuit.Columns(), func(column, k int) ([]byte, error) {
				return from.Ciphertext(mpc.PartyID(i), column, k)
			})
			if err != nil {
				return mhe.Part{}, err
			}
			inputs = append(inputs, mhe.Input{Manifest: manifest, Stored: frames})
		}
		return key.Answer(s, mhe.Options{Tree: tree}, budget, circuit, inputs), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := mhe.NewAnswers(len(circuit), made[0][0].Bits, made[0][0].Quorum, openings)
	if err != nil {
		t.Fatal(err)
	}
	total := parts[0].Total
	if total == nil {
		total = parts[1].Total
	}
	sums, err := answers.Open(total, [][]byte{parts[0].Seed, parts[1].Seed})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range wantSums() {
		if sums[i].Cmp(big.NewInt(want)) != 0 {
			t.Errorf("sum %d is %v, want %d", i, sums[i], want)
		}
	}
	for i, h := range homes {
		spent := []int{answers.Ciphertexts, answers.Ciphertexts, 0}[i]
		if n, ok := h.open(t).Left(); !ok || n != openings-spent {
			t.Errorf("%s has %d openings left, want %d", hospitals[i], n, openings-spent)
		}
	}
}

func wantSums() []int64 {
	sums := make([]int64, 3)
	for i := range hospitals {
		for row, x := range columns(i)["x"] {
			sums[0], sums[1], sums[2] = sums[0]+x, sums[1]+columns(i)["one"][row], sums[2]+x*x
		}
	}
	return sums
}

// What was written when the process was killed is removed at the next start, and nothing
// else.
func TestLeftoversAreRemoved(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	d := newSheaf(t, made[0], job.Hash{1}, "hospital-1")
	d.keep(t, v)
	if _, err := v.KeepEpoch(made[1][0]); err != nil {
		t.Fatal(err)
	}
	if _, err := newSheaf(t, made[0], job.Hash{2}, "hospital-1").write(v); err != nil {
		t.Fatal(err)
	}
	lung := filepath.Join(h.Dir, "lung")
	own, current := filepath.Join(lung, "notes.txt"), filepath.Join(lung, epochName(made[0][0]))
	for _, path := range []string{own, filepath.Join(lung, ".state.123"), filepath.Join(current, ".budget-77"), filepath.Join(current, ".key.age-1")} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v = h.open(t)
	h.want(t, epochName(made[0][0]), depositPrefix+job.Hash{1}.String(), "notes.txt")
	if files := statedir.List(current); len(files) != 2 {
		t.Errorf("%v", files)
	}
	if _, _, err := v.Epoch(); err != nil {
		t.Error(err)
	}
}

// A disk that takes nothing any more leaves the state before in force.
func TestDiskThatFails(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	c, err := v.KeepEpoch(made[1][0])
	if err != nil {
		t.Fatal(err)
	}
	lung, aside := filepath.Join(h.Dir, "lung"), filepath.Join(h.Dir, "aside")
	if err := os.Rename(lung, aside); err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(); err == nil || !h.clear(err) {
		t.Errorf("a change was made on no disk: %v", err)
	}
	if _, err := newSheaf(t, made[0], job.Hash{1}, "hospital-1").write(v); err == nil || !h.clear(err) {
		t.Errorf("a deposit was written on no disk: %v", err)
	}
	if err := errors.Join(os.RemoveAll(lung), os.Rename(aside, lung)); err != nil {
		t.Fatal(err)
	}
	if e, _, err := h.open(t).Epoch(); err != nil || e.ID != made[0][0].ID {
		t.Errorf("%v: %v", e, err)
	}
}
