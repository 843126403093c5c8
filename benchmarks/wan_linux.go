package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// netnsPrefix begins the names of our network namespaces; the process follows.
const netnsPrefix = "consilium-bench-"

// mtu is the packet size of the emulated line, that of most real ones.
const mtu = 1500

// open gives each party a network namespace whose only way out is a TUN device,
// and carries packets between these as the line would. stop ends all that; what a
// killed process left behind goes with the next call. An error is errNoWAN.
func (w *wan) open(ctx context.Context) (places [parties]place, stop func(), err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w (it needs Linux, root, the command ip and /dev/net/tun): %w", errNoWAN, err)
		}
	}()
	removeStale(ctx)
	var devices [parties]*os.File
	remove := func() {
		for i, d := range devices {
			if d != nil {
				_ = d.Close() // the device goes with it
			}
			_ = ip(context.WithoutCancel(ctx), "netns", "del", netns(i)) // it may not exist
		}
	}
	for i := range places {
		if devices[i], err = attach(ctx, i); err != nil {
			remove()
			return places, nil, err
		}
		places[i] = place{listen: address(i) + ":0", prefix: []string{"ip", "netns", "exec", netns(i)}}
	}
	carried := w.carry([parties]io.ReadWriter{devices[0], devices[1], devices[2]})
	return places, func() { remove(); carried() }, nil
}

func netns(i int) string { return fmt.Sprintf("%s%d-%d", netnsPrefix, os.Getpid(), i) }

// address is that of party i inside its namespace; its last byte is i+1.
func address(i int) string { return fmt.Sprintf("10.87.0.%d", i+1) }

// attach makes the namespace of party i and its device.
func attach(ctx context.Context, i int) (*os.File, error) {
	if err := ip(ctx, "netns", "add", netns(i)); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("cb%d-%d", os.Getpid(), i)
	device, err := openTUN(name)
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"link", "set", name, "netns", netns(i)},
		{"-n", netns(i), "link", "set", "lo", "up"},
		{"-n", netns(i), "addr", "add", address(i) + "/24", "dev", name},
		{"-n", netns(i), "link", "set", name, "mtu", strconv.Itoa(mtu), "up"},
		{"netns", "exec", netns(i), "ip", "link", "show", "dev", name}, // whether anything can run there
	} {
		if err := ip(ctx, args...); err != nil {
			_ = device.Close() // the error above says more
			return nil, err
		}
	}
	return device, nil
}

// openTUN makes a network device whose packets the returned file reads and
// writes. It lives as long as the file.
func openTUN(name string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	var request struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:len(request.name)-1], name)
	request.flags = syscall.IFF_TUN | syscall.IFF_NO_PI
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		_ = syscall.Close(fd) // the error below says more
		return nil, fmt.Errorf("network device %s: %w", name, errno)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// removeStale removes the namespaces of processes that are no more.
func removeStale(ctx context.Context) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "list").Output()
	if err != nil {
		return // open says what is wrong
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(name, netnsPrefix)
		text, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(text)
		if ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = ip(ctx, "netns", "del", name) // another process may do the same
		}
	}
}

// ip runs the command of that name.
func ip(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		said := strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "; ")
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return nil
}
