package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"consilium/daemon"
)

// metrics counts what an operator watches. Labels are words of this program and
// names of the roster: no value of a record or a result can be among them.
type metrics struct {
	registry  *prometheus.Registry
	decisions *prometheus.CounterVec
	jobs      *prometheus.CounterVec
	running   prometheus.Gauge
	seconds   prometheus.Histogram
}

func newMetrics(attached func() bool) *metrics {
	m := &metrics{
		registry: daemon.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "consilium_node_decisions_total", Help: "Offers answered, by answer.",
		}, []string{"answer"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "consilium_node_jobs_total", Help: "Jobs that were started and have ended, by outcome.",
		}, []string{"outcome"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "consilium_node_jobs_running", Help: "Jobs that are started and have not ended, those that wait for their turn included.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "consilium_node_job_seconds", Help: "Time from a job's start to its end at this node.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 15),
		}),
	}
	m.registry.MustRegister(m.decisions, m.jobs, m.running, m.seconds,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "consilium_node_attached", Help: "1 while attached to the coordinator.",
		}, func() float64 { return number(attached()) }))
	for _, answer := range []State{Accepted, Rejected} {
		m.decisions.WithLabelValues(string(answer))
	}
	for _, outcome := range []State{Done, Failed, Cancelled} {
		m.jobs.WithLabelValues(string(outcome))
	}
	return m
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// decided counts an answer.
func (m *metrics) decided(accept bool) {
	answer := Rejected
	if accept {
		answer = Accepted
	}
	m.decisions.WithLabelValues(string(answer)).Inc()
}

// ended counts a job that was started.
func (m *metrics) ended(outcome State, took time.Duration) {
	m.jobs.WithLabelValues(string(outcome)).Inc()
	m.seconds.Observe(took.Seconds())
}
