// Package source reads a site's own records: a CSV or Parquet file, cast by the
// dataset's declared schema to whole numbers of steps, held in an embedded
// DuckDB that answers with exact sums or with batches of rows. It is the only
// importer of DuckDB.
//
// Every cell is read as text and cast by the schema alone; no file is typed by
// what it happens to hold, and nothing passes through a floating-point number.
// CSV is read by encoding/csv and handed over as codes rather than by DuckDB's
// own reader, which types by sample, drops the rest of a file without a word at
// a quote that is left open, and quotes records in its errors. Parquet is
// decoded by DuckDB. A blank line of a CSV file is a row with a missing cell if
// the file has one column, and no row otherwise; the row numbers of errors count
// rows in that sense, not lines.
//
// A mapping (package mapping) stands for a file: the records that it names are read
// likewise into relations of a database of their own, and the answer of its query is
// the file's rows.
//
// What must never happen here: a value of a record in an error or a log, text
// of a job in SQL, a row that is silently left out or read twice.
package source
