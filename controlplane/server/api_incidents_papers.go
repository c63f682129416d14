package server

import (
	"context"
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// IncidentRegisterEntry is one line of the register of breaches.
type IncidentRegisterEntry struct {
	Incident   string         `json:"incident"`
	Number     string         `json:"number"`
	Title      string         `json:"title"`
	Facts      string         `json:"facts"`
	Effects    string         `json:"effects"`
	Remedies   string         `json:"remedies"`
	Cause      string         `json:"cause"`
	NotTold    string         `json:"not_told_because,omitempty"`
	Delay      string         `json:"delay_because,omitempty"`
	Recipients []IncidentTold `json:"recipients" nullable:"false"`
	KeptUntil  string         `json:"kept_until,omitempty" format:"date-time"`
}

// IncidentTold is one recipient.
type IncidentTold struct {
	Notice   string `json:"notice"`
	To       string `json:"to"`
	Audience string `json:"audience"`
	Phase    int    `json:"phase"`
	SentAt   string `json:"sent_at,omitempty" format:"date-time"`
	ToldAt   string `json:"told_at,omitempty" format:"date-time"`
}

func viewRegister(r incidents.RegisterEntry) IncidentRegisterEntry {
	return IncidentRegisterEntry{r.Case.ID, r.Case.Number, r.Case.Title, r.Facts, r.Effects, r.Remedies, r.Cause, r.NotTold, r.Delay,
		each(r.Recipients, func(t incidents.Told) IncidentTold {
			return IncidentTold{t.Notice, t.To, string(t.Audience), t.Phase, controlplane.Instant(t.SentAt), controlplane.Instant(t.ToldAt)}
		}), controlplane.Instant(r.KeptUntil)}
}

// IncidentForm is what an authority's form asks for.
type IncidentForm struct {
	Authority string              `json:"authority"`
	Title     string              `json:"title"`
	Sentence  string              `json:"sentence"`
	Missing   int                 `json:"missing"`
	Fields    []IncidentFormField `json:"fields" nullable:"false"`
}

// IncidentFormField is one question.
type IncidentFormField struct {
	Key      string `json:"key"`
	Question string `json:"question"`
	Answer   string `json:"answer,omitempty"`
	Missing  string `json:"missing,omitempty"`
	Required bool   `json:"required"`
}

// IncidentPaper is a document.
type IncidentPaper struct {
	Title    string                 `json:"title"`
	Sections []IncidentPaperSection `json:"sections" nullable:"false"`
}

// IncidentPaperSection is a part of one.
type IncidentPaperSection struct {
	Heading    string     `json:"heading"`
	Paragraphs []string   `json:"paragraphs" nullable:"false"`
	Rows       [][]string `json:"rows,omitempty"`
}

// IncidentReport is somebody's word that something may be wrong.
type IncidentReport struct {
	ID         string `json:"id"`
	Source     string `json:"source" enum:"staff,customer,public,finding"`
	Customer   string `json:"customer,omitempty"`
	Server     string `json:"server,omitempty"`
	Text       string `json:"text"`
	Name       string `json:"name,omitempty"`
	Contact    string `json:"contact,omitempty"`
	Subject    string `json:"subject,omitempty"`
	ReceivedAt string `json:"received_at" format:"date-time"`
	By         string `json:"by,omitempty"`
	Incident   string `json:"incident,omitempty"`
	SetAside   string `json:"set_aside_because,omitempty"`
	DecidedAt  string `json:"decided_at,omitempty" format:"date-time"`
	DecidedBy  string `json:"decided_by,omitempty"`
	Forgotten  string `json:"reporter_erased_at,omitempty" format:"date-time" doc:"When name and contact were deleted: their term was over"`
}

func viewReport(r incidents.Report) IncidentReport {
	return IncidentReport{r.ID, string(r.Source), r.Customer, r.Server, r.Text, r.Name, r.Contact, r.Subject, controlplane.Instant(r.ReceivedAt), r.By, r.Case, r.SetAside, controlplane.Instant(r.DecidedAt), r.DecidedBy, controlplane.Instant(r.ForgottenAt)}
}

func oneReport(r incidents.Report, err error) (*One[IncidentReport], error) {
	return &One[IncidentReport]{Body: viewReport(r)}, err
}

// NewIncidentReport is one to be taken in.
type NewIncidentReport struct {
	Text    string `json:"text" doc:"One sentence is enough"`
	Server  string `json:"server,omitempty"`
	Contact string `json:"contact,omitempty" doc:"How to reach you"`
}

// IncidentTriage says what becomes of a report: one of the three.
type IncidentTriage struct {
	Incident string       `json:"incident,omitempty" doc:"It belongs to this one"`
	New      *NewIncident `json:"new,omitempty" doc:"It begins one"`
	Aside    string       `json:"aside_because,omitempty" doc:"It is none"`
}

type registerIn struct {
	Year int `query:"year" minimum:"0" maximum:"9999" doc:"0 is all"`
}

type formIn struct {
	IDIn
	Authority string `path:"authority" enum:"ico,edpb"`
}

type reportsIn struct {
	Waiting bool `query:"waiting" doc:"Only those that nobody has looked at"`
}

func (x *incidentsAPI) registerPapers(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/incident-register", Name: "incident.register", Summary: "The register of breaches, those that nobody was told of too", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *registerIn) (*ListOut[IncidentRegisterEntry], error) {
			items, err := x.Register(ctx, scope, in.Year)
			return listOf(items, "", viewRegister), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incidents/{id}/forms/{authority}", Name: "incident.form", Summary: "What an authority's form asks for, filled in as far as it is known", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *formIn) (*One[IncidentForm], error) {
			f, err := x.AuthorityForm(ctx, scope, in.ID, in.Authority)
			return &One[IncidentForm]{Body: IncidentForm{f.Authority, f.Title, f.Sentence, f.Missing, each(f.Fields, func(f incidents.FormField) IncidentFormField {
				return IncidentFormField{f.Key, f.Question, f.Answer, f.Missing, f.Required}
			})}}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incidents/{id}/after-action", Name: "incident.after_action", Summary: "The report after an incident", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[IncidentPaper], error) {
			p, err := x.AfterAction(ctx, scope, in.ID)
			return &One[IncidentPaper]{Body: IncidentPaper{p.Title, each(p.Sections, func(s incidents.Section) IncidentPaperSection {
				return IncidentPaperSection{s.Heading, some(s.Paragraphs), s.Rows}
			})}}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incident-reports", Name: "incident.reports", Summary: "Reports that something may be wrong; contacts see their own", Audience: policy.SignedIn, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *reportsIn) (*ListOut[IncidentReport], error) {
			items, err := x.Reports(ctx, scope, in.Waiting)
			return listOf(items, "", viewReport), err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incident-reports", Name: "incident.report", Summary: "Say that something may be wrong", Audience: policy.SignedIn, Permission: policy.IncidentReport, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *struct{ Body NewIncidentReport }) (*One[IncidentReport], error) {
			n := incidents.NewReport{Source: incidents.FromStaff, Text: in.Body.Text, Contact: in.Body.Contact}
			if actor, _ := controlplane.ActorFrom(ctx); actor.Kind == controlplane.ActorContact {
				n.Source, n.Customer = incidents.FromCustomer, actor.Customer
			}
			var err error
			if n.Server, _, err = x.refs(ctx, scope, in.Body.Server, ""); err != nil {
				return nil, err
			}
			return oneReport(x.Report(ctx, scope, n))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incident-reports/{id}/triage", Name: "incident.triage", Summary: "Say what becomes of a report", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentTriage]) (*One[IncidentReport], error) {
			t := incidents.Triage{Case: in.Body.Incident, Aside: in.Body.Aside}
			if in.Body.New != nil {
				n, err := in.Body.New.open()
				if err != nil {
					return nil, err
				}
				t.New = &n
			}
			return oneReport(x.Triage(ctx, scope, in.ID, t))
		})
}
