package coordinator

import (
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"consilium/api"
	"consilium/daemon"
)

// monitor holds the metrics, and serves them and the health check where there
// is an address for that.
type monitor struct {
	registry *prometheus.Registry
	refused  *prometheus.CounterVec // messages of nodes, by kind
	healthy  atomic.Bool
	pages    *daemon.Monitor // nil without an address
}

func newMonitor() *monitor {
	m := &monitor{
		registry: daemon.NewRegistry(),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "consilium_coordinator_messages_refused_total",
			Help: "Messages of nodes that were dropped, by kind.",
		}, []string{"kind"}),
	}
	m.registry.MustRegister(m.refused)
	return m
}

// serve answers at the loopback address, if there is one, until close.
func (m *monitor) serve(address string, log *slog.Logger) (err error) {
	if address != "" {
		m.pages, err = daemon.StartMonitor(address, m.registry, map[string]daemon.Check{"/healthz": m.health}, log)
	}
	return err
}

func (m *monitor) close() error {
	if m.pages == nil {
		return nil
	}
	return m.pages.Close()
}

func (m *monitor) health() []string {
	if !m.healthy.Load() {
		return []string{"not serving"}
	}
	return nil
}

// gauges reads the numbers from desk and store when they are asked for.
type gauges struct {
	desk                        *desk
	jobs, nodes, queue, results *prometheus.Desc
}

func newGauges(d *desk) *gauges {
	return &gauges{
		desk:    d,
		jobs:    prometheus.NewDesc("consilium_coordinator_jobs", "Jobs in the store, by state.", []string{"state"}, nil),
		nodes:   prometheus.NewDesc("consilium_coordinator_nodes_attached", "Nodes that are attached.", nil, nil),
		queue:   prometheus.NewDesc("consilium_coordinator_queue_length", "Jobs that wait for their turn.", nil, nil),
		results: prometheus.NewDesc("consilium_coordinator_result_bytes", "Bytes of sealed results in the store.", nil, nil),
	}
}

func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- g.jobs
	ch <- g.nodes
	ch <- g.queue
	ch <- g.results
}

func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(g.nodes, float64(len(g.desk.connected())))
	gauge(g.queue, float64(g.desk.queued()))
	counts, err := g.desk.store.countByState()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(g.jobs, err)
		return
	}
	for state := range api.State_name {
		if s := api.State(state); s != api.State_STATE_UNSPECIFIED {
			gauge(g.jobs, float64(counts[s]), stateWord(s))
		}
	}
	size, err := g.desk.store.resultBytes()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(g.results, err)
		return
	}
	gauge(g.results, float64(size))
}
