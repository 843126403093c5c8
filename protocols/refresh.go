package protocols

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"consilium/job"
	"consilium/mpc"
)

// refreshing gives all shares of what is deposited new randomness: what somebody had
// copied at one party before, together with what another has after, is as good as noise.
// No site takes part.
//
// Of each chunk the party that keeps seeds alone draws new ones, gives each to its other
// holder, and sends by how much that changes the third component to the two who hold
// that: a number that one of them could work out from its old and new shares, and that is
// uniformly random to both. 1 element of each code and bit to two parties; one round. The
// salt of the third component's commitment the two who hold it draw together: with that
// salt the first party could try guesses of the rows.
//
// The recipient learns the number of the version.
type refreshing struct{}

func (refreshing) name() string { return "refresh" }

func (refreshing) engine() string { return job.EngineShares }

func (refreshing) reads() bool { return false }

func (refreshing) outputs() []string { return []string{snapshotOutput, versionOutput, declaredOutput} }

func (refreshing) plan(p *Plan, j *job.Job, _ *job.Roster) error {
	args := j.Arguments()
	p.Reveals = []string{"the number of the version with new shares, and nothing of any row"}
	return args.Err()
}

func (refreshing) check(n *keeping) error { return n.hasShares() }

// hasShares refuses a job at a party that has none, or can read none.
func (n *keeping) hasShares() error {
	versions, err := n.shares.Versions()
	party := slices.Contains(n.roster.Parties, n.self)
	switch {
	case !party && errors.Is(err, ErrSharesDamaged):
		return nil
	case party && err == nil && len(versions) == 0:
		return ErrNoShares
	}
	return err
}

func (refreshing) perform(w *work, s *mpc.Session) ([]word, Change) {
	if !w.isParty() {
		return nil, nil
	}
	r := &refresh{work: w}
	if err := r.begin(s.Step("versions")); err != nil {
		s.Fail(err)
		if r.change == nil {
			return nil, nil
		}
		return nil, r.change
	}
	at := s.Step(stepCompute)
	r.writing = newWriting(r.change)
	var lanes sync.WaitGroup
	for explicit := range 3 {
		step := at.Step("component", explicit)
		lanes.Go(func() {
			if err := r.lane(step, explicit); err != nil {
				step.Fail(fmt.Errorf("%s: %w", w.Self, err))
			}
		})
	}
	lanes.Wait()
	if err := r.writing.wait(); err != nil {
		s.Fail(err)
	}
	r.gather(at.Step("commitments"))
	version, digest := w.signSnapshot(at, r.next, w.parties)
	if version == nil {
		return nil, r.change
	}
	version.Party, version.Site = true, r.base.Version().Site
	if err := r.change.Finish(version, 0); err != nil {
		s.Fail(err)
	}
	return snapshotWordsOf(digest, r.next), r.change
}

// refresh is a party's part in a refresh.
type refresh struct {
	*work
	change  ShareChange
	base    StoredShares
	next    *ShareSnapshot
	known   [][3]word
	writing *writing
}

func (r *refresh) begin(s *mpc.Session) error {
	id, err := r.commonVersion(s, r.parties)
	if err != nil {
		return err
	}
	if id == (job.Hash{}) {
		return ErrNoShares
	}
	if r.change, err = r.Shares.Begin(s.Context(), id); err != nil {
		return err
	}
	r.base = r.change.Base()
	before := r.base.Version().Snapshot
	if before.Dataset != r.plan.Dataset.Name || !slices.Equal(before.Parties, r.roster.Parties) {
		return r.checkVersion(before)
	}
	next := *before
	next.ID, next.Version, next.Chunks = r.id, before.Version+1, slices.Clone(before.Chunks)
	r.next, r.known = &next, make([][3]word, len(next.Chunks))
	return nil
}

