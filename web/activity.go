package web

import (
	"net/url"
	"slices"
	"strings"

	"ostler/controlplane/ledger"
)

// activityGroups are the choices above the list, by the word in the address.
var activityGroups = []struct {
	word, key string
	kinds     []string
}{
	{"", "activity.all", nil},
	{"backups", "activity.backups", []string{"backup.complete", "backup.partial", "backup.failed", "backup.missed", "backup.interrupted", "backup.cancelled", "backup.skipped", "backup.queued", "plan.created", "plan.changed", "repository.ready",
		"snapshot.gone", "snapshot.returned", "catalogue.turned_on", "catalogue.turned_off", "catalogue.rebuild", "catalogue.damaged"}},
	{"restores", "activity.restores", []string{"restore.requested", "restore.previewed", "restore.confirmed", "restore.applied", "restore.ready", "restore.put_back", "restore.failed", "restore.cancelled", "restore.expired",
		"restore.fetched", "restore.deleted", "restore.undo_requested", "restore.undo_failed", "restore.undone", "restore.settled", "restore.asked", "restore.ask_taken", "restore.ask_answered", "restore.assist_started", "restore.assist_ended"}},
	{"certs", "activity.certs", []string{"certificate.created", "certificate.changed", "certificate.ended", "certificate.attempt_started", "certificate.attempt_cancelled", "certificate.served", "certificate.failed", "certificate.not_served", "certificate.served_again", "certificate.expired", "certificate.paused", "certificate.resumed", "certificate.window", "certificate.revocation_asked", "certificate.revoked", "certificate.compromised", "certificate.taken_over", "certificate.given_back", "certificate.campaign_started", "certificate.campaign_done", "certificate.campaign_cancelled", "authority.added", "authority.changed", "authority.registered", "authority.key_changed", "dns_provider.added", "dns_provider.removed"}},
	{"access", "activity.access", []string{"access.added", "access.removed", "access.end_moved", "access.authorised", "access.authorisation_ended", "access.campaign_started", "access.recertified", "access.recertify_extended", "access.cluster_lost", "access.cluster_found", "access.mode_changed", "access.role_accepted", "access.entry_added", "access.entry_ended", "access.entry_reviewed", "facility.changed", "access.way_explained", "access.way_confirmed", "access.baseline_accepted", "access.way_found", "access.way_gone", "access.instruction_flagged", "access.instruction_decided", "access.notice_sent", "access.notice_unreachable", "access.notice_late", "access.notice_read", "access.notice_accepted", "access.notice_bounced", "access.notice_called", "access.notice_acknowledged", "access.enforced", "access.login_ended", "access.terms_changed", "grant.made", "grant.answered", "grant.ticket_filled", "grant.reviewed", "grant.extended", "grant.active", "grant.revoked", "grant.expired", "grant.refused", "person.added", "person.changed", "person.left", "paper.recorded", "staff.notice_acknowledged", "team.changed", "team.made"}},
	{"sessions", "activity.sessions", []string{"session.begun", "session.ended", "session.endless", "session.matched", "session.unrecorded", "session.missing", "session.recording_stored", "session.recording_completed", "session.recording_mended", "session.recording_checked", "session.recording_changed", "session.recording_deleted", "session.viewed", "session.searched", "session.noted", "session.terms_changed", "session.review_wanted", "session.review_asked", "session.review_claimed", "session.review_released", "session.review_voided", "session.reviewed", "session.questioned", "session.answered", "session.hold_placed", "session.hold_release_asked", "session.hold_released", "session.hold_release_reviewed", "session.review_closed", "session.draw_committed", "session.draw_revealed", "session.draw_skipped", "session.event_quarantined", "session.quarantine_dismissed", "session.read_asked", "session.feed_stopped", "session.feed_resumed", "session.login_outside", "session.login_explained", "session.logins_gap", "session.events_deleted", "session.quarantine_deleted"}},
	{"incidents", "activity.incidents", []string{"incident.opened", "incident.changed", "incident.asserted", "incident.corrected", "incident.affected", "incident.cleared", "incident.asked", "incident.they_knew", "incident.contained", "incident.handled", "incident.closed", "incident.reopened", "incident.merged", "incident.split", "incident.noted", "incident.task", "incident.decided", "incident.action", "incident.frozen", "incident.thawed", "incident.terms", "incident.company", "incident.rules", "incident.alarm", "incident.notice_drafted", "incident.notice_sent", "incident.notice_told", "incident.notice_opened", "incident.notice_acknowledged", "incident.notice_discarded", "incident.reported", "incident.triaged", "incident.reporter_erased", "incident.advisory"}},
	{"keys", "activity.keys", []string{"key.escrowed", "key.custody_chosen", "key.shown", "key.confirmed", "key.returned"}},
	{"people", "activity.people", []string{"session.started", "session.revoked", "signin.failed", "person.invited", "person.set_up", "password.changed", "contact.added", "contact.changed", "contact.removed",
		"recovery.used", "recovery.replaced", "token.made", "token.revoked", "auditor.added", "auditor.ended", "staff.added", "staff.changed"}},
	{"mail", "activity.mail", []string{"mail.queued", "mail.accepted", "mail.deferred", "mail.failed", "mail.in_doubt", "mail.bounced", "mail.reported", "mail.opened", "mail.acknowledged", "mail.called", "mail.unsent"}},
	{"trouble", "activity.trouble", []string{"finding.opened", "finding.closed"}},
}

