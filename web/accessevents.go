package web

import (
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// seenEvents are how changes of lists read that no person made: what Teleport
// or a server showed.
var seenEvents = map[string]map[string]string{
	string(access.Enforced): {"access.added": "event.access_seen", "access.removed": "event.access_unseen", "access.end_moved": "event.access_moved"},
	string(access.Could):    {"access.added": "event.access_could", "access.removed": "event.access_could_not", "access.end_moved": "event.access_moved"},
}

// eventOfAccess says whom an entry is about, why, and leads to its page.
func (v *visit) eventOfAccess(e *Event, it ledger.Item) {
	if !accessKind(it.Kind) {
		return
	}
	name := it.Personal["name"]
	if name == "" {
		name = v.t("word.somebody")
	}
	key := eventLooks[it.Kind].key
	if seen := seenEvents[text(it.Data["column"])][it.Kind]; seen != "" {
		key, e.Tone = seen, ""
	}
	if key != "" && !strings.HasPrefix(it.Kind, "access.way_") { // those name the server
		e.Text = capital(v.t(key, "name", PlainName([]byte(name)), "mode", v.modeWord(access.Mode(text(it.Data["to"]))), "role", text(it.Data["role"])))
	}
	var more []string
	if way := access.Way(text(it.Data["way"])); way.Valid() {
		more = append(more, wayWord(v.p.tx, way), v.roleTitle(text(it.Data["role"])))
	}
	for _, id := range []string{"why", "reason", "because", "reasons", "what", "unknown", "note", "account", "document"} {
		if s := it.Personal[id]; s != "" {
			more = append(more, trimDot(v.changeWhy(s)))
		}
	}
	if e.Detail = join(more...); e.Detail != "" {
		e.Detail += "."
	}
	if !v.can(policy.AccessRead) {
		return
	}
	switch {
	case controlplane.ValidID(controlplane.PrefixGrant, it.Subject):
		e.Link = Link{v.t("event.to_grant"), "/access/grants/" + it.Subject}
	case controlplane.ValidID(controlplane.PrefixNotice, it.Subject):
		e.Link = Link{v.t("event.to_notice"), "/access/notices/" + it.Subject}
	case controlplane.ValidID(controlplane.PrefixInstruction, it.Subject):
		e.Link = Link{v.t("event.to_instruction"), "/access/instructions/" + it.Subject}
	case controlplane.ValidID(controlplane.PrefixPerson, it.Subject) && v.staff():
		e.Link = Link{v.t("event.to_person"), "/access/persons/" + it.Subject}
	}
}

// accessKind reports whether an entry is about who reaches what.
func accessKind(kind string) bool {
	for _, family := range []string{"access.", "grant.", "facility.", "team.", "paper."} {
		if strings.HasPrefix(kind, family) {
			return true
		}
	}
	return kind == "person.added" || kind == "person.changed" || kind == "person.left"
}
