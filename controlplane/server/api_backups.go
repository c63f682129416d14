package server

import (
	"context"
	"net/http"
	"time"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// backupAPI holds the operations of stores, plans, repositories, runs,
// snapshots, files and restores.
type backupAPI struct{ *Server }

func (s *Server) registerBackups() {
	b := &backupAPI{s}
	b.registerStores(s.api)
	b.registerPlans(s.api)
	b.registerRepositories(s.api)
	b.registerRuns(s.api)
	b.registerSnapshots(s.api)
	b.registerFiles(s.api)
	b.registerRestores(s.api)
	b.registerRestoreSteps(s.api)
	b.registerCatalogues(s.api)
	b.registerAssists(s.api)
	b.registerAsks(s.api)
}

// BackupStore is an off-site store.
type BackupStore struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	URL          string `json:"url"`
	Pin          string `json:"pin" doc:"Hex SHA-256 of the certificate's public key info; empty means the system's roots"`
	HtpasswdPath string `json:"htpasswd_path"`
	PIDPath      string `json:"pid_path"`
	Location     string `json:"location"`
	Country      string `json:"country"`
	CreatedAt    string `json:"created_at" format:"date-time"`
}

func viewStore(s backups.OffSite) BackupStore {
	return BackupStore{ID: s.ID, Name: s.Name, URL: s.URL, Pin: s.Pin, HtpasswdPath: s.HtpasswdPath, PIDPath: s.PIDPath,
		Location: s.Location, Country: s.Country, CreatedAt: controlplane.Instant(s.CreatedAt)}
}

// NewBackupStore is what is said of a new off-site store.
type NewBackupStore struct {
	Name         string `json:"name"`
	URL          string `json:"url" doc:"https://host:port"`
	Pin          string `json:"pin,omitempty"`
	HtpasswdPath string `json:"htpasswd_path" doc:"The store's user file, which the control plane writes"`
	PIDPath      string `json:"pid_path,omitempty"`
	Location     string `json:"location,omitempty"`
	Country      string `json:"country" doc:"ISO 3166-1 alpha-2"`
}

func (b *backupAPI) registerStores(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/stores", Name: "store.list", Summary: "List off-site stores", Audience: policy.Staff, Permission: policy.PlanRead},
		func(ctx context.Context, scope policy.Scope, in *PageIn) (*ListOut[BackupStore], error) {
			all, err := b.Backups.Stores(ctx, scope)
			if err != nil {
				return nil, err
			}
			items, next, err := pageOf(all, func(s backups.OffSite) string { return s.ID }, *in)
			return listOf(items, next, viewStore), err
		})
	type addIn struct{ Body NewBackupStore }
	Register(a, Op{Method: http.MethodPost, Path: "/stores", Name: "store.add", Summary: "Make an off-site store known", Audience: policy.Staff,
		Permission: policy.PlanWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *addIn) (*One[BackupStore], error) {
			s, err := b.Backups.AddStore(ctx, scope, backups.OffSite{Name: in.Body.Name, URL: in.Body.URL, Pin: in.Body.Pin, HtpasswdPath: in.Body.HtpasswdPath,
				PIDPath: in.Body.PIDPath, Location: in.Body.Location, Country: in.Body.Country})
			return &One[BackupStore]{Body: viewStore(s)}, err
		})
}

// BackupRun is one due instant of a plan and what came of it.
type BackupRun struct {
	ID          string        `json:"id"`
	CustomerID  string        `json:"customer"`
	PlanID      string        `json:"plan"`
	ServerID    string        `json:"server"`
	JobID       string        `json:"job,omitempty" doc:"Empty where none was started"`
	StartedBy   string        `json:"started_by" doc:"schedule, first, or the id of a person"`
	State       string        `json:"state" enum:"active,complete,partial,failed,interrupted,missed,skipped,cancelled"`
	DueAt       string        `json:"due_at" format:"date-time"`
	FinishedAt  string        `json:"finished_at,omitempty" format:"date-time"`
	SnapshotID  string        `json:"snapshot,omitempty"`
	UnreadCount int64         `json:"unread_count" doc:"Files that could not be read"`
	Unread      []UnreadFile  `json:"unread,omitempty" doc:"Some of them, for those who may see file names"`
	Files       int64         `json:"files"`
	Bytes       int64         `json:"bytes"`
	AddedBytes  int64         `json:"added_bytes" doc:"As stored, after compression"`
	DurationMS  int64         `json:"duration_ms"`
	Failure     *FailureCause `json:"failure,omitempty"`
}

