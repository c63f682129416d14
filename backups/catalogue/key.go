package catalogue

import (
	"bytes"
	"errors"
)

// Bounds of what one entry may have; far above what file systems allow.
const (
	maxName = 4 << 10  // bytes of a name
	maxPath = 64 << 10 // bytes of a path
	maxLink = 32 << 10 // bytes of a link's target
)

var errName = errors.New("a name that no file can have")

// cut splits a path into its folder and its name. The root as a folder is
// empty: a path is always folder + "/" + name.
func cut(path []byte) (dir, name []byte, err error) {
	i := bytes.LastIndexByte(path, '/')
	if i < 0 || len(path) > maxPath {
		return nil, nil, errName
	}
	dir, name = path[:i], path[i+1:]
	if !validName(name) || bytes.IndexByte(name, 0) >= 0 {
		return nil, nil, errName
	}
	return dir, name, nil
}

// validName reports whether a name without slashes and NULs can be one.
func validName(name []byte) bool {
	switch len(name) {
	case 0:
		return false
	case 1:
		return name[0] != '.'
	case 2:
		return name[0] != '.' || name[1] != '.'
	}
	return len(name) <= maxName
}

// validDir reports whether dir is empty or a path.
func validDir(dir []byte) bool {
	if len(dir) > maxPath || bytes.IndexByte(dir, 0) >= 0 {
		return false
	}
	for len(dir) > 0 {
		if dir[0] != '/' {
			return false
		}
		end := bytes.IndexByte(dir[1:], '/')
		if end < 0 {
			end = len(dir) - 1
		}
		if !validName(dir[1 : 1+end]) {
			return false
		}
		dir = dir[1+end:]
	}
	return true
}

// folderKey turns a folder's path as people write it into one that cut gives:
// "/" and "" are the root, a slash at the end does not matter.
func folderKey(path []byte) []byte {
	return bytes.TrimRight(path, "/")
}

// compareDirs sorts folders: '/' stands below every other byte, so that a folder
// comes right before all that is beneath it.
func compareDirs(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	n := min(len(a), len(b))
	for i := range n {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' || y != '/' && x < y {
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}

// compareKeys sorts entries by folder and then by name.
func compareKeys(dir, name, dir2, name2 []byte) int {
	if d := compareDirs(dir, dir2); d != 0 {
		return d
	}
	return bytes.Compare(name, name2)
}

// beneath reports whether dir is root or lies beneath it.
func beneath(dir, root []byte) bool {
	return bytes.HasPrefix(dir, root) && (len(dir) == len(root) || dir[len(root)] == '/')
}

// join appends a path to dst.
func join(dst, dir, name []byte) []byte {
	dst = append(dst, dir...)
	dst = append(dst, '/')
	return append(dst, name...)
}
