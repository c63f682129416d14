package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// identity is what an agent wrote down when it enrolled.
type identity struct {
	Agent       string `json:"agent"`
	Certificate []byte `json:"certificate"`
}

func identityOf(t *testing.T, h *world.Host) identity {
	t.Helper()
	var id identity
	if err := json.Unmarshal([]byte(read(t, filepath.Join(h.State, "identity.json"))), &id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestEnrolmentToken(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	refused := func(t *testing.T, h *world.Host, token string, code int, parts ...string) {
		t.Helper()
		out, got := h.EnrolWith(token)
		if got != code {
			t.Errorf("exit: got %d, want %d\n%s", got, code, out)
		}
		w.Says("ostler-agent enrol", out, append(parts, "Next: ")...)
		if _, err := os.Stat(filepath.Join(h.State, "identity.json")); err == nil {
			t.Error("the host has an identity")
		}
	}
	w.Step(t, "wrong", func(t *testing.T) {
		h := w.NewHost("wrong-1")
		token := h.EnrolToken()
		refused(t, h, "ost_enrol_nonsense", 2, "This is not an enrolment token")
		refused(t, h, token[:len(token)-3]+"xyz", 2, "damaged", "nothing was sent")
		other := world.New(t, world.Options{}) // another control plane's token
		refused(t, h, other.NewHost("else-1").EnrolToken(), 4, "is not the plane that made this token")
	})
	w.Step(t, "expired", func(t *testing.T) {
		h := w.NewHost("late-1")
		token := h.EnrolToken()
		w.Plane.Stop() // an hour passes
		w.Exec("UPDATE enrolments SET expires_at = expires_at - 3700000 WHERE server = ?", h.ID)
		w.StartPlane()
		refused(t, h, token, 4, "past its time", "Make a new token")
	})
	w.Step(t, "used again", func(t *testing.T) {
		h := w.NewHost("twice-1")
		token := h.EnrolToken()
		if out, code := h.EnrolWith(token); code != 0 {
			t.Fatalf("exit %d\n%s", code, out)
		}
		first := identityOf(t, h)
		if out, code := h.EnrolWith(token); code != 5 || !strings.Contains(out, "enrolled already") {
			t.Errorf("enrolled twice: exit %d\n%s", code, out)
		}
		// The answer was lost: the same key gets the same certificate.
		if err := os.Remove(filepath.Join(h.State, "identity.json")); err != nil {
			t.Fatal(err)
		}
		if out, code := h.EnrolWith(token); code != 0 {
			t.Fatalf("the same key again: exit %d\n%s", code, out)
		}
		if again := identityOf(t, h); again.Agent != first.Agent || string(again.Certificate) != string(first.Certificate) {
			t.Errorf("the same key got another certificate: %s, %s", again.Agent, first.Agent)
		}
		if f := w.Staff().Findings("enrolment.reused"); len(f) != 0 {
			t.Errorf("findings: got %+v, want none yet", f)
		}
		thief := *h
		thief.State = filepath.Join(w.Dir, "thief")
		refused(t, &thief, token, 4, "used already", "somebody else may have the token")
		f := w.Staff().Findings("enrolment.reused")
		if len(f) != 1 {
			t.Fatalf("findings: got %+v, want one", f)
		}
		out, _, _ := w.CLI("finding", "show", f[0].ID)
		w.Says("finding show", out, "The enrolment token of twice-1 was used again with another key", "was refused", "Next:")
	})
}
