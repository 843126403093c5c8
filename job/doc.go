// Package job is the language in which a study speaks: the signed job, its
// arguments, the dataset schema, the roster, the where-predicate and the local
// summaries that a job may ask of a site. It signs, verifies, parses and
// checks; it computes nothing and reads no data.
//
// Everything here may come from a stranger: decoders take exact lengths, cap
// sizes, refuse unknown keys, and say in one line what is wrong and how to mend
// it. What must never happen here: a default that widens what a job reveals.
package job
