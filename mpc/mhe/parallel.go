package mhe

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel does work k for all k below n, in as many goroutines as there are
// processors. Each has a worker of its own, because Lattigo's objects are not safe
// for concurrent use. It returns one of the errors; a panic inside the library is
// one too, and its text, which might hold anything, is dropped.
func parallel(n int, worker func() func(k int) error) error {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		once sync.Once
		bad  error
	)
	fail := func(err error) { once.Do(func() { bad = err; next.Store(int64(n)) }) }
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			defer func() {
				if recover() != nil {
					fail(errors.New("internal error in homomorphic arithmetic"))
				}
			}()
			work := worker()
			for k := next.Add(1) - 1; k < int64(n); k = next.Add(1) - 1 {
				if err := work(int(k)); err != nil {
					fail(err)
				}
			}
		})
	}
	wg.Wait()
	return bad
}
