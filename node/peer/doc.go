// Package peer is the production transport between nodes: mpc.Transport over
// mutual TLS 1.3 with the roster's certificates pinned.
//
// # Links
//
// Every pair of nodes keeps one TCP connection, a link; the node with the lower
// roster index dials and dials again when the link is lost. One connection a
// pair needs one firewall rule, and no rule to choose between two crossing ones.
// Both ends first exchange a hello: protocol version, roster hash and both
// indexes. Then fixed headers, each followed by a step's name and a payload, flow
// in both directions (wire.go). A ping at every Heartbeat keeps a healthy link
// audible; a link on which nothing is heard, or nothing can be written, for Idle
// is lost.
//
// # Sessions
//
// A link carries all sessions of its two nodes. Each session has a credit in
// each direction, counted in bytes: a sender waits when it is spent, a receiver
// renews it as Recv takes frames away. So the reader of a link never waits for a
// session, a session that nobody reads holds up no other, and the memory that a
// peer can fill is bounded: Window for each session that the node has admitted,
// 256 KiB for each of at most 256 that it has not admitted yet, and an eighth more
// where memory is used again. What exceeds a limit closes the link, for only a
// faulty or hostile peer does that; a session that others hold without this node
// counts only while it lasts. Window must hold two frames of every channel that a
// protocol uses at the same time.
//
// A session that loses a link is broken for good with that peer: every waiting
// Send and Recv hears why, and the link that follows serves later sessions only.
//
// Admit a session before its first frame (seed agreement included) and release
// it after its last: mpc.Session.Close comes before Release.
//
// # Long vectors
//
// A gigabyte over a link costs 1.2 to 1.3 processor seconds of both ends together,
// where a bare tls.Conn costs 1.6 to 1.9 (BenchmarkLink): 0.5 of it is AES-GCM, 0.5
// is the kernel. Two things made the difference. Callers of Recv may give the
// memory of frames back (Recycle): new memory for each frame was 0.3, for it is
// cleared, faults its pages in and keeps the garbage collector running. And the
// records of a long frame go to the kernel in bursts of 128 KiB, which saves 0.1;
// crypto/tls alone writes each record of 16 KiB by itself. Reading in larger pieces
// and frames of another size made no difference that could be measured.
//
// # Why not a stream multiplexer
//
// hashicorp/yamux over the same TLS connection was measured beside this framing
// (BenchmarkLink; 512 KiB frames and 100-byte round trips over loopback, two
// cores). It costs more for bulk data and takes a longer round trip, and protocols
// are made of both. Above all its rules fit less well: a lost connection reads like
// a clean end of stream, a cancelled write leaves a torn frame, every ping of a
// hostile peer starts a goroutine, and a stream gets its whole window before
// anybody can tell which session it belongs to.
package peer
