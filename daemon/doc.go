// Package daemon is what a node and a coordinator share as programs that run
// for years beside others on a machine: a state directory that one process
// holds, a store that a power cut does not spoil, and metrics and health for
// those who operate it.
//
// It knows nothing of studies, jobs or secrets. What must never happen here: a
// write that is reported as done and is not on disk, two processes in one state
// directory, a page that anybody outside the machine can read.
package daemon
