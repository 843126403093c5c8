// Package coordinator is a study's rendezvous: it queues signed jobs, hands the
// same bytes to every node, collects the nodes' signed answers, tells clients
// how their jobs fare and relays sealed results to their recipient.
//
// It is trusted with neither privacy nor integrity. It never holds a share, a
// key that opens a result, or a result; all that must be believed travels under
// signatures that others check. The worst that a false coordinator achieves is
// that jobs fail.
//
// The life of a job is kept in an embedded store and every step is on disk
// before anything follows from it, so that a coordinator killed at any moment
// takes up where it was: no job is lost and none runs twice.
//
//	Server        listens, tells who calls by certificate, stops cleanly
//	coordination  the service to clients
//	rendezvous    the service to nodes: one stream each
//	desk          the jobs that are not over: what happens when
//	store         SQLite: jobs, events, decisions, outcomes
package coordinator
