// Package overlay carries the links between nodes over onet, for studies whose
// roster says overlay: onet. It is the only package that imports onet.
//
// # What onet does here
//
// One onet protocol, "consilium pipe", moves opaque pieces of bytes between two
// nodes. Each of its instances runs on a tree of two, the node that dialled at the
// root, and is one connection: a pipe. The links of node/peer run over pipes as
// they run over TCP, with the same sessions, credits, heartbeats, deadlines and
// counters; so a protocol sees no difference but speed.
//
// # What onet is not trusted with
//
// onet's own TLS is not used. It signs the other end's nonce but not the
// certificate's key, so that somebody in between can show the signature of one
// node to another as his own; it takes any key; and what it reads goes to a decoder
// that can be made to recurse until the process dies. Here onet's router stands on
// a host of our own (host.go): TCP with mutual TLS 1.3, in which both ends show the
// certificates that the roster holds. onet's identities are the Ed25519 keys of
// those certificates, read as points; onet never has a private key. Whoever is not
// in the roster does not get to send onet one byte.
//
// Members of the roster are not trusted further than that. A message is read only
// if it is one of the pipe's (conn.go), and comes to the protocol only if its
// sender is the other end of the tree that it names (guard.go); trees, rosters and
// configurations that onet would take from peers are refused.
//
// # Limits of onet that this package works around
//
// A message above onet's limit of size is lost without an error, and what follows
// is misread: pieces have at most 512 KiB, and a larger message is an error before it
// is sent. Channels of protocols that run full drop messages: the protocol uses
// none, and a sender has a credit of bytes. Messages may be lost when a connection
// is made anew in their midst: they are numbered, and a gap ends the pipe. A lost
// connection is told to the router and not to protocols: the router's handler ends
// the pipes. A server listens on a second port without authentication when it is
// started: only its router is. A server's database is found by an environment
// variable: it is set while one is made.
package overlay
