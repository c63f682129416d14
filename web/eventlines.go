package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// eventLook is how one kind of ledger entry reads.
type eventLook struct {
	key  string // text key
	tone Tone
}

var eventLooks = map[string]eventLook{
	"backup.queued": {"event.backup_queued", ""}, "backup.complete": {"event.backup_complete", ToneGood}, "backup.partial": {"event.backup_partial", ToneWarn},
	"backup.failed": {"event.backup_failed", ToneBad}, "backup.missed": {"event.backup_missed", ToneBad}, "backup.interrupted": {"event.backup_interrupted", ToneBad},
	"backup.cancelled": {"event.backup_cancelled", ToneUnknown}, "backup.skipped": {"event.backup_skipped", ToneUnknown},
	"restore.requested": {"event.restore_requested", ""}, "restore.ready": {"event.restore_ready", ToneGood}, "restore.put_back": {"event.restore_put_back", ToneGood},
	"restore.failed": {"event.restore_failed", ToneBad}, "restore.fetched": {"event.restore_fetched", ToneGood}, "restore.deleted": {"event.restore_deleted", ""},
	"restore.previewed": {"event.restore_previewed", ""}, "restore.confirmed": {"event.restore_confirmed", ""}, "restore.applied": {"event.restore_applied", ToneGood},
	"restore.undo_requested": {"event.restore_undo_requested", ""}, "restore.undo_failed": {"event.restore_undo_failed", ToneBad}, "restore.undone": {"event.restore_undone", ToneGood},
	"restore.cancelled": {"event.restore_cancelled", ToneUnknown}, "restore.expired": {"event.restore_expired", ToneUnknown}, "restore.settled": {"event.restore_settled", ""},
	"restore.assist_started": {"event.assist_started", ToneWarn}, "restore.assist_ended": {"event.assist_ended", ""},
	"restore.asked": {"event.asked", ToneWarn}, "restore.ask_taken": {"event.ask_taken", ""}, "restore.ask_answered": {"event.ask_answered", ToneGood},
	"snapshot.gone": {"event.snapshot_gone", ToneBad}, "snapshot.returned": {"event.snapshot_returned", ToneGood},
	"catalogue.turned_on": {"event.catalogue_on", ""}, "catalogue.turned_off": {"event.catalogue_off", ""}, "catalogue.rebuild": {"event.catalogue_rebuild", ""}, "catalogue.damaged": {"event.catalogue_damaged", ToneWarn},
	"mail.queued": {"event.mail_queued", ""}, "mail.accepted": {"event.mail_accepted", ToneGood}, "mail.deferred": {"event.mail_deferred", ToneWarn}, "mail.failed": {"event.mail_failed", ToneBad},
	"mail.in_doubt": {"event.mail_in_doubt", ToneUnknown}, "mail.bounced": {"event.mail_bounced", ToneBad}, "mail.reported": {"event.mail_reported", ""}, "mail.opened": {"event.mail_opened", ToneGood},
	"mail.acknowledged": {"event.mail_acknowledged", ToneGood}, "mail.called": {"event.mail_called", ""}, "mail.unsent": {"event.mail_unsent", ToneBad},
	"plan.created": {"event.plan_created", ""}, "plan.changed": {"event.plan_changed", ""}, "repository.ready": {"event.repository_ready", ToneGood},
	"key.escrowed": {"event.key_escrowed", ToneGood}, "key.custody_chosen": {"event.key_custody_chosen", ""}, "key.shown": {"event.key_shown", ToneWarn}, "key.confirmed": {"event.key_confirmed", ToneGood}, "key.returned": {"event.key_returned", ToneWarn},
	"server.created": {"event.server_created", ""}, "server.changed": {"event.server_changed", ""}, "server.activated": {"event.server_activated", ToneGood}, "server.retired": {"event.server_retired", ""},
	"server.inventoried": {"event.server_inventoried", ""}, "server.silent": {"event.server_silent", ToneUnknown}, "server.heard": {"event.server_heard", ToneGood}, "server.rebooted": {"event.server_rebooted", ToneWarn},
	"agent.enrolled": {"event.agent_enrolled", ToneGood}, "agent.connected": {"event.agent_connected", ToneGood}, "agent.renewed": {"event.agent_renewed", ""}, "agent.frozen": {"event.agent_frozen", ToneBad}, "agent.unfrozen": {"event.agent_unfrozen", ToneGood},
	"window.opened": {"event.window_opened", ToneWarn}, "window.closed": {"event.window_closed", ""}, "window.ended": {"event.window_ended", ToneUnknown},
	"enrolment.created": {"event.enrolment_created", ""}, "enrolment.refused": {"event.enrolment_refused", ToneBad},
	"tenancy.created": {"event.tenancy_created", ""}, "tenancy.changed": {"event.tenancy_changed", ""}, "tenancy.ended": {"event.tenancy_ended", ""},
	"customer.created": {"event.customer_created", ""}, "customer.changed": {"event.customer_changed", ""},
	"contact.added": {"event.contact_added", ""}, "contact.changed": {"event.contact_changed", ""}, "contact.removed": {"event.contact_removed", ""},
	"auditor.added": {"event.auditor_added", ""}, "auditor.ended": {"event.auditor_ended", ""}, "clock.caught_up": {"event.clock_caught_up", ""},
	"staff.added": {"event.staff_added", ""}, "staff.changed": {"event.staff_changed", ""},
	"person.invited": {"event.person_invited", ""}, "person.set_up": {"event.person_set_up", ToneGood}, "password.changed": {"event.password_changed", ""}, "demo_link.made": {"event.demo_link_made", ""},
	"session.started": {"event.session_started", ""}, "session.revoked": {"event.session_revoked", ""}, "signin.failed": {"event.signin_failed", ToneWarn},
	"recovery.used": {"event.recovery_used", ToneWarn}, "recovery.replaced": {"event.recovery_replaced", ""}, "token.made": {"event.token_made", ""}, "token.revoked": {"event.token_revoked", ""},
	"certificate.created": {"event.cert_created", ""}, "certificate.changed": {"event.cert_changed", ""}, "certificate.ended": {"event.cert_ended", ToneUnknown},
	"certificate.attempt_started": {"event.cert_attempt", ""}, "certificate.attempt_cancelled": {"event.cert_attempt_cancelled", ToneUnknown}, "certificate.served": {"event.cert_served", ToneGood},
	"certificate.failed": {"event.cert_failed", ToneBad}, "certificate.not_served": {"event.cert_not_served", ToneBad}, "certificate.served_again": {"event.cert_served_again", ToneGood},
	"certificate.expired": {"event.cert_expired", ToneBad}, "certificate.paused": {"event.cert_paused", ToneWarn}, "certificate.resumed": {"event.cert_resumed", ""},
	"certificate.window": {"event.cert_window", ""}, "certificate.revocation_asked": {"event.cert_revocation_asked", ToneWarn}, "certificate.revoked": {"event.cert_revoked", ToneWarn},
	"certificate.compromised": {"event.cert_compromised", ToneBad}, "certificate.taken_over": {"event.cert_taken_over", ToneGood}, "certificate.given_back": {"event.cert_given_back", ""},
	"certificate.campaign_started": {"event.campaign_started", ToneWarn}, "certificate.campaign_done": {"event.campaign_done", ToneGood}, "certificate.campaign_cancelled": {"event.campaign_cancelled", ToneUnknown},
	"authority.added": {"event.authority_added", ""}, "authority.changed": {"event.authority_changed", ""}, "authority.registered": {"event.authority_registered", ToneGood},
	"authority.key_changed": {"event.authority_key_changed", ""}, "dns_provider.added": {"event.provider_added", ""}, "dns_provider.removed": {"event.provider_removed", ""},
	"session.begun": {"event.session_begun", ""}, "session.ended": {"event.session_ended", ""}, "session.endless": {"event.session_endless", ToneWarn}, "session.matched": {"event.session_matched", ToneGood}, "session.unrecorded": {"event.session_unrecorded", ToneWarn}, "session.missing": {"event.session_missing", ToneBad},
	"session.recording_stored": {"event.session_stored", ToneGood}, "session.recording_completed": {"event.session_completed", ToneGood}, "session.recording_mended": {"event.session_mended", ToneGood}, "session.recording_checked": {"event.session_checked", ""}, "session.recording_changed": {"event.session_changed", ToneBad}, "session.recording_deleted": {"event.session_deleted", ToneUnknown},
	"session.viewed": {"event.session_viewed", ""}, "session.searched": {"event.session_searched", ""}, "session.noted": {"event.session_noted", ""}, "session.terms_changed": {"event.session_terms", ToneWarn},
	"session.review_wanted": {"event.session_wanted", ""}, "session.review_asked": {"event.session_asked", ToneWarn}, "session.review_claimed": {"event.session_claimed", ""}, "session.review_released": {"event.session_unclaimed", ""}, "session.review_voided": {"event.session_voided", ToneWarn},
	"session.reviewed": {"event.session_reviewed", ToneGood}, "session.questioned": {"event.session_questioned", ToneWarn}, "session.answered": {"event.session_answered", ""},
	"session.hold_placed": {"event.session_held", ""}, "session.hold_release_asked": {"event.session_release_asked", ""}, "session.hold_released": {"event.session_hold_released", ToneWarn}, "session.hold_release_reviewed": {"event.session_hold_looked", ""}, "session.review_closed": {"event.session_closed", ToneWarn},
	"session.draw_committed": {"event.session_committed", ""}, "session.draw_revealed": {"event.session_revealed", ""}, "session.draw_skipped": {"event.session_skipped", ToneUnknown},
	"session.events_read": {"event.session_events", ""}, "session.event_quarantined": {"event.session_quarantined", ToneWarn}, "session.quarantine_dismissed": {"event.session_dismissed", ""}, "session.events_deleted": {"event.session_events_deleted", ""}, "session.quarantine_deleted": {"event.session_quarantine_deleted", ""}, "session.logins_gap": {"event.session_logins_gap", ToneWarn}, "session.read_asked": {"event.session_read_asked", ""}, "session.feed_stopped": {"event.session_feed_stopped", ToneBad}, "session.feed_resumed": {"event.session_feed_resumed", ToneGood},
	"session.login_outside": {"event.session_login", ToneBad}, "session.login_explained": {"event.session_login_explained", ""},
	"access.added": {"event.access_added", ""}, "access.removed": {"event.access_removed", ""}, "access.end_moved": {"event.access_moved", ""},
	"access.authorised": {"event.access_authorised", ""}, "access.authorisation_ended": {"event.access_authorisation_ended", ""}, "access.campaign_started": {"event.access_campaign", ""},
	"access.recertified": {"event.access_recertified", ""}, "access.recertify_extended": {"event.access_recertify_extended", ToneWarn}, "access.cluster_lost": {"event.access_cluster_lost", ToneBad},
	"access.cluster_found": {"event.access_cluster_found", ToneGood}, "access.mode_changed": {"event.access_mode", ToneWarn}, "access.role_accepted": {"event.access_role_accepted", ToneWarn},
	"access.entry_added": {"event.access_entry_added", ""}, "access.entry_ended": {"event.access_entry_ended", ""}, "access.entry_reviewed": {"event.access_entry_reviewed", ToneGood},
	"facility.changed": {"event.facility_changed", ""}, "access.way_explained": {"event.access_way_explained", ToneGood}, "access.way_confirmed": {"event.access_way_confirmed", ""},
	"access.baseline_accepted": {"event.access_baseline", ToneWarn}, "access.way_found": {"event.access_way_found", ToneWarn}, "access.way_gone": {"event.access_way_gone", ""},
	"access.instruction_flagged": {"event.access_flagged", ToneWarn}, "access.instruction_decided": {"event.access_decided", ToneGood}, "access.notice_sent": {"event.access_notice_sent", ""},
	"access.notice_unreachable": {"event.access_notice_unreachable", ToneBad}, "access.notice_late": {"event.access_notice_late", ToneWarn}, "access.notice_read": {"event.access_notice_read", ToneGood},
	"access.notice_accepted": {"event.access_notice_accepted", ToneGood}, "access.notice_bounced": {"event.access_notice_bounced", ToneWarn}, "access.notice_called": {"event.access_notice_called", ""},
	"access.notice_acknowledged": {"event.access_notice_acknowledged", ToneGood}, "access.enforced": {"event.access_enforced", ToneGood}, "access.login_ended": {"event.access_login_ended", ToneGood},
	"access.terms_changed": {"event.access_terms", ""}, "grant.made": {"event.grant_made", ""}, "grant.answered": {"event.grant_answered", ""},
	"grant.ticket_filled": {"event.grant_ticket", ""}, "grant.reviewed": {"event.grant_reviewed", ToneGood}, "grant.extended": {"event.grant_extended", ""},
	"grant.active": {"event.grant_active", ToneGood}, "grant.revoked": {"event.grant_revoked", ""}, "grant.expired": {"event.grant_expired", ""},
	"grant.refused": {"event.grant_refused", ""}, "person.added": {"event.person_added", ""}, "person.changed": {"event.person_changed", ""},
	"person.left": {"event.person_left", ToneWarn}, "paper.recorded": {"event.paper_recorded", ""}, "staff.notice_acknowledged": {"event.staff_notice", ToneGood},
	"team.changed": {"event.team_changed", ""}, "team.made": {"event.team_made", ""},
	"secrets.move_started": {"event.keys_move_started", ""}, "secrets.moved": {"event.keys_moved", ToneGood}, "secrets.key_moved": {"event.key_moved", ""}, "secrets.credential_moved": {"event.credential_moved", ""},
	"secrets.rotated": {"event.keys_rotated", ""}, "secrets.key_destroyed": {"event.key_destroyed", ToneWarn}, "secrets.vault_key_destroyed": {"event.vault_key_destroyed", ToneWarn}, "secrets.signer_moved": {"event.signer_moved", ToneWarn},
	"incident.opened": {"event.inc_opened", ToneWarn}, "incident.changed": {"event.inc_changed", ""}, "incident.asserted": {"event.inc_asserted", ToneWarn}, "incident.corrected": {"event.inc_corrected", ToneWarn},
	"incident.affected": {"event.inc_affected", ToneWarn}, "incident.cleared": {"event.inc_cleared", ToneGood}, "incident.asked": {"event.inc_second", ToneWarn}, "incident.they_knew": {"event.inc_they_knew", ""}, "incident.contained": {"event.inc_contained", ToneGood}, "incident.handled": {"event.inc_handled", ToneGood},
	"incident.closed": {"event.inc_closed", ""}, "incident.reopened": {"event.inc_reopened", ToneWarn}, "incident.merged": {"event.inc_merged", ""}, "incident.split": {"event.inc_split", ""},
	"incident.noted": {"event.inc_noted", ""}, "incident.task": {"event.inc_task", ""}, "incident.decided": {"event.inc_decided", ""}, "incident.action": {"event.inc_action", ""},
	"incident.frozen": {"event.inc_frozen", ToneWarn}, "incident.thawed": {"event.inc_thawed", ""}, "incident.terms": {"event.inc_terms", ""}, "incident.company": {"event.inc_company", ""},
	"incident.rules": {"event.inc_rules", ToneWarn}, "incident.alarm": {"event.inc_alarm", ToneBad}, "incident.notice_drafted": {"event.inc_drafted", ""}, "incident.notice_sent": {"event.inc_sent", ToneWarn},
	"incident.notice_told": {"event.inc_told", ToneGood}, "incident.notice_opened": {"event.inc_notice_opened", ToneGood}, "incident.notice_acknowledged": {"event.inc_acknowledged", ToneGood}, "incident.notice_discarded": {"event.inc_discarded", ""},
	"incident.reported": {"event.inc_reported", ToneWarn}, "incident.triaged": {"event.inc_triaged", ""}, "incident.reporter_erased": {"event.inc_reporter_erased", ""}, "incident.advisory": {"event.inc_advisory", ""},
	"log.opened": {"event.log_opened", ""}, "ledger.forgotten": {"event.ledger_forgotten", ""}, "store.added": {"event.store_added", ""},
}

