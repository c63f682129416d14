package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// AccessEntry puts somebody on lists by another ground than a grant.
type AccessEntry struct {
	ID         string `json:"id"`
	Way        string `json:"way" enum:"admin,backup_key,physical,visit,service,login,customer"`
	Person     string `json:"person"`
	PersonName string `json:"person_name"`
	Customer   string `json:"customer,omitempty" doc:"Without customer, server and facility: all customers"`
	Server     string `json:"server,omitempty"`
	Facility   string `json:"facility,omitempty"`
	Rack       string `json:"rack,omitempty"`
	Role       string `json:"role,omitempty"`
	Reason     string `json:"reason"`
	Ticket     string `json:"ticket,omitempty"`
	Escort     string `json:"escort,omitempty" doc:"Of a visit: who goes with them"`
	EscortName string `json:"escort_name,omitempty"`
	From       string `json:"from" format:"date-time"`
	Until      string `json:"until,omitempty" format:"date-time" doc:"Absent only with review_by"`
	ReviewBy   string `json:"review_by,omitempty" format:"date-time"`
	EndedAt    string `json:"ended_at,omitempty" format:"date-time"`
	EndedBy    string `json:"ended_by,omitempty"`
	EndedWhy   string `json:"ended_why,omitempty"`
	CreatedBy  string `json:"created_by"`
}

func viewAccessEntry(e access.Entry) AccessEntry {
	return AccessEntry{ID: e.ID, Way: string(e.Way), Person: e.Person, PersonName: e.PersonName, Customer: e.Customer, Server: e.Server, Facility: e.Facility, Rack: e.Rack, Role: e.Role,
		Reason: e.Reason, Ticket: e.Ticket, Escort: e.Escort, EscortName: e.EscortName, From: controlplane.Instant(e.From), Until: controlplane.Instant(e.Until),
		ReviewBy: controlplane.Instant(e.ReviewBy), EndedAt: controlplane.Instant(e.EndedAt), EndedBy: e.EndedBy, EndedWhy: e.EndedWhy, CreatedBy: e.CreatedBy}
}

func oneEntry(e access.Entry, err error) (*One[AccessEntry], error) {
	return &One[AccessEntry]{ETag: etag(e.Version), Body: viewAccessEntry(e)}, err
}

// NewAccessEntry is what an entry is made of: one customer, one server, or a
// facility and rack; none of them is all customers.
type NewAccessEntry struct {
	Way      string    `json:"way" enum:"admin,backup_key,physical,visit,service,login,customer"`
	Person   string    `json:"person"`
	Customer string    `json:"customer,omitempty" doc:"Slug or id"`
	Server   string    `json:"server,omitempty" doc:"Name or id"`
	Facility string    `json:"facility,omitempty"`
	Rack     string    `json:"rack,omitempty"`
	Role     string    `json:"role,omitempty"`
	Reason   string    `json:"reason"`
	Ticket   string    `json:"ticket,omitempty"`
	Escort   string    `json:"escort,omitempty"`
	From     time.Time `json:"from,omitzero" doc:"Empty is now"`
	Until    time.Time `json:"until,omitzero"`
	ReviewBy time.Time `json:"review_by,omitzero"`
}

// AccessKept keeps an entry until it is looked at again.
type AccessKept struct {
	Next time.Time `json:"review_by"`
	Note string    `json:"note"`
}

// EntriesIn narrows entries.
type EntriesIn struct {
	PageIn
	Person   string   `query:"person"`
	Facility string   `query:"facility"`
	Way      []string `query:"way,explode" enum:"admin,backup_key,physical,visit,service,login,customer" doc:"Again for more"`
	Ended    bool     `query:"ended" doc:"Those too that have ended"`
}

func (x *accessAPI) listEntries(ctx context.Context, scope policy.Scope, customer string, in EntriesIn) (*ListOut[AccessEntry], error) {
	f := access.EntryFilter{Customer: customer, Person: in.Person, Facility: in.Facility, Ended: in.Ended, Limit: in.PageSize, PageToken: in.PageToken}
	for _, w := range in.Way {
		f.Ways = append(f.Ways, access.Way(w))
	}
	items, next, err := x.Entries(ctx, scope, f)
	return listOf(items, next, viewAccessEntry), err
}

