package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consilium/job"
	"consilium/node/statedir"
)

// damages of a file.
var damages = map[string]func(path string) error{
	"a bit flipped": change1(func(b []byte) []byte { b[len(b)/2] ^= 4; return b }),
	"the end":       change1(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
	"the beginning": change1(func(b []byte) []byte { b[0] ^= 1; return b }),
	"cut":           change1(func(b []byte) []byte { return b[:len(b)-1] }),
	"padded":        change1(func(b []byte) []byte { return append(b, 0) }),
	"a line more":   change1(func(b []byte) []byte { return append(b, "epoch x\n"...) }),
	"empty":         change1(func([]byte) []byte { return nil }),
	"huge":          change1(func([]byte) []byte { return make([]byte, maxCiphertext+1) }),
	"gone":          os.Remove,
	"a directory":   func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
}

func change1(f func(b []byte) []byte) func(path string) error {
	return func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, f(b), 0o600)
	}
}

// use does everything that a vault is for, and tells by the file's kind what cannot be
// done, each with one line.
func (h *home) use(t *testing.T, v *Vault) []string {
	t.Helper()
	var failed []string
	note := func(what string, err error) bool {
		if err != nil {
			failed = append(failed, what)
			if !h.clear(err) {
				t.Errorf("%s: %v", what, err)
			}
		}
		return err == nil
	}
	_, _, err := v.Epoch()
	note("newest", err)
	d, err := v.Deposit()
	if !note("deposit", err) {
		return failed
	}
	defer d.Close()
	_, _, err = d.Key()
	note("key", err)
	for _, p := range []place{{0, 0, 0}, {1, 1, 0}} {
		if _, err := d.Ciphertext(p.site, p.column, p.k); !note("ciphertext", err) {
			break
		}
	}
	return failed
}

// Every file of a vault, damaged in every way: what needs it fails with one line and
// the rest works; nothing is removed, and who deposits and rekeys anew is well again, but
// for the state itself.
func TestDamage(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	d := newSheaf(t, made[0][:2], job.Hash{1}, "hospital-1")
	d.keep(t, v)
	keepEpoch(t, v, made[1][0])
	if failed := h.use(t, v); failed != nil {
		t.Fatal(failed)
	}
	old, newest, deposit := epochName(made[0][0]), epochName(made[1][0]), depositPrefix+job.Hash{1}.String()
	fresh := newSheaf(t, made[0][:2], job.Hash{7}, "hospital-1")
	whole := filepath.Join(t.TempDir(), "whole")
	h.close(t)
	if err := os.CopyFS(whole, os.DirFS(h.Dir)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file  string
		fails []string
	}{
		{statedir.File, []string{"newest", "deposit"}},
		{filepath.Join(newest, keyFile), []string{"newest"}},
		{filepath.Join(newest, budgetFile), []string{"newest"}},
		{filepath.Join(old, keyFile), []string{"key"}},
		{filepath.Join(old, budgetFile), []string{"key"}},
		{filepath.Join(deposit, depositFile), []string{"deposit"}},
		{filepath.Join(deposit, "1-1-0"), []string{"ciphertext"}},
	} {
		for name, damage := range damages {
			fails := c.fails
			if lost := name == "gone" || name == "a directory"; lost && fails[0] == "ciphertext" {
				fails = []string{"deposit"} // seen at the start
			}
			h.close(t)
			if err := errors.Join(os.RemoveAll(h.Dir), os.CopyFS(h.Dir, os.DirFS(whole)), os.Chmod(h.Dir, 0o700), damage(filepath.Join(h.Dir, "lung", c.file))); err != nil {
				t.Fatal(err)
			}
			h.log.Reset()
			v := h.open(t)
			failed := h.use(t, v)
			if !slices.Equal(failed, fails) {
				t.Errorf("%s, %s: these fail: %q, want %q", c.file, name, failed, fails)
			}
			if log := h.log.String(); !strings.Contains(log, "level=ERROR") || strings.Contains(log, "AGE-SECRET") {
				t.Errorf("%s, %s: the log says %q", c.file, name, log)
			}
			if name != "a directory" || c.file != statedir.File {
				h.want(t, old, newest, deposit)
			}
			if name == "gone" {
				h.mend(t, v, c.file, fresh)
			}
		}
	}
}

