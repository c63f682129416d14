package web

import (
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// sessionEntry reports whether an entry is about a session on a customer's
// server; two are about signing in here.
func sessionEntry(kind string) bool {
	return strings.HasPrefix(kind, "session.") && kind != "session.started" && kind != "session.revoked"
}

// eventOfSession says whose session an entry is about, and leads to its page.
func (v *visit) eventOfSession(e *Event, it ledger.Item, server string) {
	if !sessionEntry(it.Kind) {
		return
	}
	if name := it.Personal["person"]; name != "" && it.Kind == "session.begun" {
		e.Text = v.t("event.session_begun_by", "name", PlainName([]byte(name)), "server", server)
	}
	var more []string
	switch it.Kind {
	case "session.viewed":
		more = append(more, v.wordOf(wayWords, text(it.Data["way"])), v.wordOf(purposeWords, text(it.Data["purpose"])))
	case "session.reviewed":
		if text(it.Data["verdict"]) == string(sessions.Violation) {
			e.Text, e.Tone = v.t("event.session_violation", "server", server), ToneBad
		}
	case "session.recording_deleted":
		more = append(more, trimDot(v.deletedWhy(text(it.Data["why"]))))
	}
	for _, id := range []string{"query", "why", "reason", "text", "note", "answer"} {
		if s := it.Personal[id]; s != "" {
			more = append(more, trimDot(PlainName([]byte(s))))
		}
	}
	if e.Detail = capital(join(more...)); e.Detail != "" {
		e.Detail += "."
	}
	if controlplane.ValidID(controlplane.PrefixStaffSession, it.Subject) && v.p.Sessions != nil && v.can(policy.SessionRead) {
		e.Link = Link{v.t("event.to_session"), "/sessions/" + it.Subject}
	}
}

// wordOf is a word of the slice's in the reader's language.
func (v *visit) wordOf(of map[string]string, w string) string {
	if key, ok := of[w]; ok {
		return v.t(key)
	}
	return w
}