// queuedBy is how a backup reads that nobody asked for by hand.
var queuedBy = map[string]string{"schedule": "event.backup_due", "first": "event.backup_first"}

// events returns ledger entries as lines of a timeline, newest first.
func (v *visit) events(f ledger.Filter) ([]Event, string, error) {
	scope, err := v.scope(policy.LedgerRead)
	if err != nil {
		return nil, "", err
	}
	items, next, err := v.p.Ledger.List(v.ctx, scope, f)
	if err != nil {
		return nil, "", err
	}
	out, err := v.tell(items)
	return out, next, err
}

// tell writes entries as sentences.
func (v *visit) tell(items []ledger.Item) ([]Event, error) {
	people, servers := map[string]bool{}, map[string]bool{}
	for _, it := range items {
		if it.Server != "" {
			servers[it.Server] = true
		}
		if isPerson(it.Actor.Kind) {
			people[it.Actor.ID] = true
		}
		if aboutPerson(it.Subject) {
			people[it.Subject] = true
		}
	}
	names, err := v.p.Identity.Names(v.ctx, keysOf(people))
	if err != nil {
		return nil, err
	}
	on := map[string]customers.Server{}
	if v.can(policy.ServerRead) {
		if on, err = v.servers(keysOf(servers)); err != nil {
			return nil, err
		}
	}
	kept, err := v.keptDownloads(items)
	if err != nil {
		return nil, err
	}
	called, err := v.called(items)
	if err != nil {
		return nil, err
	}
	out := make([]Event, 0, len(items))
	for _, it := range items {
		name := on[it.Server].Name
		if name == "" {
			name = v.t("word.server")
		}
		it.Data = withName(it.Data, called[it.Subject], v.t("word.certificate"))
		e := v.event(it, name, names[it.Actor.ID])
		v.eventOfCert(&e, it)
		v.eventOfAccess(&e, it)
		v.eventOfSession(&e, it, name)
		v.eventOfRestore(&e, it, kept)
		if e.Detail == "" && it.Subject != it.Actor.ID {
			e.Detail = names[it.Subject]
		}
		e.kind, e.by, e.Href = it.Kind, it.Actor.ID, "/activity/"+it.ID
		if e.Who != "" {
			e.WhoHref = "/activity?by=" + it.Actor.ID
		}
		out = append(out, e)
	}
	return out, nil
}

