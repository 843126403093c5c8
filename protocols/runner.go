package protocols

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"consilium/job"
	"consilium/mpc"
)

// do goes through the phases.
func (w *work) do(ctx context.Context) (*job.SealedShare, error) {
	if err := w.confirm(ctx); err != nil {
		w.warn(ctx, err)
		return nil, err
	}
	if !slices.Contains(w.members(), w.self) {
		return nil, nil
	}
	return w.run(ctx)
}

// run is the session proper. What it changes in a vault is in force once all have
// said that they are through.
func (w *work) run(ctx context.Context) (*job.SealedShare, error) {
	seeds, agreeErr := w.agree(ctx)
	if agreeErr != nil {
		var err error
		if seeds, err = ownSeeds(ctx); err != nil {
			return nil, err
		}
	}
	s, err := w.newSession(ctx, w.session, seeds)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if agreeErr != nil {
		// In a session, so that the peers hear of it and we of them.
		s.Fail(w.cause(s, agreeErr))
		return nil, s.Err()
	}
	share, change := w.produce(s)
	w.end(s.Step(stepEnd))
	if err := settle(s); err != nil {
		if change != nil {
			change.Discard()
		}
		return nil, err
	}
	if change != nil {
		if err := change.Commit(); err != nil {
			return nil, fmt.Errorf("%s: %w", w.Self, err)
		}
	}
	if w.plan.onShares() {
		w.confirmShares(s.Step(stepCommitted), change)
	}
	return share, nil
}

// produce does the work of the job's engine. It returns this node's share of the
// result, or nil at nodes that seal none, and what the job changes in its vault.
func (w *work) produce(s *mpc.Session) (*job.SealedShare, Change) {
	if err := CheckVault(w.job, w.plan, w.roster, w.Self, w.Vault); err != nil {
		s.Fail(err)
		return nil, nil
	}
	if err := CheckShares(w.job, w.plan, w.roster, w.Self, w.Shares); err != nil {
		s.Fail(err)
		return nil, nil
	}
	switch {
	case w.plan.scoring != nil:
		return w.score(s), nil
	case w.plan.match != nil:
		return w.match(s)
	case w.plan.custody != nil:
		return w.keep(s)
	case w.plan.answers != nil:
		return w.answerStored(s), nil
	case w.plan.mixed != nil:
		return w.computeMixed(s), nil
	case w.plan.program != nil:
		return w.computeShares(s), nil
	case w.plan.collective():
		return w.sumTogether(s), nil
	}
	inputs := w.seal(s)
	if !w.isParty() {
		return nil, nil
	}
	outputs := w.plan.Compute(s.Step(stepCompute), inputs)
	return w.reveal(s.Step(stepReveal), outputs), nil
}

// settle returns what ended the session, if anything did. Where that was the
// context from above and no operation came upon it, the peers hear of it here.
func settle(s *mpc.Session) error {
	err := s.Err()
	if err != nil {
		s.Fail(err)
	}
	return err
}

// ownSeeds makes the seeds of a participant that shares none with others.
func ownSeeds(ctx context.Context) (mpc.Seeds, error) {
	return mpc.Agree(ctx, mpc.Agreement{})
}

// agree makes the parties' pairwise seeds. A site needs only its own, and under
// engine mhe nobody shares any.
func (w *work) agree(ctx context.Context) (mpc.Seeds, error) {
	if !w.isParty() || w.plan.Engine == job.EngineMHE {
		return ownSeeds(ctx)
	}
	w.report(Agreeing, "")
	peers := slices.DeleteFunc(slices.Clone(w.parties), func(p mpc.PartyID) bool { return p == w.self })
	return mpc.Agree(ctx, mpc.Agreement{
		ID: w.session, Self: w.self, Names: w.roster.Names(), Peers: peers,
		Transport: w.Transport, Key: w.Key,
		// A party that has not heard from everybody yet waits for them first, and says
		// who it was that it waited for in vain.
		Timeout: 2 * w.Timeout,
		PeerKey: func(p mpc.PartyID) ed25519.PublicKey { return w.roster.NodeKey(int(p)) },
	})
}

// end waits until every party has sealed its share, and who keeps ciphertexts has
// written or sent them: either all end well, or all fail. Each says so to the others
// with an empty frame.
func (w *work) end(s *mpc.Session) {
	through := slices.Concat(w.parties, w.indexes(w.plan.beside))
	if slices.Contains(through, w.self) {
		for _, p := range w.members() {
			if p != w.self {
				s.Send(p, nil)
			}
		}
	}
	for _, p := range through {
		switch {
		case p == w.self || s.Err() != nil:
		case w.isParty() && !w.plan.collective():
			s.Recv(p, 0) // the three parties are never far apart
		default:
			w.awaitEnd(s, p)
		}
	}
}

// awaitEnd is a site's wait for a party, or under engine mhe for another node. What
// that still has to do may take longer than a single receive may, so only the job's
// own deadline bounds it, beside the other's abort and the loss of its link.
func (w *work) awaitEnd(s *mpc.Session, p mpc.PartyID) {
	_, err := w.Transport.Recv(s.Context(), p, mpc.Channel{Session: s.ID(), Step: s.Path()})
	if err != nil {
		s.Fail(fmt.Errorf("wait until %s has done its part: %w", s.Name(p), w.cause(s, err)))
	}
}

// cause returns why a wait for another node failed with err. A node that leaves
// has mostly said why on its abort channel: its words get the time to arrive.
func (w *work) cause(s *mpc.Session, err error) error {
	if errors.Is(err, mpc.ErrEnded) {
		patience := time.NewTimer(w.Timeout)
		defer patience.Stop()
		select {
		case <-s.Context().Done():
		case <-patience.C:
		}
	}
	if cause := context.Cause(s.Context()); cause != nil {
		return cause
	}
	return err
}
