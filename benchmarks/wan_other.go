//go:build !linux

package main

import (
	"context"
	"fmt"
)

// open says that only Linux can.
func (w *wan) open(context.Context) (places [parties]place, stop func(), err error) {
	return places, nil, fmt.Errorf("%w: it needs Linux", errNoWAN)
}
