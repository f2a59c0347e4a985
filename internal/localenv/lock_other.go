//go:build !unix

package localenv

import "os"

// lock does not keep a second process away here: the system has no lock that ends with its process.
func (f folder) lock() (*os.File, error) {
	return os.OpenFile(f.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
}
