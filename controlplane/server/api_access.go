package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// accessAPI translates for the lists of who can reach servers.
type accessAPI struct {
	*access.Service
	refs func(ctx context.Context, scope policy.Scope, server, customer string) (serverID, customerID string, err error)
	// signedIn are those who sign in here.
	signedIn func(ctx context.Context, scope policy.Scope, f identity.PeopleFilter) ([]identity.Person, error)
}

// registerAccess adds the operations on access lists.
func (s *Server) registerAccess() {
	x := &accessAPI{s.Access, (&backupAPI{s}).refs, s.Identity.People}
	x.registerLists(s.api)
	x.registerGrants(s.api)
	x.registerGrantActs(s.api)
	x.registerPeople(s.api)
	x.registerTeams(s.api)
	x.registerTerms(s.api)
	x.registerFoundAccess(s.api)
	x.registerEnforcement(s.api)
	x.registerEntries(s.api)
	x.registerFacilities(s.api)
	x.registerNotices(s.api)
	x.registerAuthorisations(s.api)
	x.registerInstructions(s.api)
	x.registerRecertifications(s.api)
}

// AccessList is everybody who could reach a customer's servers at one instant,
// as it was known at another.
type AccessList struct {
	Customer     string              `json:"customer"`
	At           string              `json:"at" format:"date-time"`
	KnownAt      string              `json:"known_at" format:"date-time"`
	Persons      int                 `json:"persons" doc:"Who can reach the customer's servers, the customer's own apart"`
	Unnamed      int                 `json:"unnamed" doc:"Keys, accounts and users beside them of which nobody knows whose they are"`
	CustomersOwn int                 `json:"customers_own" doc:"Whom the customer let in"`
	Differences  int                 `json:"differences" doc:"Lines whose columns do not agree"`
	ChangedAt    string              `json:"changed_at,omitempty" format:"date-time"`
	Lines        []AccessLine        `json:"lines" nullable:"false"`
	Attested     []AccessAttestation `json:"attested" nullable:"false" doc:"Until when Teleport and each server said what they enforce"`
}

// AccessLine is one person on one list, in one way and role.
type AccessLine struct {
	Person   string          `json:"person,omitempty" doc:"Empty where nobody is known to be behind it"`
	Name     string          `json:"name,omitempty"`
	Kind     string          `json:"kind,omitempty" enum:"staff,contractor,third_party,customer,service"`
	Company  string          `json:"company,omitempty"`
	Unknown  string          `json:"unknown,omitempty" doc:"What was found where nobody is known: a key, a login"`
	Way      string          `json:"way" enum:"teleport,login,admin,backup_key,restore,physical,visit,service,customer"`
	Role     string          `json:"role,omitempty"`
	Server   string          `json:"server,omitempty" doc:"Empty is all servers of the customer"`
	Place    string          `json:"place,omitempty" doc:"The host's name, or facility and rack"`
	Listed   *AccessInterval `json:"listed,omitempty" doc:"Intended: somebody put them there"`
	Enforced *AccessInterval `json:"enforced,omitempty" doc:"What Teleport and the hosts let them do"`
	Could    *AccessInterval `json:"could,omitempty" doc:"With live sessions, certificates not yet expired, and keys found"`
	Standing string          `json:"standing" enum:"enforced,unconfirmed,by_hand,unattested,open,kept,not_enforced,nowhere" doc:"What is known of whether it is in force, in one word"`
	Attested bool            `json:"attested" doc:"False: enforced and could were not confirmed then, and their absence says nothing"`
	Grounds  []string        `json:"grounds" nullable:"false" doc:"Grants and entries"`
	Others   bool            `json:"others" doc:"Another customer's person, or a way in outside of your bounds: unknown is what you read of it"`
	Shared   bool            `json:"shared" doc:"On another customer's ground, on a server that both live on"`
	Reason   string          `json:"reason,omitempty"`
	Ticket   string          `json:"ticket,omitempty"`
	By       string          `json:"by,omitempty" doc:"Who granted it"`
	Notified string          `json:"notified_at,omitempty" format:"date-time"`
	LastUsed string          `json:"last_used_at,omitempty" format:"date-time" doc:"Absent is unused or unknown"`
	Briefed  bool            `json:"briefed" doc:"The customer's duty brief is acknowledged"`
	Trained  string          `json:"trained_until,omitempty" format:"date-time"`
}

// AccessInterval is a time in a column.
type AccessInterval struct {
	From      string `json:"from" format:"date-time"`
	Until     string `json:"until,omitempty" format:"date-time" doc:"Absent is open"`
	KnownFrom string `json:"known_from" format:"date-time" doc:"When it was recorded"`
}

