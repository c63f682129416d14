package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// SessionMoment is something that happened in a recording.
type SessionMoment struct {
	AtMS  int64  `json:"at_ms" doc:"Since the recording's beginning"`
	Kind  string `json:"kind" enum:"command,idle,resize,join,leave,file,network,note,left"`
	Text  string `json:"text"`
	ForMS int64  `json:"for_ms,omitempty" doc:"idle: how long"`
	Read  string `json:"read,omitempty" enum:"kernel,screen" doc:"How a command is known: from the kernel, or read off what the terminal showed"`
	Exit  string `json:"exit,omitempty"`
}

func viewMoment(m sessions.Moment) SessionMoment {
	return SessionMoment{m.At.Milliseconds(), m.Kind, m.Text, m.For.Milliseconds(), m.Read, m.Exit}
}

// SessionLine is a line of a transcript.
type SessionLine struct {
	AtMS int64  `json:"at_ms"`
	Text string `json:"text"`
}

// SessionText is a part of a transcript.
type SessionText struct {
	Lines []SessionLine `json:"lines" nullable:"false"`
	More  bool          `json:"more"`
}

// SessionHit is a session in which commands were found.
type SessionHit struct {
	Session StaffSession    `json:"session"`
	Moments []SessionMoment `json:"moments" nullable:"false"`
}

// SessionFound is what a search came to.
type SessionFound struct {
	Items         []SessionHit `json:"items" nullable:"false"`
	NextPageToken string       `json:"next_page_token" doc:"Goes on behind what was looked through; empty where that is everything"`
	Looked        int          `json:"looked" doc:"Recordings looked through now"`
	Of            int          `json:"of" doc:"Recordings that were left to look through"`
	Stopped       bool         `json:"stopped" doc:"The search ended before it had looked through them: narrow it, or go on with the page token"`
	Skipped       int          `json:"skipped" doc:"Recordings whose customer's key was destroyed: nobody reads them"`
}

// viewedIn asks for a part of a recording within a viewing.
type viewedIn struct {
	IDIn
	Viewing string `query:"viewing" required:"true" doc:"Of POST /sessions/{id}/viewings"`
}

