package node

import (
	"strings"
	"time"

	"consilium/job"
)

// maxText caps a reason or an error that leaves the node, in bytes.
const maxText = 900

// line makes text fit to leave the node: it may hold what a peer or a job's
// author chose, or several errors, each on a line of its own.
func line(text string) string {
	return job.Printable(strings.ReplaceAll(text, "\n", "; "), maxText)
}

// rounded writes a duration for a log, such as 107ms.
func rounded(d time.Duration) string { return d.Round(time.Millisecond).String() }