// AccessAttestation is a time in which a source was looked at without a gap.
type AccessAttestation struct {
	Source string `json:"source" doc:"teleport, or a server"`
	Name   string `json:"name"`
	From   string `json:"from,omitempty" format:"date-time"`
	To     string `json:"to,omitempty" format:"date-time"`
	Good   bool   `json:"good" doc:"The instant asked for lies inside"`
}

func viewInterval(i *access.Interval) *AccessInterval {
	if i == nil {
		return nil
	}
	return &AccessInterval{controlplane.Instant(i.From), controlplane.Instant(i.Until), controlplane.Instant(i.KnownFrom)}
}

func viewAccessLine(l access.Line) AccessLine {
	return AccessLine{Person: l.Person.ID, Name: l.Person.Name, Kind: string(l.Person.Kind), Company: l.Person.Company, Unknown: l.Unknown, Way: string(l.Way), Role: l.Role,
		Server: l.Server, Place: l.Place, Listed: viewInterval(l.Listed), Enforced: viewInterval(l.Enforced), Could: viewInterval(l.Could), Standing: string(l.Standing()), Attested: l.Attested,
		Grounds: some(l.Grants), Others: l.Others, Shared: l.Shared, Reason: l.Reason, Ticket: l.Ticket, By: l.By, Notified: controlplane.Instant(l.Notified),
		LastUsed: controlplane.Instant(l.LastUsed), Briefed: l.Briefed, Trained: controlplane.Instant(l.Trained)}
}

func viewAccessList(l access.List) AccessList {
	v := AccessList{Customer: l.Customer, At: controlplane.Instant(l.At), KnownAt: controlplane.Instant(l.KnownAt), Persons: l.Persons, Unnamed: l.Unnamed, CustomersOwn: l.CustomersOwn,
		Differences: l.Differences, ChangedAt: controlplane.Instant(l.ChangedAt), Lines: []AccessLine{}, Attested: []AccessAttestation{}}
	for _, x := range l.Lines {
		v.Lines = append(v.Lines, viewAccessLine(x))
	}
	for _, x := range l.Attested {
		v.Attested = append(v.Attested, AccessAttestation{x.Source, x.Name, controlplane.Instant(x.From), controlplane.Instant(x.To), x.Good})
	}
	return v
}

// AccessChange is one difference between a list and the list before.
type AccessChange struct {
	ID             string `json:"id"`
	Customer       string `json:"customer"`
	Column         string `json:"column" enum:"listed,enforced,could"`
	Kind           string `json:"kind" enum:"added,removed,moved,ground"`
	Baseline       bool   `json:"baseline" doc:"It was so before we looked: part of the first list, and no change of it"`
	Person         string `json:"person,omitempty"`
	Name           string `json:"name,omitempty"`
	Unknown        string `json:"unknown,omitempty"`
	Others         bool   `json:"others" doc:"Another customer's person, or a way in outside of your bounds: unknown is what you read of it"`
	Way            string `json:"way"`
	Role           string `json:"role,omitempty"`
	Server         string `json:"server,omitempty"`
	Source         string `json:"source" doc:"Who says so: grant, entry, staff, teleport, host"`
	Ground         string `json:"ground,omitempty" doc:"The grant, entry or way in that it stands on"`
	At             string `json:"at" format:"date-time" doc:"From when it is so"`
	Until          string `json:"until,omitempty" format:"date-time"`
	Why            string `json:"why,omitempty"`
	KnownAt        string `json:"known_at" format:"date-time" doc:"When it was recorded"`
	EnforcedAt     string `json:"enforced_at,omitempty" format:"date-time" doc:"Absent: Teleport or the host have not confirmed it"`
	NotifiedAt     string `json:"notified_at,omitempty" format:"date-time" doc:"When a mail server took the notice of it"`
	AcknowledgedAt string `json:"acknowledged_at,omitempty" format:"date-time"`
}

func viewAccessChange(c access.Change) AccessChange {
	return AccessChange{ID: c.ID, Customer: c.Customer, Column: string(c.Column), Kind: string(c.Kind), Baseline: c.Baseline, Person: c.Person, Name: c.Name, Unknown: c.Unknown, Others: c.Others,
		Way: string(c.Way), Role: c.Role, Server: c.Server, Source: c.Source, Ground: c.Ground, At: controlplane.Instant(c.At), Until: controlplane.Instant(c.Until), Why: c.Why,
		KnownAt: controlplane.Instant(c.KnownAt), EnforcedAt: controlplane.Instant(c.EnforcedAt), NotifiedAt: controlplane.Instant(c.NotifiedAt),
		AcknowledgedAt: controlplane.Instant(c.AcknowledgedAt)}
}

