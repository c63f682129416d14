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
	return jobstest.Agent{T: w.T, Jobs: w.Jobs, Server: v.ID, ID: "agt_" + v.Name}
}

// logins has a server tell who logged in until now. It says what it was asked.
func (w *world) logins(v customers.Server, list ...wire.SeenLogin) (asked wire.LoginsScanParams) {
	w.T.Helper()
	w.run()
	a := w.agent(v)
	ref := a.Next(wire.ActionLoginsScan, &asked)
	a.Finish(ref, wire.LoginsScan{Logins: list, Sources: []string{"wtmp"}, From: asked.Since, To: w.Clock.Now().UnixMilli()})
	w.run()
	return asked
}

// ssh is a login by sshd at an instant.
func ssh(account string, at time.Time) wire.SeenLogin {
	return wire.SeenLogin{Kind: "ssh", Account: account, At: at.UnixMilli(), From: "192.0.2.9", Line: "pts/0"}
}

// loginStates are states of logins by account and kind.
func (w *world) loginStates(f sessions.LoginFilter) []string {
	w.T.Helper()
	items, _, err := w.sessions.Logins(w.Ctx, w.all, f)
	if err != nil {
		w.T.Fatal(err)
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
	w.lists.grants(w.Maple, w.bobPerson)
	w.Clock.Advance(began.Add(time.Hour).Sub(w.Clock.Now()))
	return w, c
}

func TestLogins(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, c := loginWorld(t, d, clock)
		c.list = append(c.list, event("session.start", 0, of("size", "80:25")), event("session.end", 600, of("interactive", true)))
		w.lists.letIn[w.MapleOne.ID+"|deploy"] = true
		w.logins(w.MapleOne,
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
		for _, x := range w.found(w.Maple.ID) {
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
		w.logins(w.MapleOne, ssh("root", began.Add(58*time.Minute))) // told twice, counted once
		same(t, "root's", w.loginStates(sessions.LoginFilter{States: []sessions.LoginState{sessions.Matched, sessions.Awaited}}),
			[]string{"ssh ops matched", "ssh root matched", "ssh root matched", "sudo root matched"})
		ctx, scope := w.Owner(w.Maple)
		theirs, _, err := w.sessions.Logins(ctx, scope, sessions.LoginFilter{States: []sessions.LoginState{sessions.Outside}})
		if err != nil || len(theirs) != 2 || theirs[0].From != "" || theirs[0].Account != "root" {
			t.Errorf("their customer sees %+v, %v", theirs, err)
		}
		ctx, scope = w.Owner(w.Harbour)
		if others, _, err := w.sessions.Logins(ctx, scope, sessions.LoginFilter{}); err != nil || len(others) > 0 {
			t.Errorf("another customer sees %+v, %v", others, err)
		}
	})
}

func TestExplain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, _ := loginWorld(t, d, clock)
		w.logins(w.Shared, ssh("root", began), ssh("root", began.Add(time.Minute)))
		same(t, "open", []string{w.open(w.Maple.ID)[0], w.open(w.Harbour.ID)[0]}, []string{findings.SessionLoginOutside, findings.SessionLoginOutside})
		items, _, err := w.sessions.Logins(w.Ctx, w.all, sessions.LoginFilter{})
		if err != nil || len(items) != 2 {
			t.Fatalf("got %+v, %v", items, err)
		}
		if _, err := w.sessions.Explain(w.Ctx, w.all, items[0].ID, " "); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("without a word: got %v", err)
		}
		ctx, scope := w.Owner(w.Maple)
		if _, err := w.sessions.Explain(ctx, scope, items[0].ID, "It was us"); err == nil {
			t.Error("a contact explains a login of ours")
		}
		for i, x := range items {
			got, err := w.sessions.Explain(w.Ctx, w.all, x.ID, "The rescue system of the facility, OPS-7")
			if err != nil || got.State != sessions.Explained || got.By != w.ada.ID || got.Why == "" {
				t.Errorf("got %+v, %v", got, err)
			}
			if open := count(w.open(w.Maple.ID), findings.SessionLoginOutside); open != 1-i {
				t.Errorf("after %d of 2: %d findings are open", i+1, open)
			}
		}
		if _, err := w.sessions.Explain(w.Ctx, w.all, items[0].ID, "Again"); controlplane.ErrorCode(err) != controlplane.CodeConflict {
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
		first := w.logins(w.MapleOne, ssh("root", began), ssh("root", began.Add(30*time.Minute)))
		if ago := w.Clock.Now().UnixMilli() - first.Since; ago != (24 * time.Hour).Milliseconds() {
			t.Errorf("the first look goes back %d ms, want a day", ago)
		}
		from := w.Clock.Now().Add(-24 * time.Hour)
		get := func() sessions.Coverage {
			t.Helper()
			return must[sessions.Coverage](t)(w.sessions.CoverageOf(w.Ctx, w.all, w.Maple.ID, from, time.Time{}))
		}
		if x := get(); len(x.Silent) != 1 || x.Silent[0] != w.Shared.ID {
			t.Errorf("silent: got %v, want the shared one, which did not tell", x.Silent)
		} else if _, known := x.Share(); known {
			t.Error("known although a server did not tell")
		}
		w.logins(w.Shared)
		x := get()
		if x.Sessions != 2 || x.Recorded != 0 || x.Running != 2 || x.Logins != 2 || x.Outside != 1 || len(x.Silent) > 0 {
			t.Errorf("got %+v", x)
		}
		if share, known := x.Share(); !known || share != 0 {
			t.Errorf("got %v, %v, want a share of nothing yet", share, known)
		}
		w.later(12 * time.Minute)
		if second := w.logins(w.MapleOne); second.Since >= w.Clock.Now().Add(-10*time.Minute).UnixMilli() {
			t.Errorf("the second look goes back to %s, want some minutes of overlap", controlplane.FromMillis(second.Since))
		}
		w.logins(w.Shared)
		if x := get(); len(x.Silent) > 0 {
			t.Errorf("two looks that meet: %v is silent", x.Silent)
		}
		w.later(3 * time.Hour)
		if x := get(); len(x.Silent) != 2 {
			t.Errorf("silent for hours: got %v, want both servers", x.Silent)
		}
	})
}

