package server

import (
	"context"
	"net/http"
	"time"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// BackupPlan is what of a tenancy is backed up, and when.
type BackupPlan struct {
	ID            string           `json:"id"`
	Name          string           `json:"name"`
	CustomerID    string           `json:"customer"`
	CustomerName  string           `json:"customer_name"`
	ServerID      string           `json:"server"`
	ServerName    string           `json:"server_name"`
	TenancyID     string           `json:"tenancy"`
	Paths         []string         `json:"paths" nullable:"false"`
	Excludes      []string         `json:"excludes" nullable:"false"`
	Cron          string           `json:"cron"`
	Zone          string           `json:"zone"`
	JitterSeconds int64            `json:"jitter_seconds"`
	CatchUp       bool             `json:"catch_up"`
	Enabled       bool             `json:"enabled"`
	CreatedAt     string           `json:"created_at" format:"date-time"`
	UpdatedAt     string           `json:"updated_at" format:"date-time"`
	Repository    BackupRepository `json:"repository"`
	NextRuns      []string         `json:"next_runs,omitempty" doc:"The next seven due instants, without the spread; not in lists"`
}

// BackupRepository is the encrypted home of a tenancy's snapshots.
type BackupRepository struct {
	ID          string        `json:"id"`
	CustomerID  string        `json:"customer"`
	ServerID    string        `json:"server"`
	TenancyID   string        `json:"tenancy"`
	StoreID     string        `json:"store"`
	State       string        `json:"state" enum:"choosing,preparing,unconfirmed,registering,initialising,ready,failed"`
	Custody     string        `json:"custody" doc:"customer, escrow, or empty while nobody has chosen"`
	KeyShown    bool          `json:"key_shown" doc:"The recovery key was shown and waits to be confirmed"`
	ConfirmedAt string        `json:"confirmed_at,omitempty" format:"date-time"`
	CreatedAt   string        `json:"created_at" format:"date-time"`
	Failure     *FailureCause `json:"failure,omitempty"`
}

func viewRepository(r backups.Repository) BackupRepository {
	v := BackupRepository{ID: r.ID, CustomerID: r.Customer, ServerID: r.Server, TenancyID: r.Tenancy, StoreID: r.OffSite, State: string(r.State),
		Custody: string(r.Custody), KeyShown: r.Shown, ConfirmedAt: controlplane.Instant(r.ConfirmedAt), CreatedAt: controlplane.Instant(r.CreatedAt)}
	if r.State == backups.RepositoryFailed {
		v.Failure = failureOf(r.FailureCause)
	}
	return v
}

func viewPlan(p backups.Plan, customer, server string) BackupPlan {
	v := BackupPlan{ID: p.ID, Name: p.Name, CustomerID: p.Customer, CustomerName: customer, ServerID: p.Server, ServerName: server, TenancyID: p.Tenancy,
		Paths: append([]string{}, p.Paths...), Excludes: append([]string{}, p.Excludes...), Cron: p.Cron, Zone: p.Zone,
		JitterSeconds: int64(p.Jitter / time.Second), CatchUp: p.CatchUp, Enabled: p.Enabled, CreatedAt: controlplane.Instant(p.CreatedAt),
		UpdatedAt: controlplane.Instant(p.UpdatedAt), Repository: viewRepository(p.Repository)}
	for _, at := range p.NextRuns {
		v.NextRuns = append(v.NextRuns, controlplane.Instant(at))
	}
	return v
}

// named views plans with the names of their customers and servers.
func (b *backupAPI) named(ctx context.Context, scope policy.Scope, plans []backups.Plan) ([]BackupPlan, error) {
	var cus, srv []string
	for _, p := range plans {
		cus, srv = append(cus, p.Customer), append(srv, p.Server)
	}
	names, err := b.Customers.Names(ctx, scope, cus)
	if err != nil {
		return nil, err
	}
	servers, err := b.Customers.ServersByIDs(ctx, scope, srv)
	if err != nil {
		return nil, err
	}
	out := make([]BackupPlan, len(plans))
	for i, p := range plans {
		out[i] = viewPlan(p, names[p.Customer], servers[p.Server].Name)
	}
	return out, nil
}

func (b *backupAPI) onePlan(ctx context.Context, scope policy.Scope, p backups.Plan, err error) (*One[BackupPlan], error) {
	if err != nil {
		return nil, err
	}
	v, err := b.named(ctx, scope, []backups.Plan{p})
	if err != nil {
		return nil, err
	}
	return &One[BackupPlan]{ETag: planTag(p), Body: v[0]}, nil
}

// planTag changes with every change of a plan.
func planTag(p backups.Plan) string { return etag(p.UpdatedAt.UnixMilli()) }

// NewBackupPlan is what is said of a new plan.
type NewBackupPlan struct {
	TenancyID     string   `json:"tenancy"`
	Name          string   `json:"name"`
	Paths         []string `json:"paths" nullable:"false"`
	Excludes      []string `json:"excludes,omitempty"`
	Cron          string   `json:"cron" doc:"Minute, hour, day, month, weekday"`
	Zone          string   `json:"zone" doc:"IANA time zone of cron"`
	JitterSeconds int64    `json:"jitter_seconds,omitempty"`
	CatchUp       bool     `json:"catch_up,omitempty" doc:"Run once, late, what was missed"`
	Custody       string   `json:"custody,omitempty" doc:"customer, escrow, or empty: the customer chooses"`
	StoreID       string   `json:"store,omitempty" doc:"Where there is more than one off-site store"`
}

// BackupPlanChange is what changes of a plan; what is absent stays.
type BackupPlanChange struct {
	Name          *string   `json:"name,omitempty"`
	Paths         *[]string `json:"paths,omitempty"`
	Excludes      *[]string `json:"excludes,omitempty"`
	Cron          *string   `json:"cron,omitempty"`
	Zone          *string   `json:"zone,omitempty"`
	JitterSeconds *int64    `json:"jitter_seconds,omitempty"`
	CatchUp       *bool     `json:"catch_up,omitempty"`
	Enabled       *bool     `json:"enabled,omitempty"`
}

func (b *backupAPI) registerPlans(a *API) {
	type listIn struct {
		PageIn
		Server   string `query:"server" doc:"Name or id"`
		Customer string `query:"customer" doc:"Slug or id"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/plans", Name: "plan.list", Summary: "List backup plans", Audience: policy.SignedIn, Permission: policy.PlanRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[BackupPlan], error) {
			return b.listPlans(ctx, scope, in.Server, in.Customer, in.PageIn)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/plans/{id}", Name: "plan.show", Summary: "Show a plan, its repository and next runs",
		Audience: policy.SignedIn, Permission: policy.PlanRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[BackupPlan], error) {
			p, err := b.Backups.Plan(ctx, scope, in.ID)
			return b.onePlan(ctx, scope, p, err)
		})
	type createIn struct{ Body NewBackupPlan }
	Register(a, Op{Method: http.MethodPost, Path: "/plans", Name: "plan.create", Summary: "Make a plan for a tenancy", Audience: policy.SignedIn,
		Permission: policy.PlanWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *createIn) (*One[BackupPlan], error) {
			n := in.Body
			p, err := b.Backups.CreatePlan(ctx, scope, backups.PlanInput{Tenancy: n.TenancyID, Name: n.Name, Paths: n.Paths, Excludes: n.Excludes, Cron: n.Cron,
				Zone: n.Zone, Jitter: time.Duration(n.JitterSeconds) * time.Second, CatchUp: n.CatchUp, Custody: backups.Custody(n.Custody), OffSite: n.StoreID})
			return b.onePlan(ctx, scope, p, err)
		})
	type updateIn struct {
		IDIn
		IfMatch string `header:"If-Match" doc:"The ETag that the change is made from"`
		Body    BackupPlanChange
	}
	Register(a, Op{Method: http.MethodPatch, Path: "/plans/{id}", Name: "plan.update", Summary: "Change a plan", Audience: policy.SignedIn, Permission: policy.PlanWrite},
		func(ctx context.Context, scope policy.Scope, in *updateIn) (*One[BackupPlan], error) {
			return b.updatePlan(ctx, scope, in.ID, in.IfMatch, in.Body)
		})
}

func (b *backupAPI) listPlans(ctx context.Context, scope policy.Scope, server, customer string, in PageIn) (*ListOut[BackupPlan], error) {
	server, customer, err := b.refs(ctx, scope, server, customer)
	if err != nil {
		return nil, err
	}
	all, err := b.Backups.Plans(ctx, scope, server)
	if err != nil {
		return nil, err
	}
	kept := make([]backups.Plan, 0, len(all))
	for _, p := range all {
		if customer == "" || p.Customer == customer {
			kept = append(kept, p)
		}
	}
	items, next, err := pageOf(kept, func(p backups.Plan) string { return p.ID }, in)
	if err != nil {
		return nil, err
	}
	views, err := b.named(ctx, scope, items)
	return listOf(views, next, func(v BackupPlan) BackupPlan { return v }), err
}

// refs turns the name of a server and the slug of a customer into their ids;
// "" stays "". What is not there, or another's, stays as it is and finds nothing.
func (b *backupAPI) refs(ctx context.Context, scope policy.Scope, server, customer string) (serverID, customerID string, err error) {
	if server != "" {
		s, err := b.Customers.GetServer(ctx, scope, server)
		if err == nil {
			server = s.ID
		} else if controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			return "", "", err
		}
	}
	if customer != "" {
		c, err := b.Customers.GetCustomer(ctx, scope, customer)
		if err == nil {
			customer = c.ID
		} else if controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			return "", "", err
		}
	}
	return server, customer, nil
}

func (b *backupAPI) updatePlan(ctx context.Context, scope policy.Scope, id, match string, c BackupPlanChange) (*One[BackupPlan], error) {
	wanted, err := ifMatch(match)
	if err != nil {
		return nil, err
	}
	p, err := b.Backups.Plan(ctx, scope, id)
	if err != nil {
		return nil, err
	}
	if wanted != 0 && wanted != p.UpdatedAt.UnixMilli() {
		return nil, controlplane.Errorf(controlplane.CodeConflict, "Look at it again and make the change from there.", "Somebody else changed this plan meanwhile")
	}
	in := backups.PlanInput{Tenancy: p.Tenancy, Name: p.Name, Paths: p.Paths, Excludes: p.Excludes, Cron: p.Cron, Zone: p.Zone, Jitter: p.Jitter, CatchUp: p.CatchUp}
	enabled := p.Enabled
	change(&in.Name, c.Name)
	change(&in.Paths, c.Paths)
	change(&in.Excludes, c.Excludes)
	change(&in.Cron, c.Cron)
	change(&in.Zone, c.Zone)
	change(&in.CatchUp, c.CatchUp)
	change(&enabled, c.Enabled)
	if c.JitterSeconds != nil {
		in.Jitter = time.Duration(*c.JitterSeconds) * time.Second
	}
	p, err = b.Backups.UpdatePlan(ctx, scope, id, in, enabled)
	return b.onePlan(ctx, scope, p, err)
}

// change sets a value where a new one was sent.
func change[T any](v, to *T) {
	if to != nil {
		*v = *to
	}
}

// RecoveryKey is a repository's recovery key, shown once.
type RecoveryKey struct {
	Key string `json:"recovery_key"`
}

func (b *backupAPI) oneRepository(ctx context.Context, scope policy.Scope, id string, err error) (*One[BackupRepository], error) {
	if err != nil {
		return nil, err
	}
	r, err := b.Backups.Repository(ctx, scope, id)
	return &One[BackupRepository]{Body: viewRepository(r)}, err
}

func (b *backupAPI) registerRepositories(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/repositories/{id}", Name: "repository.show", Summary: "Show a repository", Audience: policy.SignedIn, Permission: policy.PlanRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[BackupRepository], error) {
			return b.oneRepository(ctx, scope, in.ID, nil)
		})
	type custodyIn struct {
		IDIn
		Body struct {
			Custody string `json:"custody" enum:"customer,escrow"`
		}
	}
	Register(a, Op{Method: http.MethodPost, Path: "/repositories/{id}/custody", Name: "repository.custody", Summary: "Choose who holds the key besides the server",
		Audience: policy.SignedIn, Permission: policy.PlanWrite},
		func(ctx context.Context, scope policy.Scope, in *custodyIn) (*One[BackupRepository], error) {
			if actor, _ := controlplane.ActorFrom(ctx); actor.Kind == controlplane.ActorContact { // a key is more than a plan
				if _, err := policy.For(ctx, policy.KeyConfirm); err != nil {
					return nil, err
				}
			}
			return b.oneRepository(ctx, scope, in.ID, b.Backups.ChooseCustody(ctx, scope, in.ID, backups.Custody(in.Body.Custody)))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/repositories/{id}/reveal", Name: "repository.reveal", Summary: "Show the recovery key, once",
		Audience: policy.Customers, Permission: policy.KeyConfirm, Once: true},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[RecoveryKey], error) {
			key, err := b.Backups.RevealKey(ctx, scope, in.ID)
			return &One[RecoveryKey]{Body: RecoveryKey{Key: key}}, err
		})
	type confirmIn struct {
		IDIn
		Body struct {
			LastGroup string `json:"last_group" maxLength:"100"`
		}
	}
	Register(a, Op{Method: http.MethodPost, Path: "/repositories/{id}/confirm", Name: "repository.confirm", Summary: "Confirm the recovery key by its last group",
		Audience: policy.Customers, Permission: policy.KeyConfirm},
		func(ctx context.Context, scope policy.Scope, in *confirmIn) (*One[BackupRepository], error) {
			return b.oneRepository(ctx, scope, in.ID, b.Backups.ConfirmKey(ctx, scope, in.ID, in.Body.LastGroup))
		})
	type returnIn struct {
		IDIn
		Body struct {
			RecoveryKey string `json:"recovery_key,omitempty" maxLength:"200" doc:"The customer's copy of the key; not needed of a repository in escrow"`
		}
	}
	Register(a, Op{Method: http.MethodPost, Path: "/repositories/{id}/return", Name: "repository.return", Summary: "Give a server that was set up anew its repository's key again",
		Audience: policy.Customers, Permission: policy.KeyConfirm},
		func(ctx context.Context, scope policy.Scope, in *returnIn) (*One[BackupRepository], error) {
			return b.oneRepository(ctx, scope, in.ID, b.Backups.ReturnKey(ctx, scope, in.ID, in.Body.RecoveryKey))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/repositories/{id}/retry", Name: "repository.retry", Summary: "Try again to make a repository that failed",
		Audience: policy.SignedIn, Permission: policy.PlanWrite},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[BackupRepository], error) {
			return b.oneRepository(ctx, scope, in.ID, b.Backups.Retry(ctx, scope, in.ID))
		})
}
