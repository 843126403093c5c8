package protocols

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"consilium/protocols/match"
)

// Revealed is one rank of a run as its office opened it, which checks the signature of
// the answer to the rank before.
type Revealed struct {
	Sequence int
	Result   *Result
}

// InOrder sorts the ranks of a run, and takes one of each: a rank may have been revealed
// several times. It refuses ranks that differ from time to time, and gaps.
func InOrder(ranks []Revealed) ([]Revealed, error) {
	ranks = slices.Clone(ranks)
	slices.SortStableFunc(ranks, func(a, b Revealed) int { return a.Sequence - b.Sequence })
	var out []Revealed
	for _, r := range ranks {
		if n := len(out); n > 0 && out[n-1].Sequence == r.Sequence {
			if !reflect.DeepEqual(out[n-1].Result, r.Result) {
				return nil, fmt.Errorf("rank %d of the run was revealed twice, and not alike", r.Sequence)
			}
			continue
		}
		if r.Sequence != len(out)+1 {
			return nil, fmt.Errorf("rank %d of the run is missing among those that were revealed: open them where they were asked for", len(out)+1)
		}
		out = append(out, r)
	}
	return out, nil
}

// AddRanks adds to the result of a run with reveal: next what was revealed of it so far.
func (p *Plan) AddRanks(result *Result, ranks []Revealed) {
	all := []any{}
	for _, r := range ranks {
		all = append(all, r.Result.Value)
	}
	result.Value.(map[string]any)["ranks"] = all // of every match
	if len(ranks) > 0 && len(rowsTold(ranks[0].Result)) > 0 {
		result.Tables = append(result.Tables, p.ranksTable(ranks))
	}
}

// ranksTable puts the ranks of a run under each other, each with its answer as far as the
// next rank brought it.
func (p *Plan) ranksTable(ranks []Revealed) Table {
	entitlement := p.match.policy.Entitlement.Office
	var rows []rankedRow
	for _, r := range ranks {
		for _, row := range rowsTold(r.Result) {
			rows = append(rows, row.(map[string]any))
		}
	}
	t := rowTable("Ranks that were revealed", entitlement, rows)
	t.Header = append(t.Header, "Answer")
	for i := range t.Rows {
		text := "none yet"
		if i+1 < len(ranks) {
			text = answerText(ranks[i+1].Result)
		}
		t.Rows[i] = append(t.Rows[i], text)
	}
	if last := ranks[len(ranks)-1].Result; last.Status != statusOK {
		t.Notes = []string{last.Reason + "."}
	}
	return t
}

// rowsTold are the rows of a result of a match.
func rowsTold(r *Result) []any {
	value, _ := r.Value.(map[string]any)
	rows, _ := value["rows"].([]any)
	return rows
}

// answerText is the answer that a rank's result brought, in a few words.
func answerText(r *Result) string {
	value, _ := r.Value.(map[string]any)
	a, _ := value["answered"].(map[string]any)
	parts := []string{fmt.Sprint(a["answer"])}
	if a["code"] != nil {
		parts = append(parts, fmt.Sprint(a["code"]), fmt.Sprint(a["reason"]))
	}
	return strings.Join(parts, " ")
}

// checkRanks holds the ranks that were revealed of a run against the whole ranking in the
// clear.
func checkRanks(ranks []Revealed, rows []any) error {
	for i, r := range ranks {
		switch told := rowsTold(r.Result); {
		case r.Result.Status == statusOK && (len(told) != 1 || i >= len(rows) || !reflect.DeepEqual(told[0], rows[i])):
			return fmt.Errorf("rank %d of the run is not what its inputs give", i+1)
		case r.Result.Status == statusExhausted && i < len(rows):
			return fmt.Errorf("the run had no rank %d, and its inputs give one", i+1)
		case r.Result.Status == statusAccepted && i < len(ranks)-1:
			return fmt.Errorf("rank %d was revealed after an acceptance", i+2)
		}
		if err := checkAnswered(r, rows, i); err != nil {
			return err
		}
	}
	return nil
}

// checkAnswered checks that the answer to the rank before is of the hospital of its row.
func checkAnswered(r Revealed, rows []any, i int) error {
	if i == 0 || i > len(rows) {
		return nil
	}
	value, _ := r.Result.Value.(map[string]any)
	a, ok := value["answered"].(map[string]any)
	if !ok {
		return errors.New("an answer is missing in the run")
	}
	whose, entitled := rows[i-1].(map[string]any)[match.ColumnHospital]
	if a["hospital"] != nil && entitled && a["hospital"] != whose {
		return fmt.Errorf("rank %d was answered by %v, and its inputs give it to %v", i, a["hospital"], whose)
	}
	return nil
}
