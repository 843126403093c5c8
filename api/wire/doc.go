// Package wire converts between the messages of package api and what package
// job signs and verifies, and holds what both ends of a line must agree on:
// the caps of messages and how a silent line is noticed.
//
// Everything that comes in here is a stranger's. Its form is checked: exact
// lengths of keys, hashes and signatures, caps on all else, names that can be
// printed as they are. What must never happen here: a signature believed,
// which only the Verify methods of package job can tell.
package wire
