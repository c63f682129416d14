package deploy

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"

	"ostler/agents/wire"
)

// Forget deletes the rounds of a certificate that are not to be kept. The round
// in use goes only where none is kept, and not while a service's configuration
// or another renewer's files lead to it. A certificate that has no folder is
// forgotten already.
func (e *Engine) Forget(ctx context.Context, p wire.CertForgetParams) (wire.CertForgotten, error) {
	out := wire.CertForgotten{Rounds: []int64{}}
	defer e.lock(p.Folder)()
	s, err := e.shelf(p.Folder, p.Certificate, false)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	defer s.Close()
	live, err := s.live()
	if err != nil {
		return out, err
	}
	all := len(p.Keep) == 0
	if all {
		if err := e.unused(s, p.Folder); err != nil {
			return out, err
		}
		if err := s.Remove(liveLink); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return out, diskFailure(err, "the link to the certificate in use cannot be removed")
		}
		e.at("unlinked")
	}
	rounds, err := s.rounds()
	if err != nil {
		return out, diskFailure(err, "the certificate's folder cannot be read")
	}
	for _, n := range rounds {
		if slices.Contains(p.Keep, n) || !all && (n == live || n == s.state.Before) {
			continue
		}
		r, err := s.round(n, false) // a link or a foreign folder is not touched
		if err != nil {
			return out, err
		}
		_ = r.Close()
		if err := s.RemoveAll(strconv.FormatInt(n, 10)); err != nil {
			return out, diskFailure(err, "a round cannot be deleted")
		}
		out.Rounds = append(out.Rounds, n)
		e.at("deleted")
	}
	if all || live > 0 {
		if err := s.RemoveAll(placeholder); err != nil {
			return out, diskFailure(err, "the placeholder cannot be deleted")
		}
	}
	if err := syncFolder(s.Root); err != nil {
		return out, diskFailure(err, "a deletion cannot be made durable")
	}
	if all {
		return out, e.dropFolder(p.Folder)
	}
	return out, nil
}

// unused refuses where something still leads to the certificate in use.
func (e *Engine) unused(s *shelf, folder string) error {
	if _, err := s.Lstat(takenFile); err == nil {
		return fail(wire.CauseCertFolder, nil, "another renewer's files lead to this certificate: undo its take-over first")
	}
	if config := e.namedBy(folder); config != "" {
		return fail(wire.CauseCertFolder, nil, "%s still names this certificate", config)
	}
	return nil
}

// dropFolder removes what is left of a folder: the state.
func (e *Engine) dropFolder(folder string) error {
	base, err := e.base(false)
	if err != nil {
		return diskFailure(err, "the folder of certificates cannot be opened")
	}
	defer base.Close()
	if err := base.RemoveAll(folder); err != nil {
		return diskFailure(err, "the certificate's folder cannot be deleted")
	}
	return syncFolder(base)
}
