package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// IncidentNotice is what one recipient is told.
type IncidentNotice struct {
	ID       string          `json:"id"`
	Incident string          `json:"incident,omitempty" doc:"Staff only"`
	Advisory string          `json:"advisory,omitempty"`
	Customer string          `json:"customer,omitempty"`
	Audience string          `json:"audience" enum:"customer,authority,csirt,people"`
	Purpose  string          `json:"purpose" enum:"first,update,withdrawal,final,freeze,advisory,change"`
	Phase    int             `json:"phase"`
	Regime   string          `json:"regime,omitempty"`
	Lang     string          `json:"lang"`
	Title    string          `json:"title"`
	Fields   []IncidentField `json:"fields" nullable:"false"`
	Words    string          `json:"words,omitempty"`
	Text     string          `json:"text" doc:"As it is sent"`
	SHA256   string          `json:"sha256,omitempty" doc:"Of the text; in the ledger when it is sent"`
	State    string          `json:"state" enum:"draft,waiting,sent,accepted,opened,acknowledged,unreachable,called,discarded,drilled"`
	Author   string          `json:"author,omitempty"`
	MadeAt   string          `json:"made_at" format:"date-time"`
	AskedAt  string          `json:"asked_at,omitempty" format:"date-time"`
	Second   string          `json:"second,omitempty"`
	AloneWhy string          `json:"alone_because,omitempty"`
	LateWhy  string          `json:"late_because,omitempty"`
	SentAt   string          `json:"sent_at,omitempty" format:"date-time"`
	DueAt    string          `json:"due_at,omitempty" format:"date-time"`
	ToldAt   string          `json:"told_at,omitempty" format:"date-time" doc:"Delivered; acceptance by a mail server is not reading"`
	Tries    []IncidentTry   `json:"tries" nullable:"false"`
	Drill    bool            `json:"drill"`
	Version  int64           `json:"version"`
}

// IncidentField is one fact of Article 33(3) GDPR.
type IncidentField struct {
	Key   string    `json:"key" enum:"nature,categories,people,record_categories,records,consequences,measures,contact,delay,unlawful_cause,cross_border"`
	Known string    `json:"known,omitempty" enum:"known,range,unknown"`
	Value string    `json:"value,omitempty"`
	Low   int64     `json:"low,omitempty" minimum:"0"`
	High  int64     `json:"high,omitempty" minimum:"0"`
	Owner string    `json:"owner,omitempty" doc:"Of what is unknown: who finds out"`
	By    time.Time `json:"by,omitempty" doc:"Of what is unknown: until when"`
}

// IncidentTry is one attempt to reach somebody.
type IncidentTry struct {
	Contact string `json:"contact,omitempty"`
	Name    string `json:"name,omitempty"`
	How     string `json:"how" doc:"mail, call, letter, portal, form"`
	Mail    string `json:"mail,omitempty"`
	State   string `json:"state,omitempty"`
	Cause   string `json:"cause,omitempty"`
	At      string `json:"at,omitempty" format:"date-time"`
	Note    string `json:"note,omitempty"`
}

func viewIncidentTry(t incidents.Try) IncidentTry {
	return IncidentTry{t.Contact, t.Name, t.How, t.Mail, t.State, t.Cause, controlplane.Instant(t.At), t.Note}
}

// viewIncidentNotice words a notice for whoever asks: a customer reads what they were
// told, and nothing of the incident that stands behind it.
func viewIncidentNotice(ctx context.Context) func(incidents.Notice) IncidentNotice {
	actor, _ := controlplane.ActorFrom(ctx)
	staff := actor.Kind == controlplane.ActorStaff || actor.Kind == controlplane.ActorSystem
	return func(n incidents.Notice) IncidentNotice {
		v := IncidentNotice{ID: n.ID, Customer: n.Customer, Audience: string(n.Audience), Purpose: string(n.Purpose), Phase: n.Phase, Regime: n.Regime, Lang: n.Lang, Title: n.Title,
			Fields: []IncidentField{}, Text: n.Text, SHA256: n.SHA256, State: string(n.State), MadeAt: controlplane.Instant(n.MadeAt), SentAt: controlplane.Instant(n.SentAt),
			ToldAt: controlplane.Instant(n.ToldAt), Tries: []IncidentTry{}, Drill: n.Drill, Version: n.Version}
		if staff {
			v.Incident, v.Advisory, v.Words, v.Author, v.Second, v.AloneWhy, v.LateWhy = n.Case, n.Advisory, n.Words, n.Author, n.Second, n.AloneWhy, n.LateWhy
			v.AskedAt, v.DueAt, v.Tries = controlplane.Instant(n.AskedAt), controlplane.Instant(n.DueAt), each(n.Tries, viewIncidentTry)
			v.Fields = each(n.Fields, func(f incidents.Field) IncidentField {
				return IncidentField{f.Key, string(f.Known), f.Value, f.Low, f.High, f.Owner, f.By}
			})
		}
		return v
	}
}

func oneIncidentNotice(ctx context.Context, n incidents.Notice, err error) (*One[IncidentNotice], error) {
	return &One[IncidentNotice]{ETag: etag(n.Version), Body: viewIncidentNotice(ctx)(n)}, err
}