// moment is an instant as findings say it.
func moment(at int64) string { return controlplane.FromMillis(at).Format("2 January 2006 15:04 MST") }

// TestUnreadIsAskedForAgain: what a host could not read is asked for until it was
// read; after a day it is a gap, which the customer's ledger says.
func TestUnreadIsAskedForAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, _ := loginWorld(t, d, clock)
		ask := func(scan wire.LoginsScan) int64 {
			t.Helper()
			var asked wire.LoginsScanParams
			w.later(15 * time.Minute)
			a := w.agent(w.MapleOne)
			ref := a.Next(wire.ActionLoginsScan, &asked)
			scan.Sources, scan.From = []string{"wtmp"}, asked.Since
			if scan.To == 0 {
				scan.To = w.Clock.Now().UnixMilli()
			}
			a.Finish(ref, scan)
			return asked.Since
		}
		bad := wire.LoginsScan{Unread: []string{"/var/log/auth.log"}}
		ask(wire.LoginsScan{})
		from := ask(bad)
		ask(bad)
		if got := ask(bad); got != from {
			t.Errorf("asked from %s, want again from %s", moment(got), moment(from))
		}
		// It comes in two answers now, and the finding stays until the second.
		half := from + 20*time.Minute.Milliseconds()
		if got := ask(wire.LoginsScan{More: true, To: half}); got != from {
			t.Errorf("asked from %s, want again from %s", moment(got), moment(from))
		}
		unread := func() (n int) {
			for _, x := range w.found("") {
				if x.Kind == findings.SessionLoginsUnread && x.Server == w.MapleOne.ID {
					n++
				}
			}
			return n
		}
		if unread() != 1 {
			t.Error("the finding is closed although only a half was read")
		}
		if got := ask(bad); got != half {
			t.Errorf("asked from %s, want from what was not read, %s", moment(got), moment(half))
		}
		if got := ask(wire.LoginsScan{}); got != half {
			t.Errorf("asked from %s, want from what was not read, %s", moment(got), moment(half))
		}
		now := w.Clock.Now()
		if unread() != 0 {
			t.Error("the finding is open although all was read")
		}
		if got := ask(bad); got != now.Add(-5*time.Minute).UnixMilli() {
			t.Errorf("asked from %s, want on from %s", moment(got), moment(now.UnixMilli()))
		}
		same(t, "gaps", w.entries("session.logins_gap"), nil)
		w.Clock.Advance(25 * time.Hour)
		ask(bad)
		same(t, "gaps", w.entries("session.logins_gap"), []string{"session.logins_gap"})
		now = w.Clock.Now()
		if got := ask(wire.LoginsScan{}); got != now.Add(-5*time.Minute).UnixMilli() {
			t.Errorf("after the gap: asked from %s, want on from %s", moment(got), moment(now.UnixMilli()))
		}
	})
}

