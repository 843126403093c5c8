package measure

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
)

// ResetPeak returns unused memory to the system and restarts the kernel's count
// of the most that this process ever held. Where the kernel cannot, the count
// goes on from the start of the process.
func ResetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // see above
}

// Peak returns the most bytes of memory that this process held since ResetPeak.
func Peak() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("peak memory: %w", err)
	}
	for line := range bytes.Lines(status) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "VmHWM:" {
			kilobytes, err := strconv.ParseUint(string(f[1]), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("peak memory: the kernel does not tell")
}
