package server

import (
	"context"
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

type contactView struct {
	ID        string `json:"id"`
	Customer  string `json:"customer"`
	Name      string `json:"name"`
	Email     string `json:"email"`
	Role      string `json:"role" enum:"owner,restorer,reader"`
	Language  string `json:"language"`
	CreatedAt string `json:"created_at" format:"date-time"`
	UpdatedAt string `json:"updated_at" format:"date-time"`
}

func viewContact(c customers.Contact) contactView {
	return contactView{ID: c.ID, Customer: c.Customer, Name: c.Name, Email: c.Email, Role: string(c.Role), Language: c.Language,
		CreatedAt: controlplane.Instant(c.CreatedAt), UpdatedAt: controlplane.Instant(c.UpdatedAt)}
}

func oneContact(c customers.Contact, err error) (*One[contactView], error) {
	return &One[contactView]{ETag: etag(c.Version), Body: viewContact(c)}, err
}

type newContactIn struct {
	IDIn
	Body struct {
		Name     string `json:"name"`
		Email    string `json:"email"`
		Role     string `json:"role" enum:"owner,restorer,reader"`
		Language string `json:"language,omitempty"`
	}
}

type changeContactIn struct {
	IDIn
	IfMatch string `header:"If-Match"`
	Body    struct {
		Name     *string `json:"name,omitempty"`
		Email    *string `json:"email,omitempty"`
		Language *string `json:"language,omitempty"`
		Role     *string `json:"role,omitempty" enum:"owner,restorer,reader"`
	}
}

func (s *Server) registerContacts() {
	Register(s.api, Op{Method: "GET", Path: "/customers/{id}/contacts", Name: "contact.list", Summary: "List a customer's contacts", Audience: policy.SignedIn, Permission: policy.PeopleRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[contactView], error) {
			c, err := s.Customers.GetCustomer(ctx, scope, in.ID)
			if err != nil {
				return nil, err
			}
			items, err := s.Customers.ListContacts(ctx, scope, c.ID)
			return listOf(items, "", viewContact), err
		})
	Register(s.api, Op{Method: "POST", Path: "/customers/{id}/contacts", Name: "contact.add", Summary: "Add a contact", Audience: policy.SignedIn, Permission: policy.PeopleWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *newContactIn) (*One[contactView], error) {
			b := in.Body
			return oneContact(s.Customers.AddContact(ctx, scope, customers.NewContact{Customer: in.ID, Name: b.Name, Email: b.Email, Role: policy.Role(b.Role), Language: b.Language}))
		})
	Register(s.api, Op{Method: "GET", Path: "/contacts/{id}", Name: "contact.show", Summary: "Show a contact", Audience: policy.SignedIn, Permission: policy.PeopleRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[contactView], error) {
			return oneContact(s.Customers.GetContact(ctx, scope, in.ID))
		})
	Register(s.api, Op{Method: "PATCH", Path: "/contacts/{id}", Name: "contact.change", Summary: "Change a contact", Audience: policy.SignedIn, Permission: policy.PeopleWrite},
		func(ctx context.Context, scope policy.Scope, in *changeContactIn) (*One[contactView], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			b := in.Body
			change := customers.ContactChange{Name: b.Name, Email: b.Email, Language: b.Language, Version: version}
			if b.Role != nil {
				role := policy.Role(*b.Role)
				change.Role = &role
			}
			return oneContact(s.Customers.UpdateContact(ctx, scope, in.ID, change))
		})
	Register(s.api, Op{Method: "DELETE", Path: "/contacts/{id}", Name: "contact.remove", Summary: "Remove a contact, and end their access", Audience: policy.SignedIn, Permission: policy.PeopleWrite, Status: http.StatusNoContent},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*Empty, error) {
			if err := s.Customers.RemoveContact(ctx, scope, in.ID); err != nil {
				return nil, err
			}
			return &Empty{}, s.Identity.EndAccess(ctx, scope, in.ID)
		})
}
