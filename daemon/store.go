package daemon

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

// Layout says what a program keeps in its state directory.
type Layout struct {
	Program string // who holds the directory: "node" or "coordinator"
	File    string // the database's name in the directory
	Version int    // of the tables, from 1; kept in the file's user_version
	Tables  string // the SQL that makes them
	Readers int    // statements that may be at work at once
}

// Store is a program's SQLite database, in a state directory that this process
// alone holds. Every write is on disk when its method returns.
type Store struct {
	*sql.DB
	lock *os.File
}

// OpenStore opens or makes the store in dir and takes the directory's lock. A
// store of another version is refused, and a directory that other users may look
// into.
func OpenStore(ctx context.Context, dir string, l Layout) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	lock, err := HoldDir(dir, "lock", l.Program)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, l.File)
	if err := ownFile(path); err != nil { // SQLite gives its files beside it the same mode
		return nil, errors.Join(fmt.Errorf("state directory: %w", err), lock.Close())
	}
	db, err := openSQLite(path, l.Readers, url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state directory %s: %w", dir, err), lock.Close())
	}
	s := &Store{DB: db, lock: lock}
	if err := s.prepare(ctx, l); err != nil {
		return nil, errors.Join(fmt.Errorf("state directory %s: %w", dir, err), s.Close())
	}
	return s, nil
}

// ReadStore opens the database of a state directory for reading alone, whether
// or not a process holds the directory.
func ReadStore(dir, file string) (*sql.DB, error) {
	path, err := filepath.Abs(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return openSQLite(path, 1, url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}})
}

// openSQLite takes an absolute path.
func openSQLite(path string, connections int, options url.Values) (*sql.DB, error) {
	source := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// prepare makes the tables of a new store and refuses one of another version.
func (s *Store) prepare(ctx context.Context, l Layout) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		switch version {
		case l.Version:
			return nil
		case 0:
			if _, err := tx.ExecContext(ctx, l.Tables); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", l.Version))
			return err
		}
		return fmt.Errorf("its store has version %d and this program knows %d; run the program that made it or name another directory", version, l.Version)
	})
}

// Write runs f in a transaction that is on disk when Write returns nil, and has
// changed nothing otherwise.
func (s *Store) Write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Close closes the database and frees the directory.
func (s *Store) Close() error {
	return errors.Join(s.DB.Close(), s.lock.Close())
}

// Query reads all rows at once, so that no caller's slowness holds up the store.
func Query[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, text, args...)
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
