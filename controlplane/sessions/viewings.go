package sessions

import (
	"context"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Ways of looking at a recording.
const (
	wayPlayer     = "player"
	wayTranscript = "transcript"
	wayDownload   = "download"
	waySearch     = "search"
)

// reads reports whether a recording is read in a way: a viewing of another way
// was over when it was noted.
func reads(way string) bool { return way == wayPlayer || way == wayTranscript || way == wayDownload }

// purposesOf are why somebody may look, by who they are; the first is what it is
// where nothing is said.
func purposesOf(k controlplane.ActorKind) []string {
	switch k {
	case controlplane.ActorStaff:
		return []string{"review", "support"}
	case controlplane.ActorAuditor:
		return []string{"audit"}
	case controlplane.ActorContact:
		return []string{"own"}
	}
	return nil
}

// OpenViewing begins a look at a recording: nobody reads one without. It is in the
// ledger, and the customer sees it. Permission: session.watch. Errors: invalid,
// unauthorized where the sign-in is over, forbidden (a contact whose customer's
// terms do not allow it, a shared server), not found (another customer's, an
// auditor outside of their period), conflict where there is nothing to play.
func (s *Service) OpenViewing(ctx context.Context, scope policy.Scope, session, way, purpose string) (out Viewing, err error) {
	actor, purpose, err := viewer(ctx, way, purpose)
	if err != nil {
		return Viewing{}, err
	}
	var seen sighted
	err = s.db.Read(asReviews(ctx), func(tx *db.Tx) error {
		if seen, err = s.maySee(tx, actor, scope, session); err != nil {
			return err
		}
		_, err = s.playable(tx, seen.row)
		return err
	})
	if err != nil {
		return Viewing{}, wrap("open viewing", err)
	}
	if err := s.ready(ctx, seen.customers...); err != nil {
		return Viewing{}, err
	}
	row := viewingRow{ID: controlplane.NewID(controlplane.PrefixViewing), SessionID: session, SealOwner: seen.row.SealOwner, ByID: actor.ID, ByKind: string(actor.Kind),
		Way: way, Purpose: purpose, Parts: "[]"}
	if row.ByName, err = s.seal(row.SealOwner, "session_viewings", "by_name", row.ID, seen.name); err != nil {
		return Viewing{}, wrap("open viewing", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row.OpenedAt, row.LastAt = tx.NowMillis(), tx.NowMillis()
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		for _, c := range ownersOf(seen.customers) {
			e := ledger.Entry{Customer: c, Server: seen.row.ServerID, Subject: session, Kind: "session.viewed", Data: map[string]any{"viewing": row.ID, "way": way, "purpose": purpose}}
			if _, err := s.ledger.Append(tx, e); err != nil {
				return err
			}
		}
		out, err = s.viewing(row)
		return err
	})
	return out, wrap("open viewing", err)
}

// viewer is who asks to look, and why.
func viewer(ctx context.Context, way, purpose string) (controlplane.Actor, string, error) {
	actor, _ := controlplane.ActorFrom(ctx)
	may := purposesOf(actor.Kind)
	if may == nil || actor.ID == "" {
		return actor, "", controlplane.Errorf(controlplane.CodeForbidden, "Sign in as a person.", "Only persons look at recordings")
	}
	if purpose == "" {
		purpose = may[0]
	}
	var bad []controlplane.Field
	if !reads(way) {
		bad = append(bad, controlplane.Field{Pointer: "/way", Message: "Choose player, transcript or download."})
	}
	if !slices.Contains(may, purpose) {
		bad = append(bad, controlplane.Field{Pointer: "/purpose", Message: "Choose why you look: our people review or support, auditors audit, customers look at their own."})
	}
	if bad != nil {
		return actor, "", controlplane.Invalid(bad...)
	}
	return actor, purpose, nil
}

// sighted is a session that somebody may look at.
type sighted struct {
	row       sessionRow
	customers []string // all of them
	name      string   // of who looks
}

// maySee asks whether somebody may look at a session's recording at this
// moment: who they are now, and what the session is. It reads what several
// customers share, so tx is the plane's own.
func (s *Service) maySee(tx *db.Tx, actor controlplane.Actor, scope policy.Scope, session string) (sighted, error) {
	now, err := s.identity.ActorNow(tx, actor)
	if err != nil {
		return sighted{}, err
	}
	if !policy.Can(now, policy.SessionWatch) {
		return sighted{}, controlplane.Errorf(controlplane.CodeForbidden, "Ask an owner of your account, or us, to look or to change your role.", "Your role does not include to watch recordings")
	}
	row, err := s.sessionIn(tx, scope, session)
	if err != nil {
		return sighted{}, err
	}
	own := policy.ScopeOf(now)
	if _, err := s.sessionIn(tx, own, session); err != nil { // the scope may be older than who they are
		return sighted{}, err
	}
	out := sighted{row: row}
	if out.customers, err = customerIDs(tx, session); err != nil {
		return sighted{}, err
	}
	if err := s.mayWatch(tx, now, out); err != nil {
		return sighted{}, err
	}
	out.name, err = s.identity.NameIn(tx, now.ID)
	return out, err
}

// mayWatch holds a session against what was agreed: contacts and auditors watch
// what was on servers of their own customers alone, auditors what began in their
// period, contacts what the customer's terms let them.
func (s *Service) mayWatch(tx *db.Tx, now controlplane.Actor, x sighted) error {
	own := policy.ScopeOf(now)
	switch now.Kind {
	case controlplane.ActorStaff:
		return nil
	case controlplane.ActorAuditor:
		if !now.InPeriod(controlplane.FromMillis(x.row.StartedAt)) {
			return controlplane.NotFound("session")
		}
	case controlplane.ActorContact:
		t, err := s.termsOf(tx, now.Customer)
		if err != nil {
			return err
		}
		if !t.Watch {
			return controlplane.Errorf(controlplane.CodeForbidden, "Ask us to look at it for you, or to change what is agreed.", "What is agreed with us does not include to watch recordings")
		}
	default:
		return controlplane.NotFound("session")
	}
	if slices.ContainsFunc(x.customers, func(c string) bool { return !own.Allows(c) }) {
		return controlplane.Errorf(controlplane.CodeForbidden, "Ask us to look at it for you.", "This session was on a server that other customers share, and its recording may show what is theirs")
	}
	return nil
}

// look asks whether who is in ctx may read a session's recording at this moment:
// viewing is an open one of theirs and of this session, and their right still
// stands. Every read of a recording asks.
func (s *Service) look(ctx context.Context, scope policy.Scope, session, viewing string) error {
	actor, _ := controlplane.ActorFrom(ctx)
	err := s.db.Read(asReviews(ctx), func(tx *db.Tx) error {
		if _, err := s.ownViewing(tx, actor, session, viewing); err != nil {
			return err
		}
		_, err := s.maySee(tx, actor, scope, session)
		return err
	})
	return wrap("look", err)
}

// viewingLife is how long a look at a recording lasts without a sign that
// somebody watches: who comes back later opens it again, and that is on record.
const viewingLife = 2 * time.Hour

// ownViewing is a viewing of whoever asks; of any session where session is "".
func (s *Service) ownViewing(tx *db.Tx, actor controlplane.Actor, session, viewing string) (viewingRow, error) {
	row, err := viewingOf(tx, viewing)
	switch {
	case err != nil:
	case row.ByID != actor.ID || actor.ID == "" || session != "" && row.SessionID != session || !reads(row.Way):
		err = controlplane.NotFound("viewing")
	case max(row.OpenedAt, row.LastAt) < tx.Now.Add(-viewingLife).UnixMilli():
		err = controlplane.Errorf(controlplane.CodeConflict, "Open the recording again.", "This look at the recording is over")
	}
	return row, err
}

// searched keeps that whoever is in the transaction's context found these
// sessions by a search, and for what, as a viewing of each. The search itself is
// in the ledger already.
func (s *Service) searched(tx *db.Tx, sessions []string, query string) error {
	actor, _ := controlplane.ActorFrom(tx.Context())
	purposes := purposesOf(actor.Kind)
	if len(sessions) == 0 || purposes == nil {
		return nil
	}
	name, err := s.nameIn(tx, map[string]string{}, actor.ID)
	if err != nil {
		return err
	}
	rows, err := sessionRows(tx, sessions)
	if err != nil {
		return err
	}
	var made []viewingRow
	for _, id := range sessions {
		v := viewingRow{ID: controlplane.NewID(controlplane.PrefixViewing), SessionID: id, SealOwner: rows[id].SealOwner, ByID: actor.ID, ByKind: string(actor.Kind),
			Way: waySearch, Purpose: purposes[0], OpenedAt: tx.NowMillis(), LastAt: tx.NowMillis(), Parts: "[]"}
		if v.ByName, err = s.seal(v.SealOwner, "session_viewings", "by_name", v.ID, name); err != nil {
			return err
		}
		if v.Query, err = s.seal(v.SealOwner, "session_viewings", "query", v.ID, query); err != nil {
			return err
		}
		made = append(made, v)
	}
	return insertViewings(tx, made)
}

// ViewingFilter selects viewings.
type ViewingFilter struct {
	Session, Customer, By string
	From, To              time.Time
	Limit                 int
	PageToken             string
}

// Viewings lists who looked at recordings, the latest first; contacts see those of
// their customer's sessions. Permission: session.read. Errors: invalid.
func (s *Service) Viewings(ctx context.Context, scope policy.Scope, f ViewingFilter) (items []Viewing, next string, err error) {
	if f.PageToken != "" && !controlplane.ValidID(controlplane.PrefixViewing, f.PageToken) {
		return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a page token of this list; leave it out to begin at the first page."})
	}
	limit := pageSize(f.Limit)
	within := inPeriod(ctx, Filter{})
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := viewingRows(tx, scope, f, within, limit+1)
		if err != nil {
			return err
		}
		next = ""
		if len(rows) > limit {
			rows = rows[:limit]
			next = rows[limit-1].ID
		}
		items = make([]Viewing, len(rows))
		for i, r := range rows {
			if items[i], err = s.viewing(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !scope.All() {
		err = s.unsaid(ctx, scope, items)
	}
	return items, next, wrap("viewings", err)
}

// unsaid takes out what was sought in sessions that others share with the reader:
// the words may be about a neighbour.
func (s *Service) unsaid(ctx context.Context, scope policy.Scope, items []Viewing) error {
	var ids []string
	for _, v := range items {
		if v.Query != "" {
			ids = append(ids, v.Session)
		}
	}
	shared, err := s.neighbours(ctx, scope.Customers(), ids)
	for i := range items {
		if err != nil || shared[items[i].Session] {
			items[i].Query = ""
		}
	}
	return err
}

// viewing opens a row.
func (s *Service) viewing(r viewingRow) (out Viewing, err error) {
	out = Viewing{ID: r.ID, Session: r.SessionID, By: r.ByID, Kind: r.ByKind, Way: r.Way, Purpose: r.Purpose, OpenedAt: controlplane.FromMillis(r.OpenedAt),
		LastAt: controlplane.FromMillis(r.LastAt), Watched: time.Duration(r.WatchedMS) * time.Millisecond}
	if out.Name, err = s.open(r.SealOwner, "session_viewings", "by_name", r.ID, r.ByName); err != nil {
		return out, err
	}
	out.Query, err = s.open(r.SealOwner, "session_viewings", "query", r.ID, r.Query)
	return out, err
}
