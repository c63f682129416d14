package certs_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/certs/acme"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// TestAnEarlierWindowIsTakenUp within a poll, with its explanation, and says
// what it replaces.
func TestAnEarlierWindowIsTakenUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		start := clock.Now().Add(60 * 24 * time.Hour)
		h.ca.renewal = func(string) (acme.Renewal, error) {
			return acme.Renewal{Start: start, End: start.Add(48 * time.Hour), RetryAfter: clock.Now().Add(6 * time.Hour)}, nil
		}
		c := h.create("maple.example")
		h.host(nil)
		clock.Advance(time.Hour)
		h.look()
		first := h.get(c.ID).Renewal
		if first.From != certs.FromARI || first.At.Before(start) || first.At.After(start.Add(48*time.Hour)) || first.PollAt.Sub(clock.Now()) > 7*time.Hour {
			t.Fatalf("got %+v", first)
		}
		clock.Advance(7 * time.Hour)
		h.look()
		if again := h.get(c.ID).Renewal; !again.At.Equal(first.At) {
			t.Errorf("the instant was chosen anew: got %s, want %s", again.At, first.At)
		}
		h.ca.renewal = func(string) (acme.Renewal, error) {
			return acme.Renewal{Start: clock.Now().Add(-2 * time.Hour), End: clock.Now().Add(-time.Hour), Explanation: "https://ca.test/incident"}, nil
		}
		clock.Advance(7 * time.Hour)
		woken, cancel := h.bus.Subscribe("certificates")
		defer cancel()
		h.look()
		select {
		case <-woken:
		default:
			t.Error("nobody is woken to begin it")
		}
		now := h.get(c.ID).Renewal
		if now.At.After(clock.Now()) || now.Explanation != "https://ca.test/incident" {
			t.Errorf("the earlier window: got %+v", now)
		}
		h.look()
		h.host(nil)
		if got := h.get(c.ID); got.Issued.Round != 2 || len(h.ca.replaces) != 1 {
			t.Errorf("got round %d, replaces %v", got.Issued.Round, h.ca.replaces)
		}
		// The new one has the same window in the past: no second renewal follows.
		clock.Advance(time.Hour)
		h.look()
		h.look()
		h.host(nil)
		if h.ca.orders != 2 {
			t.Errorf("orders: got %d, want 2", h.ca.orders)
		}
	})
}

// TestBadAnswersRenewNothing: whatever the CA answers, the lifetime decides,
// and one finding tells of it.
func TestBadAnswersRenewNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		h.ca.renewal = func(string) (acme.Renewal, error) {
			return acme.Renewal{}, &acme.Error{Kind: acme.KindBadAnswer, Status: 404, Detail: "<html>"}
		}
		c := h.create("maple.example")
		h.host(nil)
		at := h.get(c.ID).Renewal.At
		for range 10 {
			clock.Advance(25 * time.Hour)
			h.look()
			h.host(nil)
		}
		now := h.get(c.ID)
		if !now.Renewal.At.Equal(at) || now.Renewal.From != certs.FromLifetime || h.ca.orders != 1 {
			t.Errorf("got %+v, %d orders", now.Renewal, h.ca.orders)
		}
		if got := h.openFindings(findings.CertARIBad); len(got) != 1 || got[0].Subject != h.primary.ID {
			t.Errorf("findings: got %+v", got)
		}
		h.ca.renewal = func(string) (acme.Renewal, error) {
			return acme.Renewal{Start: clock.Now().Add(30 * 24 * time.Hour), End: clock.Now().Add(31 * 24 * time.Hour)}, nil
		}
		clock.Advance(25 * time.Hour)
		h.look()
		if got := h.openFindings(findings.CertARIBad); len(got) != 0 {
			t.Errorf("findings after a good answer: got %+v", got)
		}
	})
}

