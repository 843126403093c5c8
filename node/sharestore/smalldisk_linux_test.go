package sharestore

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"consilium/job"
	"consilium/protocols"
)

// smallDisk names the mount point of a process of TestSmallDisk's.
const smallDisk = "CONSILIUM_TEST_SMALL_DISK"

const (
	diskBytes = 256 << 10
	pageBytes = 4096
)

// TestSmallDisk fills a file system of its own, which a process has that sees it alone.
// That takes root, or a system that lets users have mounts of their own; where it is
// neither the test fails.
func TestSmallDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		must(t, syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
		must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"))
		t.Setenv("TMPDIR", dir)
		onSmallDisk(t, filepath.Join(dir, "filler"))
		return
	}
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestSmallDisk$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v (run it as root, or where users may mount a tmpfs of their own):\n%s", err, out)
	}
}

// onSmallDisk deposits and appends with ever more room left, so that the disk is full at
// each of their files in turn.
func onSmallDisk(t *testing.T, filler string) {
	h := newHome(t)
	d := h.open(t)
	crammed(t, h, filler, func() { must(t, nothingThere(d)) }, func() (protocols.ShareChange, error) { return write(d, job.Hash{}, 0, 4, 0) })
	must(t, check(d, 0, 4, 0, 0))
	crammed(t, h, filler, func() { must(t, check(d, 0, 4, 0, 0)) }, func() (protocols.ShareChange, error) {
		return write(d, snapshotOf(0, 1).ID, 1, 8, 4)
	})
	must(t, check(d, 1, 8, 4, 0))
	must(t, os.Remove(filler))
	d = h.open(t)
	must(t, check(d, 1, 8, 4, 0))
	keep(t, d, snapshotOf(1, 1).ID, 2, 12, 8, true)
}

func nothingThere(d *Dataset) error {
	versions, err := d.Versions()
	if err == nil && len(versions) > 0 {
		err = errors.New("a version is there")
	}
	return err
}

// crammed tries a change with more and more room, until there is enough; before that
// each one must fail with one line, and leave what was there.
func crammed(t *testing.T, h *home, filler string, asBefore func(), try func() (protocols.ShareChange, error)) {
	t.Helper()
	before := strings.Join(h.names(t), " ")
	for room := 0; room < diskBytes; room += pageBytes {
		fill(t, filler, room)
		c, err := try()
		if err == nil {
			err = c.Commit()
		}
		if err == nil {
			c.Confirm()
			if room == 0 {
				t.Error("nothing was in the way")
			}
			return
		}
		if !h.clear(err) || !strings.Contains(err.Error(), "dataset lung") || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("with %d bytes left: %v", room, err)
		}
		if c != nil {
			c.Discard()
		}
		if names := strings.Join(h.names(t), " "); names != before {
			t.Errorf("with %d bytes left: on disk %q, before %q", room, names, before)
		}
		asBefore()
	}
	t.Fatal("the disk is full whatever is left")
}

// fill leaves so many bytes of the disk.
func fill(t *testing.T, filler string, room int) {
	t.Helper()
	f, err := os.Create(filler)
	must(t, err)
	defer f.Close()
	written := int64(0)
	for err == nil {
		var n int
		n, err = f.Write(make([]byte, pageBytes))
		written += int64(n)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	must(t, f.Truncate(max(written-int64(room), 0)))
}
