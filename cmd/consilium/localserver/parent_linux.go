package localserver

import "syscall"

// endWithParent has the kernel end a child whose parent was killed.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