func (x *accessAPI) registerEntries(a *API) {
	type ofCustomer struct {
		IDIn
		EntriesIn
	}
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access/entries", Name: "access.entries", Summary: "List the entries that reach a customer, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *ofCustomer) (*ListOut[AccessEntry], error) {
			return x.listEntries(ctx, scope, in.ID, in.EntriesIn)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/entries", Name: "entry.list", Summary: "List entries, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *EntriesIn) (*ListOut[AccessEntry], error) {
			return x.listEntries(ctx, scope, "", *in)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/entries/{id}", Name: "entry.show", Summary: "Show an entry", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[AccessEntry], error) {
			return oneEntry(x.GetEntry(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/entries", Name: "entry.add", Summary: "Put somebody on lists by another ground than a grant", Audience: policy.Staff, Permission: policy.AccessWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewAccessEntry]) (*One[AccessEntry], error) {
			b := in.Body
			server, customer, err := x.refs(ctx, scope, b.Server, b.Customer)
			if err != nil {
				return nil, err
			}
			out, err := oneEntry(x.AddEntry(ctx, scope, access.Entry{Way: access.Way(b.Way), Person: b.Person, Customer: customer, Server: server, Facility: b.Facility, Rack: b.Rack,
				Role: b.Role, Reason: b.Reason, Ticket: b.Ticket, Escort: b.Escort, From: b.From, Until: b.Until, ReviewBy: b.ReviewBy}))
			if err == nil {
				out.Location = Base + "/access/entries/" + out.Body.ID
			}
			return out, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/entries/{id}/end", Name: "entry.end", Summary: "Take somebody off now", Audience: policy.Staff, Permission: policy.AccessWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[AccessWhy]) (*One[AccessEntry], error) {
			return oneEntry(x.EndEntry(ctx, scope, in.ID, in.Body.Why))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/entries/{id}/review", Name: "entry.review", Summary: "Keep an entry until the next review", Audience: policy.Staff, Permission: policy.AccessApprove},
		func(ctx context.Context, scope policy.Scope, in *withBody[AccessKept]) (*One[AccessEntry], error) {
			return oneEntry(x.ReviewEntry(ctx, scope, in.ID, in.Body.Next, in.Body.Note))
		})
}

// AccessFacility is a place where servers stand.
type AccessFacility struct {
	ID           string                `json:"id"`
	Name         string                `json:"name"`
	Country      string                `json:"country"`
	Location     string                `json:"location" doc:"How the locations of servers begin that stand here"`
	Certificates []AccessFacilityPaper `json:"certificates" nullable:"false"`
	Controls     string                `json:"controls,omitempty" doc:"What keeps people out, in a sentence"`
}

// AccessFacilityPaper is a certificate of a facility.
type AccessFacilityPaper struct {
	Name      string    `json:"name"`
	Number    string    `json:"number,omitempty"`
	Until     time.Time `json:"until,omitzero"`
	Reference string    `json:"reference,omitempty" doc:"Where it is kept"`
}

// NewAccessFacility is a facility as it shall be.
type NewAccessFacility struct {
	Name         string                `json:"name"`
	Country      string                `json:"country"`
	Location     string                `json:"location"`
	Certificates []AccessFacilityPaper `json:"certificates,omitempty"`
	Controls     string                `json:"controls,omitempty"`
}

func (n NewAccessFacility) input(id string, version int64) access.Facility {
	f := access.Facility{ID: id, Name: n.Name, Country: n.Country, Location: n.Location, Controls: n.Controls, Version: version}
	for _, c := range n.Certificates {
		f.Certificates = append(f.Certificates, access.FacilityPaper(c))
	}
	return f
}

func viewFacility(f access.Facility) AccessFacility {
	return AccessFacility{f.ID, f.Name, f.Country, f.Location, listOf(f.Certificates, "", func(p access.FacilityPaper) AccessFacilityPaper { return AccessFacilityPaper(p) }).Body.Items, f.Controls}
}

func facilityID(f access.Facility) string { return f.ID }

func oneFacility(f access.Facility, err error) (*One[AccessFacility], error) {
	return &One[AccessFacility]{ETag: etag(f.Version), Body: viewFacility(f)}, err
}

func (x *accessAPI) registerFacilities(a *API) {
	registerWhole(a, Op{Method: http.MethodGet, Path: "/access/facilities", Name: "facility.list", Summary: "List facilities; a customer sees those where their servers stand", Audience: policy.SignedIn, Permission: policy.AccessRead},
		x.Facilities, facilityID, viewFacility)
	registerAmong(a, Op{Method: http.MethodGet, Path: "/access/facilities/{id}", Name: "facility.show", Summary: "Show a facility with its certificates", Audience: policy.SignedIn, Permission: policy.AccessRead}, "facility",
		x.Facilities, facilityID, oneFacility)
	Register(a, Op{Method: http.MethodPost, Path: "/access/facilities", Name: "facility.add", Summary: "Make a facility known", Audience: policy.Staff, Permission: policy.AccessWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewAccessFacility]) (*One[AccessFacility], error) {
			return oneFacility(x.PutFacility(ctx, scope, in.Body.input("", 0)))
		})
	registerPut(a, Op{Method: http.MethodPut, Path: "/access/facilities/{id}", Name: "facility.put", Summary: "Change a facility", Audience: policy.Staff, Permission: policy.AccessWrite},
		func(ctx context.Context, scope policy.Scope, id string, version int64, b NewAccessFacility) (*One[AccessFacility], error) {
			return oneFacility(x.PutFacility(ctx, scope, b.input(id, version)))
		})
}
