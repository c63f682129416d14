package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"ostler/agents/wire"
)

// takenSuffix is put behind the name of a renewer's file, so that it does not
// see it any more; keptSuffix behind that of a file in whose place our link is.
const (
	takenSuffix = ".taken-by-ostler"
	keptSuffix  = ".before-ostler"
)

// taken is what a take-over changes, written down before it does, so that it
// can be gone on with and undone exactly.
type taken struct {
	Renewer string `json:"renewer"`
	Lineage string `json:"lineage"`
	Path    string `json:"path"`
	// Config is the renewer's own file, put aside; "" where there is none.
	Config string      `json:"config,omitempty"`
	Links  []takenLink `json:"links"`
}

// takenLink is one file that leads to ours.
type takenLink struct {
	Path string `json:"path"` // without links but in its last part
	New  string `json:"new"`  // what it leads to now
	Old  string `json:"old"`  // what it led to before; "" where it was a file, which is kept beside it
}

// Take stops another renewer of a certificate and has its files lead to ours,
// or undoes that. allowed says which names the host's policy leaves to us.
// Services are told afterwards. Where a take-over fails all is as it was.
func (e *Engine) Take(ctx context.Context, p wire.CertTakeParams, allowed func(name string) bool) (wire.CertTaken, error) {
	defer e.lock(p.Folder)()
	s, err := e.shelf(p.Folder, p.Certificate, false)
	if err != nil {
		return wire.CertTaken{}, err
	}
	defer s.Close()
	services, err := e.commands(ctx, p.Services)
	if err != nil {
		return wire.CertTaken{}, err
	}
	out, err := e.take(s, p, allowed)
	if err != nil {
		return out, err
	}
	said := make([]wire.CertReload, len(services))
	err = e.test(ctx, services, said)
	tested := err == nil
	if tested {
		err = e.load(ctx, services, said)
	}
	if err == nil || p.Undo {
		return out, err
	}
	t, known, terr := s.taken()
	if terr == nil {
		_, terr = e.giveBack(s, t, known)
	}
	if tested { // some may have taken it up
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backWithin)
		defer cancel()
		terr = errors.Join(terr, e.load(ctx, services, said))
	}
	if terr != nil {
		e.log.Error("certificate.take_over_half", "certificate", p.Certificate, "err", terr)
	}
	return wire.CertTaken{}, err
}

// take changes or puts back the files. The caller holds the folder's lock.
func (e *Engine) take(s *shelf, p wire.CertTakeParams, allowed func(name string) bool) (wire.CertTaken, error) {
	t, known, err := s.taken()
	if err != nil {
		return wire.CertTaken{}, err
	}
	if known && (t.Renewer != p.Renewer || t.Lineage != p.Lineage || t.Path != p.Path) {
		return wire.CertTaken{}, fail(wire.CauseRenewer, nil, "this certificate has taken the place of another one already; undo that first")
	}
	release, err := e.holdRenewer(p.Renewer)
	if err != nil {
		return wire.CertTaken{}, err
	}
	defer release()
	if p.Undo {
		return e.giveBack(s, t, known)
	}
	if !known {
		if t, err = e.plan(s, p, allowed); err != nil {
			return wire.CertTaken{}, err
		}
		if err := s.writeTaken(t); err != nil {
			return wire.CertTaken{}, err
		}
		e.at("planned")
	}
	changed, err := e.apply(t)
	if err != nil {
		if _, uerr := e.giveBack(s, t, true); uerr != nil {
			e.log.Error("certificate.take_over_half", "certificate", p.Certificate, "err", uerr)
			return wire.CertTaken{}, fail(wire.CauseRenewer, errors.Join(err, uerr), "the files could not be changed, and not all of them could be put back: undo the take-over")
		}
		return wire.CertTaken{}, fail(wire.CauseRenewer, err, "the renewer's files could not be changed; all is as it was")
	}
	return wire.CertTaken{Changed: changed}, nil
}

