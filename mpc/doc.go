// Package mpc is the ground that every secure protocol stands on: who takes
// part (PartyID), one run of a job (Session), where in it we are (Step), how
// frames travel (Transport) and where shared randomness comes from (coins).
//
// It imports the standard library only and knows no particular protocol:
// replicated secret sharing lives in mpc/rss, ring arithmetic in mpc/ring, the
// in-memory network and test harness in mpc/memnet.
//
// What must never happen here: a secret in an error, a log line or a step's
// name; a receive from "anybody"; two uses of the same coins.
package mpc
