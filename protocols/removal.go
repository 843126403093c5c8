package protocols

import (
	"errors"
	"fmt"

	"consilium/job"
	"consilium/mpc"
)

// removing removes what is deposited of a dataset as shares, at the parties and at the
// sites that take part. Who has nothing takes part all the same, so that what ended half
// done can be asked again.
//
// The recipient learns that all have removed what they had.
type removing struct{ withdrawing }

func (removing) engine() string { return job.EngineShares }

func (removing) plan(p *Plan, j *job.Job, _ *job.Roster) error {
	args := j.Arguments()
	p.Reveals = []string{"that what was deposited is removed, and nothing of any row"}
	return args.Err()
}

func (removing) check(*keeping) error { return nil }

func (removing) perform(w *work, s *mpc.Session) ([]word, Change) {
	change, err := w.Shares.Withdraw(s.Context())
	if errors.Is(err, ErrNoShares) {
		return []word{word(w.id)}, nil
	}
	if err != nil {
		s.Fail(err)
		return nil, nil
	}
	return []word{word(w.id)}, change
}

func (removing) result(p *Plan, _ Opened) *Result {
	r := withdrawing{}.result(p, nil)
	r.Tables[0].Notes = []string{"The parties have removed their shares. Who had made copies at two of them before still has the rows."}
	return r
}

func (removing) says(p *Plan, r *job.Roster) []string {
	return []string{fmt.Sprintf("What is deposited of dataset %s as shares is removed at %s.", p.Dataset.Name, people(r, r.Parties))}
}