// mend rekeys and deposits anew, under the epoch that is no longer in use by then.
func (h *home) mend(t *testing.T, v *Vault, file string, fresh *sheaf) {
	t.Helper()
	if w, err := v.Withdraw(); file == statedir.File {
		if err == nil {
			t.Error("a vault of unknown state was changed")
		}
		return
	} else if err != nil {
		t.Error(err)
	} else if err := w.Commit(); err != nil {
		t.Error(err)
	}
	made := theEpochs(t)
	keepEpoch(t, v, made[0][0])
	fresh.keep(t, v)
	h.want(t, epochName(made[0][0]), depositPrefix+job.Hash{7}.String())
	if failed := h.use(t, v); failed != nil {
		t.Errorf("after a new deposit: %q", failed)
	}
}

// A key file that is not the one of then: what is encrypted to it is lost, and said so;
// a fresh epoch is well.
func TestOtherKeyDoesNotOpen(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	newSheaf(t, made[0], job.Hash{1}, "hospital-1").keep(t, v)
	own := h.Key
	h.Key = newHome(t, "hospital-1").Key
	v = h.open(t)
	if failed := h.use(t, v); !slices.Equal(failed, []string{"newest", "key"}) {
		t.Error(failed)
	}
	if log := h.log.String(); !strings.Contains(log, "if vault_key names another file than then") || strings.Count(log, "\n") > 10 {
		t.Error(log)
	}
	h.Key = own
	v = h.open(t)
	if failed := h.use(t, v); failed != nil {
		t.Error(failed)
	}
}

// One dataset's damage is not another's.
func TestOtherDatasetsDoNotSuffer(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	h.Datasets = []string{"lung", "lock"}
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	keepEpoch(t, h.store.Dataset("lock"), made[0][0])
	if err := os.WriteFile(filepath.Join(h.Dir, "lung", statedir.File), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.open(t).Epoch(); err == nil {
		t.Error("a damaged vault is used")
	}
	if _, _, err := h.store.Dataset("lock").Epoch(); err != nil {
		t.Error(err)
	}
}

// Whatever is on disk is its owner's alone, and the pieces of the key are not in it in
// the clear.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	made, h := theEpochs(t), newHome(t, "hospital-1")
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	newSheaf(t, made[0], job.Hash{1}, "hospital-1").keep(t, v)
	seen := 0
	err := filepath.WalkDir(h.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if filepath.Base(path) == keyFile {
			seen++
			if b, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(b), "age-encryption.org/v1\n-> X25519 ") {
				t.Errorf("%s is not encrypted: %v", path, err)
			}
		}
		return err
	})
	if err != nil || seen != 1 {
		t.Errorf("%d keys: %v", seen, err)
	}
}

// TestKeysOfAnEarlierVersion: who asks is told what mends a key file of the first form,
// and a new key takes its place.
func TestKeysOfAnEarlierVersion(t *testing.T) {
	made, h := theEpochs(t), newHome(t, hospitals[0])
	v := h.open(t)
	keepEpoch(t, v, made[0][0])
	old, err := h.Key.Wrap([]byte("consilium mhe epoch v1\x00 and what followed"))
	if err == nil {
		err = os.WriteFile(filepath.Join(h.Dir, "lung", epochName(made[0][0]), keyFile), old, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	v = h.open(t)
	if _, _, err := v.Epoch(); err == nil || !h.clear(err) || !strings.Contains(err.Error(), "earlier version") || !strings.Contains(err.Error(), "run consilium rekey") {
		t.Errorf("an epoch of the first form: %v", err)
	}
	keepEpoch(t, v, made[1][0])
	if e, _, err := v.Epoch(); err != nil || e.ID != made[1][0].ID {
		t.Errorf("the epoch after it: %v, %v", e, err)
	}
}