type transcriptIn struct {
	IDIn
	Viewing string `query:"viewing" required:"true" doc:"Of POST /sessions/{id}/viewings"`

	From  int `query:"from" minimum:"0" doc:"Line to begin with"`
	Limit int `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
}

type commandsIn struct {
	PageIn
	Text     string    `query:"text" required:"true" maxLength:"400" doc:"Every word, in any order, in one command"`
	Customer string    `query:"customer"`
	Person   string    `query:"person"`
	From     time.Time `query:"from"`
	To       time.Time `query:"to"`
}

func (x *sessionsAPI) registerRecordings(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/{id}/cast", Name: "session.cast", Summary: "A session's recording as asciicast v2, within a viewing", Audience: policy.SignedIn, Permission: policy.SessionWatch}, x.cast)
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/{id}/timeline", Name: "session.timeline", Summary: "What happened in a recording, within a viewing", Audience: policy.SignedIn, Permission: policy.SessionWatch},
		func(ctx context.Context, scope policy.Scope, in *viewedIn) (*ListOut[SessionMoment], error) {
			items, err := x.Timeline(ctx, scope, in.ID, in.Viewing)
			return listOf(items, "", viewMoment), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/{id}/transcript", Name: "session.transcript", Summary: "The text of a recording, within a viewing", Audience: policy.SignedIn, Permission: policy.SessionWatch},
		func(ctx context.Context, scope policy.Scope, in *transcriptIn) (*One[SessionText], error) {
			lines, more, err := x.Transcript(ctx, scope, in.ID, in.Viewing, in.From, in.Limit)
			return &One[SessionText]{Body: SessionText{listOf(lines, "", func(l sessions.Line) SessionLine { return SessionLine{l.At.Milliseconds(), l.Text} }).Body.Items, more}}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/session-commands", Name: "session.search", Summary: "Search commands across recordings; that you searched is on record", Audience: policy.SignedIn, Permission: policy.SessionWatch},
		func(ctx context.Context, scope policy.Scope, in *commandsIn) (*One[SessionFound], error) {
			_, customer, err := x.refs(ctx, scope, "", in.Customer)
			if err != nil {
				return nil, err
			}
			found, err := x.SearchCommands(ctx, scope, sessions.CommandQuery{Text: in.Text, Customer: customer, Person: in.Person, From: in.From, To: in.To, Limit: in.PageSize, PageToken: in.PageToken})
			view := viewStaffSession(ctx)
			hits := listOf(found.Hits, "", func(h sessions.CommandHit) SessionHit {
				return SessionHit{view(h.Session), listOf(h.Moments, "", viewMoment).Body.Items}
			}).Body.Items
			return &One[SessionFound]{Body: SessionFound{hits, found.Next, found.Looked, found.Of, found.Stopped, found.Skipped}}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/{id}/check", Name: "session.check", Summary: "Compare a recording with the ledger now", Audience: policy.Staff, Permission: policy.SessionReview, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[SessionJob], error) {
			return jobOut(x.Check(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/{id}/fetch", Name: "session.fetch", Summary: "Ask the cluster for a missing recording again", Audience: policy.Staff, Permission: policy.SessionReview, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[SessionJob], error) {
			return jobOut(x.Fetch(ctx, scope, in.ID))
		})
}

// cast sends a recording. What cannot be read in the middle, or may not be any
// more, cuts the connection: the length that was announced tells the reader.
func (x *sessionsAPI) cast(ctx context.Context, scope policy.Scope, in *viewedIn) (*contentOut, error) {
	f, err := x.OpenCast(ctx, scope, in.ID, in.Viewing)
	if err != nil {
		return nil, err
	}
	return &contentOut{Body: func(hc huma.Context) {
		defer f.Close()
		c := humaecho.Unwrap(hc)
		h := c.Response().Header()
		h.Set("Content-Type", "application/x-asciicast")
		h.Set("Content-Disposition", disposition(in.ID+".cast"))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("Cache-Control", "private, no-store")
		h.Set("ETag", `"`+f.Recording.CastSHA256+`"`)
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, f)
	}}, nil
}

// isCast reports whether a path of the API is a recording's: it may be long.
func isCast(path string) bool {
	return strings.HasPrefix(path, Base+"/sessions/") && strings.HasSuffix(path, "/cast")
}

// SessionHold keeps recordings beyond their term.
type SessionHold struct {
	ID         string `json:"id"`
	Session    string `json:"session,omitempty"`
	Customer   string `json:"customer,omitempty"`
	From       string `json:"from,omitempty" format:"date-time"`
	To         string `json:"to,omitempty" format:"date-time"`
	Reason     string `json:"reason"`
	By         string `json:"by"`
	At         string `json:"at" format:"date-time"`
	Until      string `json:"until" format:"date-time"`
	ReleasedAt string `json:"released_at,omitempty" format:"date-time"`
	ReleasedBy string `json:"released_by,omitempty"`
	Asked      string `json:"asked,omitempty" doc:"Who asked for the release; another person grants it"`
	Alone      bool   `json:"alone" doc:"One person released it, in an emergency"`
	ReviewedBy string `json:"reviewed_by,omitempty" doc:"Who looked at a release by one person"`
}

// NewSessionHold is a hold that is asked for.
type NewSessionHold struct {
	Session  string    `json:"session,omitempty" doc:"One session, or"`
	Customer string    `json:"customer,omitempty" doc:"every session of a customer between from and to"`
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Reason   string    `json:"reason"`
	Until    time.Time `json:"until,omitzero" doc:"Default: in 30 days"`
}

// SessionTerms are what was agreed with a customer about recordings.
type SessionTerms struct {
	Customer string `json:"customer"`
	Watch    bool   `json:"watch" doc:"Their owners may watch recordings of servers that are theirs alone"`
	Commands bool   `json:"commands" doc:"They see the commands that were run"`
	Percent  int    `json:"percent" doc:"Of sessions without a cause, drawn for review"`
	Months   int    `json:"months" doc:"Recordings are kept at most so long; set with the access terms"`
	Version  int64  `json:"version"`
}

// SessionTermsChange replaces them.
type SessionTermsChange struct {
	Watch    bool `json:"watch"`
	Commands bool `json:"commands"`
	Percent  int  `json:"percent" minimum:"0" maximum:"100"`
}

func viewHold(h sessions.Hold) SessionHold {
	return SessionHold{h.ID, h.Session, h.Customer, controlplane.Instant(h.From), controlplane.Instant(h.To), h.Reason, h.By, controlplane.Instant(h.At), controlplane.Instant(h.Until),
		controlplane.Instant(h.ReleasedAt), h.ReleasedBy, h.Asked, h.Alone, h.ReviewedBy}
}

func oneHold(h sessions.Hold, err error) (*One[SessionHold], error) {
	return &One[SessionHold]{Body: viewHold(h)}, err
}

func oneSessionTerms(t sessions.Terms, err error) (*One[SessionTerms], error) {
	return &One[SessionTerms]{ETag: etag(t.Version), Body: SessionTerms(t)}, err
}

type holdsIn struct {
	PageIn
	Customer string `query:"customer"`
	All      bool   `query:"all" doc:"Those that ended, too"`
}

func (x *sessionsAPI) registerKeeping(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/session-holds", Name: "hold.list", Summary: "List holds on recordings", Audience: policy.Staff, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *holdsIn) (*ListOut[SessionHold], error) {
			_, customer, err := x.refs(ctx, scope, "", in.Customer)
			if err != nil {
				return nil, err
			}
			items, err := x.Holds(ctx, scope, customer, in.All)
			return onePage(items, err, func(h sessions.Hold) string { return h.ID }, viewHold, in.PageIn)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/session-holds", Name: "hold.create", Summary: "Keep recordings beyond their term", Audience: policy.Staff, Permission: policy.SessionAdmin, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewSessionHold]) (*One[SessionHold], error) {
			_, customer, err := x.refs(ctx, scope, "", in.Body.Customer)
			if err != nil {
				return nil, err
			}
			return oneHold(x.Hold(ctx, scope, sessions.Hold{Session: in.Body.Session, Customer: customer, From: in.Body.From, To: in.Body.To, Reason: in.Body.Reason, Until: in.Body.Until}))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/session-holds/{id}/release", Name: "hold.release", Summary: "End a hold: one person asks, another one grants it", Audience: policy.Staff, Permission: policy.SessionAdmin},
		func(ctx context.Context, scope policy.Scope, in *withBody[SessionWhy]) (*One[SessionHold], error) {
			return oneHold(x.Release(ctx, scope, in.ID, in.Body.Why))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/session-holds/{id}/release-alone", Name: "hold.release-alone", Summary: "End a hold by one person, in an emergency: the customers are told, and another person looks at it", Audience: policy.Staff, Permission: policy.SessionAdmin},
		func(ctx context.Context, scope policy.Scope, in *withBody[SessionWhy]) (*One[SessionHold], error) {
			return oneHold(x.ReleaseAlone(ctx, scope, in.ID, in.Body.Why))
		})
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/sessions/terms", Name: "session.terms", Summary: "What was agreed with a customer about recordings", Audience: policy.SignedIn, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[SessionTerms], error) {
			_, customer, err := x.refs(ctx, scope, "", in.ID)
			if err != nil {
				return nil, err
			}
			return oneSessionTerms(x.TermsOf(ctx, scope, customer))
		})
	registerPut(a, Op{Method: http.MethodPut, Path: "/customers/{id}/sessions/terms", Name: "session.set-terms", Summary: "Change it", Audience: policy.Staff, Permission: policy.SessionAdmin},
		func(ctx context.Context, scope policy.Scope, id string, version int64, b SessionTermsChange) (*One[SessionTerms], error) {
			_, customer, err := x.refs(ctx, scope, "", id)
			if err != nil {
				return nil, err
			}
			return oneSessionTerms(x.SetTerms(ctx, scope, sessions.Terms{Customer: customer, Watch: b.Watch, Commands: b.Commands, Percent: b.Percent, Version: version}))
		})
}
