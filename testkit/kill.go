package testkit

import (
	"bufio"
	"crypto/rand"
	"math/big"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Steps is a process of the test's own program that does one numbered step after the
// other, and writes the number of each on its output when it is done.
type Steps struct {
	Env   []string      // tells the program that it is that process
	Most  int           // steps before it is killed
	Delay time.Duration // the longest time after the last of these
}

// Killed runs it from step next on, kills it at a random moment, and returns the last
// step that it had said to be done.
func (p Steps) Killed(t *testing.T, next int) int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done, wanted := next-1, next+int(below(t, int64(p.Most)))
	var kill *time.Timer
	for lines := bufio.NewScanner(out); ; {
		if done+1 >= wanted && kill == nil {
			kill = time.AfterFunc(time.Duration(below(t, int64(p.Delay))), func() { _ = cmd.Process.Kill() })
		}
		if !lines.Scan() {
			break
		}
		if done, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return done
}

// below returns a random number from 0 to n-1.
func below(t *testing.T, n int64) int64 {
	t.Helper()
	x, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		t.Fatal(err)
	}
	return x.Int64()
}
