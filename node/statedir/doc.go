// Package statedir is what the stores of a node have in common on disk: a directory that
// one process holds, in it one of each dataset, and in that a state file, which says what
// is in force.
//
// It knows nothing of what a state says. What must never happen here: a state that is
// taken for none because its file is lost, and a state in memory that may differ from the
// one on disk without its store hearing of it.
package statedir
