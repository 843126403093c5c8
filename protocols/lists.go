package protocols

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"consilium/job"
	"consilium/organ/policy"
)

// ListData is what the runner asks of a site about its own rows of lists. It is where
// readable rows of lists end: what it returns is sealed at once.
type ListData interface {
	// Rows returns what each row of a list puts into a match, by the inputs of its
	// policy for that side, filled up to the declared number of rows. A list of pairs
	// has both sides, whose rows stand in the same order. Dates count to the day.
	Rows(ctx context.Context, dataset string, side job.Side, day time.Time) (*policy.Rows, error)
}

// PolicyOf returns the policy of that name as the study has agreed on it.
func PolicyOf(r *job.Roster, name string) (*policy.Policy, error) {
	text, ok := r.Policy(name)
	if !ok {
		return nil, fmt.Errorf("study %s has no policy %.64q: %s", r.Study, name, job.Near(name, r.PolicyNames()))
	}
	type read struct {
		policy *policy.Policy
		err    error
	}
	kept := r.Derive("policy "+name, func() any {
		p, err := policy.Decode([]byte(text.Text))
		return read{p, err}
	}).(read)
	if kept.err != nil {
		return nil, fmt.Errorf("policy %s of the roster: %w", name, kept.err)
	}
	return kept.policy, nil
}

// sidesOf are the sides that lists by a policy may have.
func sidesOf(p *policy.Policy) []job.Side {
	if p.Kind == policy.Exchange {
		return []job.Side{job.Pairs}
	}
	return []job.Side{job.Candidates, job.Donors}
}

// CheckLists reads all policies of a roster and holds the lists against them, which
// the roster's own check cannot.
func CheckLists(r *job.Roster) error {
	sides := make(map[string][]job.Side)
	for _, text := range r.Policies {
		p, err := PolicyOf(r, text.Name)
		if err != nil {
			return err
		}
		if p.Name != text.Name {
			return fmt.Errorf("policy %s of the roster calls itself %s: use its own name", text.Name, p.Name)
		}
		sides[p.Name] = sidesOf(p)
	}
	for i := range r.Datasets {
		d := &r.Datasets[i]
		if may := sides[d.List.Policy]; d.IsList() && !slices.Contains(may, d.List.Side) {
			return fmt.Errorf("dataset %s: the side of its list is %s, policy %s has lists of the sides %v", d.Name, d.List.Side, d.List.Policy, may)
		}
	}
	return nil
}

// ReadList reads a file of a list: as CSV, by the policy, for a side of it. A list of
// pairs is read as candidates and as donors. The error may have several lines, one a
// bad row; it names rows and columns and no values.
func ReadList(p *policy.Policy, side job.Side, file io.Reader, day time.Time) (*policy.Rows, error) {
	if side == job.Donors {
		return p.ReadDonors(file, day)
	}
	return p.ReadCandidates(file, day)
}

// ListInputs are what a list's file says of each row, under the names that a node's
// policy has for them: candidate.NAME and donor.NAME.
func ListInputs(p *policy.Policy, side job.Side) []policy.Input {
	var all []policy.Input
	add := func(side string, inputs []policy.Input) {
		for _, in := range inputs {
			if len(in.Columns) == 0 {
				in.Columns = []string{in.Name}
			}
			in.Name = side + "." + in.Name
			all = append(all, in)
		}
	}
	if side != job.Donors {
		add("candidate", p.Candidate.Inputs)
	}
	if side != job.Candidates {
		add("donor", p.Donor.Inputs)
	}
	return all
}

// ListColumns are the names of ListInputs.
func ListColumns(p *policy.Policy, side job.Side) []string {
	var names []string
	for _, in := range ListInputs(p, side) {
		names = append(names, in.Name)
	}
	return names
}

// errList refuses an analysis of rows that is asked of a list.
func errList(d *job.Dataset) error {
	return fmt.Errorf("dataset %s is a list by policy %s: it is matched, by match.rank, match.exchange or match.cpra, and not analysed", d.Name, d.List.Policy)
}

// The arguments of matches that programs fill in.
const (
	ArgPolicy  = "policy"
	ArgDay     = "day"
	ArgDonors  = "donors"
	ArgDonor   = "donor"
	ArgDonorAt = "donor_at"
	ArgReveal  = "reveal"
)

// MatchFile is the job of a match of a list: it fills in the list's policy and, where
// args have none, today's date.
func MatchFile(r *job.Roster, analysis, list string, args map[string]any, now time.Time) (*job.File, error) {
	d, ok := r.Dataset(list)
	if !ok || !d.IsList() {
		return nil, fmt.Errorf("study %s has no list %.64q: %s", r.Study, list, job.Near(list, lists(r)))
	}
	p, ok := r.Policy(d.List.Policy)
	if !ok {
		return nil, fmt.Errorf("list %s is by policy %s, which the roster does not have", list, d.List.Policy)
	}
	all := map[string]any{ArgPolicy: p.Hash().String(), ArgDay: now.UTC().Format(time.DateOnly)}
	maps.Copy(all, args)
	return &job.File{Study: r.Study, Dataset: list, Analysis: analysis, Args: all, Engine: job.EngineShares}, nil
}
