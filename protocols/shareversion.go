package protocols

import (
	"errors"
	"fmt"
	"slices"

	"consilium/job"
	"consilium/mpc"
)

// openShares opens the newest version of a dataset's deposit that all three parties
// have, at a party. It takes one round among them. The caller closes it.
//
// A party that ended between the others' commits and its own has the version before;
// these keep that until all have the same, so there is one that all can read.
func (w *work) openShares(s *mpc.Session) (StoredShares, error) {
	id, err := w.commonVersion(s, w.parties)
	if err != nil {
		return nil, err
	}
	if id == (job.Hash{}) {
		return nil, ErrNoShares
	}
	stored, err := w.Shares.Open(id)
	if err != nil {
		return nil, err
	}
	if err := w.checkVersion(stored.Version().Snapshot); err != nil {
		stored.Close()
		return nil, err
	}
	return stored, nil
}

// maxVersions is how many versions a node has at most.
const maxVersions = 2

// commonVersion returns the newest version that all of those parties have, this one
// included; zero where none has any. Where some have and they have none in common, the
// error says how that is mended.
func (w *work) commonVersion(s *mpc.Session, among []mpc.PartyID) (job.Hash, error) {
	if w.Shares == nil {
		return job.Hash{}, errNoVaultKey
	}
	own, err := versionIDs(w.Shares)
	if err != nil {
		return job.Hash{}, err
	}
	frame := make([]byte, 0, maxVersions*len(job.Hash{}))
	for _, id := range own {
		frame = append(frame, id[:]...)
	}
	theirs := mpc.Exchange(s, among, frame)
	if s.Err() != nil {
		return job.Hash{}, s.Err()
	}
	some := own[0] != (job.Hash{})
	for _, p := range among {
		if p != w.self && job.Hash(theirs[p][:32]) != (job.Hash{}) {
			some = true
		}
	}
	if !some {
		return job.Hash{}, nil
	}
	for _, id := range own {
		lacks := func(p mpc.PartyID) bool {
			return p != w.self && id != job.Hash(theirs[p][:32]) && id != job.Hash(theirs[p][32:])
		}
		if id != (job.Hash{}) && !slices.ContainsFunc(among, lacks) {
			return id, nil
		}
	}
	return job.Hash{}, w.noneInCommon(s, among, own, theirs)
}

// apartError says that the parties have no version in common.
type apartError struct{ reason string }

func (e *apartError) Error() string { return e.reason }

// noneInCommon says who has to be rebuilt.
func (w *work) noneInCommon(s *mpc.Session, among []mpc.PartyID, own [maxVersions]job.Hash, theirs map[mpc.PartyID][]byte) error {
	name := w.plan.Dataset.Name
	for _, p := range among {
		newest := own[0]
		if p != w.self {
			newest = job.Hash(theirs[p][:32])
		}
		if newest == (job.Hash{}) {
			return &apartError{fmt.Sprintf("%s keeps nothing of what is deposited of dataset %s, or cannot read it: run consilium deposit %s --rebuild %s", s.Name(p), name, name, s.Name(p))}
		}
	}
	return &apartError{fmt.Sprintf("the parties keep different deposits of dataset %s: deposit it anew, or rebuild the party that has the older one", name)}
}

// versionIDs are those that a node has, the newest first, and zeros. What it cannot read
// it does not have.
func versionIDs(store ShareStore) (out [maxVersions]job.Hash, err error) {
	versions, err := store.Versions()
	if errors.Is(err, ErrSharesDamaged) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	if len(versions) > maxVersions {
		return out, errors.New("a store of shares has more versions than two")
	}
	i := 0
	for _, v := range versions {
		if v.Party {
			out[i], i = v.Snapshot.ID, i+1
		}
	}
	return out, nil
}

// checkVersion refuses what was deposited under another roster than it can be used.
func (b *binding) checkVersion(v *ShareSnapshot) error {
	if v.Dataset != b.plan.Dataset.Name || !slices.Equal(v.Parties, b.roster.Parties) {
		return fmt.Errorf("dataset %s was deposited with other parties than the study has now: deposit it anew", b.plan.Dataset.Name)
	}
	for _, c := range v.Columns {
		now, ok := b.plan.Dataset.Schema.Column(c.Name)
		if !ok {
			return fmt.Errorf("column %s was deposited and is no column of the study any more: deposit dataset %s anew", c.Name, v.Dataset)
		}
		if now.Meaning() != c.Meaning {
			return fmt.Errorf("column %s was deposited under another declaration than the study's now: deposit dataset %s anew", c.Name, v.Dataset)
		}
	}
	return nil
}
