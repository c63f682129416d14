//go:build slow

package incidents_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
	"ostler/controlplane/planetest"
	"ostler/controlplane/policy"
)

// The variables of the process that TestSlowAdvisoryKilled kills.
const (
	killDir = "OSTLERTEST_INCIDENTS_DIR"
	killAct = "OSTLERTEST_INCIDENTS_ACT" // plan, or the id of an advisory to send
	killAs  = "OSTLERTEST_INCIDENTS_AS"  // in whose name
	begun   = "begun\n"                  // what it says then
)

// lasting is a world that outlives its process. Its mail is queued and not sent.
func lasting(t *testing.T, dir string, clock *dbtest.Clock) *world {
	t.Helper()
	d := must[*db.DB](t)(db.Open(t.Context(), db.Options{URL: "sqlite:" + filepath.Join(dir, "ostler.db"), Clock: clock}))
	t.Cleanup(func() { _ = d.Close() })
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{post: newPost()}
	w.on(planetest.Empty(t, d, clock, filepath.Join(dir, "keyring")))
	m := must[*mail.Mail](t)(mail.New(d, w.keeper, w.ledger, w.jobs, w.findings, mail.Options{Host: "127.0.0.1", Port: 1, From: "noreply@hof.example", PortalURL: "https://portal.example", EHLO: "plane.hof.example", Company: "Hof Hosting"}))
	w.incidents = must[*incidents.Service](t)(incidents.New(incidents.Deps{DB: d, Keeper: w.keeper, Ledger: w.ledger, Jobs: w.jobs, Findings: w.findings, Customers: w.customers, Identity: w.identity, Mail: letters{m}}, incidents.Options{Bus: w.bus}))
	return w
}

// TestSlowAdvisoryKilled kills a process with SIGKILL while it drafts an advisory to
// 1,000 customers, and another one while it sends it. The next one ends both:
// everybody has one notice, and one mail.
func TestSlowAdvisoryKilled(t *testing.T) {
	dir, clock := t.TempDir(), &dbtest.Clock{}
	w := lasting(t, dir, clock)
	w.contactable()
	ada := w.staff("Ada Admin", policy.RoleAdmin)
	const many = 1000
	for i := range many {
		c := w.customer(fmt.Sprintf("firm-%04d", i), fmt.Sprintf("Firm Number%04d", i))
		w.contact(c, "Owner", policy.RoleOwner)
	}
	w = w.killed(dir, "plan", ada)
	t.Logf("killed when %d of %d were drafted", w.count(advised), many)
	if n := w.count(advised); n == 0 || n == many {
		t.Fatalf("killed when %d of %d were drafted", n, many)
	}
	clock.Advance(2 * time.Minute)
	w.pass()
	w.ctx = w.as(ada, policy.RoleAdmin)
	a := must[[]incidents.AdvisoryNote](t)(w.incidents.Advisories(w.ctx, w.all))[0]
	if n, whom := w.count(advised), w.count("SELECT COUNT(DISTINCT customer_id) FROM incident_notices"); n != many || whom != many || a.Waiting != many {
		t.Fatalf("drafts: %d for %d customers, %+v", n, whom, a)
	}
	w = w.killed(dir, a.ID, ada)
	t.Logf("killed when %d of %d were sent", w.count(advisedSent), many)
	if n := w.count(advisedSent); n == 0 || n == many {
		t.Fatalf("killed when %d of %d were sent", n, many)
	}
	clock.Advance(4 * time.Minute)
	w.pass()
	if n := w.count(advisedSent); n != many {
		t.Errorf("sent: %d", n)
	}
	if mails, whom := w.count("SELECT COUNT(*) FROM mails"), w.count("SELECT COUNT(DISTINCT customer_id) FROM mails"); mails != many || whom != many {
		t.Errorf("%d mails to %d customers", mails, whom)
	}
	if n := w.count("SELECT COUNT(*) FROM incident_orders WHERE done_at = 0"); n != 0 {
		t.Errorf("orders open: %d", n)
	}
}

const (
	advised     = "SELECT COUNT(*) FROM incident_notices"
	advisedSent = "SELECT COUNT(*) FROM incident_notices WHERE state = 'sent'"
)

// count counts rows.
func (w *world) count(q string) (n int) {
	w.t.Helper()
	if err := w.db.Read(controlplane.System(w.t.Context(), "test"), func(tx *db.Tx) error { return tx.Raw(q).Scan(&n).Error }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// killed has another process act on the world's database, kills it as soon as the
// first of what it does is there, and opens the world again.
func (w *world) killed(dir, act string, as identity.Person) *world {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), os.Args[0], "-test.run=^TestAdvisoryIsKilled$", "-test.timeout=20m")
	cmd.Env = append(os.Environ(), killDir+"="+dir, killAct+"="+act, killAs+"="+as.ID)
	out := must[io.ReadCloser](w.t)(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	said := must[string](w.t)(bufio.NewReader(out).ReadString('\n'))
	if err := cmd.Process.Kill(); err != nil || said != begun {
		w.t.Fatal(said, err)
	}
	_ = cmd.Wait() // killed
	return lasting(w.t.(*testing.T), dir, w.clock)
}

// pass has Watch look once.
func (w *world) pass() {
	w.t.Helper()
	if err := w.incidents.Pass(controlplane.System(w.t.Context(), "incidents")); err != nil {
		w.t.Fatal(err)
	}
}

// TestAdvisoryIsKilled is the process that TestSlowAdvisoryKilled kills.
func TestAdvisoryIsKilled(t *testing.T) {
	dir, act := os.Getenv(killDir), os.Getenv(killAct)
	if dir == "" {
		t.Skip("run by TestSlowAdvisoryKilled")
	}
	clock := &dbtest.Clock{}
	if act != "plan" {
		clock.Advance(2 * time.Minute)
	}
	w := lasting(t, dir, clock)
	w.ctx = w.as(identity.Person{ID: os.Getenv(killAs)}, policy.RoleAdmin)
	go func() {
		q := advised
		if act != "plan" {
			q = advisedSent
		}
		for w.count(q) == 0 {
			time.Sleep(time.Millisecond)
		}
		fmt.Print(begun)
	}()
	if act == "plan" {
		in := incidents.NewAdvisory{Purpose: incidents.Change, Title: "A move", Text: "We move.", Ground: "You live in the old hall."}
		for i := range 1000 {
			in.Customers = append(in.Customers, fmt.Sprintf("firm-%04d", i))
		}
		_, err := w.incidents.PlanAdvisory(w.ctx, w.all, in)
		t.Fatal("nobody killed it", err)
	}
	_, err := w.incidents.SendAdvisory(w.ctx, w.all, act, incidents.Sending{})
	t.Fatal("nobody killed it", err)
}
