package rss

import "consilium/mpc"

// CompactChunked is Compact for rows that memory does not hold: of rows whose last narrow
// column is a flag it returns the other narrow columns, rows with flag 1 first. Rows have
// no wide columns. Leaks nothing.
//
// Rows that SortChunked sorts in memory cost what they cost Compact; others are sorted by
// SortChunked with a key of one bit.
func CompactChunked(s *mpc.Session, rows *Chunked) *Chunked {
	k := rows.narrow - 1
	out := rows.Like(s, max(k, 0), 0)
	flag := ChunkedKey{Column: k, Bits: 1, Descending: true}
	if !rows.keyed(s, []ChunkedKey{flag}) {
		return out
	}
	fill := out.Fill()
	if rows.rows <= newSampleSort(s, rows, []ChunkedKey{flag}).load {
		columns := rows.loaded(s)
		fill.Append(s, Compact(s, columns[k], columns[:k]...)...)
		return out
	}
	sorted := SortChunked(s, rows, flag)
	defer sorted.Close()
	for i := range sorted.Chunks() {
		out.Put(s, i, sorted.Get(s, i, numbers(k)...))
	}
	out.Meet(s.Step("copied"))
	return out
}
