package protocols

import (
	"errors"
	"fmt"

	"consilium/job"
	"consilium/mpc"
)

// withdrawing removes what is deposited of a dataset, at all sites and at every node
// that keeps its ciphertexts.
//
// The recipient learns the number of the deposit that was removed.
type withdrawing struct{}

func (withdrawing) name() string { return "withdraw" }

// depositOutput is the number of a deposit.
const depositOutput = "deposit"

func (withdrawing) outputs() []string { return []string{depositOutput} }

// All who take part are asked to remove what they keep: who does is for them to know.
func (withdrawing) plan(p *Plan, j *job.Job, r *job.Roster) error {
	args := j.Arguments()
	if err := args.Err(); err != nil {
		return err
	}
	p.beside = notSites(p.Dataset, r.Participants(j))
	p.Reveals = []string{"the number of the deposit that is removed, and nothing of any row"}
	return nil
}

func (withdrawing) check(n *keeping) error {
	stored, err := n.vault.Deposit()
	if errors.Is(err, ErrNoDeposit) && !n.isSite() {
		return nil
	}
	if err != nil {
		return err
	}
	defer stored.Close()
	for _, keeper := range stored.Deposit().At {
		if !n.takesPart(keeper) {
			return fmt.Errorf("%s keeps ciphertexts of the deposit and takes no part in the job; name it under nodes, or no nodes at all", keeper)
		}
	}
	return nil
}

func (withdrawing) perform(w *work, s *mpc.Session) ([]word, Change) {
	change, deposit, err := w.withdrawn()
	if err != nil {
		s.Fail(err)
		return nil, change
	}
	if !w.isParty() {
		return nil, change
	}
	w.sameAtSites(s.Step(stepCompute).Step("deposit"), deposit, "deposit", depositAgain)
	return []word{deposit}, change
}

// depositAgain says what mends deposits that differ.
const depositAgain = "run consilium deposit again"

// withdrawn begins to remove what this node has: nothing, at a node that is no site.
func (w *work) withdrawn() (Change, word, error) {
	if w.Vault == nil {
		return nil, word{}, nil
	}
	// In this order: of a deposit that takes its place in between, Commit knows.
	change, err := w.Vault.Withdraw()
	if errors.Is(err, ErrNoDeposit) && !w.isParty() {
		return nil, word{}, nil
	}
	if err != nil {
		return nil, word{}, err
	}
	stored, err := w.Vault.Deposit()
	if err != nil {
		return change, word{}, err
	}
	defer stored.Close()
	return change, stored.Deposit().Job, nil
}

func (withdrawing) result(p *Plan, opened Opened) *Result {
	deposit := hashIn(opened, depositOutput).Short()
	return &Result{
		Status: statusOK,
		Value:  map[string]any{"deposit": deposit},
		Tables: []Table{{
			Title:  "Withdrawn of dataset " + p.Dataset.Name,
			Header: []string{"Deposit"},
			Rows:   [][]string{{deposit}},
			Notes:  []string{"The sites and all that kept its ciphertexts have removed them. Who had made a copy before still has it."},
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
