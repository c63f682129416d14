package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// sessionsAPI translates for sessions on customers' servers.
type sessionsAPI struct {
	*sessions.Service
	refs func(ctx context.Context, scope policy.Scope, server, customer string) (serverID, customerID string, err error)
}

// registerSessions adds the operations on sessions.
func (s *Server) registerSessions() {
	x := &sessionsAPI{s.Sessions, (&backupAPI{s}).refs}
	x.registerList(s.api)
	x.registerFeed(s.api)
	x.registerLogins(s.api)
	x.registerRecordings(s.api)
	x.registerViewings(s.api)
	x.registerReviews(s.api)
	x.registerKeeping(s.api)
}

// StaffSession is one session of somebody on one server.
type StaffSession struct {
	ID           string               `json:"id"`
	Cluster      string               `json:"cluster"`
	SID          string               `json:"sid,omitempty" doc:"The cluster's own id; absent where it gave none"`
	Kind         string               `json:"kind" enum:"interactive,exec,scp,sftp,other"`
	State        string               `json:"state" enum:"live,ended,uploaded,stored,missing,unrecorded"`
	Server       string               `json:"server,omitempty"`
	Host         string               `json:"host"`
	Customers    []string             `json:"customers" nullable:"false" doc:"Who lived on the server when it began"`
	User         string               `json:"user" doc:"The name at Teleport"`
	Person       string               `json:"person,omitempty"`
	Name         string               `json:"name,omitempty"`
	Login        string               `json:"login,omitempty" doc:"The account on the server"`
	Address      string               `json:"address,omitempty"`
	StartedAt    string               `json:"started_at" format:"date-time"`
	EndedAt      string               `json:"ended_at,omitempty" format:"date-time"`
	Endless      bool                 `json:"endless" doc:"No end was seen, and it does not run any more"`
	Participants []SessionParticipant `json:"participants" nullable:"false"`
	Ground       SessionGround        `json:"ground"`
	Command      string               `json:"command,omitempty"`
	Commands     int                  `json:"commands" doc:"Counted in the recording"`
	Risk         *SessionRisk         `json:"risk,omitempty" doc:"Staff only"`
	DueAt        string               `json:"due_at,omitempty" format:"date-time" doc:"When a recording that has not come is a finding"`
	Recording    *SessionRecording    `json:"recording,omitempty"`
	Review       SessionReview        `json:"review"`
	Version      int64                `json:"version"`
}

// SessionParticipant is somebody who took part.
type SessionParticipant struct {
	User    string   `json:"user"`
	Persons []string `json:"persons" nullable:"false" doc:"All who use that name"`
	Name    string   `json:"name,omitempty"`
	Joined  string   `json:"joined_at,omitempty" format:"date-time"`
	Left    string   `json:"left_at,omitempty" format:"date-time"`
	Mode    string   `json:"mode,omitempty"`
}

// SessionGround is on what somebody was there.
type SessionGround struct {
	Grant         string   `json:"grant,omitempty"`
	Kind          string   `json:"kind,omitempty" enum:"normal,break_glass,baseline"`
	Role          string   `json:"role,omitempty"`
	Ticket        string   `json:"ticket,omitempty"`
	Reason        string   `json:"reason,omitempty"`
	Authorisation string   `json:"authorisation,omitempty"`
	Lacks         []string `json:"lacks" nullable:"false" doc:"person, grant, ticket, authorisation"`
}

// SessionRisk is how much a session wants to be looked at.
type SessionRisk struct {
	Score int      `json:"score" minimum:"0" maximum:"100"`
	Why   []string `json:"why" nullable:"false"`
}

// SessionRecording is what is held of a session.
type SessionRecording struct {
	SHA256     string `json:"sha256" doc:"Of the events as the cluster gave them; in the ledger"`
	CastSHA256 string `json:"cast_sha256" doc:"Of the asciicast made of them; in the ledger"`
	Bytes      int64  `json:"bytes"`
	CastBytes  int64  `json:"cast_bytes"`
	DurationMS int64  `json:"duration_ms"`
	Width      int    `json:"width"`
	Height     int    `json:"height"`
	StoredAt   string `json:"stored_at" format:"date-time"`
	KeptUntil  string `json:"kept_until,omitempty" format:"date-time"`
	Held       bool   `json:"held" doc:"A hold keeps it beyond its term"`
	DeletedAt  string `json:"deleted_at,omitempty" format:"date-time"`
	DeletedWhy string `json:"deleted_because,omitempty"`
	Integrity  string `json:"integrity" enum:"unchecked,intact,changed,gone"`
	CheckedAt  string `json:"checked_at,omitempty" format:"date-time"`
	Partial    string `json:"partial,omitempty" doc:"Why it is not whole"`
	Playable   bool   `json:"playable"`

	MomentsLeft  int `json:"moments_left,omitempty" doc:"What happened beside commands, beyond what the timeline keeps"`
	CommandsLeft int `json:"commands_left,omitempty" doc:"Commands beyond what is listed and searched"`
}

