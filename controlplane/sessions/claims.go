package sessions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// reviewing is one session in the transaction that changes its review.
type reviewing struct {
	tx        *db.Tx
	actor     controlplane.Actor
	row       sessionRow
	r         reviewRow
	data      sessionData
	customers []string // those whose chains are told
}

// onReview changes a session's review: fn sees it and changes it, and the session
// has a new version then.
func (s *Service) onReview(ctx context.Context, scope policy.Scope, session, doing string, fn func(x *reviewing) error) (out Session, err error) {
	if err := s.readyFor(ctx, session); err != nil {
		return Session{}, wrap(doing, err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		x, err := s.reviewing(tx, scope, session)
		if err != nil {
			return err
		}
		if err := fn(x); err != nil {
			return err
		}
		if err := saveReview(tx, x.r); err != nil {
			return err
		}
		if err := saveSession(tx, &x.row); err != nil {
			return err
		}
		items, err := s.filled(tx, scope, []sessionRow{x.row})
		if err == nil {
			out = items[0]
		}
		return err
	})
	return out, wrap(doing, err)
}

// readyFor makes the keys of all whom a session touches.
func (s *Service) readyFor(ctx context.Context, session string) error {
	var ids []string
	err := s.db.Read(asReviews(ctx), func(tx *db.Tx) (err error) { ids, err = customerIDs(tx, session); return err })
	if err != nil {
		return err
	}
	return s.ready(ctx, ids...)
}

// asReviews is for looking at what several customers share: what of it whoever
// asks may see is decided here.
func asReviews(ctx context.Context) context.Context {
	return controlplane.System(ctx, "sessions.reviews")
}

func everybody() policy.Scope {
	return policy.AllCustomers("reviews are of sessions on whatever server")
}

// reviewing finds a session within a scope, with its review.
func (s *Service) reviewing(tx *db.Tx, scope policy.Scope, session string) (*reviewing, error) {
	x := &reviewing{tx: tx}
	x.actor, _ = controlplane.ActorFrom(tx.Context())
	var err error
	if x.row, err = s.sessionIn(tx, scope, session); err != nil {
		return nil, err
	}
	if x.data, err = s.dataOf(x.row); err != nil {
		return nil, err
	}
	if x.r, err = reviewIn(tx, x.row); err != nil {
		return nil, err
	}
	x.customers, err = customerIDs(tx, session)
	if out := outside(x.actor); out {
		own := x.actor.Own()
		x.customers = slices.DeleteFunc(x.customers, func(c string) bool { return !slices.Contains(own, c) })
	}
	return x, err
}

// outside reports whether an actor is none of the hosting company's.
func outside(a controlplane.Actor) bool {
	return a.Kind == controlplane.ActorContact || a.Kind == controlplane.ActorAuditor
}

// tell puts what happened to a session into the chain of every customer whom it
// touches, and what only our own people may read into the company's.
func (s *Service) tell(x *reviewing, kind string, data map[string]any, personal map[string]string) error {
	e := ledger.Entry{Server: x.row.ServerID, Subject: x.row.ID, Kind: kind, Data: data}
	for _, c := range x.customers {
		e.Customer = c
		if outside(x.actor) { // their own words, in their own chain
			e.Personal = personal
		}
		if _, err := s.ledger.Append(x.tx, e); err != nil {
			return err
		}
	}
	if outside(x.actor) || len(personal) == 0 && len(x.customers) > 0 {
		return nil
	}
	e.Customer, e.Personal = "", personal
	_, err := s.ledger.Append(x.tx, e)
	return err
}

// Claim takes a session for review, for as long as Watched comes. Permission:
// session.review. Errors: conflict where somebody else has it (by name and until
// when), and where it was judged; forbidden where they took part in it, whatever
// name they used.
func (s *Service) Claim(ctx context.Context, scope policy.Scope, session string) (Session, error) {
	return s.onReview(ctx, scope, session, "claim", func(x *reviewing) error {
		if err := s.mayReview(x); err != nil {
			return err
		}
		if err := s.free(x); err != nil {
			return err
		}
		first := x.r.ClaimedBy != x.actor.ID || x.r.ClaimedUntil == 0
		switch ReviewState(x.r.State) {
		case Reviewed:
			return s.alreadyJudged(x)
		case Unreviewable:
			return unreviewable(x.r)
		case NotWanted, Waiting:
			x.r.Before, x.r.State = x.r.State, string(Claimed)
		}
		x.r.ClaimedBy, x.r.ClaimedUntil = x.actor.ID, x.tx.Now.Add(s.opts.Claim).UnixMilli()
		if !first {
			return nil
		}
		return s.tell(x, "session.review_claimed", map[string]any{"until": controlplane.Instant(controlplane.FromMillis(x.r.ClaimedUntil))}, nil)
	})
}

// Unclaim gives it back. Errors: conflict where it is not theirs.
func (s *Service) Unclaim(ctx context.Context, scope policy.Scope, session string) (Session, error) {
	return s.onReview(ctx, scope, session, "unclaim", func(x *reviewing) error {
		if x.r.ClaimedBy != x.actor.ID || x.r.ClaimedUntil == 0 {
			return controlplane.Errorf(controlplane.CodeConflict, "Open the review again to see who has it.", "You do not have this session for review")
		}
		x.r = x.r.unclaimed()
		return s.tell(x, "session.review_released", nil, nil)
	})
}

