package web

import (
	"slices"

	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// listGroups are the parts of a list, in the order in which it is read.
var listGroups = []struct{ id, title, lead string }{
	{"unknown", "access.unknown", "access.unknown_lead"},
	{"staff", "access.staff", "access.staff_lead"},
	{"admins", "access.admins", "access.admins_lead"},
	{"places", "access.places", "access.places_lead"},
	{"services", "access.services", "access.services_lead"},
	{"accepted", "access.accepted", "access.accepted_lead"},
	{"others", "access.others", "access.others_lead"},
	{"yours", "access.yours", "access.yours_lead"},
}

// partOf is the part of a list that a line stands in.
func partOf(l access.Line) string {
	switch {
	case someoneElses(l):
		return "others"
	case unanswered(l):
		return "unknown"
	case l.Way == access.WayCustomer:
		return "yours"
	case l.Person.ID == "":
		return "accepted"
	case l.Way == access.WayAdmin || l.Way == access.WayBackupKey:
		return "admins"
	case l.Way == access.WayPhysical || l.Way == access.WayVisit:
		return "places"
	case l.Way == access.WayService:
		return "services"
	case l.Person.Kind == access.KindCustomer:
		return "yours"
	}
	return "staff"
}

// someoneElses reports whether a line is about another customer's person, of whom
// a neighbour reads no more than that.
func someoneElses(l access.Line) bool { return l.Others && l.Unknown != access.UnexplainedOnShare }

// unanswered reports whether nobody answers for a way in: no person is known to
// be behind it, the customer did not let it in, and nobody accepted it.
func unanswered(l access.Line) bool {
	return l.Person.ID == "" && l.Way != access.WayCustomer && l.Listed == nil && !someoneElses(l)
}

// listSections are the lines of a list in their groups, the customer's own apart.
func (v *visit) listSections(l access.List, now bool, answers map[foundAs][]string) []Section {
	in := map[string][]access.Line{}
	for _, x := range l.Lines {
		in[partOf(x)] = append(in[partOf(x)], x)
	}
	var out []Section
	for _, g := range listGroups {
		lines := in[g.id]
		if len(lines) == 0 && g.id != "staff" {
			continue
		}
		s := Section{ID: g.id, Title: v.t(g.title), Lead: v.t(g.lead), Grid: v.lineGrid(lines, l.At)}
		for i, x := range lines {
			if who := &s.Grid.Rows[i].Cells[0]; g.id == "accepted" {
				who.Notes = append(who.Notes, answers[foundAs{x.Server, x.Unknown}]...)
			}
		}
		if v.staff() {
			s.Lead = ""
			if g.id == "yours" {
				s.Title = v.t("access.theirs")
			}
		}
		if len(lines) == 0 {
			if s.Empty, s.Lead = v.t("access.nobody"), ""; !now {
				s.Empty = v.t("access.nobody_then")
			}
		}
		out = append(out, s)
	}
	return out
}

// unnamed is what is said where no person is known to be behind a line.
func (v *visit) unnamed(l access.Line) State {
	switch {
	case someoneElses(l):
		return State{ToneUnknown, v.unknownWord(l.Unknown)}
	case unanswered(l):
		return State{ToneBad, v.t("access.nobody_known")}
	case l.Way != access.WayCustomer:
		return State{ToneUnknown, v.t("access.accepted_found")}
	case v.staff():
		return State{ToneUnknown, v.t("access.theirs_unnamed")}
	}
	return State{ToneUnknown, v.t("access.yours_unnamed")}
}

var othersTexts = map[string]string{access.OthersPerson: "access.others_person", access.OthersPersonHere: "access.others_here", access.UnexplainedOnShare: "access.others_way"}

// unknownWord is what was found where nobody is known, or what is read in its place.
func (v *visit) unknownWord(s string) string {
	if key, ok := othersTexts[s]; ok {
		return v.t(key)
	}
	return PlainName([]byte(s))
}

// foundAs is how a way in that a scan found stands on a list.
type foundAs struct{ server, unknown string }

// answersFor says of what was accepted as it was found who answers for it, and
// by when it is reviewed; the customer's people read only the latter.
func (v *visit) answersFor(scope policy.Scope, l access.List, now bool) (map[foundAs][]string, error) {
	if !now || !slices.ContainsFunc(l.Lines, func(x access.Line) bool { return partOf(x) == "accepted" && x.Server != "" }) {
		return nil, nil
	}
	items, _, err := v.p.Access.ListFound(v.ctx, scope, access.FoundFilter{Customer: l.Customer, Limit: 200})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	if v.staff() {
		people, err := v.p.Access.People(v.ctx, scope)
		if err != nil {
			return nil, err
		}
		for _, x := range people {
			names[x.ID] = x.Name
		}
	}
	out := map[foundAs][]string{}
	for _, f := range items {
		if !f.Baseline || f.Person != "" {
			continue
		}
		as := foundAs{f.Server, f.Fingerprint}
		if as.unknown == "" {
			as.unknown = "account " + f.Account
		}
		var said []string
		if name := names[f.Owner]; name != "" {
			said = append(said, v.t("access.accepted_by", "name", name))
		}
		out[as] = append(said, v.t("grant.review_by", "when", v.dayOf(f.ReviewBy)))
	}
	return out, nil
}
