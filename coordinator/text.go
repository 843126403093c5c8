package coordinator

import (
	"fmt"
	"strings"
	"time"

	"consilium/api"
	"consilium/job"
)

// Caps of what nodes report for people to read.
const (
	maxPhase  = 40
	maxDetail = 400
)

// are lists names with the verb that fits their number.
func are(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

// clock writes a moment for a person to read.
func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// blame is a job's reason to end that a node gave.
func blame(node, reason string) string {
	if reason == "" {
		reason = "gave no reason"
	}
	return node + ": " + said(node, reason)
}

// said is what a node said, without its own name in front, with which what ends a session
// begins: whoever prints it names the node.
func said(node, text string) string {
	return job.Printable(strings.TrimPrefix(text, node+": "), maxDetail)
}

// ahead says how many jobs came before.
func ahead(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 job is ahead"
	}
	return fmt.Sprintf("%d jobs are ahead", n)
}

// stateWord is a state in a person's words: "queued", "deciding" …
func stateWord(s api.State) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "STATE_"))
}
