package sessions_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs/jobstest"
	"ostler/controlplane/sessions"
)

// agent plays the agent of a server.
func (w *world) agent(v customers.Server) jobstest.Agent {
	return jobstest.Agent{T: w.t, Jobs: w.jobs, Server: v.ID, ID: "agt_" + v.Name}
}

// logins has a server tell who logged in until now. It says what it was asked.
func (w *world) logins(v customers.Server, list ...wire.SeenLogin) (asked wire.LoginsScanParams) {
	w.t.Helper()
	w.run()
	a := w.agent(v)
	ref := a.Next(wire.ActionLoginsScan, &asked)
	a.Finish(ref, wire.LoginsScan{Logins: list, Sources: []string{"wtmp"}, From: asked.Since, To: w.clock.Now().UnixMilli()})
	w.run()
	return asked
}

// ssh is a login by sshd at an instant.
func ssh(account string, at time.Time) wire.SeenLogin {
	return wire.SeenLogin{Kind: "ssh", Account: account, At: at.UnixMilli(), From: "192.0.2.9", Line: "pts/0"}
}

// loginStates are states of logins by account and kind.
func (w *world) loginStates(f sessions.LoginFilter) []string {
	w.t.Helper()
	items, _, err := w.sessions.Logins(w.ctx, w.all, f)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, x := range items {
		out = append(out, string(x.Kind)+" "+x.Account+" "+string(x.State))
	}
	slices.Sort(out)
	return out
}

func loginWorld(t *testing.T, d *db.DB, clock *dbtest.Clock) (*world, *scripted) {
	c := &scripted{}
	w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
	w.lists.grants(w.maple, w.bobPerson)
	w.clock.Advance(began.Add(time.Hour).Sub(w.clock.Now()))
	return w, c
}

func TestLogins(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, c := loginWorld(t, d, clock)
		c.list = append(c.list, event("session.start", 0, of("size", "80:25")), event("session.end", 600, of("interactive", true)))
		w.lists.letIn[w.mapleOne.ID+"|deploy"] = true
		w.logins(w.mapleOne,
			ssh("root", began.Add(time.Minute)), // the session's
			wire.SeenLogin{Kind: "sudo", Account: "root", Target: "www", At: began.Add(5 * time.Minute).UnixMilli()}, // in it
			wire.SeenLogin{Kind: "ssh", Account: "ops", At: began.Add(30 * time.Minute).UnixMilli(), Teleport: true},
			ssh("deploy", began.Add(10*time.Minute)),
			ssh("root", began.Add(20*time.Minute)), // nobody's
			wire.SeenLogin{Kind: "console", Account: "root", At: began.Add(25 * time.Minute).UnixMilli(), Line: "tty1"},
			ssh("root", began.Add(58*time.Minute)), // the cluster may still tell
			wire.SeenLogin{Kind: "carrier pigeon", Account: "root", At: began.UnixMilli()})
		same(t, "logins", w.loginStates(sessions.LoginFilter{}), []string{"console root outside", "ssh deploy customers_own", "ssh ops matched", "ssh root awaited",
			"ssh root matched", "ssh root outside", "sudo root matched"})
		var title, because string
		for _, x := range w.found(w.maple.ID) {
			if x.Kind == findings.SessionLoginOutside {
				if title != "" {
					t.Error("two findings for one account of one server")
				}
				title, because, _ = findings.Sentence("en", x)
			}
		}
		if title != "2 logins of root on maple-1 did not come through Teleport" || !strings.HasPrefix(because, "They signed in at the machine itself") {
			t.Errorf("got %q, %q", title, because)
		}
		c.list = append(c.list, event("session.start", 58*60-20, map[string]any{"sid": "sid-2", "user": "bob", "login": "root", "server_hostname": "maple-1", "size": "80:25"}))
		w.later(30 * time.Minute)
		w.logins(w.mapleOne, ssh("root", began.Add(58*time.Minute))) // told twice, counted once
		same(t, "root's", w.loginStates(sessions.LoginFilter{States: []sessions.LoginState{sessions.Matched, sessions.Awaited}}),
			[]string{"ssh ops matched", "ssh root matched", "ssh root matched", "sudo root matched"})
		ctx, scope := w.owner(w.maple)
		theirs, _, err := w.sessions.Logins(ctx, scope, sessions.LoginFilter{States: []sessions.LoginState{sessions.Outside}})
		if err != nil || len(theirs) != 2 || theirs[0].From != "" || theirs[0].Account != "root" {
			t.Errorf("their customer sees %+v, %v", theirs, err)
		}
		ctx, scope = w.owner(w.harbour)
		if others, _, err := w.sessions.Logins(ctx, scope, sessions.LoginFilter{}); err != nil || len(others) > 0 {
			t.Errorf("another customer sees %+v, %v", others, err)
		}
	})
}

