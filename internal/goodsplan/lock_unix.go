//go:build unix

package goodsplan

import (
	"os"
	"syscall"
)

// exclusive takes a file for this process until the file is closed or the process ends, however it ends.
func exclusive(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
