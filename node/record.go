package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"consilium/daemon"
	"consilium/job"
)

// State is where a job stands at a node.
type State string

// The states. A job begins as accepted or rejected; only an accepted one runs,
// once. All but Accepted and Running are terminal.
const (
	Rejected  State = "rejected"
	Accepted  State = "accepted"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Record is what a node keeps of one job, for good: who asked what, what this
// node answered, what it let out and to whom. It holds no value of a result.
type Record struct {
	Job       job.Hash
	Signed    job.Signed   // the job's exact bytes, so that an auditor verifies them
	Signer    string       // roster name
	Recipient string       // roster name of who may open the result
	Reveals   []string     // what the recipient learns if the job is done
	Decision  job.Decision // as it was signed
	Decided   time.Time
	State     State
	Session   []byte // 32 bytes once started
	Started   time.Time
	Ended     time.Time
	Error     string // why it failed
	Outcome   []byte // SHA-256 of the outcome that left this node; a party's holds its sealed share
}

// ReadRecords reads the record of a node from its state directory, oldest
// first. The node may be running or not.
func ReadRecords(ctx context.Context, dir string) ([]Record, error) {
	db, err := daemon.ReadStore(dir, storeFile)
	if err != nil {
		return nil, fmt.Errorf("records: %w; name a node's state directory", err)
	}
	defer db.Close()
	records, err := daemon.Query(ctx, db, func(rows *sql.Rows) (Record, error) {
		r, err := scanRecord(rows)
		if err != nil {
			return Record{}, err
		}
		return *r, nil
	}, selectRecord+" ORDER BY decided, id")
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	return records, nil
}

const selectRecord = `SELECT id, bytes, signer, signature, signer_name, recipient_name, reveals,
	node, accept, reason, nonce, decision_signature, decided,
	state, session, started, ended, error, outcome_hash FROM jobs`

// scanRecord reads one row of selectRecord.
func scanRecord(row interface{ Scan(...any) error }) (*Record, error) {
	var (
		r              Record
		id             []byte
		reveals        string
		decided        int64
		started, ended sql.NullInt64
	)
	err := row.Scan(&id, &r.Signed.Bytes, &r.Signed.Signer, &r.Signed.Signature, &r.Signer, &r.Recipient, &reveals,
		&r.Decision.Node, &r.Decision.Accept, &r.Decision.Reason, &r.Decision.Nonce, &r.Decision.Signature, &decided,
		&r.State, &r.Session, &started, &ended, &r.Error, &r.Outcome)
	if err != nil {
		return nil, err
	}
	if len(id) != len(r.Job) {
		return nil, errors.New("a job's id in the store has the wrong length; restore the state directory from a copy")
	}
	copy(r.Job[:], id)
	r.Decision.Job = r.Job
	r.Decided = time.UnixMilli(decided)
	r.Started, r.Ended = timeOf(started), timeOf(ended)
	return &r, json.Unmarshal([]byte(reveals), &r.Reveals)
}

func timeOf(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64)
}