// SessionReview is how it was looked at.
type SessionReview struct {
	State        string  `json:"state" enum:"not_wanted,waiting,claimed,asked,reviewed,unreviewable"`
	Because      string  `json:"because,omitempty" enum:"risk,sample,asked"`
	DueAt        string  `json:"due_at,omitempty" format:"date-time"`
	By           string  `json:"by,omitempty"`
	Reviewer     string  `json:"reviewer,omitempty"`
	ClaimedBy    string  `json:"claimed_by,omitempty" doc:"Who has it for review now"`
	Claimer      string  `json:"claimer,omitempty"`
	ClaimedUntil string  `json:"claimed_until,omitempty" format:"date-time"`
	Verdict      string  `json:"verdict,omitempty" enum:"fine,question,violation"`
	VerdictAt    string  `json:"verdict_at,omitempty" format:"date-time"`
	Text         string  `json:"text,omitempty"`
	Watched      float64 `json:"watched" minimum:"0" maximum:"1" doc:"How much of the recording the reviewer played, each second once"`
	Question     string  `json:"question,omitempty" doc:"What was asked before the verdict"`
	QuestionBy   string  `json:"question_by,omitempty"`
	QuestionAt   string  `json:"question_at,omitempty" format:"date-time"`
	Answer       string  `json:"answer,omitempty" doc:"To the question, or what is known of a session that cannot be reviewed"`
	Closed       string  `json:"closed,omitempty" enum:"deleted,changed,gone,missing,unrecorded" doc:"Why nobody can review it"`
	ClosedAt     string  `json:"closed_at,omitempty" format:"date-time"`
	Void         string  `json:"void,omitempty" doc:"Why the verdict counts no more"`
	Draw         string  `json:"draw,omitempty"`
}

func viewSessionRecording(r *sessions.Recording) *SessionRecording {
	if r == nil {
		return nil
	}
	return &SessionRecording{SHA256: r.SHA256, CastSHA256: r.CastSHA256, Bytes: r.Bytes, CastBytes: r.CastBytes, DurationMS: r.Duration.Milliseconds(), Width: r.Width, Height: r.Height,
		StoredAt: controlplane.Instant(r.StoredAt), KeptUntil: controlplane.Instant(r.KeptUntil), Held: len(r.Holds) > 0, DeletedAt: controlplane.Instant(r.DeletedAt), DeletedWhy: r.DeletedWhy,
		Integrity: string(r.Integrity), CheckedAt: controlplane.Instant(r.CheckedAt), Partial: r.Partial, Playable: r.Playable(),
		MomentsLeft: r.MomentsLeft, CommandsLeft: r.CommandsLeft}
}

func viewSessionReview(r sessions.Review) SessionReview {
	if r.State == "" {
		r.State = sessions.NotWanted
	}
	return SessionReview{State: string(r.State), Because: r.Because, DueAt: controlplane.Instant(r.DueAt), By: r.By, Reviewer: r.Reviewer,
		ClaimedBy: r.ClaimedBy, Claimer: r.Claimer, ClaimedUntil: controlplane.Instant(r.ClaimedUntil), Question: r.Question, QuestionBy: r.QuestionBy, QuestionAt: controlplane.Instant(r.QuestionAt),
		Closed: r.Closed, ClosedAt: controlplane.Instant(r.ClosedAt),
		Verdict: string(r.Verdict), VerdictAt: controlplane.Instant(r.VerdictAt), Text: r.Text, Watched: r.Watched, Answer: r.Answer, Void: r.Void, Draw: r.Draw}
}

