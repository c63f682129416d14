package incidents_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
)

// A case on a shared server: each customer is told of their own servers alone.
func TestADraftHoldsTheRecipientsDataOnly(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne, w.shared})
		got := w.drafts(c, incidents.First)
		if len(got) != 2 {
			t.Fatalf("drafts: got %d, want one for each tenant", len(got))
		}
		for _, n := range got {
			n = w.notice(n.ID)
			own, other := "maple-1, shared-1", "Harbour"
			if n.Customer == w.harbour.ID {
				own, other = "touches: shared-1.", "maple"
			}
			if n.State != incidents.Draft || n.Phase != 1 || n.Purpose != incidents.First || n.Regime != "gdpr" || !strings.Contains(n.Text, own) || strings.Contains(strings.ToLower(n.Text), strings.ToLower(other)) {
				t.Errorf("%s: got %+v\n%s", n.Customer, n, n.Text)
			}
			for _, want := range []string{"Article 33(2)", "Case " + c.Number, "Dora Datenschutz", "72 hours, probably runs", "If you are the controller", "not contained yet", "data may have been reached by somebody"} {
				if !strings.Contains(n.Text, want) && !strings.Contains(n.Text, strings.ToLower(want[:1])+want[1:]) {
					t.Errorf("%s: %q is missing in\n%s", n.Customer, want, n.Text)
				}
			}
		}
		if again := w.drafts(c, incidents.First); len(again) != 0 {
			t.Errorf("drafted twice: %+v", again)
		}
		if len(w.sent(mail.IncidentNotice)) != 0 {
			t.Error("a draft was sent")
		}
	})
}

func TestPreview(t *testing.T) {
	each(t, func(w *world) {
		c := w.open([]customers.Server{w.mapleOne})
		n := w.draft(c, incidents.First, w.maple)
		check := func(want ...string) incidents.Preview {
			t.Helper()
			p := must[incidents.Preview](t)(w.incidents.Preview(w.ctx, w.all, n.ID))
			var got []string
			for _, c := range p.Checks {
				if c.Stops {
					got = append(got, c.Key+"!")
				} else {
					got = append(got, c.Key)
				}
			}
			same(t, "checks", got, want)
			return p
		}
		empty := []string{"field.categories", "field.people", "field.record_categories", "field.records", "field.consequences"}
		check(append(append([]string{"contact!"}, empty...), "field.measures", "second")...)
		if _, err := w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{AloneWhy: "now"}); code(err) != controlplane.CodeConflict {
			t.Errorf("sent without a contact: %v", err)
		}
		w.contactable()
		p := check(append(slices.Clone(empty), "field.measures", "second")...)
		if len(p.Recipients) != 2 || p.Recipients[0].Contact != w.anna.ID || p.Recipients[1].Contact != w.berta.ID {
			t.Errorf("recipients: got %+v", p.Recipients)
		}
		words := "It is also on harbour-1."
		n = must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, n.ID, n.Version, incidents.NoticeEdit{Words: &words}))
		check(append(append([]string{"other_customer!"}, empty...), "field.measures", "second")...)
		_, err := w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{AloneWhy: "now"})
		if code(err) != controlplane.CodeConflict || !strings.Contains(err.Error(), "harbour-1") || len(w.sent(mail.IncidentNotice)) != 0 {
			t.Errorf("another customer's server: %v", err)
		}
		words = "Nothing else."
		n = must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, n.ID, n.Version, incidents.NoticeEdit{Words: &words, Fields: []incidents.Field{
			{Key: "people", Known: incidents.IsRange, Low: 1200, High: 15000}, {Key: "records", Known: incidents.IsUnknown, Owner: w.bob.ID, By: w.clock.Now().Add(48 * time.Hour)}}}))
		p = check("field.categories", "field.record_categories", "field.consequences", "field.measures", "second")
		if !strings.Contains(p.Notice.Text, "Between 1,200 and 15,000.") || !strings.Contains(p.Notice.Text, "Not known yet. We tell you by ") || strings.Contains(p.Notice.Text, "Bob") {
			t.Errorf("got\n%s", p.Notice.Text)
		}
		ctx, scope := w.asContact(w.anna)
		for name, err := range map[string]error{
			"preview": second(w.incidents.Preview(ctx, scope, n.ID)), "notice": second(w.incidents.Notice(ctx, scope, n.ID)),
			"send": second(w.incidents.Send(ctx, scope, n.ID, incidents.Sending{})), "edit": second(w.incidents.Edit(ctx, scope, n.ID, 0, incidents.NoticeEdit{})),
			"opened": w.incidents.Opened(ctx, scope, n.ID), "acknowledge": second(w.incidents.Acknowledge(ctx, scope, n.ID)), "drafts": third(w.incidents.MakeDrafts(ctx, scope, c.ID, incidents.First)),
			"tell": second(w.incidents.Tell(ctx, scope, n.ID, incidents.Telling{To: "x", How: "call", Note: "y"})), "discard": second(w.incidents.Discard(ctx, scope, n.ID, "x")),
			"approve": second(w.incidents.Approve(ctx, scope, n.ID, n.Version)), "all": second(w.incidents.EditAll(ctx, scope, c.ID, incidents.NoticeEdit{})),
		} {
			if code(err) != controlplane.CodeNotFound {
				t.Errorf("a contact, %s of a draft: %v", name, err)
			}
		}
		if items, _, err := w.incidents.Notices(ctx, scope, incidents.NoticeFilter{}); err != nil || len(items) != 0 {
			t.Errorf("a contact sees drafts: %+v, %v", items, err)
		}
	})
}

