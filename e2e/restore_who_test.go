package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// Staff restore nothing of a customer's and see no names, until they have said
// why; then they do for this one customer, who sees that, and no longer than it
// lasts.
func TestAssist(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		h := newHouse(t, w, "")
		harbour := w.AddCustomers("harbour")[0]
		live(w, h.host, "harbour", "/srv/harbour")
		h.host.Put("/srv/harbour/plan.txt", "harbour's plan\n")
		other := w.AddPlan(harbour, h.host, "Everything", "/srv/harbour")
		theirs := harbour.Over(other.ID, backupLimit).Snapshot
		mine := h.maple.Runs(h.plan.ID)[0].Snapshot
		h.maple.Listed(h.plan.ID, 1)
		staff := w.Staff()
		fetched := h.maple.Came(h.maple.Order(world.Order{Kind: "archive", Picks: world.Of(mine, folder)})[0].ID, "ready", backupLimit)
		closed := func(t *testing.T, when, customer, snapshot, plan string) {
			t.Helper()
			for _, o := range []world.Order{{Kind: "archive", Customer: customer, Picks: world.Of(snapshot, "/srv")}, {Kind: "in_place", Customer: customer, Picks: world.Of(snapshot, "/srv"), Target: &world.Place{}}} {
				if status, answer := staff.Refused(o); status != http.StatusForbidden && status != http.StatusNotFound {
					t.Errorf("%s: %s: status %d: %s", when, o.Kind, status, answer)
				}
			}
			for _, path := range []string{"/files?q=plan&customer=" + customer, "/files/history?path=/srv&plan=" + plan, "/snapshots/" + snapshot + "/files?path=/srv"} {
				if status, answer := staff.Do("GET", path, nil); status != http.StatusForbidden && status != http.StatusNotFound {
					t.Errorf("%s: %s: status %d: %s", when, path, status, answer)
				}
			}
		}
		closed(t, "without a reason", "maple", mine, h.plan.ID)
		if status, answer := staff.Do("GET", "/restores/"+fetched.ID+"/content", nil); status != http.StatusForbidden && status != http.StatusNotFound {
			t.Errorf("a customer's own archive, by staff: status %d: %.200s", status, answer)
		}
		for _, wrong := range []map[string]string{{"customer": "maple", "ticket": "OPS-7"}, {"customer": "maple", "reason": "they called"}, {"reason": "they called", "ticket": "OPS-7"}} {
			if status, answer := staff.Do("POST", "/assists", wrong); status < 400 || status >= 500 {
				t.Errorf("%v: status %d: %s", wrong, status, answer)
			}
		}
		if status, answer := h.maple.Do("POST", "/assists", map[string]string{"customer": "maple", "reason": "myself", "ticket": "x"}); status != http.StatusNotFound {
			t.Errorf("a customer assists: status %d: %s", status, answer)
		}
		const reason, ticket = "Lost the plan, called from the office", "OPS-4711"
		var assist struct{ ID string }
		status, answer := staff.Do("POST", "/assists", map[string]string{"customer": "maple", "reason": reason, "ticket": ticket})
		if status != http.StatusCreated || json.Unmarshal(answer, &assist) != nil {
			t.Fatalf("assist: status %d: %s", status, answer)
		}
		closed(t, "with a reason for another", "harbour", theirs, other.ID)
		if f := staff.Find("q", "plan", "customer", "maple"); len(f.Items) != 1 {
			t.Errorf("staff find %+v", f)
		}
		before := state(t, h.on(folder))
		h.host.Put(folder+"/office/plan.txt", "a bad plan\n")
		r := staff.Order(world.Order{Kind: "in_place", Customer: "maple", Picks: world.Of(mine, folder+"/office"), Target: &world.Place{Conflict: "overwrite"}})[0]
		staff.Came(r.ID, "previewed", backupLimit)
		staff.Step(r.ID, "confirm")
		staff.Came(r.ID, "ready", backupLimit)
		if read(t, h.on(folder+"/office/plan.txt")) != "the first plan\n" {
			t.Error("staff restored something else")
		}
		if got := h.maple.Restore(r.ID); got.Assist == nil || got.Assist.Reason != reason || got.Assist.Ticket != ticket {
			t.Errorf("the customer sees %+v", got)
		}
		if status, answer := staff.Do("POST", "/assists/"+assist.ID+"/end", nil); status != http.StatusNoContent {
			t.Errorf("end: status %d: %s", status, answer)
		}
		closed(t, "when it has ended", "maple", mine, h.plan.ID)
		entered(t, h, harbour, assist.ID, reason, ticket)
		h.maple.Step(r.ID, "undo") // the customer may take back what we did
		h.maple.Came(r.ID, "undone", backupLimit)
		h.host.Put(folder+"/office/plan.txt", "the first plan\n")
		same(t, "undo", h.on(folder), before)
	})
}

