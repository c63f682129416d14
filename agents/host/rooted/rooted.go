// Package rooted reads files of a host beneath a root, as the host itself does
// where that root is its "/".
//
// It keeps true that a link leads nowhere outside of the root, also one that
// appears while it is followed; that nothing is waited for (a pipe, a terminal, a
// loop of links); and that what is read is a regular file, within bounds. It
// changes nothing.
package rooted

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks are followed in one path, as the kernel does.
const maxLinks = 40

// What is not read.
var (
	ErrLinks      = errors.New("rooted: too many links")
	ErrBig        = errors.New("rooted: larger than anybody needs")
	ErrNotRegular = errors.New("rooted: not a regular file")
)

// Tree is a root. All names in it are absolute, with "/" as the root.
type Tree struct {
	Root *os.Root
	// Alias is what the root is called by programs that run beneath it without
	// knowing: a name that begins with it is meant as what follows. "" and "/" are none.
	Alias string
}

// Inside is a name as it is beneath the root, cleaned.
func (t Tree) Inside(name string) string { return path.Clean("/" + t.cut(name)) }

// cut is a name without the root's own.
func (t Tree) cut(name string) string {
	alias := filepath.Clean(t.Alias)
	if t.Alias == "" || alias == "/" {
		return name
	}
	if rest, ok := strings.CutPrefix(name, alias+"/"); ok {
		return "/" + rest
	}
	return name
}

// Rel is an absolute name as os.Root takes it.
func Rel(name string) string {
	if name = strings.TrimPrefix(name, "/"); name == "" {
		return "."
	}
	return name
}

// Resolve follows the links in a name; ".." is the folder above what a link led to.
// What it returns has no link in it, and is to be opened through Root: a link that
// appears afterwards leads nowhere else. Errors: fs.ErrNotExist, ErrLinks.
func (t Tree) Resolve(name string) (string, error) {
	todo := strings.Split(t.cut(name), "/")
	at := "/"
	for links := 0; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		switch next {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		there := path.Join(at, next)
		info, err := t.Root.Lstat(Rel(there))
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = there
			continue
		}
		if links++; links > maxLinks {
			return "", ErrLinks
		}
		target, err := t.Root.Readlink(Rel(there))
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			target, at = t.cut(target), "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}

// Read reads a regular file of at most limit bytes. Errors: as Resolve;
// ErrNotRegular, ErrBig.
func (t Tree) Read(name string, limit int64) ([]byte, error) {
	at, err := t.Resolve(name)
	if err != nil {
		return nil, err
	}
	f, err := t.Root.OpenFile(Rel(at), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrBig, limit)
	}
	return b, nil
}

// Names are the names in a folder, sorted; ErrBig with the first ones where it has
// more than limit. Errors: as Resolve.
func (t Tree) Names(dir string, limit int) ([]string, error) {
	at, err := t.Resolve(dir)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(t.Root.FS(), Rel(at))
	if err != nil {
		return nil, err
	}
	if len(entries) > limit {
		entries, err = entries[:limit], ErrBig
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Glob returns what a pattern matches, as a shell has it: "*", "?" and "[" stand
// for what is in one name, and for no dot at its beginning. names reads a folder.
// What it returns need not be there where its last part is no pattern.
func Glob(pattern string, names func(dir string) []string) []string {
	found := []string{"/"}
	for _, part := range strings.Split(strings.Trim(pattern, "/"), "/") {
		var next []string
		for _, dir := range found {
			if !strings.ContainsAny(part, "*?[") {
				next = append(next, path.Join(dir, part))
				continue
			}
			for _, name := range names(dir) {
				if ok, err := path.Match(part, name); err == nil && ok && (name[0] != '.' || part[0] == '.') {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		found = next
	}
	return found
}