func TestFieldsAreChecked(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		n := w.draft(w.open([]customers.Server{w.mapleOne}), incidents.First, w.maple)
		later := w.clock.Now().Add(time.Hour)
		fr, long := "fr", strings.Repeat("x", 20_001)
		for name, in := range map[string]incidents.NoticeEdit{
			"no such field":         {Fields: []incidents.Field{{Key: "colour", Known: incidents.IsKnown, Value: "x"}}},
			"no such word":          {Fields: []incidents.Field{{Key: "people", Known: "maybe"}}},
			"twice":                 {Fields: []incidents.Field{{Key: "people", Known: incidents.IsRange, High: 1}, {Key: "people", Known: incidents.IsRange, High: 2}}},
			"known of nothing":      {Fields: []incidents.Field{{Key: "people", Known: incidents.IsKnown, Value: " \n"}}},
			"range turned round":    {Fields: []incidents.Field{{Key: "people", Known: incidents.IsRange, Low: 2, High: 1}}},
			"below nothing":         {Fields: []incidents.Field{{Key: "people", Known: incidents.IsRange, Low: -1, High: 1}}},
			"unknown without owner": {Fields: []incidents.Field{{Key: "people", Known: incidents.IsUnknown, By: later}}},
			"unknown without date":  {Fields: []incidents.Field{{Key: "people", Known: incidents.IsUnknown, Owner: w.bob.ID}}},
			"unknown in the past":   {Fields: []incidents.Field{{Key: "people", Known: incidents.IsUnknown, Owner: w.bob.ID, By: w.clock.Now()}}},
			"unknown of a stranger": {Fields: []incidents.Field{{Key: "people", Known: incidents.IsUnknown, Owner: "stf_0000000000000000000000000z", By: later}}},
			"unknown contact":       {Fields: []incidents.Field{{Key: "contact", Known: incidents.IsUnknown, Owner: w.bob.ID, By: later}}},
			"empty contact":         {Fields: []incidents.Field{{Key: "contact", Known: incidents.Empty}}},
			"too long":              {Fields: []incidents.Field{{Key: "nature", Known: incidents.IsKnown, Value: strings.Repeat("x", 4001)}}},
			"too many words":        {Words: &long},
			"no such language":      {Lang: &fr},
		} {
			if _, err := w.incidents.Edit(w.ctx, w.all, n.ID, n.Version, in); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if _, err := w.incidents.Edit(w.ctx, w.all, n.ID, n.Version+1, incidents.NoticeEdit{}); code(err) != controlplane.CodeConflict {
			t.Errorf("another version: %v", err)
		}
	})
}

