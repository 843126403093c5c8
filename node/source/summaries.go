package source

import (
	"context"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"consilium/job"
)

// Summaries returns one vector of exact sums for each summary, in order, laid
// out as job.Summary says, over the rows that where selects (nil: all). Its
// lengths depend on the summaries alone. Summaries that group alike share one
// scan.
func (s *Source) Summaries(ctx context.Context, where job.Predicate, sums []job.Summary) ([][]*big.Int, error) {
	for i := range sums {
		if err := sums[i].Check(s.schema, s.declared); err != nil {
			return nil, fmt.Errorf("%s: %w", s.file, err)
		}
	}
	if err := s.Check(ctx); err != nil {
		return nil, err
	}
	vectors := make([][]*big.Int, len(sums))
	for i := range sums {
		vectors[i] = zeros(sums[i].Len())
	}
	for _, together := range groupAlike(sums) {
		scan, err := s.newScan(where, sums, together)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.file, err)
		}
		if err := s.runScan(ctx, scan, vectors); err != nil {
			return nil, err
		}
	}
	return vectors, nil
}

func zeros(n int) []*big.Int {
	v := make([]*big.Int, n)
	for i := range v {
		v[i] = new(big.Int)
	}
	return v
}

// groupAlike returns the summaries' indexes, those of equal groupings together.
func groupAlike(sums []job.Summary) [][]int {
	var batches [][]int
next:
	for i := range sums {
		for b, batch := range batches {
			if slices.EqualFunc(sums[batch[0]].Groups, sums[i].Groups, sameGrouping) {
				batches[b] = append(batch, i)
				continue next
			}
		}
		batches = append(batches, []int{i})
	}
	return batches
}

func sameGrouping(a, b job.Grouping) bool {
	return reflect.DeepEqual(a, b)
}

// scan is one query for the summaries sums[together[0]], sums[together[1]] …
// that share their groupings. It returns a row for each cell that has rows: the
// keys, then the sums, summary by summary and term by term.
type scan struct {
	statement
	groups   []job.Grouping
	together []int
	terms    []int // of each summary
}

func (s *Source) newScan(where job.Predicate, sums []job.Summary, together []int) (*scan, error) {
	q := &scan{groups: sums[together[0]].Groups, together: together}
	keys := make([]string, len(q.groups))
	conditions := make([]string, 0, len(q.groups)+1)
	for i, g := range q.groups {
		key, condition, err := s.key(&q.statement, g)
		if err != nil {
			return nil, err
		}
		keys[i], conditions = key, append(conditions, condition)
	}
	selected, err := q.predicate(where, s.position)
	if err != nil {
		return nil, err
	}
	conditions = append(conditions, selected)

	outputs := slices.Clone(keys)
	for _, i := range together {
		aggregates, err := s.aggregates(&sums[i])
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, aggregates...)
		q.terms = append(q.terms, len(aggregates))
	}
	q.writef("SELECT %s FROM %s WHERE %s", strings.Join(outputs, ", "), snapshotRef, strings.Join(conditions, " AND "))
	for i := range keys {
		q.writef("%s%d", [...]string{" GROUP BY ", ", "}[min(i, 1)], i+1)
	}
	return q, nil
}

// key returns a grouping's key, and the condition on rows that are in a cell.
// By levels and by range the key is the code itself, else the number of the cell.
func (s *Source) key(q *statement, g job.Grouping) (key, condition string, err error) {
	if g.Predicate != nil {
		truth, err := q.predicate(g.Predicate, s.position)
		return "CASE WHEN " + truth + " THEN 1 ELSE 0 END", "(" + truth + ") IS NOT NULL", err
	}
	at, err := s.position(g.Column, true)
	if err != nil {
		return "", "", err
	}
	column := columnRef(at)
	switch {
	case g.Range != nil:
		return column, column + " >= " + q.bind(g.Range.First) + " AND " + column + " <= " + q.bind(g.Range.Last), nil
	case g.Edges != nil:
		return q.bin(column, g.Edges), column + " IS NOT NULL", nil
	}
	return column, column + " IN (" + q.bindAll(g.Levels) + ")", nil
}

// bin is the number of the bin between edges in which a column lies.
func (q *statement) bin(column string, edges []int64) string {
	var b strings.Builder
	bins := len(edges) - 1
	fmt.Fprintf(&b, "CASE WHEN %s < %s THEN %d", column, q.bind(edges[0]), bins)
	for i, edge := range edges[1:] {
		op := "<"
		if i == bins-1 { // the last one is closed
			op = "<="
		}
		fmt.Fprintf(&b, " WHEN %s %s %s THEN %d", column, op, q.bind(edge), i)
	}
	fmt.Fprintf(&b, " ELSE %d END", bins)
	return b.String()
}

// aggregates returns a sum for each term, over the rows that are complete. The
// factors are 128 bits wide before they are multiplied.
func (s *Source) aggregates(sum *job.Summary) ([]string, error) {
	filter := ""
	for i, name := range sum.Complete {
		at, err := s.position(name, false)
		if err != nil {
			return nil, err
		}
		filter += [...]string{" FILTER (WHERE ", " AND "}[min(i, 1)] + columnRef(at) + " IS NOT NULL"
	}
	if filter != "" {
		filter += ")"
	}
	aggregates := make([]string, len(sum.Terms))
	for i, term := range sum.Terms {
		factors := make([]string, len(term))
		for j, name := range term {
			at, err := s.position(name, true)
			if err != nil {
				return nil, err
			}
			factors[j] = "CAST(" + columnRef(at) + " AS HUGEINT)"
		}
		aggregate := "count(*)"
		if len(factors) > 0 {
			aggregate = "sum(" + strings.Join(factors, " * ") + ")"
		}
		aggregates[i] = "CAST(" + aggregate + filter + " AS HUGEINT)"
	}
	return aggregates, nil
}

// runScan adds a scan's answer to the summaries' vectors.
func (s *Source) runScan(ctx context.Context, q *scan, vectors [][]*big.Int) error {
	const doing = "summing"
	db, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, q.text.String(), q.args...)
	if err != nil {
		return engineError(ctx, s.file, doing, err)
	}
	defer rows.Close()
	keys := make([]int64, len(q.groups))
	var targets []any
	for i := range keys {
		targets = append(targets, &keys[i])
	}
	var values []any
	for _, terms := range q.terms {
		values = append(values, make([]any, terms)...)
	}
	for i := range values {
		targets = append(targets, &values[i])
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return engineError(ctx, s.file, doing, err)
		}
		if err := q.place(keys, values, vectors); err != nil {
			return fmt.Errorf("%s: %s: %w", s.file, doing, err)
		}
	}
	if err := rows.Err(); err != nil {
		return engineError(ctx, s.file, doing, err)
	}
	return nil
}

// place writes one cell's sums where they belong. The sum of no rows is NULL.
func (q *scan) place(keys []int64, values []any, vectors [][]*big.Int) error {
	cell := 0
	for i, g := range q.groups {
		at := int(keys[i])
		switch {
		case g.Range != nil:
			at = int(keys[i] - g.Range.First)
		case g.Levels != nil:
			at = slices.Index(g.Levels, keys[i])
		}
		cell = cell*g.Cells() + at
	}
	for i, index := range q.together {
		terms := q.terms[i]
		for t, v := range values[:terms] {
			switch v := v.(type) {
			case nil:
			case *big.Int:
				vectors[index][cell*terms+t] = v
			default:
				return fmt.Errorf("the embedded database answered with %T in place of a sum", v)
			}
		}
		values = values[terms:]
	}
	return nil
}
