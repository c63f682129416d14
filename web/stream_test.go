package web_test

import (
	"bufio"
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane/bus"
	"ostler/controlplane/identity"
)

// A stream says that a topic changed and nothing else, and only to those who
// may read the thing itself.
func TestStreamCarriesNamesToThoseWhoMayReadThem(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete})
	ines, otto := h.browser(h.owner.ID), h.browser(h.stranger.ID)
	ines.page("/snapshots/" + snap.ID + "?path=%2Fx")
	var p wire.ListParams
	job := h.take(wire.ActionList, &p).Job
	for _, topic := range []string{bus.TopicJob(job), bus.TopicServer(h.server.ID), bus.TopicCustomer(h.maple.ID), "restore:res_1", bus.TopicFindings, "*", "nonsense"} {
		if a := otto.get("/events?topic=" + url.QueryEscape(topic)); a.status != http.StatusNotFound {
			t.Errorf("another customer hears %s: %d", topic, a.status)
		}
	}
	if a := ines.get("/events?topic=" + bus.TopicFindings); a.status != http.StatusNotFound {
		t.Errorf("a customer hears the company's findings: %d", a.status)
	}
	if a := h.browser("").get("/events?topic=findings"); a.status != http.StatusSeeOther {
		t.Errorf("nobody hears: %d", a.status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := ok[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/events?topic="+url.QueryEscape(bus.TopicJob(job)), nil))
	res, err := ines.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("%d %s", res.StatusCode, got)
	}
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		var event []string
		for lines.Scan() && lines.Text() != "" {
			event = append(event, lines.Text())
		}
		return strings.Join(event, "|")
	}
	if got, want := next(), "retry: 2000|event: changed|data: open"; got != want {
		t.Errorf("first: got %q, want %q", got, want)
	}
	h.bus.Publish("job:another", bus.TopicJob(job))
	if got, want := next(), "event: changed|data: "+bus.TopicJob(job); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A live page asks for an address whose answer asks for the same one: where it
// changed, what the stream says meanwhile would be lost.
func TestLivePageAsksForItself(t *testing.T) {
	h := newSQLite(t)
	plan, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete})
	ines := h.browser(h.owner.ID)
	asks := regexp.MustCompile(`hx-get="([^"]*)"`)
	start := ines.post("/snapshots/" + snap.ID + "/download?path=%2Fsrv%2Fshop%2Fx").location()
	for _, page := range []string{"/home", "/backups?done=run", "/plans/" + plan.ID + "/copies", "/snapshots/" + snap.ID, "/snapshots/" + snap.ID + "?path=%2Fx", "/snapshots/" + snap.ID + "/file?path=%2Fx%2Fy", start} {
		self := asks.FindStringSubmatch(ines.page(page))
		if self == nil {
			t.Errorf("%s is not live", page)
			continue
		}
		again := asks.FindStringSubmatch(ines.page(html.UnescapeString(self[1])))
		if again == nil || again[1] != self[1] {
			t.Errorf("%s asks for %s, which asks for %v", page, self[1], again)
		}
	}
}

// A form that came back with what is wrong is not live: the page would ask for
// itself at once, and what is wrong with the form would be gone.
func TestFormThatCameBackIsNotLive(t *testing.T) {
	h := newSQLite(t)
	at := "/keys/" + h.newPlan(backups.CustodyOpen).Repository.ID
	ines := h.browser(h.owner.ID)
	if a := ines.post(at + "/choose?custody=customer"); a.status != http.StatusSeeOther {
		t.Fatalf("choose: %d", a.status)
	}
	if waits := ines.page(at); !strings.Contains(waits, "hx-get") {
		t.Fatalf("the page that waits for the key is not live:\n%s", waits)
	}
	a := ines.post(at+"/confirm", "last_group", "ABCDE")
	if !strings.Contains(a.body, `id="errors"`) || strings.Contains(a.body, "hx-get") || strings.Contains(a.body, "http-equiv") {
		t.Errorf("got %d, want what is wrong on a page that stays\n%s", a.status, a.body)
	}
}

// One person's streams are bounded, and those that ended make room.
func TestStreamsOfOnePersonAreBounded(t *testing.T) {
	h := newSQLite(t)
	ines := h.browser(h.owner.ID)
	ctx, cancel := context.WithCancel(t.Context())
	listen := func() int {
		r := ok[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/events?topic="+url.QueryEscape(bus.TopicCustomer(h.maple.ID)), nil))
		res, err := ines.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res.StatusCode
	}
	for range 30 {
		if got := listen(); got != http.StatusOK {
			t.Fatalf("got %d, want 200", got)
		}
	}
	if got := listen(); got != http.StatusTooManyRequests {
		t.Errorf("one more: got %d, want 429", got)
	}
	if got := h.browser(h.stranger.ID).get("/home").status; got != http.StatusOK {
		t.Errorf("another person: got %d", got)
	}
	cancel()
	ctx = t.Context()
	for deadline := time.Now().Add(5 * time.Second); listen() != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("streams that ended make no room")
		}
	}
}

// Everybody who signs in can sign out again, an auditor too.
func TestEverybodySignsOut(t *testing.T) {
	h := newSQLite(t)
	auditor := ok[identity.Person](t)(h.identity.AddAuditor(h.ctx, all, identity.NewAuditor{Customer: h.maple.ID, Name: "Helle Nyberg", Email: "helle@audit.example", Until: h.clock.Now().Add(time.Hour)}))
	for _, id := range []string{auditor.ID, h.owner.ID, h.reader.ID, h.admin.ID} {
		b := h.browser(id)
		if got := b.post("/signout").header.Get("Location"); got != "/signin" {
			t.Errorf("%s: signing out leads to %q", id, got)
		}
		if got := b.get("/account").header.Get("Location"); !strings.HasPrefix(got, "/signin") {
			t.Errorf("%s: still signed in: %q", id, got)
		}
	}
}
