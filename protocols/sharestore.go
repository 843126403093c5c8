package protocols

import (
	"context"
	"errors"
	"slices"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// ShareStore is what a node keeps of one dataset from job to job under engine shares: a
// compute party its components of the rows that are deposited, a site how far its rows
// went into that. Every change is on disk as a whole, or not at all, from its Commit on;
// what was in force before it can be read until all have confirmed the change. It is
// safe for concurrent use.
type ShareStore interface {
	// Versions returns what this node can open, the newest first: none, one, or two
	// where it does not know yet whether all others have the newest. Where it has some
	// and can open none, the error is an ErrSharesDamaged.
	Versions() ([]*ShareVersion, error)
	// Open opens a version at a party. It stays as it is until it is closed.
	Open(id job.Hash) (StoredShares, error)
	// Begin begins the next version, the only one that is being written: ErrShareChange
	// where another is, and goes on. It first gives up what is not base: the newest version where all
	// go back to the one before, that before where all have the newest. A zero base
	// gives up nothing before Commit.
	Begin(ctx context.Context, base job.Hash) (ShareChange, error)
	// Withdraw removes all versions, or returns ErrNoShares.
	Withdraw(ctx context.Context) (Change, error)
}

// ErrNoShares says that a node keeps nothing of a dataset under engine shares.
var ErrNoShares = errors.New("nothing of this dataset is deposited as shares: run consilium deposit --engine shares first, or, if this party has lost what it had, with --rebuild and its name")

// ErrSharesDamaged says that a node can open nothing of what it keeps of a dataset. It may
// be rebuilt, and another deposit may take its place.
var ErrSharesDamaged = errors.New("the shares of this dataset cannot be read here, and the operator's log says why")

// ErrShareChange says that two changes were asked for at once.
var ErrShareChange = errors.New("what is deposited of this dataset is being changed by another job: run this one after it")

// ShareVersion is one version as a node keeps it.
type ShareVersion struct {
	Snapshot *ShareSnapshot
	// Signatures are those of the nodes that made it, by their names: over
	// Snapshot.Bytes, see job.SignSnapshot.
	Signatures []ShareSignature
	Site       *ShareSource // nil at a node that is no site of it
	Party      bool         // whether this node keeps components of its rows
}

// ShareSignature is a node's signature.
type ShareSignature struct {
	Node      string
	Signature []byte
}

// ShareSource is how far a site's rows went into what is deposited. Rows is a secret of
// the site: it is known there alone.
type ShareSource struct {
	Rows   int  // that its source had
	Digest word // of their codes, by which the site sees that they have not changed
}

// ShareSnapshot says, publicly, what one version of a deposit is. Rows lie in chunks.
// Of the three components of a chunk one is kept as it is, by the two parties that hold
// it; the other two follow from seeds of 32 bytes, which their holders keep.
type ShareSnapshot struct {
	ID      job.Hash // the job that made it
	Deposit job.Hash // the job by which the first rows came
	Dataset string
	Version int      // 1, and one more with each change
	Parties []string // the three, in the order of their roles
	Columns []ShareColumn
	Chunks  []ShareChunkInfo // in the order in which they came
}

// ShareColumn is a column that is deposited.
type ShareColumn struct {
	Name    string
	Meaning job.Hash // of its declaration in the roster then: job.Column.Meaning
}

// ShareChunkInfo says what a chunk is.
type ShareChunkInfo struct {
	Site     string
	Rows     int // public: what the site has declared, those that pad it included
	Explicit int // the component that no seed stands for
	// Commitments of each component, which tell nothing to who does not hold it.
	Commitments [3]word
}

// Rows is the public number of rows.
func (s *ShareSnapshot) Rows() int {
	n := 0
	for _, c := range s.Chunks {
		n += c.Rows
	}
	return n
}

// sameRows tells whether two versions of one deposit have the same chunks of a site.
func (s *ShareSnapshot) sameRows(other *ShareSnapshot, site string) bool {
	of := func(v *ShareSnapshot) (rows []int) {
		for _, c := range v.Chunks {
			if c.Site == site {
				rows = append(rows, c.Rows)
			}
		}
		return rows
	}
	return s.Deposit == other.Deposit && slices.Equal(of(s), of(other))
}

// StoredShares is one use of a version that a party keeps. Blocks and heads are what
// was written, or an error that says which file is damaged.
type StoredShares interface {
	// Version describes it. It is not to be changed.
	Version() *ShareVersion
	// Head returns this party's seeds of chunk k.
	Head(k int) (*ShareHead, error)
	// Block returns the explicit component of a column, by its index in the snapshot or
	// PresentColumn, at a party that holds it. The caller may change it.
	Block(k, column int) (*ShareBlock, error)
	// Close ends its use.
	Close()
}

// PresentColumn stands in the place of a column for the bits that say where there is a
// row at all.
const PresentColumn = -1

// ShareHead is what a party keeps of a chunk beside the explicit component: the seed of
// its component A, and of B; none of the explicit one, of which it has the salt of the
// commitment.
type ShareHead struct {
	A, B *mpc.Seed
	Salt *mpc.Seed
}

// ShareBlock is the explicit component of one column in one chunk.
type ShareBlock struct {
	Rows  int
	Codes ring.Vec64 // 0 where missing; nil of PresentColumn
	Bits  ring.Words // packed: where there is a value, or a row; 0 past Rows
}

// ShareChange is a version that is being written.
type ShareChange interface {
	Change
	// Base returns the version that it changes; nil where there is none, and at a site
	// that is no party.
	Base() StoredShares
	// PutHead and PutBlock write, at a party, what is new of chunk k of the next
	// version: all chunks, or those after Base's. They keep nothing of what they are
	// given, and may be called by several goroutines at once.
	PutHead(k int, h *ShareHead) error
	PutBlock(k, column int, b *ShareBlock) error
	// Finish says what has been written, once, after every Put and before Commit. The
	// chunks before first are Base's.
	Finish(v *ShareVersion, first int) error
	// Confirm says, after Commit, that all have committed: what was in force before is
	// removed.
	Confirm()
}

// ShareChunk is one chunk on shares: of each column the codes, 0 where missing, and
// where there is one.
type ShareChunk struct {
	Rows    int
	Codes   map[string]rss.Vec
	Valid   map[string]rss.Bits // one plane
	Present rss.Bits            // one plane: where there is a row; a padding row has no values
}
