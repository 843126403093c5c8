package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// size is the N of an OP=N: one number, or rows and columns.
type size struct {
	rows int
	cols int // 0: not given
}

// maxSize bounds each number of a size: beyond it no machine holds the shares.
const maxSize = 1_000_000_000

// String is the size as on the command line.
func (n size) String() string {
	if n.cols == 0 {
		return strconv.Itoa(n.rows)
	}
	return fmt.Sprintf("%dx%d", n.rows, n.cols)
}

// MarshalJSON makes a plain size a number and RxC a string.
func (n size) MarshalJSON() ([]byte, error) {
	if n.cols == 0 {
		return []byte(n.String()), nil
	}
	return []byte(strconv.Quote(n.String())), nil
}

// parseSize reads "N" or "RxC".
func parseSize(text string) (size, error) {
	r, c, two := strings.Cut(text, "x")
	rows, err := parseCount(r)
	if err != nil || !two {
		return size{rows: rows}, err
	}
	cols, err := parseCount(c)
	return size{rows, cols}, err
}

func parseCount(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n < 1 || n > maxSize {
		return 0, fmt.Errorf("%q is not a whole number from 1 to %d in plain digits", text, maxSize)
	}
	return int(n), nil
}

// request is one thing to measure.
type request struct {
	op *op
	n  size
}

// String is the request as on the command line.
func (r request) String() string { return r.op.name + "=" + r.n.String() }

// parseRequests reads the arguments OP=N ….
func parseRequests(args []string) ([]request, error) {
	if len(args) == 0 {
		return nil, errors.New("nothing to measure: give OP=N …, for example mul=1000000\n" + known())
	}
	list := make([]request, len(args))
	for i, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		o := find(name)
		switch {
		case o == nil:
			return nil, fmt.Errorf("no operation %q\n%s", name, known())
		case !ok:
			return nil, fmt.Errorf("%q has no size: write %s=N", arg, name)
		}
		n, err := parseSize(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", arg, err)
		}
		if err := o.accepts(n); err != nil {
			return nil, fmt.Errorf("%s: %w", arg, err)
		}
		list[i] = request{o, n}
	}
	return list, nil
}
