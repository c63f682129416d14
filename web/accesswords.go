package web

import (
	"net/url"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
)

var wayTexts = map[access.Way]string{
	access.WayTeleport: "way.teleport", access.WayLogin: "way.login", access.WayAdmin: "way.admin", access.WayBackupKey: "way.backup_key", access.WayRestore: "way.restore",
	access.WayPhysical: "way.physical", access.WayVisit: "way.visit", access.WayService: "way.service", access.WayCustomer: "way.customer",
}

// wayWord is a way in words; its name where there are none.
func wayWord(tx *Text, w access.Way) string {
	if key, ok := wayTexts[w]; ok {
		return tx.T(key)
	}
	return string(w)
}

var kindTexts = map[access.PersonKind]string{
	access.KindStaff: "who.staff", access.KindContractor: "who.contractor", access.KindThirdParty: "who.third_party", access.KindCustomer: "who.customer", access.KindService: "who.service",
}

// kindWord is what somebody is to us, in words.
func kindWord(tx *Text, k access.PersonKind) string {
	if key, ok := kindTexts[k]; ok {
		return tx.T(key)
	}
	return string(k)
}

var standingTexts = map[access.Standing]struct {
	tone Tone
	key  string
}{
	access.StandsUnconfirmed: {ToneUnknown, "access.unattested"}, access.StandsByHand: {ToneUnknown, "access.by_hand"}, access.StandsUnattested: {ToneUnknown, "access.unattested"},
	access.StandsOpen: {ToneWarn, "access.could"}, access.StandsKept: {ToneUnknown, "access.kept"}, access.StandsNotEnforced: {ToneWarn, "access.not_enforced"},
}

// standingState is what is known of whether a line is in force, where that is
// not a time.
func standingState(tx *Text, s access.Standing) State {
	if x, ok := standingTexts[s]; ok {
		return State{x.tone, tx.T(x.key)}
	}
	return State{}
}

var grantStates = map[access.GrantState]struct {
	tone Tone
	key  string
}{
	access.GrantProposed: {ToneBusy, "grantstate.proposed"}, access.GrantActive: {ToneGood, "grantstate.active"}, access.GrantRefused: {ToneUnknown, "grantstate.refused"},
	access.GrantRevoked: {ToneUnknown, "grantstate.revoked"}, access.GrantExpired: {ToneUnknown, "grantstate.expired"},
}

// grantState is how a grant stands; one that begins later says so.
func (v *visit) grantState(g access.Grant) State {
	s := grantStates[g.State]
	switch {
	case s.key == "":
		return State{ToneUnknown, string(g.State)}
	case g.State == access.GrantActive && g.From.After(v.now):
		return State{ToneBusy, v.t("grantstate.later")}
	case g.State == access.GrantActive && g.Kind == access.GrantBreakGlass:
		return State{ToneWarn, v.t("grantstate.break_glass")}
	}
	return State{s.tone, v.t(s.key)}
}

// ticket leads to a ticket where the installation says how.
func (v *visit) ticket(ref string) Cell {
	c := Cell{Link: Link{Label: ref}}
	if link := v.p.Access.TicketLink(); ref != "" && link != "" {
		c.Link.Href, c.Away = strings.ReplaceAll(link, "{ticket}", pathEscape(ref)), true
	}
	return c
}

// roleTitle is what a grant's role gives, as the configuration says it.
func (v *visit) roleTitle(name string) string {
	switch name {
	case access.RoleOstler:
		return v.t("access.role_ostler")
	case access.RoleAssist:
		return v.t("access.role_restore")
	}
	for _, r := range v.p.Access.Roles() {
		if r.Name == name && r.Title != "" {
			return r.Title
		}
	}
	return name
}

// upTo is an end in words: "until 31 Dec 18:00", or that there is none.
func (v *visit) upTo(t time.Time) string {
	if t.IsZero() {
		return v.t("access.no_end")
	}
	return v.t("access.until", "when", v.moment(t))
}

// instantOf reads a day and a time of day in the reader's zone; without a time
// it is the day's last second, and never later than now. pointer names the field
// in the error.
func (v *visit) instantOf(pointer, day, clock string) (time.Time, error) {
	d, ok := v.day(day)
	if !ok {
		return d, controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: v.t("activity.no_day")})
	}
	t := d.AddDate(0, 0, 1).Add(-time.Second)
	if clock != "" {
		var err error
		if t, err = access.ParseInstant(pointer, day+" "+clock, v.zone); err != nil {
			return t, err
		}
	}
	if t.After(v.now) {
		t = v.now
	}
	return t, nil
}

// accessParts are the pages beside one about access: a customer's, or for staff
// the company's.
func (v *visit) accessParts(customer, current string) []Filter {
	list := []Link{{v.t("access.list"), "/access"}, {v.t("changes.title"), "/access/changes"}, {v.t("notices.title"), "/access/notices"}, {v.t("instructing.title"), "/access/instructing"}, {v.t("about.title"), "/access/about"}}
	if v.staff() && customer == "" {
		list = []Link{{v.t("accessops.title"), "/access"}, {v.t("matrix.title"), "/access/matrix"}, {v.t("persons.title"), "/access/persons"}, {v.t("teams.title"), "/access/teams"}, {v.t("grants.title"), "/access/grants"},
			{v.t("entries.title"), "/access/entries"}, {v.t("found.title"), "/access/found"}, {v.t("cluster.title"), "/access/teleport"}, {v.t("recert.title"), "/access/campaigns"}, {v.t("facilities.title"), "/access/facilities"}}
	}
	if v.staff() && customer != "" {
		list[0].Label = v.t("access.their_list")
	}
	var out []Filter
	for _, l := range list {
		out = append(out, Filter{Label: l.Label, Href: v.ofCustomer(l.Href, customer), Current: l.Href == current, Count: -1})
	}
	return out
}

// accessCrumbs are the way back from a page about one customer, for staff.
func (v *visit) accessCrumbs(customer, name string) []Link {
	out := []Link{{v.t("access.title"), "/access"}}
	if v.staff() && customer != "" {
		out = append(out, Link{name, v.ofCustomer("/access", customer)})
	}
	return out
}

// accessPage begins a page of staff's about all customers.
func (v *visit) accessPage(current, title, say string) *Access {
	page := &Access{Page: v.page("access", title, say), Parts: v.accessParts("", current)}
	return page
}

// orDash is a time, or a dash.
func (v *visit) orDash(t time.Time) Cell {
	if t.IsZero() {
		return Cell{Notes: []string{"–"}}
	}
	return Cell{At: t}
}

// factAt is a time in a strip of facts, or a dash.
func (v *visit) factAt(key string, t time.Time) Fact {
	f := Fact{Label: v.t(key), At: t}
	if t.IsZero() {
		f.State.Word = "–"
	}
	return f
}

// pathEscape writes a word so that it is one part of an address.
func pathEscape(s string) string { return url.PathEscape(s) }

// join puts words after each other with a comma, those that are there.
func join(words ...string) string {
	out := ""
	for _, w := range words {
		if w != "" && out != "" {
			out += ", "
		}
		out += w
	}
	return out
}
