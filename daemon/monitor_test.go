package daemon

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func get(t *testing.T, m *Monitor, method, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+m.Addr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

func TestMonitor(t *testing.T) {
	var ready atomic.Bool
	m, err := StartMonitor("127.0.0.1:0", NewRegistry(), map[string]Check{
		"/healthz": func() []string { return nil },
		"/readyz": func() []string {
			if ready.Load() {
				return nil
			}
			return []string{"no link to a", "no link to b"}
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	want := func(method, path string, status int, body string) {
		t.Helper()
		if code, text := get(t, m, method, path); code != status || !strings.Contains(text, body) {
			t.Errorf("%s: %d %q, want %d %q", path, code, text, status, body)
		}
	}
	want("GET", "/healthz", http.StatusOK, "ok\n")
	want("GET", "/readyz", http.StatusServiceUnavailable, "no link to a\nno link to b\n")
	ready.Store(true)
	want("GET", "/readyz", http.StatusOK, "ok\n")
	want("GET", "/metrics", http.StatusOK, "process_cpu_seconds_total")
	want("GET", "/metrics", http.StatusOK, "go_goroutines")
	want("GET", "/debug/pprof/", http.StatusNotFound, "")
	want("POST", "/metrics", http.StatusMethodNotAllowed, "")

	_, err = StartMonitor(m.Addr(), NewRegistry(), nil, slog.New(slog.DiscardHandler))
	wantError(t, err, "free the address")
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", m.Addr())
	if err != nil {
		t.Fatalf("the address is not free after Close: %v", err)
	}
	l.Close()
}

func TestMonitorStaysOnTheMachine(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "localhost:0"} {
		_, err := StartMonitor(address, NewRegistry(), nil, slog.New(slog.DiscardHandler))
		wantError(t, err, "not a loopback address")
	}
}
