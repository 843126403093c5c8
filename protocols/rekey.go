package protocols

import (
	"fmt"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// rekey makes a key epoch for a dataset: a fresh key that its sites hold together, any
// quorum of whom open, and of which every site keeps its piece in its vault. What is
// deposited stays under the key that it was made for.
//
// The recipient learns the number of the epoch, which is the same at all sites.
type rekey struct{}

func (rekey) name() string { return "rekey" }

func (rekey) engine() string { return job.EngineMHE }

func (rekey) reads() bool { return false }

// epochOutput is the number of a key epoch.
const epochOutput = "epoch"

func (rekey) outputs() []string { return []string{epochOutput} }

func (rekey) plan(p *Plan, j *job.Job, r *job.Roster) error {
	args := j.Arguments()
	if err := args.Err(); err != nil {
		return err
	}
	if err := keepable(p.Dataset, r.Disclosure); err != nil {
		return err
	}
	var err error
	p.vault, err = vaultOf(p.Dataset, r)
	p.Reveals = []string{"the number of the new key, and nothing of any row"}
	return err
}

func (rekey) check(*keeping) error { return nil }

func (rekey) perform(w *work, s *mpc.Session) ([]word, Change) {
	v := w.plan.vault
	e := mhe.MakeEpoch(s.Step(stepCompute), v.quorum, v.bits, v.openings)
	if e == nil {
		return nil, nil
	}
	defer e.Erase()
	change, err := w.Vault.KeepEpoch(e)
	if err != nil {
		s.Fail(fmt.Errorf("keep the new key: %w", err))
	}
	return []word{e.ID}, change
}

func (rekey) result(p *Plan, opened Opened) *Result {
	epoch, d := hashIn(opened, epochOutput).Short(), p.Dataset
	sites := make([]any, len(d.Sites))
	for i, s := range d.Sites {
		sites[i] = s.Node
	}
	return &Result{
		Status: statusOK,
		Value: map[string]any{
			"epoch": epoch, "quorum": int64(d.Quorum()), "sites": sites, "openings": int64(d.Openings()),
		},
		Tables: []Table{{
			Title:  "New key of dataset " + d.Name,
			Header: []string{"Key epoch", "Held by", "Open together", "Openings"},
			Rows:   [][]string{{epoch, strings.Join(siteNames(d), ", "), quorumText(d), strconv.Itoa(d.Openings())}},
			Notes:  []string{"An opening is one ciphertext of a result. What is deposited stays under the key that it was made for; a new deposit takes this one."},
		}},
	}
}

func (rekey) says(p *Plan, r *job.Roster) []string {
	return []string{fmt.Sprintf("The sites of dataset %s, %s, make a key that they hold together: %s", p.Dataset.Name, people(r, siteNames(p.Dataset)), quorumMeans(p.Dataset))}
}

// siteNames are the dataset's sites, in its order.
func siteNames(d *job.Dataset) []string {
	var names []string
	for _, s := range d.Sites {
		names = append(names, s.Node)
	}
	return names
}

// quorumText says how many open together.
func quorumText(d *job.Dataset) string {
	if d.Quorum() == len(d.Sites) {
		return fmt.Sprintf("all %d sites", len(d.Sites))
	}
	return fmt.Sprintf("any %d of the %d sites", d.Quorum(), len(d.Sites))
}

// quorumMeans says what that means, in a clause that ends a sentence.
func quorumMeans(d *job.Dataset) string {
	return quorumText(d) + " together, and no fewer, can open what is encrypted under it."
}
