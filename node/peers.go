package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"consilium/mpc"
	"consilium/node/peer"
)

// peerCollector shows the links' own counters as metrics.
type peerCollector struct {
	net   *peer.Net
	self  mpc.PartyID
	names []string // of the roster
}

var (
	peerConnected = prometheus.NewDesc("consilium_peer_connected", "1 while the link to the peer is up.", []string{"peer"}, nil)
	peerBytes     = prometheus.NewDesc("consilium_peer_bytes_total", "Bytes on the wire, encryption included.", []string{"peer", "direction"}, nil)
	peerFrames    = prometheus.NewDesc("consilium_peer_frames_total", "Frames of sessions.", []string{"peer", "direction"}, nil)
)

// Describe implements prometheus.Collector.
func (c *peerCollector) Describe(out chan<- *prometheus.Desc) {
	out <- peerConnected
	out <- peerBytes
	out <- peerFrames
}

// Collect implements prometheus.Collector.
func (c *peerCollector) Collect(out chan<- prometheus.Metric) {
	for i, name := range c.names {
		p := mpc.PartyID(i)
		if p == c.self {
			continue
		}
		counter := func(desc *prometheus.Desc, n uint64, direction string) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), name, direction)
		}
		s := c.net.Stats(p)
		out <- prometheus.MustNewConstMetric(peerConnected, prometheus.GaugeValue, number(c.net.Connected(p)), name)
		counter(peerBytes, s.BytesSent, "sent")
		counter(peerBytes, s.BytesReceived, "received")
		counter(peerFrames, s.FramesSent, "sent")
		counter(peerFrames, s.FramesReceived, "received")
	}
}
