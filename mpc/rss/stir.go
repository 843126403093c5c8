package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// stirring moves rows, plain words of one party, by a permutation that it and another
// party draw from their coins and that memory need not hold: each row falls into any of
// some bins, and the rows of each bin then change places (Rao, Sankhya 1961; Sandelius,
// J. R. Stat. Soc. B 1962). All orders of the rows are equally likely, whatever the
// number of bins, and a bin has about as many rows as a chunk. Who draws the same coins
// and adds as many rows moves them in the same way.
type stirring struct {
	dice  dice
	bins  *bins
	width int
	to    []int32
}

// newStirring is for n rows of so many words. Its owner closes it.
func newStirring(s *mpc.Session, sp *Spill, coins *mpc.Coins, n, width int) *stirring {
	return &stirring{dice: dice{coins: coins}, width: width, bins: newBins(s, sp, ceil(n, sp.chunk), width)}
}

func (m *stirring) close() { m.bins.close() }

// add takes the next rows.
func (m *stirring) add(s *mpc.Session, columns []ring.Vec64) {
	m.to = m.to[:0]
	for range columns[0] {
		m.to = append(m.to, int32(m.dice.below(uint32(len(m.bins.counts)))))
	}
	m.bins.add(s, m.to, columns)
}

// each gives use all rows in their new order, once all have been added: so many at a
// time, at the end fewer. What use gets is used again after it.
func (m *stirring) each(s *mpc.Session, rows int, use func(columns []ring.Vec64)) {
	var rowsOfBin []ring.Vec64
	piece, filled := make([]ring.Vec64, m.width), 0
	for j := range piece {
		piece[j] = make(ring.Vec64, rows)
	}
	for bin, n := range m.bins.counts {
		if s.Err() != nil {
			return
		}
		rowsOfBin = m.bins.take(s, bin, rowsOfBin)
		order := m.dice.order(n)
		for len(order) > 0 && s.Err() == nil {
			k := min(len(order), rows-filled)
			for j, x := range rowsOfBin {
				pick(piece[j][filled:], x, order[:k])
			}
			if order, filled = order[k:], filled+k; filled == rows {
				use(piece)
				filled = 0
			}
		}
	}
	if filled > 0 && s.Err() == nil {
		for j, x := range piece {
			piece[j] = x[:filled]
		}
		use(piece)
	}
}
