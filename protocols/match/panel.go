package match

import (
	"fmt"
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Panel is a shared candidate's unacceptable antigens and shared donors of several
// sites. Only the numbers of rows and of antigens are public.
type Panel struct {
	// Unacceptable has for each antigen that there is 1 where the candidate does not
	// accept it as it stands, else 0. Whether it lies within another that she does not
	// accept makes no difference: what donors carry decides.
	Unacceptable rss.Vec
	Donors       []PanelDonors // a site's each
}

// PanelDonors are the donors of a site.
type PanelDonors struct {
	// Carried has, antigen by antigen, for each row 1 where the donor carries it, by
	// herself or as the broad of another that she has; zeros in a row that is not
	// present.
	Carried rss.Vec
	Present rss.Vec // for each row 1, or 0 where it only fills the list up
}

// Reach is how much of a panel a candidate could accept, in shared counts.
type Reach struct {
	Donors     rss.Vec // that are present
	Acceptable rss.Vec // of these: without any unacceptable antigen
	// Gained has for each antigen how many more donors would be acceptable if the
	// candidate accepted it: those who carry no other unacceptable one. It is 0 where
	// she accepts it already.
	Gained rss.Vec
}

// beyond is added to what a row that is not present meets, so that it is neither 0
// nor 1.
const beyond = 2

// Reach counts the donors that a candidate could accept, and those of whom a single
// antigen keeps her.
//
// A donor meets as many antigens as the inner product of her bits with the
// candidate's, so that one element a donor is sent for all of them; whether it is 0, and
// whether it is 1, are two comparisons of up to 8 bits. The donors of whom it is 1, in a
// product with the panel's bits, are the counts for all antigens at once. Of n donors, a
// antigens and s sites: about 2 s + 7 rounds, 3 n + (s + 1) a elements and 17 n bits a
// party. Leaks nothing.
func (p *Panel) Reach(s *mpc.Session) Reach {
	a := p.Unacceptable.Len()
	none := Reach{rss.Zero[ring.Vec64](1), rss.Zero[ring.Vec64](1), rss.Zero[ring.Vec64](max(a, 0))}
	for _, d := range p.Donors {
		if a == 0 || d.Present.Len() == 0 || d.Carried.Len() != a*d.Present.Len() {
			s.Fail(fmt.Errorf("a panel of %d rows with %d numbers, for %d antigens", d.Present.Len(), d.Carried.Len(), a))
			return none
		}
	}
	met, present := p.met(s.Step("met"))
	n := met.Len()
	both := rss.Concat(s, met, rss.AddConst(s, met, -1))
	flags := rss.ToArith(s.Step("number"), rss.EqualPublic(s.Step("equal"), both, 0, bits.Len(uint(a+beyond))))
	free, single := rss.Slice(s, flags, 0, n), rss.Slice(s, flags, n, 2*n)
	gained, at := rss.Zero[ring.Vec64](a), 0
	for i, d := range p.Donors {
		rows := d.Present.Len()
		own := rss.Slice(s, single, at, at+rows)
		gained = rss.Add(s, gained, rss.MatMul(s.Step("gained", i), d.Carried, own, a, rows, 1))
		at += rows
	}
	gained = rss.Mul(s.Step("listed"), gained, p.Unacceptable)
	if s.Err() != nil {
		return none
	}
	return Reach{rss.Sum(s, present), rss.Sum(s, free), gained}
}

// met returns for each row how many unacceptable antigens the donor carries, or more than
// one where it is not present; and which rows are.
func (p *Panel) met(s *mpc.Session) (met, present rss.Vec) {
	a := p.Unacceptable.Len()
	var counts, there []rss.Vec
	for i, d := range p.Donors {
		rows := d.Present.Len()
		counts = append(counts, rss.MatMul(s.Step("site", i), p.Unacceptable, d.Carried, 1, a, rows))
		there = append(there, d.Present)
	}
	present = rss.Concat(s, there...)
	absent := rss.AddConst(s, rss.Neg(s, present), 1)
	return rss.Add(s, rss.Concat(s, counts...), rss.Scale(s, absent, beyond)), present
}
