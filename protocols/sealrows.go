package protocols

import (
	"fmt"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Sites seal their rows side by side, none waiting for another. Parties take them in
// pieces, of which those of all sites together have about the rows of one chunk, and keep
// each site's in rows of its own until the samples are put together. A site is ahead of
// the parties by a few pieces at most: what they have not kept lies in their memory.

// pieceRows returns how many rows a site seals at once, the last ones apart: its part of a
// chunk of all sites' rows. It follows from the declared numbers of rows.
func (w *work) pieceRows(site int) int {
	chunks := ceilDiv(w.plan.Dataset.Rows(), w.Spill.ChunkRows())
	return ceilDiv(ceilDiv(w.plan.Dataset.Sites[site].Rows, chunks), wordSize) * wordSize
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// sealRows runs one site's input of rows, piece by piece, at the site and at the parties.
// These get the columns of all samples, one after the other; a site that is no party gets
// nothing. nil where nothing goes row by row.
func (w *work) sealRows(s *mpc.Session, site int) *rss.Chunked {
	rows, blocks := w.plan.Dataset.Sites[site].Rows, w.plan.blocks()
	if rows*blocks == 0 {
		return nil
	}
	piece := w.pieceRows(site)
	var kept *rss.Chunked
	if w.isParty() {
		kept = w.Spill.NewOf(s, piece, rows, blocks, 0)
	}
	read := func(int) ring.Vec64 { return nil }
	if w.sites[site] == w.self {
		var end func()
		read, end = w.readRows(s, rows)
		defer end()
	}
	for k, lo := 0, 0; lo < rows && s.Err() == nil; k, lo = k+1, lo+piece {
		if kept == nil && k >= piecesAhead {
			w.awaitKept(s.Step("kept", k-piecesAhead))
		}
		n := min(piece, rows-lo)
		x := rss.Input(s.Step("rows", k), w.sites[site], n*blocks, read(n))
		if kept != nil {
			kept.Put(s, k, inParts(s, x, blocks))
			if lo+piecesAhead*piece < rows {
				w.tellKept(s.Step("kept", k), site)
			}
		}
	}
	return kept
}

// piecesAhead is how many pieces a site seals before it waits until the first of them is
// kept: while one travels, it reads another.
const piecesAhead = 2

// tellKept is a party's word to a site that a piece is kept. A site that is a party needs
// none: it compares every piece with the others.
func (w *work) tellKept(s *mpc.Session, site int) {
	if !slices.Contains(w.parties, w.sites[site]) {
		s.Send(w.sites[site], nil)
	}
}

// awaitKept is a site's wait until all parties have kept a piece.
func (w *work) awaitKept(s *mpc.Session) {
	for _, p := range w.parties {
		s.Recv(p, 0)
	}
}

// readRows returns what reads this site's rows, the next n of those declared at each call,
// and what ends that. After a failure, which ends the session, it reads zeros.
func (w *work) readRows(s *mpc.Session, declared int) (read func(n int) ring.Vec64, end func()) {
	packed, err := newPacker(s.Context(), w.plan, w.Data, w.plan.Where)
	end = func() {}
	if err == nil {
		end = packed.reader.Release
	}
	left := declared
	return func(n int) ring.Vec64 {
		var out ring.Vec64
		if err == nil {
			out, err = packed.next(n)
		}
		if left -= n; err == nil && left == 0 {
			err = packed.end()
		}
		if err != nil {
			s.Fail(fmt.Errorf("read its rows of dataset %s: %w", w.plan.Dataset.Name, err))
			return make(ring.Vec64, n*w.plan.blocks())
		}
		return out
	}, end
}

// joinRows puts the sites' rows one after the other, in the roster's order, and takes them
// from where they were kept. All parties have done so when it returns.
func (w *work) joinRows(s *mpc.Session, bySite []sealed) map[string]*Sampled {
	out := map[string]*Sampled{}
	var fills []*rss.Filler
	for _, sample := range w.plan.Samples {
		rows := NewSampled(s, w.Spill, w.plan.Dataset.Rows(), sample)
		out[sample.Name], fills = rows, append(fills, rows.Fill())
	}
	for _, site := range bySite {
		if site.rows == nil {
			continue
		}
		for k := 0; k < site.rows.Chunks() && s.Err() == nil; k++ {
			columns := site.rows.Get(s, k)
			for i, sample := range w.plan.Samples {
				blocks := len(sample.Vectors) + 1
				fills[i].Append(s, columns[:blocks]...)
				columns = columns[blocks:]
			}
		}
		site.rows.Close()
	}
	if len(w.plan.Samples) > 0 {
		out[w.plan.Samples[0].Name].Meet(s.Step(stepSeal).Step("joined"))
	}
	return out
}
