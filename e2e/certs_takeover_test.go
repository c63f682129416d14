package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ostler/e2e/world"
	"ostler/internal/acmelab"
)

// certbot lays a certificate out on the host exactly as certbot 2.1 does, with
// nginx reading it, and returns its leaf's hash. certbot itself is not run: what
// it does with a lineage that is not in its renewal folder is nothing.
func (h *labHouse) certbot(name string) (leaf string) {
	h.T.Helper()
	files := map[string]string{}
	dir := h.T.TempDir()
	cert, err := acmelab.SelfSigned(filepath.Join(dir, "cert"), filepath.Join(dir, "key"), time.Now(), name)
	if err != nil {
		h.T.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		h.T.Fatal(err)
	}
	home := "etc/letsencrypt/"
	conf := "# renew_before_expiry = 30 days\nversion = 2.1.0\narchive_dir = /etc/letsencrypt/archive/" + name + "\n"
	for _, f := range []struct{ name, text string }{{"cert", string(cert)}, {"privkey", string(key)}, {"chain", string(cert)}, {"fullchain", string(cert)}} {
		files[home+"archive/"+name+"/"+f.name+"1.pem"] = f.text
		conf += fmt.Sprintf("%s = /etc/letsencrypt/live/%s/%[1]s.pem\n", f.name, name)
	}
	conf += "\n# Options used in the renewal process\n[renewalparams]\naccount = 0123456789abcdef0123456789abcdef\nauthenticator = webroot\nwebroot_path = /var/www/html,\n" +
		"server = https://acme-v02.api.letsencrypt.org/directory\nkey_type = ecdsa\n[[webroot_map]]\n" + name + " = /var/www/html\n"
	files[home+"renewal/"+name+".conf"] = conf
	files[home+"live/README"] = "This directory contains your keys and certificates.\n"
	files[home+"live/"+name+"/README"] = "This directory contains your keys and certificates.\n"
	files["etc/nginx/sites-enabled/"+name] = fmt.Sprintf("server { listen 443 ssl; server_name %s; ssl_certificate /etc/letsencrypt/live/%[1]s/fullchain.pem; ssl_certificate_key /etc/letsencrypt/live/%[1]s/privkey.pem; }\n", name)
	for file, text := range files {
		h.host.Put(file, text)
	}
	live := filepath.Join(h.host.Root, home, "live", name)
	for _, f := range []string{"cert", "privkey", "chain", "fullchain"} {
		if err := os.Symlink("../../archive/"+name+"/"+f+"1.pem", filepath.Join(live, f+".pem")); err != nil {
			h.T.Fatal(err)
		}
	}
	h.lab.Point([]string{name}, h.web.Addr)
	if err := h.web.Put(acmelab.Site{Name: name, Names: []string{name}, Cert: live + "/fullchain.pem", Key: live + "/privkey.pem", Text: "the site " + name}); err != nil {
		h.T.Fatal(err)
	}
	block, _ := pem.Decode(cert)
	sum := sha256.Sum256(block.Bytes)
	leaf = hex.EncodeToString(sum[:])
	reload := h.web.Reload()
	if out, err := exec.Command(reload[0], reload[1:]...).CombinedOutput(); err != nil {
		h.T.Fatalf("%v: %s", err, out)
	}
	world.Eventually(h.T, "certbot's certificate is served", certLimit, func() bool { return world.Leaf(h.web.Endpoint(), name) == leaf })
	return leaf
}

// foundCert is a certificate of others on a host, as the API shows it.
type foundCert struct {
	ID, Renewer, Lineage string
	Names                []string
	UsedBy               []string `json:"used_by"`
	TakenBy              string   `json:"taken_by"`
}

// found waits until the plane knows of the one certificate of others.
func (h *labHouse) found() (f foundCert) {
	h.T.Helper()
	world.Eventually(h.T, "the certificate of others is found", certLimit, func() bool {
		var list struct{ Items []foundCert }
		h.maple.Must(&list, http.MethodGet, "/servers/"+h.host.ID+"/found-certificates", nil)
		if len(list.Items) == 1 {
			f = list.Items[0]
		}
		return f.ID != ""
	})
	return f
}

// renewed by certbot: whether its own file for the renewal is in its place, and
// its link leads to its own archive.
func (h *labHouse) certbotRenews(name string) (renews, own bool) {
	h.T.Helper()
	home := filepath.Join(h.host.Root, "etc/letsencrypt")
	_, err := os.Stat(filepath.Join(home, "renewal", name+".conf"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.T.Fatal(err)
	}
	to, lerr := os.Readlink(filepath.Join(home, "live", name, "fullchain.pem"))
	if lerr != nil {
		h.T.Fatal(lerr)
	}
	return err == nil, to == "../../archive/"+name+"/fullchain1.pem"
}

// What certbot renews is found, taken over in one step with what stops certbot,
// put back where ours is not served, and given back when a person says so.
func TestCertificateTakenFromCertbot(t *testing.T) {
	t.Parallel()
	const name = "old.example"
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), name)
	h.Plane.Stop()
	old := h.certbot(name)
	h.StartPlane() // it looks at servers when it starts, and daily
	f := h.found()
	if f.Renewer != "certbot" || f.Lineage != name || !slices.Equal(f.Names, []string{name}) || !slices.Equal(f.UsedBy, []string{"/etc/nginx/sites-enabled/" + name}) {
		t.Errorf("found: got %+v", f)
	}
	shown := func(t *testing.T, where, want string) {
		t.Helper()
		if got := world.Leaf(h.web.Endpoint(), name); got != want {
			t.Errorf("%s: served %.12s, want %.12s", where, got, want)
		}
	}

	if err := h.web.Break(true); err != nil {
		t.Fatal(err)
	}
	var x world.Cert
	h.maple.Must(&x, http.MethodPost, "/found-certificates/"+f.ID+"/take-over", map[string]any{"tenancy": h.tenancy, "services": []string{"nginx"},
		"endpoints": []map[string]string{{"address": h.web.Endpoint(), "protocol": "tls"}}})
	h.why("nginx refuses", h.maple.CertOver(x.ID, certLimit), "rolled_back", "service_config")
	if renews, own := h.certbotRenews(name); !renews || !own {
		t.Errorf("ours is not served, and certbot renews: %v, its link is its own: %v", renews, own)
	}
	shown(t, "ours is not served", old)

	if err := h.web.Break(false); err != nil {
		t.Fatal(err)
	}
	h.maple.Must(nil, http.MethodPost, "/certificates/"+x.ID+"/renew", nil)
	h.again(x, 2)
	x = h.maple.CertServed(x.ID, certLimit)
	shown(t, "taken over", x.Issued.Leaf)
	if renews, own := h.certbotRenews(name); renews || own {
		t.Errorf("taken over, and certbot renews: %v, its link is its own: %v", renews, own)
	}
	if got := h.found().TakenBy; got != x.ID {
		t.Errorf("taken by %q, want %s", got, x.ID)
	}

	h.maple.Must(nil, http.MethodPost, "/certificates/"+x.ID+"/undo-take-over", nil)
	world.Eventually(t, "it is given back", certLimit, func() bool { return h.found().TakenBy == "" })
	if renews, own := h.certbotRenews(name); !renews || !own {
		t.Errorf("given back, and certbot renews: %v, its link is its own: %v", renews, own)
	}
	world.Eventually(t, "certbot's certificate is served again", certLimit, func() bool { return world.Leaf(h.web.Endpoint(), name) == old })
}
