// Package client is what a researcher or a registry uses to ask a study: it
// prepares a job and says what the job will reveal, signs it, submits it to the
// coordinator, watches it, and opens the result that its nodes sealed for
// this client alone.
//
// The coordinator on the other end of the line is trusted with nothing. It
// carries signed bytes: a roster that is not the pinned one, a job that is not
// the one signed here, a share that a party did not sign are refused, and the
// worst that the coordinator can do is make a job fail. All text that comes
// from it is stripped of control characters and capped before anybody sees it.
//
// What must never happen here: a private key in an error or a log, a result
// opened before its signatures are checked, a wait without an end.
package client
