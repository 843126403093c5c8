// Package localserver starts database servers from a machine's packages for tests and
// for verify: each in a new directory of its own, on loopback, under a user without
// rights, until it is stopped. Whoever uses it fills it through the server's own
// command-line client.
package localserver
