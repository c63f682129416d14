package incidents_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// contactable has it written down whom people can ask: without it no notice goes.
func (w *world) contactable() {
	w.t.Helper()
	_, err := w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Name: "Hof Hosting", Jurisdiction: "EU", Country: "DE-BY", Zone: "Europe/Berlin", Establishment: true,
		Contact: "Dora Datenschutz", ContactEmail: "privacy@hof.example", ContactPhone: "+49 89 1234"})
	if err != nil {
		w.t.Fatal(err)
	}
}

// drafts drafts notices as Ada.
func (w *world) drafts(c incidents.Case, purpose incidents.Purpose, whom ...customers.Customer) []incidents.Notice {
	w.t.Helper()
	var ids []string
	for _, x := range whom {
		ids = append(ids, x.ID)
	}
	made, left, err := w.incidents.MakeDrafts(w.ctx, w.all, c.ID, purpose, ids...)
	if err != nil || len(left) > 0 {
		w.t.Fatalf("drafts: left out %v, %v", left, err)
	}
	return made
}

// draft drafts one to a customer.
func (w *world) draft(c incidents.Case, purpose incidents.Purpose, x customers.Customer) incidents.Notice {
	w.t.Helper()
	list := w.drafts(c, purpose, x)
	if len(list) != 1 || list[0].Customer != x.ID {
		w.t.Fatalf("drafts: got %+v", list)
	}
	return list[0]
}

// notice is a notice as it is now.
func (w *world) notice(id string) incidents.Notice {
	w.t.Helper()
	return must[incidents.Notice](w.t)(w.incidents.Notice(w.ctx, w.all, id))
}

// seen are the versions of notices as they are now.
func (w *world) seen(f incidents.NoticeFilter) map[string]int64 {
	w.t.Helper()
	out := map[string]int64{}
	f.Heads, f.Limit = true, 200
	for {
		items, next, err := w.incidents.Notices(w.ctx, w.all, f)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, n := range items {
			out[n.ID] = n.Version
		}
		if f.Token = next; next == "" {
			return out
		}
	}
}

// sendAlone sends as Ada, without a second person.
func (w *world) sendAlone(id string) incidents.Notice {
	w.t.Helper()
	return must[incidents.Notice](w.t)(w.incidents.Send(w.ctx, w.all, id, incidents.Sending{AloneWhy: "It is three in the morning."}))
}

// sent are the mails of a template, by address.
func (w *world) sent(template string) (to []string) {
	for _, l := range w.post.letters(template) {
		to = append(to, l.To)
	}
	return to
}

func texts(checks []incidents.Check) (keys []string) {
	for _, c := range checks {
		keys = append(keys, c.Key)
	}
	return keys
}

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

func third[T, U any](_ T, _ U, err error) error { return err }

func second[T any](_ T, err error) error { return err }

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

