package certs_test

import (
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
)

func code(err error) controlplane.Code { return controlplane.ErrorCode(err) }

// TestNothingWithoutAnAuthority: all is watched and nothing is asked for until
// a person adds one.
func TestNothingWithoutAnAuthority(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := bareHouse(t, d, clock, certs.Options{})
		c := h.create("maple.example")
		h.look()
		h.host(nil)
		if c.Open != "" || len(h.ca.accounts) != 0 || len(h.ca.asked) != 0 {
			t.Fatalf("got %+v, accounts %v", c, h.ca.accounts)
		}
		if whys := must[[]certs.Why](t)(h.certs.WhyNot(h.ctx, h.all, c.ID)); len(whys) != 1 || whys[0].Code != certs.WhyNoAuthority {
			t.Errorf("why not: got %+v", whys)
		}
		if _, err := h.certs.Renew(h.ctx, h.all, c.ID); code(err) != controlplane.CodeConflict {
			t.Errorf("renew: got %v", err)
		}
		must[certs.Authority](t)(h.certs.AddAuthority(h.ctx, h.all, certs.NewAuthority{Name: "Test CA", Directory: "https://ca.test/dir", Role: certs.RolePrimary}))
		h.look()
		h.host(nil)
		if got := h.get(c.ID).State; got != certs.StateServed {
			t.Errorf("with one: got %s", got)
		}
	})
}

// TestInputsThatAreRefused covers what a person may not ask for.
func TestInputsThatAreRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		good := certs.NewCertificate{Tenancy: h.tenancy.ID, Names: []string{"maple.example"}}
		with := func(change func(*certs.NewCertificate)) certs.NewCertificate {
			in := good
			change(&in)
			return in
		}
		many := make([]string, 101)
		for i := range many {
			many[i] = "maple.example"
		}
		for name, c := range map[string]struct {
			in   certs.NewCertificate
			want string
		}{
			"no names":                {with(func(in *certs.NewCertificate) { in.Names = nil }), "/names"},
			"too many names":          {with(func(in *certs.NewCertificate) { in.Names = many }), "/names"},
			"another customer's site": {with(func(in *certs.NewCertificate) { in.Names = []string{"maple.example", "harbour.example"} }), "/names/1"},
			"a name twice":            {with(func(in *certs.NewCertificate) { in.Names = []string{"maple.example", "MAPLE.example."} }), "/names/1"},
			"an address":              {with(func(in *certs.NewCertificate) { in.Names = []string{"192.0.2.7"} }), "/names/0"},
			"a path":                  {with(func(in *certs.NewCertificate) { in.Names = []string{"../maple.example"} }), "/names/0"},
			"a wildcard by http":      {with(func(in *certs.NewCertificate) { in.Names = []string{"*.maple.example"} }), "/names/0"},
			"a wildcard over another's": {with(func(in *certs.NewCertificate) {
				in.Names, in.Challenge = []string{"maple.example", "*.maple.example"}, certs.ChallengeDNS
			}), "/names/1"},
			"an unknown key":            {with(func(in *certs.NewCertificate) { in.Key = "rsa1024" }), "/key"},
			"an unknown challenge":      {with(func(in *certs.NewCertificate) { in.Challenge = "tls-alpn" }), "/challenge"},
			"dns without a provider":    {with(func(in *certs.NewCertificate) { in.Challenge = certs.ChallengeDNS }), "/provider"},
			"delegated without a zone":  {with(func(in *certs.NewCertificate) { in.Challenge = certs.ChallengeDelegate }), "/challenge"},
			"redirected without an URL": {with(func(in *certs.NewCertificate) { in.Challenge = certs.ChallengePlane }), "/challenge"},
			"an unknown service":        {with(func(in *certs.NewCertificate) { in.Services = []wire.Service{"iis"} }), "/services/0"},
			"an endpoint without a port": {with(func(in *certs.NewCertificate) {
				in.Endpoints = []certs.Endpoint{{Address: "192.0.2.7", Protocol: "tls"}}
			}), "/endpoints/0"},
			"an unknown authority": {with(func(in *certs.NewCertificate) { in.Authority = "ca_00000000000000000000000001" }), "/authority"},
			"an odd profile":       {with(func(in *certs.NewCertificate) { in.Profile = "a b" }), "/profile"},
		} {
			_, err := h.certs.Create(h.ctx, h.all, c.in)
			e, ok := err.(*controlplane.Error)
			if !ok || e.Code != controlplane.CodeInvalid || len(e.Fields) == 0 || e.Fields[0].Pointer != c.want {
				t.Errorf("%s: got %v", name, err)
			}
		}
		_, scope := h.owner(h.other.ID)
		if _, err := h.certs.Create(h.ctx, scope, good); code(err) != controlplane.CodeNotFound {
			t.Errorf("another customer's tenancy: got %v", err)
		}
	})
}

