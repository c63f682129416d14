package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/mail/mailtest"
	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
	"ostler/e2e/world"
)

// accessLimit is how long a change of a list may take to arrive anywhere on a
// machine that is very busy.
const accessLimit = 3 * time.Minute

// accessHouse is a world with a Teleport cluster, a mail server, and one
// customer on one host.
type accessHouse struct {
	*world.World
	cluster *teleporttest.Cluster
	sink    *mailtest.Sink
	maple   *world.Customer
	host    *world.Host
	browser *world.Browser
	ada     *world.Tab
}

func newAccessHouse(t *testing.T, database string, config ...string) *accessHouse {
	t.Helper()
	cluster, enforced := world.Teleport(t)
	sink, letters := world.MailServer(t)
	h := &accessHouse{cluster: cluster, sink: sink, World: world.New(t, world.Options{Database: database, Config: enforced + letters + strings.Join(config, "")})}
	h.maple = h.AddCustomers("maple")[0]
	h.host = h.AddHost("maple-1")
	h.AddTenancy(h.maple, h.host, "/srv/maple")
	if err := cluster.PutNode("node-maple-1", h.host.Name, map[string]string{"customer": h.maple.Slug}); err != nil {
		t.Fatal(err)
	}
	h.browser = world.NewBrowser(t)
	h.ada = h.Ada().Tab(h.browser)
	return h
}

// Somebody is put on a list and taken off it through the pages: the cluster, the
// mails, the customer's page and the past agree each time. What somebody does by
// hand at the cluster is found, and found gone.
func TestAccessMainLine(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; make test runs it")
	}
	t.Parallel()
	accessMainLine(t, "")
}

func accessMainLine(t *testing.T, database string) {
	h := newAccessHouse(t, database)
	tomas := h.papered("Tomas Berg", "tomas")
	h.papered("Uma Falk", "uma")

	grant := h.granted(tomas, "Tomas Berg", "operator")
	world.Eventually(t, "Teleport gives them a role", accessLimit, func() bool { return len(h.cluster.RolesOf("tomas")) == 1 })
	world.Eventually(t, "the customer is told that they can come", accessLimit, func() bool { return h.told("Tomas Berg can sign in") })
	h.shown("Tomas Berg")
	session, err := h.cluster.Connect("tomas", "ops", "node-maple-1")
	if err != nil {
		t.Fatalf("who stands on the list is not let in: %v", err)
	}
	before := time.Now()

	h.revoked(grant)
	h.cut(session)
	world.Eventually(t, "the customer is told that they cannot come any more", accessLimit, func() bool { return h.told("Tomas Berg can no longer") })
	h.listedThen("Tomas Berg", before)
	h.drifts("Uma Falk", "uma")
	if out, errs, code := h.CLI("ledger", "verify"); code != 0 {
		t.Errorf("ledger verify: exit %d\n%s%s", code, out, errs)
	}
}

var personID = regexp.MustCompile(`/access/persons/(prs_[0-9a-z]{26})/papers`)

// papered makes somebody who has the papers that a grant asks for, and whom the
// cluster knows.
func (h *accessHouse) papered(name, user string) (id string) {
	h.T.Helper()
	if err := h.cluster.PutUser(user); err != nil {
		h.T.Fatal(err)
	}
	page := h.Ada().Submit("/access/persons", "kind", "contractor", "company", "Night GmbH", "name", name, "teleport_users", user)
	found := personID.FindStringSubmatch(html.UnescapeString(page))
	if found == nil {
		h.T.Fatalf("%s was not added:\n%s", name, page)
	}
	id = found[1]
	h.Ada().Submit("/access/persons/"+id+"/papers", "kind", "confidentiality", "reference", "HR 1", "version", "2026")
	h.Ada().Submit("/access/persons/"+id+"/papers", "kind", "training", "reference", "HR 2", "version", "2026", "until", time.Now().AddDate(1, 0, 0).Format(time.DateOnly))
	return id
}

// granted grants somebody access through the page, and returns the grant's id.
func (h *accessHouse) granted(person, name, role string) (grant string) {
	h.T.Helper()
	h.ada.Goto(h.URL + "/access?customer=" + h.maple.ID)
	h.ada.ClickText("Grant access")
	h.ada.WaitText("Check it")
	h.ada.Fill("person", person, "role", role, "reason", "Looks after the shop", "ticket", "OPS-7", "until", time.Now().AddDate(0, 0, 30).Format(time.DateOnly))
	h.ada.ClickText("Check it")
	h.ada.WaitText("Is this right?")
	if !strings.Contains(h.ada.Text(), name) {
		h.T.Errorf("what is asked once more does not name %s:\n%s", name, h.ada.Text())
	}
	h.ada.Check("access-grant-check")
	h.ada.ClickText("Grant it")
	h.ada.WaitText("It is granted.")
	grant = regexp.MustCompile(`grt_[0-9a-z]{26}`).FindString(h.ada.URL())
	if grant == "" {
		h.T.Fatalf("no grant at %s:\n%s", h.ada.URL(), h.ada.Text())
	}
	return grant
}