// HTML and the longest texts go out as they were written, and as nothing else.
func TestTheLongestTextsAndHTML(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne})
		n := w.draft(c, incidents.First, w.maple)
		evil := "<script>alert(1)</script> {number} \u202egpj.exe\x00"
		var fields []incidents.Field
		for _, k := range incidents.FieldKeys() {
			fields = append(fields, incidents.Field{Key: k, Known: incidents.IsKnown, Value: evil + strings.Repeat("ä", 4000-len([]rune(evil)))})
		}
		words := strings.Repeat("W", 19_999) + "!"
		n = must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, n.ID, 0, incidents.NoticeEdit{Fields: fields, Words: &words}))
		n = w.sendAlone(n.ID)
		got := w.post.letters(mail.IncidentNotice)
		if len(got) != 1 || got[0].Args["text"] != n.Text || strings.Count(n.Text, "<script>alert(1)</script> {number} gpj.exe") != 8 || !strings.Contains(n.Text, words) || strings.ContainsAny(n.Text, "\u202e\x00") {
			t.Errorf("%d mails, %d of the text", len(got), strings.Count(n.Text, "<script>"))
		}
		if strings.Contains(n.Text, "privacy@") == false {
			t.Error("whom to ask was written over")
		}
	})
}

// Every purpose of every audience, in every regime and language, reads whole.
func TestEveryTextThereIs(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		de := "de"
		c := w.open([]customers.Server{w.mapleOne})
		read := func(n incidents.Notice) {
			t.Helper()
			if n.Title == "" || len(n.Text) < 100 || strings.ContainsAny(n.Title+n.Text, "{}") || strings.Contains(n.Text, "\n\n\n") {
				t.Errorf("%s %s %s %s: got %q\n%s", n.Audience, n.Purpose, n.Regime, n.Lang, n.Title, n.Text)
			}
		}
		for _, p := range []incidents.Purpose{incidents.First, incidents.Update, incidents.Final, incidents.Withdrawal} {
			for _, to := range []incidents.Audience{incidents.ToAuthority, incidents.ToCSIRT, incidents.ToPeople} {
				for _, regime := range []string{"gdpr", "uk-gdpr", "nis2"} {
					if (to == incidents.ToCSIRT) != (regime == "nis2") {
						continue
					}
					n := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, to, regime, p))
					read(n)
					en := "en"
					read(must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, n.ID, 0, incidents.NoticeEdit{Lang: &en})))
					must[incidents.Notice](t)(w.incidents.Discard(w.ctx, w.all, n.ID, "read"))
				}
			}
			n := w.draft(c, p, w.maple)
			read(w.notice(n.ID))
			d := must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, n.ID, 0, incidents.NoticeEdit{Lang: &de}))
			read(d)
			if p != incidents.Withdrawal && !strings.Contains(d.Text, "jemand hat vielleicht unbefugt auf Daten zugegriffen") {
				t.Errorf("what the case says by itself is not in German:\n%s", d.Text)
			}
			w.clock.Advance(time.Minute)
			must[incidents.Notice](t)(w.incidents.Send(w.asBob(), w.all, n.ID, incidents.Sending{Version: w.notice(n.ID).Version}))
		}
	})
}

