package deploy_test

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs/deploy"
)

// placeholder is what stands in the certificate's place, and its leaf's hash.
func (w *world) placeholder() (leaf string) {
	w.t.Helper()
	if got := w.live(); got != "placeholder" {
		w.t.Fatalf("live leads to %q, want the placeholder", got)
	}
	pair, err := tls.LoadX509KeyPair(w.file("live/fullchain.pem"), w.file("live/privkey.pem"))
	w.must(err)
	return deploy.LeafHash(pair.Certificate[0])
}

func TestPlaceholder(t *testing.T) {
	w := newWorld(t)
	if _, err := w.e.Request(t.Context(), ask(1, "shop.example", "192.0.2.7")); err != nil {
		t.Fatal(err)
	}
	first := w.placeholder()
	pair, err := tls.LoadX509KeyPair(w.file("live/combined.pem"), w.file("live/combined.pem"))
	w.must(err)
	for _, n := range []string{"shop.example", "192.0.2.7"} {
		if err := pair.Leaf.VerifyHostname(n); err != nil {
			t.Error(err)
		}
	}
	for file, want := range map[string]fs.FileMode{"privkey.pem": 0o600, "combined.pem": 0o600, "fullchain.pem": 0o644, "chain.pem": 0o644, "cert.pem": 0o644} {
		if info, err := os.Stat(w.file("live/" + file)); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want %v", file, info, err, want)
		}
	}
	if _, err := w.e.Request(t.Context(), ask(2, "shop.example", "192.0.2.7")); err != nil || w.placeholder() != first {
		t.Errorf("a second round before the first is there: another placeholder, %v", err)
	}
	if found := w.e.Find(); len(found) != 0 {
		t.Errorf("it counts as a certificate of others: %+v", found)
	}

	// Once there is a certificate it is gone back to no more, and let go of.
	at := listen(t, w.loaded, wire.ProtocolTLS)
	w = newWorld(t)
	w.set([]string{"false"}, w.copies())
	p := w.params(1, at)
	if res, err := w.deploy(t.Context(), p); err != nil || res.RolledBack || res.Round != 1 || w.live() != "1" {
		t.Errorf("a first one that a service refuses stays: got %+v, %v, live %s", res, err, w.live())
	}
	_, err = w.e.Forget(t.Context(), wire.CertForgetParams{Certificate: crt, Folder: folder, Keep: []int64{1}})
	w.must(err)
	if _, err := os.Lstat(w.file("placeholder")); !os.IsNotExist(err) {
		t.Errorf("the placeholder is still there: %v", err)
	}
	w.request(2)
	if _, err := os.Lstat(w.file("placeholder")); w.live() != "1" || !os.IsNotExist(err) {
		t.Errorf("another one beside a certificate: live %s, %v", w.live(), err)
	}
	w.request(1)
	if _, err = w.e.Forget(t.Context(), wire.CertForgetParams{Certificate: crt, Folder: folder}); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(w.file("")); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// A certificate that never came is forgotten with its placeholder.
