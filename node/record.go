package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
	"consilium/daemon"
	"consilium/job"
	"consilium/protocols"
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

// Record is what a node keeps of one job, for good: who asked what, what every
// node answered, what this one let out and to whom. It holds no value of a
// result. Verify tells what of it is proven.
type Record struct {
	Job       job.Hash
	Signed    job.Signed   // the job's exact bytes, so that an auditor verifies them
	Signer    string       // roster name
	Recipient string       // roster name of who may open the result
	Dataset   string       // whose rows the job is about
	Reveals   []string     // what the recipient learns if the job is done
	Decision  job.Decision // this node's, as it was signed
	Decided   time.Time
	State     State
	Decisions []job.Decision // every node's, once started
	Session   []byte         // 32 bytes once started: it follows from Decisions
	Started   time.Time
	Ended     time.Time
	Error     string            // why it failed
	Share     *job.ShareReceipt // of the sealed share that this node let out
	Outcome   []byte            // job.OutcomeHash of what this node told the coordinator

	// attachment is what the job brings along. It is kept apart, until the job ends.
	attachment []byte
	// limit is on questions that the job counts as one of; nil where it is none.
	limit *protocols.QueryLimit
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

const selectRecord = `SELECT id, bytes, signer, signature, signer_name, recipient_name, dataset, reveals,
	node, accept, reason, nonce, decision_signature, decided,
	state, decisions, session, started, ended, error, share_outputs, share_signature, outcome_hash FROM jobs`

// scanRecord reads one row of selectRecord.
func scanRecord(row interface{ Scan(...any) error }) (*Record, error) {
	var (
		r                             Record
		id                            []byte
		reveals                       string
		decided                       int64
		started, ended                sql.NullInt64
		decisions, outputs, signature []byte
	)
	err := row.Scan(&id, &r.Signed.Bytes, &r.Signed.Signer, &r.Signed.Signature, &r.Signer, &r.Recipient, &r.Dataset, &reveals,
		&r.Decision.Node, &r.Decision.Accept, &r.Decision.Reason, &r.Decision.Nonce, &r.Decision.Signature, &decided,
		&r.State, &decisions, &r.Session, &started, &ended, &r.Error, &outputs, &signature, &r.Outcome)
	if err != nil {
		return nil, err
	}
	if r.Job, err = wire.HashFrom("stored job id", id); err != nil {
		return nil, err
	}
	r.Decision.Job = r.Job
	r.Decided = time.UnixMilli(decided)
	r.Started, r.Ended = timeOf(started), timeOf(ended)
	if err := json.Unmarshal([]byte(reveals), &r.Reveals); err != nil {
		return nil, fmt.Errorf("stored job %s: %w", r.Job.Short(), err)
	}
	if err := r.scanRun(decisions, outputs, signature); err != nil {
		return nil, fmt.Errorf("stored job %s: %w", r.Job.Short(), err)
	}
	return &r, nil
}

// scanRun reads what a job has once it was started and, of a node that seals, once it is done.
func (r *Record) scanRun(decisions, outputs, signature []byte) error {
	if decisions == nil {
		return nil
	}
	var start api.Start
	err := proto.Unmarshal(decisions, &start)
	if err == nil {
		r.Decisions, err = wire.DecisionsFrom(start.GetDecisions(), job.MaxNodes)
	}
	if err != nil || signature == nil {
		return err
	}
	session, err := wire.HashFrom("session", r.Session)
	if err != nil {
		return err
	}
	hash, err := wire.HashFrom("outputs of the share", outputs)
	if err != nil {
		return err
	}
	r.Share = &job.ShareReceipt{Party: r.Decision.Node, Session: session, Outputs: hash, Signature: signature}
	return nil
}

func timeOf(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64)
}