// ToldAccessChange is a change by itself, with what became of telling it.
type ToldAccessChange struct {
	AccessChange
	Notice      string `json:"notice,omitempty" doc:"That tells of it; absent where none does"`
	NoticeState string `json:"notice_state,omitempty" enum:"gathering,sent,accepted,bounced,acknowledged,unreachable,called"`
	ReadAt      string `json:"read_at,omitempty" format:"date-time" doc:"A contact opened the notice here"`
}

// AccessSummary is what a page over many customers says of one.
type AccessSummary struct {
	Customer    string `json:"customer"`
	Name        string `json:"name"`
	Persons     int    `json:"persons"`
	Differences int    `json:"differences"`
	Unattested  bool   `json:"unattested"`
	Expiring    int    `json:"expiring" doc:"Grants that end within 14 days"`
	ChangedAt   string `json:"changed_at,omitempty" format:"date-time"`
	NoticeLate  bool   `json:"notice_late"`
}

func viewSummary(s access.Summary) AccessSummary {
	return AccessSummary{s.Customer, s.Name, s.Persons, s.Differences, s.Unattested, s.Expiring, controlplane.Instant(s.ChangedAt), s.NoticeLate}
}

// AccessReplay is what came of rebuilding the lists from the ledger.
type AccessReplay struct {
	OK      bool     `json:"ok"`
	Checked int      `json:"checked" doc:"Entries of the ledger"`
	Differ  []string `json:"differ" nullable:"false" doc:"Spans that the tables hold otherwise"`
}

type accessListIn struct {
	IDIn
	At      string `query:"at" maxLength:"40" doc:"As it was at this instant: RFC 3339, or 2026-11-20 14:05:30 in UTC (default: now)"`
	KnownAt string `query:"known_at" maxLength:"40" doc:"As it was known at this instant (default: now)"`
}

// instants are the two that a list is asked for.
func (in *accessListIn) instants() (at access.At, err error) {
	if at.At, err = access.ParseInstant("/at", in.At, nil); err == nil {
		at.KnownAt, err = access.ParseInstant("/known_at", in.KnownAt, nil)
	}
	return at, err
}

type accessChangesIn struct {
	IDIn
	PageIn
	Person string    `query:"person"`
	Column string    `query:"column" enum:"listed,enforced,could" doc:"Default: listed"`
	Since  time.Time `query:"since"`
	Before time.Time `query:"before"`
}

func (x *accessAPI) registerLists(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access", Name: "access.list", Summary: "Show who can reach a customer's servers, now or at any instant", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *accessListIn) (*One[AccessList], error) {
			at, err := in.instants()
			if err != nil {
				return nil, err
			}
			l, err := x.List(ctx, scope, in.ID, at)
			return &One[AccessList]{Body: viewAccessList(l)}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access/changes", Name: "access.changes", Summary: "List what changed in a customer's list, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *accessChangesIn) (*ListOut[AccessChange], error) {
			items, next, err := x.Changes(ctx, scope, access.ChangeFilter{Customer: in.ID, Person: in.Person, Column: access.Column(in.Column), Since: in.Since, Before: in.Before,
				Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewAccessChange), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/changes/{id}", Name: "change.show", Summary: "Show one change: from when it is so, when it was known, enforced, told and read", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[ToldAccessChange], error) {
			c, err := x.GetChange(ctx, scope, in.ID)
			return &One[ToldAccessChange]{Body: ToldAccessChange{viewAccessChange(c.Change), c.Notice, c.NoticeState, controlplane.Instant(c.ReadAt)}}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/summaries", Name: "access.summaries", Summary: "One line for each customer: how many people, and what wants a look", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *PageIn) (*ListOut[AccessSummary], error) {
			items, next, err := x.Summaries(ctx, scope, in.PageSize, in.PageToken)
			return listOf(items, next, viewSummary), err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/verification", Name: "access.verify", Summary: "Rebuild every list from the ledger alone, and compare", Audience: policy.Staff, Permission: policy.AccessAdmin},
		func(ctx context.Context, _ policy.Scope, _ *struct{}) (*One[AccessReplay], error) {
			n, differ, err := x.VerifyReplay(ctx)
			return &One[AccessReplay]{Body: AccessReplay{len(differ) == 0, n, some(differ)}}, err
		})
}
