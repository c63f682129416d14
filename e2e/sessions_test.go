package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

// sessionHouse is an access house whose cluster is read every second, and whose
// host is asked for logins every minute.
type sessionHouse struct {
	*accessHouse
}

const sessionsConfig = "sessions:\n  every_seconds: 1\n  logins_minutes: 1\n  grace_minutes: 1\n"

// sessionSeen is what the command line says of a session.
type sessionSeen struct {
	ID, State, Name, Login string
	Commands               int
	Ground                 struct {
		Grant, Ticket string
		Lacks         []string
	}
	Recording *struct {
		Playable bool
		SHA256   string
	}
	Review struct{ State, Verdict, Reviewer string }
}

// sessions are all there are, the latest first.
func (h *sessionHouse) sessions() []sessionSeen {
	h.T.Helper()
	var out struct{ Items []sessionSeen }
	h.JSON(&out, "session", "list", "--output", "json")
	return out.Items
}

// A session on a server is recorded and stands on its grant; somebody who was
// not there reviews it by the keyboard alone; the customer sees both. A login
// that did not come by Teleport, and a recording that did not come, are open
// until somebody deals with them.
func TestSessionsMainLine(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; make test runs it")
	}
	t.Parallel()
	sessionsMainLine(t, "")
}

func sessionsMainLine(t *testing.T, database string) {
	h := &sessionHouse{accessHouse: newAccessHouse(t, database, sessionsConfig)}
	h.host.Put("var/log/auth.log", authLine(time.Now().AddDate(0, 0, -2), "systemd[1]: started"))
	tomas := h.papered("Tomas Berg", "tomas")
	h.granted(tomas, "Tomas Berg", "operator")
	world.Eventually(t, "Teleport gives them a role", accessLimit, func() bool { return len(h.cluster.RolesOf("tomas")) == 1 })
	s, err := h.cluster.Connect("tomas", "ops", "node-maple-1")
	if err != nil {
		t.Fatalf("who stands on the list is not let in: %v", err)
	}
	for _, part := range []string{"ops@maple-1:~$ ", "systemctl restart nginx\r\n", "\x1b[2J\x1b]0;owned\aops@maple-1:~$ ", "exit\r\n"} {
		s.Print(part)
	}
	s.End()
	world.Eventually(t, "the recording is here", accessLimit, func() bool {
		list := h.sessions()
		return len(list) == 1 && list[0].State == "stored" && list[0].Recording != nil && list[0].Recording.Playable
	})
	got := h.sessions()[0]
	if got.Name != "Tomas Berg" || got.Login != "ops" || got.Ground.Ticket != "OPS-7" || !strings.HasPrefix(got.Ground.Grant, "grt_") || len(got.Ground.Lacks) > 0 || got.Commands != 2 {
		t.Errorf("got %+v, want it matched to its person, grant and ticket, with its two commands", got)
	}
	h.reviewedByKeyboard(got.ID)
	h.shownToCustomer()
	h.outsideTeleport()
	h.unrecorded()
	if out, errs, code := h.CLI("ledger", "verify"); code != 0 {
		t.Errorf("ledger verify: exit %d\n%s%s", code, out, errs)
	}
}

func authLine(at time.Time, text string) string {
	return fmt.Sprintf("%s maple-1 %s\n", at.UTC().Format("2006-01-02T15:04:05.000000+00:00"), text)
}

