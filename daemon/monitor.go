package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// monitorStop bounds how long a reader may hold up the end of a monitor.
const monitorStop = 2 * time.Second

// Check lists, a line each, what is wrong; nothing when all is well. It must
// not block and may be called by several readers at once.
type Check func() []string

// Monitor serves a program's metrics and health over HTTP on a loopback
// address. It asks nobody who they are, hence the loopback.
type Monitor struct {
	server   *http.Server
	listener net.Listener
	served   chan struct{}
}

// NewRegistry returns metrics of the process and of Go's runtime, to which a
// program adds its own.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// StartMonitor serves /metrics and a page for each check, by path: "ok" with
// status 200, or what is wrong with status 503. Close ends it.
func StartMonitor(address string, metrics prometheus.Gatherer, checks map[string]Check, log *slog.Logger) (*Monitor, error) {
	if err := CheckLoopback("metrics", address); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w; free the address or name another one", err)
	}
	failures := slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{ErrorLog: failures}))
	for path, check := range checks {
		mux.HandleFunc("GET "+path, check.answer)
	}
	m := &Monitor{
		server: &http.Server{
			Handler: mux, ErrorLog: failures, MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		},
		listener: listener,
		served:   make(chan struct{}),
	}
	go func() {
		defer close(m.served)
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics and health are no longer served", "error", err)
		}
	}()
	return m, nil
}

func (c Check) answer(w http.ResponseWriter, _ *http.Request) {
	if wrong := c(); len(wrong) > 0 {
		http.Error(w, strings.Join(wrong, "\n"), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// Addr is the address on which the monitor listens.
func (m *Monitor) Addr() string { return m.listener.Addr().String() }

// Close lets readers end for a moment, then cuts them.
func (m *Monitor) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), monitorStop)
	defer cancel()
	err := m.server.Shutdown(ctx)
	if err != nil {
		err = m.server.Close()
	}
	<-m.served
	return err
}
