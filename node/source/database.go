package source

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"

	"github.com/duckdb/duckdb-go/v2"
)

const (
	// baseMemory is what a database may use beside the data it holds, in bytes.
	baseMemory = 512 << 20
	// maxThreads keeps one query from taking a whole machine.
	maxThreads = 4
)

// openDatabase opens an embedded database in memory that can load no extension,
// writes nothing to disk and reaches no files but those at paths, read-only. Nothing
// of that can be changed afterwards. memory is its limit in bytes.
func openDatabase(ctx context.Context, memory int64, paths ...string) (*sql.DB, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("the embedded database does not start: %w", err)
	}
	db := sql.OpenDB(connector)
	// One connection: a source serves one job, and a job one query, at a time.
	db.SetMaxOpenConns(1)
	for _, q := range settings(memory, paths) {
		if _, err := db.ExecContext(ctx, q); err != nil {
			db.Close()
			return nil, fmt.Errorf("the embedded database does not start: %w", err)
		}
	}
	return db, nil
}

// settings are the statements that make a new database so.
func settings(memory int64, paths []string) []string {
	list := []string{
		fmt.Sprintf("SET threads = %d", min(runtime.GOMAXPROCS(0), maxThreads)),
		fmt.Sprintf("SET memory_limit = '%dB'", memory),
		"SET temp_directory = ''", // records are not spilled to disk
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET allow_persistent_secrets = false",
		"SET enable_logging = false",
		"SET enable_external_file_cache = false", // a file is read anew by every query
	}
	if len(paths) > 0 {
		list = append(list, "SET allowed_paths = ["+duckDB.literals(paths)+"]")
	}
	return append(list, "SET enable_external_access = false", "SET lock_configuration = true")
}
