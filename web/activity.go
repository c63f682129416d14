package web

import (
	"net/url"

	"ostler/controlplane/ledger"
)

// activityGroups are the choices above the list, by the word in the address.
var activityGroups = []struct {
	word, key string
	kinds     []string
}{
	{"", "activity.all", nil},
	{"backups", "activity.backups", []string{"backup.complete", "backup.partial", "backup.failed", "backup.missed", "backup.interrupted", "backup.cancelled", "backup.skipped"}},
	{"restores", "activity.restores", []string{"restore.requested", "restore.ready", "restore.failed", "restore.fetched", "restore.deleted"}},
	{"people", "activity.people", []string{"session.started", "session.revoked", "signin.failed", "person.invited", "person.set_up", "password.changed", "contact.added", "contact.changed", "contact.removed", "recovery.used", "token.made", "token.revoked"}},
}

func (p *Portal) activity(v *visit) error {
	show := v.c.QueryParam("show")
	page := &Activity{Page: v.page("activity", v.t("activity.title"), v.t("activity.say"))}
	f := ledger.Filter{Limit: 60, PageToken: v.c.QueryParam("page")}
	for _, g := range activityGroups {
		page.Filters = append(page.Filters, Filter{Label: v.t(g.key), Href: "/activity?" + url.Values{"show": {g.word}}.Encode(), Current: g.word == show, Count: -1})
		if g.word == show {
			f.Kinds = g.kinds
		}
	}
	events, next, err := v.events(f)
	if err != nil {
		return err
	}
	page.Events = events
	if f.PageToken != "" {
		page.Pager.First = "/activity?" + url.Values{"show": {show}}.Encode()
	}
	if next != "" {
		page.Pager.Next = "/activity?" + url.Values{"show": {show}, "page": {next}}.Encode()
	}
	if len(events) == 0 {
		page.Say = v.t("activity.none")
	}
	return v.render(page)
}
