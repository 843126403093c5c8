// Command source measures what one site does for a job: it makes a Parquet file of
// some patients in a folder and asks it, as a node does, for sums and for rows,
// beside DuckDB's own sums.
//
//	source DIR PATIENTS
//
// It is what `go run ./benchmarks source=N` builds and runs; that command's
// documentation explains the line of JSON that it writes to standard output. It ends
// when its standard input does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "source:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: source DIR PATIENTS")
	}
	patients, err := strconv.Atoi(args[1])
	if err != nil || patients < 1 {
		return fmt.Errorf("%q is no number of patients", args[1])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, in) // any end is the end
		cancel(errors.New("the measuring process has gone"))
	}()
	res, err := measureSite(ctx, args[0], patients)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return json.NewEncoder(out).Encode(res)
}