// TestSecondPerson: the first notice waits for an hour at most, others wait.
func TestSecondPerson(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne})
		n := w.draft(c, incidents.First, w.maple)
		n = must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{Version: n.Version}))
		if n.State != incidents.Waiting || len(w.sent(mail.IncidentNotice)) != 0 {
			t.Fatalf("got %s, mails %v", n.State, w.post.to())
		}
		same(t, "asked", w.sent(mail.IncidentSecond), []string{"bob@ostler.example", "cleo@ostler.example"})
		if !slices.Contains(w.kinds(), "incident.second") {
			t.Errorf("findings: %v", w.kinds())
		}
		if _, err := w.incidents.Approve(w.ctx, w.all, n.ID, n.Version); code(err) != controlplane.CodeConflict {
			t.Errorf("the author approved: %v", err)
		}
		if _, err := w.incidents.Approve(w.asBob(), w.all, n.ID, n.Version-1); code(err) != controlplane.CodeConflict {
			t.Errorf("what was not looked at: got %v", err)
		}
		n = must[incidents.Notice](t)(w.incidents.Approve(w.asBob(), w.all, n.ID, n.Version))
		if n.State != incidents.Sent || n.Second != w.bob.ID || n.AloneWhy != "" || n.SHA256 == "" {
			t.Errorf("got %+v", n)
		}
		w.run()
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
		if slices.Contains(w.kinds(), "incident.second") {
			t.Errorf("findings: %v", w.kinds())
		}
		// An update waits however long, unless nobody answered for an hour and its author says why.
		u := w.draft(c, incidents.Update, w.maple)
		if u.Purpose != incidents.Update || u.Phase != 2 {
			t.Fatalf("got %+v", u)
		}
		if _, err := w.incidents.Send(w.ctx, w.all, u.ID, incidents.Sending{AloneWhy: "quick"}); code(err) != controlplane.CodeConflict {
			t.Errorf("alone at once: %v", err)
		}
		u = must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, u.ID, incidents.Sending{}))
		w.later(2 * time.Hour)
		if got := w.notice(u.ID); got.State != incidents.Waiting {
			t.Errorf("an update went by itself: %s", got.State)
		}
		u = must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, u.ID, incidents.Sending{AloneWhy: "Nobody answered."}))
		if u.State != incidents.Sent || u.AloneWhy != "Nobody answered." {
			t.Errorf("got %+v", u)
		}
		// Who did not write it is the second person.
		v := w.draft(c, incidents.Update, w.maple)
		if v = must[incidents.Notice](t)(w.incidents.Send(w.asBob(), w.all, v.ID, incidents.Sending{Version: v.Version})); v.State != incidents.Sent || v.Second != w.bob.ID {
			t.Errorf("got %+v", v)
		}
	})
}

// Two persons are required, and one signs in: the first notice goes after an hour
// in the author's name, and says why.
func TestTheFirstNoticeGoesAfterAnHour(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne})
		n := w.draft(c, incidents.First, w.maple)
		must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{}))
		w.later(59 * time.Minute)
		if got := w.notice(n.ID); got.State != incidents.Waiting {
			t.Fatalf("before the hour was over: %s", got.State)
		}
		w.later(time.Minute)
		got := w.notice(n.ID)
		if got.State != incidents.Sent || got.Author != w.ada.ID || got.Second != "" || !strings.Contains(got.AloneWhy, "nobody answered within an hour") {
			t.Errorf("got %+v", got)
		}
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
		w.later(time.Hour)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
	})
}

// What is late goes out with the reasons, also where a second person did not come.
func TestLate(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.draft(c, incidents.First, w.maple)
		if n.DueAt.IsZero() {
			t.Fatalf("no clock: %+v", of(t, c, w.maple))
		}
		w.later(n.DueAt.Sub(w.clock.Now()) - 30*time.Minute)
		must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{}))
		w.later(time.Hour)
		got := w.notice(n.ID)
		if got.State != incidents.Sent || !strings.Contains(got.LateWhy, "nobody answered") || !strings.Contains(got.Text, "Why this comes late\n"+got.LateWhy) {
			t.Errorf("got %+v\n%s", got, got.Text)
		}
		d := w.affect(w.open([]customers.Server{w.harbourOne}), w.harbour)
		m := w.draft(d, incidents.First, w.harbour)
		w.later(25 * time.Hour)
		if p := must[incidents.Preview](t)(w.incidents.Preview(w.ctx, w.all, m.ID)); !slices.Contains(texts(p.Checks), "delay") {
			t.Errorf("checks: %+v", p.Checks)
		}
		if _, err := w.incidents.Send(w.ctx, w.all, m.ID, incidents.Sending{AloneWhy: "now"}); code(err) != controlplane.CodeInvalid {
			t.Errorf("late without reasons: %v", err)
		}
		m = must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, m.ID, incidents.Sending{AloneWhy: "now", LateWhy: "We were asleep."}))
		w.run()
		w.becomes(mail.IncidentNotice, "henry@harbour.example", mail.Accepted, "")
		w.run()
		clock := of(t, w.get(d.ID), w.harbour).Clock
		if m.State != incidents.Sent || !strings.Contains(m.Text, "We were asleep.") || clock.State != incidents.MetLate {
			t.Errorf("got %s, clock %+v", m.State, clock)
		}
	})
}

