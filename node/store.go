package node

import (
	"context"

	"consilium/daemon"
)

// store is what a node must not forget: the nonces that are consumed, each
// decision, how each job went, outcomes that the coordinator has not yet
// acknowledged. One row of jobs is also the audit record of that job.
//
// Every write is on disk when its method returns. One process holds the state
// directory at a time: two nodes with one store would accept one nonce twice.
type store struct{ db *daemon.Store }

// storeFile is the database's name in the state directory.
const storeFile = "node.db"

// storeVersion is the version of the tables, kept in the file's user_version.
const storeVersion = 5

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
	dataset            TEXT NOT NULL,
	reveals            TEXT NOT NULL,    -- JSON list of sentences
	node               TEXT NOT NULL,    -- who decided: this node
	accept             INTEGER NOT NULL,
	reason             TEXT NOT NULL,
	nonce              BLOB,             -- of the decision
	decision_signature BLOB NOT NULL,
	decided            INTEGER NOT NULL, -- unix milliseconds, as all times here
	state              TEXT NOT NULL,
	session            BLOB,
	decisions          BLOB,             -- every node's, from which the session follows: a Start message
	started            INTEGER,
	error              TEXT NOT NULL DEFAULT '',
	ended              INTEGER,
	outcome            BLOB,             -- what is still to be told; NULL once acknowledged
	share_outputs      BLOB,             -- hash of what this node sealed, if it seals
	share_signature    BLOB,             -- its signature over that
	outcome_hash       BLOB              -- job.OutcomeHash of what left this node
) STRICT, WITHOUT ROWID;

-- What jobs that have not ended bring along.
CREATE TABLE attachments (
	job   BLOB NOT NULL PRIMARY KEY REFERENCES jobs,
	bytes BLOB NOT NULL
) STRICT;

-- Questions to panels about a hospital's candidates that were accepted of late.
CREATE TABLE queries (
	hospital TEXT NOT NULL,
	decided  INTEGER NOT NULL,
	job      BLOB NOT NULL,
	PRIMARY KEY (hospital, decided, job)
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_state ON jobs (state);
CREATE INDEX jobs_budget ON jobs (signer, dataset, decided) WHERE accept = 1;
CREATE INDEX jobs_outcome ON jobs (id) WHERE outcome IS NOT NULL;
`

// openStore opens or makes the store in dir and takes the directory's lock.
func openStore(ctx context.Context, dir string) (*store, error) {
	db, err := daemon.OpenStore(ctx, dir, daemon.Layout{
		Program: "node", File: storeFile, Version: storeVersion, Tables: storeTables,
		Readers: 1, // every statement here is short
	})
	if err != nil {
		return nil, err
	}
	return &store{db}, nil
}

func (s *store) close() error { return s.db.Close() }
