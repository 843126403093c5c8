package node

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"consilium/job"
)

// Budget is how many jobs of one signer on one dataset a node takes part in. Many
// results that each tell little tell much together: a budget makes an end of it.
// It is charged when a job is accepted, however the job ends, and lives in the
// node's store, so that a restart gives nothing back.
type Budget struct {
	Jobs int `yaml:"jobs"`
	Days int `yaml:"days"` // of the last so many days; 0: of all time
}

// defaultBudget is what a policy without one gives.
var defaultBudget = Budget{Jobs: 1000}

// Bounds of a budget.
const (
	maxBudgetJobs = 1_000_000_000
	maxBudgetDays = 36_500
)

func (b Budget) check() error {
	if b.Jobs < 1 || b.Jobs > maxBudgetJobs {
		return fmt.Errorf("budget: jobs is %d, want 1 to %d for each signer and dataset", b.Jobs, maxBudgetJobs)
	}
	if b.Days < 0 || b.Days > maxBudgetDays {
		return fmt.Errorf("budget: days is %d, want 1 to %d, or leave it out for all time", b.Days, maxBudgetDays)
	}
	return nil
}

// String says what the budget allows.
func (b Budget) String() string {
	if b.Days == 0 {
		return fmt.Sprintf("%d jobs in all", b.Jobs)
	}
	return fmt.Sprintf("%d jobs in %d days", b.Jobs, b.Days)
}

// spent tells that an offered job would go beyond the budget.
type spent struct {
	signer, dataset string
	budget          Budget
}

func (s *spent) Error() string {
	return fmt.Sprintf("its budget for jobs of %s on dataset %s is spent: %v", s.signer, s.dataset, s.budget)
}

// charge refuses a job that is beyond the budget of its signer and dataset. It
// counts within the transaction that will store the acceptance, so that jobs that
// are decided at once cannot share the last place.
func (b Budget) charge(ctx context.Context, tx *sql.Tx, r *Record) error {
	since := int64(0)
	if b.Days > 0 {
		since = r.Decided.Add(-time.Duration(b.Days) * 24 * time.Hour).UnixMilli()
	}
	var used int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM jobs WHERE signer = ? AND dataset = ? AND accept = 1 AND decided > ?",
		[]byte(r.Signed.Signer), r.Dataset, since).Scan(&used)
	if err == nil && used >= b.Jobs {
		err = &spent{r.Signer, r.Dataset, b}
	}
	return err
}

// withHint says to whom an applicant turns.
func withHint(err error, node *job.Identity) error {
	return fmt.Errorf("%w; the operator of %s can change that in the node's policy file", err, node.Name)
}
