//go:build !linux

package localserver

import "syscall"

// endWithParent does nothing where the kernel cannot.
func endWithParent(*syscall.SysProcAttr) {}