// TestOthersSeeNothing: another customer's certificate reads like none.
func TestOthersSeeNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		ctx, scope := h.owner(h.other.ID)
		i := h.newest(c.ID)
		for name, err := range map[string]error{
			"get":         errOf(h.certs.Get(ctx, scope, c.ID)),
			"get by name": errOf(h.certs.Get(ctx, scope, "maple.example")),
			"update":      errOf(h.certs.Update(ctx, scope, c.ID, certs.CertificateChange{})),
			"end":         errOf(h.certs.End(ctx, scope, c.ID)),
			"pause":       errOf(h.certs.Pause(ctx, scope, c.ID, time.Time{}, "")),
			"resume":      errOf(h.certs.Resume(ctx, scope, c.ID)),
			"renew":       errOf(h.certs.Renew(ctx, scope, c.ID)),
			"dry run":     errOf(h.certs.DryRun(ctx, scope, c.ID)),
			"attempt":     errOf(h.certs.GetIssue(ctx, scope, i.ID)),
			"cancel":      errOf(h.certs.CancelIssue(ctx, scope, i.ID)),
			"why not":     errOf(h.certs.WhyNot(ctx, scope, c.ID)),
			"revoke":      errOf(h.certs.Revoke(ctx, scope, c.ID, 4)),
			"compromised": errOf(h.certs.Compromised(ctx, scope, c.ID, "x")),
			"check":       errOf(h.certs.CheckServed(ctx, scope, c.ID)),
			"undo":        errOf(h.certs.UndoTakeOver(ctx, scope, c.ID)),
			"delegations": errOf(h.certs.Delegations(ctx, scope, c.ID)),
			"replace":     errOf(h.certs.Replace(ctx, scope, certs.Replacement{Serials: []string{"01"}, Reason: "x"})),
			"authority":   errOf(h.certs.AddAuthority(ctx, scope, certs.NewAuthority{})),
			"roll":        errOf(h.certs.RollAccountKey(ctx, scope, h.primary.ID)),
		} {
			if code(err) != controlplane.CodeNotFound {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if items, _, err := h.certs.List(ctx, scope, certs.Filter{}); err != nil || len(items) != 0 {
			t.Errorf("list: got %d, %v", len(items), err)
		}
		if as := must[[]certs.Authority](t)(h.certs.Authorities(ctx, scope)); len(as) != 1 || as[0].AccountURL != "" || as[0].Contact != "" {
			t.Errorf("authorities: got %+v", as)
		}
		// The owner of it sees and renews it.
		ctx, scope = h.owner(h.customer.ID)
		must[certs.Issue](t)(h.certs.Renew(ctx, scope, c.ID))
		h.host(nil)
		if i := h.newest(c.ID); i.State != certs.IssueServed || i.StartedBy != "con_00000000000000000000000001" {
			t.Errorf("the owner's: got %+v", i)
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

// TestPause keeps a certificate from the CA, and stops what is under way.
func TestPause(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		p := must[certs.Certificate](t)(h.certs.Pause(h.ctx, h.all, c.ID, time.Time{}, "the site is being moved"))
		if p.PausedUntil != certs.Forever || p.PauseReason != "the site is being moved" || p.Open != "" || p.Version != 2 {
			t.Errorf("got %+v", p)
		}
		clock.Advance(48 * time.Hour)
		h.look()
		h.host(nil)
		if i := h.newest(c.ID); i.State != certs.IssueCancelled || len(h.ca.asked) != 0 {
			t.Errorf("paused: got %s, %d requests", i.State, len(h.ca.asked))
		}
		if _, err := h.certs.Renew(h.ctx, h.all, c.ID); code(err) != controlplane.CodeConflict {
			t.Errorf("renew: got %v", err)
		}
		if whys := must[[]certs.Why](t)(h.certs.WhyNot(h.ctx, h.all, c.ID)); whys[0].Code != certs.WhyPaused {
			t.Errorf("why not: got %+v", whys)
		}
		r := must[certs.Certificate](t)(h.certs.Resume(h.ctx, h.all, c.ID))
		if !r.PausedUntil.IsZero() || r.PauseReason != "" {
			t.Errorf("resumed: got %+v", r)
		}
		h.look()
		h.host(nil)
		if got := h.get(c.ID).State; got != certs.StateServed {
			t.Errorf("after it: got %s", got)
		}
	})
}

// TestDryRun goes to the staging CA alone, and installs nothing.
func TestDryRun(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		before := h.get(c.ID)
		if _, err := h.certs.DryRun(h.ctx, h.all, c.ID); code(err) != controlplane.CodeConflict {
			t.Errorf("without a staging authority: got %v", err)
		}
		staging := must[certs.Authority](t)(h.certs.AddAuthority(h.ctx, h.all, certs.NewAuthority{Name: "Staging", Directory: "https://staging.test/dir", Role: certs.RoleStaging}))
		must[certs.Issue](t)(h.certs.DryRun(h.ctx, h.all, c.ID))
		h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(offer) wire.Result {
			t.Error("a dry run was installed")
			return wire.Result{Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseInternal}}
		}})
		now, i := h.get(c.ID), h.newest(c.ID)
		if !i.DryRun || i.State != certs.IssueServed || i.Authority != staging.ID || now.Issued != before.Issued || now.Renewal != before.Renewal {
			t.Errorf("got %+v, %+v", i, now)
		}
		h.ca.fail = func(string, acme.Request) error {
			return &acme.Error{Kind: acme.KindValidation, Name: "maple.example"}
		}
		must[certs.Issue](t)(h.certs.DryRun(h.ctx, h.all, c.ID))
		h.host(nil)
		if f := h.get(c.ID).Failing; f.Attempts != 0 || len(h.openFindings(findings.CertFailed)) != 0 {
			t.Errorf("a dry run that failed: got %+v", f)
		}
	})
}

