// Package backups owns plans, runs, snapshots and restores. It keeps true that
// no repository is written to before its key is safe (confirmed by the customer
// or held in escrow), that a run's outcome is complete, partial or failed and
// never "probably", that snapshots count from the instant they arrived here,
// and that a file reaches a customer whole or not at all.
//
// It asks hosts for typed actions by jobs (agents/wire) and never talks to
// restic or to a store's data itself: backups/restic runs on the host.
package backups

import (
	"context"
	"log/slog"
	"time"

	"gocloud.dev/blob"

	"ostler/backups/catalogue"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Custody says who holds a copy of a repository's password besides the host.
type Custody string

// The custodies. CustodyOpen means that the customer has not chosen yet.
const (
	CustodyOpen     Custody = ""
	CustodyCustomer Custody = "customer" // shown to the customer once, confirmed by typing part of it
	CustodyEscrow   Custody = "escrow"   // the Keeper holds a sealed copy
)

// Valid reports whether c is a known custody.
func (c Custody) Valid() bool {
	return c == CustodyOpen || c == CustodyCustomer || c == CustodyEscrow
}

// RepositoryState is how far a repository has come.
type RepositoryState string

// The states of a repository, in their order; Failed can be tried again.
const (
	RepositoryChoosing     RepositoryState = "choosing"     // waits for the choice of custody
	RepositoryPreparing    RepositoryState = "preparing"    // the host makes its passwords
	RepositoryUnconfirmed  RepositoryState = "unconfirmed"  // the customer must confirm the recovery key
	RepositoryRegistering  RepositoryState = "registering"  // the store learns the host's credentials
	RepositoryInitialising RepositoryState = "initialising" // the host makes the repository
	RepositoryReady        RepositoryState = "ready"
	RepositoryFailed       RepositoryState = "failed"
)

// Valid reports whether s is a known state.
func (s RepositoryState) Valid() bool {
	switch s {
	case RepositoryChoosing, RepositoryPreparing, RepositoryUnconfirmed, RepositoryRegistering,
		RepositoryInitialising, RepositoryReady, RepositoryFailed:
		return true
	}
	return false
}

// RunState is how a run of a plan stands or ended.
type RunState string

// The states of a run. Missed means that the server could not start it in its
// time, skipped that the run before it was still going on.
const (
	RunActive      RunState = "active"
	RunComplete    RunState = "complete"
	RunPartial     RunState = "partial"
	RunFailed      RunState = "failed"
	RunInterrupted RunState = "interrupted"
	RunMissed      RunState = "missed"
	RunSkipped     RunState = "skipped"
	RunCancelled   RunState = "cancelled"
)

// Valid reports whether s is a known state.
func (s RunState) Valid() bool {
	switch s {
	case RunActive, RunComplete, RunPartial, RunFailed, RunInterrupted, RunMissed, RunSkipped, RunCancelled:
		return true
	}
	return false
}

// OffSite is a place where repositories are: a rest-server that is append-only
// for hosts. It belongs to the company.
type OffSite struct {
	ID   string
	Name string
	URL  string // "https://host:port"
	// Pin is the hex SHA-256 of the certificate's public key info; "" means the system's roots.
	Pin string
	// HtpasswdPath is the store's .htpasswd, which the plane writes; PIDPath is
	// the store's process id file, for the signal to read it again ("" waits
	// for the store's own check, 30 s in rest-server 0.14).
	HtpasswdPath, PIDPath string
	Location              string // "Frankfurt"
	Country               string // ISO 3166-1 alpha-2
	CreatedAt             time.Time
}

// Repository is the encrypted home of one tenancy's snapshots.
type Repository struct {
	ID, Customer, Tenancy, Server, OffSite string
	State                                  RepositoryState
	Custody                                Custody
	// Shown reports that the recovery key was shown and awaits confirmation.
	Shown bool
	// FailureCause is a wire.Cause where State is failed.
	FailureCause string
	// KeyFingerprint tells the recovery key from others without showing it, in
	// hexadecimal: wire.RepoPrepared.KeyFingerprint. "" until the host made it.
	KeyFingerprint string
	ConfirmedAt    time.Time
	CreatedAt      time.Time
}

// Plan says what of a tenancy is backed up, and when.
type Plan struct {
	ID, Customer, Tenancy, Server string
	Name                          string
	Paths, Excludes               []string
	Cron, Zone                    string // five fields, in the IANA zone
	Jitter                        time.Duration
	CatchUp, Enabled              bool
	CreatedAt, UpdatedAt          time.Time
	Repository                    Repository
	// NextRuns are the next due instants, without jitter; nil while disabled.
	NextRuns []time.Time
}

// Run is one due instant of a plan and what came of it.
type Run struct {
	ID, Customer, Plan, Server, Job string
	// StartedBy is "schedule", "first", or the id of a person.
	StartedBy         string
	State             RunState
	DueAt, FinishedAt time.Time
	Snapshot          string // our id; "" where none was made
	FailureCause      string // a wire.Cause
	// Unread are the files that could not be read (at most wire.MaxUnread);
	// only Service.Run fills it, and only for those who may see file names.
	Unread                   []Unread
	UnreadCount              int64
	Files, Bytes, AddedBytes int64
	Duration                 time.Duration
}

// Unread is a file that a run could not read. Path is raw bytes.
type Unread struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Snapshot is one backup that can be restored from.
type Snapshot struct {
	ID, Customer, Plan, Repository, Server, Run string
	ResticID                                    string
	ClaimedAt                                   time.Time // what the host says
	ArrivedAt                                   time.Time // when the plane learned of it: the time that counts
	Outcome                                     RunState  // complete or partial
	UnreadCount                                 int64
	Files, Bytes, AddedBytes                    int64
	GoneAt                                      time.Time // when the store was found to have it no more; zero while it has
}

// Options are what the service may be told. The zero value is usable.
type Options struct {
	Log *slog.Logger
	Bus *bus.Bus
	// SimulatedClock reports whether the plane's clock is behind real time (the
	// demo's); runs then carry the simulated time.
	SimulatedClock func() bool
	// MaxDownload is the largest file that can be downloaded, in bytes (default 20 GiB).
	MaxDownload int64
	// KeepDownload is how long a download or an archive stays (default 24 h).
	KeepDownload time.Duration
	// KeepPreview is how long a preview waits to be confirmed (default 1 h).
	KeepPreview time.Duration
	// KeepSafety is how long a restore on a server can be undone: what it
	// replaced stays there that long (default 7 days).
	KeepSafety time.Duration
	// KeepLists is how long the lists of what a restore changed are kept after
	// it (default 30 days; not less than KeepSafety).
	KeepLists time.Duration
	// SealKey finds the key of a server's agent (nil: there are no agents).
	SealKey SealKey
	// CatalogueCache bounds the opened blocks of catalogues in memory, in bytes
	// (default 64 MiB).
	CatalogueCache int64
	// MaxCatalogue is how large the catalogue of one plan may become, in bytes
	// (default 8 GiB: some hundred million files and their history). A snapshot
	// with which it would be larger is left out.
	MaxCatalogue int64
	// FindTime bounds one search (default 5 s).
	FindTime time.Duration
}

// Service is the slice: its methods are all that others do with backups.
type Service struct {
	db        *db.DB
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	blobs     *blob.Bucket
	mail      Mailer       // nil: nobody is mailed
	told      Instructions // nil: nobody is asked
	opts      Options
	uploads   *turns // bounds the chunks in memory
	searches  *turns // bounds the work in catalogues
	index     *catalogue.Cache
	tables    *segmentTables
}

// Deps are the parts that the service stands on.
type Deps struct {
	DB        *db.DB
	Keeper    *secrets.Keeper
	Ledger    *ledger.Ledger
	Jobs      *jobs.Jobs
	Findings  *findings.Findings
	Customers *customers.Store
	Blobs     *blob.Bucket
	Mail      Mailer // nil: nobody is mailed
	// Instructions are asked before staff restore for a customer; nil: nobody is.
	Instructions Instructions
}

// Instructions say who may tell us to restore, and what of it is paused.
type Instructions interface {
	// Authorised returns what an act for a customer may be done by. Errors: conflict.
	Authorised(tx *db.Tx, customer, act, by string) (id string, err error)
	// Hold refuses what is paused: a restore, an assist or a ticket. Errors: conflict.
	Hold(tx *db.Tx, customer string, about ...string) error
	// OnFlagged has stop called when something is paused, in the transaction that
	// pauses it: about is what it is, as Hold is asked.
	OnFlagged(stop func(tx *db.Tx, customer string, about ...string) error)
}

// Letter is a mail to one person. It has the fields of package mail's Message,
// so that one converts to the other.
type Letter struct {
	Key      string // unique for ever: once enqueued, never again
	Customer string
	Person   string // con_
	To, Name string
	Template string // "restore.ready" (args server, until), "restore.failed" (server), "ask.answered"
	Lang     string
	Args     map[string]string // no file names
	Path     string            // page of the portal: "/restores/res_..."
	Subject  string
}

// Mailer has a mail sent, queued in the transaction of what it tells of.
type Mailer interface {
	Enqueue(tx *db.Tx, l Letter) error
}

// New returns the service and registers its jobs and schedules. Call it before
// jobs.Run.
func New(d Deps, o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bus == nil {
		o.Bus = bus.New()
	}
	if o.SimulatedClock == nil {
		o.SimulatedClock = func() bool { return false }
	}
	if o.SealKey == nil {
		o.SealKey = func(context.Context, policy.Scope, string) ([]byte, error) { return nil, nil }
	}
	if o.MaxDownload == 0 {
		o.MaxDownload = 20 << 30
	}
	if o.KeepDownload == 0 {
		o.KeepDownload = 24 * time.Hour
	}
	if o.KeepPreview == 0 {
		o.KeepPreview = time.Hour
	}
	if o.KeepSafety == 0 {
		o.KeepSafety = 7 * 24 * time.Hour
	}
	if o.KeepLists == 0 {
		o.KeepLists = 30 * 24 * time.Hour
	}
	o.KeepLists = max(o.KeepLists, o.KeepSafety)
	if o.CatalogueCache == 0 {
		o.CatalogueCache = 64 << 20
	}
	if o.MaxCatalogue == 0 {
		o.MaxCatalogue = 8 << 30
	}
	if o.FindTime == 0 {
		o.FindTime = 5 * time.Second
	}
	s := &Service{db: d.DB, keeper: d.Keeper, ledger: d.Ledger, jobs: d.Jobs, findings: d.Findings,
		customers: d.Customers, blobs: d.Blobs, mail: d.Mail, told: d.Instructions, opts: o, uploads: newTurns(maxUploads), searches: newTurns(maxSearches),
		index: catalogue.NewCache(o.CatalogueCache), tables: newSegmentTables()}
	s.handle()
	s.handleCatalogue()
	s.customers.OnTenancyChanged(s.narrowed)
	s.customers.OnTenancyChanged(s.cataloguesNarrowed)
	if s.told != nil {
		s.told.OnFlagged(s.flagged)
	}
	return s
}