// The same words go into every draft; each keeps its own.
func TestEditAll(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.shared})
		w.drafts(c, incidents.First)
		words := "Change your passwords."
		n, err := w.incidents.EditAll(w.ctx, w.all, c.ID, incidents.NoticeEdit{Words: &words, Fields: []incidents.Field{{Key: "categories", Known: incidents.IsKnown, Value: "People with a mailbox"}}})
		if err != nil || n != 2 {
			t.Fatalf("got %d, %v", n, err)
		}
		items, _, err := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID})
		for _, n := range items {
			if n = w.notice(n.ID); !strings.Contains(n.Text, words) || !strings.Contains(n.Text, "People with a mailbox") {
				t.Errorf("got\n%s", n.Text)
			}
		}
		if err != nil || len(items) != 2 {
			t.Errorf("got %d, %v", len(items), err)
		}
		if sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{}); err != nil || sent != 0 || len(kept) != 2 {
			t.Errorf("got %d, %v, %v", sent, kept, err)
		}
		same(t, "asked", w.sent(mail.IncidentSecond), []string{"bob@ostler.example", "cleo@ostler.example"}) // once for both
		if sent, kept, err := w.incidents.SendAll(w.asBob(), w.all, c.ID, incidents.Sending{Seen: w.seen(incidents.NoticeFilter{Case: c.ID})}); err != nil || sent != 2 || len(kept) != 0 {
			t.Errorf("got %d, %v, %v", sent, kept, err)
		}
	})
}

// TestNames: what names another customer stops a notice; what is an ordinary word
// warns only, and one's own names are one's own.
func TestNames(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		w.customer("data", "Data")
		w.customer("bakery-two", "Bakery") // its name is in another's
		w.customer("orchard-farm", "Orchard")
		far := w.server("web-7.hosting.example")
		w.lives(far, w.harbour)
		w.owns(w.harbourOne, w.harbour, []string{"www.harbour-shop.example", "both.example"}, []string{"harbour_crm", "nextcloud", "shop", "hm2"})
		w.owns(w.mapleOne, w.maple, []string{"cakes.example", "both.example"}, []string{"cakes_crm"})
		moved := w.server("old-maple-4")
		w.left(moved, w.maple)
		retired := w.server("old-harbour-3.hosting.example")
		w.left(retired, w.harbour)
		must[customers.Server](t)(w.customers.RetireServer(w.ctx, w.all, retired.ID))
		c := w.open([]customers.Server{w.mapleOne, w.shared})
		n := w.draft(c, incidents.First, w.maple)
		for words, want := range map[string]string{
			"Maple Bakery is not the only one":                   "",
			"It is on maple-1 and on shared-1":                   "",
			"Data of people were read":                           "warns",
			"Harbour Mail, too":                                  "stops",
			"HARBOUR\u00a0mail, too":                             "stops",
			"har\u00adbour mail, too":                            "stops",
			"harbour-mail, too":                                  "stops",
			"see HARBOUR-1":                                      "stops",
			"see web-7.hosting.example":                          "stops",
			"see web-7":                                          "stops",
			"ask harbour":                                        "stops",
			"ask the harbourmaster":                              "",
			"Orchard Farm Ltd":                                   "stops",
			"1 to 360 people":                                    "",
			"https://harbour-1/x":                                "stops",
			"https://harbour-shop.example/x":                     "stops",
			"See www.Harbour-Shop.example.":                      "stops",
			"from info@harbour-shop.example":                     "stops",
			"their harbour_crm":                                  "stops",
			"the database hm2":                                   "stops",
			"all of nextcloud":                                   "warns", // a database, and software
			"your shop":                                          "warns",
			"see cakes.example and cakes_crm":                    "",
			"see both.example":                                   "", // theirs as well
			"it was on old-maple-4":                              "", // they lived there
			"it was on old-harbour-3":                            "stops",
			"see old-harbour-3.hosting.example":                  "stops",
			strings.Repeat("x ", 9000) + " Harbour Mail at last": "stops",
		} {
			must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, n.ID, 0, incidents.NoticeEdit{Words: &words}))
			p := must[incidents.Preview](t)(w.incidents.Preview(w.ctx, w.all, n.ID))
			got := ""
			for _, c := range p.Checks {
				if c.Key == "other_customer" {
					got = "warns"
					if c.Stops {
						got = "stops"
						break
					}
				}
			}
			if got != want {
				t.Errorf("%.60q: got %q, want %q", words, got, want)
			}
		}
	})
}
