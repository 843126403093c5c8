package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// tiedRuns are runs of equal keys among sorted rows: those that start in one chunk,
// wherever they end. Where they start and how many they are stays secret.
type tiedRuns struct {
	starts rss.Vec          // 1 where one starts, else 0
	front  *rss.Permutation // moves these rows to the front
	// Of each column what stands where a run starts, and where the next one does: run
	// by run, and behind the last one twice the same.
	from, to []rss.Vec
}

// newTiedRuns takes where runs start in a chunk, as startsIn returns it, columns of
// the chunk, and what stands in these where the first run after the chunk starts.
// Chunks are so taken from the last one on: see first.
//
// Rows where runs start move to the front, so that each run meets the next. Costs of
// rss.CompactPermutation and rss.Permute, and 1 round with one element a row and
// column.
func newTiedRuns(s *mpc.Session, starts rss.Vec, after, columns []rss.Vec) *tiedRuns {
	n, k := starts.Len(), len(columns)
	t := &tiedRuns{starts: starts, front: rss.CompactPermutation(s.Step("front"), starts)}
	var beyond []rss.Vec
	for _, x := range after {
		beyond = append(beyond, rss.Repeat(s, x, n))
	}
	marked := rss.Select(s.Step("marked"), rss.Repeat(s, starts, k), rss.Concat(s, columns...), rss.Concat(s, beyond...))
	t.from = rss.Permute(s.Step("moved"), t.front, inParts(s, marked, k)...)
	for j, x := range t.from {
		t.to = append(t.to, nextOf(s, x, after[j]))
	}
	return t
}

// extent is of a column of counts of what stands before each row.
func (t *tiedRuns) extent(column int) extent { return extent{t.from[column], t.to[column]} }

// first returns what stands in each column where the first run starts, or if there is
// none where the next one does. Local.
func (t *tiedRuns) first(s *mpc.Session) []rss.Vec {
	out := make([]rss.Vec, len(t.from))
	for j, x := range t.from {
		out[j] = rss.Slice(s, x, 0, 1)
	}
	return out
}

// startsIn returns for chunk i of sorted rows 1 where the key in a column of that many
// bits differs from the one before, and in the very first row, else 0. Costs of Equal
// and ToArith.
func startsIn(s *mpc.Session, rows *rss.Chunked, i, column, width int) rss.Vec {
	key := rows.Get(s, i, column)[0]
	if i == 0 {
		return runStarts(s, key, width)
	}
	before := rows.Last(s, i-1, column)
	if n := key.Len(); n > 1 {
		before = rss.Concat(s, before, rss.Slice(s, key, 0, n-1))
	}
	return rss.ToArith(s.Step("start"), rss.Not(s, rss.Equal(s.Step("same"), before, key, width)))
}

// runStarts returns 1 where a sorted row of that many bits differs from the one
// before it, and in the first row, else 0.
func runStarts(s *mpc.Session, sorted rss.Vec, width int) rss.Vec {
	n := sorted.Len()
	first := rss.Public(s, ring.Vec64{1})
	if n == 1 {
		return first
	}
	same := rss.Equal(s.Step("same"), rss.Slice(s, sorted, 0, n-1), rss.Slice(s, sorted, 1, n), width)
	return rss.Concat(s, first, rss.ToArith(s.Step("start"), rss.Not(s, same)))
}

// nextOf returns for each row what stands in the next one, and for the last one what
// stands beyond. Local.
func nextOf(s *mpc.Session, column, beyond rss.Vec) rss.Vec {
	if n := column.Len(); n > 1 {
		return rss.Concat(s, rss.Slice(s, column, 1, n), beyond)
	}
	return beyond
}
