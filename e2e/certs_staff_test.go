package e2e_test

import (
	"net/http"
	"testing"

	"ostler/e2e/world"
)

// What staff do with certificates: a dry run installs nothing, a mass re-issue
// replaces what it is told, and a key that others know is replaced before its
// certificate is revoked.
func TestCertificatesByStaff(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example", "blog.example")
	shop, blog := h.served("shop.example"), h.served("blog.example")

	h.Step(t, "dry run", func(t *testing.T) {
		h.Staff().Must(nil, http.MethodPost, "/certificate-authorities", map[string]any{"name": "Staging", "directory": h.lab.CA.Directory, "role": "staging",
			"profile": "default", "roots": string(h.lab.CA.TLSRoot)})
		h.maple.Must(nil, http.MethodPost, "/certificates/"+shop.ID+"/dry-run", nil)
		issue := h.again(shop, 2)
		if issue.State != "served" || issue.Issued == nil || issue.Issued.Serial == shop.Issued.Serial {
			t.Errorf("dry run: got %s %+v", issue.State, issue.Why)
		}
		if got := world.Leaf(h.web.Endpoint(), "shop.example"); got != shop.Issued.Leaf {
			t.Errorf("after a dry run %.12s is served, want %.12s", got, shop.Issued.Leaf)
		}
	})
	h.Step(t, "mass re-issue", func(t *testing.T) {
		var c struct {
			ID, State             string
			Total, Served, Failed int
			Unknown               []string
		}
		h.Staff().Must(&c, http.MethodPost, "/certificate-campaigns", map[string]any{"serials": []string{blog.Issued.Serial, "0123456789abcdef"}, "reason": "the authority will revoke them"})
		world.Eventually(t, "the mass re-issue is done", certLimit, func() bool {
			return h.Staff().Get("/certificate-campaigns/"+c.ID, &c) && c.State == "done"
		})
		if c.Total != 1 || c.Served != 1 || c.Failed != 0 || len(c.Unknown) != 1 {
			t.Errorf("the mass re-issue: got %+v", c)
		}
		now := h.maple.Cert(blog.ID)
		if now.Issued.Serial == blog.Issued.Serial {
			t.Error("it was not issued anew")
		}
		h.shows(now)
	})
	h.Step(t, "key compromised", func(t *testing.T) {
		h.Staff().Must(nil, http.MethodPost, "/certificates/"+shop.ID+"/compromised", map[string]any{"detail": "it stood in a public repository"})
		if issue := h.again(shop, 3); issue.Reason != "compromise" {
			t.Errorf("reason: got %s", issue.Reason)
		}
		now := h.maple.CertServed(shop.ID, certLimit)
		h.shows(now)
		world.Eventually(t, "the old one is revoked", certLimit, func() bool {
			s, err := h.lab.CA.CertStatus(t.Context(), shop.Issued.Serial)
			return err == nil && s.Status == "Revoked" && s.Reason != nil && *s.Reason == 1
		})
		if s, err := h.lab.CA.CertStatus(t.Context(), now.Issued.Serial); err != nil || s.Status != "Valid" {
			t.Errorf("the new one: got %+v, %v", s, err)
		}
	})
}
