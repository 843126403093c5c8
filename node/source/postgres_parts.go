package source

import (
	"context"
)

// maxParts caps how many parts of a table are summed by themselves: a query names each.
const maxParts = 64

// partitions asks for the leaves of a partitioned table of which some lie on other
// servers, by their names in quotes. There is none where the user may not read a leaf by
// its own name, or rows of its own are what a policy leaves each user: then the table is
// asked as a whole.
const partitions = `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind = 'f', t.isleaf,
 has_table_privilege(c.oid, 'SELECT') AND NOT c.relrowsecurity
 FROM pg_partition_tree(to_regclass($1)) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1`

// postgresParts finds the parts of a table that lie apart. PostgreSQL hands a whole
// aggregate over one foreign table on to its server, and never a part of an aggregate
// over several: all rows would travel.
func postgresParts(ctx context.Context, db querier, table string) ([]string, error) {
	run := func(sql string) error {
		rows, err := db.QueryContext(ctx, sql)
		if err != nil {
			return err
		}
		return rows.Close()
	}
	// What speaks this protocol without such a catalogue has one table; its error must
	// not end the transaction.
	if err := run("SAVEPOINT parts"); err != nil {
		return nil, err
	}
	parts, err := readParts(ctx, db, table)
	if err != nil {
		return nil, run("ROLLBACK TO SAVEPOINT parts")
	}
	return parts, run("RELEASE SAVEPOINT parts")
}

func readParts(ctx context.Context, db querier, table string) ([]string, error) {
	rows, err := db.QueryContext(ctx, partitions, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var parts []string
	apart, open := false, true
	for rows.Next() {
		var name string
		var foreign, leaf, allowed bool
		if err := rows.Scan(&name, &foreign, &leaf, &allowed); err != nil {
			return nil, err
		}
		if leaf {
			parts = append(parts, name)
		}
		apart, open = apart || foreign, open && allowed
	}
	if !apart || !open || len(parts) > maxParts {
		parts = nil
	}
	return parts, rows.Err()
}
