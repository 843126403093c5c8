package memnet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"consilium/mpc"
)

// Config says what a World is made of. The zero value is three parties.
type Config struct {
	N       int           // participants; default three
	Names   []string      // default p0, p1, …
	Compute []mpc.PartyID // default the first three; none if there are fewer
	Seed    uint64        // everything random derives from it
	Timeout time.Duration // of each send and receive; default a minute
	Window  int           // frames of a channel that may wait before Send blocks; default any
	Hooks   Hooks
	// Products, if not nil, hears of the products made at each participant; it may
	// be called from several goroutines.
	Products func(at mpc.PartyID, made mpc.Products)
	// Links, if not nil, has a real transport for each participant, over which
	// sessions then run: see Over for what is not as in memory. Window is the links'.
	Links []Link
}

// World runs functions at N participants in one process. Each run is a session
// of its own. A World is used by one goroutine, but for Cut.
type World struct {
	cfg  Config
	runs uint64
	id   mpc.SessionID // of the present run
	errs []error

	mu  sync.Mutex
	net *Network
}

// errLeft is the result of a participant whose function never returned.
var errLeft = errors.New("the function at this participant ended its goroutine instead of returning")

// New returns a world. It panics on a configuration that cannot be.
func New(cfg Config) *World {
	if cfg.N == 0 {
		cfg.N = max(3, len(cfg.Names), len(cfg.Links))
	}
	for p := len(cfg.Names); p < cfg.N; p++ {
		cfg.Names = append(slices.Clip(cfg.Names), fmt.Sprintf("p%d", p))
	}
	if cfg.Links != nil && len(cfg.Links) != cfg.N {
		panic(fmt.Sprintf("memnet: %d links for %d participants", len(cfg.Links), cfg.N))
	}
	if len(cfg.Names) != cfg.N {
		panic(fmt.Sprintf("memnet: %d names for %d participants", len(cfg.Names), cfg.N))
	}
	if cfg.Compute == nil && cfg.N >= 3 {
		cfg.Compute = []mpc.PartyID{0, 1, 2}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	w := &World{cfg: cfg}
	w.net = w.Network()
	return w
}

// Network returns a new network between the participants, for sessions that are
// not made by Run.
func (w *World) Network() *Network {
	if w.cfg.Links != nil {
		return Over(w.cfg.Links, w.cfg.Hooks)
	}
	return NewNetwork(w.cfg.N, w.cfg.Window, w.cfg.Hooks)
}

// Run runs fn at every participant, side by side, and waits for all. A
// participant whose fn returns leaves the session. The error joins those of all
// participants, frames that nobody read when all went well, and goroutines that
// are left. A panic of fn, and a step used twice, is a panic of Run.
func (w *World) Run(fn func(*mpc.Session) error) error {
	w.runs++
	w.id = w.session()
	w.errs = make([]error, w.cfg.N)
	net := w.Network()
	w.mu.Lock()
	w.net = net
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tagged, leaked := tagGoroutines(ctx)
	panics := make([]any, w.cfg.N)
	var wg sync.WaitGroup
	for p := range w.cfg.N {
		w.errs[p] = errLeft
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panics[p] = fmt.Sprintf("memnet: panic at %s: %v\n%s", w.cfg.Names[p], v, debug.Stack())
					cancel()
				}
			}()
			tagged()
			w.participate(ctx, net, mpc.PartyID(p), fn)
		})
	}
	wg.Wait()
	return w.verdict(net, panics, leaked())
}

// participate runs fn in a session of participant p and then leaves it.
func (w *World) participate(ctx context.Context, net *Network, p mpc.PartyID, fn func(*mpc.Session) error) {
	if err := net.Begin(p, w.id); err != nil {
		w.errs[p] = err
		return
	}
	defer net.End(p, w.id)
	cfg := mpc.Config{
		ID: w.id, Self: p, Names: w.cfg.Names, Compute: w.cfg.Compute,
		Transport: net.Transport(p), Seeds: w.seeds(p), Timeout: w.cfg.Timeout,
	}
	if hear := w.cfg.Products; hear != nil {
		cfg.Products = func(made mpc.Products) { hear(p, made) }
	}
	s, err := mpc.NewSession(ctx, cfg)
	if err != nil {
		w.errs[p] = err
		return
	}
	defer s.Close()
	if err = fn(s); err == nil {
		err = s.Err()
	}
	w.errs[p] = err
}

// verdict joins all that went wrong in a run.
func (w *World) verdict(net *Network, panics []any, leaked []string) error {
	for _, v := range panics {
		if v != nil {
			panic(v)
		}
	}
	var all []error
	for p, err := range w.errs {
		if errors.Is(err, mpc.ErrStepReused) {
			panic(err)
		}
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", w.cfg.Names[p], err))
		}
	}
	if unread := net.unread(); len(all) == 0 && len(unread) > 0 {
		all = append(all, errors.New("frames that nobody read: "+strings.Join(unread, "; ")))
	}
	for _, g := range leaked {
		all = append(all, errors.New("goroutine left by the run: "+g))
	}
	return errors.Join(all...)
}

// Collect is Run for functions with an output: it returns those of all
// participants, in order. Outputs of participants that failed are zero.
func Collect[T any](w *World, fn func(*mpc.Session) (T, error)) ([]T, error) {
	out := make([]T, w.cfg.N)
	err := w.Run(func(s *mpc.Session) error {
		v, err := fn(s)
		if err == nil {
			err = s.Err()
		}
		if err == nil {
			out[s.Self()] = v
		}
		return err
	})
	return out, err
}

// Errors returns each participant's own error in the last run.
func (w *World) Errors() []error { return w.errs }

// Transcript returns what was sent in the last run.
func (w *World) Transcript() Transcript { return w.last().Transcript() }

// Rounds returns the rounds of the last run; see Network.Rounds.
func (w *World) Rounds() int { return w.last().Rounds() }

// Peak returns the most that waited in the queues in the last run.
func (w *World) Peak() Load { return w.last().Peak() }

// Cut loses the link between a and b in the present run. It may be called from
// within it.
func (w *World) Cut(a, b mpc.PartyID, cause error) { w.last().Cut(a, b, cause) }

// last is the network of the last run.
func (w *World) last() *Network {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.net
}

// session returns the id of the next run. Over links it is a fresh one, for these
// remember the sessions that they have had.
func (w *World) session() mpc.SessionID {
	if w.cfg.Links != nil {
		return freshSession()
	}
	return mpc.SessionID(w.derive("session", w.runs))
}

// seeds returns the seeds of p in the present run: as in a real session only
// compute parties share some.
func (w *World) seeds(p mpc.PartyID) mpc.Seeds {
	seeds := mpc.Seeds{Own: w.derive("own", w.runs, uint64(p)), Pair: make(map[mpc.PartyID]mpc.Seed)}
	if slices.Contains(w.cfg.Compute, p) {
		for _, q := range w.cfg.Compute {
			if q != p {
				seeds.Pair[q] = w.derive("pair", w.runs, uint64(min(p, q)), uint64(max(p, q)))
			}
		}
	}
	return seeds
}

func (w *World) derive(kind string, numbers ...uint64) mpc.Seed {
	b := binary.LittleEndian.AppendUint64([]byte("memnet "+kind+"\x00"), w.cfg.Seed)
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return sha256.Sum256(b)
}
