package main

import (
	"context"
	"crypto/tls"
	"io"
	"slices"
	"sync"
	"time"

	"consilium/benchmarks/measure"
)

const (
	wireFrame  = 512 << 10 // bytes of one write, as protocols make them
	wireFrames = 512       // in one direction in one run, and in all six together
	echoes     = 2000      // round trips in one run
	echoBytes  = 100
	repeatWire = 3
)

// wired is what one party measures of bare connections: seconds and processor
// seconds of this process, medians of repeatWire runs.
type wired struct {
	Echo        float64 // one round trip between parties 1 and 2
	One, OneCPU float64 // from party 1 to party 2
	Six, SixCPU float64 // from each party to each other
}

// wire measures bare TLS connections between the parties: the floor of whatever
// is sent. Nothing but crypto/tls with the links' settings is in the way.
func (o *order) wire(ctx context.Context, ready func(address string) error) (*measured, error) {
	conns, err := o.connect(ctx, ready)
	defer func() {
		for _, c := range conns {
			_ = c.Close() // all is said
		}
	}()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		for _, c := range conns {
			_ = c.NetConn().Close()
		}
	})
	defer stop()
	var w wired
	for _, m := range []struct {
		seconds, cpu *float64
		run          func(conns map[int]*tls.Conn) error
	}{{&w.Echo, new(float64), o.echo}, {&w.One, &w.OneCPU, o.one}, {&w.Six, &w.SixCPU, o.six}} {
		if *m.seconds, *m.cpu, err = medians(conns, m.run); err != nil {
			return nil, err
		}
	}
	w.Echo /= echoes
	return &measured{Wired: &w}, nil
}

// medians runs repeatWire times, all parties together.
func medians(conns map[int]*tls.Conn, run func(map[int]*tls.Conn) error) (seconds, cpu float64, err error) {
	var s, c []float64
	for range repeatWire {
		if err := gather(conns); err != nil {
			return 0, 0, err
		}
		start, used := time.Now(), measure.CPUSeconds()
		if err := run(conns); err != nil {
			return 0, 0, err
		}
		s, c = append(s, time.Since(start).Seconds()), append(c, measure.CPUSeconds()-used)
	}
	slices.Sort(s)
	slices.Sort(c)
	return s[len(s)/2], c[len(c)/2], nil
}

// gather waits until all parties are there.
func gather(conns map[int]*tls.Conn) error {
	for _, c := range conns {
		if _, err := c.Write([]byte{1}); err != nil {
			return err
		}
	}
	for _, c := range conns {
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			return err
		}
	}
	return nil
}

func (o *order) echo(conns map[int]*tls.Conn) error {
	if o.Self > 1 {
		return nil
	}
	c, b := conns[1-o.Self], make([]byte, echoBytes)
	for range echoes {
		if o.Self == 0 {
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
		if o.Self == 1 {
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *order) one(conns map[int]*tls.Conn) error {
	switch o.Self {
	case 0:
		return pour(conns[1], o.Wire)
	case 1:
		return drain(conns[0], o.Wire)
	}
	return nil
}

func (o *order) six(conns map[int]*tls.Conn) error {
	var work sync.WaitGroup
	failed := make(chan error, 2*len(conns))
	for _, c := range conns {
		work.Go(func() { failed <- pour(c, o.Wire/6) })
		work.Go(func() { failed <- drain(c, o.Wire/6) })
	}
	work.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

func pour(to io.Writer, frames int) error {
	b := make([]byte, wireFrame)
	for range frames {
		if _, err := to.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func drain(from io.Reader, frames int) error {
	b := make([]byte, wireFrame)
	for range frames {
		if _, err := io.ReadFull(from, b); err != nil {
			return err
		}
	}
	return nil
}
