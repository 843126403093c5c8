// Package node is a site's daemon: it stays attached to the study's
// coordinator, decides alone about each job that is offered, runs the jobs that
// every node accepted, and keeps the record of what it let out.
//
// The coordinator is trusted with nothing. Whatever it sends is checked against
// the roster that this node pins and against signatures; at worst a job fails.
// What must never happen here: a job that runs twice, a decision that leaves
// before it is stored, a value of a record or of a result in a log line, an
// error, a metric or a message to the coordinator.
package node
