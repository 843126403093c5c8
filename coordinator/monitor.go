package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"consilium/api"
)

// monitor holds the metrics and serves them and the health check on loopback.
type monitor struct {
	registry *prometheus.Registry
	refused  *prometheus.CounterVec // messages of nodes, by kind
	healthy  atomic.Bool

	server   *http.Server // nil without an address
	listener net.Listener
	done     chan struct{}
}

func newMonitor() *monitor {
	m := &monitor{
		registry: prometheus.NewRegistry(),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "consilium_coordinator_messages_refused_total",
			Help: "Messages of nodes that were dropped, by kind.",
		}, []string{"kind"}),
		done: make(chan struct{}),
	}
	m.registry.MustRegister(m.refused, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// listen opens the loopback address, if there is one.
func (m *monitor) listen(address string, log *slog.Logger) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
	}))
	mux.HandleFunc("GET /healthz", m.health)
	m.listener = listener
	m.server = &http.Server{
		Handler: mux, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
	return nil
}

// serve answers until stop.
func (m *monitor) serve(log *slog.Logger) {
	defer close(m.done)
	if m.server == nil {
		return
	}
	if err := m.server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("metrics stopped", "error", err)
	}
}

// stop ends serve and waits for it.
func (m *monitor) stop(ctx context.Context) {
	if m.server != nil && m.server.Shutdown(ctx) != nil {
		m.server.Close()
	}
	<-m.done
}

func (m *monitor) health(w http.ResponseWriter, _ *http.Request) {
	if !m.healthy.Load() {
		http.Error(w, "not serving", http.StatusServiceUnavailable)
		return
	}
	w.Write([]byte("ok\n"))
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
