package vault

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"consilium/job"
	"consilium/node/statedir"
)

// kept is a directory that lasts as long as somebody uses it: the state in force, a
// change that is being written, a deposit that is under an epoch, a reader. Its methods
// are called under the vault's lock.
type kept struct {
	vault *Vault
	id    job.Hash
	path  string
	users int
	gone  func() // called after its end
}

func (k *kept) hold() { k.users++ }

func (k *kept) release() {
	if k.users--; k.users == 0 {
		k.vault.remove(k.path)
		k.gone()
	}
}

// remove erases what nothing in force names. What cannot be removed now is found at the
// next start.
func (v *Vault) remove(path string) {
	if v.broken != nil {
		return // which state is on disk is not known
	}
	if err := os.RemoveAll(path); err != nil {
		v.log.Warn("what is out of use cannot be removed from the vault: it will be tried at the next start", "error", statedir.Line(err))
	}
}

// The names of what a vault has on disk.
const (
	epochPrefix   = "epoch-"
	keyFile       = "key.age"
	budgetFile    = "budget"
	depositPrefix = "deposit-"
	depositFile   = "deposit"
)

// directory is where an epoch or a deposit lies.
func (v *Vault) directory(prefix string, id job.Hash) string {
	return filepath.Join(v.dir, prefix+id.String())
}

// ours tells whether this package gives such a name to a directory.
func ours(name string) bool {
	for _, prefix := range []string{epochPrefix, depositPrefix} {
		if id, ok := strings.CutPrefix(name, prefix); ok {
			b, err := hex.DecodeString(id)
			return err == nil && len(b) == len(job.Hash{})
		}
	}
	return false
}

// sweep removes what a process that was killed has left: directories that the state does
// not name, and files that were to replace another. Whatever else lies there is not
// touched.
func (v *Vault) sweep() {
	named := make(map[string]bool)
	for _, e := range v.epochs {
		named[e.path] = true
		v.sweepFiles(e.path)
	}
	if d := v.now.deposit; d != nil {
		named[d.path] = true
		v.sweepFiles(d.path)
	}
	v.sweepFiles(v.dir)
	for _, entry := range statedir.List(v.dir) {
		if path := filepath.Join(v.dir, entry.Name()); ours(entry.Name()) && !named[path] {
			v.log.Info("left half done, or out of use: removed from the vault", "name", entry.Name())
			v.remove(path)
		}
	}
}

// sweepFiles removes files that were being written when the process ended.
func (v *Vault) sweepFiles(dir string) {
	for _, entry := range statedir.List(dir) {
		for _, name := range []string{statedir.File, keyFile, budgetFile, depositFile} {
			if strings.HasPrefix(entry.Name(), "."+name) && entry.Type().IsRegular() {
				v.remove(filepath.Join(dir, entry.Name()))
				break
			}
		}
	}
}
