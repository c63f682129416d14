package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// AccessTerms are what was agreed with one customer about access.
type AccessTerms struct {
	Customer         string `json:"customer"`
	NoticeHours      int    `json:"notice_hours" doc:"Within which a change is told"`
	SecondPerson     bool   `json:"second_person" doc:"Grants want a second person of ours"`
	CustomerApproves bool   `json:"customer_approves" doc:"Grants want the customer's designee"`
	MaxDays          int    `json:"max_days" doc:"Of the longest grant"`
	RecordingMonths  int    `json:"recording_months" doc:"Recordings are kept at most so long"`
	Brief            string `json:"brief,omitempty" doc:"What who works for this customer has to know"`
	BriefVersion     string `json:"brief_version,omitempty"`
}

func viewTerms(t access.Terms) AccessTerms {
	return AccessTerms{t.Customer, t.NoticeHours, t.SecondPerson, t.CustomerApproves, t.MaxDays, t.RecordingMonths, t.Brief, t.BriefVersion}
}

func oneTerms(t access.Terms, err error) (*One[AccessTerms], error) {
	return &One[AccessTerms]{ETag: etag(t.Version), Body: viewTerms(t)}, err
}

// NewAccessTerms are terms as they shall be; a number that is absent takes the default.
type NewAccessTerms struct {
	NoticeHours      int    `json:"notice_hours,omitempty"`
	SecondPerson     bool   `json:"second_person,omitempty"`
	CustomerApproves bool   `json:"customer_approves,omitempty"`
	MaxDays          int    `json:"max_days,omitempty"`
	RecordingMonths  int    `json:"recording_months,omitempty"`
	Brief            string `json:"brief,omitempty"`
	BriefVersion     string `json:"brief_version,omitempty"`
}

func (x *accessAPI) registerTerms(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access/terms", Name: "access.terms", Summary: "Show what was agreed with a customer about access", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[AccessTerms], error) {
			return oneTerms(x.Terms(ctx, scope, in.ID))
		})
	registerPut(a, Op{Method: http.MethodPut, Path: "/customers/{id}/access/terms", Name: "access.set-terms", Summary: "Change what was agreed with a customer about access", Audience: policy.Staff, Permission: policy.AccessWrite},
		func(ctx context.Context, scope policy.Scope, id string, version int64, b NewAccessTerms) (*One[AccessTerms], error) {
			return oneTerms(x.SetTerms(ctx, scope, access.Terms{Customer: id, NoticeHours: b.NoticeHours, SecondPerson: b.SecondPerson, CustomerApproves: b.CustomerApproves,
				MaxDays: b.MaxDays, RecordingMonths: b.RecordingMonths, Brief: b.Brief, BriefVersion: b.BriefVersion, Version: version}))
		})
}

// AccessAuthorisation says who may instruct us for a customer.
type AccessAuthorisation struct {
	ID        string   `json:"id" doc:"An owner may without being registered: then it is the contact's"`
	Customer  string   `json:"customer"`
	Contact   string   `json:"contact,omitempty"`
	Name      string   `json:"name"`
	Capacity  string   `json:"capacity" enum:"contact,designee,owner"`
	Acts      []string `json:"acts" nullable:"false" doc:"restore, session, change, access, all"`
	From      string   `json:"from,omitempty" format:"date-time"`
	Until     string   `json:"until,omitempty" format:"date-time"`
	Document  string   `json:"document,omitempty" doc:"Where the designation is kept"`
	EndedAt   string   `json:"ended_at,omitempty" format:"date-time"`
	CreatedBy string   `json:"created_by,omitempty"`
}

func viewAuthorisation(z access.Authorisation) AccessAuthorisation {
	return AccessAuthorisation{z.ID, z.Customer, z.Contact, z.Name, z.Capacity, some(z.Acts), controlplane.Instant(z.From), controlplane.Instant(z.Until), z.Document,
		controlplane.Instant(z.EndedAt), z.CreatedBy}
}

