package helper

import "golang.org/x/sys/unix"

// At has f told before each change of the disk by restores on the server.
func At(h *Local, f func(point string) error) { h.put.at = f }

// WithoutRename has the file system refuse renames with any of flags.
func WithoutRename(h *Local, flags uint) {
	h.put.rename = func(fromDir int, from string, toDir int, to string, f uint) error {
		if f&flags != 0 {
			return unix.EINVAL
		}
		return unix.Renameat2(fromDir, from, toDir, to, f)
	}
}
