package server

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// AccessPerson is somebody who can stand on a list.
type AccessPerson struct {
	ID            string        `json:"id"`
	Kind          string        `json:"kind" enum:"staff,contractor,third_party,customer,service"`
	Staff         string        `json:"staff,omitempty" doc:"Where they sign in here"`
	Customer      string        `json:"customer,omitempty" doc:"Whose they are, where they are a customer's own"`
	Name          string        `json:"name"`
	Company       string        `json:"company,omitempty"`
	Owner         string        `json:"owner,omitempty" doc:"The human who answers for a service account"`
	TeleportUsers []string      `json:"teleport_users" nullable:"false"`
	Logins        []string      `json:"logins" nullable:"false" doc:"On hosts"`
	Papers        []AccessPaper `json:"papers" nullable:"false" doc:"The newest of each kind"`
	LeftAt        string        `json:"left_at,omitempty" format:"date-time"`
	CreatedAt     string        `json:"created_at" format:"date-time"`
}

// AccessPaper is an agreement, a training or an acknowledgement of one person.
type AccessPaper struct {
	ID         string `json:"id"`
	Kind       string `json:"kind" enum:"confidentiality,training,brief"`
	Customer   string `json:"customer,omitempty" doc:"Whose brief"`
	Version    string `json:"version,omitempty"`
	From       string `json:"from" format:"date-time"`
	Until      string `json:"until,omitempty" format:"date-time"`
	RecordedBy string `json:"recorded_by,omitempty"`
	Reference  string `json:"reference,omitempty" doc:"Where the paper itself is kept"`
}

func viewPaper(p access.Paper) AccessPaper {
	return AccessPaper{p.ID, string(p.Kind), p.Customer, p.Version, controlplane.Instant(p.From), controlplane.Instant(p.Until), p.RecordedBy, p.Reference}
}

func viewPerson(p access.Person) AccessPerson {
	v := AccessPerson{ID: p.ID, Kind: string(p.Kind), Staff: p.Staff, Customer: p.Customer, Name: p.Name, Company: p.Company, Owner: p.Owner, TeleportUsers: some(p.TeleportUsers),
		Logins: some(p.Logins), Papers: []AccessPaper{}, LeftAt: controlplane.Instant(p.LeftAt), CreatedAt: controlplane.Instant(p.CreatedAt)}
	for _, x := range p.Papers {
		v.Papers = append(v.Papers, viewPaper(x))
	}
	return v
}

func onePerson(p access.Person, err error) (*One[AccessPerson], error) {
	return &One[AccessPerson]{ETag: etag(p.Version), Body: viewPerson(p)}, err
}

// NewAccessPerson is what a person on lists is made of.
type NewAccessPerson struct {
	Kind          string   `json:"kind" enum:"staff,contractor,third_party,customer,service"`
	Staff         string   `json:"staff,omitempty" doc:"The name is theirs then"`
	Customer      string   `json:"customer,omitempty" doc:"Slug or id, of a customer's own"`
	Name          string   `json:"name,omitempty"`
	Company       string   `json:"company,omitempty"`
	Owner         string   `json:"owner,omitempty"`
	TeleportUsers []string `json:"teleport_users,omitempty"`
	Logins        []string `json:"logins,omitempty"`
}

// AccessPersonChange is what changes of a person; what is absent stays.
type AccessPersonChange struct {
	Name          *string   `json:"name,omitempty"`
	Company       *string   `json:"company,omitempty"`
	Owner         *string   `json:"owner,omitempty"`
	TeleportUsers *[]string `json:"teleport_users,omitempty"`
	Logins        *[]string `json:"logins,omitempty"`
}

