package coordinator

import (
	"database/sql"
	"time"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// record is a job as the store holds it.
type record struct {
	number    int64 // order of arrival
	id        job.Hash
	signed    *job.Signed
	client    string // the signer's name
	study     string
	dataset   string
	analysis  string
	recipient []byte
	expires   time.Time
	submitted time.Time
	changed   time.Time
	state     api.State
	reason    string
	offered   bool   // nodes may know of it
	cancel    []byte // the signer's cancellation
}

const recordColumns = `number, id, bytes, signer, signature, client, study, dataset, analysis,
	recipient, expires, submitted, changed, state, reason, offered, cancel`

func scanRecord(rows *sql.Rows) (*record, error) {
	var id []byte
	var expires, submitted, changed int64
	r := &record{signed: new(job.Signed)}
	err := rows.Scan(&r.number, &id, &r.signed.Bytes, (*[]byte)(&r.signed.Signer), &r.signed.Signature, &r.client,
		&r.study, &r.dataset, &r.analysis, &r.recipient, &expires, &submitted, &changed,
		&r.state, &r.reason, &r.offered, &r.cancel)
	if err != nil {
		return nil, err
	}
	r.expires, r.submitted, r.changed = time.UnixMilli(expires), time.UnixMilli(submitted), time.UnixMilli(changed)
	r.id, err = wire.HashFrom("stored job id", id)
	return r, err
}

// over says that nothing more can happen to a job in this state.
func over(s api.State) bool {
	switch s {
	case api.State_STATE_QUEUED, api.State_STATE_DECIDING, api.State_STATE_RUNNING:
		return false
	}
	return true
}

func (r *record) status() *api.JobStatus {
	return &api.JobStatus{
		Id: r.id[:], State: r.state, Reason: r.reason,
		SubmittedUnixMs: r.submitted.UnixMilli(), ChangedUnixMs: r.changed.UnixMilli(),
		Study: r.study, Dataset: r.dataset, Analysis: r.analysis, Signer: r.client,
	}
}

// end is what nodes are told of a job that ended otherwise than by their work.
func (r *record) end() *api.JobEnd {
	return &api.JobEnd{JobId: r.id[:], Reason: r.reason, Signature: r.cancel}
}

// insert stores a new job with what it brings along and its first events, and gives it
// its number.
func (s *store) insert(r *record, attachment []byte, events []*api.Event) error {
	return s.write(func(tx *sql.Tx) error {
		row, err := tx.Exec(`INSERT INTO jobs (id, bytes, signer, signature, client, study, dataset, analysis,
			recipient, expires, submitted, changed, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.id[:], r.signed.Bytes, []byte(r.signed.Signer), r.signed.Signature, r.client, r.study, r.dataset, r.analysis,
			r.recipient, r.expires.UnixMilli(), r.submitted.UnixMilli(), r.changed.UnixMilli(), int32(r.state))
		if err != nil {
			return err
		}
		if r.number, err = row.LastInsertId(); err != nil {
			return err
		}
		if len(attachment) > 0 {
			if _, err := tx.Exec("INSERT INTO attachments (job, bytes) VALUES (?, ?)", r.number, attachment); err != nil {
				return err
			}
		}
		return insertEvents(tx, r.number, events)
	})
}

// attachment returns what a job that is not over brings along, if anything.
func (s *store) attachment(number int64) ([]byte, error) {
	found, err := query(s, func(rows *sql.Rows) (b []byte, err error) {
		err = rows.Scan(&b)
		return b, err
	}, "SELECT bytes FROM attachments WHERE job = ?", number)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// record returns the job of that id, or nil.
func (s *store) record(id job.Hash) (*record, error) {
	found, err := query(s, scanRecord, "SELECT "+recordColumns+" FROM jobs WHERE id = ?", id[:])
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// openRecords returns the jobs that are not over, in order of arrival.
func (s *store) openRecords() ([]*record, error) {
	return query(s, scanRecord, "SELECT "+recordColumns+" FROM jobs WHERE state IN (?, ?, ?) ORDER BY number",
		int32(api.State_STATE_QUEUED), int32(api.State_STATE_DECIDING), int32(api.State_STATE_RUNNING))
}

// list returns a signer's jobs before that number, newest first.
func (s *store) list(signer []byte, before int64, limit int) ([]*record, error) {
	return query(s, scanRecord, "SELECT "+recordColumns+" FROM jobs WHERE signer = ? AND number < ? ORDER BY number DESC LIMIT ?",
		signer, before, limit)
}

// endedUnheard returns the jobs that were offered to nodes and ended since then
// without this node saying no or telling how they went: it may not know that
// they are over.
func (s *store) endedUnheard(node string, since time.Time, limit int) ([]*record, error) {
	return query(s, scanRecord, "SELECT "+recordColumns+` FROM jobs j
		WHERE state IN (?, ?, ?, ?) AND changed >= ? AND offered
		AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.job = j.number AND o.node = ?)
		AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.job = j.number AND d.node = ? AND NOT d.accept)
		ORDER BY number DESC LIMIT ?`,
		int32(api.State_STATE_REJECTED), int32(api.State_STATE_FAILED), int32(api.State_STATE_CANCELLED), int32(api.State_STATE_EXPIRED),
		since.UnixMilli(), node, node, limit)
}

// countByState counts all jobs.
func (s *store) countByState() (map[api.State]int, error) {
	counts := make(map[api.State]int)
	_, err := query(s, func(rows *sql.Rows) (struct{}, error) {
		var state api.State
		var n int
		err := rows.Scan(&state, &n)
		counts[state] = n
		return struct{}{}, err
	}, "SELECT state, count(*) FROM jobs GROUP BY state")
	return counts, err
}
