package node

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"consilium/protocols"
)

// queryWindow is how long a question to a panel counts.
const queryWindow = 24 * time.Hour

// frequent tells that questions about a hospital's candidates come too often.
type frequent struct {
	limit protocols.QueryLimit
	next  time.Time
}

func (f *frequent) Error() string {
	return fmt.Sprintf("it has taken part in %d questions to a panel for %s within 24 hours, as many as the list's policy allows; the next is possible from %s on",
		f.limit.PerDay, f.limit.Hospital, f.next.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// countQuery counts a job against the limit on questions about a hospital's candidates,
// within the transaction that will store the acceptance: it counts however the job ends,
// and jobs that are decided at once cannot share the last place. By this node's own clock.
func countQuery(ctx context.Context, tx *sql.Tx, r *Record) error {
	if r.limit == nil {
		return nil
	}
	now, hospital := r.Decided.UnixMilli(), r.limit.Hospital
	since := r.Decided.Add(-queryWindow).UnixMilli()
	// Of those that count, the one that has to go before another can come.
	var oldest int64
	err := tx.QueryRowContext(ctx, "SELECT decided FROM queries WHERE hospital = ? AND decided > ? ORDER BY decided DESC LIMIT 1 OFFSET ?",
		hospital, since, r.limit.PerDay-1).Scan(&oldest)
	switch {
	case err == nil:
		return &frequent{*r.limit, time.UnixMilli(oldest).Add(queryWindow).Truncate(time.Second).Add(time.Second)}
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM queries WHERE decided <= ?", since); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO queries (hospital, decided, job) VALUES (?, ?, ?)", hospital, now, r.Job[:])
	return err
}