// NewAccessPaper is what is recorded of a paper.
type NewAccessPaper struct {
	Kind      string    `json:"kind" enum:"confidentiality,training,brief"`
	Customer  string    `json:"customer,omitempty" doc:"Slug or id, of a brief"`
	Version   string    `json:"version,omitempty"`
	From      time.Time `json:"from,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	Reference string    `json:"reference,omitempty"`
}

// AccessLeft is what came of somebody's leaving.
type AccessLeft struct {
	Customers int `json:"customers" doc:"From how many customers' lists they were taken"`
}

// AccessMatrix is persons × customers, as many customers as fit a page.
type AccessMatrix struct {
	People        []AccessPerson  `json:"people" nullable:"false"`
	Customers     []AccessSummary `json:"customers" nullable:"false"`
	Cells         []AccessCell    `json:"cells" nullable:"false"`
	NextPageToken string          `json:"next_page_token"`
}

// AccessCell is what one person has on one customer.
type AccessCell struct {
	Person     string   `json:"person"`
	Customer   string   `json:"customer"`
	Roles      []string `json:"roles" nullable:"false"`
	Until      string   `json:"until,omitempty" format:"date-time" doc:"The earliest end"`
	Difference bool     `json:"difference"`
}

// peopleIn narrows people.
type peopleIn struct {
	PageIn
	Email string `query:"email" maxLength:"320" doc:"Only who of us signs in with this address"`
}

// peopleBy are the people who can stand on lists, those of an e-mail address
// where one is given.
func (x *accessAPI) peopleBy(ctx context.Context, scope policy.Scope, email string) ([]access.Person, error) {
	all, err := x.People(ctx, scope)
	if err != nil || email == "" {
		return all, err
	}
	staff, err := x.signedIn(ctx, scope, identity.PeopleFilter{Kind: controlplane.ActorStaff})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p access.Person) bool {
		return p.Staff == "" || !slices.ContainsFunc(staff, func(s identity.Person) bool { return s.ID == p.Staff && strings.EqualFold(s.Email, email) })
	}), nil
}

func (x *accessAPI) registerPeople(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/access/people", Name: "person.list", Summary: "List the people who can stand on lists, by name", Audience: policy.Staff, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *peopleIn) (*ListOut[AccessPerson], error) {
			all, err := x.peopleBy(ctx, scope, in.Email)
			return onePage(all, err, func(p access.Person) string { return p.ID }, viewPerson, in.PageIn)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/people/{id}", Name: "person.show", Summary: "Show a person with their papers", Audience: policy.Staff, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[AccessPerson], error) {
			return onePerson(x.GetPerson(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/people", Name: "person.add", Summary: "Add somebody who can stand on lists", Audience: policy.Staff, Permission: policy.AccessWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewAccessPerson]) (*One[AccessPerson], error) {
			b := in.Body
			_, customer, err := x.refs(ctx, scope, "", b.Customer)
			if err != nil {
				return nil, err
			}
			return onePerson(x.AddPerson(ctx, scope, access.NewPerson{Kind: access.PersonKind(b.Kind), Staff: b.Staff, Customer: customer, Name: b.Name, Company: b.Company,
				Owner: b.Owner, TeleportUsers: b.TeleportUsers, Logins: b.Logins}))
		})
	registerPut(a, Op{Method: http.MethodPatch, Path: "/access/people/{id}", Name: "person.change", Summary: "Change a person", Audience: policy.Staff, Permission: policy.AccessWrite},
		func(ctx context.Context, scope policy.Scope, id string, version int64, b AccessPersonChange) (*One[AccessPerson], error) {
			return onePerson(x.ChangePerson(ctx, scope, id, access.PersonChange{Name: b.Name, Company: b.Company, Owner: b.Owner, TeleportUsers: b.TeleportUsers, Logins: b.Logins, Version: version}))
		})
	x.registerPapers(a)
}

func (x *accessAPI) registerPapers(a *API) {
	Register(a, Op{Method: http.MethodPost, Path: "/access/people/{id}/papers", Name: "person.paper", Summary: "Record an agreement, a training or an acknowledgement; it replaces the one before", Audience: policy.Staff,
		Permission: policy.AccessWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *withBody[NewAccessPaper]) (*One[AccessPaper], error) {
			b := in.Body
			_, customer, err := x.refs(ctx, scope, "", b.Customer)
			if err != nil {
				return nil, err
			}
			p, err := x.AddPaper(ctx, scope, access.Paper{Person: in.ID, Kind: access.PaperKind(b.Kind), Customer: customer, Version: b.Version, From: b.From, Until: b.Until, Reference: b.Reference})
			return &One[AccessPaper]{Body: viewPaper(p)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/people/{id}/leave", Name: "person.leave", Summary: "End everything that a person has, on every customer at once, for good", Audience: policy.Staff, Permission: policy.AccessWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[AccessWhy]) (*One[AccessLeft], error) {
			n, err := x.Leave(ctx, scope, in.ID, in.Body.Why)
			return &One[AccessLeft]{Body: AccessLeft{n}}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/matrix", Name: "access.matrix", Summary: "People against customers", Audience: policy.Staff, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *PageIn) (*One[AccessMatrix], error) {
			people, customers, cells, next, err := x.Matrix(ctx, scope, in.PageSize, in.PageToken)
			out := AccessMatrix{People: listOf(people, "", viewPerson).Body.Items, Customers: listOf(customers, "", viewSummary).Body.Items, NextPageToken: next,
				Cells: listOf(cells, "", func(c access.Cell) AccessCell {
					return AccessCell{c.Person, c.Customer, some(c.Roles), controlplane.Instant(c.Until), c.Difference}
				}).Body.Items}
			return &One[AccessMatrix]{Body: out}, err
		})
}

// AccessTeam is a name for several persons.
type AccessTeam struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Members   []AccessMember `json:"members" nullable:"false"`
	CreatedAt string         `json:"created_at" format:"date-time"`
}

// AccessMember is a person in a team, for a time.
type AccessMember struct {
	Person string `json:"person"`
	Name   string `json:"name"`
	From   string `json:"from,omitempty" format:"date-time"`
	Until  string `json:"until,omitempty" format:"date-time"`
}

func viewTeam(t access.Team) AccessTeam {
	return AccessTeam{t.ID, t.Name, listOf(t.Members, "", func(m access.Member) AccessMember {
		return AccessMember{m.Person, m.Name, controlplane.Instant(m.From), controlplane.Instant(m.Until)}
	}).Body.Items, controlplane.Instant(t.CreatedAt)}
}

// NewAccessTeam is a team as it shall be: who is not named is taken out.
type NewAccessTeam struct {
	Name    string `json:"name"`
	Members []struct {
		Person string    `json:"person"`
		From   time.Time `json:"from,omitzero"`
		Until  time.Time `json:"until,omitzero"`
	} `json:"members,omitempty"`
}

func (n NewAccessTeam) input(id string, version int64) access.Team {
	t := access.Team{ID: id, Name: n.Name, Version: version}
	for _, m := range n.Members {
		t.Members = append(t.Members, access.Member{Person: m.Person, From: m.From, Until: m.Until})
	}
	return t
}

func teamID(t access.Team) string { return t.ID }

func oneTeam(t access.Team, err error) (*One[AccessTeam], error) {
	return &One[AccessTeam]{ETag: etag(t.Version), Body: viewTeam(t)}, err
}

func (x *accessAPI) registerTeams(a *API) {
	registerWhole(a, Op{Method: http.MethodGet, Path: "/access/teams", Name: "team.list", Summary: "List teams with their members", Audience: policy.Staff, Permission: policy.AccessRead},
		x.Teams, teamID, viewTeam)
	registerAmong(a, Op{Method: http.MethodGet, Path: "/access/teams/{id}", Name: "team.show", Summary: "Show a team with its members", Audience: policy.Staff, Permission: policy.AccessRead}, "team",
		x.Teams, teamID, oneTeam)
	Register(a, Op{Method: http.MethodPost, Path: "/access/teams", Name: "team.add", Summary: "Make a team", Audience: policy.Staff, Permission: policy.AccessWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewAccessTeam]) (*One[AccessTeam], error) {
			return oneTeam(x.PutTeam(ctx, scope, in.Body.input("", 0)))
		})
	registerPut(a, Op{Method: http.MethodPut, Path: "/access/teams/{id}", Name: "team.put", Summary: "Change a team: whoever is taken out loses what it gave them", Audience: policy.Staff, Permission: policy.AccessWrite},
		func(ctx context.Context, scope policy.Scope, id string, version int64, b NewAccessTeam) (*One[AccessTeam], error) {
			return oneTeam(x.PutTeam(ctx, scope, b.input(id, version)))
		})
}
