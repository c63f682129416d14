package sessions

import (
	"context"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// LoginFilter selects logins that hosts saw.
type LoginFilter struct {
	Customer, Server string
	States           []LoginState
	From, To         time.Time
	Limit            int
	PageToken        string
}

// Logins lists logins that hosts saw, the latest first. Permission: session.read.
// Errors: invalid.
func (s *Service) Logins(ctx context.Context, scope policy.Scope, f LoginFilter) (items []Login, next string, err error) {
	for _, v := range f.States {
		if !v.Valid() {
			return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/state", Message: "Choose matched, awaited, outside, customers_own or explained."})
		}
	}
	limit := pageSize(f.Limit)
	at, after, err := parsePage(f.PageToken)
	if err != nil {
		return nil, "", err
	}
	period := inPeriod(ctx, Filter{From: f.From, To: f.To})
	f.From, f.To = period.From, period.To
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := loginRows(tx, scope, f, at, after, limit+1)
		if err != nil {
			return err
		}
		items, next = nil, ""
		if len(rows) > limit {
			rows = rows[:limit]
			next = pageToken(rows[limit-1].At, rows[limit-1].ID)
		}
		names := map[string]string{}
		for _, r := range rows {
			x, err := s.login(r, scope)
			if err != nil {
				return err
			}
			if _, known := names[r.ServerID]; !known {
				if names[r.ServerID], err = s.nameOfServer(tx, scope, r.ServerID); err != nil {
					return err
				}
			}
			x.ServerName = names[r.ServerID]
			items = append(items, x)
		}
		return nil
	})
	return items, next, wrap("logins", err)
}

// Explain says why a login outside was right, and closes its finding; the customer sees
// it. Permission: session.review. Errors: invalid, not found, conflict where it
// is not outside.
func (s *Service) Explain(ctx context.Context, scope policy.Scope, login, why string) (out Login, err error) {
	if err := staffOnly(scope); err != nil {
		return Login{}, err
	}
	if why = controlplane.Line(why, 1000); why == "" {
		return Login{}, controlplane.Invalid(controlplane.Field{Pointer: "/why", Message: "Write who it was, and why they came this way."})
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := loginIn(tx, scope, login)
		if err != nil {
			return err
		}
		if LoginState(r.State) != Outside {
			return controlplane.Errorf(controlplane.CodeConflict, "Look at it again: something was said of it meanwhile.", "This login needs no explanation")
		}
		d, err := s.openLogin(r)
		if err != nil {
			return err
		}
		a, _ := controlplane.ActorFrom(tx.Context())
		d.Why, r.State, r.ExplainedBy, r.ExplainedAt = why, string(Explained), a.ID, tx.NowMillis()
		if err := s.sealLogin(&r, d); err != nil {
			return err
		}
		if err := db.Save(tx, &r); err != nil {
			return err
		}
		if err := s.enterLogin(tx, r, "session.login_explained", map[string]string{"account": d.Account, "why": why}); err != nil {
			return err
		}
		if err := s.raiseOutside(tx, accountOn{r.ServerID, r.AccountMark}, r.ID); err != nil {
			return err
		}
		if out, err = s.login(r, scope); err == nil {
			out.ServerName, err = s.nameOfServer(tx, scope, r.ServerID)
		}
		return err
	})
	return out, wrap("explain", err)
}

// nameOfServer is a server's name as far as the scope reaches it, "" otherwise.
func (s *Service) nameOfServer(tx *db.Tx, scope policy.Scope, server string) (string, error) {
	v, err := s.customers.ServerIn(tx, scope, server)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		return "", nil
	}
	return v.Name, err
}

// coverageDays is the time of a coverage where none is said.
const coverageDays = 30

// CoverageOf is recorded ÷ all logins of a customer's servers in a time (zero:
// the last 30 days). Of the time before anything was read it says nothing: From
// is then later. Permission: session.read. Errors: not found.
func (s *Service) CoverageOf(ctx context.Context, scope policy.Scope, customer string, from, to time.Time) (out Coverage, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, customer)
		if err != nil {
			return err
		}
		feed, err := feedIn(tx)
		if err != nil {
			return err
		}
		out = Coverage{Customer: c.ID, From: from, To: to}
		if out.To.IsZero() || out.To.After(tx.Now) {
			out.To = tx.Now
		}
		if out.From.IsZero() {
			out.From = out.To.AddDate(0, 0, -coverageDays)
		}
		period := inPeriod(ctx, Filter{From: out.From, To: out.To})
		out.From, out.To = period.From, period.To
		if began := controlplane.FromMillis(feed.BeganAt); began.After(out.From) {
			out.From = began
		}
		if err := countInto(tx, &out); err != nil {
			return err
		}
		out.Silent, err = s.silent(tx, out)
		return err
	})
	return out, wrap("coverage", err)
}

// countInto counts sessions and logins of a coverage's time.
func countInto(tx *db.Tx, c *Coverage) error {
	from, to := c.From.UnixMilli(), c.To.UnixMilli()
	of, err := countSessions(tx, c.Customer, from, to)
	if err != nil {
		return err
	}
	for _, x := range of {
		c.Sessions += x.N
		switch State(x.State) {
		case Stored:
			c.Recorded += x.N
		case Live, Ended, Uploaded:
			c.Running += x.N
		}
	}
	seen, err := countLogins(tx, c.Customer, from, to)
	if err != nil {
		return err
	}
	for _, x := range seen {
		switch LoginState(x.State) {
		case CustomersOwn:
			c.CustomersOwn += x.N
			continue
		case Outside, Explained:
			c.Outside += x.N
		}
		c.Logins += x.N
		c.Weak += x.Weak
	}
	return nil
}

// silent are the servers of a customer whose records were not read for a part of
// the time, sorted.
func (s *Service) silent(tx *db.Tx, c Coverage) (out []string, err error) {
	if s.cluster == nil {
		return nil, nil
	}
	lived, err := s.customers.TenanciesIn(tx, ofFeed(), customers.TenancyFilter{Customer: c.Customer, Ended: true})
	if err != nil {
		return nil, err
	}
	// The latest answer may be as old as two questions.
	upto := c.To
	if fresh := tx.Now.Add(-2*s.opts.LoginsEvery - loginsOverlap); upto.After(fresh) {
		upto = fresh
	}
	type span struct{ from, to int64 }
	wanted := map[string]span{}
	for _, t := range lived {
		w := span{max(c.From.UnixMilli(), t.CreatedAt.UnixMilli()), upto.UnixMilli()}
		if !t.EndedAt.IsZero() {
			w.to = min(w.to, t.EndedAt.UnixMilli())
		}
		if w.from < w.to {
			wanted[t.Server] = w
		}
	}
	var servers []string
	for id := range wanted {
		servers = append(servers, id)
	}
	reads, err := readsOf(tx, servers, c.From.UnixMilli())
	if err != nil {
		return nil, err
	}
	for id, w := range wanted {
		at := w.from
		for _, r := range reads[id] {
			if r.FromAt <= at+time.Minute.Milliseconds() {
				at = max(at, r.ToAt)
			}
		}
		if at < w.to {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}
