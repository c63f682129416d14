package web

import (
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// accessChange is one change by itself: from when it is so, when it was known,
// enforced, told and read, and its entries in the record.
func (p *Portal) accessChange(v *visit) error {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return err
	}
	x, err := p.Access.GetChange(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	c, err := p.Customers.GetCustomer(v.ctx, scope, x.Customer)
	if err != nil {
		return err
	}
	page := &Access{Page: v.page("access", v.t("change.title"), v.changeSentence(x.Change)+"."), Parts: v.accessParts(c.ID, "")}
	page.Crumbs = append(v.accessCrumbs(c.ID, c.Name), Link{v.t("changes.title"), v.ofCustomer("/access/changes", c.ID)})
	page.Sub = v.t("change.sub", "from", v.moment(x.At), "known", v.moment(x.KnownAt))
	page.Facts = v.changeFacts(x)
	page.Pairs = v.changePairs(x.Change)
	if page.Events, _, err = v.events(ledger.Filter{Customer: c.ID, Subject: x.Span, Limit: 20}); err != nil {
		return err
	}
	page.Acts = v.changeActs(x, page.Events)
	return v.render(page)
}

// changeFacts is a change's course.
func (v *visit) changeFacts(x access.ToldChange) []Fact {
	fact := func(key string, c Cell) Fact { return Fact{Label: v.t(key), State: c.State, At: c.At} }
	facts := []Fact{v.factAt("changes.from", x.At), v.factAt("change.known", x.KnownAt), fact("access.enforced", v.course(x.EnforcedAt, x.Way)), fact("changes.told", v.toldAt(x.Change))}
	if x.Column != access.Listed {
		return facts
	}
	return append(facts, fact("notices.read", v.whenOr(x.ReadAt, "change.not_read")), fact("changes.acknowledged", v.whenOr(x.AcknowledgedAt, "changes.not_acknowledged")))
}

var columnTexts = map[access.Column]string{access.Listed: "changes.listed", access.Enforced: "changes.enforced", access.Could: "changes.could"}

func (v *visit) changePairs(x access.Change) []Pair {
	who, what, where := x.Name, PlainName([]byte(x.Unknown)), v.t("access.all_servers")
	switch {
	case x.Others:
		who, what = v.unknownWord(x.Unknown), ""
	case who == "":
		who = v.t("access.nobody_known")
	}
	switch {
	case x.Server != "":
		where = v.serverName(x.Server)
	case x.Way.ByHand():
		where = ""
	}
	pairs := []Pair{{Label: v.t("col.person"), Value: who}, {Label: v.t("letin.found"), Value: what, Mono: true}, {Label: v.t("access.how"), Value: join(wayWord(v.p.tx, x.Way), v.roleTitle(x.Role))},
		{Label: v.t("change.where"), Value: where}, {Label: v.t("col.why"), Value: v.changeWhy(x.Why)}, {Label: v.t("change.column"), Value: v.t(columnTexts[x.Column])}}
	if x.Added {
		pairs = append(pairs, Pair{Label: v.t("col.until"), Value: v.endWord(x.Until)})
	}
	pairs = append(pairs, Pair{Label: "Id", Value: x.ID, Mono: true})
	out := pairs[:0]
	for _, p := range pairs {
		if p.Value != "" {
			out = append(out, p)
		}
	}
	return out
}

// endWord is an end in words, or that there is none.
func (v *visit) endWord(t time.Time) string {
	if t.IsZero() {
		return v.t("access.no_end")
	}
	return v.moment(t)
}

// changeActs lead to what the change stands on, to the notice that tells of it,
// and to its entry in the record.
func (v *visit) changeActs(x access.ToldChange, events []Event) (out []Act) {
	if x.Notice != "" {
		out = append(out, Act{Label: v.t("event.to_notice"), Href: "/access/notices/" + x.Notice})
	}
	if controlplane.ValidID(controlplane.PrefixGrant, x.Ground) {
		out = append(out, Act{Label: v.t("event.to_grant"), Href: "/access/grants/" + x.Ground})
	}
	if x.Person != "" && v.staff() {
		out = append(out, Act{Label: v.t("event.to_person"), Href: "/access/persons/" + x.Person})
	}
	for _, e := range events {
		if e.At.Equal(x.KnownAt) && strings.HasPrefix(e.Href, "/activity/") {
			return append(out, Act{Label: v.t("change.entry"), Href: e.Href})
		}
	}
	return out
}

// withoutSelf takes links to a page off the page's own events.
func withoutSelf(events []Event, self string) []Event {
	for i := range events {
		if events[i].Link.Href == self {
			events[i].Link = Link{}
		}
	}
	return events
}
