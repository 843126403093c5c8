package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// partyWord is the one argument that makes this binary a party: it reads its
// order from standard input and answers on standard output.
const partyWord = "party"

// reply is a line that a party's process writes: first its address, then the
// outcome.
type reply struct {
	Address  string    `json:",omitempty"`
	Measured *measured `json:",omitempty"`
	Error    string    `json:",omitempty"`
}

// beParty is the whole life of a party's process. It ends early when the process
// that started it does, which closes in.
func beParty(in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	answers, decoder := json.NewEncoder(out), json.NewDecoder(in)
	var o order
	if err := decoder.Decode(&o); err != nil {
		return fmt.Errorf("order: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // any end is the end
		cancel(errors.New("the measuring process has gone"))
	}()
	m, err := o.do(ctx, func(address string) error { return answers.Encode(reply{Address: address}) })
	if err != nil {
		return answers.Encode(reply{Error: err.Error()})
	}
	return answers.Encode(reply{Measured: m})
}

// place is where a party's process runs.
type place struct {
	listen string   // host:port, port 0 for any
	prefix []string // command that runs a command there; none for here
}

// process runs one party in a process of its own.
func (p place) process(ctx context.Context, o *order, ready func(address string) error) (*measured, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(append([]string{}, p.prefix...), self, partyWord)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m, err := talk(o, in, out, ready)
	_ = in.Close() // it ends the process if it has not ended yet
	if died := cmd.Wait(); died != nil && m == nil {
		err = fmt.Errorf("its process died (%w): %w", died, err)
	}
	return m, err
}

// talk gives a party its order and reads its replies.
func talk(o *order, in io.Writer, out io.Reader, ready func(address string) error) (*measured, error) {
	if err := json.NewEncoder(in).Encode(o); err != nil {
		return nil, err
	}
	replies := json.NewDecoder(out)
	for {
		var r reply
		switch err := replies.Decode(&r); {
		case err != nil:
			return nil, fmt.Errorf("no reply: %w", err)
		case r.Error != "":
			return nil, errors.New(r.Error)
		case r.Measured != nil:
			return r.Measured, nil
		}
		if err := ready(r.Address); err != nil {
			return nil, err
		}
	}
}