// IncidentNoticeEdit changes a draft, or all of an incident.
type IncidentNoticeEdit struct {
	Fields []IncidentField `json:"fields,omitempty" doc:"Each replaces that of its key"`
	Words  *string         `json:"words,omitempty"`
	Lang   *string         `json:"lang,omitempty"`
}

func (e IncidentNoticeEdit) edit() incidents.NoticeEdit {
	out := incidents.NoticeEdit{Words: e.Words, Lang: e.Lang}
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, incidents.Field{Key: f.Key, Known: incidents.Known(f.Known), Value: f.Value, Low: f.Low, High: f.High, Owner: f.Owner, By: f.By})
	}
	return out
}

// IncidentDrafting makes drafts.
type IncidentDrafting struct {
	Purpose   string   `json:"purpose" enum:"first,update,withdrawal,final"`
	Audience  string   `json:"audience,omitempty" enum:"customer,authority,csirt,people" doc:"Absent: customers"`
	Regime    string   `json:"regime,omitempty" enum:"gdpr,uk-gdpr,nis2"`
	Customers []string `json:"customers,omitempty" doc:"Absent: everybody who is to be told"`
}

// IncidentDrafted is what was drafted.
type IncidentDrafted struct {
	Items []IncidentNotice  `json:"items" nullable:"false"`
	Left  map[string]string `json:"left_out" doc:"For whom nothing could be written, and why, by id: a person has to call them"`
}

// IncidentSending sends.
type IncidentSending struct {
	Version  int64  `json:"version,omitempty" doc:"Of the notice as you looked at it; needed where somebody else wrote it"`
	AloneWhy string `json:"alone_because,omitempty" doc:"Without a second person: why"`
	LateWhy  string `json:"late_because,omitempty" doc:"Needed where it is late"`
}

func (s IncidentSending) sending() incidents.Sending {
	return incidents.Sending{Version: s.Version, AloneWhy: s.AloneWhy, LateWhy: s.LateWhy}
}

// IncidentSendingAll sends all drafts of an incident, or an advisory.
type IncidentSendingAll struct {
	Seen     map[string]int64 `json:"seen,omitempty" doc:"Versions of the notices that you looked at, by id: what somebody else wrote goes only as you saw it"`
	AloneWhy string           `json:"alone_because,omitempty" doc:"Without a second person: why"`
	LateWhy  string           `json:"late_because,omitempty" doc:"Needed where it is late"`
}

func (s IncidentSendingAll) sending() incidents.Sending {
	return incidents.Sending{Seen: s.Seen, AloneWhy: s.AloneWhy, LateWhy: s.LateWhy}
}

// IncidentApproval sends what another person drafted.
type IncidentApproval struct {
	Version int64 `json:"version" doc:"Of the notice that you looked at"`
}

// IncidentSent is what became of sending them all.
type IncidentSent struct {
	Sent int               `json:"sent"`
	Kept map[string]string `json:"kept" doc:"Why others were not sent, by id"`
}

// IncidentEdited is how many drafts were changed.
type IncidentEdited struct {
	Changed int `json:"changed"`
}

// IncidentPreview is a notice as it would be sent.
type IncidentPreview struct {
	Notice     IncidentNotice  `json:"notice"`
	Recipients []IncidentTry   `json:"recipients" nullable:"false"`
	Checks     []IncidentCheck `json:"checks" nullable:"false"`
}

// IncidentCheck is something to be looked at before sending.
type IncidentCheck struct {
	Key   string `json:"key"`
	Text  string `json:"text"`
	Stops bool   `json:"stops"`
}

// IncidentTelling records that somebody was told another way.
type IncidentTelling struct {
	To        string `json:"to"`
	How       string `json:"how" enum:"call,letter,form"`
	Note      string `json:"note,omitempty"`
	At        string `json:"at,omitempty"`
	Reference string `json:"reference,omitempty" doc:"An authority's file number"`
	LateWhy   string `json:"late_because,omitempty" doc:"Needed where it is late"`
}

type noticesIn struct {
	PageIn
	Incident string `query:"incident"`
	Advisory string `query:"advisory"`
	Customer string `query:"customer"`
	Audience string `query:"audience" enum:"customer,authority,csirt,people"`
	State    string `query:"state" enum:"draft,waiting,sent,accepted,opened,acknowledged,unreachable,called,discarded,drilled"`
}