// reviewedByKeyboard goes from the list to the verdict without a mouse.
func (h *sessionHouse) reviewedByKeyboard(id string) {
	h.T.Helper()
	h.ada.Goto(h.URL + "/sessions")
	h.ada.TabTo("Tomas Berg")
	h.ada.Press("\r")
	h.ada.WaitText("On what ground")
	h.ada.Check("session")
	h.ada.TabTo("Review it")
	h.ada.Press("\r")
	h.ada.WaitText("You review it.")
	h.ada.TabTo("Watch the recording")
	h.ada.Press("\r")
	h.ada.WaitText("Transcript")
	h.Says("the transcript", h.ada.Text(), "systemctl restart nginx")
	if title := world.Eval[string](h.ada, "document.title"); strings.Contains(title, "owned") {
		h.T.Errorf("the recording changed the page's title to %q", title)
	}
	world.Eventually(h.T, "the player is there", accessLimit, func() bool {
		return world.Eval[bool](h.ada, `!!document.querySelector("#screen") && document.querySelector("#play").offsetParent !== null && document.querySelector("#screen").textContent.includes("ops@maple-1")`)
	})
	h.ada.Check("session-replay")
	h.ada.Press(" ") // play
	world.Eventually(h.T, "it plays to its end", accessLimit, func() bool {
		return world.Eval[bool](h.ada, `Number(document.querySelector("#range").value) >= Number(document.querySelector("#range").max) - 1000`)
	})
	h.ada.Press("v")
	h.ada.Press(" ") // fine
	h.ada.TabTo("Give the verdict")
	h.ada.Press("\r")
	h.ada.WaitText("reviewed: fine")
	var s sessionSeen
	h.JSON(&s, "session", "show", id, "--output", "json")
	if s.Review.Verdict != "fine" || s.Review.Reviewer == "" {
		h.T.Errorf("got %+v, want it judged", s.Review)
	}
}

// shownToCustomer finds the session on the customer's own page, reviewed, and
// who looked at its recording.
func (h *sessionHouse) shownToCustomer() {
	h.T.Helper()
	tab := h.maple.Portal.Tab(h.browser)
	tab.Goto(h.URL + "/connected")
	h.Says("the customer's page", tab.Text(), "Tomas Berg", "OPS-7")
	tab.Check("connected")
	tab.Goto(h.URL + "/connected/viewings")
	h.Says("who watched", tab.Text(), "Ada")
	if strings.Contains(tab.Text(), "Nobody has looked") {
		h.T.Error("the viewing is not shown to the customer")
	}
}

// outsideTeleport has somebody come in by the host's own sshd.
func (h *sessionHouse) outsideTeleport() {
	h.T.Helper()
	at := time.Now().Add(-3 * time.Minute) // the cluster could have told of it
	h.host.Put("var/log/auth.log", authLine(time.Now().AddDate(0, 0, -2), "systemd[1]: started")+
		authLine(at, "sshd[7]: Accepted publickey for root from 203.0.113.9 port 4000 ssh2: ED25519 SHA256:unknown"))
	world.Eventually(h.T, "the login is found to be outside", accessLimit, func() bool { return len(h.Staff().Findings("session.login_outside")) == 1 })
	var out struct {
		Items []struct{ ID, Account, State string }
	}
	h.JSON(&out, "session", "logins", "--state", "outside", "--output", "json")
	if len(out.Items) != 1 || out.Items[0].Account != "root" {
		h.T.Fatalf("got %+v, want the one of root", out.Items)
	}
	if _, errs, code := h.CLI("session", "explain", out.Items[0].ID, "The data centre's technician changed a disk"); code != 0 {
		h.T.Fatalf("explain: %s", errs)
	}
	world.Eventually(h.T, "the finding is closed", accessLimit, func() bool { return len(h.Staff().Findings("session.login_outside")) == 0 })
}

// unrecorded has a node lose its power in a session: no end, and no recording.
func (h *sessionHouse) unrecorded() {
	h.T.Helper()
	s, err := h.cluster.Connect("tomas", "ops", "node-maple-1")
	if err != nil {
		h.T.Fatal(err)
	}
	s.End()
	h.cluster.HideRecording(s.ID, true)
	missing := func() bool { return len(h.Staff().Findings("session.recording_missing")) == 1 }
	world.Eventually(h.T, "the missing recording is found", accessLimit, missing)
	h.cluster.HideRecording(s.ID, false)
	if _, errs, code := h.CLI("session", "fetch", h.sessions()[0].ID); code != 0 {
		h.T.Fatalf("fetch: %s", errs)
	}
	world.Eventually(h.T, "it is found gone once the recording has come", accessLimit, func() bool { return !missing() })
}
