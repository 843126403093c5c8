package client

import "consilium/job"

// Caps on what another machine says, in bytes.
const (
	maxText = 500 // a reason, a step or a message
	maxName = 200
)

// Printable makes foreign text safe to print, as job.Printable does: one line
// of at most limit bytes without characters that a terminal would obey.
func Printable(text string, limit int) string { return job.Printable(text, limit) }
