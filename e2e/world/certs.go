package world

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Cert is a certificate, as the API shows it.
type Cert struct {
	ID, State, Folder, Tenancy string
	Server                     string
	Names                      []string
	Issued                     *IssuedCert
	Renewal                    *struct {
		At, From, Start, End, Explanation string
		PollAt                            string `json:"poll_at"`
	}
	Failing *struct {
		Attempts int
		NextTry  string `json:"next_try"`
		Why      CertWhy
	}
	Seen []struct {
		Name, Address, From, Problem string
		Right                        bool
		Leaf                         string `json:"leaf_sha256"`
	}
	OpenIssue   string `json:"open_issue"`
	PausedUntil string `json:"paused_until"`
}

// IssuedCert is what is installed, or what an attempt brought.
type IssuedCert struct {
	Issue, Serial, Issuer, Authority string
	Leaf                             string `json:"leaf_sha256"`
	NotBefore                        string `json:"not_before"`
	NotAfter                         string `json:"not_after"`
	RevokedAt                        string `json:"revoked_at"`
}

// CertWhy is a failure or a wait, as people are told.
type CertWhy struct{ Code, Message, Next, Name, Detail, Until string }

// CertIssue is one attempt, as the API shows it.
type CertIssue struct {
	ID, Reason, State string
	Round             int64
	Over              bool
	Authority         string
	OrderURL          string `json:"order_url"`
	Requests          int
	Issued            *IssuedCert
	Why               *CertWhy
	Steps             []struct{ At, Code, Message string }
	StartedAt         string `json:"started_at"`
	EndedAt           string `json:"ended_at"`
	NextTry           string `json:"next_try"`
}

// AddAuthority makes the lab's authority known to the plane. profile is asked
// for ("default").
func (w *World) AddAuthority(name, role, profile string) (id string) {
	w.T.Helper()
	return w.AddAuthorityOf(w.Lab, name, role, profile)
}

// AddAuthorityOf is AddAuthority for the authority of another lab.
func (w *World) AddAuthorityOf(l *Lab, name, role, profile string) (id string) {
	w.T.Helper()
	var out struct{ ID string }
	w.Staff().Must(&out, http.MethodPost, "/certificate-authorities", map[string]any{"name": name, "directory": l.Faults.Directory, "role": role,
		"profile": profile, "roots": string(l.CA.TLSRoot)})
	return out.ID
}

// Must makes a request to the API that has to be answered well, and reads the
// answer into v (unless v is nil).
func (c Caller) Must(v any, method, path string, body any) {
	c.W.T.Helper()
	status, raw := c.Do(method, path, body)
	if status < 200 || status > 299 {
		c.W.T.Fatalf("%s %s: status %d: %s", method, path, status, raw)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(raw, v); err != nil {
		c.W.T.Fatalf("%s %s: %v\n%s", method, path, err, raw)
	}
}

// NewCert says what certificate to make.
type NewCert struct {
	Tenancy   string
	Names     []string
	Key       string
	Challenge string
	Provider  string
	Services  []string
	Endpoints []string // addresses, TLS from the first byte
}

// AddCert has names looked after; the first attempt begins at once.
func (c Caller) AddCert(n NewCert) Cert {
	c.W.T.Helper()
	var ends []map[string]string
	for _, e := range n.Endpoints {
		ends = append(ends, map[string]string{"address": e, "protocol": "tls"})
	}
	body := map[string]any{"tenancy": n.Tenancy, "names": n.Names, "services": n.Services, "endpoints": ends}
	for k, v := range map[string]string{"key": n.Key, "challenge": n.Challenge, "provider": n.Provider} {
		if v != "" {
			body[k] = v
		}
	}
	var out Cert
	c.Must(&out, http.MethodPost, "/certificates", body)
	return out
}

// AddTenancy has a customer live on a host with some sites.
func (w *World) AddTenancy(c *Customer, h *Host, path string, sites ...string) (id string) {
	w.T.Helper()
	args := []string{"tenancy", "add", "--server", h.Name, "--customer", c.Slug, "--path", path}
	for _, s := range sites {
		args = append(args, "--site", s)
	}
	var ten struct{ ID string }
	w.JSON(&ten, args...)
	return ten.ID
}

// Cert is a certificate as it is now.
func (c Caller) Cert(id string) Cert {
	c.W.T.Helper()
	var out Cert
	c.Must(&out, http.MethodGet, "/certificates/"+id, nil)
	return out
}

// CertIssues are the attempts at a certificate, newest first.
func (c Caller) CertIssues(id string) []CertIssue {
	c.W.T.Helper()
	var out struct{ Items []CertIssue }
	c.Must(&out, http.MethodGet, "/certificates/"+id+"/issues", nil)
	return out.Items
}

// CertOver waits until no attempt at a certificate is under way, and returns
// the newest one.
func (c Caller) CertOver(id string, limit time.Duration) CertIssue {
	c.W.T.Helper()
	var last CertIssue
	defer func() {
		if !last.Over {
			c.W.T.Logf("%s: %s %+v; open: %q; why not: %+v; steps: %+v", id, last.State, last.Why, c.Cert(id).OpenIssue, c.WhyNot(id), last.Steps)
		}
	}()
	Eventually(c.W.T, "the attempt at "+id+" is over", limit, func() bool {
		all := c.CertIssues(id)
		if len(all) == 0 {
			return false
		}
		last = all[0]
		return last.Over
	})
	return last
}

// CertServed waits until a certificate is served and nothing is under way.
func (c Caller) CertServed(id string, limit time.Duration) Cert {
	c.W.T.Helper()
	issue := c.CertOver(id, limit)
	if issue.State != "served" {
		c.W.T.Fatalf("%s: the attempt ended %s: %+v\nsteps: %+v", id, issue.State, issue.Why, issue.Steps)
	}
	x := c.Cert(id)
	if x.State != "served" || x.Issued == nil {
		c.W.T.Fatalf("%s: got %+v, want served", id, x)
	}
	return x
}

// CertFolder is where the host keeps its certificates.
func (h *Host) CertFolder() string { return filepath.Join(h.Root, "etc/ostler/certificates") }

// Live is the folder of what is in use of a certificate.
func (h *Host) Live(x Cert) string { return filepath.Join(h.CertFolder(), x.Folder, "live") }

// LeafPEM is the leaf of what is installed on the host for a certificate.
func (h *Host) LeafPEM(x Cert) []byte {
	h.W.T.Helper()
	raw, err := os.ReadFile(filepath.Join(h.Live(x), "fullchain.pem"))
	if err != nil {
		h.W.T.Fatal(err)
	}
	return raw
}

// WhyNot is why a certificate is not being issued or renewed now.
func (c Caller) WhyNot(id string) []CertWhy {
	c.W.T.Helper()
	var out struct{ Items []CertWhy }
	c.Must(&out, http.MethodGet, "/certificates/"+id+"/why", nil)
	return out.Items
}
