package protocols

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"consilium/job"
	"consilium/mpc"
)

// rebuilding gives a party that has lost its shares, or cannot read them, what it had:
// each of its two components is held by one of the others. It holds what comes against
// the commitments of the version, which both tell alike and have signed.
//
// The recipient learns the number of the version.
type rebuilding struct{}

func (rebuilding) name() string { return "rebuild" }

func (rebuilding) engine() string { return job.EngineShares }

func (rebuilding) reads() bool { return false }

func (rebuilding) outputs() []string { return []string{snapshotOutput, versionOutput, declaredOutput} }

func (rebuilding) plan(p *Plan, j *job.Job, r *job.Roster) error {
	args := j.Arguments()
	party := args.String("party")
	if err := args.Err(); err != nil {
		return err
	}
	if !slices.Contains(r.Parties, party) {
		return fmt.Errorf("party is %.64q, which is none: %s", party, job.Near(party, r.Parties))
	}
	p.Detail = party
	p.Reveals = []string{"the number of the version that is rebuilt, and nothing of any row"}
	return nil
}

func (rebuilding) check(n *keeping) error {
	if n.self == n.plan.Detail.(string) {
		return nil
	}
	return n.hasShares()
}

func (rebuilding) perform(w *work, s *mpc.Session) ([]word, Change) {
	if !w.isParty() {
		return nil, nil
	}
	r := &rebuild{work: w, lost: mpc.PartyID(w.roster.NodeIndex(w.plan.Detail.(string)))}
	for role, p := range w.parties {
		if p == r.lost {
			r.role = role
		} else {
			r.others = append(r.others, p)
		}
	}
	if r.lost == w.self {
		return r.receive(s.Step(stepCompute))
	}
	return r.serve(s.Step(stepCompute)), nil
}

// rebuild is a party's part in a rebuild.
type rebuild struct {
	*work
	lost   mpc.PartyID
	role   int // of the lost party
	others []mpc.PartyID
}

// serve is what the others do.
func (r *rebuild) serve(s *mpc.Session) []word {
	words, err := r.hand(s)
	if err != nil {
		s.Fail(err)
	}
	return words
}

func (r *rebuild) hand(s *mpc.Session) ([]word, error) {
	id, err := r.commonVersion(s.Step("versions"), r.others)
	if err != nil {
		return nil, err
	}
	if id == (job.Hash{}) {
		return nil, ErrNoShares
	}
	stored, err := r.Shares.Open(id)
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	version := stored.Version()
	text := version.Snapshot.Bytes()
	at := s.Step("shares", s.Role())
	sendText(at, r.lost, text)
	at.Send(r.lost, job.SignSnapshot(text, r.Key))
	component := r.component(s.Role())
	for k := range version.Snapshot.Chunks {
		if err := r.handChunk(at, stored, k, component); err != nil {
			return nil, err
		}
		if s.Err() != nil {
			return nil, nil
		}
	}
	return snapshotWordsOf(sha256.Sum256(text), version.Snapshot), nil
}

// component is which the party of a role brings: the one before the lost party the first
// of its two, the one after it the second.
func (r *rebuild) component(role int) int {
	if (role+1)%3 == r.role {
		return r.role
	}
	return (r.role + 1) % 3
}

func (r *rebuild) handChunk(s *mpc.Session, stored StoredShares, k, component int) error {
	snapshot := stored.Version().Snapshot
	head, err := stored.Head(k)
	if err != nil {
		return err
	}
	var seed *mpc.Seed
	switch {
	case component == snapshot.Chunks[k].Explicit:
		seed = head.Salt
	case component == s.Role():
		seed = head.A
	default:
		seed = head.B
	}
	if seed == nil {
		return fmt.Errorf("the seeds of chunk %d are incomplete", k)
	}
	s.Send(r.lost, seed[:])
	if component != snapshot.Chunks[k].Explicit {
		return nil
	}
	for column := PresentColumn; column < len(snapshot.Columns) && s.Err() == nil; column++ {
		block, err := stored.Block(k, column)
		if err != nil {
			return err
		}
		sendBlock(s, []mpc.PartyID{r.lost}, block)
	}
	return nil
}

