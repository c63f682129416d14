package e2e_test

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// A certificate is issued by a real authority, installed by the agent in a real
// web server, seen in a handshake, renewed when the authority wants it, and all
// of it stands in its history. No private key has left the host.
func TestCertificateMainLine(t *testing.T) {
	t.Parallel()
	eachLabHouse(t, []string{"shop.example", "www.shop.example"}, func(t *testing.T, h *labHouse) {
		names := []string{"shop.example", "www.shop.example"}
		first := h.served(names...)
		if n := len(h.chain(names[0])); n < 3 {
			t.Errorf("the chain that is served: %d certificates, want the full one", n)
		}
		if got, want := h.orders(names[0]), 1; got != want {
			t.Errorf("orders: got %d, want %d", got, want)
		}
		issue := h.maple.CertIssues(first.ID)[0]
		if issue.Reason != "new" || issue.Requests < 5 || issue.Requests > 8+3 || len(issue.Steps) < 4 || issue.OrderURL == "" {
			t.Errorf("the first attempt: got %+v", issue)
		}
		if r := first.Renewal; r == nil || r.At == "" || r.PollAt == "" {
			t.Errorf("no renewal is planned: %+v", r)
		}

		h.wanted(first, "https://ca.example/incidents/7")
		renewed := h.again(first, 2)
		second := h.maple.Cert(first.ID)
		if renewed.Reason != "renewal" || renewed.State != "served" {
			t.Fatalf("the second attempt: got %s %s %+v", renewed.Reason, renewed.State, renewed.Why)
		}
		if second.Issued.Leaf == first.Issued.Leaf || second.State != "served" {
			t.Errorf("renewed: got %+v", second.Issued)
		}
		h.shows(second)
		if n := h.lab.Faults.Count(`"replaces"`, world.AskNewOrder); n != 1 {
			t.Errorf("orders that replace another: got %d, want 1", n)
		}
		historyTold(t, h, "https://ca.example/incidents/7")
		keysStay(t, h, second)
		if _, errs, code := h.CLI("ledger", "verify"); code != 0 {
			t.Errorf("ledger verify: exit %d\n%s", code, errs)
		}
	})
}

// demoCertificates expects what the demo tells of its certificates to be so:
// one renewed, others served, and the last one stopped for a reason.
func demoCertificates(t *testing.T, d *world.Demo) {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(read(t, d.Roots))) {
		t.Fatal("the demo's roots are no certificates")
	}
	if len(d.Certificates) != 4 {
		t.Fatalf("the demo's certificates: got %+v", d.Certificates)
	}
	for i, c := range d.Certificates {
		chain := world.Shown(c.At, c.Name)
		if len(chain) == 0 {
			t.Errorf("%s: no handshake at %s", c.Name, c.At)
			continue
		}
		between := x509.NewCertPool()
		for _, x := range chain[1:] {
			between.AddCert(x)
		}
		_, err := chain[0].Verify(x509.VerifyOptions{DNSName: c.Name, Roots: pool, Intermediates: between})
		switch last := i == len(d.Certificates)-1; {
		case !last && (err != nil || c.State != "served"):
			t.Errorf("%s: %s, %v", c.Name, c.State, err)
		case last && (err == nil || c.State == "served" || !strings.Contains(c.Note, "2001:db8::77")):
			t.Errorf("%s: %s, want it stopped by its AAAA record: %s", c.Name, c.State, c.Note)
		}
	}
	if note := d.Certificates[0].Note; !strings.Contains(note, "renewed") {
		t.Errorf("the first one: %s, want it renewed", note)
	}
}

// historyTold expects the customer's log to have both rounds, and why the second
// was earlier than planned.
func historyTold(t *testing.T, h *labHouse, explanation string) {
	t.Helper()
	var log struct {
		Items []struct {
			Kind string
			Data json.RawMessage
		}
	}
	h.maple.JSON(&log, "ledger", "list", "--limit", "0")
	count, told := map[string]int{}, false
	for _, e := range log.Items {
		count[e.Kind]++
		told = told || strings.Contains(string(e.Data), explanation)
	}
	if count["certificate.created"] != 1 || count["certificate.served"] != 2 {
		t.Errorf("the log tells of %v", count)
	}
	if !told {
		t.Errorf("the log does not tell of %s", explanation)
	}
}

// keysStay expects each private key of a host to be there, readable by the
// agent only, and nowhere else: not in the database, a backup of it, the logs,
// or what went to the authority.
func keysStay(t *testing.T, h *labHouse, x world.Cert) {
	t.Helper()
	keys, err := filepath.Glob(filepath.Join(h.host.CertFolder(), x.Folder, "*", "privkey.pem"))
	if err != nil || len(keys) < 2 {
		t.Fatalf("keys on the host: got %q (%v)", keys, err)
	}
	elsewhere := map[string]string{
		"the database":               h.Dump(),
		"what went to the authority": h.lab.Faults.Traffic(),
		"the plane's log":            h.Plane.Log(),
		"the agent's log":            h.host.Agent.Log(),
		"the signer's log":           h.Signer.Log(),
	}
	for where, text := range elsewhere {
		if strings.Contains(text, "PRIVATE KEY-----") {
			t.Errorf("%s: there is a private key in PEM", where)
		}
	}
	for _, root := range []string{filepath.Join(h.Dir, "plane"), h.host.State} {
		err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().IsRegular() {
				elsewhere[path] = read(t, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range keys {
		info, err := os.Stat(key)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %s, want 0600", key, info.Mode())
		}
		for where, text := range elsewhere {
			if got := world.KeyIn(t, []byte(text), key); got != "" {
				t.Errorf("%s: the key of %s is there (%s)", where, key, got)
			}
		}
	}
}