// entered expects an assist in the ledger of the customer, and in no other's.
func entered(t *testing.T, h *house, harbour *world.Customer, assist, reason, ticket string) {
	t.Helper()
	var log struct {
		Items []struct {
			Kind     string
			Data     map[string]any
			Personal map[string]string
		}
	}
	h.maple.JSON(&log, "ledger", "list", "--limit", "0")
	kinds := map[string]int{}
	for _, e := range log.Items {
		if e.Data["ticket"] != ticket && e.Personal["reason"] != reason {
			continue
		}
		kinds[e.Kind]++
		if e.Kind == "restore.requested" && (e.Data["assist"] != assist || e.Personal["reason"] != reason) {
			t.Errorf("requested: got %+v", e)
		}
	}
	for _, want := range []string{"restore.assist_started", "restore.assist_ended", "restore.requested", "restore.applied"} {
		if kinds[want] != 1 {
			t.Errorf("%s: %d times in the customer's log, want once: %v", want, kinds[want], kinds)
		}
	}
	out, _, _ := harbour.CLI("ledger", "list", "--limit", "0", "--output", "json")
	if strings.Contains(out, ticket) || strings.Contains(out, reason) {
		t.Error("the assist stands in another customer's log")
	}
}

// Who asked for a mail gets one when it is over, with the link and without the
// names of any files; who did not ask gets none.
func TestRestoreMail(t *testing.T) {
	t.Parallel()
	sink, config := world.MailServer(t)
	w := world.New(t, world.Options{Config: config})
	h := newHouse(t, w, "")
	snapshot := h.maple.Runs(h.plan.ID)[0].Snapshot
	for _, o := range []world.Order{{Kind: "archive"}, {Kind: "archive", MailMe: true}, {Kind: "in_place", MailMe: true}} {
		o.Picks = world.Of(snapshot, folder+"/office")
		had := len(sink.Messages())
		r := h.maple.Order(o)[0]
		if o.Kind == "in_place" {
			h.host.Put(folder+"/office/plan.txt", "another\n")
			h.maple.Came(r.ID, "previewed", backupLimit)
			h.maple.Step(r.ID, "confirm")
		}
		h.maple.Came(r.ID, "ready", backupLimit)
		if !o.MailMe {
			continue
		}
		world.Eventually(t, "a mail arrives", backupLimit, func() bool { return len(sink.Messages()) > had })
		m := sink.Messages()[had]
		if m.To != "owner@maple.example" || !m.TLS || m.Subject == "" {
			t.Errorf("mail: got to %s, %q", m.To, m.Subject)
		}
		text := strings.ReplaceAll(string(m.Raw), "=\r\n", "")
		w.Says("mail", text, w.URL, r.ID)
		for _, name := range []string{"office", "plan.txt", folder} {
			if strings.Contains(text, name) {
				t.Errorf("the mail has the name %s:\n%s", name, text)
			}
		}
	}
	if n := len(sink.Messages()); n != 2 {
		t.Errorf("mails: got %d, want 2", n)
	}
}
