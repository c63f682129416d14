package deploy

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"ostler/agents/wire"
)

// The files of a round. Besides those that services read there is the signing
// request, so that a request that is repeated gets the same answer.
const (
	keyFile       = "privkey.pem"
	fullchainFile = "fullchain.pem"
	chainFile     = "chain.pem"
	leafFile      = "cert.pem"
	combinedFile  = "combined.pem"
	csrFile       = "request.csr"

	liveLink  = "live"
	stateFile = "state.json"
	takenFile = "taken.json"
	tmpPrefix = ".tmp-"
	maxSmall  = 1 << 20 // bytes of a file of ours
)

var (
	folderName      = regexp.MustCompile(`^[a-z0-9_][a-z0-9._-]{0,199}$`)
	certificateName = regexp.MustCompile(`^crt_[0-9a-z]{1,64}$`)
)

// state is what is known of a certificate's folder beside its files.
type state struct {
	Certificate string `json:"certificate"`
	// Round is the installation under way, 0 where there is none; Before is the
	// round that it goes back to (0: none), and Reloaded that a service may
	// have been told of Round.
	Round    int64 `json:"round,omitempty"`
	Before   int64 `json:"before,omitempty"`
	Reloaded bool  `json:"reloaded,omitempty"`
	// Taking says that this installation took another certificate's place, which
	// it gives back where it fails.
	Taking bool `json:"taking,omitempty"`
}

// shelf is one certificate's folder, opened.
type shelf struct {
	*os.Root
	state state
}

// base opens the folder of all certificates. It returns fs.ErrNotExist where
// there is none and make is false.
func (e *Engine) base(create bool) (*os.Root, error) {
	rel := strings.TrimPrefix(e.o.Folder, "/")
	if create {
		if err := e.root.MkdirAll(rel, 0o755); err != nil {
			return nil, diskFailure(err, "the folder of certificates cannot be made")
		}
	}
	info, err := e.root.Lstat(rel)
	if err != nil {
		return nil, err
	}
	if err := ours(info); err != nil {
		return nil, fail(wire.CauseCertFolder, err, "the folder of certificates is not safe: %v", err)
	}
	return e.root.OpenRoot(rel)
}

// shelf opens a certificate's folder, and makes it where create is set. The
// caller holds its lock and closes it.
func (e *Engine) shelf(folder, certificate string, create bool) (*shelf, error) {
	if !folderName.MatchString(folder) || !certificateName.MatchString(certificate) {
		return nil, fail(wire.CauseCertFolder, nil, "the certificate's folder or id has a form that none has")
	}
	base, err := e.base(create)
	if err != nil {
		return nil, missing(err)
	}
	defer base.Close()
	if create {
		err := base.Mkdir(folder, 0o755)
		if err == nil {
			err = syncFolder(base)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, diskFailure(err, "the certificate's folder cannot be made")
		}
	}
	sub, err := openFolder(base, folder)
	if err != nil {
		return nil, missing(err)
	}
	s := &shelf{Root: sub}
	if err := s.load(certificate, create); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fail(wire.CauseCertKey, err, "no key of this certificate was made on this host")
	}
	return diskFailure(err, "the certificate's folder cannot be opened")
}

// openFolder opens a real folder of ours in dir.
func openFolder(dir *os.Root, name string) (*os.Root, error) {
	info, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fail(wire.CauseCertFolder, nil, "something that is not a folder is in the way of a certificate")
	}
	if err := ours(info); err != nil {
		return nil, fail(wire.CauseCertFolder, err, "a certificate's folder is not safe: %v", err)
	}
	return dir.OpenRoot(name)
}

// load reads the state, and holds the folder to one certificate.
func (s *shelf) load(certificate string, create bool) error {
	b, err := readSmall(s.Root, stateFile)
	if errors.Is(err, fs.ErrNotExist) && create {
		names, err := list(s.Root)
		if err != nil {
			return diskFailure(err, "the certificate's folder cannot be read")
		}
		for _, n := range names {
			if !strings.HasPrefix(n, tmpPrefix) {
				return fail(wire.CauseCertFolder, nil, "the certificate's folder is there already and was not made by Ostler")
			}
		}
		s.state = state{Certificate: certificate}
		return s.save()
	}
	if err != nil {
		return missing(err)
	}
	if err := json.Unmarshal(b, &s.state); err != nil {
		return fail(wire.CauseInternal, err, "the state of the certificate's folder cannot be read")
	}
	if s.state.Certificate != certificate {
		return fail(wire.CauseCertFolder, nil, "the folder belongs to another certificate")
	}
	return nil
}

func (s *shelf) save() error {
	b, err := json.Marshal(s.state)
	if err != nil {
		return err
	}
	if err := writeFile(s.Root, stateFile, append(b, '\n'), 0o600); err != nil {
		return diskFailure(err, "the state of the certificate's folder cannot be written")
	}
	return nil
}