// free refuses where somebody else has the session now.
func (s *Service) free(x *reviewing) error {
	if x.r.ClaimedUntil == 0 || x.r.ClaimedBy == x.actor.ID {
		return nil
	}
	name, err := s.nameIn(x.tx, map[string]string{}, x.r.ClaimedBy)
	if err != nil {
		return err
	}
	return controlplane.Errorf(controlplane.CodeConflict, "Take another session, or come back when theirs is over.",
		"%s reviews this session and has it until %s", whoever(name), clock(controlplane.FromMillis(x.r.ClaimedUntil)))
}

// alreadyJudged says who judged a session first.
func (s *Service) alreadyJudged(x *reviewing) error {
	name, err := s.nameIn(x.tx, map[string]string{}, x.r.ByID)
	if err != nil {
		return err
	}
	return controlplane.Errorf(controlplane.CodeConflict, "Open the session again to see what they wrote.",
		"%s has judged this session: %s", whoever(name), x.r.Verdict)
}

func whoever(name string) string {
	if name == "" {
		return "Somebody who has left"
	}
	return name
}

// clock is an instant as people say it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// mayReview refuses whoever is not of our staff, whom nobody can place, and who
// took part.
func (s *Service) mayReview(x *reviewing) error {
	if x.actor.Kind != controlplane.ActorStaff {
		return controlplane.Errorf(controlplane.CodeForbidden, "Ask us to have the session reviewed.", "Sessions are reviewed by people of the hosting company")
	}
	who, known, err := s.lists.ByStaff(x.tx, x.actor.ID)
	if err != nil {
		return err
	}
	if !known {
		return controlplane.Errorf(controlplane.CodeForbidden, "Have an admin add you to the list of people, with the names that you use at Teleport.",
			"You are not on the list of people, so nobody can tell whether you took part in this session")
	}
	as, err := s.tookPart(x.tx, x.row, x.data, who.ID, x.actor.ID)
	if err != nil {
		return err
	}
	if as != "" {
		return controlplane.Errorf(controlplane.CodeForbidden, "Leave it to somebody who was not there.", "You took part in this session, as %s", as)
	}
	return nil
}

// tookPart returns the name under which a person took part in a session, by who
// uses its names now and by who used them when it was taken in; "" is not at all.
// staff is who they are with us, "" for nobody.
func (s *Service) tookPart(tx *db.Tx, row sessionRow, d sessionData, person, staff string) (as string, err error) {
	for _, user := range namesOf(d) {
		users, err := s.lists.ByUser(tx, user)
		if err != nil {
			return "", fmt.Errorf("who uses a name: %w", err)
		}
		if slices.ContainsFunc(users, func(p Somebody) bool { return p.ID == person || staff != "" && p.Staff == staff }) {
			return user, nil
		}
	}
	for _, p := range d.Participants {
		if slices.Contains(p.Persons, person) {
			return p.User, nil
		}
	}
	then, err := tookPartThen(tx, row.ID, person)
	if err != nil || !then && row.PersonID != person {
		return "", err
	}
	return d.User, nil
}

// namesOf are the names at the cluster that took part, each once.
func namesOf(d sessionData) []string {
	out := []string{d.User}
	for _, p := range d.Participants {
		out = append(out, p.User)
	}
	return distinct(out)
}

// AskReview puts a session into the queue; a customer may, for their own.
// Permission: session.read for contacts' owners, session.review for staff. Errors:
// forbidden for other contacts and auditors, invalid without a reason, conflict
// where it was reviewed or there is no recording to look at.
func (s *Service) AskReview(ctx context.Context, scope policy.Scope, session, why string) (Session, error) {
	why, err := words("/why", why, true)
	if err != nil {
		return Session{}, err
	}
	return s.onReview(ctx, scope, session, "ask for a review", func(x *reviewing) error {
		if outside(x.actor) && policy.Role(x.actor.Role) != policy.RoleOwner || x.actor.Kind == controlplane.ActorAuditor {
			return controlplane.Errorf(controlplane.CodeForbidden, "Ask an owner of the account to do it.", "A review is asked for by an owner of the customer's account")
		}
		switch st := State(x.row.State); {
		case ReviewState(x.r.State) == Reviewed:
			return s.alreadyJudged(x)
		case ReviewState(x.r.State) == Unreviewable:
			return unreviewable(x.r)
		case st == Missing || st == Unrecorded:
			return controlplane.Errorf(controlplane.CodeConflict, "What was done in it has to be found out elsewhere; the finding about it stays open.", "There is no recording of this session to review")
		}
		var err error
		if x.r.AskedWhy, err = s.sealReview(x.r, "asked_why", why); err != nil {
			return err
		}
		x.r.AskedBy = x.actor.ID
		s.want(x, "asked", "")
		return s.tell(x, "session.review_asked", nil, map[string]string{"why": why})
	})
}

// want puts a session into the queue, for a reason; one that is there already
// keeps the reason that it has.
func (s *Service) want(x *reviewing, because, draw string) {
	if x.r.DrawID == "" {
		x.r.DrawID = draw
	}
	switch ReviewState(x.r.State) {
	case NotWanted:
		x.r.State = string(Waiting)
	case Claimed:
		x.r.Before = string(Waiting)
	default:
		return
	}
	if x.r.Because == "" {
		x.r.Because, x.r.QueuedAt, x.r.DueAt = because, x.tx.NowMillis(), x.tx.Now.Add(s.opts.ReviewWithin).UnixMilli()
	}
}

// maxWords is how long a text about a session may be, in bytes.
const maxWords = 4000

// words checks a text that a person wrote.
func words(pointer, text string, needed bool) (string, error) {
	text = strings.ToValidUTF8(strings.TrimSpace(text), "?")
	switch {
	case text == "" && needed:
		return "", controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: "Say it in a few words."})
	case len(text) > maxWords:
		return "", controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: "Use at most 4,000 characters."})
	}
	return text, nil
}
