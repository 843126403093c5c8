package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"consilium/job"
)

// parties is how many compute parties there are.
const parties = 3

// runner runs one party until it has measured, and tells its address once that
// is known.
type runner func(ctx context.Context, o *order, ready func(address string) error) (*measured, error)

// together runs all parties or sites of an order, each at its place, with keys made
// for this run, and returns what each measured. The first failure ends all.
func together(ctx context.Context, places []place, run func(p place) runner, o order) ([]*measured, error) {
	orders, err := draw(o, len(places))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type ending struct {
		party int
		m     *measured
		err   error
	}
	endings := make(chan ending, len(places))
	started, failed, out := 0, error(nil), make([]*measured, len(places))
	note := func(r ending) {
		if out[r.party] = r.m; r.err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", orders[r.party].Names[r.party], r.err)
			cancel()
		}
	}
	// The later parties first: the earlier ones dial them.
	addresses := make([]string, len(places))
	for i := len(places) - 1; i >= 0 && failed == nil; i-- {
		orders[i].Addresses, orders[i].Listen = slices.Clone(addresses), places[i].listen
		address := make(chan string, 1)
		started++
		go func() {
			m, err := run(places[i])(ctx, orders[i], func(a string) error { address <- a; return nil })
			endings <- ending{i, m, err}
		}()
		select {
		case addresses[i] = <-address:
		case r := <-endings:
			note(r)
			started--
		}
	}
	for ; started > 0; started-- {
		note(<-endings)
	}
	return out, failed
}

// draw makes the orders of n parties or sites: fresh keys, session and seed of the data.
func draw(o order, n int) ([]*order, error) {
	o.Session, o.Data = make([]byte, 32), make([]byte, 32)
	for _, b := range [][]byte{o.Session, o.Data} {
		if _, err := rand.Read(b); err != nil {
			return nil, err
		}
	}
	role := "party"
	if o.Sites != nil {
		role = "site"
	}
	orders := make([]*order, n)
	o.Names, o.Certificates = nil, nil
	for i := range orders {
		own := o
		orders[i] = &own
		id, err := job.NewIdentity(fmt.Sprintf("%s-%d", role, i+1), nil)
		if err != nil {
			return nil, err
		}
		own.Self, own.Key = i, id.Key.Seed()
		o.Names, o.Certificates = append(o.Names, id.Name), append(o.Certificates, id.Certificate)
	}
	for _, own := range orders {
		own.Names, own.Certificates = o.Names, o.Certificates
	}
	return orders, nil
}
