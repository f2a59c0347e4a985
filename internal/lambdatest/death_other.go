//go:build !linux

package lambdatest

import "syscall"

// dieWithParent: only Linux can tie the life of a process to that of another; elsewhere Stop must be called.
func dieWithParent() *syscall.SysProcAttr { return nil }
