//go:build unix

package localenv

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the folder for this process until the file is closed or the process ends, however it ends. Two
// processes on one folder would each write a WeChat of their own over the other's.
func (f folder) lock() (*os.File, error) {
	file, err := os.OpenFile(f.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be used: %w", f, cause(err))
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the data folder %s is in use by another xpay: stop it, or choose another folder", f), file.Close())
	}
	return file, nil
}
