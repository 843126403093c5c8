package main

import (
	"context"
	"slices"
)

// lone lists the operations that arrange their processes themselves.
var lone = []loneOp{
	{op{"source", "sums and rows of a Parquet file of N patients at one site, beside DuckDB's own sums", size{rows: maxSize}, nil}, measureSource},
	{op{"deposit", "R rows of C columns from one site to the disks of three parties, as shares", size{maxSize, 500}, nil}, measureDeposit},
}

// loneOp is one of them.
type loneOp struct {
	op
	measure func(ctx context.Context, b *bench, n size) (any, error)
}

func findLone(name string) *loneOp {
	if i := slices.IndexFunc(lone, func(o loneOp) bool { return o.name == name }); i >= 0 {
		return &lone[i]
	}
	return nil
}