// TestNotices go out at 14, 7, 3 and 1 days, once each, and when it has ended.
func TestNotices(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		must[customers.Contact](t)(h.customers.AddContact(h.ctx, h.all, customers.NewContact{Customer: h.customer.ID, Name: "Anna", Email: "anna@maple.example", Role: policy.RoleOwner}))
		must[customers.Contact](t)(h.customers.AddContact(h.ctx, h.all, customers.NewContact{Customer: h.customer.ID, Name: "Ben", Email: "ben@maple.example", Role: policy.RoleReader}))
		c := h.create("maple.example")
		h.host(nil)
		h.ca.fail = func(string, acme.Request) error {
			return &acme.Error{Kind: acme.KindValidation, Name: "maple.example"}
		}
		end := h.get(c.ID).Issued.NotAfter
		clock.Advance(end.Sub(clock.Now()) - 20*24*time.Hour)
		var days []string
		for range 45 {
			h.look()
			h.host(nil)
			clock.Advance(12 * time.Hour)
		}
		for _, l := range h.letters.sent {
			days = append(days, l.Template+" "+l.Args["days"])
			if l.To != "anna@maple.example" || l.Args["names"] != "maple.example" || l.Args["because"] == "" {
				t.Errorf("got %+v", l)
			}
		}
		want := "certificate.expiring 14, certificate.expiring 7, certificate.expiring 3, certificate.expiring 1, certificate.expired "
		if got := strings.Join(days, ", "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := h.get(c.ID); got.State != certs.StateExpired {
			t.Errorf("got %s", got.State)
		}
		if got := h.openFindings(findings.CertExpiring); len(got) != 1 || got[0].Severity != findings.Bad {
			t.Errorf("findings: got %+v", got)
		}
		h.ca.fail = nil
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(nil)
		if got := h.get(c.ID); got.State != certs.StateServed || len(h.openFindings(findings.CertExpiring)) != 0 {
			t.Errorf("after it: got %s", got.State)
		}
	})
}

// TestDailyLook: what is served is looked at from here, every day.
func TestDailyLook(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		good := h.ca.live["maple.example@192.0.2.7:443"]
		h.ca.live["maple.example@192.0.2.7:443"] = [2]string{"00", "00"}
		h.look()
		if got := h.get(c.ID).State; got != certs.StateServed {
			t.Errorf("before its day: got %s", got)
		}
		clock.Advance(25 * time.Hour)
		h.look()
		if got := h.openFindings(findings.CertNotServed); len(got) != 1 || h.get(c.ID).State != certs.StateUnserved {
			t.Errorf("got %+v, %s", got, h.get(c.ID).State)
		}
		h.ca.live["maple.example@192.0.2.7:443"] = good
		s := must[certs.Served](t)(h.certs.CheckServed(h.ctx, h.all, c.ID))
		if !s.Right || len(s.Seen) != 1 || s.Seen[0].From != "plane" || h.get(c.ID).State != certs.StateServed || len(h.openFindings(findings.CertNotServed)) != 0 {
			t.Errorf("looked at again: got %+v, %s", s, h.get(c.ID).State)
		}
	})
}

// TestCampaign re-issues a list of serials in its order, and shows its progress.
func TestCampaign(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		var serials, ids []string
		for _, n := range []string{"www.maple.example", "maple.example", "shop.maple.example"} {
			c := h.create(n)
			h.host(nil)
			serials, ids = append(serials, h.get(c.ID).Issued.Serial), append(ids, c.ID)
		}
		if _, err := h.certs.Replace(h.ctx, h.all, certs.Replacement{Serials: []string{"abcd"}, Reason: "x"}); code(err) != controlplane.CodeConflict {
			t.Errorf("unknown ones alone: got %v", err)
		}
		h.ca.fail = func(_ string, r acme.Request) error {
			if r.Names[0] == "shop.maple.example" {
				return &acme.Error{Kind: acme.KindValidation, Name: r.Names[0]}
			}
			return nil
		}
		list := []string{strings.ToUpper(serials[2]), "0" + serials[1], serials[1], "DE:AD:BE:EF", serials[0]}
		c := must[certs.Campaign](t)(h.certs.Replace(h.ctx, h.all, certs.Replacement{Serials: list, Reason: "the authority asked for it"}))
		if c.Total != 3 || c.Waiting != 3 || len(c.Unknown) != 1 || c.Unknown[0] != "deadbeef" {
			t.Errorf("started: got %+v", c)
		}
		h.look()
		h.host(nil)
		h.look()
		c = must[certs.Campaign](t)(h.certs.GetCampaign(h.ctx, h.all, c.ID))
		if c.State != certs.CampaignDone || c.Served != 2 || c.Failed != 1 || c.Reason != "the authority asked for it" {
			t.Errorf("ended: got %+v", c)
		}
		if a, b, c := h.newest(ids[2]).ID, h.newest(ids[1]).ID, h.newest(ids[0]).ID; a > b || b > c {
			t.Errorf("order: got %s, %s, %s", a, b, c)
		}
		h.ca.fail = nil
		clock.Advance(5 * time.Minute)
		h.look()
		h.host(nil)
		if c = must[certs.Campaign](t)(h.certs.GetCampaign(h.ctx, h.all, c.ID)); c.Served != 3 || c.Failed != 0 {
			t.Errorf("after the next try: got %+v", c)
		}
		items, _, err := h.certs.CampaignCertificates(h.ctx, h.all, c.ID, certs.Page{})
		if err != nil || len(items) != 3 || items[0].Names[0] != "shop.maple.example" {
			t.Errorf("certificates: got %+v, %v", items, err)
		}
	})
}

