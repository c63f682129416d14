package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// SessionViewing is one person's look at one recording.
type SessionViewing struct {
	ID        string `json:"id"`
	Session   string `json:"session"`
	By        string `json:"by"`
	Name      string `json:"name"`
	Kind      string `json:"kind" enum:"staff,contact,auditor"`
	Way       string `json:"way" enum:"player,transcript,download,search,commands,events"`
	Purpose   string `json:"purpose" enum:"review,audit,support,own"`
	OpenedAt  string `json:"opened_at" format:"date-time"`
	LastAt    string `json:"last_at,omitempty" format:"date-time"`
	WatchedMS int64  `json:"watched_ms" doc:"Of the recording, each second once"`
	Query     string `json:"query,omitempty" doc:"Of a search"`
}

func viewViewing(v sessions.Viewing) SessionViewing {
	return SessionViewing{v.ID, v.Session, v.By, v.Name, v.Kind, v.Way, v.Purpose, controlplane.Instant(v.OpenedAt), controlplane.Instant(v.LastAt), v.Watched.Milliseconds(), v.Query}
}

func oneViewing(v sessions.Viewing, err error) (*One[SessionViewing], error) {
	return &One[SessionViewing]{Body: viewViewing(v)}, err
}

// NewSessionViewing begins a look.
type NewSessionViewing struct {
	Way     string `json:"way" enum:"player,transcript,download"`
	Purpose string `json:"purpose,omitempty" enum:"review,audit,support,own" doc:"Without it: review for our people, audit for auditors, own for customers"`
}

// SessionWatched is what was played since the last report.
type SessionWatched struct {
	Parts []SessionStretch `json:"parts" nullable:"false" maxItems:"500"`
}

// SessionStretch is a part of a recording.
type SessionStretch struct {
	FromMS int64 `json:"from_ms" minimum:"0"`
	ToMS   int64 `json:"to_ms" minimum:"0"`
}

// SessionNote is a remark at a second.
type SessionNote struct {
	ID     string `json:"id"`
	AtMS   int64  `json:"at_ms"`
	Text   string `json:"text"`
	By     string `json:"by"`
	Name   string `json:"name"`
	MadeAt string `json:"made_at" format:"date-time"`
	Shown  bool   `json:"shown" doc:"To the customer"`
}

// NewSessionNote is one to be made.
type NewSessionNote struct {
	AtMS  int64  `json:"at_ms" minimum:"0"`
	Text  string `json:"text"`
	Shown bool   `json:"shown,omitempty"`
}

func viewNote(n sessions.Note) SessionNote {
	return SessionNote{n.ID, n.At.Milliseconds(), n.Text, n.By, n.Name, controlplane.Instant(n.MadeAt), n.Shown}
}

type viewingsIn struct {
	PageIn
	Session  string    `query:"session"`
	Customer string    `query:"customer"`
	By       string    `query:"by"`
	From     time.Time `query:"from"`
	To       time.Time `query:"to"`
}

func (x *sessionsAPI) registerViewings(a *API) {
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/{id}/viewings", Name: "viewing.open", Summary: "Begin a look at a recording; the customer sees that you did", Audience: policy.SignedIn, Permission: policy.SessionWatch, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *withBody[NewSessionViewing]) (*One[SessionViewing], error) {
			return oneViewing(x.OpenViewing(ctx, scope, in.ID, in.Body.Way, in.Body.Purpose))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/session-viewings/{id}/watched", Name: "viewing.watched", Summary: "Say what was played", Audience: policy.SignedIn, Permission: policy.SessionWatch},
		func(ctx context.Context, scope policy.Scope, in *withBody[SessionWatched]) (*One[SessionViewing], error) {
			var parts []sessions.Stretch
			for _, p := range in.Body.Parts {
				parts = append(parts, sessions.Stretch{From: time.Duration(p.FromMS) * time.Millisecond, To: time.Duration(p.ToMS) * time.Millisecond})
			}
			return oneViewing(x.Watched(ctx, scope, in.ID, parts))
		})
	Register(a, Op{Method: http.MethodGet, Path: "/session-viewings", Name: "viewing.list", Summary: "Who looked at recordings, the latest first", Audience: policy.SignedIn, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *viewingsIn) (*ListOut[SessionViewing], error) {
			_, customer, err := x.refs(ctx, scope, "", in.Customer)
			if err != nil {
				return nil, err
			}
			items, next, err := x.Viewings(ctx, scope, sessions.ViewingFilter{Session: in.Session, Customer: customer, By: in.By, From: in.From, To: in.To, Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewViewing), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/{id}/notes", Name: "note.list", Summary: "Remarks on a session", Audience: policy.SignedIn, Permission: policy.SessionWatch},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[SessionNote], error) {
			items, err := x.Notes(ctx, scope, in.ID)
			return listOf(items, "", viewNote), err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/{id}/notes", Name: "note.add", Summary: "Make a remark at a second", Audience: policy.SignedIn, Permission: policy.SessionWatch, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *withBody[NewSessionNote]) (*One[SessionNote], error) {
			n, err := x.AddNote(ctx, scope, sessions.Note{Session: in.ID, At: time.Duration(in.Body.AtMS) * time.Millisecond, Text: in.Body.Text, Shown: in.Body.Shown})
			return &One[SessionNote]{Body: viewNote(n)}, err
		})
}

