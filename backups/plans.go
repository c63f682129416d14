package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// PlanInput is what a person says of a plan.
type PlanInput struct {
	Tenancy         string
	Name            string
	Paths, Excludes []string
	Cron, Zone      string
	Jitter          time.Duration
	CatchUp         bool
	// Custody chooses who holds the key; CustodyOpen leaves it to the customer.
	// It counts for the first plan of a tenancy only.
	Custody Custody
	// OffSite is the store's id; "" means the only one there is.
	OffSite string
}

const (
	dueSchedule = "backup.due"
	maxPaths    = 100
	maxLists    = 32 << 10 // bytes of paths and excludes together: they go into one entry of the ledger
	maxPlans    = 50       // of one tenancy
	maxJitter   = 6 * time.Hour
	minGap      = 15 * time.Minute // between two runs of a plan
)

func planScheduleKey(plan string) string { return "plan:" + plan }

// CreatePlan makes a plan, and for the first plan of a tenancy its repository.
// Permission: plan.write. Errors: invalid with fields, not_found, conflict.
func (s *Service) CreatePlan(ctx context.Context, scope policy.Scope, in PlanInput) (Plan, error) {
	ten, err := s.customers.GetTenancy(ctx, scope, in.Tenancy)
	if err != nil {
		return Plan{}, err
	}
	if err := in.check(ten); err != nil {
		return Plan{}, err
	}
	if err := s.keeper.EnsureKey(ctx, ten.Customer); err != nil {
		return Plan{}, fmt.Errorf("backups: create plan: %w", err)
	}
	reveal, err := s.newReveal()
	if err != nil {
		return Plan{}, err
	}
	var out Plan
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		repo, err := s.repositoryFor(tx, ten, in)
		if err != nil {
			return err
		}
		row, err := s.insertPlan(tx, in, ten, repo)
		if err != nil {
			return err
		}
		if repo.State == string(RepositoryChoosing) && in.Custody != CustodyOpen {
			if err := s.prepare(tx, &repo, in.Custody, reveal); err != nil {
				return err
			}
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: ten.Customer, Server: ten.Server, Subject: row.ID, Kind: "plan.created",
			Data: map[string]any{"name": in.Name, "paths": in.Paths, "excludes": in.Excludes, "cron": in.Cron, "zone": in.Zone}}); err != nil {
			return err
		}
		out, err = row.value(repo)
		return err
	})
	if err != nil {
		return Plan{}, err
	}
	return s.withNext(ctx, out, nextRuns)
}

// repositoryFor returns the tenancy's repository, or makes its row.
func (s *Service) repositoryFor(tx *db.Tx, ten customers.Tenancy, in PlanInput) (repositoryRow, error) {
	rows, err := db.Where[repositoryRow](tx, policy.OneCustomer(ten.Customer), "id", 1, "tenancy_id = ?", ten.ID)
	if err != nil {
		return repositoryRow{}, err
	}
	if len(rows) == 1 {
		return rows[0], sameCustody(rows[0], in.Custody)
	}
	stores, err := db.Where[offSiteRow](tx, policy.AllCustomers("stores are the company's"), "created_at, id", 0, "? = '' OR id = ?", in.OffSite, in.OffSite)
	if err != nil {
		return repositoryRow{}, err
	}
	switch {
	case len(stores) == 0:
		return repositoryRow{}, controlplane.Errorf(controlplane.CodeConflict, "Add one first: ostler store add.", "There is no off-site store to keep backups in")
	case len(stores) > 1:
		return repositoryRow{}, controlplane.Invalid(controlplane.Field{Pointer: "/store", Message: "There is more than one off-site store: choose one."})
	}
	id := controlplane.NewID(controlplane.PrefixRepository)
	repo := repositoryRow{ID: id, CustomerID: ten.Customer, TenancyID: ten.ID, ServerID: ten.Server, StoreID: stores[0].ID,
		StoreUser: id, State: string(RepositoryChoosing), Custody: string(CustodyOpen), CreatedAt: tx.NowMillis()}
	return repo, db.Insert(tx, &repo)
}

// sameCustody refuses a choice that a repository which has its key cannot follow.
func sameCustody(repo repositoryRow, want Custody) error {
	if want == CustodyOpen || want == Custody(repo.Custody) || repo.State == string(RepositoryChoosing) {
		return nil
	}
	return controlplane.Invalid(controlplane.Field{Pointer: "/custody", Message: fmt.Sprintf(
		"The tenancy's repository has its key already, with custody “%s”: all plans of a tenancy share it. Leave custody out.", repo.Custody)})
}

