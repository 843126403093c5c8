package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
	"consilium/daemon"
	"consilium/job"
)

// errNonceSeen says that a signer's nonce was consumed by another job.
var errNonceSeen = errors.New("nonce already consumed")

// nonceOwner returns the job that consumed a signer's nonce, if one did.
func (s *store) nonceOwner(ctx context.Context, signer, nonce []byte) (owner job.Hash, seen bool, err error) {
	var id []byte
	err = s.db.QueryRowContext(ctx, "SELECT job FROM nonces WHERE signer = ? AND nonce = ?", signer, nonce).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return owner, false, nil
	}
	copy(owner[:], id)
	return owner, err == nil, err
}

// decide consumes the job's nonce and stores the record with its decision, both
// or neither; an acceptance is charged to the budget and counts against the limit on
// questions, and what the job brings along is kept. It must have returned before
// the decision leaves the node.
func (s *store) decide(ctx context.Context, r *Record, nonce []byte, budget Budget) error {
	reveals, err := json.Marshal(r.Reveals)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		consumed, err := tx.ExecContext(ctx, "INSERT INTO nonces (signer, nonce, job) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			[]byte(r.Signed.Signer), nonce, r.Job[:])
		if err != nil {
			return err
		}
		if n, err := consumed.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, errNonceSeen)
		}
		if r.Decision.Accept {
			if err := budget.charge(ctx, tx, r); err != nil {
				return err
			}
			if err := countQuery(ctx, tx, r); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO jobs (id, bytes, signer, signature, signer_name, recipient_name, dataset, reveals,
			node, accept, reason, nonce, decision_signature, decided, state) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
			r.Job[:], r.Signed.Bytes, []byte(r.Signed.Signer), r.Signed.Signature, r.Signer, r.Recipient, r.Dataset, string(reveals),
			r.Decision.Node, r.Decision.Accept, r.Decision.Reason, r.Decision.Nonce, r.Decision.Signature, r.Decided.UnixMilli(), r.State)
		if err != nil || !r.Decision.Accept || len(r.attachment) == 0 {
			return err
		}
		// Those of jobs that were accepted, never began and have expired go first.
		_, err = tx.ExecContext(ctx, "DELETE FROM attachments WHERE job IN (SELECT id FROM jobs WHERE state = ? AND decided < ?)",
			Accepted, r.Decided.Add(-job.MaxLifetime).UnixMilli())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO attachments (job, bytes) VALUES (?, ?)", r.Job[:], r.attachment)
		return err
	})
}

// record returns what is kept of a job, or nil when it was never decided.
func (s *store) record(ctx context.Context, id job.Hash) (*Record, error) {
	r, err := scanRecord(s.db.QueryRowContext(ctx, selectRecord+" WHERE id = ?", id[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

// attachment returns what a job that has not ended brings along, if anything.
func (s *store) attachment(ctx context.Context, id job.Hash) (b []byte, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT bytes FROM attachments WHERE job = ?", id[:]).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return b, err
}

// begin turns an accepted job into a running one, in the session that follows
// from the decisions. No job begins twice.
func (s *store) begin(ctx context.Context, id job.Hash, decisions []job.Decision, session [32]byte, now time.Time) error {
	b, err := proto.Marshal(&api.Start{JobId: id[:], Decisions: wire.DecisionsTo(decisions)})
	if err != nil {
		return err
	}
	return move(ctx, s.db, "UPDATE jobs SET state = ?, decisions = ?, session = ?, started = ? WHERE id = ? AND state = ?",
		Running, b, session[:], now.UnixMilli(), id[:], Accepted)
}

// finish ends an accepted or running job and keeps its outcome until it is
// acknowledged; of a share the receipt stays for good.
func (s *store) finish(ctx context.Context, state State, o *api.Outcome, now time.Time) error {
	b, err := proto.Marshal(o)
	if err != nil {
		return err
	}
	var receipt *job.ShareReceipt
	var outputs, signature []byte
	if o.Share != nil {
		share, err := wire.ShareFrom(o.Share)
		if err != nil {
			return err
		}
		receipt = share.Receipt()
		outputs, signature = receipt.Outputs[:], receipt.Signature
	}
	digest := job.OutcomeHash(job.Hash(o.JobId), o.Error, receipt)
	return s.end(ctx, o.JobId, `UPDATE jobs SET state = ?, error = ?, ended = ?, outcome = ?,
		share_outputs = ?, share_signature = ?, outcome_hash = ? WHERE id = ? AND state IN (?, ?)`,
		state, o.Error, now.UnixMilli(), b, outputs, signature, digest[:], o.JobId, Accepted, Running)
}

// withdraw ends a job that was accepted and never started: there is nothing to
// tell the coordinator, who ended it.
func (s *store) withdraw(ctx context.Context, id job.Hash, reason string, now time.Time) error {
	return s.end(ctx, id[:], "UPDATE jobs SET state = ?, error = ?, ended = ? WHERE id = ? AND state = ?",
		Cancelled, reason, now.UnixMilli(), id[:], Accepted)
}

// end is move for an update that ends a job: what it brought along goes with it.
func (s *store) end(ctx context.Context, id []byte, update string, args ...any) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM attachments WHERE job = ?", id); err != nil {
			return err
		}
		return move(ctx, tx, update, args...)
	})
}

// execer is a database or a transaction in it.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// move runs an update that must change exactly one job.
func move(ctx context.Context, db execer, update string, args ...any) error {
	changed, err := db.ExecContext(ctx, update, args...)
	if err != nil {
		return err
	}
	if n, err := changed.RowsAffected(); err != nil {
		return err
	} else if n != 1 {
		return errors.New("the job is not in the state that this step begins from")
	}
	return nil
}

// ids lists the jobs in a state.
func (s *store) ids(ctx context.Context, state State) ([]job.Hash, error) {
	return daemon.Query(ctx, s.db.DB, func(rows *sql.Rows) (id job.Hash, err error) {
		var b []byte
		err = rows.Scan(&b)
		copy(id[:], b)
		return id, err
	}, "SELECT id FROM jobs WHERE state = ? ORDER BY decided, id", state)
}

// unacknowledged returns the outcomes still to be told, oldest first.
func (s *store) unacknowledged(ctx context.Context) ([]*api.Outcome, error) {
	return daemon.Query(ctx, s.db.DB, scanOutcome, "SELECT outcome FROM jobs WHERE outcome IS NOT NULL ORDER BY ended, id")
}

// outcome returns a job's outcome, or nil when there is none or it is acknowledged.
func (s *store) outcome(ctx context.Context, id job.Hash) (*api.Outcome, error) {
	found, err := daemon.Query(ctx, s.db.DB, scanOutcome, "SELECT outcome FROM jobs WHERE id = ? AND outcome IS NOT NULL", id[:])
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func scanOutcome(rows *sql.Rows) (*api.Outcome, error) {
	var b []byte
	if err := rows.Scan(&b); err != nil {
		return nil, err
	}
	o := new(api.Outcome)
	if err := proto.Unmarshal(b, o); err != nil {
		return nil, fmt.Errorf("a stored outcome: %w", err)
	}
	return o, nil
}

// acknowledge forgets an outcome that the coordinator has stored.
func (s *store) acknowledge(ctx context.Context, id []byte) error {
	_, err := s.db.ExecContext(ctx, "UPDATE jobs SET outcome = NULL WHERE id = ?", id)
	return err
}