// lane goes through the chunks of one explicit component.
func (r *refresh) lane(s *mpc.Session, explicit int) error {
	dealer := (explicit + 1) % 3
	var coins *mpc.Coins // for seeds at the dealer, for salts at the two others
	if s.Role() == dealer {
		coins = s.OwnCoins()
	} else {
		coins = s.PairCoins(s.Compute()[3-dealer-s.Role()])
	}
	for k := explicit; k < len(r.next.Chunks); k += 3 {
		var err error
		if s.Role() == dealer {
			err = r.renew(s, k, coins)
		} else {
			err = r.follow(s, k, s.Compute()[dealer], coins)
		}
		if err == nil {
			err = s.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// renew draws new seeds for a chunk, of which this party keeps seeds alone.
func (r *refresh) renew(s *mpc.Session, k int, coins *mpc.Coins) error {
	info, role := r.next.Chunks[k], s.Role()
	old, err := r.base.Head(k)
	if err != nil {
		return err
	}
	var seeds [3]mpc.Seed // zeros in the place of the salt
	for i := range seeds {
		if i != info.Explicit {
			coins.Fill(seeds[i][:])
		}
	}
	head := headOf(role, info.Explicit, seeds)
	if err := r.change.PutHead(k, &head); err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(s.Compute()), func(p mpc.PartyID) bool { return p == s.Self() })
	for other, p := range s.Compute() {
		if p != s.Self() {
			theirs := headOf(other, info.Explicit, seeds)
			s.Send(p, headFrame(&theirs))
		}
	}
	for column := PresentColumn; column < len(r.next.Columns) && s.Err() == nil; column++ {
		difference := newBlock(column, info.Rows)
		for _, seed := range []*mpc.Seed{old.A, old.B} {
			difference.addSeed(*seed, column)
		}
		for _, seed := range []*mpc.Seed{head.A, head.B} {
			difference.subSeed(*seed, column)
		}
		sendBlock(s, others, difference)
	}
	r.known[k] = headCommitments(&head, role, info.Explicit, nil)
	return nil
}

// follow takes the new seed and the difference, at a party that holds the explicit
// component, and draws the salt.
func (r *refresh) follow(s *mpc.Session, k int, dealer mpc.PartyID, salts *mpc.Coins) error {
	info, role := r.next.Chunks[k], s.Role()
	frame := s.Recv(dealer, headBytes)
	if frame == nil {
		return nil
	}
	head, err := parseHeadFrame(frame, role, info.Explicit)
	if err != nil {
		return err
	}
	salts.Fill(head.Salt[:])
	if err := r.change.PutHead(k, head); err != nil {
		return err
	}
	commitment, difference := &blockCommitment{salt: *head.Salt}, new(ShareBlock)
	for column := PresentColumn; column < len(r.next.Columns); column++ {
		difference = difference.shaped(column, info.Rows)
		if !recvBlock(s, dealer, difference) {
			return nil
		}
		block, err := r.base.Block(k, column)
		if err != nil {
			return err
		}
		block.add(difference)
		commitment.column(block)
		r.writing.put(k, column, block)
	}
	r.known[k] = headCommitments(head, role, info.Explicit, commitment)
	return nil
}

// gather exchanges commitments: each component has two holders, who have to agree.
func (r *refresh) gather(s *mpc.Session) {
	if s.Err() != nil {
		return
	}
	own := make([]byte, 0, len(r.known)*3*len(word{}))
	for _, k := range r.known {
		own = append(own, slices.Concat(k[0][:], k[1][:], k[2][:])...)
	}
	theirs := mpc.Exchange(s, s.Compute(), own)
	if s.Err() != nil {
		return
	}
	for k := range r.known {
		for c := range 3 {
			at := (3*k + c) * len(word{})
			commitment := r.known[k][c]
			for _, p := range s.Compute() {
				if p == s.Self() {
					continue
				}
				other := word(theirs[p][at:])
				if commitment == (word{}) {
					commitment = other
				}
				if other != (word{}) && other != commitment {
					s.Fail(fmt.Errorf("%s has other shares of chunk %d than the others after the refresh", s.Name(p), k))
					return
				}
			}
			r.next.Chunks[k].Commitments[c] = commitment
		}
	}
}

func (refreshing) result(p *Plan, opened Opened) *Result {
	r := versionResult(p, opened, "New shares of dataset "+p.Dataset.Name)
	r.Tables[0].Notes = []string{"The parties have removed the shares before. A copy that somebody made of one party's is useless with what the others have now."}
	return r
}

func (refreshing) says(p *Plan, r *job.Roster) []string {
	return []string{
		fmt.Sprintf("The parties %s give all shares of what is deposited of dataset %s new randomness, and remove the old ones. No site takes part, and no value changes.", people(r, r.Parties), p.Dataset.Name),
		"It holds against who copied what one party kept before, and what another keeps after; not against who has copied two parties' shares of one version.",
	}
}
