package client

// Caps on what another machine says, in bytes.
const (
	maxText = 500 // a reason, a step or a message
	maxName = 200
)
