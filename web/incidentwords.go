package web

import (
	"strings"
	"time"

	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

type look struct {
	tone Tone
	key  string
}

var caseStates = map[incidents.State]look{
	incidents.Open: {ToneBusy, "inc.state_open"}, incidents.Closed: {ToneGood, "inc.state_closed"},
	incidents.FalseAlarm: {ToneUnknown, "inc.state_false"}, incidents.Merged: {ToneUnknown, "inc.state_merged"},
}

// caseState is how far a case is, in words.
func (v *visit) caseState(c incidents.Case) State {
	if c.State == incidents.Open && c.Late {
		return State{ToneBad, v.t("inc.state_late")}
	}
	return lookOf(v, caseStates, c.State)
}

// lookOf is a word with its tone; one that nobody knows is shown as it is.
func lookOf[K ~string](v *visit, looks map[K]look, k K) State {
	x, ok := looks[k]
	if !ok {
		return State{ToneUnknown, string(k)}
	}
	return State{x.tone, v.t(x.key)}
}

var affectedStates = map[incidents.AffectedState]look{
	incidents.Possible: {ToneWarn, "inc.possible"}, incidents.Certain: {ToneBad, "inc.affected"}, incidents.Cleared: {ToneGood, "inc.cleared"},
}

var breachStates = map[incidents.NoticeState]look{
	incidents.Draft: {ToneWarn, "inc.n_draft"}, incidents.Waiting: {ToneBusy, "inc.n_waiting"}, incidents.Sent: {ToneBusy, "inc.n_sent"}, incidents.Accepted: {ToneBusy, "inc.n_accepted"},
	incidents.Opened: {ToneGood, "inc.n_opened"}, incidents.Acknowledged: {ToneGood, "inc.n_acknowledged"}, incidents.Unreachable: {ToneBad, "inc.n_unreachable"},
	incidents.Called: {ToneGood, "inc.n_called"}, incidents.Discarded: {ToneUnknown, "inc.n_discarded"}, incidents.Drilled: {ToneUnknown, "inc.n_drilled"},
}

var kindsOfBreach = map[incidents.Kind]string{
	incidents.Destruction: "inc.kind_destruction", incidents.Loss: "inc.kind_loss", incidents.Alteration: "inc.kind_alteration", incidents.Disclosure: "inc.kind_disclosure", incidents.Access: "inc.kind_access",
}

var certainties = map[law.Certainty]string{law.Suspected: "inc.suspected", law.Certain: "inc.certain"}

var rolesOfData = map[incidents.DataRole]string{
	incidents.RoleUnknown: "inc.role_unknown", incidents.Controller: "inc.role_controller", incidents.Processor: "inc.role_processor",
}

var purposes = map[incidents.Purpose]string{
	incidents.First: "inc.p_first", incidents.Update: "inc.p_update", incidents.Withdrawal: "inc.p_withdrawal", incidents.Final: "inc.p_final",
	incidents.Freezing: "inc.p_freeze", incidents.Advisory: "inc.p_advisory", incidents.Change: "inc.p_change",
}

var audiences = map[incidents.Audience]string{
	incidents.ToCustomer: "inc.to_customer", incidents.ToAuthority: "inc.to_authority", incidents.ToCSIRT: "inc.to_csirt", incidents.ToPeople: "inc.to_people",
}

var levels = map[incidents.Level]string{incidents.Low: "inc.low", incidents.Medium: "inc.medium", incidents.High: "inc.high"}

var exemptions = map[incidents.Exemption]string{
	incidents.NoExemption: "inc.exempt_none", incidents.Unintelligible: "inc.exempt_unintelligible", incidents.LaterMeasures: "inc.exempt_later", incidents.Effort: "inc.exempt_effort",
}

var actionKinds = map[incidents.ActionKind]string{
	incidents.ActRevoke: "inc.act_revoke", incidents.ActLock: "inc.act_lock", incidents.ActRotate: "inc.act_rotate", incidents.ActSnapshot: "inc.act_snapshot", incidents.ActDone: "inc.act_done",
}

var fieldTexts = map[string]string{
	"nature": "inc.f_nature", "categories": "inc.f_categories", "people": "inc.f_people", "record_categories": "inc.f_record_categories", "unlawful_cause": "inc.f_unlawful_cause", "cross_border": "inc.f_cross_border", "records": "inc.f_records",
	"consequences": "inc.f_consequences", "measures": "inc.f_measures", "contact": "inc.f_contact", "delay": "inc.f_delay",
}

var knownTexts = map[incidents.Known]string{incidents.Empty: "inc.k_empty", incidents.IsKnown: "inc.k_known", incidents.IsRange: "inc.k_range", incidents.IsUnknown: "inc.k_unknown"}

var reportSources = map[incidents.ReportSource]string{
	incidents.FromStaff: "inc.from_staff", incidents.FromCustomer: "inc.from_customer", incidents.FromPublic: "inc.from_public", incidents.FromFinding: "inc.from_finding",
}

var momentKinds = map[string]string{
	"case": "inc.m_case", "awareness": "inc.m_awareness", "notice": "inc.m_notice", "decision": "inc.m_decision", "action": "inc.m_action", "session": "inc.m_session",
	"job": "inc.m_job", "finding": "inc.m_finding", "login": "inc.m_login", "change": "inc.m_change",
}

// wordOf is a word's text; one that nobody knows is shown as it is.
func wordOf[K ~string](v *visit, words map[K]string, k K) string {
	if key, ok := words[k]; ok {
		return v.t(key)
	}
	return string(k)
}

// plain is free text of one line, as it is safe to show.
func plain(s string) string { return PlainName([]byte(s)) }

// plainText is free text of several lines.
func plainText(s string) string {
	rows := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i := range rows {
		rows[i] = plain(strings.TrimRight(rows[i], " \t"))
	}
	return strings.TrimSpace(strings.Join(rows, "\n"))
}

// text is what was entered in a text area, with its line breaks.
func (v *visit) text(id string) string {
	return strings.TrimSpace(strings.ReplaceAll(v.c.FormValue(id), "\r\n", "\n"))
}

// hours is a length of time as a duty is counted: minutes while they count, then
// hours; what is left is never rounded up.
func (v *visit) hours(d time.Duration) string {
	d = d.Abs()
	switch h := int(d / time.Hour); {
	case h < 1:
		return v.t("span.min", "n", int(d/time.Minute))
	case h < 10:
		return v.t("inc.h_min", "h", h, "min", int(d%time.Hour/time.Minute))
	case h <= 120:
		return v.t("span.h", "n", h)
	}
	return v.t("span.days", "n", int(d/(24*time.Hour)))
}

// until is an instant with the zone that it is written in.
func (v *visit) until(t time.Time) string {
	return v.t("inc.in_zone", "when", v.moment(t), "zone", t.In(v.zone).Format("MST"))
}

// staffNames are who did things, by id; what did them itself has a word.
func (v *visit) staffNames(ids ...string) (map[string]string, error) {
	all := map[string]bool{}
	for _, id := range ids {
		if id != "" {
			all[id] = true
		}
	}
	names, err := v.p.Identity.Names(v.ctx, keysOf(all))
	if err != nil {
		return nil, err
	}
	for id := range all {
		if names[id] == "" && !isPersonID(id) {
			names[id] = v.t("inc.by_itself")
		}
	}
	return names, nil
}

func isPersonID(id string) bool {
	return strings.HasPrefix(id, "stf_") || strings.HasPrefix(id, "con_")
}

// mayAct reports whether the reader may write to cases.
func (v *visit) mayAct() bool { return v.can(policy.IncidentWrite) }
