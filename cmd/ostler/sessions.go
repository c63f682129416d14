package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gocloud.dev/blob/fileblob"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// SessionsConfig is how sessions are read, kept and reviewed.
type SessionsConfig struct {
	// EverySeconds is how often Teleport's audit log is read, OverlapMinutes how
	// far back each time.
	EverySeconds   int `koanf:"every_seconds"`
	OverlapMinutes int `koanf:"overlap_minutes"`
	// GraceMinutes is how long after a session's end its recording may take.
	GraceMinutes int `koanf:"grace_minutes"`
	// SamplePercent of the sessions without a cause are drawn for review, where a
	// customer's terms say nothing else.
	SamplePercent int `koanf:"sample_percent"`
	// WatchPercent of what happens in a recording has whoever says that it is fine to
	// have watched, unless they read its transcript.
	WatchPercent int `koanf:"watch_percent"`
	// Months is how long recordings are kept, where nothing else was agreed.
	Months int `koanf:"months"`
	// LoginsMinutes is how often servers are asked who logged in.
	LoginsMinutes int `koanf:"logins_minutes"`
}

func defaultSessions() SessionsConfig {
	return SessionsConfig{EverySeconds: 10, OverlapMinutes: 10, GraceMinutes: 15, SamplePercent: 5, WatchPercent: 20, Months: 12, LoginsMinutes: 10}
}

// options turns the configuration into the slice's options.
func (c SessionsConfig) options() (sessions.Options, error) {
	for _, v := range []struct {
		key       string
		value     int
		low, high int
	}{{"every_seconds", c.EverySeconds, 1, 3600}, {"overlap_minutes", c.OverlapMinutes, 1, 1440}, {"grace_minutes", c.GraceMinutes, 1, 1440},
		{"sample_percent", c.SamplePercent, 1, 100}, {"watch_percent", c.WatchPercent, 1, 100}, {"months", c.Months, 1, 120}, {"logins_minutes", c.LoginsMinutes, 1, 1440}} {
		if v.value < v.low || v.value > v.high {
			return sessions.Options{}, fmt.Errorf("config: sessions.%s: %d is not from %d to %d", v.key, v.value, v.low, v.high)
		}
	}
	return sessions.Options{Every: time.Duration(c.EverySeconds) * time.Second, Overlap: time.Duration(c.OverlapMinutes) * time.Minute,
		Grace: time.Duration(c.GraceMinutes) * time.Minute, Percent: c.SamplePercent, WatchPercent: c.WatchPercent, Months: c.Months, LoginsEvery: time.Duration(c.LoginsMinutes) * time.Minute}, nil
}

// openSessions wires sessions on customers' servers, of the cluster that lists
// are enforced by.
func (a *App) openSessions() error {
	o, err := a.Config.Sessions.options()
	if err != nil {
		return err
	}
	access, err := a.Config.Access.options()
	if err != nil {
		return err
	}
	o.Log, o.Bus, o.Zone = a.log, a.Bus, access.Zone
	o.OnViolation = a.reportViolation
	o.OnUsed = func(tx *db.Tx, customer, person, server string, at time.Time) error {
		return a.Access.NoteUsed(tx, forSessions(), customer, person, server, at)
	}
	dir := filepath.Join(a.Config.DataDir, "recordings")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("serve: recordings: %w", err)
	}
	blobs, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return fmt.Errorf("serve: recordings: %w", err)
	}
	a.closers = append(a.closers, blobs.Close)
	deps := sessions.Deps{DB: a.DB, Keeper: a.Keeper, Ledger: a.Ledger, Jobs: a.Jobs, Findings: a.Findings, Customers: a.Customers,
		Identity: a.Identity, Blobs: blobs, Lists: sessionLists{a.Access}}
	if a.cluster != nil {
		deps.Cluster = a.cluster
	}
	if a.Sessions, err = sessions.New(deps, o); err == nil {
		a.Access.OnNames(a.Sessions.NamesChanged)
	}
	return err
}

// sessionLists asks the access lists for sessions.
type sessionLists struct{ lists *access.Service }

func forSessions() policy.Scope { return policy.AllCustomers("matching sessions to lists") }

// ByUser implements sessions.Lists.
func (l sessionLists) ByUser(tx *db.Tx, user string) (out []sessions.Somebody, err error) {
	list, err := l.lists.PersonsByUser(tx, forSessions(), user)
	for _, p := range list {
		out = append(out, sessions.Somebody(p))
	}
	return out, err
}

// ByStaff implements sessions.Lists.
func (l sessionLists) ByStaff(tx *db.Tx, staff string) (sessions.Somebody, bool, error) {
	p, ok, err := l.lists.PersonByStaff(tx, forSessions(), staff)
	return sessions.Somebody(p), ok, err
}

// GroundOf implements sessions.Lists.
func (l sessionLists) GroundOf(tx *db.Tx, customer, person, server string, at time.Time) (sessions.Ground, error) {
	g, err := l.lists.GroundOf(tx, forSessions(), customer, person, server, at)
	return sessions.Ground{Grant: g.Grant, Kind: g.Kind, Role: g.Role, Ticket: g.Ticket, Reason: g.Reason, Authorisation: g.Authorisation}, err
}

// LetIn implements sessions.Lists.
func (l sessionLists) LetIn(tx *db.Tx, server, account, key string, at time.Time) (bool, error) {
	return l.lists.LetIn(tx, forSessions(), server, account, key, at)
}

// Months implements sessions.Lists.
func (l sessionLists) Months(tx *db.Tx, customer string) (int, error) {
	return l.lists.RecordingMonths(tx, forSessions(), customer)
}