// NewAccessAuthorisation registers somebody who may instruct us.
type NewAccessAuthorisation struct {
	Contact  string    `json:"contact,omitempty" doc:"Empty where they have no sign-in; then the name"`
	Name     string    `json:"name,omitempty"`
	Capacity string    `json:"capacity" enum:"contact,designee,owner"`
	Acts     []string  `json:"acts"`
	From     time.Time `json:"from,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Document string    `json:"document,omitempty"`
}

func (x *accessAPI) registerAuthorisations(a *API) {
	type listIn struct {
		IDIn
		PageIn
		At time.Time `query:"at" doc:"Who could at this instant (default: all there were)"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access/authorisations", Name: "access.authorisations", Summary: "List who may instruct us for a customer", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[AccessAuthorisation], error) {
			all, err := x.Authorisations(ctx, scope, in.ID, in.At)
			return onePage(all, err, func(z access.Authorisation) string { return z.ID }, viewAuthorisation, in.PageIn)
		})
	Register(a, Op{Method: http.MethodPost, Path: "/customers/{id}/access/authorisations", Name: "access.authorise", Summary: "Register who may instruct us for a customer", Audience: policy.SignedIn,
		Permission: policy.AccessConfirm, Staff: policy.AccessWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *withBody[NewAccessAuthorisation]) (*One[AccessAuthorisation], error) {
			b := in.Body
			z, err := x.AddAuthorisation(ctx, scope, access.Authorisation{Customer: in.ID, Contact: b.Contact, Name: b.Name, Capacity: b.Capacity, Acts: b.Acts, From: b.From, Until: b.Until, Document: b.Document})
			return &One[AccessAuthorisation]{Body: viewAuthorisation(z)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/authorisations/{id}/end", Name: "authorisation.end", Summary: "End somebody's right to instruct us", Audience: policy.SignedIn,
		Permission: policy.AccessConfirm, Staff: policy.AccessWrite, Status: http.StatusNoContent},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*Empty, error) {
			return &Empty{}, x.EndAuthorisation(ctx, scope, in.ID)
		})
}

// AccessInstruction is something a customer told us to do, as far as it is disputed.
type AccessInstruction struct {
	ID            string `json:"id"`
	Customer      string `json:"customer"`
	Authorisation string `json:"authorisation,omitempty" doc:"By which it was given"`
	What          string `json:"what"`
	Ticket        string `json:"ticket,omitempty"`
	Subject       string `json:"subject,omitempty" doc:"What it is about; work on it is refused until it is decided"`
	FlaggedBy     string `json:"flagged_by"`
	FlaggedAt     string `json:"flagged_at" format:"date-time"`
	Why           string `json:"why"`
	DecidedAt     string `json:"decided_at,omitempty" format:"date-time"`
	DecidedBy     string `json:"decided_by,omitempty"`
	Decision      string `json:"decision,omitempty" enum:"withdrawn,changed,lawful"`
	Reasons       string `json:"reasons,omitempty"`
}

func viewInstruction(i access.Instruction) AccessInstruction {
	return AccessInstruction{i.ID, i.Customer, i.Authorisation, i.What, i.Ticket, i.Subject, i.FlaggedBy, controlplane.Instant(i.FlaggedAt), i.Why,
		controlplane.Instant(i.DecidedAt), i.DecidedBy, i.Decision, i.Reasons}
}

func oneInstruction(i access.Instruction, err error) (*One[AccessInstruction], error) {
	return &One[AccessInstruction]{Body: viewInstruction(i)}, err
}

// NewAccessInstruction says which law an instruction would break, and how.
type NewAccessInstruction struct {
	Customer      string `json:"customer" doc:"Slug or id"`
	Authorisation string `json:"authorisation,omitempty"`
	What          string `json:"what"`
	Ticket        string `json:"ticket,omitempty"`
	Subject       string `json:"subject,omitempty"`
	Why           string `json:"why" doc:"The customer reads it"`
}

// AccessDecision ends the pause of an instruction.
type AccessDecision struct {
	Decision string `json:"decision" enum:"withdrawn,changed,lawful"`
	Reasons  string `json:"reasons"`
}

func (x *accessAPI) registerInstructions(a *API) {
	type listIn struct {
		IDIn
		PageIn
	}
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access/instructions", Name: "access.instructions", Summary: "List a customer's disputed instructions, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[AccessInstruction], error) {
			all, err := x.Instructions(ctx, scope, in.ID)
			return onePage(all, err, func(i access.Instruction) string { return i.ID }, viewInstruction, in.PageIn)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/instructions/{id}", Name: "instruction.show", Summary: "Show a disputed instruction", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[AccessInstruction], error) {
			return oneInstruction(x.GetInstruction(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/instructions", Name: "instruction.flag", Summary: "Pause the work on an instruction that would break the law, and tell the customer", Audience: policy.Staff,
		Permission: policy.AccessWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewAccessInstruction]) (*One[AccessInstruction], error) {
			b := in.Body
			return oneInstruction(x.FlagInstruction(ctx, scope, access.Instruction{Customer: b.Customer, Authorisation: b.Authorisation, What: b.What, Ticket: b.Ticket, Subject: b.Subject, Why: b.Why}))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/instructions/{id}/decide", Name: "instruction.decide", Summary: "Decide on a disputed instruction; a customer withdraws or changes it, and whether it is lawful we decide", Audience: policy.SignedIn,
		Permission: policy.AccessApprove},
		func(ctx context.Context, scope policy.Scope, in *withBody[AccessDecision]) (*One[AccessInstruction], error) {
			return oneInstruction(x.DecideInstruction(ctx, scope, in.ID, in.Body.Decision, in.Body.Reasons))
		})
}