// receive is what the lost party does.
func (r *rebuild) receive(s *mpc.Session) ([]word, Change) {
	snapshot, text, signatures := r.describe(s)
	if snapshot == nil {
		return nil, nil
	}
	change, err := r.Shares.Begin(s.Context(), job.Hash{})
	if err != nil {
		s.Fail(err)
		return nil, nil
	}
	writing := newWriting(change)
	for k := 0; k < len(snapshot.Chunks) && s.Err() == nil; k++ {
		if err := r.takeChunk(s, change, writing, snapshot, k); err != nil {
			s.Fail(err)
		}
	}
	if err := writing.wait(); err != nil {
		s.Fail(err)
	}
	if s.Err() == nil {
		version := &ShareVersion{Snapshot: snapshot, Signatures: signatures, Party: true, Site: r.ownSource(snapshot)}
		if err := change.Finish(version, 0); err != nil {
			s.Fail(err)
		}
	}
	return snapshotWordsOf(sha256.Sum256(text), snapshot), change
}

// from is the step on which another party's shares come.
func (r *rebuild) from(s *mpc.Session, p mpc.PartyID) *mpc.Session {
	return s.Step("shares", slices.Index(r.parties, p))
}

// describe takes what both others say of the version.
func (r *rebuild) describe(s *mpc.Session) (*ShareSnapshot, []byte, []ShareSignature) {
	var first []byte
	var signatures []ShareSignature
	for _, p := range r.others {
		at := r.from(s, p)
		text := recvText(at, p, MaxSnapshotBytes)
		if text == nil {
			return nil, nil, nil
		}
		signature := at.Recv(p, ed25519.SignatureSize)
		switch {
		case signature == nil:
			return nil, nil, nil
		case !job.VerifySnapshot(text, r.roster.NodeKey(int(p)), signature):
			s.Fail(fmt.Errorf("%s has not signed the version that it tells of", s.Name(p)))
			return nil, nil, nil
		case first != nil && !bytes.Equal(first, text):
			s.Fail(errors.New("the other parties tell of different versions: deposit the dataset anew"))
			return nil, nil, nil
		}
		first = text
		signatures = append(signatures, ShareSignature{s.Name(p), signature})
	}
	snapshot, err := ParseShareSnapshot(first)
	if err == nil {
		err = r.checkVersion(snapshot)
	}
	if err != nil {
		s.Fail(err)
		return nil, nil, nil
	}
	return snapshot, first, signatures
}

// takeChunk receives both components of a chunk, and holds them against the commitments.
func (r *rebuild) takeChunk(s *mpc.Session, change ShareChange, writing *writing, snapshot *ShareSnapshot, k int) error {
	info := snapshot.Chunks[k]
	var seeds [3]mpc.Seed
	for _, p := range r.others {
		at := r.from(s, p)
		component := r.component(slices.Index(r.parties, p))
		frame := at.Recv(p, mpc.SeedSize)
		if frame == nil {
			return nil
		}
		seeds[component] = mpc.Seed(frame)
		commitment := seedCommitment(seeds[component])
		if component == info.Explicit {
			blocks := blockCommitment{salt: seeds[component]}
			for column := PresentColumn; column < len(snapshot.Columns); column++ {
				block := writing.block(column, info.Rows)
				if !recvBlock(at, p, block) {
					return nil
				}
				blocks.column(block)
				writing.put(k, column, block)
			}
			commitment = blocks.sum()
		}
		if commitment != info.Commitments[component] {
			return fmt.Errorf("what %s sent of chunk %d is not what was deposited", s.Name(p), k)
		}
	}
	head := headOf(r.role, info.Explicit, seeds)
	return change.PutHead(k, &head)
}

// ownSource keeps, at a party that is a site too, how far its rows went, if it still
// knows.
func (r *rebuild) ownSource(snapshot *ShareSnapshot) *ShareSource {
	versions, err := r.Shares.Versions()
	if err != nil {
		return nil
	}
	for _, v := range versions {
		if v.Snapshot.sameRows(snapshot, r.Self) {
			return v.Site
		}
	}
	return nil
}

func (rebuilding) result(p *Plan, opened Opened) *Result {
	party := p.Detail.(string)
	r := versionResult(p, opened, "Shares of dataset "+p.Dataset.Name+" at "+party)
	r.Tables[0].Notes = []string{"All that came was held against the commitments. If what was lost may be in other hands, run consilium refresh " + p.Dataset.Name + "."}
	return r
}

func (rebuilding) says(p *Plan, r *job.Roster) []string {
	party := p.Detail.(string)
	return []string{
		fmt.Sprintf("The other parties give %s once more its own two of the three components of all that is deposited of dataset %s; it learns nothing that it did not have.", people(r, []string{party}), p.Dataset.Name),
		"If what it lost may be in other hands, refresh the shares afterwards.",
	}
}
