package protocols

import (
	"errors"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// Vault is what a node keeps of one dataset from job to job under engine mhe: its
// part of the key that the sites hold together, how often that has opened, and what
// the sites have deposited. Every change is on disk as a whole, or not at all, from
// its Commit on. It is safe for concurrent use.
type Vault interface {
	// Epoch returns the newest key epoch with its budget, or ErrNoEpoch. The caller
	// erases the epoch.
	Epoch() (*mhe.Epoch, *mhe.Budget, error)
	// KeepEpoch writes a fresh epoch and begins its budget. It is the newest from
	// Commit on; what is deposited stays under the key that it was made for.
	KeepEpoch(e *mhe.Epoch) (Change, error)
	// KeepDeposit begins to write a deposit, of which Job, Epoch and At are known:
	// the rest follows with its ciphertexts. From Commit on it stands in place of the
	// one before.
	KeepDeposit(d *Deposit) (DepositChange, error)
	// Deposit returns what is deposited, or ErrNoDeposit. It stays as it is until it
	// is closed.
	Deposit() (StoredDeposit, error)
	// Withdraw removes what is deposited, or returns ErrNoDeposit.
	Withdraw() (Change, error)
}

// ErrNoEpoch says that the sites have no key yet.
var ErrNoEpoch = errors.New("the sites hold no key together for this dataset yet: run consilium rekey first")

// ErrNoDeposit says that nothing is deposited under engine mhe, which is also that of a
// stored job that names none.
var ErrNoDeposit = errors.New("nothing of this dataset is deposited under engine mhe: run consilium deposit --engine mhe first; if it is deposited as shares, add engine: shares to the job")

// Change is written, and not yet in force. One of its methods is called, once.
type Change interface {
	// Commit puts it into force. After an error the state before holds.
	Commit() error
	// Discard removes it.
	Discard()
}

// DepositChange is a deposit that is being written.
type DepositChange interface {
	Change
	// Put writes one ciphertext, at a node that keeps them. It does not keep frame,
	// and is not called by two goroutines at once.
	Put(site mpc.PartyID, column, k int, frame []byte) error
	// Sign writes what the sites have signed, as in Deposit: once, after every Put and
	// before Commit.
	Sign(manifests, signatures [][]byte) error
}

// Deposit is what all sites have deposited together, but for the ciphertexts.
type Deposit struct {
	Job   job.Hash // that made it, and names it
	Epoch job.Hash // the key epoch that it is under
	At    []string // the nodes that keep the ciphertexts, in the roster's order
	// Manifests are what each site has signed, in the order of the dataset's sites,
	// as mhe.Manifest.Bytes gives it, and Signatures by the sites' roster keys.
	Manifests, Signatures [][]byte
}

// StoredDeposit is a deposit as a node keeps it.
type StoredDeposit interface {
	// Deposit describes it.
	Deposit() *Deposit
	// Key returns the epoch of the deposit with its budget; ErrNoEpoch at a node that
	// keeps ciphertexts and holds no piece of the key. The caller erases the epoch.
	Key() (*mhe.Epoch, *mhe.Budget, error)
	// Ciphertext reads one of them, at a node that keeps them.
	Ciphertext(site mpc.PartyID, column, k int) ([]byte, error)
	// Close ends its use.
	Close()
}
