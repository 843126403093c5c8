package vault

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"filippo.io/age"

	"consilium/job"
	"consilium/mpc/mhe"
	"consilium/node/statedir"
	"consilium/testkit"
)

// kills is how often a process that changes its vault is killed.
func kills() int {
	if os.Getenv("CONSILIUM_SOAK") == "1" {
		return 500
	}
	return 10
}

// Of a process that does nothing but change a vault.
const (
	childDir   = "CONSILIUM_VAULT_TEST"
	childStart = "CONSILIUM_VAULT_TEST_START"
	childKey   = "vault.key"
)

// step is what the process does, over and over; between any two the state differs.
func step(v *Vault, made [2]*mhe.Epoch, n int) error {
	switch n % 7 {
	case 0, 3:
		c, err := v.KeepEpoch(made[n%7/3])
		if err != nil {
			return err
		}
		return c.Commit()
	case 1, 4:
		d, err := deposits(made[n%7/3:][:1], stepJob(n), "hospital-1")
		if err != nil {
			return err
		}
		c, err := d.write(v)
		if err != nil {
			return err
		}
		return c.Commit()
	case 2, 5:
		d, err := v.Deposit()
		if err != nil {
			return err
		}
		defer d.Close()
		key, budget, err := d.Key()
		if err != nil {
			return err
		}
		key.Erase()
		return budget.Charge(1)
	default:
		c, err := v.Withdraw()
		if err != nil {
			return err
		}
		return c.Commit()
	}
}

func stepJob(n int) job.Hash { return job.Hash{1, byte(n), byte(n >> 8)} }

// after is the state that step n leaves, and how many openings are left.
func after(made [2]*mhe.Epoch, n int) (state, int) {
	if n < 0 {
		return state{}, 0
	}
	first, second := job.Hash(made[0].ID), job.Hash(made[1].ID)
	s, left := state{epoch: first}, openings
	if n%7 >= 3 {
		s.epoch = second
	}
	switch n % 7 {
	case 1, 2, 3:
		s.deposit, s.under, s.held = stepJob(n-(n%7-1)), first, true
	case 4, 5:
		s.deposit, s.under, s.held = stepJob(n-(n%7-4)), second, true
	}
	if k := n % 7; k == 2 || k == 3 || k >= 5 {
		left--
	}
	return s, left
}

// stepEpochs reads the two epochs that the process puts into its vault.
func stepEpochs(dir string) (made [2]*mhe.Epoch, key *Key, err error) {
	key, err = LoadKey(filepath.Join(dir, childKey))
	for i := range made {
		if err == nil {
			made[i], err = mhe.LoadEpoch(filepath.Join(dir, fmt.Sprint(i)), key.identity)
		}
	}
	return made, key, err
}

func openStepVault(dir string, key *Key, log io.Writer) (*Store, error) {
	return Open(Config{Dir: filepath.Join(dir, "vault"), Key: key, Self: "hospital-1", Datasets: []string{"lung"}, Log: slog.New(slog.NewTextHandler(log, nil))})
}

// keepOn changes a vault until the process is killed, and tells of every step that is
// done.
func keepOn(dir string) error {
	made, key, err := stepEpochs(dir)
	if err != nil {
		return err
	}
	store, err := openStepVault(dir, key, os.Stderr)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(os.Getenv(childStart))
	for ; err == nil; n++ {
		if err = step(store.Dataset("lung"), made, n); err == nil {
			_, err = fmt.Println(n)
		}
	}
	return errors.Join(err, store.Close())
}

// A process that changes its vault is killed, again and again: what it had said to be
// done is there, or with the one step that it was at; all of it can be used, and nothing
// else is on disk.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, childKey), []byte(identity.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, e := range theEpochs(t) {
		if err := e[0].Save(filepath.Join(dir, fmt.Sprint(i)), identity.Recipient()); err != nil {
			t.Fatal(err)
		}
	}
	made, key, err := stepEpochs(dir)
	if err != nil {
		t.Fatal(err)
	}
	next, torn := 0, 0
	for range kills() {
		done := killed(t, dir, next)
		before := filesOf(t, dir)
		store, err := openStepVault(dir, key, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		v := store.Dataset("lung")
		next = checkSteps(t, v, made, done)
		if len(filesOf(t, dir)) < len(before) {
			torn++
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d steps, %d of %d kills left something half done", next, torn, kills())
}

// checkSteps looks which of two states is in force, and returns the next step.
func checkSteps(t *testing.T, v *Vault, made [2]*mhe.Epoch, done int) int {
	t.Helper()
	left, _ := v.Left()
	for n := done; n <= done+1; n++ {
		want, openings := after(made, n)
		if v.now.state() != want || left != openings {
			continue
		}
		names := make(map[string]bool)
		if _, _, err := v.Epoch(); (err == nil) != (want.epoch != job.Hash{}) {
			t.Errorf("after step %d: %v", n, err)
		} else if err == nil {
			names[epochPrefix+want.epoch.String()] = true
		}
		if want.deposit != (job.Hash{}) {
			names[epochPrefix+want.under.String()], names[depositPrefix+want.deposit.String()] = true, true
			d, err := v.Deposit()
			if err != nil {
				t.Fatalf("after step %d: %v", n, err)
			}
			defer d.Close()
			for p := range v.now.deposit.places() {
				if _, err := d.Ciphertext(p.site, p.column, p.k); err != nil {
					t.Errorf("after step %d: %v", n, err)
				}
			}
			if _, _, err := d.Key(); err != nil {
				t.Errorf("after step %d: %v", n, err)
			}
		}
		for _, e := range statedir.List(v.dir) {
			if !names[e.Name()] && e.Name() != statedir.File {
				t.Errorf("after step %d: %s is left", n, e.Name())
			}
		}
		return n + 1
	}
	t.Fatalf("steps up to %d were done, and now %+v is in force with %d openings left: %v", done, v.now.state(), left, v.broken)
	return 0
}

// filesOf lists everything in the vault.
func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "vault", "lung", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, "vault", "lung", ".*"))
	if err != nil {
		t.Fatal(err)
	}
	return append(files, hidden...)
}

// killed runs the process from step next on, kills it at a random moment, and returns the
// last step that it had said to be done.
func killed(t *testing.T, dir string, next int) int {
	t.Helper()
	p := testkit.Steps{
		Env:  []string{childDir + "=" + dir, childStart + "=" + strconv.Itoa(next)},
		Most: 7, Delay: 150 * time.Millisecond,
	}
	return p.Killed(t, next)
}