func TestExplain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, _ := loginWorld(t, d, clock)
		w.logins(w.shared, ssh("root", began), ssh("root", began.Add(time.Minute)))
		same(t, "open", []string{w.open(w.maple.ID)[0], w.open(w.harbour.ID)[0]}, []string{findings.SessionLoginOutside, findings.SessionLoginOutside})
		items, _, err := w.sessions.Logins(w.ctx, w.all, sessions.LoginFilter{})
		if err != nil || len(items) != 2 {
			t.Fatalf("got %+v, %v", items, err)
		}
		if _, err := w.sessions.Explain(w.ctx, w.all, items[0].ID, " "); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("without a word: got %v", err)
		}
		ctx, scope := w.owner(w.maple)
		if _, err := w.sessions.Explain(ctx, scope, items[0].ID, "It was us"); err == nil {
			t.Error("a contact explains a login of ours")
		}
		for i, x := range items {
			got, err := w.sessions.Explain(w.ctx, w.all, x.ID, "The rescue system of the facility, OPS-7")
			if err != nil || got.State != sessions.Explained || got.By != w.ada.ID || got.Why == "" {
				t.Errorf("got %+v, %v", got, err)
			}
			if open := count(w.open(w.maple.ID), findings.SessionLoginOutside); open != 1-i {
				t.Errorf("after %d of 2: %d findings are open", i+1, open)
			}
		}
		if _, err := w.sessions.Explain(w.ctx, w.all, items[0].ID, "Again"); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("twice: got %v", err)
		}
		theirs, _, err := w.sessions.Logins(ctx, scope, sessions.LoginFilter{})
		if err != nil || len(theirs) != 2 || theirs[0].Why != "The rescue system of the facility, OPS-7" {
			t.Errorf("the customer sees %+v, %v", theirs, err)
		}
		if n := count(w.entries("session."), "session.login_explained"); n != 4 {
			t.Errorf("got %d entries, want one for each login and customer", n)
		}
	})
}

// TestCoverage is known only while every server tells.
func TestCoverage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, c := loginWorld(t, d, clock)
		c.list = append(c.list, event("session.start", 0, of("size", "80:25")), event("session.end", 600, of("interactive", true)),
			event("session.start", 1200, map[string]any{"sid": "sid-2", "user": "bob", "login": "root", "server_hostname": "maple-1", "size": "80:25"}))
		first := w.logins(w.mapleOne, ssh("root", began), ssh("root", began.Add(30*time.Minute)))
		if ago := w.clock.Now().UnixMilli() - first.Since; ago != (24 * time.Hour).Milliseconds() {
			t.Errorf("the first look goes back %d ms, want a day", ago)
		}
		from := w.clock.Now().Add(-24 * time.Hour)
		get := func() sessions.Coverage {
			t.Helper()
			return must[sessions.Coverage](t)(w.sessions.CoverageOf(w.ctx, w.all, w.maple.ID, from, time.Time{}))
		}
		if x := get(); len(x.Silent) != 1 || x.Silent[0] != w.shared.ID {
			t.Errorf("silent: got %v, want the shared one, which did not tell", x.Silent)
		} else if _, known := x.Share(); known {
			t.Error("known although a server did not tell")
		}
		w.logins(w.shared)
		x := get()
		if x.Sessions != 2 || x.Recorded != 0 || x.Running != 2 || x.Logins != 2 || x.Outside != 1 || len(x.Silent) > 0 {
			t.Errorf("got %+v", x)
		}
		if share, known := x.Share(); !known || share != 0 {
			t.Errorf("got %v, %v, want a share of nothing yet", share, known)
		}
		w.later(12 * time.Minute)
		if second := w.logins(w.mapleOne); second.Since >= w.clock.Now().Add(-10*time.Minute).UnixMilli() {
			t.Errorf("the second look goes back to %s, want some minutes of overlap", controlplane.FromMillis(second.Since))
		}
		w.logins(w.shared)
		if x := get(); len(x.Silent) > 0 {
			t.Errorf("two looks that meet: %v is silent", x.Silent)
		}
		w.later(3 * time.Hour)
		if x := get(); len(x.Silent) != 2 {
			t.Errorf("silent for hours: got %v, want both servers", x.Silent)
		}
	})
}

