package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/protocols/match"
)

// Pairs of four hospitals exchange kidneys by the policy that comes with Consilium:
// who suits whom is found, pairs that stand there twice are looked for, and cycles are
// chosen. Time and bytes do not depend on who suits whom.

const poolCycle = 3 // arcs of the longest cycle

// The policies: of the second cycles come by what each of their arcs weighs.
const (
	plainExchange    = "kidney-exchange"
	weightedExchange = "kidney-exchange-weighted"
)

var pairColumns = []string{
	"pair", "recipient_abo", "unacceptable", "donor_abo",
	"donor_hla_a_1", "donor_hla_a_2", "donor_hla_b_1", "donor_hla_b_2", "donor_hla_dr_1", "donor_hla_dr_2",
	"recipient_hla_a_1", "recipient_hla_a_2", "recipient_hla_b_1", "recipient_hla_b_2", "recipient_hla_dr_1", "recipient_hla_dr_2",
	"vpra", "waiting_years", "recipient_age", "donor_age",
}

// pool is pairs in the clear.
type pool struct {
	program            *policy.Program
	recipients, donors *policy.Rows
}

// drawnPool draws n pairs of which the donor does not suit the recipient by a policy.
func drawnPool(rules string, n int) (*pool, error) {
	text, err := policies.FS.ReadFile(rules + ".yaml")
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(text, policies.FS)
	if err != nil {
		return nil, err
	}
	from, err := newPopulation()
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write(pairColumns) // the error is that of Flush
	for i := range 4*n + 64 {
		recipient, donor := from.person(2*i), from.person(2*i+1)
		_ = w.Write(slices.Concat(
			[]string{strconv.Itoa(i + 1), recipient[1], recipient[len(recipient)-1], donor[1]}, donor[5:11],
			recipient[5:11], recipient[11:13], []string{strconv.Itoa(20 + i*37%60), strconv.Itoa(25 + i*53%55)}))
	}
	if w.Flush(); w.Error() != nil {
		return nil, w.Error()
	}
	out := &pool{program: p.Program}
	if out.recipients, err = p.ReadCandidates(bytes.NewReader(file.Bytes()), time.Now()); err != nil {
		return nil, err
	}
	if out.donors, err = p.ReadDonors(bytes.NewReader(file.Bytes()), time.Now()); err != nil {
		return nil, err
	}
	var kept []int
	for i := range out.recipients.N {
		if !out.arc(i, i) && len(kept) < n {
			kept = append(kept, i)
		}
	}
	if len(kept) < n {
		return nil, errors.New("too few pairs were drawn that do not suit each other")
	}
	out.recipients, out.donors = only(out.recipients, kept), only(out.donors, kept)
	return out, nil
}

// only returns some of the rows.
func only(r *policy.Rows, kept []int) *policy.Rows {
	out := &policy.Rows{N: len(kept), Columns: make([][]int64, len(r.Columns))}
	for k, c := range r.Columns {
		for _, i := range kept {
			out.Columns[k] = append(out.Columns[k], c[i])
		}
	}
	return out
}

// arc says whether pair i's donor may give to pair j's recipient.
func (p *pool) arc(i, j int) bool {
	return p.program.Run(p.recipients.Row(j), p.donors.Row(i))[p.program.Eligible] == 1
}

// setupExchange chooses cycles of up to 3 arcs, or C, of N pairs.
func setupExchange(d *dealer, n size) task { return exchangeBy(plainExchange, d, n) }

// setupWeighted is setupExchange by weights of arcs.
func setupWeighted(d *dealer, n size) task { return exchangeBy(weightedExchange, d, n) }

func exchangeBy(rules string, d *dealer, n size) task {
	limit := cmp.Or(n.cols, poolCycle)
	p, err := drawnPool(rules, n.rows)
	if err != nil {
		return task{
			run:   func(s *mpc.Session) output { s.Fail(err); return output{} },
			check: func(*checker, output) error { return err },
		}
	}
	pairs := &match.Pairs{Program: p.program}
	for h := range hospitals {
		pairs.Sites = append(pairs.Sites, (h+1)*n.rows/hospitals-h*n.rows/hospitals)
	}
	for _, column := range p.recipients.Columns {
		pairs.Recipients = append(pairs.Recipients, d.vec(n.rows, func(i int) int64 { return column[i] }))
	}
	for _, column := range p.donors.Columns {
		pairs.Donors = append(pairs.Donors, d.vec(n.rows, func(i int) int64 { return column[i] }))
	}
	return task{
		run: func(s *mpc.Session) output {
			flags, twice := pairs.Duplicates(s.Step("duplicates"))
			m := match.Exchange(s.Step("exchange"), match.NewPool(s.Step("pool"), pairs, limit))
			return output{vecs: slices.Concat([]rss.Vec{twice, m.Matched}, m.To, m.From, flags)}
		},
		check: func(c *checker, out output) error { return p.checkCycles(c, out, limit) },
	}
}

// checkCycles wants disjoint cycles within the limit of pairs that suit each other.
func (p *pool) checkCycles(c *checker, out output, limit int) error {
	twice, matched := c.open(out.vecs[0]), c.open(out.vecs[1])
	to, from := c.open(out.vecs[2]), c.open(out.vecs[4])
	if err := c.s.Err(); err != nil {
		return err
	}
	if twice[0] != 0 {
		return errors.New("wrong result: a pair stands there twice")
	}
	ids := slices.IndexFunc(p.program.Candidate, func(in policy.InputInfo) bool { return in.Name == "candidate.id" })
	names := p.recipients.Columns[ids]
	some := false
	for i := range names {
		if matched[i] == 0 && to[i] == 0 && from[i] == 0 {
			continue
		}
		some = true
		at := i
		for length := 1; ; length++ {
			next := slices.Index(names, to[at])
			if length > limit || next < 0 || matched[at] != 1 || !p.arc(at, next) || from[next] != names[at] {
				return fmt.Errorf("wrong result: pair %d is in no cycle", i)
			}
			if at = next; at == i {
				break
			}
		}
	}
	if !some && len(names) >= enoughPairs {
		return errors.New("wrong result: no cycle at all")
	}
	return nil
}

// enoughPairs have a cycle: fewer may have none.
const enoughPairs = 20
