package protocols

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"consilium/job"
)

const (
	snapshotWords = "consilium snapshot v1\n"
	// MaxSnapshotBytes caps what describes a version: 250,000 chunks.
	MaxSnapshotBytes = 64 << 20
)

// Bytes is the one spelling of the description: it is what is signed.
func (s *ShareSnapshot) Bytes() []byte {
	b := fmt.Appendf([]byte(snapshotWords), "id %s\ndeposit %s\ndataset %s\nversion %d\n", s.ID, s.Deposit, s.Dataset, s.Version)
	for _, p := range s.Parties {
		b = fmt.Appendf(b, "party %s\n", p)
	}
	for _, c := range s.Columns {
		b = fmt.Appendf(b, "column %s %s\n", c.Meaning, base64.RawStdEncoding.EncodeToString([]byte(c.Name)))
	}
	for _, c := range s.Chunks {
		b = fmt.Appendf(b, "chunk %s %d %d", c.Site, c.Rows, c.Explicit)
		for _, commitment := range c.Commitments {
			b = fmt.Appendf(b, " %x", commitment)
		}
		b = append(b, '\n')
	}
	return b
}

var errSnapshot = errors.New("not the description of a deposit as this program writes it")

// ParseShareSnapshot reads what Bytes writes, and nothing else.
func ParseShareSnapshot(b []byte) (*ShareSnapshot, error) {
	if len(b) > MaxSnapshotBytes || !bytes.HasPrefix(b, []byte(snapshotWords)) {
		return nil, errSnapshot
	}
	s := new(ShareSnapshot)
	for line := range strings.Lines(string(b[len(snapshotWords):])) {
		word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word { // of what cannot be read nothing is left, and the comparison finds it
		case "id":
			s.ID, _ = job.ParseHash(value)
		case "deposit":
			s.Deposit, _ = job.ParseHash(value)
		case "dataset":
			s.Dataset = value
		case "version":
			s.Version, _ = strconv.Atoi(value)
		case "party":
			s.Parties = append(s.Parties, value)
		case "column":
			s.Columns = append(s.Columns, parseShareColumn(value))
		case "chunk":
			s.Chunks = append(s.Chunks, parseChunkInfo(value))
		}
	}
	if !bytes.Equal(s.Bytes(), b) {
		return nil, errSnapshot
	}
	return s, s.check()
}

func parseShareColumn(value string) (c ShareColumn) {
	meaning, name, _ := strings.Cut(value, " ")
	c.Meaning, _ = job.ParseHash(meaning)
	text, _ := base64.RawStdEncoding.DecodeString(name)
	c.Name = string(text)
	return c
}

func parseChunkInfo(value string) (c ShareChunkInfo) {
	fields := strings.Split(value, " ")
	if len(fields) != 3+len(c.Commitments) {
		return c
	}
	c.Site = fields[0]
	c.Rows, _ = strconv.Atoi(fields[1])
	c.Explicit, _ = strconv.Atoi(fields[2])
	for i := range c.Commitments {
		h, _ := hex.DecodeString(fields[3+i])
		copy(c.Commitments[i][:], h)
	}
	return c
}

// check refuses what no deposit is.
func (s *ShareSnapshot) check() error {
	if len(s.Parties) != 3 || s.Version < 1 || len(s.Columns) == 0 || len(s.Chunks) == 0 || s.Dataset == "" {
		return errSnapshot
	}
	for k, c := range s.Chunks {
		if c.Site == "" || c.Rows < 1 || c.Rows > maxChunkRows || c.Explicit != explicitOf(k) {
			return errSnapshot
		}
	}
	return nil
}

// maxChunkRows bounds the rows of a chunk: of one column they take 8 MiB.
const maxChunkRows = 1 << 20
