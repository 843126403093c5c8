package coordinator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// How connections are kept.
const (
	handshakeWithin = 10 * time.Second
	pingAllowed     = 5 * time.Second // peers that ping more often are sent away
	stopWithin      = 5 * time.Second // then open calls are cut
)

// Server is a coordinator at work.
type Server struct {
	cfg      *Config
	store    *store
	desk     *desk
	monitor  *monitor
	grpc     *grpc.Server
	listener net.Listener

	receivers sync.WaitGroup // of nodes' streams
	stopping  chan struct{}  // closed when streams shall end
	stop      context.CancelFunc
	done      chan struct{} // closed when everything has ended
	err       error         // why it ended by itself; read after done
}

// Start opens the store, takes up the jobs that are not over, listens and
// serves until the context ends, Close is called, or the store or listener
// fails. It returns an error for whatever is wrong with the configuration.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Server{cfg: &cfg, monitor: newMonitor(), stopping: make(chan struct{}), done: make(chan struct{})}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	ctx, s.stop = context.WithCancel(ctx)
	go s.run(ctx)
	cfg.Log.Info("coordinator serves", "study", cfg.Roster.Roster.Study, "roster", cfg.Roster.Hash.String(), "address", s.Addr())
	return s, nil
}

func (s *Server) open() error {
	var err error
	if s.store, err = openStore(s.cfg.State, s.cfg.Roster.Roster.Study); err != nil {
		return err
	}
	if s.desk, err = newDesk(s.cfg, s.store, s.monitor); err != nil {
		return fmt.Errorf("state directory %s: %w", s.cfg.State, err)
	}
	s.monitor.registry.MustRegister(newGauges(s.desk))
	if err := s.monitor.serve(s.cfg.Metrics, s.cfg.Log); err != nil {
		return err
	}
	if s.listener, err = net.Listen("tcp", s.cfg.Listen); err != nil {
		return fmt.Errorf("listen: %w; free the address or name another one", err)
	}
	s.grpc = s.services()
	return nil
}

// services builds the gRPC server: mutual TLS with exactly the roster's members.
func (s *Server) services() *grpc.Server {
	g := newGate(s.cfg.Roster.Roster)
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(job.ServerTLS(s.cfg.Identity, members(s.cfg.Roster.Roster)...))),
		grpc.ConnectionTimeout(handshakeWithin),
		grpc.MaxRecvMsgSize(wire.MaxReport),
		grpc.MaxSendMsgSize(wire.MaxResult),
		grpc.MaxConcurrentStreams(callsPerCaller),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: wire.PingEvery, Timeout: wire.PingWithin}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAllowed, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(g.unary),
		grpc.StreamInterceptor(g.stream),
	)
	api.RegisterCoordinationServer(server, &coordination{cfg: s.cfg, desk: s.desk, store: s.store, stopping: s.stopping})
	api.RegisterRendezvousServer(server, &rendezvous{
		roster: s.cfg.Roster, desk: s.desk, stopping: s.stopping, receivers: &s.receivers,
	})
	return server
}

func members(r *job.Roster) [][]byte {
	var ders [][]byte
	for _, n := range r.Nodes {
		ders = append(ders, n.Certificate)
	}
	for _, c := range r.Clients {
		ders = append(ders, c.Certificate)
	}
	return ders
}

// Addr returns the address that clients and nodes connect to.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// MetricsAddr returns the address of /metrics and /healthz, or "".
func (s *Server) MetricsAddr() string {
	if s.monitor.pages == nil {
		return ""
	}
	return s.monitor.pages.Addr()
}

// Done is closed when the coordinator has ended, whyever.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close ends the coordinator and waits until its streams, goroutines and store
// are closed, or until the context ends. It returns what went wrong, at last
// also if the coordinator had ended by itself.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("coordinator: not stopped in time: %w", context.Cause(ctx))
	}
}

// run owns all goroutines of the server.
func (s *Server) run(ctx context.Context) {
	defer close(s.done)
	clock, stopClock := context.WithCancel(context.Background())
	defer stopClock()
	var work sync.WaitGroup
	served := make(chan error, 1)
	work.Go(func() { s.desk.run(clock) })
	work.Go(func() { served <- s.grpc.Serve(s.listener) })
	s.monitor.healthy.Store(true)

	select {
	case <-ctx.Done():
	case err := <-s.desk.broken:
		s.err = fmt.Errorf("state directory %s: %w; mend it and start again, no job is lost", s.cfg.State, err)
	case err := <-served:
		s.err = fmt.Errorf("listen: %w", err)
	}
	s.stop()
	s.monitor.healthy.Store(false)
	close(s.stopping)
	s.hangUp()
	s.receivers.Wait()
	stopClock()
	work.Wait()
	if err := s.release(); err != nil && s.err == nil {
		s.err = fmt.Errorf("the coordinator did not stop in good order: %w", err)
	}
	s.cfg.Log.Info("coordinator stopped")
}

// hangUp lets calls end, and cuts those that do not.
func (s *Server) hangUp() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.grpc.GracefulStop()
	}()
	patience := time.NewTimer(stopWithin)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
		s.grpc.Stop()
		<-ended
	}
}

// release closes what open made but the listener. Readers of the monitor need
// the store, which goes last.
func (s *Server) release() error {
	err := s.monitor.close()
	if s.store != nil {
		err = errors.Join(err, s.store.close())
	}
	return err
}