// eventOfRestore leads to the restore or the request that an entry is about,
// and says why somebody of us saw files.
func (v *visit) eventOfRestore(e *Event, it ledger.Item, kept map[string]time.Time) {
	switch {
	case controlplane.ValidID(controlplane.PrefixAsk, it.Subject) && (v.can(policy.RestoreAsk) || v.can(policy.RestoreAssist)):
		e.Link = Link{v.t("event.to_ask"), "/asks/" + it.Subject}
	case it.Kind == "restore.assist_started":
		e.Detail = v.t("event.assist_why", "ticket", text(it.Data["ticket"]), "reason", PlainName([]byte(it.Personal["reason"])))
	case controlplane.ValidID(controlplane.PrefixRestore, it.Subject) && it.Kind != "restore.deleted" && v.canOf(it.Customer, policy.RestoreRun):
		e.Link = Link{v.t("event.to_restore"), "/restores/" + it.Subject}
		if until, ok := kept[it.Subject]; ok && it.Kind == "restore.ready" {
			e.Link.Label = v.t("event.to_download", "when", v.moment(until))
		}
	}
	if to := it.Personal["to"]; to != "" && strings.HasPrefix(it.Kind, "mail.") {
		e.Detail = v.t("event.mail_what", "title", it.Personal["title"], "to", to)
	}
}

