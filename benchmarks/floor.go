package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// floor is what the machine itself can do: no protocol is faster than the one
// that binds it.
type floor struct {
	AES    float64 // GB/s of AES-128-CTR, one core, in cache
	Copy   float64 // GB/s of copying memory, one core, far beyond the caches
	Muls   float64 // billion 64-bit multiplications with addition a second, one core, in cache
	Cores  int
	Echo   float64 // seconds of a TLS round trip of 100 bytes between two processes
	One    float64 // MB/s over TLS from one process to another
	OneCPU float64 // processor seconds a GB, both ends together
	Six    float64 // MB/s over TLS from each of three processes to each other, all six together
	SixCPU float64 // processor seconds a GB
}

// measureFloor measures the machine; over TLS so many frames are sent at a time.
func measureFloor(ctx context.Context, b *bench, frames int) (*floor, error) {
	fmt.Fprint(b.progress, "floor …")
	f := &floor{AES: aesRate(), Copy: copyRate(), Muls: mulRate(), Cores: runtime.NumCPU()}
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("not done within %v", b.limit))
	defer cancel()
	ms, err := together(ctx, b.places[:], b.run, order{Wire: frames})
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	f.wire(ms, frames)
	fmt.Fprintf(b.progress, " TLS %.0f MB/s in six directions at %.2f processor seconds a GB\n", f.Six, f.SixCPU)
	return f, nil
}

// wire takes over what the parties measured.
func (f *floor) wire(ms []*measured, frames int) {
	var one, six, oneCPU, sixCPU float64
	for _, m := range ms {
		w := m.Wired
		f.Echo, one, six = max(f.Echo, w.Echo), max(one, w.One), max(six, w.Six)
		oneCPU, sixCPU = oneCPU+w.OneCPU, sixCPU+w.SixCPU
	}
	oneMB, sixMB := float64(frames)*wireFrame/1e6, float64(frames/6*6)*wireFrame/1e6
	f.One, f.OneCPU = oneMB/one, oneCPU/oneMB*1e3
	f.Six, f.SixCPU = sixMB/six, sixCPU/sixMB*1e3
}

// print writes the floor as a table.
func (f *floor) print(w io.Writer) {
	fmt.Fprintf(w, "| floor | measured |\n|---|---|\n")
	fmt.Fprintf(w, "| AES-128-CTR, one core | %.1f GB/s |\n", f.AES)
	fmt.Fprintf(w, "| copying memory, one core | %.1f GB/s |\n", f.Copy)
	fmt.Fprintf(w, "| 64-bit multiply and add in Go, one core | %.2f billion/s |\n", f.Muls)
	fmt.Fprintf(w, "| TLS round trip of %d bytes, two processes | %.0f µs |\n", echoBytes, f.Echo*1e6)
	fmt.Fprintf(w, "| TLS, one direction, two processes | %.0f MB/s at %.2f processor seconds a GB |\n", f.One, f.OneCPU)
	fmt.Fprintf(w, "| TLS, all six directions of three processes | %.0f MB/s in all at %.2f processor seconds a GB |\n", f.Six, f.SixCPU)
}

// rate runs f, which does work of some amount, for a while and returns the best
// amount a second: a floor is what the machine can do when nothing disturbs it.
func rate(amount float64, f func()) float64 {
	f() // warm
	var best float64
	for range 5 {
		n, start := 0, time.Now()
		for time.Since(start) < 40*time.Millisecond {
			f()
			n++
		}
		best = max(best, float64(n)*amount/time.Since(start).Seconds())
	}
	return best
}

func aesRate() float64 {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic("benchmarks: AES refuses a 16-byte key: " + err.Error())
	}
	stream, buf := cipher.NewCTR(block, key[16:]), make([]byte, 64<<10)
	return rate(float64(len(buf))/1e9, func() { stream.XORKeyStream(buf, buf) })
}

func copyRate() float64 {
	from := slices.Repeat([]byte{1}, 64<<20)
	to := slices.Clone(from)
	return rate(float64(len(from))/1e9, func() { copy(to, from) })
}

func mulRate() float64 {
	x, y := make([]uint64, 2048), make([]uint64, 2048)
	for i := range x {
		x[i], y[i] = noise(i, 0), noise(i, 1)
	}
	var sum [4]uint64
	r := rate(float64(len(x))/1e9, func() {
		for i := 0; i+4 <= len(x) && i+4 <= len(y); i += 4 {
			sum[0] += x[i] * y[i]
			sum[1] += x[i+1] * y[i+1]
			sum[2] += x[i+2] * y[i+2]
			sum[3] += x[i+3] * y[i+3]
		}
	})
	runtime.KeepAlive(&sum)
	return r
}
