package deploy

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

const (
	maxLinks = 40      // followed in one path
	maxRead  = 1 << 20 // bytes of a file of others
	maxDir   = 20000   // names of a folder of others
)

// resolve follows the links in a path as the host does where the root is its
// "/", and returns the path without any. What it returns is read through
// os.Root, so that a link that appears afterwards leads nowhere.
func (e *Engine) resolve(name string) (string, error) {
	rest := strings.Split(e.inside(name), "/")
	done, links := "/", 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		info, err := e.root.Lstat(rel(next))
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", errors.New("deploy: too many links")
		}
		target, err := e.root.Readlink(rel(next))
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			target, done = e.inside(target), "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, nil
}

// rel is an absolute path as os.Root takes it.
func rel(name string) string {
	if name = strings.TrimPrefix(name, "/"); name == "" {
		return "."
	}
	return name
}

// read reads a regular file of others; it never waits for one that is a pipe.
func (e *Engine) read(name string) ([]byte, error) {
	resolved, err := e.resolve(name)
	if err != nil {
		return nil, err
	}
	f, err := e.root.OpenFile(rel(resolved), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("deploy: not a regular file"))
	}
	return readBounded(f, maxRead)
}

// glob returns what matches a pattern whose stars stand for one name each; it
// follows links.
func (e *Engine) glob(pattern string) []string {
	found := []string{"/"}
	for _, part := range strings.Split(strings.TrimPrefix(pattern, "/"), "/") {
		var next []string
		for _, dir := range found {
			if !strings.Contains(part, "*") {
				next = append(next, path.Join(dir, part))
				continue
			}
			for _, name := range e.names(dir) {
				if ok, err := path.Match(part, name); ok && err == nil && (name[0] != '.' || part[0] == '.') {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		found = next
	}
	out := found[:0]
	for _, f := range found {
		if _, err := e.resolve(f); err == nil {
			out = append(out, f)
		}
	}
	return out
}

// names are the names in a folder, sorted; none where it cannot be read.
func (e *Engine) names(dir string) []string {
	resolved, err := e.resolve(dir)
	if err != nil {
		return nil
	}
	entries, err := fs.ReadDir(e.root.FS(), rel(resolved))
	if err != nil || len(entries) > maxDir {
		return nil
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}