// TestDelivery follows a notice: a mail server's word stops the clock, a bounce has
// it run on, the next contact is written to, and then a person has to call.
func TestDelivery(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
		told := func(want bool, state incidents.NoticeState) {
			t.Helper()
			w.run()
			a := of(t, w.get(c.ID), w.maple)
			if got := w.notice(n.ID); got.State != state || got.ToldAt.IsZero() == want || a.ToldAt.IsZero() == want || (a.Clock.State == incidents.Met) != want {
				t.Errorf("got %s, told %v, the customer %v, clock %s", got.State, got.ToldAt, a.ToldAt, a.Clock.State)
			}
		}
		told(false, incidents.Sent)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Deferred, mail.CauseLater)
		told(false, incidents.Sent)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Accepted, "")
		told(true, incidents.Accepted)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Bounced, mail.CauseBounced)
		told(false, incidents.Sent)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example", "berta@maple.example"})
		w.becomes(mail.IncidentNotice, "berta@maple.example", mail.Failed, mail.CauseRefused)
		told(false, incidents.Unreachable)
		f := w.finding("incident.unreachable")
		if f.Args["person"] != "Ada Admin" || f.Args["customer"] != "Maple Bakery" || f.Args["because"] == "" {
			t.Errorf("finding: %+v", f)
		}
		// Somebody puts an address right: it is tried again.
		address := "anna.new@maple.example"
		w.clock.Advance(time.Minute)
		must[customers.Contact](t)(w.customers.UpdateContact(w.ctx, w.all, w.anna.ID, customers.ContactChange{Email: &address}))
		w.later(time.Hour)
		w.becomes(mail.IncidentNotice, address, mail.Accepted, "")
		told(true, incidents.Accepted)
		if slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("findings: %v", w.kinds())
		}
		if got := w.notice(n.ID); len(got.Tries) != 3 || got.Tries[0].Name != "Anna" || got.Tries[1].State != "failed" {
			t.Errorf("tries: %+v", got.Tries)
		}
	})
}

// Nobody opens it: the next contact has it after four hours, then a person hears
// of it; a call is recorded; opening it in the portal is the surest.
func TestNobodyOpens(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Accepted, "")
		w.later(4 * time.Hour)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example", "berta@maple.example"})
		w.becomes(mail.IncidentNotice, "berta@maple.example", mail.Accepted, "")
		w.later(4 * time.Hour)
		if got := w.notice(n.ID); got.State != incidents.Accepted || !strings.Contains(w.finding("incident.unreachable").Args["because"], "opened") {
			t.Errorf("got %s, findings %v", got.State, w.kinds())
		}
		got := must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "Berta", How: "call", Note: "She had it and has read it."}))
		w.run()
		if got.State != incidents.Called || slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("got %s, findings %v", got.State, w.kinds())
		}
		told := got.ToldAt
		ctx, scope := w.asContact(w.berta)
		if err := w.incidents.Opened(ctx, scope, n.ID); err != nil {
			t.Fatal(err)
		}
		got = must[incidents.Notice](t)(w.incidents.Acknowledge(ctx, scope, n.ID))
		if got.State != incidents.Acknowledged || !got.ToldAt.Equal(told) || got.Author != "" || got.AloneWhy != "" || len(got.Tries) != 0 {
			t.Errorf("got %+v", got)
		}
		w.later(24 * time.Hour)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example", "berta@maple.example"})
		var kinds []string
		for _, e := range w.entries("incident.notice") {
			if e.Customer == w.maple.ID && e.Subject == n.ID {
				kinds = append(kinds, e.Kind)
			}
		}
		same(t, "the customer's ledger", kinds, []string{"incident.notice_sent", "incident.notice_told", "incident.notice_opened", "incident.notice_acknowledged"})
	})
}

