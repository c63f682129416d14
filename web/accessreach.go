package web

import (
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// reachShown is how many lines of lists a person's page shows.
const reachShown = 100

// reachSection is where a person stands on lists, whatever by, and on how many
// customers' lists that is.
func (v *visit) reachSection(scope policy.Scope, x access.Person) (Section, int, error) {
	s := Section{ID: "lists", Title: v.t("person_of.lists"), Lead: v.t("person_of.lists_lead"), Empty: v.t("person_of.no_lists"), Grid: Grid{Heads: []string{v.t("col.customer"), v.t("access.how"), v.t("col.until"), v.t("col.state")}}}
	all, err := v.p.Access.ReachOf(v.ctx, scope, x.ID)
	if err != nil {
		return s, 0, err
	}
	ids := map[string]bool{}
	for _, r := range all {
		ids[r.Customer] = true
	}
	shown := all[:min(len(all), reachShown)]
	some := map[string]bool{}
	for _, r := range shown {
		some[r.Customer] = true
	}
	names, err := v.customerNames(keysOf(some))
	if err != nil {
		return s, 0, err
	}
	for _, r := range shown {
		state := State{ToneGood, v.t("person_of.listed")}
		switch {
		case !r.Listed && r.Enforced:
			state = State{ToneWarn, v.t("access.not_listed")}
		case !r.Listed:
			state = State{ToneWarn, v.t("access.could")}
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{names[r.Customer], "/access?" + query("customer", r.Customer)}, Strong: true}, {Link: Link{Label: wayWord(v.p.tx, r.Way)}, Notes: []string{v.roleTitle(r.Role)}}, v.orDash(r.Until), {State: state}}})
	}
	if more := len(all) - len(shown); more > 0 {
		s.Notes = []string{v.t("person_of.lists_more", "n", more)}
	}
	return s, len(ids), nil
}

// personActs are what the reader can do about a person.
func (v *visit) personActs(x access.Person, self string) (acts []Act) {
	if x.Staff == v.actor.ID {
		acts = append(acts, Act{Label: v.t("recording.title"), Href: "/access/recording"})
	}
	if v.can(policy.AccessWrite) && x.LeftAt.IsZero() {
		acts = append(acts, Act{Label: v.t("person_of.edit"), Href: self + "/edit"}, Act{Label: v.t("person_of.leave"), Href: self + "/leave"})
	}
	return acts
}