func (x *incidentsAPI) registerNotices(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/incident-notices", Name: "incident.notices", Summary: "Notices of incidents and advisories; contacts see what they were told", Audience: policy.SignedIn, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *noticesIn) (*ListOut[IncidentNotice], error) {
			_, customer, err := x.refs(ctx, scope, "", in.Customer)
			if err != nil {
				return nil, err
			}
			if in.Incident != "" && !controlplane.ValidID(controlplane.PrefixIncident, in.Incident) {
				c, err := x.Get(ctx, scope, in.Incident) // by its number
				if err != nil {
					return nil, err
				}
				in.Incident = c.ID
			}
			items, next, err := x.Notices(ctx, scope, incidents.NoticeFilter{Case: in.Incident, Advisory: in.Advisory, Customer: customer, Audience: incidents.Audience(in.Audience), State: incidents.NoticeState(in.State), Limit: in.PageSize, Token: in.PageToken})
			return listOf(items, next, viewIncidentNotice(ctx)), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incident-notices/{id}", Name: "incident.notice", Summary: "Show a notice", Audience: policy.SignedIn, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[IncidentNotice], error) {
			n, err := x.Notice(ctx, scope, in.ID)
			return oneIncidentNotice(ctx, n, err)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incident-notices/{id}/acknowledge", Name: "incident.acknowledge", Summary: "Say that you have taken note", Audience: policy.Customers, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[IncidentNotice], error) {
			n, err := x.Acknowledge(ctx, scope, in.ID)
			return oneIncidentNotice(ctx, n, err)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/notices", Name: "incident.draft", Summary: "Draft the next notice to everybody who is to be told", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentDrafting]) (*One[IncidentDrafted], error) {
			made, left, err := x.draft(ctx, scope, in.ID, in.Body)
			if left == nil {
				left = map[string]string{}
			}
			return &One[IncidentDrafted]{Body: IncidentDrafted{each(made, viewIncidentNotice(ctx)), left}}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/notices/edit", Name: "incident.edit_all", Summary: "Write the same into every open draft of an incident", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentNoticeEdit]) (*One[IncidentEdited], error) {
			n, err := x.EditAll(ctx, scope, in.ID, in.Body.edit())
			return &One[IncidentEdited]{Body: IncidentEdited{n}}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/notices/send", Name: "incident.send_all", Summary: "Send every draft of an incident, or ask for a second person", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentSendingAll]) (*One[IncidentSent], error) {
			n, kept, err := x.SendAll(ctx, scope, in.ID, in.Body.sending())
			if kept == nil {
				kept = map[string]string{}
			}
			return &One[IncidentSent]{Body: IncidentSent{n, kept}}, err
		})
	x.registerNotice(a)
}

// draft makes drafts for customers, or one for anybody else.
func (x *incidentsAPI) draft(ctx context.Context, scope policy.Scope, id string, in IncidentDrafting) (made []incidents.Notice, left map[string]string, err error) {
	if to := incidents.Audience(in.Audience); to != "" && to != incidents.ToCustomer {
		n, err := x.MakeDraftFor(ctx, scope, id, to, in.Regime, incidents.Purpose(in.Purpose))
		return []incidents.Notice{n}, nil, err
	}
	list := make([]string, 0, len(in.Customers))
	for _, ref := range in.Customers {
		_, customer, err := x.refs(ctx, scope, "", ref)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, customer)
	}
	return x.MakeDrafts(ctx, scope, id, incidents.Purpose(in.Purpose), list...)
}

func (x *incidentsAPI) registerNotice(a *API) {
	Register(a, Op{Method: http.MethodPatch, Path: "/incident-notices/{id}", Name: "incident.edit", Summary: "Change a draft", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *putIn[IncidentNoticeEdit]) (*One[IncidentNotice], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			n, err := x.Edit(ctx, scope, in.ID, version, in.Body.edit())
			return oneIncidentNotice(ctx, n, err)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incident-notices/{id}/preview", Name: "incident.preview", Summary: "A notice as it would be sent, to whom, and what to look at first", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[IncidentPreview], error) {
			p, err := x.Preview(ctx, scope, in.ID)
			return &One[IncidentPreview]{Body: IncidentPreview{viewIncidentNotice(ctx)(p.Notice), each(p.Recipients, viewIncidentTry), each(p.Checks, func(c incidents.Check) IncidentCheck { return IncidentCheck(c) })}}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incident-notices/{id}/approve", Name: "incident.approve", Summary: "Send what another person drafted, as you looked at it", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentApproval]) (*One[IncidentNotice], error) {
			n, err := x.Approve(ctx, scope, in.ID, in.Body.Version)
			return oneIncidentNotice(ctx, n, err)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incident-notices/{id}/send", Name: "incident.send", Summary: "Send a draft, or ask for a second person", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentSending]) (*One[IncidentNotice], error) {
			n, err := x.Send(ctx, scope, in.ID, in.Body.sending())
			return oneIncidentNotice(ctx, n, err)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incident-notices/{id}/discard", Name: "incident.discard", Summary: "Put a draft aside", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentBecause]) (*One[IncidentNotice], error) {
			n, err := x.Discard(ctx, scope, in.ID, in.Body.Because)
			return oneIncidentNotice(ctx, n, err)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incident-notices/{id}/told", Name: "incident.tell", Summary: "Record that somebody was told another way, or a form handed in", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentTelling]) (*One[IncidentNotice], error) {
			b := in.Body
			n, err := x.Tell(ctx, scope, in.ID, incidents.Telling{To: b.To, How: b.How, Note: b.Note, At: incidents.At(b.At), Reference: b.Reference, LateWhy: b.LateWhy})
			return oneIncidentNotice(ctx, n, err)
		})
}