// SessionQueue are the sessions that wait for a review.
type SessionQueue struct {
	Items         []StaffSession `json:"items" nullable:"false"`
	NextPageToken string         `json:"next_page_token"`
	Own           int            `json:"own" doc:"That wait, and that you may not review: you took part in them"`
}

// SessionVerdict judges a session.
type SessionVerdict struct {
	Verdict string `json:"verdict" enum:"fine,question,violation"`
	Text    string `json:"text,omitempty" doc:"Needed with a question and a violation"`
	Version int64  `json:"version" doc:"Of the session as it was read"`
}

// SessionAnswer answers a reviewer's question.
type SessionAnswer struct {
	Text string `json:"text"`
}

// SessionDraw is one day's sample.
type SessionDraw struct {
	ID         string `json:"id"`
	Day        string `json:"day" format:"date"`
	From       string `json:"from,omitempty" format:"date" doc:"The first of the days, up to day, before which no seed was committed"`
	Commitment string `json:"commitment,omitempty" doc:"SHA-256 of the seed; in the ledger before the day began. Absent where none was committed: nothing is drawn of those days"`
	Table      string `json:"percents_sha256,omitempty" doc:"SHA-256 of the shares that differ from the percent; committed to with the seed"`
	Seed       string `json:"seed,omitempty"`
	Percent    int    `json:"percent"`
	Of         int    `json:"of" doc:"Of the sessions that you may see"`
	Drawn      int    `json:"drawn" doc:"Of the sessions that you may see"`
	RevealedAt string `json:"revealed_at,omitempty" format:"date-time"`
}

type queueIn struct {
	PageIn
	Customer string `query:"customer"`
	Because  string `query:"because" enum:"risk,sample,asked"`
	Mine     bool   `query:"mine"`
}

func (x *sessionsAPI) registerReviews(a *API) {
	act := func(path, name, summary string, perm policy.Permission, do func(ctx context.Context, scope policy.Scope, id string) (sessions.Session, error)) {
		Register(a, Op{Method: http.MethodPost, Path: "/sessions/{id}/" + path, Name: name, Summary: summary, Audience: policy.Staff, Permission: perm},
			func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[StaffSession], error) {
				s, err := do(ctx, scope, in.ID)
				return oneSession(ctx, s, err)
			})
	}
	Register(a, Op{Method: http.MethodGet, Path: "/session-reviews", Name: "review.queue", Summary: "Sessions that wait for a review, the riskiest first", Audience: policy.Staff, Permission: policy.SessionReview},
		func(ctx context.Context, scope policy.Scope, in *queueIn) (*One[SessionQueue], error) {
			_, customer, err := x.refs(ctx, scope, "", in.Customer)
			if err != nil {
				return nil, err
			}
			items, own, next, err := x.Queue(ctx, scope, sessions.QueueFilter{Customer: customer, Because: in.Because, Mine: in.Mine, Limit: in.PageSize, PageToken: in.PageToken})
			return &One[SessionQueue]{Body: SessionQueue{listOf(items, "", viewStaffSession(ctx)).Body.Items, next, own}}, err
		})
	act("claim", "review.claim", "Take a session for review", policy.SessionReview, x.Claim)
	act("unclaim", "review.unclaim", "Give it back", policy.SessionReview, x.Unclaim)
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/{id}/verdict", Name: "review.judge", Summary: "Judge a session", Audience: policy.Staff, Permission: policy.SessionReview},
		func(ctx context.Context, scope policy.Scope, in *withBody[SessionVerdict]) (*One[StaffSession], error) {
			s, err := x.Judge(ctx, scope, in.ID, sessions.Verdict(in.Body.Verdict), in.Body.Text, in.Body.Version)
			return oneSession(ctx, s, err)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/{id}/ask", Name: "review.ask", Summary: "Have a session reviewed", Audience: policy.SignedIn, Permission: policy.SessionRead, Staff: policy.SessionReview},
		func(ctx context.Context, scope policy.Scope, in *withBody[SessionWhy]) (*One[StaffSession], error) {
			s, err := x.AskReview(ctx, scope, in.ID, in.Body.Why)
			return oneSession(ctx, s, err)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/{id}/answer", Name: "review.answer", Summary: "Answer a reviewer's question, or say what is known of a session that cannot be reviewed", Audience: policy.Staff, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *withBody[SessionAnswer]) (*One[StaffSession], error) {
			s, err := x.AnswerQuestion(ctx, scope, in.ID, in.Body.Text)
			return oneSession(ctx, s, err)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/session-draws", Name: "draw.list", Summary: "The days' samples: commitments, and seeds once the day is over", Audience: policy.SignedIn, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *PageIn) (*ListOut[SessionDraw], error) {
			items, next, err := x.Draws(ctx, scope, in.PageSize, in.PageToken)
			return listOf(items, next, func(d sessions.Draw) SessionDraw {
				return SessionDraw{d.ID, d.Day, d.From, d.Commitment, d.Table, d.Seed, d.Percent, d.Of, d.Drawn, controlplane.Instant(d.RevealedAt)}
			}), err
		})
}
