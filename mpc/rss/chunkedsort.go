package rss

import "consilium/mpc"

// ChunkedKey is a narrow column by which Chunked rows are ordered: a Key but for where
// its values are.
type ChunkedKey struct {
	Column     int
	Bits       int // 1 to 64
	Signed     bool
	Descending bool
}

// SortChunked is Sort for rows that memory does not hold: all narrow columns in the order
// of the keys, the first of which decides first. Rows have no wide columns.
func SortChunked(s *mpc.Session, rows *Chunked, keys ...ChunkedKey) *Chunked {
	var by []Key
	columns := make([]Vec, rows.narrow)
	for j := range columns {
		parts := make([]Vec, rows.Chunks())
		for i := range parts {
			parts[i] = rows.column(s, i, j)
		}
		columns[j] = Concat(s, parts...)
	}
	for _, k := range keys {
		by = append(by, Key{columns[k.Column], k.Bits, k.Signed, k.Descending})
	}
	_, sorted := Sort(s, by, columns...)
	out := rows.Like(s, rows.narrow, 0)
	fill := out.Fill()
	fill.Append(s, sorted...)
	return out
}
