package ways

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

const (
	maxLinks = 40 // followed in one path
	maxNames = 5000
	// maxConfig and maxKeyFile bound files of administrators and of users, in bytes.
	maxConfig  = 4 << 20
	maxKeyFile = 512 << 10
)

var (
	errLinks  = errors.New("ways: too many links")
	errBig    = errors.New("ways: larger than anybody needs")
	errNoFile = errors.New("ways: not a regular file")
)

// resolve follows the links in an absolute path as the host does where the root
// is its "/". What it returns has none, and is opened through os.Root: a link
// that appears afterwards leads nowhere else.
func (s *scan) resolve(name string) (string, error) {
	todo := strings.Split(name, "/")
	at := "/"
	for links := 0; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		if next == "" || next == "." {
			continue
		}
		if next == ".." {
			at = path.Dir(at)
			continue
		}
		there := path.Join(at, next)
		info, err := s.root.Lstat(below(there))
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = there
			continue
		}
		if links++; links > maxLinks {
			return "", errLinks
		}
		target, err := s.root.Readlink(below(there))
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			at = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}

// below is an absolute path as os.Root takes it.
func below(name string) string {
	if name = strings.TrimPrefix(name, "/"); name == "" {
		return "."
	}
	return name
}

// read reads a regular file of at most limit bytes; it waits for no pipe.
func (s *scan) read(name string, limit int64) ([]byte, error) {
	at, err := s.resolve(name)
	if err != nil {
		return nil, missing(err)
	}
	f, err := s.root.OpenFile(below(at), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, missing(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, errBig
	}
	return b, nil
}

// missing says of a path through something that is no folder that it is not
// there: sshd finds nothing there either.
func missing(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("ways: %w", fs.ErrNotExist)
	}
	return err
}

// glob returns what matches a pattern, sorted; folders that cannot be read are Unread.
func (s *scan) glob(pattern string) []string {
	found := []string{"/"}
	for _, part := range strings.Split(strings.Trim(pattern, "/"), "/") {
		var next []string
		for _, dir := range found {
			if !strings.ContainsAny(part, "*?[") {
				next = append(next, path.Join(dir, part))
				continue
			}
			for _, name := range s.names(dir) {
				if ok, err := path.Match(part, name); err == nil && ok && (name[0] != '.' || part[0] == '.') {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		found = next
	}
	return found
}

// names are the names in a folder, sorted; none where it is not there.
func (s *scan) names(dir string) []string {
	at, err := s.resolve(dir)
	var entries []fs.DirEntry
	if err == nil {
		entries, err = fs.ReadDir(s.root.FS(), below(at))
	}
	if err != nil {
		if !errors.Is(missing(err), fs.ErrNotExist) {
			s.unread(dir)
		}
		return nil
	}
	if len(entries) > maxNames {
		s.unread(dir)
		entries = entries[:maxNames]
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}