// TestOneSessionOneSignIn: a session explains as many sign-ins as it has people
// who came in, and the rest came another way.
func TestOneSessionOneSignIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, c := loginWorld(t, d, clock)
		c.list = append(c.list, event("session.start", 0, of("size", "80:25")), event("session.join", 300, map[string]any{"sid": "sid-1", "user": "cleo"}), event("session.end", 600, of("interactive", true)),
			event("session.start", 100, of("sid", "sid-2", "size", "80:25")), event("session.end", 700, of("sid", "sid-2", "interactive", true)))
		at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
		w.logins(w.MapleOne, ssh("root", at(1)), ssh("root", at(2)), ssh("root", at(101)), ssh("root", at(102)), ssh("root", at(301)))
		same(t, "logins", w.loginStates(sessions.LoginFilter{}), []string{"ssh root matched", "ssh root matched", "ssh root matched", "ssh root outside", "ssh root outside"})
	})
}

// TestEndlessExplainsNothing: a session whose end never came explains nothing
// that was done long after its last sign.
func TestEndlessExplainsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, c := loginWorld(t, d, clock)
		w.Clock.Advance(-50 * time.Minute) // ten minutes after it began
		c.list = append(c.list, event("session.start", 0, of("size", "80:25")), event("session.command", 120, of()))
		sudo := func(minute int) wire.SeenLogin {
			return wire.SeenLogin{Kind: "sudo", Account: "root", Target: "www", At: began.Add(time.Duration(minute) * time.Minute).UnixMilli()}
		}
		w.logins(w.MapleOne, sudo(4), sudo(9))
		same(t, "while it runs", w.loginStates(sessions.LoginFilter{}), []string{"sudo root matched", "sudo root matched"})
		w.later(3 * time.Hour)
		w.later(time.Minute)
		if x := w.one(sessions.Filter{}); !x.Endless {
			t.Fatalf("got %+v, want it endless", x)
		}
		w.logins(w.MapleOne, sudo(60))
		w.later(time.Minute)
		same(t, "without an end", w.loginStates(sessions.LoginFilter{}), []string{"sudo root matched", "sudo root outside", "sudo root outside"})
	})
}

// TestWeakLogins: what any account of a host can write is said to be that.
func TestWeakLogins(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w, _ := loginWorld(t, d, clock)
		weak := ssh("root", began.Add(time.Minute))
		weak.Weak = true
		w.logins(w.MapleOne, weak, ssh("ops", began.Add(2*time.Minute)))
		items, _, err := w.sessions.Logins(w.Ctx, w.all, sessions.LoginFilter{})
		if err != nil || len(items) != 2 || items[0].Weak || !items[1].Weak {
			t.Errorf("got %+v, %v", items, err)
		}
		if c := must[sessions.Coverage](t)(w.sessions.CoverageOf(w.Ctx, w.all, w.Maple.ID, time.Time{}, time.Time{})); c.Logins != 2 || c.Weak != 1 {
			t.Errorf("got %+v, want one of two weak", c)
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
				if x.Kind == findings.SessionLoginsUnread && x.Server == w.MapleOne.ID {
					_, because, _ := findings.Sentence("en", x)
					return because
				}
			}
			return ""
		}
		ask := func() (jobstest.Agent, wire.JobRef, wire.LoginsScanParams) {
			var asked wire.LoginsScanParams
			w.later(15 * time.Minute)
			a := w.agent(w.MapleOne)
			return a, a.Next(wire.ActionLoginsScan, &asked), asked
		}
		a, ref, asked := ask()
		a.Finish(ref, wire.LoginsScan{Sources: []string{"wtmp"}, From: asked.Since, To: w.Clock.Now().UnixMilli(), Unread: []string{"/var/log/auth.log: permission denied"}})
		if got, want := title(), "From "+moment(asked.Since)+" to "+moment(w.Clock.Now().UnixMilli())+" this was not read: /var/log/auth.log: permission denied."; got != want {
			t.Errorf("a part unread: got %q", got)
		}
		a, ref, _ = ask()
		a.End(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseUnsupported, Detail: "logins.scan"}})
		if got := title(); got != "Its agent is too old, or cannot do it there." {
			t.Errorf("too old: got %q", got)
		}
		a, ref, asked = ask()
		a.Finish(ref, wire.LoginsScan{Sources: []string{"wtmp"}, From: asked.Since, To: w.Clock.Now().UnixMilli()})
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
		a.Finish(ref, wire.LoginsScan{Sources: []string{"wtmp"}, From: asked.Since, To: w.Clock.Now().UnixMilli()})
		for range 8 { // it is not connected any more
			w.later(12 * time.Minute)
		}
		if got := title(); got != "Its agent does not answer." {
			t.Errorf("silent: got %q", got)
		}
	})
}
