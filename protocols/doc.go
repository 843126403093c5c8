// Package protocols holds the analyses, one a file, and the runner that takes a
// job from sealed inputs to results sealed for their recipient.
//
// An analysis says what it needs (Plan), computes on shares (Compute) and
// finishes in the clear at the recipient (Finish). One that sums suffice for
// (Summarizer) also runs among the sites alone, under engine mhe. Only the runner
// seals and reveals: an analysis cannot declassify. What must never happen here: a
// branch, an index, a length or a log line that depends on a secret.
package protocols