// A customer opens it before any mail server has said a word: that is delivered,
// and the case knows by the plane's own transaction.
func TestOpenedFirst(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
		ctx, scope := w.asContact(w.anna)
		if err := w.incidents.Opened(ctx, scope, n.ID); err != nil {
			t.Fatal(err)
		}
		w.run()
		if a := of(t, w.get(c.ID), w.maple); a.Clock.State != incidents.Met || a.TheirDue.IsZero() {
			t.Errorf("got %+v", a)
		}
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Bounced, mail.CauseBounced)
		w.later(5 * time.Hour)
		if got := w.notice(n.ID); got.State != incidents.Opened || len(w.sent(mail.IncidentNotice)) != 1 {
			t.Errorf("got %s, mails %v", got.State, w.post.to())
		}
		other, scope := w.asContact(w.henry)
		for name, err := range map[string]error{"opened": w.incidents.Opened(other, scope, n.ID), "acknowledge": second(w.incidents.Acknowledge(other, scope, n.ID)), "notice": second(w.incidents.Notice(other, scope, n.ID))} {
			if code(err) != controlplane.CodeNotFound {
				t.Errorf("another customer, %s: %v", name, err)
			}
		}
		if _, err := w.incidents.Acknowledge(w.ctx, w.all, n.ID); code(err) != controlplane.CodeForbidden {
			t.Errorf("staff took note: %v", err)
		}
	})
}

// A customer without contacts blocks nothing, and goes to a person.
func TestNobodyToWriteTo(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		lonely := w.customer("lonely", "Lonely Ltd")
		reader := w.customer("reading", "Reading Room")
		w.contact(reader, "Rita", policy.RoleReader)
		w.lives(w.shared, lonely)
		w.lives(w.shared, reader)
		c := w.open([]customers.Server{w.shared})
		if got := w.drafts(c, incidents.First); len(got) != 4 {
			t.Fatalf("drafts: %d", len(got))
		}
		sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"})
		if err != nil || sent != 4 || len(kept) != 0 {
			t.Fatalf("got %d, %v, %v", sent, kept, err)
		}
		w.run()
		got := w.sent(mail.IncidentNotice)
		slices.Sort(got)
		same(t, "mails", got, []string{"anna@maple.example", "henry@harbour.example"})
		var who []string
		for _, f := range w.found() {
			if f.Kind == "incident.unreachable" {
				who = append(who, f.Args["customer"]+": "+f.Args["because"])
			}
		}
		slices.Sort(who)
		same(t, "to be called", who, []string{"Lonely Ltd: They have no owner among their contacts", "Reading Room: They have no owner among their contacts"})
		w.contact(lonely, "Lea", policy.RoleOwner)
		w.later(time.Hour)
		if !slices.Contains(w.sent(mail.IncidentNotice), "lea@lonely.example") {
			t.Errorf("mails: %v", w.post.to())
		}
	})
}

// The usual channel may be read by others: the mail says nothing, and a person calls.
func TestUnsafeChannel(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}, func(n *incidents.NewCase) { n.ChannelUnsafe = true }), w.maple)
		d := w.draft(c, incidents.First, w.maple)
		if p := must[incidents.Preview](t)(w.incidents.Preview(w.ctx, w.all, d.ID)); !slices.Contains(texts(p.Checks), "channel") {
			t.Errorf("checks: %+v", p.Checks)
		}
		n := w.sendAlone(d.ID)
		w.run()
		l := w.post.letters(mail.IncidentChannel)
		if len(w.sent(mail.IncidentNotice)) != 0 || len(l) == 0 || len(l[0].Args) != 0 {
			t.Fatalf("mails: %v", w.post.to())
		}
		w.becomes(mail.IncidentChannel, "anna@maple.example", mail.Accepted, "")
		w.run()
		if got := w.notice(n.ID); got.State.Delivered() || !slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("got %s, findings %v", got.State, w.kinds())
		}
		must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "Anna", How: "call", Note: "Called the number of the contract."}))
		w.run()
		if a := of(t, w.get(c.ID), w.maple); a.Clock.State != incidents.Met || slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("clock %s, findings %v", a.Clock.State, w.kinds())
		}
	})
}