// TestTakeOver finds another's certificate, takes it over once ours is served,
// and gives it back.
func TestTakeOver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		if err := d.Write(h.ctx, func(tx *db.Tx) error { return h.customers.MarkActive(tx, h.all, h.server.ID) }); err != nil {
			t.Fatal(err)
		}
		theirs := wire.FoundCert{Path: "/etc/letsencrypt/live/maple/fullchain.pem", Renewer: "certbot", Lineage: "maple", Names: []string{"maple.example", "www.maple.example"}, Issuer: "R12"}
		nobodys := wire.FoundCert{Path: "/etc/ssl/x.pem", Names: []string{"elsewhere.example"}}
		h.look()
		h.host(answers(wire.ActionCertLook, wire.CertLooked{Found: []wire.FoundCert{theirs, nobodys}}))
		found := must[[]certs.Found](t)(h.certs.Found(h.ctx, h.all, h.server.ID))
		if len(found) != 2 || found[0].Customer != h.customer.ID || found[1].Customer != "" || found[0].Renewer != "certbot" {
			t.Fatalf("found: got %+v", found)
		}
		_, scope := h.owner(h.other.ID)
		if _, err := h.certs.TakeOver(h.ctx, scope, found[0].ID, certs.NewCertificate{}); code(err) != controlplane.CodeNotFound {
			t.Errorf("by another customer: got %v", err)
		}
		c := must[certs.Certificate](t)(h.certs.TakeOver(h.ctx, h.all, found[0].ID, certs.NewCertificate{}))
		var took []wire.CertTakeParams
		h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(o offer) wire.Result {
			var p wire.CertDeployParams
			h.read(o, &p)
			took = append(took, *p.Take)
			res := h.ca.deployed(t, p, true)
			res.Taken = &wire.CertTaken{Changed: []string{"switched off"}}
			return wire.Result{Outcome: wire.Succeeded, Data: encode(res)}
		}})
		if len(took) != 1 || took[0].Renewer != "certbot" || took[0].Undo || took[0].Path != theirs.Path {
			t.Errorf("got %+v", took)
		}
		if _, err := h.certs.TakeOver(h.ctx, h.all, found[0].ID, certs.NewCertificate{}); code(err) != controlplane.CodeConflict {
			t.Errorf("again: got %v", err)
		}
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(o offer) wire.Result {
			var p wire.CertDeployParams
			if h.read(o, &p); p.Take != nil {
				t.Errorf("taken again: %+v", p.Take)
			}
			return wire.Result{Outcome: wire.Succeeded, Data: encode(h.ca.deployed(t, p, true))}
		}})
		back := must[certs.Certificate](t)(h.certs.UndoTakeOver(h.ctx, h.all, c.ID))
		undone := false
		h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertTake: func(o offer) wire.Result {
			var p wire.CertTakeParams
			h.read(o, &p)
			undone = p.Undo
			return wire.Result{Outcome: wire.Succeeded, Data: encode(wire.CertTaken{})}
		}})
		found = must[[]certs.Found](t)(h.certs.Found(h.ctx, h.all, h.server.ID))
		if back.State != certs.StateEnded || !undone || found[0].TakenBy != "" {
			t.Errorf("undone: got %s, %v, %+v", back.State, undone, found[0])
		}
	})
}

