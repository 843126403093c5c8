package sharestore

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"consilium/node/statedir"
	"consilium/protocols"
)

// The two files are lines of a word and values, and a checksum: there is one spelling of
// everything, so that a reader writes what it has read once more and compares.
const (
	stateWords   = "consilium shares v1\n"
	versionWords = "consilium shares version v1\n"
	maxVersion   = 2 * protocols.MaxSnapshotBytes
)

// The names of what a dataset has on disk.
const (
	versionPrefix = "version-"
	rowsPrefix    = "rows-"
	nameBytes     = 8
)

// ours tells whether this package gives such a name.
func ours(name string) bool {
	return isName(name, versionPrefix) || isName(name, rowsPrefix) || strings.HasPrefix(name, "."+statedir.File) || strings.HasPrefix(name, "."+versionPrefix)
}

// isName tells whether a name has that prefix and is one of this package's.
func isName(name, prefix string) bool {
	id, ok := strings.CutPrefix(name, prefix)
	b, err := hex.DecodeString(id)
	return ok && err == nil && len(b) == nameBytes && hex.EncodeToString(b) == id
}

// encodeState says what is in force, the newest first.
func encodeState(now []*version) []byte {
	lines := []byte(stateWords)
	for _, v := range now {
		lines = fmt.Appendf(lines, "version %s\n", v.name)
	}
	return statedir.Checked(lines)
}

// maxVersions is how many are kept at most: that in force and the one before.
const maxVersions = 2

func parseState(b []byte) (names []string, err error) {
	if len(b) > statedir.MaxBytes {
		return nil, statedir.ErrDamaged
	}
	again := []*version{}
	for line := range strings.Lines(string(b)) {
		if word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); word == "version" && isName(value, versionPrefix) {
			names, again = append(names, value), append(again, &version{name: value})
		}
	}
	if len(names) > maxVersions || !bytes.Equal(b, encodeState(again)) {
		return nil, statedir.ErrDamaged
	}
	return names, nil
}

// place is placed as it is written.
type place struct {
	name  string
	first int
}

// encodeVersion writes a version's lines.
func encodeVersion(v *protocols.ShareVersion, places []place) []byte {
	lines := fmt.Appendf([]byte(versionWords), "party %t\nsnapshot %s\n", v.Party, base64.StdEncoding.EncodeToString(v.Snapshot.Bytes()))
	for _, s := range v.Signatures {
		lines = fmt.Appendf(lines, "signature %s %s\n", s.Node, base64.StdEncoding.EncodeToString(s.Signature))
	}
	if v.Site != nil {
		lines = fmt.Appendf(lines, "source %d %x\n", v.Site.Rows, v.Site.Digest)
	}
	for _, p := range places {
		lines = fmt.Appendf(lines, "rows %s %d\n", p.name, p.first)
	}
	return statedir.Checked(lines)
}

// parseVersion reads a version's lines.
func parseVersion(b []byte) (*protocols.ShareVersion, []place, error) {
	if len(b) > maxVersion {
		return nil, nil, statedir.ErrDamaged
	}
	v := &protocols.ShareVersion{Snapshot: new(protocols.ShareSnapshot)}
	var places []place
	for line := range strings.Lines(string(b)) {
		word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		first, second, _ := strings.Cut(value, " ")
		switch word { // of what cannot be read nothing is left, and the comparison finds it
		case "party":
			v.Party = value == "true"
		case "snapshot":
			text, _ := base64.StdEncoding.DecodeString(value)
			if s, err := protocols.ParseShareSnapshot(text); err == nil {
				v.Snapshot = s
			}
		case "signature":
			signature, _ := base64.StdEncoding.DecodeString(second)
			v.Signatures = append(v.Signatures, protocols.ShareSignature{Node: first, Signature: signature})
		case "source":
			n, _ := strconv.Atoi(first)
			digest, _ := hex.DecodeString(second)
			v.Site = &protocols.ShareSource{Rows: n}
			copy(v.Site.Digest[:], digest)
		case "rows":
			at, _ := strconv.Atoi(second)
			places = append(places, place{first, at})
		}
	}
	if !bytes.Equal(b, encodeVersion(v, places)) || !inOrder(places, len(v.Snapshot.Chunks)) || v.Party != (len(places) > 0) {
		return nil, nil, statedir.ErrDamaged
	}
	return v, places, nil
}

// inOrder tells whether places have names, and begin where the ones before end.
func inOrder(places []place, chunks int) bool {
	sorted := slices.IsSortedFunc(places, func(a, b place) int { return a.first - b.first })
	for i, p := range places {
		if !isName(p.name, rowsPrefix) || p.first < 0 || p.first >= chunks || i > 0 && p.first == places[i-1].first {
			return false
		}
	}
	return sorted && (len(places) == 0 || places[0].first == 0)
}

// roleOf is the role of a node in a deposit, -1 where it has none.
func roleOf(s *protocols.ShareSnapshot, node string) int { return slices.Index(s.Parties, node) }

// chunkFiles are the files of a chunk at the party of a role.
func chunkFiles(s *protocols.ShareSnapshot, role, k int) []string {
	names := []string{headFile(k)}
	if e := s.Chunks[k].Explicit; role == e || (role+1)%len(s.Parties) == e {
		for column := protocols.PresentColumn; column < len(s.Columns); column++ {
			names = append(names, blockFile(k, column))
		}
	}
	return names
}

func headFile(k int) string { return strconv.Itoa(k) + ".head" }

func blockFile(k, column int) string {
	if column == protocols.PresentColumn {
		return strconv.Itoa(k) + "-rows.arrow"
	}
	return fmt.Sprintf("%d-%d.arrow", k, column)
}