// A false alarm: whoever was told is told so, and what was not sent is not sent.
func TestFalseAlarm(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.shared})
		w.drafts(c, incidents.First)
		items, _, err := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, Customer: w.maple.ID, Audience: incidents.ToCustomer, State: incidents.Draft})
		if err != nil || len(items) != 1 {
			t.Fatalf("got %v, %v", items, err)
		}
		w.sendAlone(items[0].ID)
		waiting, _, _ := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, Customer: w.harbour.ID, State: incidents.Draft})
		must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, waiting[0].ID, incidents.Sending{}))
		w.falseAlarm(c.ID, "It was a test of ours.")
		w.later(2 * time.Hour)
		same(t, "notices", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
		same(t, "withdrawn", w.sent(mail.IncidentWithdrawn), []string{"anna@maple.example"})
		if l := w.post.letters(mail.IncidentWithdrawn)[0]; !strings.Contains(l.Args["text"], "It was a test of ours.") || !strings.Contains(l.Args["text"], "does not hold") {
			t.Errorf("got\n%s", l.Args["text"])
		}
		if got := w.notice(waiting[0].ID); got.State != incidents.Discarded {
			t.Errorf("got %s", got.State)
		}
		w.later(24 * time.Hour)
		same(t, "withdrawn", w.sent(mail.IncidentWithdrawn)[:1], []string{"anna@maple.example"})
		if slices.Contains(w.kinds(), "incident.second") {
			t.Errorf("findings: %v", w.kinds())
		}
	})
}

// Who is cleared after they were told is told so; a reason that names another
// customer stays here.
func TestCleared(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.shared})
		w.drafts(c, incidents.First)
		sent, _, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"})
		if err != nil || sent != 2 {
			t.Fatal(sent, err)
		}
		w.clear(c.ID, w.maple.ID, "Only Harbour Mail was read.")
		w.run()
		w.run()
		got := w.post.letters(mail.IncidentWithdrawn)
		if len(got) != 1 || got[0].To != "anna@maple.example" || strings.Contains(got[0].Args["text"], "Harbour") || strings.Contains(got[0].Args["text"], "Why\n") {
			t.Errorf("got %+v", got)
		}
	})
}

// An exercise sends nothing, and its clocks run as if it had.
func TestADrillSendsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.shared}, func(n *incidents.NewCase) { n.Drill = true }), w.maple)
		w.drafts(c, incidents.First)
		sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "An exercise."})
		if err != nil || sent != 2 || len(kept) != 0 {
			t.Fatalf("got %d, %v, %v", sent, kept, err)
		}
		w.clear(c.ID, w.harbour.ID, "An exercise.")
		w.later(48 * time.Hour)
		if to := w.post.to(); len(to) != 0 {
			t.Errorf("mails of an exercise: %v", to)
		}
		items, _, _ := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, Customer: w.maple.ID})
		if len(items) != 1 || items[0].State != incidents.Drilled || !strings.Contains(w.notice(items[0].ID).Text, "THIS IS AN EXERCISE") {
			t.Errorf("got %+v", items)
		}
		ctx, scope := w.asContact(w.anna)
		if own, _, err := w.incidents.Notices(ctx, scope, incidents.NoticeFilter{}); err != nil || len(own) != 0 {
			t.Errorf("a contact sees an exercise: %+v, %v", own, err)
		}
	})
}

