package node

import "consilium/job"

// maxText caps a reason or an error that leaves the node, in bytes.
const maxText = 900

// line makes text fit to leave the node: it may hold what a peer or a job's
// author chose.
func line(text string) string { return job.Printable(text, maxText) }
