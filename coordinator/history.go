package coordinator

import (
	"database/sql"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// change is one step of a job's way. All of it is stored in one transaction.
type change struct {
	events   []*api.Event
	decision *job.Decision
	outcome  *outcome

	// With a state other than the job's, and what belongs to it:
	state   api.State
	reason  string
	cancel  []byte
	offered bool
}

// outcome is how a job ended at a node.
type outcome struct {
	id    job.Hash
	node  string
	error string           // empty: the node did its part
	share *job.SealedShare // of a node that seals and did its part
}

// apply stores a change of the job of that number.
func (s *store) apply(number int64, at time.Time, c *change) error {
	return s.write(func(tx *sql.Tx) error {
		if err := insertEvents(tx, number, c.events); err != nil {
			return err
		}
		if d := c.decision; d != nil {
			_, err := tx.Exec("INSERT INTO decisions (job, node, accept, reason, nonce, signature) VALUES (?, ?, ?, ?, ?, ?)",
				number, d.Node, d.Accept, d.Reason, d.Nonce, d.Signature)
			if err != nil {
				return err
			}
		}
		if c.outcome != nil {
			if err := insertOutcome(tx, number, c.outcome); err != nil {
				return err
			}
		}
		if c.state == api.State_STATE_UNSPECIFIED {
			return nil
		}
		if over(c.state) {
			if _, err := tx.Exec("DELETE FROM attachments WHERE job = ?", number); err != nil {
				return err
			}
		}
		_, err := tx.Exec("UPDATE jobs SET state = ?, reason = ?, changed = ?, cancel = ?, offered = offered OR ? WHERE number = ?",
			int32(c.state), c.reason, at.UnixMilli(), c.cancel, c.offered, number)
		return err
	})
}

// late stores the outcome of a job that is over: that the node told is kept, so
// that it is not asked again; a share of such a job is of no use.
func (s *store) late(number int64, o *outcome) error {
	return s.write(func(tx *sql.Tx) error {
		return insertOutcome(tx, number, &outcome{node: o.node, error: o.error})
	})
}

func insertOutcome(tx *sql.Tx, number int64, o *outcome) error {
	var share any // NULL where there is none
	if o.share != nil {
		encoded, err := encodeShare(o.share)
		if err != nil {
			return err
		}
		share = encoded
	}
	_, err := tx.Exec("INSERT INTO outcomes (job, node, error, share) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		number, o.node, job.Printable(o.error, maxDetail), share)
	return err
}

func insertEvents(tx *sql.Tx, number int64, events []*api.Event) error {
	for _, e := range events {
		_, err := tx.Exec("INSERT INTO events (job, sequence, at, state, node, phase, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
			number, e.Sequence, e.UnixMs, int32(e.State), e.Node, e.Phase, e.Detail)
		if err != nil {
			return err
		}
	}
	return nil
}

// events returns a job's events after a sequence, at most limit of them.
func (s *store) events(number, after int64, limit int) ([]*api.Event, error) {
	return query(s, func(rows *sql.Rows) (*api.Event, error) {
		e := new(api.Event)
		err := rows.Scan(&e.Sequence, &e.UnixMs, &e.State, &e.Node, &e.Phase, &e.Detail)
		return e, err
	}, "SELECT sequence, at, state, node, phase, detail FROM events WHERE job = ? AND sequence > ? ORDER BY sequence LIMIT ?",
		number, after, limit)
}

// eventCounts returns how many events a job has, by node.
func (s *store) eventCounts(number int64) (map[string]int, error) {
	counts := make(map[string]int)
	_, err := query(s, func(rows *sql.Rows) (struct{}, error) {
		var node string
		var n int
		err := rows.Scan(&node, &n)
		counts[node] = n
		return struct{}{}, err
	}, "SELECT node, count(*) FROM events WHERE job = ? GROUP BY node", number)
	return counts, err
}

// decisions returns the nodes' answers to a job.
func (s *store) decisions(r *record) ([]job.Decision, error) {
	return query(s, func(rows *sql.Rows) (job.Decision, error) {
		d := job.Decision{Job: r.id}
		err := rows.Scan(&d.Node, &d.Accept, &d.Reason, &d.Nonce, &d.Signature)
		return d, err
	}, "SELECT node, accept, reason, nonce, signature FROM decisions WHERE job = ? ORDER BY node", r.number)
}

// reported returns the nodes that told how a job went.
func (s *store) reported(number int64) ([]string, error) {
	return query(s, func(rows *sql.Rows) (node string, err error) {
		err = rows.Scan(&node)
		return node, err
	}, "SELECT node FROM outcomes WHERE job = ?", number)
}

// shares returns the sealed shares of a job.
func (s *store) shares(number int64) ([]*api.SealedShare, error) {
	return query(s, func(rows *sql.Rows) (*api.SealedShare, error) {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		return decodeShare(b)
	}, "SELECT share FROM outcomes WHERE job = ? AND share IS NOT NULL ORDER BY node", number)
}

// encodeShare is the form in which a share is stored; decodeShare is as strict
// with it as with one from the wire.
func encodeShare(s *job.SealedShare) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(wire.ShareTo(s))
}

func decodeShare(b []byte) (*api.SealedShare, error) {
	m := new(api.SealedShare)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("stored share cannot be read: %w", err)
	}
	if _, err := wire.ShareFrom(m); err != nil {
		return nil, err
	}
	return m, nil
}

// resultBytes returns how much all stored shares take.
func (s *store) resultBytes() (int64, error) {
	sums, err := query(s, func(rows *sql.Rows) (n int64, err error) {
		err = rows.Scan(&n)
		return n, err
	}, "SELECT coalesce(sum(length(share)), 0) FROM outcomes")
	if err != nil || len(sums) == 0 {
		return 0, err
	}
	return sums[0], nil
}
