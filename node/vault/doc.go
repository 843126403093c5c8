// Package vault keeps on disk, for one node, what engine mhe needs from job to job: of
// each dataset the node's piece of the key that the sites hold together, how often that
// has opened, and what the sites have deposited. It implements protocols.Vault.
//
// A dataset has a directory:
//
//	state              what is in force: the newest key epoch, the deposit and its epoch
//	epoch-ID/key.age   an epoch as mhe.Epoch.Save writes it, encrypted to the node's vault key
//	epoch-ID/budget    how often that has opened; on disk before a share leaves
//	deposit-JOB/deposit   the sites' signed manifests
//	deposit-JOB/SITE-COLUMN-K   a ciphertext, at a node that keeps them
//
// A change is written beside what is in force and comes into force by the rename of the
// state file. What that file does not name was never in force, or is no more: it is
// removed, now or at the next start. A state file that is lost or damaged ends all use of
// the dataset's directory, and nothing in there is removed.
//
// What must never happen here: two counts of one epoch, which is why one process holds
// the vault and has one budget of an epoch; a key on disk in the clear; a path, a key or
// a value in an error, which may leave the node: these go to the operator's log, the key
// nowhere.
package vault
