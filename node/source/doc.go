// Package source reads a site's own records, cast by the dataset's declared schema to
// whole numbers of steps: a file, or a table or query of a database server. It answers
// with exact sums or with batches of rows, and is the only importer of DuckDB and of
// the servers' drivers.
//
// There are two ways. A Parquet file or a server's table is cast by SQL within each
// query, where it lies (relation, cast, dialect); cells that do not fit are counted by
// the same query. A CSV, JSON or Arrow file, and a Parquet file whose columns no
// expression casts exactly, is read as text, cast in Go and held as codes in an
// embedded DuckDB (table, column, load). Both agree on every cell: no file is typed by
// what it happens to hold, and no double counts for anything but its shortest text.
//
// CSV is read by encoding/csv rather than by DuckDB's own reader, which types by
// sample, drops the rest of a file without a word at a quote that is left open, and
// quotes records in its errors. A blank line of a CSV file is a row with a missing
// cell if the file has one column, and no row otherwise; the row numbers of errors
// count rows in that sense, not lines. A table has no row numbers.
//
// A mapping (package mapping) stands for a file: the records that it names are read
// likewise into relations of a database of their own, and the answer of its query is
// the file's rows.
//
// What must never happen here: a value of a record in an error or a log, text
// of a job in SQL, a row that is silently left out or read twice.
package source
