package source

import (
	"context"
	"database/sql"
	"errors"
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
// scan, which also counts the cells that do not fit among those that it reads,
// whether where selects their rows or not.
func (s *Source) Summaries(ctx context.Context, where job.Predicate, sums []job.Summary) ([][]*big.Int, error) {
	for i := range sums {
		if err := sums[i].Check(s.schema, s.declared); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	st, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	vectors := make([][]*big.Int, len(sums))
	for i := range sums {
		vectors[i] = zeros(sums[i].Len())
	}
	for _, together := range groupAlike(sums) {
		scan, err := s.newScan(st, where, sums, together)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if err := scan.run(ctx, st, vectors); err != nil {
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
// keys, the sums, summary by summary and term by term, and where cells may be bad
// their number; a relation in parts gives one such row for each part. Rows that are in no cell or not selected come as one with a null
// among its keys: all rows of the source are counted.
type scan struct {
	statement
	groups   []job.Grouping
	together []int
	terms    [][]termSum // of each summary
	query    string
}

// termSum is a term's sum as the query returns it: in one part, or several.
type termSum []part

func (s *Source) newScan(st *store, where job.Predicate, sums []job.Summary, together []int) (*scan, error) {
	q := &scan{statement: statement{dialect: st.relation.dialect, columns: st.columns}, groups: sums[together[0]].Groups, together: together}
	keys := make([]string, len(q.groups))
	var conditions []string
	for i, g := range q.groups {
		key, condition, err := q.key(g)
		if err != nil {
			return nil, err
		}
		keys[i], conditions = key, append(conditions, condition)
	}
	if where != nil {
		selected, err := q.holds(where, true)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, selected)
	}
	within := strings.Join(conditions, " AND ")
	outputs := make([]string, len(keys))
	for i := range keys {
		outputs[i] = keyRef(i)
	}
	summed := within
	if len(keys) > 0 {
		summed = "" // the keys say it
	}
	for _, i := range together {
		terms, err := q.sums(s, st.relation.dialect, &sums[i], summed)
		if err != nil {
			return nil, err
		}
		q.terms = append(q.terms, terms)
		for _, term := range terms {
			for _, p := range term {
				outputs = append(outputs, st.relation.dialect.show(p.sum))
			}
		}
	}
	if st.relation.casts != nil {
		outputs = append(outputs, st.relation.counted(q.used))
	}
	outputs = append(outputs, "count(*)")
	for i, key := range keys {
		keys[i] = "CASE WHEN " + within + " THEN " + key + " END"
	}
	q.query = st.relation.aggregate(outputs, keys, q.used)
	return q, nil
}

// key returns a grouping's key, and the condition on rows that are in a cell.
// By levels and by range the key is the code itself, else the number of the cell.
func (q *statement) key(g job.Grouping) (key, condition string, err error) {
	if g.Predicate != nil {
		yes, err := q.holds(g.Predicate, true)
		if err != nil {
			return "", "", err
		}
		no, err := q.holds(g.Predicate, false)
		return "CASE WHEN " + yes + " THEN 1 ELSE 0 END", "(" + yes + " OR " + no + ")", err
	}
	column, err := q.column(g.Column, true)
	if err != nil {
		return "", "", err
	}
	switch {
	case g.Range != nil:
		return column, q.known(column + " BETWEEN " + written(g.Range.First) + " AND " + written(g.Range.Last)), nil
	case g.Edges != nil:
		return bin(column, g.Edges), column + " IS NOT NULL", nil
	}
	return column, q.known(column + " IN (" + writtenAll(g.Levels) + ")"), nil
}

// bin is the number of the bin between edges in which a column lies.
func bin(column string, edges []int64) string {
	var b strings.Builder
	bins := len(edges) - 1
	fmt.Fprintf(&b, "CASE WHEN %s < %s THEN %d", column, written(edges[0]), bins)
	for i, edge := range edges[1:] {
		op := "<"
		if i == bins-1 { // the last one is closed
			op = "<="
		}
		fmt.Fprintf(&b, " WHEN %s %s %s THEN %d", column, op, written(edge), i)
	}
	fmt.Fprintf(&b, " ELSE %d END", bins)
	return b.String()
}

// sums returns a sum for each term, over the rows within a condition ("": all) that
// are complete. A product is null where a factor is, and so left out of its sum.
func (q *statement) sums(s *Source, d *dialect, sum *job.Summary, within string) ([]termSum, error) {
	terms := make([]termSum, len(sum.Terms))
	for i, term := range sum.Terms {
		factors := make([]factor, len(term))
		for j, name := range term {
			column, err := q.column(name, true)
			if err != nil {
				return nil, err
			}
			declared, _ := s.schema.Column(name)
			factors[j] = factor{column, declared.Bits()}
		}
		var conditions []string
		if within != "" {
			conditions = append(conditions, within)
		}
		for _, name := range sum.Complete {
			column, err := q.column(name, false)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(term, name) {
				conditions = append(conditions, column+" IS NOT NULL")
			}
		}
		if len(term) == 0 && within == "" && len(sum.Complete) == 1 {
			column, err := q.column(sum.Complete[0], false)
			if err != nil {
				return nil, err
			}
			terms[i] = termSum{{sum: "count(" + column + ")"}}
			continue
		}
		terms[i] = d.sum(factors, strings.Join(conditions, " AND "), s.declared)
	}
	return terms, nil
}

// run adds a scan's answer to the summaries' vectors.
func (q *scan) run(ctx context.Context, st *store, vectors [][]*big.Int) error {
	const doing = "summing"
	rows, err := st.db.QueryContext(ctx, q.query)
	if err != nil {
		return st.diagnose(ctx, doing, q.used, err)
	}
	defer rows.Close()
	keys := make([]sql.NullInt64, len(q.groups))
	var targets []any
	for i := range keys {
		targets = append(targets, &keys[i])
	}
	n := 0
	for _, terms := range q.terms {
		for _, t := range terms {
			n += len(t)
		}
	}
	values := make([]wholeNumber, n)
	for i := range values {
		targets = append(targets, &values[i])
	}
	var bad, count wholeNumber
	if st.relation.casts != nil {
		targets = append(targets, &bad)
	}
	targets = append(targets, &count)
	var allBad, allRows int64
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return st.diagnose(ctx, doing, q.used, err)
		}
		allBad, allRows = allBad+bad.Int64(), allRows+count.Int64()
		if !slices.ContainsFunc(keys, func(k sql.NullInt64) bool { return !k.Valid }) {
			q.place(keys, values, vectors)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return st.diagnose(ctx, doing, q.used, err)
	}
	return st.judge(ctx, q.used, allBad, allRows)
}

// place writes one cell's sums where they belong.
func (q *scan) place(keys []sql.NullInt64, values []wholeNumber, vectors [][]*big.Int) {
	cell := 0
	for i, g := range q.groups {
		at := int(keys[i].Int64)
		switch {
		case g.Range != nil:
			at = int(keys[i].Int64 - g.Range.First)
		case g.Levels != nil:
			at = slices.Index(g.Levels, keys[i].Int64)
		}
		cell = cell*g.Cells() + at
	}
	for i, index := range q.together {
		for t, parts := range q.terms[i] {
			total := vectors[index][cell*len(q.terms[i])+t]
			for j, p := range parts {
				total.Add(total, new(big.Int).Lsh(&values[j].Int, p.shift))
			}
			values = values[len(parts):]
		}
	}
}
