package ways

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"ostler/agents/host/rooted"
)

const (
	maxNames = 5000
	// maxConfig and maxKeyFile bound files of administrators and of users, in bytes.
	maxConfig  = 4 << 20
	maxKeyFile = 512 << 10
)

func (s *scan) tree() rooted.Tree { return rooted.Tree{Root: s.root} }

// read reads a regular file of at most limit bytes; it waits for no pipe.
func (s *scan) read(name string, limit int64) ([]byte, error) {
	b, err := s.tree().Read(name, limit)
	return b, missing(err)
}

func (s *scan) exists(name string) bool {
	_, err := s.tree().Resolve(name)
	return err == nil
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
func (s *scan) glob(pattern string) []string { return rooted.Glob(pattern, s.names) }

// names are the names in a folder, sorted; none where it is not there.
func (s *scan) names(dir string) []string {
	names, err := s.tree().Names(dir, maxNames)
	if err != nil && !errors.Is(missing(err), fs.ErrNotExist) {
		s.unread(dir)
	}
	return names
}