func TestForgetPlaceholder(t *testing.T) {
	w := newWorld(t)
	w.request(1)
	w.placeholder()
	for _, keep := range [][]int64{{1}, nil} {
		_, err := w.e.Forget(t.Context(), wire.CertForgetParams{Certificate: crt, Folder: folder, Keep: keep})
		w.must(err)
		if keep != nil {
			w.placeholder() // services may read it still
		}
	}
	if _, err := os.Lstat(w.file("")); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// A web server whose configuration names certificates that no CA has issued yet
// starts, and the first of them that is issued is served though others wait.
func TestNginxBeforeTheFirst(t *testing.T) {
	n := newNginx(t)
	other := wire.CertRequestParams{Certificate: "crt_02", Folder: "late.example", Round: 1, Names: []string{"late.example"}, Key: wire.KeyP256}
	if _, err := n.e.Request(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	n.request(1)
	late := filepath.Join(filepath.Dir(n.file("")), other.Folder, "live")
	n.configure(fmt.Sprintf("server { listen %s ssl; server_name late.example; ssl_certificate %s/fullchain.pem; ssl_certificate_key %[2]s/privkey.pem; ssl_trusted_certificate %[2]s/chain.pem; }", n.at.Address, late))
	n.start()
	if got := deploy.See(t.Context(), n.at, time.Second); got.Leaf != n.placeholder() {
		t.Errorf("before the first: got %+v", got)
	}
	n.served(n.params(1, n.at))
}

func TestForgetLooksWhoUsesIt(t *testing.T) {
	for name, tt := range map[string]struct {
		file, text string
		used       bool
	}{
		"nginx":                          {"etc/nginx/conf.d/shop.conf", "ssl_certificate /etc/ostler/certificates/shop.example/live/fullchain.pem;", true},
		"nginx, another directive":       {"etc/nginx/conf.d/shop.conf", "ssl_trusted_certificate /etc/ostler/certificates/shop.example/live/chain.pem;", true},
		"Apache":                         {"etc/apache2/sites-enabled/shop.conf", "SSLCertificateFile /etc/ostler/certificates/shop.example/live/cert.pem\n", true},
		"HAProxy":                        {"etc/haproxy/haproxy.cfg", "bind :443 ssl crt /etc/ostler/certificates/shop.example/live/combined.pem alpn h2\n", true},
		"HAProxy, with a base":           {"etc/haproxy/haproxy.cfg", "global\n  crt-base /etc/ostler/certificates\nfrontend x\n  bind :443 ssl crt shop.example/live/combined.pem\n", true},
		"HAProxy, a list":                {"etc/haproxy/lists/crt-list.txt", "/etc/ostler/certificates/shop.example/live/combined.pem shop.example\n", true},
		"Postfix":                        {"etc/postfix/main.cf", "smtpd_tls_chain_files = /etc/ostler/certificates/shop.example/live/privkey.pem, /etc/ostler/certificates/shop.example/live/fullchain.pem\n", true},
		"Postfix, names":                 {"etc/postfix/sni", "mail.shop.example /etc/ostler/certificates/shop.example/live/combined.pem\n", true},
		"Dovecot":                        {"etc/dovecot/conf.d/10-ssl.conf", "ssl_cert = </etc/ostler/certificates/shop.example/live/fullchain.pem\n", true},
		"Caddy":                          {"etc/caddy/Caddyfile", "shop.example {\n\ttls /etc/ostler/certificates/shop.example/live/fullchain.pem /etc/ostler/certificates/shop.example/live/privkey.pem\n}\n", true},
		"a comment":                      {"etc/haproxy/haproxy.cfg", "  # bind :443 ssl crt /etc/ostler/certificates/shop.example/live/combined.pem\n", false},
		"a name that ends so":            {"etc/haproxy/haproxy.cfg", "crt /etc/ostler/certificates/web-shop.example/live/combined.pem\n", false},
		"a folder that begins so":        {"etc/dovecot/dovecot.conf", "ssl_cert = </etc/ostler/certificates/shop.example/lively.pem\n", false},
		"two of a kind, ours the second": {"etc/postfix/main.cf", "a = web-shop.example/live/x shop.example/live/cert.pem\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.request(1)
			w.put(tt.file, []byte(tt.text))
			_, err := w.e.Forget(t.Context(), wire.CertForgetParams{Certificate: crt, Folder: folder})
			if tt.used {
				wantCause(t, err, wire.CauseCertFolder)
				w.placeholder()
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a link in a folder of certificates", func(t *testing.T) {
		w := newWorld(t)
		w.request(1)
		w.put("etc/haproxy/certs/other.pem", []byte("another"))
		w.must(os.Symlink("/etc/ostler/certificates/shop.example/live/combined.pem", filepath.Join(w.root, "etc/haproxy/certs/shop.pem")))
		_, err := w.e.Forget(t.Context(), wire.CertForgetParams{Certificate: crt, Folder: folder})
		wantCause(t, err, wire.CauseCertFolder)
	})
	if services := wire.Services(); !slices.Equal(services, []wire.Service{wire.ServiceNginx, wire.ServiceApache, wire.ServiceHAProxy, wire.ServicePostfix, wire.ServiceDovecot, wire.ServiceCaddy}) {
		t.Errorf("there are other services than those above: %q", services)
	}
}
