// Package deploy is the engine of certificates on a host: it makes keys and
// signing requests, installs chains, has services take them up, looks at what
// they really serve, and finds certificates that others renew.
//
// What it keeps true:
//
//   - A private key is made here, written 0600, and never returned: what leaves
//     is a signing request, and what a handshake showed.
//   - Key and chain change together: the link "live" is switched by one rename,
//     and only to a pair that fits, is valid now and covers its names.
//   - What is not served is taken back: the link leads to the round before, and
//     the services are told again. A first certificate has no round before; its
//     files stay.
//   - Killed at any step and run again, it goes on to the same end: the round
//     before is on the disk before the link is switched.
//   - Programs are run without a shell, and only those that the host's own
//     configuration or this package names; the plane names none.
//   - Links and folders of others are not followed where we write.
package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"sync"
	"syscall"
	"time"

	"ostler/agents/wire"
)

// DefaultFolder is where certificates are kept, beneath the root.
const DefaultFolder = "/etc/ostler/certificates"

// Options configures an Engine. The zero value of a field means its default.
type Options struct {
	// Root stands before every path: "/" in production. Beneath another root no
	// service has commands of its own: only those of Services are run.
	Root string
	// Folder is where certificates are kept, absolute beneath Root (DefaultFolder).
	Folder string
	// Services are the host's own commands, in place of the built-in ones.
	Services map[wire.Service]Commands
	Log      *slog.Logger
	Now      func() time.Time // the host's clock
	// Settle is how long after a reload an endpoint may still show the
	// certificate before (15 s); Handshake bounds one look (5 s); Command one
	// run of a service's command (60 s).
	Settle, Handshake, Command time.Duration
}

// Engine works in one folder of certificates. It is safe for concurrent use;
// calls for the same certificate run one after another.
type Engine struct {
	o    Options
	log  *slog.Logger
	root *os.Root // at Options.Root

	mu      sync.Mutex
	folders map[string]*sync.Mutex
	batches map[string]*batch // by command: those that have not begun
	reload  sync.Mutex        // one service command at a time
	renewer sync.Mutex        // holds certbot's lock

	systemd string // the folder that is there where systemd runs
	// at is told of every step of an installation; tests kill there.
	at func(point string)
}

// New opens the root. The folder is made when the first key is.
func New(o Options) (*Engine, error) {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Folder == "" {
		o.Folder = DefaultFolder
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Settle, 15*time.Second)
	def(&o.Handshake, 5*time.Second)
	def(&o.Command, time.Minute)
	o.Folder = path.Clean(o.Folder)
	if !path.IsAbs(o.Folder) || o.Folder == "/" {
		return nil, errors.New("deploy: the folder of certificates is not an absolute path below the root")
	}
	for s := range o.Services {
		if !s.Valid() {
			return nil, fmt.Errorf("deploy: unknown service %q", s)
		}
	}
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return nil, fmt.Errorf("deploy: open root: %w", err)
	}
	return &Engine{o: o, log: o.Log, root: root, folders: map[string]*sync.Mutex{}, batches: map[string]*batch{}, systemd: "/run/systemd/system", at: func(string) {}}, nil
}

// Close releases the root.
func (e *Engine) Close() error { return e.root.Close() }

// lock keeps others from a certificate's folder until the returned function runs.
func (e *Engine) lock(folder string) (unlock func()) {
	e.mu.Lock()
	m := e.folders[folder]
	if m == nil {
		m = new(sync.Mutex)
		e.folders[folder] = m
	}
	e.mu.Unlock()
	m.Lock()
	return m.Unlock
}

// Error is a failure with a cause that the plane knows. Its detail has neither
// keys nor the bytes of any file.
type Error struct {
	wire.Failure
	Err error // for the host's own log; may be nil
}

// Error returns cause and detail.
func (e *Error) Error() string {
	s := "deploy: " + string(e.Cause)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the technical cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(c wire.Cause, err error, format string, args ...any) *Error {
	return &Error{Failure: wire.Failure{Cause: c, Detail: fmt.Sprintf(format, args...)}, Err: err}
}

// diskFailure is fail for an error of the host's own files.
func diskFailure(err error, format string, args ...any) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	c := wire.CauseInternal
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		c = wire.CauseDiskFull
	}
	return fail(c, err, format, args...)
}

// ours reports why a folder or file is not safe to write in: a link, another
// user's, or one that others may write to.
func ours(info fs.FileInfo) error {
	if info.Mode()&fs.ModeSymlink != 0 {
		return errors.New("it is a link")
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("its owner is not known")
	}
	if int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return errors.New("it belongs to another user")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("other users may write to it")
	}
	return nil
}