// round opens the folder of a round, and makes it where create is set.
func (s *shelf) round(n int64, create bool) (*os.Root, error) {
	name := strconv.FormatInt(n, 10)
	if create {
		err := s.Mkdir(name, 0o755)
		if err == nil {
			err = syncFolder(s.Root)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, diskFailure(err, "the round's folder cannot be made")
		}
	}
	r, err := openFolder(s.Root, name)
	if err != nil {
		return nil, missing(err)
	}
	if create {
		sweep(r)
	}
	return r, nil
}

// rounds are the rounds that are there.
func (s *shelf) rounds() ([]int64, error) {
	names, err := list(s.Root)
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, n := range names {
		if v, ok := roundName(n); ok {
			out = append(out, v)
		}
	}
	return out, nil
}

func roundName(s string) (int64, bool) {
	v, err := strconv.ParseInt(s, 10, 64)
	return v, err == nil && v > 0 && strconv.FormatInt(v, 10) == s
}

// live returns the round that is in use, 0 where there is none, or a placeholder.
func (s *shelf) live() (int64, error) {
	target, err := s.Readlink(liveLink)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fail(wire.CauseCertFolder, err, "something that is not our link is in the place of %q", liveLink)
	}
	if target == placeholder {
		return 0, nil
	}
	n, ok := roundName(target)
	if !ok {
		return 0, fail(wire.CauseCertFolder, nil, "the link %q leads somewhere else than to a round", liveLink)
	}
	return n, nil
}

// point switches the link to a round.
func (s *shelf) point(n int64) error {
	if _, err := s.live(); err != nil {
		return err
	}
	if err := replaceLink(s.Root, liveLink, strconv.FormatInt(n, 10)); err != nil {
		return diskFailure(err, "the link to the certificate in use cannot be switched")
	}
	return nil
}

// replaceLink makes name in dir a link to target by one rename.
func replaceLink(dir *os.Root, name, target string) error {
	tmp := tmpPrefix + random()
	if err := dir.Symlink(target, tmp); err != nil {
		return err
	}
	if err := dir.Rename(tmp, name); err != nil {
		_ = dir.Remove(tmp)
		return err
	}
	return syncFolder(dir)
}

// writeFile puts data at name in dir so that a crash leaves the old content or
// the new, never a part: a temporary file, fsync, rename, fsync of the folder.
func writeFile(dir *os.Root, name string, data []byte, mode fs.FileMode) error {
	if err := placeFile(dir, name, data, mode); err != nil {
		return err
	}
	return syncFolder(dir)
}

// toWrite is a file to be written.
type toWrite struct {
	name string
	data []byte
	mode fs.FileMode
}

// writeFiles puts files at their names in dir, where they have other content or
// another mode. The last one says that all are there: the others are durable
// before it has its name. at is told of each.
func writeFiles(dir *os.Root, at func(string), files ...toWrite) error {
	for i, f := range files {
		last := i == len(files)-1
		if last && i > 0 {
			if err := syncFolder(dir); err != nil {
				return err
			}
		}
		if !unchanged(dir, f) {
			if err := placeFile(dir, f.name, f.data, f.mode); err != nil {
				return err
			}
		}
		at("file " + f.name)
	}
	return syncFolder(dir)
}

func unchanged(dir *os.Root, f toWrite) bool {
	old, err := readSmall(dir, f.name)
	if err != nil || !bytes.Equal(old, f.data) {
		return false
	}
	info, err := dir.Lstat(f.name)
	return err == nil && info.Mode() == f.mode
}

// placeFile is writeFile before the name is durable.
func placeFile(dir *os.Root, name string, data []byte, mode fs.FileMode) (err error) {
	tmp := tmpPrefix + random()
	f, err := dir.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = dir.Remove(tmp)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = dir.Rename(tmp, name)
	}
	return err
}

// readSmall reads a regular file of ours in dir; a link is not followed.
func readSmall(dir *os.Root, name string) ([]byte, error) {
	info, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fail(wire.CauseCertFolder, nil, "something that is not a file is in the place of one of ours")
	}
	if err := ours(info); err != nil {
		return nil, fail(wire.CauseCertFolder, err, "a file of a certificate is not safe: %v", err)
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, maxSmall)
}

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return b, err
}

// sweep removes what a write that was cut off left behind.
func sweep(dir *os.Root) {
	names, err := list(dir)
	if err != nil {
		return
	}
	for _, n := range names {
		if strings.HasPrefix(n, tmpPrefix) {
			_ = dir.Remove(n)
		}
	}
}

// list returns the names in a folder, sorted.
func list(dir *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(dir.FS(), ".")
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error
	return hex.EncodeToString(b[:])
}