func (s *shelf) taken() (t taken, known bool, err error) {
	b, err := readSmall(s.Root, takenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return t, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err != nil {
		return t, false, diskFailure(err, "what was taken over cannot be read")
	}
	return t, true, nil
}

func (s *shelf) writeTaken(t taken) error {
	b, err := json.Marshal(t)
	if err == nil {
		err = writeFile(s.Root, takenFile, append(b, '\n'), 0o600)
	}
	if err != nil {
		return diskFailure(err, "what is taken over cannot be written down")
	}
	return nil
}

// plan settles what a take-over changes, and refuses one that would break what
// is served.
func (e *Engine) plan(s *shelf, p wire.CertTakeParams, allowed func(string) bool) (taken, error) {
	t := taken{Renewer: p.Renewer, Lineage: p.Lineage, Path: p.Path}
	found := e.Find()
	i := slices.IndexFunc(found, func(f wire.FoundCert) bool {
		return f.Path == p.Path && f.Renewer == p.Renewer && f.Lineage == p.Lineage
	})
	if i < 0 {
		return t, fail(wire.CauseRenewer, nil, "the other certificate is not found on this server any more")
	}
	if err := e.mayReplace(s, found[i], allowed); err != nil {
		return t, err
	}
	l, err := e.lineageOf(found[i])
	if err != nil {
		return t, err
	}
	if l.config != "" {
		if t.Config, err = e.place(l.config); err != nil {
			return t, err
		}
	}
	for _, f := range l.files {
		link, err := e.planLink(f, p.Folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has no such file
		}
		if err != nil {
			return t, err
		}
		if !slices.ContainsFunc(t.Links, func(o takenLink) bool { return o.Path == link.Path }) {
			t.Links = append(t.Links, link)
		}
	}
	return t, nil
}

// lineageOf is a found certificate with its files.
func (e *Engine) lineageOf(f wire.FoundCert) (lineage, error) {
	if f.Renewer == renewerCaddy {
		return lineage{}, fail(wire.CauseRenewer, nil, "Caddy renews it by itself: name our files by the tls directive in the Caddyfile instead")
	}
	if f.Renewer == "" {
		return e.loose(f)
	}
	for _, l := range e.lineages() {
		if l.renewer == f.Renewer && l.name == f.Lineage && e.inside(l.path) == f.Path {
			return l, nil
		}
	}
	return lineage{}, fail(wire.CauseRenewer, nil, "the other certificate is not found on this server any more")
}

// loose is a certificate that nobody is known to renew: the files that
// configurations name. Its key is the one that fits, among those that the same
// configurations name.
func (e *Engine) loose(f wire.FoundCert) (lineage, error) {
	l := lineage{path: f.Path}
	b, err := e.read(f.Path)
	cert := firstCertificate(b)
	if err != nil || cert == nil {
		return l, fail(wire.CauseRenewer, err, "the certificate cannot be read any more")
	}
	as := fullchainFile
	if _, err := parseKey(b); err == nil {
		as = combinedFile
	}
	key := as == combinedFile
	for _, u := range e.uses() {
		if !slices.Contains(f.UsedBy, u.config) {
			continue
		}
		switch u.role {
		case roleKey:
			b, err := e.read(u.path)
			if err != nil || u.path == f.Path {
				continue
			}
			if k, err := parseKey(b); err == nil && samePublic(k.Public(), cert.PublicKey) {
				l.files, key = append(l.files, file{u.path, keyFile}), true
			}
		case roleChain:
			if as == fullchainFile {
				as = leafFile // the chain stands in a file of its own
			}
			l.files = append(l.files, file{u.path, chainFile})
		}
	}
	if !key {
		return l, fail(wire.CauseRenewer, nil, "the certificate's key was not found beside it in the configuration")
	}
	l.files = append(l.files, file{f.Path, as})
	return l, nil
}

// place is where a file of others really is, its own name not followed, in
// folders that nobody else may write to.
func (e *Engine) place(name string) (string, error) {
	dir, err := e.resolve(path.Dir(e.inside(name)))
	if err != nil {
		return "", err
	}
	for at := dir; at != "/"; at = path.Dir(at) {
		info, err := e.root.Lstat(rel(at))
		if err == nil {
			err = ours(info)
		}
		if err != nil {
			return "", fail(wire.CauseCertFolder, err, "the folder of the other certificate is not safe: %v", err)
		}
	}
	return path.Join(dir, path.Base(name)), nil
}

func (e *Engine) planLink(f file, folder string) (takenLink, error) {
	at, err := e.place(f.path)
	if err != nil {
		return takenLink{}, err
	}
	home, err := e.resolve(path.Join(e.o.Folder, folder))
	if err != nil {
		return takenLink{}, err
	}
	target, err := filepath.Rel(path.Dir(at), path.Join(home, liveLink, f.ours))
	if err != nil {
		return takenLink{}, err
	}
	l := takenLink{Path: at, New: target}
	info, err := e.root.Lstat(rel(at))
	switch {
	case err != nil:
		return l, err
	case info.Mode()&fs.ModeSymlink != 0:
		l.Old, err = e.root.Readlink(rel(at))
	case !info.Mode().IsRegular():
		err = fail(wire.CauseCertFolder, nil, "a file of the other certificate is not a file")
	default:
		err = e.free(at + keptSuffix)
	}
	if err != nil {
		return l, err
	}
	return l, e.isWhat(f)
}

// apply makes the changes, and goes on where it was cut off.
func (e *Engine) apply(t taken) (changed []string, err error) {
	changed = []string{}
	if t.Config != "" {
		done, err := e.moveAside(t.Config, t.Config+takenSuffix)
		if err != nil {
			return nil, err
		}
		if done {
			changed = append(changed, fmt.Sprintf("%s renews %s no more: %s is %s now.", t.Renewer, t.Lineage, t.Config, path.Base(t.Config)+takenSuffix))
		}
		e.at("stopped")
	}
	for _, l := range t.Links {
		if now, err := e.root.Readlink(rel(l.Path)); err == nil && now == l.New {
			continue
		}
		if l.Old == "" {
			if err := e.keepBeside(l.Path); err != nil {
				return nil, err
			}
			e.at("kept " + path.Base(l.Path))
		}
		if err := e.relink(l.Path, l.New); err != nil {
			return nil, err
		}
		changed = append(changed, fmt.Sprintf("%s leads to our certificate.", l.Path))
		e.at("linked " + path.Base(l.Path))
	}
	return changed, nil
}

// moveAside renames a file once; done is false where that was done before.
func (e *Engine) moveAside(from, to string) (done bool, err error) {
	if _, err := e.root.Lstat(rel(from)); errors.Is(err, fs.ErrNotExist) {
		_, err := e.root.Lstat(rel(to))
		return false, err
	}
	if _, err := e.root.Lstat(rel(to)); !errors.Is(err, fs.ErrNotExist) {
		return false, errors.Join(err, fs.ErrExist)
	}
	if err := e.root.Rename(rel(from), rel(to)); err != nil {
		return false, err
	}
	return true, e.syncDir(path.Dir(from))
}

// relink makes a path a link by one rename.
func (e *Engine) relink(name, target string) error {
	dir, err := e.root.OpenRoot(rel(path.Dir(name)))
	if err != nil {
		return err
	}
	defer dir.Close()
	return replaceLink(dir, path.Base(name), target)
}

func (e *Engine) syncDir(name string) error {
	dir, err := e.root.OpenRoot(rel(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	return syncFolder(dir)
}