// TestFallback asks the second CA once the first has failed for days.
func TestFallback(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		second := must[certs.Authority](t)(h.certs.AddAuthority(h.ctx, h.all, certs.NewAuthority{Name: "Second CA", Directory: "https://second.test/dir", Role: certs.RoleFallback}))
		h.ca.fail = func(dir string, _ acme.Request) error {
			if strings.Contains(dir, "ca.test") {
				return &acme.Error{Kind: acme.KindRefused, Detail: "not today"}
			}
			return nil
		}
		c := h.create("maple.example")
		h.host(nil)
		for range 8 {
			if h.get(c.ID).State == certs.StateServed {
				break
			}
			clock.Advance(h.get(c.ID).Failing.NextTry.Sub(clock.Now()) + time.Second)
			h.look()
			h.host(nil)
		}
		now := h.get(c.ID)
		if now.State != certs.StateServed || now.Issued.Authority != second.ID || clock.Now().Sub(now.CreatedAt) < 72*time.Hour || clock.Now().Sub(now.CreatedAt) > 100*time.Hour {
			t.Errorf("got %+v after %s", now, clock.Now().Sub(now.CreatedAt))
		}
		h.ca.fail = nil
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(nil)
		if got := h.get(c.ID).Issued.Authority; got != h.primary.ID {
			t.Errorf("after it: got %s, want the first again", got)
		}
	})
}

// TestNamesThatAreNoLongerTheirs pauses a certificate, and ends those of a
// tenancy that has ended.
func TestNamesThatAreNoLongerTheirs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example", "www.maple.example")
		h.host(nil)
		sites := []string{"maple.example"}
		must[customers.Tenancy](t)(h.customers.UpdateTenancy(h.ctx, h.all, h.tenancy.ID, customers.TenancyChange{Sites: &sites}))
		if got := h.get(c.ID); got.PausedUntil != certs.Forever || len(h.openFindings(findings.CertNotCovered)) != 1 {
			t.Errorf("got %+v", got)
		}
		clock.Advance(80 * 24 * time.Hour)
		h.look()
		h.host(nil)
		if h.ca.orders != 1 {
			t.Errorf("orders: got %d, want 1", h.ca.orders)
		}
		must[customers.Tenancy](t)(h.customers.EndTenancy(h.ctx, h.all, h.tenancy.ID))
		if got := h.get(c.ID); got.State != certs.StateEnded || len(h.openFindings(findings.CertNotCovered, findings.CertExpiring)) != 0 {
			t.Errorf("ended: got %+v", got)
		}
	})
}