// A paper for an authority is recorded when it was handed in.
func TestPapers(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne}, func(n *incidents.NewCase) { n.OurData = "yes" })
		n := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToAuthority, "gdpr", incidents.First))
		if !strings.Contains(n.Text, "Artikel 33 Absatz 1") || n.Lang != "de" || !strings.Contains(n.Text, "Hof Hosting") {
			t.Errorf("got %s\n%s", n.Lang, n.Text)
		}
		if _, err := w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{AloneWhy: "x"}); code(err) != controlplane.CodeConflict {
			t.Errorf("a paper was sent: %v", err)
		}
		if _, err := w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToAuthority, "gdpr", incidents.First); code(err) != controlplane.CodeConflict {
			t.Errorf("two drafts: %v", err)
		}
		for name, in := range map[string]incidents.Telling{"nobody": {How: "form"}, "no way": {To: "x", How: "smoke"}, "to come": {To: "x", How: "form", At: "2099-01-01 10:00"}, "a call of nothing": {To: "x", How: "call"}} {
			if _, err := w.incidents.Tell(w.ctx, w.all, n.ID, in); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		got := must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "BayLDA", How: "form", Reference: "LDA-1085.1-2026"}))
		w.run()
		if got.State != incidents.Called || got.ToldAt.IsZero() || got.SHA256 == "" || len(got.Tries) != 1 || got.Tries[0].How != "form" {
			t.Errorf("got %+v", got)
		}
		if u := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToAuthority, "gdpr", incidents.Update)); u.Phase != 2 {
			t.Errorf("phase: %d", u.Phase)
		}
		e := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToCSIRT, "nis2", incidents.First))
		if !strings.Contains(e.Text, "Artikel 23 Absatz 4 Buchstabe a") {
			t.Errorf("got\n%s", e.Text)
		}
		if strings.Contains(e.Text, "siehe unten") || !strings.Contains(e.Text, "Ob rechtswidrige oder böswillige Handlungen") || !strings.Contains(e.Text, "grenzüberschreitende Auswirkungen haben kann") {
			t.Errorf("Article 23(4)(a): got\n%s", e.Text)
		}
		for phase, want := range []string{"Buchstabe a", "Buchstabe b", "Buchstabe c"} {
			if phase > 0 {
				e = must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToCSIRT, "nis2", incidents.Update))
			}
			must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, e.ID, 0, incidents.NoticeEdit{Fields: []incidents.Field{{Key: "cross_border", Known: incidents.IsKnown, Value: "Austria, too."}}}))
			if e = must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, e.ID, incidents.Telling{To: "CERT-Bund", How: "form"})); !strings.Contains(e.Text, "Absatz 4 "+want) || !strings.Contains(e.Text, "Austria, too.") {
				t.Errorf("phase %d: %s is missing in\n%s", phase+1, want, e.Text)
			}
		}
		p := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToPeople, "uk-gdpr", incidents.First))
		if len(p.Fields) != 4 {
			t.Errorf("fields for people: %+v", p.Fields)
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
		c := w.open([]customers.Server{w.mapleOne, w.shared})
		n := w.draft(c, incidents.First, w.maple)
		for words, want := range map[string]string{
			"Maple Bakery is not the only one": "",
			"It is on maple-1 and on shared-1": "",
			"Data of people were read":         "warns",
			"Harbour Mail, too":                "stops",
			"HARBOUR\u00a0mail, too":           "stops",
			"har\u00adbour mail, too":          "stops",
			"harbour-mail, too":                "stops",
			"see HARBOUR-1":                    "stops",
			"see web-7.hosting.example":        "stops",
			"see web-7":                        "stops",
			"ask harbour":                      "stops",
			"ask the harbourmaster":            "",
			"Orchard Farm Ltd":                 "stops",
			"1 to 360 people":                  "",
			"https://harbour-1/x":              "stops",
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

// TestFreezing: whom it concerns is told once for each end.
func TestFreezing(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne})
		w.run()
		same(t, "told", w.sent(mail.IncidentFreeze), []string{"anna@maple.example"})
		w.affect(c, w.harbour)
		w.run()
		same(t, "told", w.sent(mail.IncidentFreeze), []string{"anna@maple.example", "henry@harbour.example"})
		until := incidents.At(w.clock.Now().Add(90 * 24 * time.Hour).Format(time.RFC3339))
		must[incidents.Case](t)(w.incidents.Freeze(w.ctx, w.all, c.ID, until, "The police asked for it."))
		w.run()
		got := w.post.letters(mail.IncidentFreeze)
		if len(got) != 4 || !strings.Contains(got[3].Args["text"], "The police asked for it.") {
			t.Errorf("got %d: %+v", len(got), got)
		}
		w.later(24 * time.Hour)
		if len(w.post.letters(mail.IncidentFreeze)) != 4 || slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("mails %v, findings %v", w.post.to(), w.kinds())
		}
	})
}

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

// finding is the open finding of a kind.
func (w *world) finding(kind string) findings.Finding {
	w.t.Helper()
	for _, f := range w.found() {
		if f.Kind == kind {
			return f
		}
	}
	w.t.Fatalf("no finding %s: %v", kind, w.kinds())
	return findings.Finding{}
}
