package teleport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gravitational/teleport/api/client"
)

// identity is an identity file as it was read.
type identity struct {
	creds *client.DynamicIdentityFileCreds
	path  string
	stamp stamp
	bad   *stamp // of the last change that could not be used
}

// stamp tells one content of a file from the next without reading it; zero is
// a file that is not there.
type stamp struct{ info fs.FileInfo }

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	return stamp{info}, err
}

func (s stamp) same(as stamp) bool {
	if s.info == nil || as.info == nil {
		return s.info == nil && as.info == nil
	}
	return os.SameFile(s.info, as.info) && s.info.Size() == as.info.Size() && s.info.ModTime().Equal(as.info.ModTime())
}

// readIdentity reads the file at path. The stamp is taken first: what is
// written in between is read again.
func readIdentity(path string) (*identity, error) {
	s, err := stampOf(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrIdentity, plain(err))
	}
	creds, err := client.NewDynamicIdentityFileCreds(path)
	if err != nil {
		var missing *fs.PathError
		if errors.As(err, &missing) {
			return nil, fmt.Errorf("%w: %s", ErrIdentity, plain(missing))
		}
		// The parser's words may quote what stands in the file.
		return nil, fmt.Errorf("%w: it is not an identity file with key, certificates and CA", ErrIdentity)
	}
	return &identity{creds: creds, path: path, stamp: s}, nil
}

// changed reports whether the file is another one than was read, and than was
// refused.
func (i *identity) changed() bool {
	s, _ := stampOf(i.path) // one that is gone is another one
	return !s.same(i.stamp) && (i.bad == nil || !s.same(*i.bad))
}

// refuse remembers the file as it is now as one that cannot be used.
func (i *identity) refuse() {
	s, _ := stampOf(i.path)
	i.bad = &s
}

func (i *identity) expiry() time.Time {
	at, _ := i.creds.Expiry()
	return at
}
