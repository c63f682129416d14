package incidents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
)

func TestAdvisory(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		seen := w.clock.Now().Add(-time.Hour)
		w.inventory.runs = []incidents.Runs{{Server: w.shared.ID, Package: "openssl", Version: "3.0.11", SeenAt: seen}, {Server: w.mapleOne.ID, Package: "openssl", Version: "3.0.12", SeenAt: seen}}
		w.inventory.silent = []string{w.harbourOne.ID}
		for name, in := range map[string]incidents.NewAdvisory{"no purpose": {Title: "x", Text: "y", Software: "z"}, "no title": {Purpose: incidents.Advisory, Text: "y", Software: "z"},
			"nobody": {Purpose: incidents.Advisory, Title: "x", Text: "y"}, "a version of nothing": {Purpose: incidents.Advisory, Title: "x", Text: "y", Below: "1", Customers: []string{w.maple.ID}, Ground: "z"},
			"no ground": {Purpose: incidents.Change, Title: "x", Text: "y", Customers: []string{w.maple.ID}}, "no such customer": {Purpose: incidents.Change, Title: "x", Text: "y", Customers: []string{"nobody"}, Ground: "z"}} {
			if _, err := w.incidents.PlanAdvisory(w.ctx, w.all, in); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		a := must[incidents.AdvisoryNote](t)(w.incidents.PlanAdvisory(w.ctx, w.all, incidents.NewAdvisory{Purpose: incidents.Advisory, Title: "OpenSSL has to be updated", Text: "A flaw lets others read memory.",
			Software: "openssl", Below: "3.0.13"}))
		if len(a.For) != 3 || a.Waiting != 2 || len(a.Silent) != 1 || a.For[0].Ground == "" {
			t.Fatalf("got %+v", a)
		}
		if got := must[incidents.AdvisoryNote](t)(w.incidents.SendAdvisory(w.ctx, w.all, a.ID, incidents.Sending{})); !got.SentAt.IsZero() || len(w.sent(mail.IncidentAdvisory)) != 0 {
			t.Errorf("sent without a second person: %+v", got)
		}
		got := must[incidents.AdvisoryNote](t)(w.incidents.SendAdvisory(w.asBob(), w.all, a.ID, incidents.Sending{Seen: w.seen(incidents.NoticeFilter{Advisory: a.ID})}))
		if got.SentAt.IsZero() {
			t.Errorf("got %+v", got)
		}
		for _, l := range w.post.letters(mail.IncidentAdvisory) {
			text := l.Args["text"]
			switch l.To {
			case "anna@maple.example":
				if !strings.Contains(text, "maple-1 has openssl 3.0.12") || !strings.Contains(text, "shared-1 has openssl 3.0.11") || strings.Contains(text, "harbour") {
					t.Errorf("got\n%s", text)
				}
			case "henry@harbour.example":
				if strings.Contains(text, "maple") || !strings.Contains(text, "harbour-1 has not told us what runs on it") {
					t.Errorf("got\n%s", text)
				}
			default:
				t.Errorf("to %s", l.To)
			}
		}
		w.becomes(mail.IncidentAdvisory, "anna@maple.example", mail.Accepted, "")
		w.later(5 * time.Hour)
		if list := must[[]incidents.AdvisoryNote](t)(w.incidents.Advisories(w.ctx, w.all)); len(list) != 1 || list[0].Told != 1 || list[0].Waiting != 1 {
			t.Errorf("got %+v", list)
		}
		ctx, scope := w.asContact(w.anna)
		for name, err := range map[string]error{"list": second(w.incidents.Advisories(ctx, scope)), "one": second(w.incidents.AdvisoryOf(ctx, scope, a.ID)), "send": second(w.incidents.SendAdvisory(ctx, scope, a.ID, incidents.Sending{})),
			"plan": second(w.incidents.PlanAdvisory(ctx, scope, incidents.NewAdvisory{}))} {
			if code(err) != controlplane.CodeNotFound {
				t.Errorf("a contact, %s: %v", name, err)
			}
		}
		own, _, err := w.incidents.Notices(ctx, scope, incidents.NoticeFilter{})
		if err != nil || len(own) != 1 || own[0].Purpose != incidents.Advisory {
			t.Errorf("got %+v, %v", own, err)
		}
	})
}
