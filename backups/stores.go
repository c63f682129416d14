package backups

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

var hexPin = regexp.MustCompile(`^[0-9a-f]{64}$`)

// AddStore makes an off-site store known. scope must reach every customer: a
// store is the company's.
func (s *Service) AddStore(ctx context.Context, scope policy.Scope, in OffSite) (OffSite, error) {
	if !scope.All() {
		return OffSite{}, controlplane.NotFound("store")
	}
	if err := in.check(); err != nil {
		return OffSite{}, err
	}
	if err := in.reachable(); err != nil {
		return OffSite{}, err
	}
	in.ID = controlplane.NewID(controlplane.PrefixStore)
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		in.CreatedAt = tx.Now
		row := offSiteRow{ID: in.ID, Name: in.Name, URL: in.URL, Pin: in.Pin, HtpasswdPath: in.HtpasswdPath, PIDPath: in.PIDPath,
			Location: in.Location, Country: in.Country, CreatedAt: tx.NowMillis()}
		if err := db.Insert(tx, &row); err != nil {
			if db.IsDuplicate(err) {
				return controlplane.Invalid(controlplane.Field{Pointer: "/name", Message: "There is a store of that name already: choose another name."})
			}
			return err
		}
		_, err := s.ledger.Append(tx, ledger.Entry{Subject: in.ID, Kind: "store.added",
			Data: map[string]any{"name": in.Name, "url": in.URL, "location": in.Location, "country": in.Country}})
		return err
	})
	return in, err
}

func (in OffSite) check() error {
	var bad []controlplane.Field
	if in.Name == "" || len(in.Name) > 100 {
		bad = append(bad, controlplane.Field{Pointer: "/name", Message: "Give the store a name."})
	}
	if u, err := url.Parse(in.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		bad = append(bad, controlplane.Field{Pointer: "/url", Message: "The address is https://host:port, without a path or a password."})
	}
	if in.Pin != "" && !hexPin.MatchString(in.Pin) {
		bad = append(bad, controlplane.Field{Pointer: "/pin", Message: "The pin is the SHA-256 of the certificate's public key info, 64 hex digits."})
	}
	// The control plane writes this file: no other one of its machine can be named.
	if !plainFile(in.HtpasswdPath, "htpasswd") {
		bad = append(bad, controlplane.Field{Pointer: "/htpasswd_path", Message: "Name the store's user file by its absolute path; its name ends in “htpasswd”."})
	}
	if in.PIDPath != "" && !plainFile(in.PIDPath, "pid") {
		bad = append(bad, controlplane.Field{Pointer: "/pid_path", Message: "Name the store's process id file by its absolute path; its name ends in “pid”."})
	}
	if len(in.Country) != 2 {
		bad = append(bad, controlplane.Field{Pointer: "/country", Message: "The country is two letters, as in ISO 3166-1: DE, FR."})
	}
	if bad != nil {
		return controlplane.Invalid(bad...)
	}
	return nil
}

// reachable tries what the control plane will do with the store's files: it
// writes the user file beside the old one, and reads the process id.
func (in OffSite) reachable() error {
	var bad []controlplane.Field
	folder := filepath.Dir(in.HtpasswdPath)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		bad = append(bad, controlplane.Field{Pointer: "/htpasswd_path", Message: "There is no folder " + folder + " on the control plane's machine that its user can see: make it first."})
	} else if unix.Access(folder, unix.W_OK|unix.X_OK) != nil {
		bad = append(bad, controlplane.Field{Pointer: "/htpasswd_path", Message: "The control plane's user may not write into " + folder + ": give it that right first."})
	} else if info, err := os.Stat(in.HtpasswdPath); err == nil && (!info.Mode().IsRegular() || unix.Access(in.HtpasswdPath, unix.R_OK) != nil) {
		bad = append(bad, controlplane.Field{Pointer: "/htpasswd_path", Message: in.HtpasswdPath + " is not a file that the control plane's user may read: give it that right first."})
	}
	if in.PIDPath != "" {
		if info, err := os.Stat(in.PIDPath); err != nil && !os.IsNotExist(err) || err == nil && (!info.Mode().IsRegular() || unix.Access(in.PIDPath, unix.R_OK) != nil) {
			bad = append(bad, controlplane.Field{Pointer: "/pid_path", Message: in.PIDPath + " is not a file that the control plane's user may read: give it that right first, or leave it out."})
		}
	}
	if bad != nil {
		return controlplane.Invalid(bad...)
	}
	return nil
}

// plainFile reports whether path is absolute and clean, and its last element is
// kind or ends in "."+kind.
func plainFile(path, kind string) bool {
	base := filepath.Base(path)
	return filepath.IsAbs(path) && filepath.Clean(path) == path && (base == kind || strings.HasSuffix(base, "."+kind))
}

// Stores lists the off-site stores, oldest first.
func (s *Service) Stores(ctx context.Context, scope policy.Scope) ([]OffSite, error) {
	if !scope.All() {
		return nil, nil
	}
	var out []OffSite
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := db.Where[offSiteRow](tx, scope, "created_at, id", 0, "1 = 1")
		out = make([]OffSite, len(rows))
		for i, r := range rows {
			out[i] = r.value()
		}
		return err
	})
	return out, err
}

