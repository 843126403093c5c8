package protocols

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/organ/policy"
	"consilium/protocols/match"
)

// replayChoice implements chooser. The cycles are put together from what each hospital was
// told of its own pairs, which it keeps beside what it put in. They must be disjoint cycles of
// pairs that suit each other, as many as the recipient was told of, and a choice that the
// job's mode can make of the inputs: match.PlainPool says which these are.
func (k *exchanging) replayChoice(ctx context.Context, p *Plan, in []*policy.Rows, result *Result, runs []*MatchRun) (*Result, error) {
	a := newAudit(k, p, in)
	if want := a.status(); result.Status != want {
		return nil, fmt.Errorf("the run ended as %q and its inputs give %q: it is not what the sites put in", result.Status, want)
	}
	if result.Status != statusOK {
		return result, nil
	}
	if !slices.Contains(k.rows, givesTo+match.ColumnCandidate) {
		return nil, errors.New("the policy tells no hospital which pairs its own pairs exchange with, so that there is nothing to replay")
	}
	if err := a.read(runs); err != nil {
		return nil, err
	}
	pool := match.NewPlainPool(p.match.policy.Program, a.recipients, a.donors, k.cycle)
	n, err := pool.Cycles(a.to)
	if err != nil {
		return nil, err
	}
	value := result.Value.(map[string]any) // of every match
	if told := value[outputTransplants]; told != int64(n) {
		return nil, fmt.Errorf("the office was told of %v transplants, the hospitals of %d", told, n)
	}
	if err := a.checkOffice(value["rows"].([]any)); err != nil {
		return nil, err
	}
	if k.mode == modeExact {
		err = pool.CheckMost(ctx, a.to)
	} else if err = pool.CheckGreedy(a.to); err != nil {
		err = fmt.Errorf("%w; a run leaves cycles out only where its %d steps were too few", err, match.DefaultSteps(len(a.to), k.cycle))
	}
	if err != nil {
		return nil, err
	}
	result.Tables = append(result.Tables, a.table())
	return result, nil
}

// audit is a run's pairs in the clear: those of all sites, one after the other.
type audit struct {
	kind               *exchanging
	recipients, donors *policy.Rows
	home               []string      // of each row
	row                map[int64]int // by id, of rows that are not padding
	ids                []int64       // of each row
	twice              bool          // an id stands in two rows
	to                 []int         // to whom each row's donor gives, or -1
	told               []bool        // its hospital was told of it
}

func newAudit(k *exchanging, p *Plan, in []*policy.Rows) *audit {
	program, n := p.match.policy.Program, len(in)/2
	a := &audit{kind: k, recipients: together(in[:n]), donors: together(in[n:]), row: map[int64]int{}}
	a.told = make([]bool, a.recipients.N)
	for i, site := range in[:n] {
		a.home = append(a.home, slices.Repeat([]string{k.hospitals[i]}, site.N)...)
	}
	present := slices.IndexFunc(program.Candidate, func(in policy.InputInfo) bool { return in.Name == candidatePresent })
	for i := range a.recipients.N {
		a.to = append(a.to, -1)
		id := program.Run(a.recipients.Row(i), a.donors.Row(i))[program.ID]
		if a.ids = append(a.ids, id); a.recipients.Columns[present][i] == 0 {
			continue
		}
		_, known := a.row[id]
		a.row[id], a.twice = i, a.twice || known
	}
	return a
}

// together lays the rows of sites one after the other.
func together(sites []*policy.Rows) *policy.Rows {
	all := &policy.Rows{Columns: make([][]int64, len(sites[0].Columns))}
	for _, site := range sites {
		all.N += site.N
		for c := range all.Columns {
			all.Columns[c] = append(all.Columns[c], site.Columns[c]...)
		}
	}
	return all
}

// status is the word that the inputs give.
func (a *audit) status() string {
	if a.twice {
		return statusDuplicates
	}
	return statusOK
}

