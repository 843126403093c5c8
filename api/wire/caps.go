package wire

import (
	"time"

	"consilium/job"
)

// Caps of messages. A job comes with what it brings along, to the coordinator and from
// it to the nodes. All shares of a result fit into one reply of MaxResult: those
// of the three compute parties, or the first site's and as many parts as there can
// be further sites. One share fits into a report.
const (
	MaxRequest = 4 << 20                        // a client's request, in bytes, an attachment apart
	MaxOffer   = job.MaxAttachment + MaxRequest // any message to a node, in bytes
	MaxShare   = 20 << 20                       // a node's outputs, in bytes
	MaxPart    = 64 << 10                       // the same, of each site but the first, where all sites seal
	MaxResult  = 64 << 20                       // a reply to Fetch, in bytes
	MaxReport  = MaxShare + MaxRequest          // any message to the coordinator, in bytes
	MaxOutputs = 4096                           // outputs of a share
	MaxName    = 200                            // a node's, party's or output's name, in bytes
)

// A line on which nothing is heard for PingEvery is pinged, and lost when no
// answer comes within PingWithin.
const (
	PingEvery  = 20 * time.Second
	PingWithin = 10 * time.Second
)
