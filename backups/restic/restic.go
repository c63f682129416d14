// Package restic runs restic on a customer's server and reads what it says. It
// knows no customer, no plan and no database.
//
// What it keeps true:
//   - The repository password reaches restic through a 0600 file only, and the
//     store's credentials do not reach restic at all: restic talks to a relay of
//     ours on a private unix socket. Neither stands in argv or environment.
//   - No string of a user is ever where an option could be read: paths follow
//     "--", patterns go through a file or stand behind "--include=" in one and the
//     same argument, ids and tags are checked.
//   - No call hangs. A store that is down is silence in restic; so the store is
//     probed first, each call has a deadline, and a call that neither moves data
//     nor counts on is stopped (Limits.Stall).
//   - An exit code that is not known is a failure. Success is what restic's exit
//     code and its summary say together.
//   - Every error is an *Error with a wire.Failure, whose Detail is one line
//     without file names, secrets and stack traces.
package restic

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ostler/agents/wire"
)

// Repo is one repository and the way to run restic against it. It holds no
// state: methods may be called at the same time.
type Repo struct {
	// Binary is restic's path.
	Binary string

	// Socket is the unix socket of the agent's store proxy, which adds TLS and
	// the store's credentials; Path is the repository there, "/user/name/".
	Socket string
	Path   string
	// URL is used where Socket is empty: "rest:http://user:password@host/name/",
	// "rest:http+unix:///socket:/name/", or the absolute path of a local
	// repository. A local one is neither probed nor watched for a stall.
	URL string

	// PasswordFile holds the repository password; others must not be able to
	// read it.
	PasswordFile string
	// CacheDir is restic's cache; "" runs without one.
	CacheDir string
	// Dir is the agent's root, restic's working directory. Paths of a plan and
	// of a snapshot are relative to it. Absolute; "" means "/".
	Dir string
	// TempDir is where the private folder of each call is made (restic also
	// writes its packs there before sending them); "" means os.TempDir.
	TempDir string
	// MaxProcs bounds restic's CPUs by GOMAXPROCS; 0 leaves it alone.
	MaxProcs int
	// Env is added to restic's environment, which has nothing of ours.
	Env []string
	// Credential is whom restic runs as; nil means as we do.
	Credential *syscall.Credential

	Limits Limits
	Log    *slog.Logger // nil: silent
}

// Limits bounds calls in time. A zero field means its default.
type Limits struct {
	Probe  time.Duration // an answer of the store before a command; 10 s
	Stall  time.Duration // without progress and without traffic; 2 min
	Grace  time.Duration // from SIGINT to SIGKILL; 10 s
	Read   time.Duration // one folder, snapshot list, init; 15 min
	Copy   time.Duration // a whole dump, restore or walk; 6 h
	Backup time.Duration // a whole backup or check; 24 h
	Lock   time.Duration // waiting for another's lock; 10 min
}

func (l Limits) filled() Limits {
	for _, f := range []struct {
		at  *time.Duration
		def time.Duration
	}{
		{&l.Probe, 10 * time.Second},
		{&l.Stall, 2 * time.Minute},
		{&l.Grace, 10 * time.Second},
		{&l.Read, 15 * time.Minute},
		{&l.Copy, 6 * time.Hour},
		{&l.Backup, 24 * time.Hour},
		{&l.Lock, 10 * time.Minute},
	} {
		if *f.at <= 0 {
			*f.at = f.def
		}
	}
	return l
}

// prepared returns a copy of r with its defaults and absolute paths.
func (r *Repo) prepared() (*Repo, error) {
	c := *r
	c.Limits = c.Limits.filled()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dir == "" {
		c.Dir = "/"
	}
	if !filepath.IsAbs(c.Dir) {
		return nil, failure(wire.CauseInternal, "the agent's root is not an absolute path")
	}
	c.Dir = filepath.Clean(c.Dir)
	for _, kv := range c.Env {
		if strings.HasPrefix(kv, "RESTIC_PASSWORD") {
			return nil, failure(wire.CausePolicy, "a password does not go through the environment")
		}
	}
	var err error
	for _, p := range []*string{&c.Binary, &c.PasswordFile, &c.CacheDir, &c.Socket} {
		if *p == "" {
			continue
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return nil, failure(wire.CauseInternal, "the working directory is gone").because(err)
		}
	}
	return &c, nil
}

// checkPassword refuses a password file that is missing or open to others.
func (r *Repo) checkPassword() error {
	fi, err := os.Stat(r.PasswordFile)
	switch {
	case r.PasswordFile == "" || os.IsNotExist(err):
		return failure(wire.CauseNoKey, "the repository's password is not on this server").because(err)
	case err != nil:
		return failure(wire.CauseNoKey, "the repository's password file cannot be read").because(err)
	case fi.Mode().Perm()&0o077 != 0:
		return failure(wire.CausePolicy, "the repository's password file is open to other users (want mode 0600)")
	}
	return nil
}
