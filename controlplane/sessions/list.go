package sessions

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Filter selects sessions.
type Filter struct {
	Customer, Server, Person string
	Kinds                    []Kind
	States                   []State
	Reviews                  []ReviewState
	Ungrounded               bool // only those that lack a ground
	From, To                 time.Time
	Limit                    int // at most 200; 0 is 50
	PageToken                string
}

// List returns sessions, the latest first. Contacts and auditors see those that
// touch their customers, an auditor those of their period only, and none of
// them the risk and the review's text. Permission: session.read. Errors: invalid.
func (s *Service) List(ctx context.Context, scope policy.Scope, f Filter) (items []Session, next string, err error) {
	limit := pageSize(f.Limit)
	at, after, err := f.check()
	if err != nil {
		return nil, "", err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := s.listRows(tx, scope, inPeriod(ctx, f), at, after, limit+1)
		if err != nil {
			return err
		}
		next = ""
		if len(rows) > limit {
			rows = rows[:limit]
			next = pageToken(rows[limit-1].StartedAt, rows[limit-1].ID)
		}
		items, err = s.filled(tx, scope, rows)
		return err
	})
	return items, next, wrap("list", err)
}

// inPeriod narrows a filter to the period that whoever asks may see: an auditor's.
func inPeriod(ctx context.Context, f Filter) Filter {
	a, _ := controlplane.ActorFrom(ctx)
	if f.From.Before(a.From) {
		f.From = a.From
	}
	if !a.To.IsZero() && (f.To.IsZero() || f.To.After(a.To)) {
		f.To = a.To
	}
	return f
}

// Get returns one session, as List does. Permission: session.read. Errors: not found.
func (s *Service) Get(ctx context.Context, scope policy.Scope, id string) (out Session, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := s.sessionIn(tx, scope, id)
		if err != nil {
			return err
		}
		if a, _ := controlplane.ActorFrom(ctx); !a.InPeriod(controlplane.FromMillis(row.StartedAt)) {
			return controlplane.NotFound("session")
		}
		items, err := s.filled(tx, scope, []sessionRow{row})
		if err == nil {
			out = items[0]
		}
		return err
	})
	return out, wrap("get", err)
}

// filled opens rows, with all that stands elsewhere, as far as the scope may see it.
func (s *Service) filled(tx *db.Tx, scope policy.Scope, rows []sessionRow) ([]Session, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := idsOf(rows)
	customers, err := customersOf(tx, scope, ids)
	if err != nil {
		return nil, err
	}
	recordings, err := s.recordingsOf(tx, ids)
	if err != nil {
		return nil, err
	}
	reviews, err := s.reviewsOf(tx, ids)
	if err != nil {
		return nil, err
	}
	risks, err := s.risksOf(tx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Session, len(rows))
	for i, r := range rows {
		x, err := s.session(r)
		if err != nil {
			return nil, err
		}
		if err := s.grounded(&x, customers[r.ID]); err != nil {
			return nil, err
		}
		if rec, ok := recordings[r.ID]; ok {
			x.Recording = &rec
		}
		x.Review, x.Risk = reviews[r.ID], risks[r.ID]
		if x.Review.State == "" {
			x.Review.State = NotWanted
		}
		out[i] = x.shown(scope)
		if actor, _ := controlplane.ActorFrom(tx.Context()); actor.Kind == controlplane.ActorStaff && !policy.Can(actor, policy.SessionWatch) {
			out[i].Command = "" // what was run is for those who may watch
		}
	}
	return out, nil
}

// grounded fills in whose servers it was on, and on what it stood: by the first
// list that names a ground.
func (s *Service) grounded(x *Session, customers []customerRow) error {
	var lacks []string
	for _, c := range customers {
		x.Customers = append(x.Customers, c.CustomerID)
		lacks = append(lacks, split(c.Lacks)...)
		if x.Ground.Grant != "" {
			continue
		}
		g, err := s.ground(c)
		if err != nil {
			return err
		}
		x.Ground = g
	}
	if len(customers) > 0 {
		x.Ground.Lacks = distinct(lacks)
	}
	return nil
}

// shown leaves out what only the company's own people see.
func (s Session) shown(scope policy.Scope) Session {
	if scope.All() {
		return s
	}
	s.Risk, s.User, s.Login, s.Address, s.Command = Risk{}, "", "", "", ""
	s.Review = s.Review.shown()
	if s.Recording != nil { // a neighbour's hold is not theirs to see; one of the session is
		rec := *s.Recording
		rec.Holds = slices.DeleteFunc(slices.Clone(rec.Holds), func(h Hold) bool { return h.Session == "" && !scope.Allows(h.Customer) })
		for i := range rec.Holds {
			if rec.Holds[i].Session != "" { // its reason may be a neighbour's
				rec.Holds[i].Reason = ""
			}
		}
		s.Recording = &rec
	}
	s.Participants = slices.Clone(s.Participants)
	for i := range s.Participants {
		s.Participants[i].User = ""
	}
	return s
}

// check says what is wrong with a filter, and where its page begins.
func (f Filter) check() (at int64, after string, err error) {
	var bad []controlplane.Field
	for _, k := range f.Kinds {
		if !k.Valid() {
			bad = append(bad, controlplane.Field{Pointer: "/kind", Message: "Choose interactive, exec, scp, sftp or other."})
		}
	}
	for _, v := range f.States {
		if !v.Valid() {
			bad = append(bad, controlplane.Field{Pointer: "/state", Message: "Choose live, ended, uploaded, stored, missing or unrecorded."})
		}
	}
	for _, v := range f.Reviews {
		if !v.Valid() {
			bad = append(bad, controlplane.Field{Pointer: "/review", Message: "Choose not_wanted, waiting, claimed, asked or reviewed."})
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		bad = append(bad, controlplane.Field{Pointer: "/to", Message: "This is not after the beginning."})
	}
	if len(bad) > 0 {
		return 0, "", controlplane.Invalid(bad...)
	}
	return parsePage(f.PageToken)
}

// pageSize is how many a list shows: 50 unless asked for, at most 200.
func pageSize(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, 200)
}

// pageToken is where a page ended: an instant and an id.
func pageToken(at int64, id string) string { return strconv.FormatInt(at, 10) + "." + id }

func parsePage(token string) (at int64, id string, err error) {
	if token == "" {
		return 0, "", nil
	}
	ms, id, _ := strings.Cut(token, ".")
	if at, err = strconv.ParseInt(ms, 10, 64); err != nil || id == "" {
		return 0, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a page token of this list; leave it out to begin at the first page."})
	}
	return at, id, nil
}