func (s *Service) insertPlan(tx *db.Tx, in PlanInput, ten customers.Tenancy, repo repositoryRow) (planRow, error) {
	row := planRow{ID: controlplane.NewID(controlplane.PrefixPlan), CustomerID: ten.Customer, TenancyID: ten.ID, ServerID: ten.Server,
		RepositoryID: repo.ID, CreatedAt: tx.NowMillis(), Enabled: 1}
	if err := in.fill(tx, &row); err != nil {
		return row, err
	}
	there, err := db.Where[planRow](tx, policy.OneCustomer(ten.Customer), "id", maxPlans, "tenancy_id = ?", ten.ID)
	if err != nil {
		return row, err
	}
	if len(there) >= maxPlans {
		return row, controlplane.Errorf(controlplane.CodeConflict, "Change one of them instead.", "This customer has %d plans on this server already", len(there))
	}
	if err := db.Insert(tx, &row); err != nil {
		if db.IsDuplicate(err) {
			return row, controlplane.Invalid(controlplane.Field{Pointer: "/name", Message: "This tenancy has a plan of that name already: choose another name."})
		}
		return row, err
	}
	return row, s.schedule(tx, row)
}

func (s *Service) schedule(tx *db.Tx, row planRow) error {
	_, err := s.jobs.PutSchedule(tx, jobs.Schedule{Key: planScheduleKey(row.ID), Kind: dueSchedule, Customer: row.CustomerID, Subject: row.ID,
		Cron: row.Cron, Zone: row.Zone, Jitter: time.Duration(row.JitterSeconds) * time.Second, CatchUp: row.CatchUp != 0, Enabled: row.Enabled != 0})
	if err != nil {
		return fmt.Errorf("backups: schedule: %w", err)
	}
	return nil
}

// fill writes the input into a row.
func (in PlanInput) fill(tx *db.Tx, row *planRow) error {
	paths, err := json.Marshal(in.Paths)
	if err != nil {
		return fmt.Errorf("backups: plan: %w", err)
	}
	excludes, err := json.Marshal(append([]string{}, in.Excludes...))
	if err != nil {
		return fmt.Errorf("backups: plan: %w", err)
	}
	row.Name, row.Paths, row.Excludes, row.Cron, row.Zone = in.Name, string(paths), string(excludes), in.Cron, in.Zone
	row.JitterSeconds, row.CatchUp, row.UpdatedAt = int64(in.Jitter/time.Second), 0, tx.NowMillis()
	if in.CatchUp {
		row.CatchUp = 1
	}
	return nil
}

// plain reports whether s shows as what it is: no control characters, and no
// marks that turn the direction of text.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) })
}

// check validates an input against the tenancy's paths.
func (in PlanInput) check(ten customers.Tenancy) error {
	var bad []controlplane.Field
	say := func(pointer, message string) {
		bad = append(bad, controlplane.Field{Pointer: pointer, Message: message})
	}
	if n := len(strings.TrimSpace(in.Name)); n == 0 || n > 100 || !plain(in.Name) {
		say("/name", "Give the plan a name of 1 to 100 characters that can be seen.")
	}
	size := 0
	for _, v := range slices.Concat(in.Paths, in.Excludes) {
		size += len(v)
	}
	if size > maxLists {
		say("/paths", "These are too many folders and patterns: name the folders above them, or make a second plan.")
	}
	if len(in.Paths) == 0 || len(in.Paths) > maxPaths {
		say("/paths", "Name at least one folder to back up, and at most 100.")
	}
	for i, p := range in.Paths {
		switch {
		case !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsAny(p, "\x00\n") || !utf8.ValidString(p):
			say(fmt.Sprintf("/paths/%d", i), "A path starts with “/” and has no “..”, “//” or trailing “/”.")
		case !ten.Covers(p):
			say(fmt.Sprintf("/paths/%d", i), fmt.Sprintf("%s is outside the folders that belong to this customer on the server. Choose one of these, or a folder in it: %s.", p, strings.Join(ten.Paths, ", ")))
		}
	}
	for i, e := range in.Excludes {
		if e == "" || strings.ContainsAny(e, "\x00\n") || len(e) > 4096 || !utf8.ValidString(e) {
			say(fmt.Sprintf("/excludes/%d", i), "An exclude is one pattern on one line.")
		}
	}
	if _, err := jobs.NextRuns(in.Cron, in.Zone, time.Unix(0, 0), 1); err != nil {
		say("/cron", "Use five cron fields (minute hour day month weekday), such as “15 2 * * *”, and a time zone such as Europe/Berlin.")
	} else if gap := smallestGap(in.Cron, in.Zone); gap < minGap {
		say("/cron", fmt.Sprintf("This starts a backup every %s at times; the least time between two backups is 15 minutes, such as “*/15 * * * *”.", minutes(gap)))
	}
	if in.Jitter < 0 || in.Jitter > maxJitter {
		say("/jitter_seconds", "The spread of start times is between 0 and 6 hours.")
	}
	if !in.Custody.Valid() {
		say("/custody", "Choose “customer” or “escrow”, or leave it to the customer.")
	}
	if bad != nil {
		return controlplane.Invalid(bad...)
	}
	return nil
}

