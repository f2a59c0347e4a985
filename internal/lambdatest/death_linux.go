package lambdatest

import "syscall"

// dieWithParent: the kernel kills a function when the process that plays Lambda dies, however it dies.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
