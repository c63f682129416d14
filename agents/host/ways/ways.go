// Package ways finds out who can get into a host, and who is in it. It changes
// nothing but what EndLogins ends.
//
// It keeps true that what it does not read or does not evaluate is said
// (Unread) and never guessed; that where it cannot tell whether something is
// accepted it counts as accepted; that what users own (their keys, their
// environment) is read within bounds, without waiting, and never outside of the
// root; and that nobody's session is ended but those that the host itself shows
// to be of that account and that Teleport user.
package ways

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"ostler/agents/wire"
)

// Bounds of one scan: what lies beyond them is Unread.
const (
	maxAccounts = 5000
	maxKeys     = 5000
	maxSudo     = 1000
	maxLogins   = 500
	maxUnread   = 100
	maxHome     = 1024 // bytes of a path
)

// Options say where to look.
type Options struct {
	Root string // "/" in production
	// Proc is where processes are read; "" is /proc where Root is "/", and
	// nowhere else: another root has no processes of its own.
	Proc string
	Now  func() time.Time // nil is time.Now
}

// scan is one look at a host.
type scan struct {
	o        Options
	root     *os.Root
	accounts []account
	groups   []group
	out      wire.AccessScan
	seenFile map[string]bool // files already named in Unread
}

func (o Options) withDefaults() Options {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Proc == "" && filepath.Clean(o.Root) == "/" {
		o.Proc = "/proc"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Scan looks at the host.
func Scan(ctx context.Context, o Options) (wire.AccessScan, error) {
	o = o.withDefaults()
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return wire.AccessScan{}, fmt.Errorf("ways: open the root: %w", err)
	}
	defer root.Close()
	s := &scan{o: o, root: root, seenFile: map[string]bool{}}
	if filepath.Clean(o.Root) != "/" {
		s.out.Simulated = []string{"accounts", "keys", "sudo", "logins"}
	}
	s.readAccounts()
	s.readGroups()
	cfg := s.readSSHD()
	s.out.Passwords, s.out.RootLogin, s.out.KeyFiles, s.out.KeysCommand = cfg.passwords, cfg.rootLogin, cfg.keyFiles, cfg.keysCommand
	for _, a := range s.accounts {
		if ctx.Err() != nil {
			return wire.AccessScan{}, fmt.Errorf("ways: scan: %w", context.Cause(ctx))
		}
		s.readKeys(a, cfg.keyFiles)
	}
	for _, f := range cfg.caFiles {
		s.readCAs(f)
	}
	s.readSudo()
	s.readLogins(ctx)
	for _, a := range s.accounts {
		if a.shell {
			s.out.Accounts = append(s.out.Accounts, wire.HostAccount{Name: a.name, UID: a.uid, Password: a.password, Locked: a.locked, Home: clip(a.home, maxHome)})
		}
	}
	slices.Sort(s.out.Unread)
	return s.out, nil
}

// unread notes that something is not known whole.
func (s *scan) unread(name string) {
	if s.seenFile[name] || len(s.out.Unread) >= maxUnread {
		return
	}
	s.seenFile[name] = true
	s.out.Unread = append(s.out.Unread, name)
}

// file reads a file; what is there and cannot be read is Unread. ok is false
// where there is nothing to evaluate.
func (s *scan) file(name string, limit int64) (data []byte, ok bool) {
	data, err := s.read(name, limit)
	switch {
	case err == nil:
		return data, true
	case errors.Is(err, fs.ErrNotExist):
	default:
		s.unread(path.Clean(name))
	}
	return nil, false
}
