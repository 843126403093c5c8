package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"consilium/job"
	"consilium/mpc/mhe"
)

// Exit statuses; see the command's documentation.
const (
	exitFailed = 1
	exitUsage  = 2
	exitNoWAN  = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command runs the command line and returns its exit status.
func command(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == partyWord {
		if err := beParty(stdin, stdout); err != nil {
			fmt.Fprintln(stderr, "party:", err)
			return exitFailed
		}
		return 0
	}
	l, err := parseLine(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "benchmarks:", err)
		return exitUsage
	}
	if err := l.run(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "benchmarks:", err)
		if errors.Is(err, errNoWAN) {
			return exitNoWAN
		}
		return exitFailed
	}
	return 0
}

// line is a command line.
type line struct {
	wan      *wan          // nil: loopback
	report   string        // file to write; "": measure requests
	divide   int           // of all sizes of the report
	limit    time.Duration // of one request
	sites    int           // of sums over sites; 0: parties
	arranged sites
	requests []request
}

func parseLine(args []string, stderr io.Writer) (*line, error) {
	l := line{arranged: sites{Overlay: job.OverlayLinks}}
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Func("wan", "`RTT,MBIT`: emulate a wide-area network between the parties, for example 40ms,100 (needs root)", func(text string) (err error) {
		l.wan, err = parseWAN(text)
		return err
	})
	fs.StringVar(&l.report, "report", "", "measure everything and write it to this `FILE` as Markdown")
	fs.IntVar(&l.divide, "divide", 1, "divide all sizes of the report by this number, for a quick look")
	fs.DurationVar(&l.limit, "limit", 15*time.Minute, "give one measurement up after this time")
	fs.IntVar(&l.sites, "sites", 0, "measure a sum over this `NUMBER` of sites, 2 to 100, each a process of its own")
	fs.IntVar(&l.arranged.Runs, "runs", timed, "measure each sum over sites so often, after one run that warms up")
	fs.BoolFunc("tree-only", fmt.Sprintf("let sites rely on the tree for the sum that they switch, instead of adding it up themselves (default: where that would take each more than %d MB)", mhe.TreeOnlyAbove>>20), func(text string) error {
		only, err := strconv.ParseBool(text)
		l.arranged.TreeOnly = &only
		return err
	})
	fs.Func("overlay", "`CARRIER` of the links between sites: links (TLS) or onet (default links)", func(text string) error {
		l.arranged.Overlay = job.Overlay(text)
		if text != string(job.OverlayLinks) && text != string(job.OverlayOnet) {
			return fmt.Errorf("use %s or %s", job.OverlayLinks, job.OverlayOnet)
		}
		return nil
	})
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "usage: benchmarks [flags] OP=N …")
		fs.SetOutput(stderr)
		fs.PrintDefaults()
		fmt.Fprintln(stderr, known())
		return nil, err
	case err != nil:
		return nil, err
	case l.report != "" && (fs.NArg() > 0 || l.wan != nil || l.sites != 0):
		return nil, errors.New("--report chooses its own operations and networks: give it alone")
	case l.divide < 1:
		return nil, errors.New("--divide wants a number from 1")
	case l.report != "":
		return &l, nil
	}
	var err error
	if l.requests, err = parseRequests(fs.Args()); err != nil {
		return nil, err
	}
	return &l, l.arrange()
}

// arrange checks what the command line says of sites.
func (l *line) arrange() error {
	l.arranged.Patience = wait
	switch a := &l.arranged; {
	case l.sites == 0 && (a.TreeOnly != nil || a.Overlay != job.OverlayLinks || a.Runs != timed):
		return errors.New("--tree-only, --overlay and --runs are for sums over sites: give --sites as well")
	case l.sites != 0 && (l.sites < 2 || l.sites > mhe.MaxSites):
		return fmt.Errorf("--sites wants a number from 2 to %d", mhe.MaxSites)
	case l.sites != 0 && l.wan != nil:
		return errors.New("--wan emulates a network between three parties and not between sites")
	case a.Runs < 1:
		return errors.New("--runs wants a number from 1")
	}
	for _, r := range l.requests {
		switch {
		case findLone(r.op.name) != nil:
			if l.sites != 0 || l.wan != nil {
				return fmt.Errorf("%s arranges its processes itself: leave --sites and --wan away", r.op.name)
			}
		case l.sites == 0 && r.op.setup == nil:
			return fmt.Errorf("%s is a sum over sites: say over how many with --sites", r.op.name)
		case l.sites != 0 && r.op.setup != nil:
			return fmt.Errorf("%s is measured among three parties: leave --sites away", r.op.name)
		}
	}
	return nil
}

// run does what the command line says.
func (l *line) run(ctx context.Context, stdout, stderr io.Writer) error {
	if l.report != "" {
		return writeReport(ctx, l, stderr)
	}
	b := newBench(l, stderr)
	if l.wan != nil {
		places, stop, err := l.wan.open(ctx)
		if err != nil {
			return err
		}
		defer stop()
		b.places, b.wan = places, l.wan
	}
	lines := json.NewEncoder(stdout)
	for _, r := range l.requests {
		res, err := l.measure(ctx, b, r)
		if err != nil {
			return err
		}
		if err := lines.Encode(res); err != nil {
			return err
		}
	}
	return nil
}

// measure returns what one line of output says.
func (l *line) measure(ctx context.Context, b *bench, r request) (any, error) {
	if o := findLone(r.op.name); o != nil {
		return o.measure(ctx, b, r.n)
	}
	if l.sites != 0 {
		return b.sum(ctx, r, l.sites, l.arranged)
	}
	return b.measure(ctx, r)
}
