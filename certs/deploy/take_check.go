package deploy

import (
	"bytes"
	"errors"
	"io/fs"
	"os"

	"ostler/agents/wire"
)

// mayReplace holds ours to the names of theirs, all of them.
func (e *Engine) mayReplace(s *shelf, f wire.FoundCert, allowed func(string) bool) error {
	live, err := s.live()
	if err != nil {
		return err
	}
	if live == 0 {
		return fail(wire.CauseRenewer, nil, "no certificate of ours is installed yet to take its place")
	}
	r, err := s.round(live, false)
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := readSmall(r, fullchainFile)
	if err != nil {
		return missing(err)
	}
	c, err := parseChain(b)
	if err != nil {
		return err
	}
	names, err := e.namesAt(f.Path)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !allowed(n) {
			return fail(wire.CausePolicy, nil, "the host's policy does not leave %s to us", n)
		}
		if c[0].VerifyHostname(serverName(n)) != nil {
			return fail(wire.CauseRenewer, nil, "our certificate does not cover %s, which theirs does", n)
		}
	}
	return nil
}

// namesAt are the names of somebody's certificate, more than a list of what was
// found has room for. An old one has its name in the subject alone; one without
// any may be for whatever its owner wants, and nothing covers that.
func (e *Engine) namesAt(file string) ([]string, error) {
	b, err := e.read(file)
	cert := firstCertificate(b)
	if err != nil || cert == nil {
		return nil, fail(wire.CauseRenewer, err, "the certificate cannot be read any more")
	}
	names := certNames(cert)
	if len(names) == 0 && validName(cert.Subject.CommonName) {
		names = []string{cert.Subject.CommonName}
	}
	if len(names) == 0 {
		return nil, fail(wire.CauseRenewer, nil, "the other certificate has no names: it cannot be known what ours would have to cover")
	}
	return names, nil
}

// isWhat holds a file of others to what it is named for: a configuration may
// name any file of the host as a key or a chain. A link that leads nowhere, and
// a file without anything in it, have nothing to lose.
func (e *Engine) isWhat(f file) error {
	b, err := e.read(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	if err != nil {
		return fail(wire.CauseRenewer, err, "a file of the other certificate cannot be read: %s", f.path)
	}
	right := firstCertificate(b) != nil
	if f.ours == keyFile {
		_, err := parseKey(b)
		right = err == nil
	}
	if !right {
		return fail(wire.CauseRenewer, nil, "this is no file of a certificate, and is left alone: %s", f.path)
	}
	return nil
}

// free refuses a take-over that would find something in the place where a file
// is to be kept: of an earlier one that somebody has meddled with.
func (e *Engine) free(kept string) error {
	if _, err := e.root.Lstat(rel(kept)); !errors.Is(err, fs.ErrNotExist) {
		return fail(wire.CauseRenewer, err, "there is a file of an earlier take-over: move %s out of the way first", kept)
	}
	return nil
}

// keepBeside gives a file a second name, in whose place a link of ours goes. One
// that has it already was cut off there; another file of that name is not lost
// for it.
func (e *Engine) keepBeside(file string) error {
	kept := file + keptSuffix
	err := e.root.Link(rel(file), rel(kept))
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	a, err1 := e.root.Lstat(rel(file))
	b, err2 := e.root.Lstat(rel(kept))
	if err := errors.Join(err1, err2); err != nil || !os.SameFile(a, b) {
		return errors.Join(err, fs.ErrExist)
	}
	return nil
}