// viewStaffSession words a session for whoever asks: the risk is for staff.
func viewStaffSession(ctx context.Context) func(sessions.Session) StaffSession {
	actor, _ := controlplane.ActorFrom(ctx)
	return func(s sessions.Session) StaffSession {
		v := StaffSession{ID: s.ID, Cluster: s.Cluster, SID: s.SID, Kind: string(s.Kind), State: string(s.State), Server: s.Server, Host: s.Host, Customers: some(s.Customers),
			User: s.User, Person: s.Person, Name: s.PersonName, Login: s.Login, Address: s.Address, StartedAt: controlplane.Instant(s.StartedAt), EndedAt: controlplane.Instant(s.EndedAt),
			Endless: s.Endless, Participants: []SessionParticipant{}, Command: s.Command, Commands: s.Commands, DueAt: controlplane.Instant(s.DueAt),
			Recording: viewSessionRecording(s.Recording), Review: viewSessionReview(s.Review), Version: s.Version,
			Ground: SessionGround{Grant: s.Ground.Grant, Kind: s.Ground.Kind, Role: s.Ground.Role, Ticket: s.Ground.Ticket, Reason: s.Ground.Reason, Authorisation: s.Ground.Authorisation, Lacks: some(s.Ground.Lacks)}}
		for _, p := range s.Participants {
			v.Participants = append(v.Participants, SessionParticipant{p.User, some(p.Persons), p.Name, controlplane.Instant(p.Joined), controlplane.Instant(p.Left), p.Mode})
		}
		if actor.Kind == controlplane.ActorStaff {
			v.Risk = &SessionRisk{s.Risk.Score, some(s.Risk.Why)}
		}
		return v
	}
}

func oneSession(ctx context.Context, s sessions.Session, err error) (*One[StaffSession], error) {
	return &One[StaffSession]{Body: viewStaffSession(ctx)(s)}, err
}

// SessionEvent is one event as the cluster gave it.
type SessionEvent struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	At   string `json:"at" format:"date-time"`
	Raw  string `json:"raw" doc:"JSON, as it came"`
}

type sessionsIn struct {
	PageIn
	Customer   string    `query:"customer"`
	Server     string    `query:"server"`
	Person     string    `query:"person"`
	Kind       []string  `query:"kind"`
	State      []string  `query:"state"`
	Review     []string  `query:"review"`
	Ungrounded bool      `query:"ungrounded" doc:"Only those that lack a grant, a ticket, an authorisation or a known person"`
	From       time.Time `query:"from"`
	To         time.Time `query:"to"`
}

// words are the values of a query parameter that are of an enum.
func words[T interface {
	~string
	Valid() bool
}](pointer string, in []string) (out []T, err error) {
	for _, w := range in {
		if !T(w).Valid() {
			return nil, controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: "There is no such value."})
		}
		out = append(out, T(w))
	}
	return out, nil
}

func (in *sessionsIn) filter() (f sessions.Filter, err error) {
	f = sessions.Filter{Customer: in.Customer, Server: in.Server, Person: in.Person, Ungrounded: in.Ungrounded, From: in.From, To: in.To, Limit: in.PageSize, PageToken: in.PageToken}
	if f.Kinds, err = words[sessions.Kind]("/kind", in.Kind); err != nil {
		return f, err
	}
	if f.States, err = words[sessions.State]("/state", in.State); err != nil {
		return f, err
	}
	f.Reviews, err = words[sessions.ReviewState]("/review", in.Review)
	return f, err
}

func (x *sessionsAPI) registerList(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/sessions", Name: "session.list", Summary: "List sessions on customers' servers, the latest first", Audience: policy.SignedIn, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *sessionsIn) (*ListOut[StaffSession], error) {
			f, err := in.filter()
			if err != nil {
				return nil, err
			}
			if f.Server, f.Customer, err = x.refs(ctx, scope, f.Server, f.Customer); err != nil {
				return nil, err
			}
			items, next, err := x.List(ctx, scope, f)
			return listOf(items, next, viewStaffSession(ctx)), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/{id}", Name: "session.show", Summary: "Show a session", Audience: policy.SignedIn, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[StaffSession], error) {
			s, err := x.Get(ctx, scope, in.ID)
			return oneSession(ctx, s, err)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/{id}/events", Name: "session.events", Summary: "What the cluster said of a session, as it came: a viewing, once an hour", Audience: policy.Staff, Permission: policy.SessionWatch},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[SessionEvent], error) {
			items, err := x.Events(ctx, scope, in.ID)
			return listOf(items, "", func(e sessions.Event) SessionEvent {
				return SessionEvent{e.ID, e.Type, controlplane.Instant(e.At), string(e.Raw)}
			}), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/{id}/commands", Name: "session.commands", Summary: "The commands of a session; for staff who may watch, as a viewing", Audience: policy.SignedIn, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[SessionMoment], error) {
			items, err := x.Commands(ctx, scope, in.ID)
			return listOf(items, "", viewMoment), err
		})
}