// TestChangedNames has it issued anew, and refuses a stale change.
func TestChangedNames(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		names := []string{"maple.example", "shop.maple.example"}
		got := must[certs.Certificate](t)(h.certs.Update(h.ctx, h.all, c.ID, certs.CertificateChange{Names: &names, Version: 1}))
		if got.Open == "" || got.Version != 2 {
			t.Errorf("got %+v", got)
		}
		if _, err := h.certs.Update(h.ctx, h.all, c.ID, certs.CertificateChange{Names: &names, Version: 1}); code(err) != controlplane.CodeConflict {
			t.Errorf("a stale change: got %v", err)
		}
		h.host(nil)
		if i := h.newest(c.ID); i.Reason != certs.ReasonNames || i.State != certs.IssueServed {
			t.Errorf("got %+v", i)
		}
		if found := must[certs.Certificate](t)(h.certs.Get(h.ctx, h.all, "shop.maple.example")); found.ID != c.ID {
			t.Errorf("by its new name: got %s", found.ID)
		}
	})
}

// TestList sorts by days left, pages, and narrows.
func TestList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		for _, n := range []string{"maple.example", "www.maple.example"} {
			h.create(n)
			h.host(nil)
			clock.Advance(time.Hour)
		}
		h.create("shop.maple.example") // none yet
		var got []string
		f := certs.Filter{PageSize: 1}
		for {
			items, next, err := h.certs.List(h.ctx, h.all, f)
			if err != nil || len(items) != 1 {
				t.Fatalf("got %d, %v", len(items), err)
			}
			got = append(got, items[0].Names[0])
			if f.PageToken = next; next == "" {
				break
			}
		}
		if want := "shop.maple.example maple.example www.maple.example"; strings.Join(got, " ") != want {
			t.Errorf("got %v, want %s", got, want)
		}
		for name, c := range map[string]struct {
			f    certs.Filter
			want int
		}{
			"state":            {certs.Filter{State: certs.StateServed}, 2},
			"text":             {certs.Filter{Text: "SHOP"}, 1},
			"text with a sign": {certs.Filter{Text: "%"}, 0},
			"customer":         {certs.Filter{Customer: h.other.ID}, 0},
			"server":           {certs.Filter{Server: h.server.ID}, 3},
			"before":           {certs.Filter{Before: clock.Now().Add(90*24*time.Hour - 90*time.Minute)}, 2},
		} {
			if items, _, err := h.certs.List(h.ctx, h.all, c.f); err != nil || len(items) != c.want {
				t.Errorf("%s: got %d, %v, want %d", name, len(items), err, c.want)
			}
		}
		if _, _, err := h.certs.List(h.ctx, h.all, certs.Filter{PageToken: "x"}); code(err) != controlplane.CodeInvalid {
			t.Errorf("a strange token: got %v", err)
		}
	})
}

// TestAuthoritiesThatAreRefused covers what may not be added.
func TestAuthoritiesThatAreRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		good := certs.NewAuthority{Name: "Other", Directory: "https://other.test/dir", Role: certs.RoleFallback}
		for name, change := range map[string]func(*certs.NewAuthority){
			"no TLS":           func(in *certs.NewAuthority) { in.Directory = "http://other.test/dir" },
			"no role":          func(in *certs.NewAuthority) { in.Role = "" },
			"a second primary": func(in *certs.NewAuthority) { in.Role = certs.RolePrimary },
			"the same twice":   func(in *certs.NewAuthority) { in.Directory = "https://ca.test/dir" },
			"half an EAB":      func(in *certs.NewAuthority) { in.EABKeyID = "kid" },
			"roots of nothing": func(in *certs.NewAuthority) { in.RootsPEM = []byte("x") },
			"a list of people": func(in *certs.NewAuthority) { in.Contact = "a@b.example, c@d.example" },
			"no name":          func(in *certs.NewAuthority) { in.Name = " " },
		} {
			in := good
			change(&in)
			if _, err := h.certs.AddAuthority(h.ctx, h.all, in); code(err) != controlplane.CodeInvalid && code(err) != controlplane.CodeConflict {
				t.Errorf("%s: got %v", name, err)
			}
		}
		must[certs.Authority](t)(h.certs.AddAuthority(h.ctx, h.all, good))
	})
}