// TestLoginsUnread: what a host cannot or does not tell is a finding, and makes
// nothing fine.
func TestLoginsUnread(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, _ := loginWorld(t, d, clock)
		title := func() string {
			for _, x := range w.found("") {
				if x.Kind == findings.SessionLoginsUnread && x.Server == w.mapleOne.ID {
					_, because, _ := findings.Sentence("en", x)
					return because
				}
			}
			return ""
		}
		ask := func() (jobstest.Agent, wire.JobRef, wire.LoginsScanParams) {
			var asked wire.LoginsScanParams
			w.later(15 * time.Minute)
			a := w.agent(w.mapleOne)
			return a, a.Next(wire.ActionLoginsScan, &asked), asked
		}
		a, ref, asked := ask()
		a.Finish(ref, wire.LoginsScan{Sources: []string{"wtmp"}, From: asked.Since, To: w.clock.Now().UnixMilli(), Unread: []string{"/var/log/auth.log: permission denied"}})
		if got := title(); got != "This was not read: /var/log/auth.log: permission denied." {
			t.Errorf("a part unread: got %q", got)
		}
		a, ref, _ = ask()
		a.End(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseUnsupported, Detail: "logins.scan"}})
		if got := title(); got != "Its agent is too old, or cannot do it there." {
			t.Errorf("too old: got %q", got)
		}
		a, ref, asked = ask()
		a.Finish(ref, wire.LoginsScan{Sources: []string{"wtmp"}, From: asked.Since, To: w.clock.Now().UnixMilli()})
		if got := title(); got != "" {
			t.Errorf("read whole: got %q", got)
		}
		// So many within the overlap that they fill an answer: the next one goes on.
		a, ref, asked = ask()
		last := asked.Since + 60_000
		a.Finish(ref, wire.LoginsScan{Sources: []string{"wtmp"}, From: asked.Since, To: last, More: true, Logins: []wire.SeenLogin{{Kind: "ssh", Account: "root", At: last}}})
		w.later(time.Second)
		ref = a.Next(wire.ActionLoginsScan, &asked)
		if asked.Since != last {
			t.Errorf("more than fit: asked again from %d, want on from %d", asked.Since, last)
		}
		a.Finish(ref, wire.LoginsScan{Sources: []string{"wtmp"}, From: last, To: last, More: true, Logins: []wire.SeenLogin{{Kind: "ssh", Account: "root", At: last}}})
		if got := title(); got != "This was not read: more logins in one instant than fit into an answer." {
			t.Errorf("more in one instant than fit: got %q", got)
		}
		w.later(time.Second)
		ref = a.Next(wire.ActionLoginsScan, &asked)
		if asked.Since != last+1 {
			t.Errorf("more in one instant: asked again from %d, want on from %d", asked.Since, last+1)
		}
		a.Finish(ref, wire.LoginsScan{Sources: []string{"wtmp"}, From: asked.Since, To: w.clock.Now().UnixMilli()})
		for range 8 { // it is not connected any more
			w.later(12 * time.Minute)
		}
		if got := title(); got != "Its agent does not answer." {
			t.Errorf("silent: got %q", got)
		}
	})
}
