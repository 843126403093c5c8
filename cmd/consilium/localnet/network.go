package localnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Network is a running local study. Stop ends it.
type Network struct {
	layout *Layout
	exe    string
	mu     sync.Mutex
	procs  map[string]*process
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

const (
	readyTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
	pollEvery    = 50 * time.Millisecond
)

// Start runs coordinator and nodes with the binary exe and returns when every
// node is attached to the coordinator and linked to every other.
func Start(ctx context.Context, exe string, l *Layout) (*Network, error) {
	n := &Network{layout: l, exe: exe, procs: make(map[string]*process)}
	for _, d := range append([]Daemon{l.Central}, l.Nodes...) {
		if err := n.Run(d.Name); err != nil {
			return nil, errors.Join(err, n.Stop())
		}
	}
	if err := n.Ready(ctx); err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	return n, nil
}

// Run starts the daemon of that name; its output goes to its log file.
func (n *Network) Run(name string) error {
	d, command, config := n.layout.daemon(name)
	if d.Name == "" {
		return fmt.Errorf("no daemon %s in %s", name, n.layout.Dir)
	}
	log, err := os.OpenFile(n.layout.Log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(n.exe, command, "--config", filepath.Join(d.Dir, config))
	cmd.Stdout, cmd.Stderr = log, log
	// A Ctrl-C at the terminal reaches the parent alone, which then stops its children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		// The exit status is the daemon's own business: it is in its log.
		_ = cmd.Wait()
		close(p.done)
	}()
	n.mu.Lock()
	n.procs[name] = p
	n.mu.Unlock()
	return nil
}

// Ready waits until the daemons of those names, or all that run, say that they
// are ready. A node is ready when it is attached and linked to every other node.
func (n *Network) Ready(ctx context.Context, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, d := range append([]Daemon{n.layout.Central}, n.layout.Nodes...) {
		p := n.process(d.Name)
		if p == nil || len(names) > 0 && !slices.Contains(names, d.Name) {
			continue
		}
		path := "/readyz"
		if d.Name == n.layout.Central.Name {
			path = "/healthz" // a coordinator that answers is ready
		}
		if err := waitReady(ctx, "http://"+d.Metrics+path, p); err != nil {
			return fmt.Errorf("%s is not ready: %w; its log ends with: %s", d.Name, err, lastLine(n.layout.Log(d.Name)))
		}
	}
	return nil
}

func waitReady(ctx context.Context, url string, p *process) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if status, _, err := get(ctx, url); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("it does not answer in time")
		case <-p.done:
			return errors.New("it ended")
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, url string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return resp.StatusCode, body, err
}

func (n *Network) process(name string) *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.procs[name]
}

// Signal sends a signal to a daemon: tests stop, freeze and kill with it. With
// SIGKILL it waits for the end.
func (n *Network) Signal(name string, sig syscall.Signal) error {
	p := n.process(name)
	if p == nil {
		return fmt.Errorf("%s does not run", name)
	}
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		<-p.done
		n.mu.Lock()
		delete(n.procs, name)
		n.mu.Unlock()
	}
	return nil
}

// Stop ends all daemons, nodes first, and kills those that do not end in time.
func (n *Network) Stop() error {
	n.mu.Lock()
	procs := n.procs
	n.procs = make(map[string]*process)
	n.mu.Unlock()
	var errs []error
	for _, p := range procs {
		// A process that has already ended needs no signal.
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	deadline := time.NewTimer(stopTimeout)
	defer deadline.Stop()
	for name, p := range procs {
		select {
		case <-p.done:
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				errs = append(errs, fmt.Errorf("%s ended with exit code %d: %s", name, code, lastLine(n.layout.Log(name))))
			}
		case <-deadline.C:
			errs = append(errs, fmt.Errorf("%s did not stop within %v and was killed", name, stopTimeout))
			_ = p.cmd.Process.Kill()
			<-p.done
			deadline.Reset(0)
		}
	}
	return errors.Join(errs...)
}

func (l *Layout) daemon(name string) (d Daemon, command, config string) {
	if name == l.Central.Name {
		return l.Central, "coordinator", "coordinator.yaml"
	}
	for _, d := range l.Nodes {
		if d.Name == name {
			return d, "node", "node.yaml"
		}
	}
	return Daemon{}, "", ""
}

// lastLine returns the last line of a log, capped, for an error message.
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const most = 400
	for len(b) > 0 && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
	}
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == '\n' {
			b = b[i+1:]
			break
		}
	}
	return string(b[:min(len(b), most)])
}
