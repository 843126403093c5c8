// Package spool holds what a computation cannot hold in memory: files of records that
// one process writes and reads again, and nobody after it.
//
// A file is encrypted under a key of its own that is never written anywhere, and has no
// name once it is open: when the process ends, however it ends, what is left on the disk
// can be read by nobody. What must never happen here: a record on the disk in the clear,
// and a nonce that is used twice.
package spool
