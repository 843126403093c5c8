package node

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// store is what a node must not forget: the nonces that are consumed, each
// decision, how each job went, outcomes that the coordinator has not yet
// acknowledged. One row of jobs is also the audit record of that job.
//
// Every write is on disk when its method returns (synchronous=FULL). One
// process holds the state directory at a time.
type store struct {
	db   *sql.DB
	lock *os.File
}

// storeFile is the database's name in the state directory.
const storeFile = "node.db"

// storeVersion is the version of the tables, kept in the file's user_version.
const storeVersion = 1

const storeTables = `
CREATE TABLE nonces (
	signer BLOB NOT NULL,
	nonce  BLOB NOT NULL,
	job    BLOB NOT NULL,
	PRIMARY KEY (signer, nonce)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
	id                 BLOB NOT NULL PRIMARY KEY,
	bytes              BLOB NOT NULL,    -- the job as it was signed
	signer             BLOB NOT NULL,    -- its signer's public key
	signature          BLOB NOT NULL,
	signer_name        TEXT NOT NULL,
	recipient_name     TEXT NOT NULL,    -- who may open what is revealed
	reveals            TEXT NOT NULL,    -- JSON list of sentences
	node               TEXT NOT NULL,    -- who decided: this node
	accept             INTEGER NOT NULL,
	reason             TEXT NOT NULL,
	nonce              BLOB,             -- of the decision
	decision_signature BLOB NOT NULL,
	decided            INTEGER NOT NULL, -- unix milliseconds, as all times here
	state              TEXT NOT NULL,
	session            BLOB,
	started            INTEGER,
	error              TEXT NOT NULL DEFAULT '',
	ended              INTEGER,
	outcome            BLOB,             -- what is still to be told; NULL once acknowledged
	outcome_hash       BLOB              -- SHA-256 of what left this node
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_state ON jobs (state);
CREATE INDEX jobs_outcome ON jobs (id) WHERE outcome IS NOT NULL;
`

// openStore opens or makes the store in dir and takes the directory's lock.
func openStore(ctx context.Context, dir string) (*store, error) {
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
	path := filepath.Join(dir, storeFile)
	db, err := openSQLite(path, url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)",
	}})
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	s := &store{db: db, lock: lock}
	if err := s.prepare(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return s, nil
}

func openSQLite(path string, options url.Values) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // one writer; every transaction here is short
	return db, nil
}

// prepare makes the tables in a new store and refuses a newer one.
func (s *store) prepare(ctx context.Context) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		switch version {
		case storeVersion:
			return nil
		case 0:
			if _, err := tx.ExecContext(ctx, storeTables); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", storeVersion))
			return err
		default:
			return fmt.Errorf("it has version %d and this program knows %d; run the newer program or name another state directory", version, storeVersion)
		}
	})
}

func (s *store) close() error {
	return errors.Join(s.db.Close(), s.lock.Close())
}

// transact runs f in a transaction that is on disk when transact returns nil.
func (s *store) transact(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
