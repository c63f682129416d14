package main

import (
	"context"
	"net/url"
	"strings"

	"golang.org/x/text/unicode/norm"

	"ostler/controlplane"
)

// candidate is something that people call by a name.
type candidate struct {
	id, name, more string // more tells it from others of that name
	over           bool   // it counts only where nothing else has the name
}

// pick is the id of what was typed: an id or an exact name. Where several have
// the name, the error lists them.
func pick(typed, what, see string, all []candidate) (string, error) {
	typed = norm.NFC.String(strings.TrimSpace(typed))
	var found, over []candidate
	for _, x := range all {
		switch {
		case x.id == typed:
			return x.id, nil
		case x.name == typed && x.over:
			over = append(over, x)
		case x.name == typed:
			found = append(found, x)
		}
	}
	if len(found) == 0 {
		found = over
	}
	return only(typed, what, see, found)
}

// only is the one candidate that there is.
func only(typed, what, see string, found []candidate) (string, error) {
	switch len(found) {
	case 0:
		return "", controlplane.Errorf(controlplane.CodeNotFound, see, "There is no %s called %q", what, typed)
	case 1:
		return found[0].id, nil
	}
	lines := ""
	for _, x := range found {
		lines += "\n  " + strings.TrimSpace(x.id+"  "+x.name+"  "+x.more)
	}
	return "", usagef("%q is the name of %s; say which by id:%s", typed, plural(int64(len(found)), what, what+"s"), lines)
}

// findPerson is the id of somebody on lists, typed as id, as e-mail address of
// those who sign in here, or as exact name.
func (c *client) findPerson(ctx context.Context, typed string) (string, error) {
	const see = "See ostler access people."
	if controlplane.ValidID(controlplane.PrefixPerson, typed) {
		return typed, nil
	}
	q := url.Values{}
	if strings.Contains(typed, "@") {
		q.Set("email", typed)
	}
	people, _, err := pages[accessPersonView](ctx, c, "/access/people", q, paging{})
	if err != nil {
		return "", err
	}
	all := make([]candidate, len(people))
	for i, p := range people {
		all[i] = candidate{id: p.ID, name: p.Name, more: strings.TrimSpace(p.Kind + " " + p.Company), over: p.LeftAt != ""}
		if p.LeftAt != "" {
			all[i].more += ", left " + when(p.LeftAt)
		}
	}
	if q.Has("email") {
		return only(typed, "person", see, all)
	}
	return pick(typed, "person", see, all)
}

// findTeam is the id of a team, typed as id or exact name.
func (c *client) findTeam(ctx context.Context, typed string) (string, error) {
	if controlplane.ValidID(controlplane.PrefixTeam, typed) {
		return typed, nil
	}
	teams, _, err := pages[teamView](ctx, c, "/access/teams", nil, paging{})
	all := make([]candidate, len(teams))
	for i, t := range teams {
		all[i] = candidate{id: t.ID, name: t.Name, more: t.who()}
	}
	if err != nil {
		return "", err
	}
	return pick(typed, "team", "See ostler access teams.", all)
}

// findFacility is the id of a facility, typed as id or exact name.
func (c *client) findFacility(ctx context.Context, typed string) (string, error) {
	if controlplane.ValidID(controlplane.PrefixFacility, typed) {
		return typed, nil
	}
	places, _, err := pages[facilityView](ctx, c, "/access/facilities", nil, paging{})
	all := make([]candidate, len(places))
	for i, f := range places {
		all[i] = candidate{id: f.ID, name: f.Name, more: f.Location}
	}
	if err != nil {
		return "", err
	}
	return pick(typed, "facility", "See ostler access facilities.", all)
}

// findContact is the id of somebody of a customer's, typed as id, e-mail address
// or exact name.
func (c *client) findContact(ctx context.Context, customer, typed string) (string, error) {
	people, _, err := pages[contactView](ctx, c, "/customers/"+id(customer)+"/contacts", nil, paging{whole: true})
	if err != nil {
		return "", err
	}
	all := make([]candidate, len(people))
	for i, p := range people {
		if strings.EqualFold(p.Email, typed) {
			return p.ID, nil
		}
		all[i] = candidate{id: p.ID, name: p.Name, more: p.Email}
	}
	return pick(typed, "contact", "See ostler contact list "+customer+".", all)
}
