package node

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/vault"
	"consilium/protocols"
)

// vaultKey makes a hospital's key file where there is none.
func (s *study) vaultKey(t *testing.T, hospital int) string {
	t.Helper()
	path := s.path(s.nodes[hospital-1].Name + ".vault.key")
	if err := vault.MakeKey(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyEpochs are what three sites have of a key that two of them open together.
var keyEpochs = sync.OnceValues(func() ([]*mhe.Epoch, error) {
	q, err := mhe.NewQuorum([]mpc.PartyID{0, 1, 2}, 2)
	if err != nil {
		return nil, err
	}
	return memnet.Collect(memnet.New(memnet.Config{N: 3, Compute: []mpc.PartyID{}}), func(s *mpc.Session) (*mhe.Epoch, error) {
		return mhe.MakeEpoch(s, q, 30, 77), nil
	})
})

// TestNodeOpensItsVaults: the vaults are there from start to stop, with what was kept
// before, and metrics tell how often the keys still open.
func TestNodeOpensItsVaults(t *testing.T) {
	s := newStudy(t)
	c := s.config(1)
	c.VaultKey = s.vaultKey(t, 1)
	n := s.start(t, c)
	const metric = `consilium_node_openings_left{dataset="lung"}`
	if _, text := get(t, n, "/metrics"); strings.Contains(text, metric) {
		t.Error("/metrics counts the openings of no key")
	}
	epochs, err := keyEpochs()
	if err != nil {
		t.Fatal(err)
	}
	change, err := vaultOf(n.vaults, "lung").KeepEpoch(epochs[0])
	if err == nil {
		err = change.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, budget, err := vaultOf(n.vaults, "lung").Epoch()
	if err == nil {
		err = budget.Charge(7)
	}
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(c.State, "vault", "lung", "epoch-"+strings.Repeat("ab", 32))
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = s.start(t, c)
	if _, text := get(t, n, "/metrics"); !strings.Contains(text, metric+" 70\n") {
		t.Errorf("/metrics has no %s 70", metric)
	}
	if _, err := os.Stat(half); err == nil {
		t.Error("what was left half done is still there")
	}
}

// TestStoredDataOverThreeNodes: the sites make a key, deposit, and answer of what is
// deposited, over real links, with a restart in between and without the one site's file.
func TestStoredDataOverThreeNodes(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	start := func() (nodes []*Node) {
		for i := range s.nodes {
			c := s.config(i + 1)
			c.VaultKey = s.path(c.Name + ".vault.key")
			nodes = append(nodes, s.start(t, c))
		}
		o.hellos(t)
		return nodes
	}
	for i := range s.nodes {
		s.vaultKey(t, i+1)
	}
	ask := func(change func(j *job.Job)) protocols.Opened {
		j := s.job()
		j.Engine = job.EngineMHE
		change(j)
		signed := s.sign(t, j, s.alice)
		answers, outcomes := runTogether(t, o, signed)
		return s.open(t, signed, answers, outcomes)
	}
	nodes := start()
	ask(func(j *job.Job) { j.Analysis, j.Args, j.Where = "rekey", map[string]any{}, "" })
	ask(func(j *job.Job) {
		j.Analysis, j.Where = "deposit", ""
		j.Args = map[string]any{"columns": []string{"age", "marker"}, "filters": []string{"sex = 1"}, "at": []string{"hospital-2"}}
	})
	for _, n := range nodes {
		eventually(t, "acknowledged outcomes", func() bool {
			left, err := n.store.unacknowledged(t.Context())
			return err == nil && len(left) == 0
		})
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	nodes = start()
	if err := os.Remove(s.path("hospital-1.csv")); err != nil {
		t.Fatal(err)
	}
	checkSums(t, ask(func(j *job.Job) { j.Stored = true }))
	for _, n := range nodes {
		if left, ok := n.vaults.Dataset("lung").Left(); !ok || left >= job.DefaultOpenings {
			t.Errorf("%d openings are left at %s", left, n.config.Name)
		}
	}
	checkNoCanary(t, s, o, nodes)
}

// TestDamagedVaultKeepsNoNodeDown: the node starts, says to its log what is wrong, and to
// others that something is.
func TestDamagedVaultKeepsNoNodeDown(t *testing.T) {
	s := newStudy(t)
	c := s.config(1)
	c.VaultKey = s.vaultKey(t, 1)
	lung := filepath.Join(c.State, "vault", "lung")
	for _, dir := range []string{c.State, filepath.Dir(lung), lung} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(lung, "state"), "nonsense\n")
	n := s.start(t, c)
	s.logs.wait(t, "level=ERROR", "its state file: it is damaged", "dataset=lung", "move its directory away")
	_, _, err := vaultOf(n.vaults, "lung").Epoch()
	if err == nil || err.Error() != "its vault of dataset lung cannot be used; its operator's log says why" {
		t.Error(err)
	}
}

// TestJobsThatNeedAVaultAreRejected where nothing can be kept, with how to mend it; and
// where something can be, but what the job asks for is not there.
func TestJobsThatNeedAVaultAreRejected(t *testing.T) {
	s := newStudy(t)
	for name, change := range map[string]func(j *job.Job){
		"rekey":   func(j *job.Job) { j.Analysis, j.Args = "rekey", map[string]any{} },
		"deposit": func(j *job.Job) { j.Analysis, j.Args = "deposit", map[string]any{} },
		"stored":  func(j *job.Job) { j.Stored = true },
	} {
		t.Run(name, func(t *testing.T) {
			offer := func() *job.Signed {
				j := s.job()
				j.Engine, j.Where = job.EngineMHE, ""
				change(j)
				return s.sign(t, j, s.alice)
			}
			d := newDecider(t, s, stateDir(t))
			answer := decideOn(t, d, offer())
			if answer.Accept || !strings.Contains(answer.Reason, "this node has no vault key") || !strings.Contains(answer.Reason, "consilium node vault-key FILE") {
				t.Errorf("accept %v with reason %q", answer.Accept, answer.Reason)
			}
			d.vaults = s.openVault(t)
			answer = decideOn(t, d, offer())
			wants := map[string]string{"deposit": protocols.ErrNoEpoch.Error(), "stored": protocols.ErrNoDeposit.Error()}[name]
			if answer.Accept != (wants == "") || !strings.Contains(answer.Reason, wants) {
				t.Errorf("accept %v with reason %q, want %q", answer.Accept, answer.Reason, wants)
			}
			if accepted := decideOn(t, d, s.sign(t, s.job(), s.alice)); !accepted.Accept {
				t.Error(accepted.Reason)
			}
		})
	}
}

// openVault opens an empty vault of hospital-1.
func (s *study) openVault(t *testing.T) *vault.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.key")
	if err := vault.MakeKey(path); err != nil {
		t.Fatal(err)
	}
	key, err := vault.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(vault.Config{Dir: stateDir(t), Key: key, Self: "hospital-1", Datasets: s.roster.Roster.DatasetNames(), Log: s.logs.logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// TestVaultOf: a node without a key has no vault at all, not an empty one.
func TestVaultOf(t *testing.T) {
	if v := vaultOf(nil, "lung"); v != nil {
		t.Errorf("%v of no store", v)
	}
	s := newStudy(t)
	c := s.config(1)
	c.VaultKey = s.vaultKey(t, 1)
	n := s.start(t, c)
	if v := vaultOf(n.vaults, "heart"); v != nil {
		t.Errorf("%v of a dataset that is not there", v)
	}
	if _, _, err := vaultOf(n.vaults, "lung").Epoch(); err != protocols.ErrNoEpoch {
		t.Error(err)
	}
}