// href is the address of the list with some of its choices changed.
func (a *Activity) href(pairs ...string) string {
	q := url.Values{"show": {a.Show}, "by": {a.By}, "from": {a.From}, "to": {a.To}}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	for name, v := range q {
		if v[0] == "" {
			delete(q, name)
		}
	}
	if len(q) == 0 {
		return "/activity"
	}
	return "/activity?" + q.Encode()
}

// activityFilter reads the choices; what is no day is marked and left out.
func (v *visit) activityFilter(page *Activity) ledger.Filter {
	page.Show, page.By, page.From, page.To = v.c.QueryParam("show"), v.c.QueryParam("by"), v.c.QueryParam("from"), v.c.QueryParam("to")
	page.Narrowed = page.By+page.From+page.To != ""
	f := ledger.Filter{Limit: 60, PageToken: v.c.QueryParam("page"), Actor: page.By}
	var ok bool
	if f.Since, ok = v.day(page.From); !ok && page.From != "" {
		page.Errors = append(page.Errors, FieldError{"from", v.t("activity.no_day")})
	}
	if to, ok := v.day(page.To); ok {
		f.Before = to.AddDate(0, 0, 1)
	} else if page.To != "" {
		page.Errors = append(page.Errors, FieldError{"to", v.t("activity.no_day")})
	}
	for _, g := range activityGroups {
		if g.word == page.Show {
			f.Kinds = g.kinds
		}
		page.Filters = append(page.Filters, Filter{Label: v.t(g.key), Href: page.href("show", g.word), Current: g.word == page.Show, Count: -1})
	}
	return f
}

func (p *Portal) activity(v *visit) error {
	page := &Activity{Page: v.page("activity", v.t("activity.title"), v.t("activity.say")), Evidence: "/evidence"}
	if v.ofPeriod() {
		page.Sub = v.t("activity.period", "period", v.auditPeriod(v.actor))
	}
	f := v.activityFilter(page)
	events, next, err := v.events(f)
	if err != nil {
		return err
	}
	page.Events = events
	if err := v.whoActed(page); err != nil {
		return err
	}
	if f.PageToken != "" {
		page.Pager.First = page.href()
	}
	if next != "" {
		page.Pager.Next = page.href("page", next)
	}
	if len(events) == 0 {
		page.Say = v.t("activity.none")
	}
	return v.render(page)
}

// whoActed offers the people of this page of the list, and the chosen one.
func (v *visit) whoActed(page *Activity) error {
	names := map[string]string{}
	for _, e := range page.Events {
		if e.Who != "" {
			names[e.by] = e.Who
		}
	}
	if page.By != "" && names[page.By] == "" {
		known, err := v.p.Identity.Names(v.ctx, []string{page.By})
		if err != nil {
			return err
		}
		if names[page.By] = known[page.By]; names[page.By] == "" {
			names[page.By] = v.t("word.somebody")
		}
	}
	for id, name := range names {
		page.People = append(page.People, Link{name, id})
	}
	slices.SortFunc(page.People, func(a, b Link) int { return strings.Compare(a.Label+a.Href, b.Label+b.Href) })
	return nil
}
