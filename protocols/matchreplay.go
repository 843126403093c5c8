package protocols

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"consilium/organ/policy"
	"consilium/protocols/match"
)

// replayer is a match that gives the same whenever it is run with the same inputs.
type replayer interface {
	// replay runs the match in the clear: its status word, and the rows of its result.
	replay(p *Plan, in []*policy.Rows) (status string, rows []any, err error)
}

// chooser is a match that draws among equals: whether it could end so can be told.
type chooser interface {
	// replayChoice holds a result, and what the sites keep of it, against what the inputs
	// can give, and returns all that was chosen.
	replayChoice(ctx context.Context, p *Plan, in []*policy.Rows, result *Result, runs []*MatchRun) (*Result, error)
}

// siteReplayer is a match of which a site is told what the recipient is not.
type siteReplayer interface {
	// replaySite holds what that site keeps against what the inputs give, and returns it.
	replaySite(p *Plan, in []*policy.Rows, runs []*MatchRun) (*Result, error)
}

// Replay runs a match once more, in the clear, from what its sites kept, and holds it
// against what the recipient opened: every input must be the one that its site had
// committed to before anything was shared, and the result the same to the last row.
// Of a match that draws among equals at random the result must be one that its inputs can
// give. Runs are those that the sites of the match keep, in any order. Of a run that is
// revealed one rank at a time ranks are those that its office has opened, in order.
func (p *Plan) Replay(ctx context.Context, opened Opened, runs []*MatchRun, ranks ...Revealed) (*Result, error) {
	if p.match == nil {
		return nil, fmt.Errorf("%s is no match: only matches are replayed", p.Analysis)
	}
	result, err := p.Finish(opened)
	if err != nil {
		return nil, err
	}
	var inputs []*policy.Rows
	for i, c := range p.commitmentsIn(opened) {
		in, err := inputOf(runs, c)
		if err != nil {
			return nil, err
		}
		rows, err := parseInput(p.match.inputs[i].columns, in.Text)
		if err != nil {
			return nil, fmt.Errorf("the input of %s of list %s: %w", c.Site, c.List, err)
		}
		if rows.N != p.match.inputs[i].rows {
			return nil, fmt.Errorf("the input of %s of list %s has %d rows, and put in %d", c.Site, c.List, rows.N, p.match.inputs[i].rows)
		}
		inputs = append(inputs, rows)
	}
	if kind, ok := p.match.kind.(chooser); ok {
		return kind.replayChoice(ctx, p, inputs, result, runs)
	}
	kind, ok := p.match.kind.(replayer)
	if !ok {
		return nil, fmt.Errorf("%s is not replayed", p.Analysis)
	}
	status, rows, err := kind.replay(p, inputs)
	if err != nil {
		return nil, err
	}
	if status != result.Status {
		return nil, fmt.Errorf("the run ended as %q and its inputs give %q: it is not what the sites put in", result.Status, status)
	}
	if p.KeepsRows() {
		return result, checkRanks(ranks, rows)
	}
	told := rowsTold(result)
	for i := range max(len(told), len(rows)) {
		if i >= len(told) || i >= len(rows) || !reflect.DeepEqual(told[i], rows[i]) {
			return nil, fmt.Errorf("row %d of the run is not what its inputs give", i+1)
		}
	}
	if site, ok := kind.(siteReplayer); ok {
		return site.replaySite(p, inputs, runs)
	}
	return result, nil
}

// Replayed says of a match whose replay has found nothing wrong what that means.
func Replayed(analysis string) string {
	if analysis == MatchExchange {
		return "is one that they can give: cycles are drawn at random among equals"
	}
	return "is the same to the last row"
}

// inputOf finds the input that opens a commitment.
func inputOf(runs []*MatchRun, c Commitment) (*MatchInput, error) {
	for _, run := range runs {
		if in, ok := run.opens(c); ok {
			return in, nil
		}
	}
	for _, run := range runs {
		if run.Site == c.Site {
			return nil, fmt.Errorf("what %s shows of list %s is not what it had committed to in the run", c.Site, c.List)
		}
	}
	return nil, fmt.Errorf("the input of %s of list %s is missing: ask it for its file of the run", c.Site, c.List)
}

// replay implements replayer.
func (k *rankRun) replay(p *Plan, in []*policy.Rows) (status string, rows []any, err error) {
	program := p.match.policy.Program
	candidates, donor := in[:len(in)-1], in[len(in)-1]
	all := together(candidates)
	var hospitals []string
	for i, site := range candidates {
		hospitals = append(hospitals, slices.Repeat([]string{k.hospitals[i]}, site.N)...)
	}
	rows = []any{}
	if word := obstacle(program, all, donor.Row(0)); word != "" {
		return word, rows, nil
	}
	ranked, err := program.Evaluate(all, donor.Row(0))
	if err != nil {
		return "", nil, err
	}
	if len(ranked) == 0 {
		return statusNobody, rows, nil
	}
	for i, r := range ranked[:min(k.k, len(ranked))] {
		row := map[string]any{columnSequence: int64(i) + 1}
		values := map[string]int64{match.ColumnTier: int64(r.Tier), match.ColumnPoints: r.Points, match.ColumnCandidate: r.ID}
		for s, shown := range program.Shown {
			values[shown.Name] = r.Shown[s]
		}
		for _, name := range k.office[1:] {
			if name == match.ColumnHospital {
				row[name] = hospitals[r.Row]
				continue
			}
			if row[name], err = k.value(p, name, values[name]); err != nil {
				return "", nil, err
			}
		}
		rows = append(rows, row)
	}
	return statusOK, rows, nil
}

// candidatePresent is the input that is 1 in a row of a candidate, and 0 in one that
// fills a list up to its declared length.
const candidatePresent = "candidate.present"

// obstacle returns the word for what keeps rows from being ranked; "" where nothing does.
func obstacle(program *policy.Program, all *policy.Rows, donor []int64) string {
	present := slices.IndexFunc(program.Candidate, func(in policy.InputInfo) bool { return in.Name == candidatePresent })
	seen, fault := map[int64]bool{}, false
	for i := range all.N {
		row := all.Row(i)
		if row[present] == 0 {
			continue
		}
		v := program.Run(row, donor)
		if seen[v[program.ID]] {
			return statusDuplicates
		}
		seen[v[program.ID]] = true
		fault = fault || program.Fault >= 0 && v[program.Fault] == 1
	}
	if fault {
		return statusTiers
	}
	return ""
}
