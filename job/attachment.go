package job

import (
	"crypto/sha256"
	"errors"
	"fmt"
)

// MaxAttachment caps what a job brings along, in bytes.
const MaxAttachment = 8 << 20

// AttachmentHash is how a job names what it brings along.
func AttachmentHash(b []byte) Hash { return sha256.Sum256(b) }

// Attached tells whether the job brings something along: ciphertexts for the nodes
// that it names, too long to stand among its arguments. Its signature covers their
// hash.
func (j *Job) Attached() bool { return j.Attachment != Hash{} }

// CheckAttachment holds what came with a job against the hash that its signer put
// into it.
func (j *Job) CheckAttachment(b []byte) error {
	switch {
	case len(b) > MaxAttachment:
		return fmt.Errorf("job: its attachment has %d bytes, at most %d are allowed: ask about less at a time", len(b), MaxAttachment)
	case !j.Attached() && len(b) > 0:
		return fmt.Errorf("job: %d bytes came with it, and it has no attachment: submit it as it was signed", len(b))
	case j.Attached() && len(b) == 0:
		return errors.New("job: its attachment did not come with it: submit both together")
	case j.Attached() && AttachmentHash(b) != j.Attachment:
		return errors.New("job: the attachment that came with it is not the one that it was signed with: it was altered on its way, ask again")
	}
	return nil
}
