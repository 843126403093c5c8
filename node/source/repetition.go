package source

import "hash/maphash"

const (
	minIdentifiers = 10      // values that must differ before the difference says anything
	maxIdentifiers = 1 << 17 // values of a file after which a repetition is not looked for
)

// repetition watches whether a column holds any value twice within a file: if
// not, it may identify patients. Hospitals that number their patients from 1 on
// repeat each other's numbers, so files are watched one by one.
type repetition struct {
	seed      maphash.Seed
	hashes    map[uint64]struct{} // of the file's values so far
	values    int                 // looked at, over all files
	dismissed bool                // a value repeats, or it does not matter
}

func newRepetition() *repetition {
	return &repetition{seed: maphash.MakeSeed(), hashes: map[uint64]struct{}{}}
}

func (r *repetition) nextFile() { clear(r.hashes) }

func (r *repetition) dismiss() { r.dismissed, r.hashes = true, nil }

func (r *repetition) add(value string) {
	if r.dismissed || len(r.hashes) == maxIdentifiers {
		return
	}
	hash := maphash.String(r.seed, value)
	if _, repeats := r.hashes[hash]; repeats {
		r.dismiss()
		return
	}
	r.hashes[hash] = struct{}{}
	r.values++
}

func (r *repetition) looksLikeIdentifier() bool { return !r.dismissed && r.values >= minIdentifiers }