// keptDownloads are the downloads among the subjects of entries that can still
// be saved, with the ends of their time.
func (v *visit) keptDownloads(items []ledger.Item) (map[string]time.Time, error) {
	ready := slices.ContainsFunc(items, func(it ledger.Item) bool { return it.Kind == "restore.ready" })
	if !ready || !v.can(policy.RestoreRun) {
		return nil, nil
	}
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return nil, err
	}
	rs, err := v.p.Backups.Restores(v.ctx, scope, 100)
	if err != nil {
		return nil, err
	}
	kept := map[string]time.Time{}
	for _, r := range rs {
		if r.Fetchable() && r.State == backups.RestoreReady {
			kept[r.ID] = r.ExpiresAt
		}
	}
	return kept, nil
}

// isPerson reports whether an actor is somebody with a name.
func isPerson(k controlplane.ActorKind) bool {
	return k == controlplane.ActorStaff || k == controlplane.ActorContact || k == controlplane.ActorAuditor
}

// aboutPerson reports whether an entry's subject is a person.
func aboutPerson(subject string) bool {
	prefix, _, _ := strings.Cut(subject, "_")
	return prefix == "con" || prefix == "stf" || prefix == "aud"
}

// yours is how an entry reads to those whom it is about.
var yours = map[string]string{
	"tenancy.created": "event.your_tenancy_created", "tenancy.changed": "event.your_tenancy_changed", "tenancy.ended": "event.your_tenancy_ended",
	"customer.created": "event.your_customer_created", "customer.changed": "event.your_customer_changed",
	"restore.assist_started": "event.your_assist_started", "restore.assist_ended": "event.your_assist_ended", "restore.asked": "event.your_asked",
}

