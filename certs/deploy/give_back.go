package deploy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"ostler/agents/wire"
)

// giveBack undoes a take-over: first the files, then the renewer. What somebody
// has changed since is left alone.
func (e *Engine) giveBack(s *shelf, t taken, known bool) (wire.CertTaken, error) {
	out := wire.CertTaken{Changed: []string{}}
	if !known {
		return out, nil // undone before
	}
	for _, l := range t.Links {
		said, err := e.unlink(l)
		if err != nil {
			return out, fail(wire.CauseRenewer, err, "a file could not be put back: %s", l.Path)
		}
		if said != "" {
			out.Changed = append(out.Changed, said)
		}
		e.at("back " + path.Base(l.Path))
	}
	if t.Config != "" {
		done, err := e.moveAside(t.Config+takenSuffix, t.Config)
		switch {
		case errors.Is(err, fs.ErrExist):
			out.Changed = append(out.Changed, fmt.Sprintf("%s is there again; %s was left.", t.Config, path.Base(t.Config)+takenSuffix))
		case err != nil:
			return out, fail(wire.CauseRenewer, err, "the renewer's file could not be put back: %s", t.Config)
		case done:
			out.Changed = append(out.Changed, fmt.Sprintf("%s renews %s again: %s is back.", t.Renewer, t.Lineage, t.Config))
		}
		e.at("renews")
	}
	if err := s.Remove(takenFile); err != nil {
		return out, diskFailure(err, "what was taken over cannot be crossed out")
	}
	return out, syncFolder(s.Root)
}

// unlink puts one file back as it was.
func (e *Engine) unlink(l takenLink) (said string, err error) {
	kept := l.Path + keptSuffix
	now, err := e.root.Readlink(rel(l.Path))
	switch {
	case err == nil && now == l.New && l.Old != "":
		err = e.relink(l.Path, l.Old)
	case err == nil && now == l.New:
		if err = e.root.Rename(rel(kept), rel(l.Path)); err == nil {
			err = e.syncDir(path.Dir(l.Path))
		}
	case err == nil && now == l.Old && l.Old != "":
		return "", nil
	default:
		a, err1 := e.root.Lstat(rel(l.Path))
		b, err2 := e.root.Lstat(rel(kept))
		if l.Old == "" && err1 == nil && errors.Is(err2, fs.ErrNotExist) {
			return "", nil // put back before
		}
		if l.Old == "" && err1 == nil && err2 == nil && os.SameFile(a, b) {
			return "", e.root.Remove(rel(kept)) // cut off before the link was made
		}
		return fmt.Sprintf("%s was changed by somebody else and was left.", l.Path), nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is as it was.", l.Path), nil
}

// holdRenewer keeps certbot from running meanwhile, by its own lock file. Such a
// lock is the whole process's, and ends with any of its handles: so one is held
// at a time.
func (e *Engine) holdRenewer(renewer string) (release func(), err error) {
	if renewer != renewerCertbot {
		return func() {}, nil
	}
	e.renewer.Lock()
	held, err := e.lockCertbot()
	if err != nil {
		e.renewer.Unlock()
		return nil, err
	}
	return func() {
		held()
		e.renewer.Unlock()
	}, nil
}

func (e *Engine) lockCertbot() (release func(), err error) {
	const name = "etc/letsencrypt/.certbot.lock"
	f, err := e.root.OpenFile(name, os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, fs.ErrNotExist) || err != nil && strings.Contains(err.Error(), "escapes") {
		return func() {}, nil // no such folder: what follows says so
	}
	if err != nil {
		return nil, fail(wire.CauseRenewer, err, "certbot's lock cannot be taken")
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
		_ = f.Close()
		return nil, fail(wire.CauseRenewer, err, "certbot runs now: try again in some minutes")
	}
	return func() {
		_ = e.root.Remove(name)
		_ = f.Close()
	}, nil
}
