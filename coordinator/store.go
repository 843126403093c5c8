package coordinator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// store is what a coordinator must not forget. A write is on disk when its
// method returns (synchronous=FULL). The desk alone writes; anybody reads. One
// process holds the state directory at a time.
type store struct {
	db   *sql.DB
	lock *os.File
}

const (
	storeFile    = "coordinator.db"
	storeVersion = 1 // of the tables, kept in the file's user_version
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
	share BLOB,                 -- a compute party's, sealed and signed
	PRIMARY KEY (job, node)
) STRICT;
`

// openStore opens or makes the store in dir and takes the directory's lock.
func openStore(dir, study string) (*store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &store{lock: lock}
	if err := s.open(filepath.Join(dir, storeFile), study); err != nil {
		return nil, errors.Join(fmt.Errorf("state directory %s: %w", dir, err), s.close())
	}
	return s, nil
}

func (s *store) open(path, study string) error {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	source := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return err
	}
	s.db = db
	db.SetMaxOpenConns(storeReaders)
	db.SetMaxIdleConns(storeReaders)
	return s.prepare(study)
}

// prepare makes the tables of a new store and refuses a store of another
// version or study.
func (s *store) prepare(study string) error {
	return s.write(func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		switch version {
		case 0:
			if _, err := tx.Exec(storeTables); err != nil {
				return err
			}
			if _, err := tx.Exec("INSERT INTO study VALUES (?)", study); err != nil {
				return err
			}
			_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", storeVersion))
			return err
		case storeVersion:
		default:
			return fmt.Errorf("its store has version %d, this program knows %d; use the program that made it", version, storeVersion)
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

func (s *store) close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	return errors.Join(err, s.lock.Close())
}

// write runs f in one transaction.
func (s *store) write(f func(*sql.Tx) error) error {
	ctx, cancel := patience()
	defer cancel()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// query reads all rows at once, so that no caller's slowness holds up the store.
func query[T any](s *store, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	ctx, cancel := patience()
	defer cancel()
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// patience is independent of any caller: one that hangs up does not leave it
// open whether a write took place.
func patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), storeWait)
}