// revoked takes a grant away through the page.
func (h *accessHouse) revoked(grant string) {
	h.T.Helper()
	h.ada.Goto(h.URL + "/access/grants/" + grant)
	h.ada.ClickText("Revoke")
	h.ada.WaitText("Revoke it")
	h.ada.Fill("why", "The work is done")
	h.ada.ClickText("Revoke it")
	h.ada.WaitText("It is taken away.")
}

// told reports whether a mail to the customer says something.
func (h *accessHouse) told(what string) bool {
	return slices.ContainsFunc(h.sink.Messages(), func(m mailtest.Message) bool {
		return m.To == "owner@maple.example" && m.TLS && strings.Contains(unfolded(m.Raw), what)
	})
}

// unfolded is a mail's text without the ends of lines that its transport put in.
func unfolded(raw []byte) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(string(raw), "=\r\n", "")), " ")
}

// shown waits until the customer's page says of somebody when they were
// granted access, when it was in force, and when the customer was told.
func (h *accessHouse) shown(name string) {
	h.T.Helper()
	tab := h.maple.Portal.Tab(h.browser)
	var times []bool
	world.Eventually(h.T, "the customer's page has the three times of "+name, accessLimit, func() bool {
		tab.Goto(h.URL + "/access")
		times = world.Eval[[]bool](tab, fmt.Sprintf(`[...document.querySelectorAll("main section[aria-labelledby=staff] tbody tr")].filter(r => r.textContent.includes(%q))
			.flatMap(r => [...r.cells].slice(-3).map(c => !!c.querySelector("time")))`, name))
		return slices.Equal(times, []bool{true, true, true})
	})
	h.Says("the customer's page", tab.Text(), name, "Looks after the shop", "OPS-7", "Looks after services, without root")
	tab.Check("access-list")
}

// cut waits until a session is over because of a lock.
func (h *accessHouse) cut(s *teleporttest.Session) {
	h.T.Helper()
	world.Eventually(h.T, "the live session is cut", accessLimit, func() bool {
		select {
		case <-s.Done():
			return true
		default:
			return false
		}
	})
	if got := s.Cause(); !strings.Contains(got, "lock") {
		h.T.Errorf("the session is over: got %q, want it cut by a lock", got)
	}
	if _, err := h.cluster.Connect(s.User, s.Login, s.Node); !errors.Is(err, teleporttest.ErrRefused) {
		h.T.Errorf("they come again: got %v, want them refused", err)
	}
}

// listedThen expects somebody to be off the list now, and on it at an instant of
// the past: as is known now, and as was known then.
func (h *accessHouse) listedThen(name string, then time.Time) {
	h.T.Helper()
	on := func(lines []world.AccessLine) (listed, enforced bool) {
		for _, l := range lines {
			if l.Name == name && l.Way == "teleport" {
				listed, enforced = listed || l.Listed != nil, enforced || l.Enforced != nil && l.Attested
			}
		}
		return listed, enforced
	}
	for what, known := range map[string]time.Time{"as is known now": {}, "as was known then": then} {
		lines := h.maple.AccessList(then, known)
		if listed, enforced := on(lines); !listed || !enforced {
			raw, _ := json.Marshal(lines) // plain values: it cannot fail
			h.T.Errorf("before it was taken away, %s: listed %v, enforced %v, want both\n%s", what, listed, enforced, raw)
		}
	}
	world.Eventually(h.T, name+" is off the list", accessLimit, func() bool {
		listed, enforced := on(h.maple.AccessList(time.Time{}, time.Time{}))
		return !listed && !enforced
	})
}

// drifts puts somebody on a role by hand at the cluster: Today says so until it
// is taken away there.
func (h *accessHouse) drifts(name, user string) {
	h.T.Helper()
	by := teleport.Role{Name: "debug", Allow: teleport.Reach{Logins: []string{"root"}, NodeLabels: map[string][]string{"customer": {h.maple.Slug}}}}
	if err := h.cluster.PutRole(by); err != nil {
		h.T.Fatal(err)
	}
	if err := h.cluster.PutUser(user, by.Name); err != nil {
		h.T.Fatal(err)
	}
	h.look()
	drifted := func() bool {
		return slices.ContainsFunc(h.Staff().Findings("access.drift"), func(f world.Finding) bool { return strings.Contains(f.Title, name) })
	}
	world.Eventually(h.T, "there is a finding about "+name, accessLimit, drifted)
	h.ada.Goto(h.URL + "/today")
	h.ada.WaitText(name)
	h.ada.Check("access-today")
	if err := h.cluster.PutUser(user); err != nil {
		h.T.Fatal(err)
	}
	h.cluster.RemoveRole(by.Name)
	h.look()
	world.Eventually(h.T, "the finding about "+name+" is closed", accessLimit, func() bool { return !drifted() })
}

// look has the cluster looked at through the page.
func (h *accessHouse) look() {
	h.T.Helper()
	h.ada.Goto(h.URL + "/access/teleport")
	h.ada.ClickText("Look now")
	h.ada.WaitText("It is being looked at.")
}
