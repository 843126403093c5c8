package match

import (
	"fmt"
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Of returns for each of some sites, by their places in List.Sites, what of the rows
// is the site's own: as many rows in the same places, so that the length tells
// nothing, of which others' are zeros. No party learns whose a row is. What a site
// sees of the order is the places of its own rows.
//
// For k rows and w columns, and each site: one equality of a few bits, a bit to
// arithmetic, and w products for each row, in 6 to 8 rounds for all of the sites
// together. They are all in memory at once: of many sites and long lists ask for some
// at a time. Leaks nothing.
func (r *Rows) Of(s *mpc.Session, sites ...int) []*Rows {
	out, columns := make([]*Rows, len(sites)), make([]rss.Vec, len(r.Columns))
	for i := range out {
		out[i] = r.replace(func(x rss.Vec) rss.Vec { return rss.Zero[ring.Vec64](x.Len()) })
	}
	var hospital rss.Vec
	for i, c := range r.Columns {
		if columns[i] = c.Values; c.Name == ColumnHospital {
			hospital = c.Values
		}
	}
	distances := make([]rss.Vec, len(sites))
	for i, site := range sites {
		if site < 0 || site >= r.sites {
			s.Fail(fmt.Errorf("site %d of %d", site, r.sites))
			return out
		}
		distances[i] = rss.AddConst(s, hospital, -int64(site)-1)
	}
	if len(sites) == 0 || s.Err() != nil {
		return out
	}
	same := rss.EqualPublic(s.Step("whose"), rss.Concat(s, distances...), 0, bits.Len(uint(r.sites)))
	mine := rss.ToArith(s.Step("mine"), same)
	k := hospital.Len()
	masks := make([]rss.Vec, len(sites))
	for i := range masks {
		masks[i] = rss.Slice(s, mine, i*k, (i+1)*k)
	}
	own := maskEach(s.Step("mask"), masks, columns)
	if s.Err() != nil {
		return out
	}
	for i, rows := range out {
		rows.Ranked = masks[i]
		for j := range rows.Columns {
			rows.Columns[j].Values = own[i*len(columns)+j]
		}
	}
	return out
}

// NewRows puts rows together of what was kept of a result: which of them are rows, their
// columns, and the number of the list's sites.
func NewRows(ranked rss.Vec, columns []Column, sites int) *Rows {
	return &Rows{Ranked: ranked, Columns: columns, sites: sites}
}

// Slice returns rows lo to hi-1. Local.
func (r *Rows) Slice(s *mpc.Session, lo, hi int) *Rows {
	return r.replace(func(x rss.Vec) rss.Vec { return rss.Slice(s, x, lo, hi) })
}

// replace returns rows with other columns in place of its own.
func (r *Rows) replace(f func(rss.Vec) rss.Vec) *Rows {
	out := &Rows{Ranked: f(r.Ranked), sites: r.sites}
	for _, c := range r.Columns {
		out.Columns = append(out.Columns, Column{c.Name, f(c.Values)})
	}
	return out
}
