package measure

import (
	"math"
	"slices"
	"syscall"
	"time"
)

// Timed is how often each operation runs under the clock.
const Timed = 3

// CPUSeconds returns the processor time that this process has used, the system's
// work for it included.
func CPUSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // there is no such error for the own process
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// Median returns the middle one of some figures, of an even number the upper.
func Median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// Round keeps six digits after the point: microseconds and bytes.
func Round(x float64) float64 { return math.Round(x*1e6) / 1e6 }
