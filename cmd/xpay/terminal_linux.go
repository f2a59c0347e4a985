package main

import (
	"os"
	"syscall"
	"unsafe"
)

// terminal asks the kernel for the settings that only terminals have: /dev/null is a character device, too.
func terminal(f *os.File) bool {
	var settings syscall.Termios
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&settings)))
	return errno == 0
}
