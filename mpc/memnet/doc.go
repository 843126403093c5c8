// Package memnet is a network in memory for tests and simulations: participants
// of a session that run in one process, with the same protocol code as over
// real links.
//
// World is what most tests want. It runs a function at each of N participants
// with seeds derived from a number, so that a run is repeatable byte for byte,
// and hands back outputs, errors and the transcript:
//
//	w := memnet.New(memnet.Config{N: 5, Seed: 1})
//	err := w.Run(func(s *mpc.Session) error {
//		x := rss.Input(s.Step("input"), 4, n, mine(s))
//		...
//		return s.Err()
//	})
//	shape := w.Transcript().Shape()
//
// Network is the transport alone, for those who make their own sessions.
//
// What must never happen here: use outside tests and simulations. Its seeds are
// derived from a number and its links hide nothing.
package memnet
