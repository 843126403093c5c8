package coordinator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"consilium/daemon"
)

// store is what a coordinator must not forget. A write is on disk when its
// method returns. The desk alone writes; anybody reads. One process holds the
// state directory at a time: two coordinators with one store would run each job
// twice.
type store struct{ db *daemon.Store }

const (
	storeFile    = "coordinator.db"
	storeVersion = 2 // of the tables, kept in the file's user_version
	// storeWait bounds a statement: whoever waits longer has a broken disk.
	storeWait = 30 * time.Second
	// storeReaders bounds how many clients read at once.
	storeReaders = 8
)

const storeTables = `
CREATE TABLE study (
	name TEXT NOT NULL
) STRICT;

CREATE TABLE jobs (
	number    INTEGER PRIMARY KEY AUTOINCREMENT, -- order of arrival
	id        BLOB NOT NULL UNIQUE,
	bytes     BLOB NOT NULL,    -- the job as it was signed
	signer    BLOB NOT NULL,    -- its signer's public key
	signature BLOB NOT NULL,
	client    TEXT NOT NULL,    -- the signer's name
	study     TEXT NOT NULL,
	dataset   TEXT NOT NULL,
	analysis  TEXT NOT NULL,
	recipient BLOB NOT NULL,
	expires   INTEGER NOT NULL, -- unix milliseconds, as all times here
	submitted INTEGER NOT NULL,
	changed   INTEGER NOT NULL,
	state     INTEGER NOT NULL, -- a State of the API
	reason    TEXT NOT NULL DEFAULT '',
	offered   INTEGER NOT NULL DEFAULT 0, -- nodes may know of it
	cancel    BLOB              -- the signer's cancellation
) STRICT;
CREATE INDEX jobs_signer ON jobs (signer, number);
CREATE INDEX jobs_state ON jobs (state, changed);

-- What open jobs bring along; it goes with the job's end.
CREATE TABLE attachments (
	job   INTEGER PRIMARY KEY REFERENCES jobs,
	bytes BLOB NOT NULL
) STRICT;

CREATE TABLE events (
	job      INTEGER NOT NULL REFERENCES jobs,
	sequence INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	state    INTEGER NOT NULL,
	node     TEXT NOT NULL,
	phase    TEXT NOT NULL,
	detail   TEXT NOT NULL,
	PRIMARY KEY (job, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
	job       INTEGER NOT NULL REFERENCES jobs,
	node      TEXT NOT NULL,
	accept    INTEGER NOT NULL,
	reason    TEXT NOT NULL,
	nonce     BLOB,
	signature BLOB NOT NULL,
	PRIMARY KEY (job, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE outcomes (
	job   INTEGER NOT NULL REFERENCES jobs,
	node  TEXT NOT NULL,
	error TEXT NOT NULL,
	share BLOB,                 -- of a node that seals, signed
	PRIMARY KEY (job, node)
) STRICT;
`

// openStore opens or makes the store of a study in dir and takes the directory's
// lock.
func openStore(dir, study string) (*store, error) {
	ctx, cancel := patience()
	defer cancel()
	db, err := daemon.OpenStore(ctx, dir, daemon.Layout{
		Program: "coordinator", File: storeFile, Version: storeVersion, Tables: storeTables, Readers: storeReaders,
	})
	if err != nil {
		return nil, err
	}
	s := &store{db: db}
	if err := s.claim(study); err != nil {
		return nil, errors.Join(fmt.Errorf("state directory %s: %w", dir, err), s.close())
	}
	return s, nil
}

// claim makes a new store the study's and refuses one of another study.
func (s *store) claim(study string) error {
	return s.write(func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO study SELECT ? WHERE NOT EXISTS (SELECT * FROM study)", study); err != nil {
			return err
		}
		var holds string
		if err := tx.QueryRow("SELECT name FROM study").Scan(&holds); err != nil {
			return err
		}
		if holds != study {
			return fmt.Errorf("it belongs to study %q, not to %q; name another directory", holds, study)
		}
		return nil
	})
}

func (s *store) close() error { return s.db.Close() }

// write runs f in one transaction.
func (s *store) write(f func(*sql.Tx) error) error {
	ctx, cancel := patience()
	defer cancel()
	return s.db.Write(ctx, f)
}

func query[T any](s *store, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	ctx, cancel := patience()
	defer cancel()
	return daemon.Query(ctx, s.db.DB, scan, text, args...)
}

// patience is independent of any caller: one that hangs up does not leave it
// open whether a write took place.
func patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), storeWait)
}
