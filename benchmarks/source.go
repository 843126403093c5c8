package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// sourceProgram measures at one site. It is a program of its own because it has
// DuckDB in it, whose pages would count in the peak of every other operation.
const sourceProgram = "consilium/benchmarks/source"

// measureSource builds that program into a scratch folder, runs it there and hands
// on the line that it writes.
func measureSource(ctx context.Context, b *bench, n size) (_ any, err error) {
	dir, err := os.MkdirTemp("", "consilium-source-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("not done within %v", b.limit))
	defer cancel()
	program := filepath.Join(dir, "source")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, sourceProgram)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("source=%v: building %s failed (run the benchmarks from within the module): %w\n%s", n, sourceProgram, err, out)
	}
	fmt.Fprintf(b.progress, "source=%v …", n)
	cmd := exec.CommandContext(ctx, program, dir, n.String())
	cmd.Stderr, cmd.WaitDelay = b.progress, 5*time.Second
	in, err := cmd.StdinPipe() // it ends when this process does, which closes the pipe
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintln(b.progress, " failed")
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("source=%v: %w", n, err)
	}
	line := json.RawMessage(bytes.TrimSpace(out))
	var took struct{ Seconds, DuckDB float64 }
	if err := json.Unmarshal(line, &took); err != nil {
		return nil, fmt.Errorf("source=%v: %w", n, err)
	}
	fmt.Fprintf(b.progress, " %.4g s, DuckDB %.4g s\n", took.Seconds, took.DuckDB)
	return line, nil
}