// smallestGap is the least time between two of the next 50 runs of a cron line
// that is valid. A line with fewer than two in a year has none: it returns a year.
func smallestGap(cron, zone string) time.Duration {
	const year = 366 * 24 * time.Hour
	least, last := year, time.Time{}
	for at, n := time.Unix(0, 0), 0; n < 50 && at.Before(time.Unix(0, 0).Add(year)); n++ {
		runs, err := jobs.NextRuns(cron, zone, at, 1)
		if err != nil {
			break
		}
		at = runs[0]
		if !last.IsZero() {
			least = min(least, at.Sub(last))
		}
		last = at
	}
	return least
}

func minutes(d time.Duration) string {
	if n := int(d / time.Minute); n != 1 {
		return fmt.Sprintf("%d minutes", n)
	}
	return "minute"
}

// UpdatePlan changes what a plan backs up and when. Permission: plan.write.
func (s *Service) UpdatePlan(ctx context.Context, scope policy.Scope, id string, in PlanInput, enabled bool) (Plan, error) {
	plan, err := s.Plan(ctx, scope, id)
	if err != nil {
		return Plan{}, err
	}
	ten, err := s.customers.GetTenancy(ctx, scope, plan.Tenancy)
	if err != nil {
		return Plan{}, err
	}
	if err := in.check(ten); err != nil {
		return Plan{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[planRow](tx, scope, "plan", id)
		if err != nil {
			return err
		}
		if err := in.fill(tx, &row); err != nil {
			return err
		}
		row.Enabled = 0
		if enabled {
			row.Enabled = 1
		}
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		if err := s.schedule(tx, row); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: id, Kind: "plan.changed",
			Data: map[string]any{"name": in.Name, "paths": in.Paths, "excludes": in.Excludes, "cron": in.Cron, "zone": in.Zone, "enabled": enabled}})
		return err
	})
	if err != nil {
		return Plan{}, err
	}
	return s.Plan(ctx, scope, id)
}

// Plan returns one plan with its repository and next runs. Permission: plan.read.
func (s *Service) Plan(ctx context.Context, scope policy.Scope, id string) (Plan, error) {
	plans, err := s.plans(ctx, scope, "id = ?", id)
	if err != nil {
		return Plan{}, err
	}
	if len(plans) == 0 {
		return Plan{}, controlplane.NotFound("plan")
	}
	return s.withNext(ctx, plans[0], nextRuns)
}

// Plans returns every plan in the scope with its next run, those of one server
// where server is not "". Permission: plan.read.
func (s *Service) Plans(ctx context.Context, scope policy.Scope, server string) ([]Plan, error) {
	plans, err := s.plans(ctx, scope, "? = '' OR server_id = ?", server, server)
	for i := range plans {
		if err == nil {
			plans[i], err = s.withNext(ctx, plans[i], 1)
		}
	}
	return plans, err
}

func (s *Service) plans(ctx context.Context, scope policy.Scope, cond string, args ...any) ([]Plan, error) {
	var out []Plan
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		out = nil
		rows, err := db.Where[planRow](tx, scope, "id", 0, cond, args...)
		if err != nil {
			return err
		}
		ids := make([]string, len(rows))
		for i, r := range rows {
			ids[i] = r.RepositoryID
		}
		repos, err := db.Where[repositoryRow](tx, scope, "id", 0, "id IN ?", ids)
		if err != nil {
			return err
		}
		byID := map[string]repositoryRow{}
		for _, r := range repos {
			byID[r.ID] = r
		}
		for _, r := range rows {
			p, err := r.value(byID[r.RepositoryID])
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// nextRuns is how many due instants a plan by itself shows.
const nextRuns = 7

// withNext adds the next n due instants of an enabled plan.
func (s *Service) withNext(ctx context.Context, p Plan, n int) (Plan, error) {
	if !p.Enabled {
		return p, nil
	}
	now, err := s.db.Now(ctx)
	if err != nil {
		return p, err
	}
	if p.NextRuns, err = jobs.NextRuns(p.Cron, p.Zone, now, n); err != nil {
		return p, fmt.Errorf("backups: next runs: %w", err)
	}
	return p, nil
}
