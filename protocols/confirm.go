package protocols

import (
	"context"
	"fmt"

	"consilium/mpc"
)

// confirm compares the derived session with every node that takes part over this
// node's own links: a coordinator that hands out different nonces is found out.
func (w *work) confirm(ctx context.Context) error {
	seeds, err := ownSeeds(ctx)
	if err != nil {
		return err
	}
	s, err := w.newSession(ctx, w.confirmSession(), seeds)
	if err != nil {
		return err
	}
	defer s.Close()
	w.exchange(s.Step(stepConfirm))
	return settle(s)
}

func (w *work) exchange(s *mpc.Session) {
	for _, p := range w.among {
		if p != w.self {
			s.Send(p, w.session[:])
		}
	}
	for _, p := range w.among {
		if p == w.self {
			continue
		}
		theirs := s.Recv(p, len(w.session))
		if theirs != nil && mpc.SessionID(theirs) != w.session {
			s.Fail(fmt.Errorf("%s holds another set of session nonces: the coordinator sent different ones; submit the job anew through one that you trust", s.Name(p)))
		}
	}
}

// warn tells the nodes that have confirmed, and are in the run already, that
// this one has not.
func (w *work) warn(ctx context.Context, err error) {
	seeds, seedErr := ownSeeds(ctx)
	if seedErr != nil {
		return // they find out by their own deadlines
	}
	if s, sessionErr := w.newSession(ctx, w.session, seeds); sessionErr == nil {
		s.Fail(err)
		s.Close()
	}
}