// UnreadFile is a file that a run could not read.
type UnreadFile struct {
	Path    string `json:"path"`
	PathB64 []byte `json:"path_b64,omitempty" doc:"The bytes, where the path is not UTF-8"`
	Reason  string `json:"reason"`
}

func viewRun(r backups.Run) BackupRun {
	v := BackupRun{ID: r.ID, CustomerID: r.Customer, PlanID: r.Plan, ServerID: r.Server, JobID: r.Job, StartedBy: r.StartedBy, State: string(r.State),
		DueAt: controlplane.Instant(r.DueAt), FinishedAt: controlplane.Instant(r.FinishedAt), SnapshotID: r.Snapshot, UnreadCount: r.UnreadCount,
		Files: r.Files, Bytes: r.Bytes, AddedBytes: r.AddedBytes, DurationMS: r.Duration.Milliseconds(), Failure: runFailure(r)}
	for _, u := range r.Unread {
		f := UnreadFile{Reason: u.Reason}
		f.Path, f.PathB64 = pathText([]byte(u.Path))
		v.Unread = append(v.Unread, f)
	}
	return v
}

// runFailure says why a run made no snapshot; nil where it did or may yet.
func runFailure(r backups.Run) *FailureCause {
	state := map[backups.RunState]jobs.State{backups.RunInterrupted: jobs.Interrupted, backups.RunMissed: jobs.Expired, backups.RunCancelled: jobs.Cancelled}
	switch r.State {
	case backups.RunActive, backups.RunComplete, backups.RunPartial:
		return nil
	case backups.RunSkipped:
		return &FailureCause{Cause: string(r.State), Message: "The run before it was still going on.", Next: "See how long runs take, and leave more time between them."}
	case backups.RunFailed:
		return failureOf(r.FailureCause)
	}
	return failureOf(string(state[r.State]))
}

func (b *backupAPI) registerRuns(a *API) {
	Register(a, Op{Method: http.MethodPost, Path: "/plans/{id}/runs", Name: "plan.run", Summary: "Start a backup now", Audience: policy.SignedIn,
		Permission: policy.BackupRun, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[BackupRun], error) {
			r, err := b.Backups.RunNow(ctx, scope, in.ID)
			return &One[BackupRun]{Location: jobLocation(r.Job), Body: viewRun(r)}, err
		})
	type listIn struct {
		IDIn
		PageIn
		Since time.Time `query:"since" doc:"Only runs due at or after this instant"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/plans/{id}/runs", Name: "run.list", Summary: "List the runs of a plan, newest first",
		Audience: policy.SignedIn, Permission: policy.PlanRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[BackupRun], error) {
			if _, err := b.Backups.Plan(ctx, scope, in.ID); err != nil { // another's plan has no list, not an empty one
				return nil, err
			}
			all, err := b.Backups.Runs(ctx, scope, in.ID, in.Since, 0)
			if err != nil {
				return nil, err
			}
			items, next, err := pageOf(all, func(r backups.Run) string { return r.ID }, in.PageIn)
			return listOf(items, next, viewRun), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/runs/{id}", Name: "run.show", Summary: "Show a run, with files that could not be read",
		Audience: policy.SignedIn, Permission: policy.PlanRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[BackupRun], error) {
			r, err := b.Backups.Run(ctx, scope, in.ID)
			return &One[BackupRun]{Body: viewRun(r)}, err
		})
}

func jobLocation(job string) string {
	if job == "" {
		return ""
	}
	return Base + "/jobs/" + job
}

// pageOf cuts a page out of a short list that its slice gives whole. The token
// is the id of the last item of the page before.
func pageOf[T any](all []T, id func(T) string, in PageIn) (items []T, next string, err error) {
	from := 0
	if in.PageToken != "" {
		from = -1
		for i, v := range all {
			if id(v) == in.PageToken {
				from = i + 1
			}
		}
		if from < 0 {
			return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "Use the token of the page before."})
		}
	}
	items = all[from:]
	if in.PageSize > 0 && len(items) > in.PageSize {
		items = items[:in.PageSize]
		next = id(items[len(items)-1])
	}
	return items, next, nil
}
