package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/incidents"
)

// The second person sends all notices of a case as their page showed them: what was
// changed since stays, and the page says which and why.
func TestAllNoticesGoAsThePageShowedThem(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada := h.browser(h.admin.ID)
		tomas := h.browser(h.colleague().ID)
		h.known(ada)
		at, _, _ := strings.Cut(ada.post("/incidents", "title", "I think we were hacked").location(), "?")
		ada.follow(at+"/affect", "customer", h.maple.ID, "state", "affected", "because", "The order database was read")
		ada.post(at+"/notices", "audience", "customer", "purpose", "first")
		if a := ada.post(at+"/notices/send", "seen", ""); a.status != http.StatusOK || !strings.Contains(a.body, "Another person is asked") || heading(a.body) != "One notice waits for a second person." {
			t.Fatalf("asking: %d %q", a.status, heading(a.body))
		}
		seen := func() string {
			t.Helper()
			m := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(tomas.page(at + "/notices"))
			if m == nil {
				t.Fatal("the page does not say what it has shown")
			}
			return m[1]
		}
		was := seen()
		id, _, _ := strings.Cut(was, "=")
		state := func() incidents.NoticeState {
			return ok[incidents.Notice](t)(h.incidents.Notice(h.ctx, all, id)).State
		}
		words := "One thing more."
		ok[incidents.Notice](t)(h.incidents.Edit(h.ctx, all, id, 0, incidents.NoticeEdit{Words: &words}))
		for name, value := range map[string]string{"changed this notice after you looked": was, "you have not looked at it": ""} {
			a := tomas.post(at+"/notices/send", "seen", value)
			if a.status != http.StatusOK || !strings.Contains(a.body, name) || !strings.Contains(heading(a.body), "0 went, 1 did not") || state() != incidents.Draft {
				t.Errorf("%s: %d %q: %s", name, a.status, heading(a.body), between(a.body, `id="kept"`, "</section>"))
			}
		}
		if tomas.follow(at+"/notices/send", "seen", seen()); state() != incidents.Sent || !h.letters.to("ine@maple-bakery.example") {
			t.Errorf("what was looked at is not sent: %s", state())
		}
	})
}