// TestRedirectedChallenges are answered by any replica, while an attempt is under way.
func TestRedirectedChallenges(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouseWith(t, d, clock, certs.Options{PlaneURL: "https://plane.example"})
		ctx := t.Context()
		h.ca.solve = func(hooks acme.Hooks) error {
			s := hooks.Solvers[acme.HTTP01]
			ch := acme.Challenge{Name: "maple.example", Type: acme.HTTP01, Token: "tok_1-A", KeyAuth: "tok_1-A.print"}
			hit, err := s.Present(ctx, ch)
			if err != nil {
				return err
			}
			if got, ok, err := h.certs.Answer(ctx, ch.Token, "maple.example"); got != ch.KeyAuth || !ok || err != nil {
				t.Errorf("answer: got %q, %v, %v", got, ok, err)
			}
			select {
			case <-hit:
			case <-time.After(10 * time.Second):
				return errors.New("the hit was not told")
			}
			return s.Clean(ctx, ch)
		}
		c := must[certs.Certificate](t)(h.certs.Create(h.ctx, h.all, certs.NewCertificate{Tenancy: h.tenancy.ID, Names: []string{"maple.example"}, Challenge: certs.ChallengePlane}))
		h.host(nil)
		if got := h.get(c.ID).State; got != certs.StateServed {
			t.Errorf("got %s, %+v", got, h.newest(c.ID).Why)
		}
		for _, token := range []string{"tok_1-A", "", "../x", "a b", strings.Repeat("a", 129)} {
			if got, ok, err := h.certs.Answer(ctx, token, ""); ok || err != nil || got != "" {
				t.Errorf("%q after it: got %q, %v, %v", token, got, ok, err)
			}
		}
	})
}

// TestNoPrivateKeyIsKept looks for keys in all that the plane writes.
func TestNoPrivateKeyIsKept(t *testing.T) {
	clock := &dbtest.Clock{}
	url := dbtest.SQLiteURL(t)
	d, err := db.Open(t.Context(), db.Options{URL: url, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, d, clock)
	key := newKey(t)
	h.create("maple.example")
	h.host(answers(wire.ActionCertRequest, wire.CertRequested{CSR: csr(t, key, "maple.example")}))
	if got := h.get("maple.example").State; got != certs.StateServed {
		t.Fatalf("got %s", got)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	account := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(h.ca.account))
	host := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))
	needles := map[string][]byte{"PEM": []byte("PRIVATE KEY"), "the account's DER": account[len(account)-100:], "the account's scalar": privateScalar(t, h.ca.account), "the host's scalar": privateScalar(t, key), "the host's DER": host[36:68]}
	read := 0
	files := must[[]string](t)(filepath.Glob(strings.TrimPrefix(url, "sqlite:") + "*"))
	for _, f := range files {
		raw := must[[]byte](t)(os.ReadFile(f))
		read += len(raw)
		for name, n := range needles {
			if bytes.Contains(raw, n) {
				t.Errorf("%s holds %s", filepath.Base(f), name)
			}
		}
		if !strings.HasSuffix(f, ".db") {
			continue
		}
		if !bytes.Contains(raw, []byte("maple.example")) || !bytes.Contains(raw, []byte("BEGIN CERTIFICATE")) {
			t.Errorf("%s does not hold the certificate either: the search finds nothing", f)
		}
	}
	if read == 0 {
		t.Fatal("nothing was read")
	}
}

// TestLeaf keeps the fake honest: what it signs is for the asked key.
func TestLeaf(t *testing.T) {
	ca := newFakeCA(t, &dbtest.Clock{})
	key := newKey(t)
	chain := must[[]byte](t)(ca.sign(csr(t, key, "maple.example")))
	b, _ := pem.Decode(chain)
	leaf := must[*x509.Certificate](t)(x509.ParseCertificate(b.Bytes))
	if fmt.Sprint(leaf.PublicKey) != fmt.Sprint(key.Public()) {
		t.Error("the leaf is for another key")
	}
}