// wireRepository is what a host is told of its repository.
func (s *Service) wireRepository(tx *db.Tx, repo repositoryRow) (wire.Repository, error) {
	st, err := db.One[offSiteRow](tx, policy.AllCustomers("a store is the company's"), "store", repo.StoreID)
	if err != nil {
		return wire.Repository{}, err
	}
	return wire.Repository{ID: repo.ID, StoreURL: st.URL, StorePin: st.Pin, User: repo.StoreUser, Name: "main"}, nil
}

// registerAttempts take about an hour: by then somebody has read the finding.
const registerAttempts = 8

type registerParams struct {
	Repository string `json:"repository"`
}

// register has the store learn the host's user and password hash.
func (s *Service) register(tx *db.Tx, repo *repositoryRow) error {
	repo.State, repo.FailureCause = string(RepositoryRegistering), ""
	if err := db.Save(tx, repo); err != nil {
		return err
	}
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobRegister, Executor: jobs.Plane, Customer: repo.CustomerID, Server: repo.ServerID,
		Resource: "store:" + repo.StoreID, Key: fmt.Sprintf("%s:%s:%d", jobRegister, repo.ID, repo.Round), Subject: repo.ID,
		Params: registerParams{Repository: repo.ID}, MaxAttempts: registerAttempts, Title: "job.store_register"})
	return err
}

var htpasswdMu sync.Mutex // one writer of .htpasswd files in this process; the file lock keeps others off

// runRegister writes one line of the store's .htpasswd and signals the store.
// Run twice it leaves the same file.
func (s *Service) runRegister(ctx context.Context, job jobs.Job) (any, error) {
	var repo repositoryRow
	var st offSiteRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if repo, err = db.One[repositoryRow](tx, policy.AllCustomers("job"), "repository", job.Subject); err != nil {
			return err
		}
		st, err = db.One[offSiteRow](tx, policy.AllCustomers("job"), "store", repo.StoreID)
		return err
	})
	if err != nil {
		return nil, err
	}
	hash, err := s.keeper.Open(repo.CustomerID, ad("backup_repositories", "store_hash", repo.ID), repo.StoreHash)
	if err != nil {
		return nil, fmt.Errorf("backups: register: %w", err)
	}
	err = writeHtpasswd(st.HtpasswdPath, repo.StoreUser, string(hash))
	if err == nil {
		err = signalStore(st.PIDPath)
	}
	if ferr := s.storeUsersFinding(ctx, st, repo, err); ferr != nil {
		return nil, ferr
	}
	if err != nil {
		s.opts.Log.WarnContext(ctx, "backups.register", "store", st.ID, "error", err)
		return nil, jobs.Fail(wire.CauseStoreUsers, reason(err))
	}
	return nil, nil
}

// reason is an error without the paths of our own machine, which are no
// business of the customer whose job it is.
func reason(err error) string {
	var p *os.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Op + ": " + p.Err.Error()
	case errors.As(err, &l):
		return l.Op + ": " + l.Err.Error()
	}
	return "the store's user file or its process id file cannot be used"
}

// storeUsersFinding says at the first failure that a store cannot learn new
// servers, and closes that once it could.
func (s *Service) storeUsersFinding(ctx context.Context, st offSiteRow, repo repositoryRow, why error) error {
	key := failureKey(findings.StoreUsers, st.ID)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if why == nil {
			return s.findings.Close(tx, key, "the store's user file was written")
		}
		name, err := s.serverName(tx, repo.ServerID)
		if err != nil {
			return err
		}
		return s.findings.Raise(tx, findings.Finding{Key: key, Kind: findings.StoreUsers, Subject: st.ID, Severity: findings.Bad, Owner: findings.Ops,
			Link: "/servers/" + repo.ServerID, Args: map[string]string{"store": st.Name, "server": name, "detail": why.Error()}})
	})
}

// writeHtpasswd replaces or adds the user's line, under a lock, atomically.
func writeHtpasswd(file, user, hash string) error {
	if !regexp.MustCompile(`^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$`).MatchString(hash) {
		return fmt.Errorf("htpasswd: not a bcrypt hash")
	}
	htpasswdMu.Lock()
	defer htpasswdMu.Unlock()
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("htpasswd: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("htpasswd: lock: %w", err)
	}
	old, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("htpasswd: %w", err)
	}
	var lines []string
	for line := range strings.Lines(string(old)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, user+":") {
			lines = append(lines, line)
		}
	}
	lines = append(lines, user+":"+hash)
	return replaceFile(file, []byte(strings.Join(lines, "\n")+"\n"))
}

// replaceFile writes a file beside the old one, syncs it, and renames it.
func replaceFile(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".ostler-*")
	if err != nil {
		return fmt.Errorf("htpasswd: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o640)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("htpasswd: %w", err)
	}
	return nil
}

// signalStore asks a rest-server on this machine to read its users again.
func signalStore(pidFile string) error {
	if pidFile == "" {
		return nil
	}
	raw, err := os.ReadFile(pidFile)
	if os.IsNotExist(err) {
		return nil // it is not running, or reads the file when it starts
	}
	if err != nil {
		return fmt.Errorf("backups: signal store: %w", err)
	}
	var pid int
	if _, err := fmt.Sscanf(string(raw), "%d", &pid); err != nil || pid <= 1 {
		return fmt.Errorf("backups: signal store: %s holds no process id", pidFile)
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("backups: signal store: %w", err)
	}
	return nil
}
