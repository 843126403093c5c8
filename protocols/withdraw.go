package protocols

import (
	"errors"
	"fmt"

	"consilium/job"
	"consilium/mpc"
)

// withdrawing removes what is deposited of a dataset, at all sites and at every node
// that keeps its ciphertexts. Who has nothing takes part all the same, so that what
// ended half done can be asked again.
//
// The recipient learns that all have removed what they had.
type withdrawing struct{}

func (withdrawing) name() string { return "withdraw" }

func (withdrawing) engine() string { return job.EngineMHE }

func (withdrawing) reads() bool { return false }

// withdrawnOutput is the job's own number, by which every site says that it has done
// what was asked.
const withdrawnOutput = "withdrawn"

func (withdrawing) outputs() []string { return []string{withdrawnOutput} }

// All who take part are asked to remove what they keep: who does is for them to know.
func (withdrawing) plan(p *Plan, j *job.Job, r *job.Roster) error {
	args := j.Arguments()
	if err := args.Err(); err != nil {
		return err
	}
	p.beside = notSites(p.Dataset, r.Participants(j))
	p.Reveals = []string{"that what was deposited is removed, and nothing of any row"}
	return nil
}

// check looks after keepers that take no part. What a deposit that cannot be read says
// of them nobody knows: it is removed here.
func (withdrawing) check(n *keeping) error {
	stored, err := n.vault.Deposit()
	if err != nil {
		return nil
	}
	defer stored.Close()
	for _, keeper := range stored.Deposit().At {
		if n.roster.NodeIndex(keeper) >= 0 && !n.takesPart(keeper) {
			return fmt.Errorf("%s keeps ciphertexts of the deposit and takes no part in the job; name it under nodes, or no nodes at all", keeper)
		}
	}
	return nil
}

func (withdrawing) perform(w *work, s *mpc.Session) ([]word, Change) {
	change, err := w.givenUp()
	if err != nil {
		s.Fail(err)
		return nil, nil
	}
	return []word{word(w.id)}, change
}

// givenUp begins to remove what this node keeps; nil where that is nothing.
func (w *work) givenUp() (Change, error) {
	if w.Vault == nil {
		return nil, nil
	}
	change, err := w.Vault.Withdraw()
	if errors.Is(err, ErrNoDeposit) {
		return nil, nil
	}
	return change, err
}

func (withdrawing) result(p *Plan, _ Opened) *Result {
	return &Result{
		Status: statusOK,
		Value:  map[string]any{"withdrawn": p.Dataset.Name},
		Tables: []Table{{
			Title:  "Withdrawn",
			Header: []string{"Dataset"},
			Rows:   [][]string{{p.Dataset.Name}},
			Notes:  []string{"The sites and all that kept its ciphertexts have removed what they had. Who had made a copy before still has it."},
		}},
	}
}

func (withdrawing) says(p *Plan, _ *job.Roster) []string {
	return []string{fmt.Sprintf("What is deposited of dataset %s is removed at its sites and at every node that keeps it.", p.Dataset.Name)}
}

// notSites are those of the nodes that hold no rows of the dataset.
func notSites(d *job.Dataset, nodes []string) []string {
	var out []string
	for _, name := range nodes {
		if _, ok := d.Site(name); !ok {
			out = append(out, name)
		}
	}
	return out
}