// read takes from every hospital's part of the result to whom its donors give.
func (a *audit) read(runs []*MatchRun) error {
	id := job.Hash{}
	for _, hospital := range a.kind.hospitals {
		at := slices.IndexFunc(runs, func(r *MatchRun) bool { return r.Site == hospital })
		if at < 0 || runs[at].Result == nil {
			return fmt.Errorf("what %s was told is missing: ask it for its file of the run", hospital)
		}
		if run := runs[at]; id == (job.Hash{}) {
			id = run.Job
		} else if run.Job != id {
			return fmt.Errorf("the file of %s is of another run", hospital)
		}
		rows, err := rowsOf(runs[at].Result)
		if err != nil {
			return fmt.Errorf("%s: %w", hospital, err)
		}
		for _, row := range rows {
			if err := a.give(hospital, row); err != nil {
				return fmt.Errorf("%s: %w", hospital, err)
			}
		}
	}
	for i, j := range a.to {
		if j >= 0 && !a.told[i] {
			return fmt.Errorf("what %s was told says nothing of pair %d, which others were told of", a.home[i], a.ids[i])
		}
	}
	return nil
}

// rowsOf are the rows of a result, from a session or from a file.
func rowsOf(r *Result) ([]map[string]any, error) {
	bad := errors.New("its part of the result is none of an exchange")
	value, ok := r.Value.(map[string]any)
	all, isList := value["rows"].([]any)
	if !ok || !isList {
		return nil, bad
	}
	var rows []map[string]any
	for _, x := range all {
		row, ok := x.(map[string]any)
		if !ok {
			return nil, bad
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// give notes one row of a hospital.
func (a *audit) give(hospital string, row map[string]any) error {
	var at [3]int
	for i, which := range []string{ownPair, givesTo, receivesOf} {
		id, err := strconv.ParseInt(fmt.Sprint(row[which+match.ColumnCandidate]), 10, 64)
		place, known := a.row[id]
		if err != nil || !known {
			return fmt.Errorf("it was told of pair %.20q, which no hospital put in", fmt.Sprint(row[which+match.ColumnCandidate]))
		}
		if told, ok := row[which+match.ColumnHospital]; ok && told != a.home[place] {
			return fmt.Errorf("it was told that pair %d is at %.64q, and %s put it in", id, fmt.Sprint(told), a.home[place])
		}
		at[i] = place
	}
	own, to, from := at[0], at[1], at[2]
	switch {
	case a.home[own] != hospital:
		return fmt.Errorf("it was told of pair %d as its own, which %s put in", a.ids[own], a.home[own])
	case a.to[own] >= 0 && a.to[own] != to || a.to[from] >= 0 && a.to[from] != own:
		return fmt.Errorf("what it was told of pair %d contradicts what others were told", a.ids[own])
	}
	a.to[own], a.to[from], a.told[own] = to, own, true
	return nil
}

// checkOffice wants the rows that the policy lets the office see.
func (a *audit) checkOffice(told []any) error {
	if len(a.kind.office) == 0 {
		return nil
	}
	want := map[string]int{}
	for i, j := range a.to {
		if j < 0 {
			continue
		}
		row := map[string]any{}
		for prefix, at := range map[string]int{ownPair: j, receivesOf: i} {
			row[prefix+match.ColumnCandidate], row[prefix+match.ColumnHospital] = a.ids[at], a.home[at]
		}
		maps.DeleteFunc(row, func(name string, _ any) bool { return !slices.Contains(a.kind.office, name) })
		want[fmt.Sprint(row)]++
	}
	for _, row := range told {
		want[fmt.Sprint(row)]--
	}
	for row, n := range want {
		if n != 0 {
			return fmt.Errorf("the office was told other transplants than the hospitals: %s", strings.TrimPrefix(row, "map"))
		}
	}
	return nil
}

// table lists all transplants.
func (a *audit) table() Table {
	t := Table{Title: "Transplants by what the hospitals were told", Header: []string{"Donor's pair", "of", "gives to pair", "at"}}
	for i, j := range a.to {
		if j >= 0 {
			t.Rows = append(t.Rows, []string{fmt.Sprint(a.ids[i]), a.home[i], fmt.Sprint(a.ids[j]), a.home[j]})
		}
	}
	return t
}