// ofMany is how an entry reads of a restore that may be of many files.
var ofMany = map[string]string{
	"restore.requested": "event.restores_requested", "restore.ready": "event.restores_ready", "restore.failed": "event.restores_failed", "restore.fetched": "event.restores_fetched",
}

// lacking is how an entry reads of a restore that something is missing from.
var lacking = map[string]string{"restore.ready": "event.restores_lacking", "restore.applied": "event.restore_applied_lacking"}

// event writes one entry as a sentence.
func (v *visit) event(it ledger.Item, server, who string) Event {
	e := Event{At: it.At, Who: who}
	if kind, _ := it.Data["kind"].(string); it.Kind == "finding.opened" || it.Kind == "finding.closed" {
		title, _, _ := v.sentence(findings.Finding{Kind: kind, Args: map[string]string{"server": server}})
		if e.Text, e.Tone = trimDot(title)+".", severityKinds[findings.Severity(text(it.Data["severity"]))].Tone(); it.Kind == "finding.closed" {
			e.Text, e.Tone = v.t("event.closed", "what", trimDot(title)), ToneGood
		}
		return e
	}
	look, ok := eventLooks[it.Kind]
	if !ok {
		e.Text = v.t("event.other", "kind", it.Kind)
		return e
	}
	e.Tone = look.tone
	n := number(it.Data["files"])
	if it.Kind == "backup.partial" {
		n = number(it.Data["unread_count"])
	}
	if kind := backups.RestoreKind(text(it.Data["restore_kind"])); ofMany[it.Kind] != "" && (kind == backups.RestoreArchive || kind == backups.RestoreInPlace) {
		look.key = ofMany[it.Kind]
	}
	if counts, _ := it.Data["counts"].(map[string]any); it.Kind == "restore.applied" {
		n = number(counts[string(wire.ActCreate)]) + number(counts[string(wire.ActReplace)]) + number(counts[string(wire.ActBeside)])
	}
	if missing := number(it.Data["missing_count"]); missing > 0 && lacking[it.Kind] != "" {
		look.key, n, e.Tone = lacking[it.Kind], missing, ToneWarn
	}
	if it.Kind == "restore.requested" && text(it.Data["from_server"]) != "" {
		look.key = "event.restores_requested_to"
	}
	if by := text(it.Data["by"]); it.Kind == "backup.queued" && queuedBy[by] != "" {
		look.key = queuedBy[by]
	}
	if key := yours[it.Kind]; key != "" && v.actor.Kind == controlplane.ActorContact {
		look.key = key
	}
	e.Text = v.t(look.key, "server", server, "n", n, "os", it.Data["os"], "left", it.Data["left"], "name", it.Data["name"], "certificate", it.Data["certificate"])
	if !strings.HasPrefix(e.Text, server) && !strings.HasPrefix(e.Text, text(it.Data["certificate"])+" ") { // a host name stays as it is written
		e.Text = capital(e.Text)
	}
	if path := it.Personal["path"]; path != "" && v.canOf(it.Customer, policy.FileRead) {
		if e.Detail = PlainName([]byte(path)); it.Kind == "restore.requested" && number(it.Data["items"]) > 1 {
			e.Detail = v.t("onserver.things", "name", e.Detail, "n", number(it.Data["items"])-1)
		}
	}
	if cause, _ := it.Data["failure_cause"].(string); cause != "" {
		e.Detail = v.cause(cause)
	}
	if job, _ := it.Data["job"].(string); job != "" && it.Kind == "backup.queued" {
		e.Link = Link{v.t("event.to_job"), "/jobs/" + job}
	}
	if id, _ := it.Data["snapshot"].(string); id != "" && (it.Kind == "backup.complete" || it.Kind == "backup.partial") && v.canOf(it.Customer, policy.FileRead) {
		e.Link = Link{v.t("event.to_copy"), "/snapshots/" + id}
	}
	return e
}

// text is a word of an entry, "" where it is none.
func text(x any) string { s, _ := x.(string); return s }

// number is a figure of an entry, which JSON may have made of any kind.
func number(x any) int64 {
	switch n := x.(type) {
	case int64:
		return n
	case int:
		return int64(n)
	case float64:
		return int64(n)
	}
	var out int64
	_, _ = fmt.Sscan(fmt.Sprint(x), &out)
	return out
}

// told are the events without those that the next line tells again: a backup
// that was asked for, and that is over by now; and without the demo's own.
func told(events []Event) []Event {
	return slices.DeleteFunc(events, func(e Event) bool {
		return e.kind == "backup.queued" || e.kind == "restore.confirmed" || e.kind == "mail.queued" || e.kind == "certificate.attempt_started" || e.kind == "session.events_read" || e.kind == "demo_link.made"
	})
}
