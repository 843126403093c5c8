package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"consilium/job"
)

// jobsDir is the folder of the client's directory that keeps submitted jobs.
const jobsDir = "jobs"

// maxStored caps a stored job's file: a job of 64 KiB in base64, and some.
const maxStored = 128 << 10

// Stored is a job that this client submitted. Its exact bytes stay in the
// client's directory: without them nobody could tell, after a restart, whether
// the job that comes back with a result is the one that was signed.
type Stored struct {
	ID        job.Hash
	Signed    *job.Signed
	Job       *job.Job // what Signed says
	Submitted time.Time
}

// storedForm is the file: jobs/ID.json.
type storedForm struct {
	Format    int       `json:"format"`
	Job       []byte    `json:"job"`
	Signer    []byte    `json:"signer"`
	Signature []byte    `json:"signature"`
	Submitted time.Time `json:"submitted"`
}

const storedFormat = 1

func encodeStored(s *Stored) ([]byte, error) {
	b, err := json.MarshalIndent(storedForm{
		Format: storedFormat, Job: s.Signed.Bytes, Signer: s.Signed.Signer, Signature: s.Signed.Signature,
		Submitted: s.Submitted.UTC().Truncate(time.Second),
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode a job for the client's directory: %w", err)
	}
	return append(b, '\n'), nil
}

// decodeStored reads what encodeStored wrote and nothing else: unknown or
// repeated keys, other spellings, or a signature that does not hold are refused.
func decodeStored(b []byte) (*Stored, error) {
	if len(b) > maxStored {
		return nil, fmt.Errorf("the file has %d bytes, at most %d", len(b), maxStored)
	}
	var form storedForm
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&form); err != nil {
		return nil, fmt.Errorf("not a stored job: %w", err)
	}
	if form.Format != storedFormat {
		return nil, fmt.Errorf("stored in format %d, this version reads %d", form.Format, storedFormat)
	}
	signed := &job.Signed{Bytes: form.Job, Signer: form.Signer, Signature: form.Signature}
	j, err := signed.Verify()
	if err != nil {
		return nil, fmt.Errorf("the stored job does not verify: %w", err)
	}
	s := &Stored{ID: signed.ID(), Signed: signed, Job: j, Submitted: form.Submitted}
	again, err := encodeStored(s)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, errors.New("not in the form that consilium writes; the file was edited")
	}
	return s, nil
}

// Keep stores a signed job in the client's directory. Submit calls it before
// anything leaves, so that no submitted job is ever unknown here.
func (c *Client) Keep(signed *job.Signed) error {
	if !bytes.Equal(signed.Signer, c.public()) {
		return errors.New("the job is signed by another key than this client's")
	}
	path := c.storedPath(signed.ID())
	if _, err := os.Stat(path); err == nil {
		return nil // submitted again: the first record stands
	}
	b, err := encodeStored(&Stored{Signed: signed, Submitted: time.Now()})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep the signed job: %w", err)
	}
	if err := job.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("keep the signed job: %w", err)
	}
	return nil
}

// Stored returns the job with this id from the client's directory.
func (c *Client) Stored(id job.Hash) (*Stored, error) {
	path := c.storedPath(id)
	b, err := job.ReadFile(path, maxStored)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("job %s is not among those submitted from %s; only the client that signed a job can open its result", id.Short(), c.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("stored job: %w", err)
	}
	s, err := decodeStored(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("stored job %s: %w", path, err)
	case s.ID != id:
		return nil, fmt.Errorf("stored job %s holds job %s; the file was renamed", path, s.ID.Short())
	case !bytes.Equal(s.Signed.Signer, c.public()):
		return nil, fmt.Errorf("stored job %s was signed by another key than this client's", path)
	}
	return s, nil
}

// StoredIDs lists the jobs in the client's directory, in order of their ids, by
// the names of their files: Stored tells whether one can be read. Files that are
// not named after a job are passed over.
func (c *Client) StoredIDs() ([]job.Hash, error) {
	entries, err := os.ReadDir(filepath.Join(c.dir, jobsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stored jobs: %w", err)
	}
	var ids []job.Hash
	for _, e := range entries {
		text, ok := strings.CutSuffix(e.Name(), ".json")
		if id, err := job.ParseHash(text); ok && err == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b job.Hash) int { return bytes.Compare(a[:], b[:]) })
	return ids, nil
}

// FindStored finds the one stored job whose id begins with prefix, at least
// four hex digits.
func (c *Client) FindStored(prefix string) (job.Hash, error) {
	if id, err := job.ParseHash(prefix); err == nil {
		return id, nil
	}
	prefix = strings.ToLower(prefix)
	if len(prefix) < 4 || strings.Trim(prefix, "0123456789abcdef") != "" {
		return job.Hash{}, fmt.Errorf("%q is not a job id; give at least its first four hex digits, as consilium jobs list shows them", prefix)
	}
	ids, err := c.StoredIDs()
	if err != nil {
		return job.Hash{}, err
	}
	var found []job.Hash
	for _, id := range ids {
		if strings.HasPrefix(id.String(), prefix) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return job.Hash{}, fmt.Errorf("no job submitted from %s begins with %s; see consilium jobs list", c.dir, prefix)
	case 1:
		return found[0], nil
	}
	return job.Hash{}, fmt.Errorf("%d jobs begin with %s; give more digits", len(found), prefix)
}

func (c *Client) storedPath(id job.Hash) string {
	return filepath.Join(c.dir, jobsDir, id.String()+".json")
}
