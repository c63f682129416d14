package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ostler/agents/wire"
	"ostler/certs/deploy"
	"ostler/internal/killpoint"
)

func any1(string) bool { return true }

// put writes a file beneath the root.
func (w *world) put(path string, data []byte) {
	w.t.Helper()
	at := filepath.Join(w.root, path)
	w.must(errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, data, 0o600)))
}

func (w *world) link(target, path string) {
	w.t.Helper()
	at := filepath.Join(w.root, path)
	w.must(errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.Symlink(target, at)))
}

// pair is a certificate of somebody else, and its key, in PEM.
func (w *world) pair(names ...string) (leaf, key []byte) {
	w.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	der, err := x509.MarshalECPrivateKey(k)
	w.must(err)
	return pemOf(w.ca.leaf(k.Public(), names)), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// certbot lays out a lineage as certbot does.
func (w *world) certbot(lineage string, names ...string) {
	leaf, key := w.pair(names...)
	chain := pemOf(w.ca.inter.Raw)
	archive, live := "etc/letsencrypt/archive/"+lineage+"/", "etc/letsencrypt/live/"+lineage+"/"
	conf := "# renew_before_expiry = 30 days\nversion = 2.1.0\narchive_dir = /etc/letsencrypt/archive/" + lineage + "\n"
	for f, data := range map[string][]byte{"cert": leaf, "privkey": key, "chain": chain, "fullchain": append(slices.Clone(leaf), chain...)} {
		w.put(archive+f+"3.pem", data)
		w.link("../../archive/"+lineage+"/"+f+"3.pem", live+f+".pem")
		conf += f + " = /" + live + f + ".pem\n"
	}
	w.put("etc/letsencrypt/renewal/"+lineage+".conf", []byte(conf+"\n[renewalparams]\nfullchain = /elsewhere\n"))
}

// subject has certbot's certificate be one without names but for its subject's.
func (w *world) subject(cn string) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	leaf := w.ca.leaf(k.Public(), nil, func(c *x509.Certificate) { c.Subject.CommonName = cn })
	w.put("etc/letsencrypt/archive/shop.example/fullchain3.pem", pemOf(leaf))
}

func (w *world) acmeSh(names ...string) {
	leaf, key := w.pair(names...)
	dir := "root/.acme.sh/" + names[0] + "_ecc/"
	w.put(dir+names[0]+".cer", leaf)
	w.put(dir+names[0]+".key", key)
	w.put(dir+"ca.cer", pemOf(w.ca.inter.Raw))
	w.put(dir+"fullchain.cer", append(slices.Clone(leaf), pemOf(w.ca.inter.Raw)...))
	w.put("etc/nginx/ssl/acme.pem", append(slices.Clone(leaf), pemOf(w.ca.inter.Raw)...))
	w.put("etc/nginx/ssl/acme.key", key)
	w.put(dir+names[0]+".conf", []byte("Le_Domain='"+names[0]+"'\nLe_Alt='no'\nLe_RealKeyPath='/etc/nginx/ssl/acme.key'\nLe_RealFullChainPath='/etc/nginx/ssl/acme.pem'\n"))
}

// everything sets up certificates of every renewer.
func (w *world) everything() {
	w.certbot("shop.example", name)
	w.acmeSh("acme.example")
	leaf, key := w.pair("lego.example")
	w.put("var/lib/lego/certificates/lego.example.json", []byte(`{"domain":"lego.example"}`))
	w.put("var/lib/lego/certificates/lego.example.crt", leaf)
	w.put("var/lib/lego/certificates/lego.example.key", key)
	caddy := "var/lib/caddy/.local/share/caddy/certificates/acme-v02/caddy.example/caddy.example"
	leaf, key = w.pair("caddy.example")
	w.put(caddy+".crt", leaf)
	w.put(caddy+".key", key)
	leaf, key = w.pair("loose.example", "192.0.2.9")
	w.put("etc/ssl/loose.pem", append(slices.Clone(leaf), pemOf(w.ca.inter.Raw)...))
	w.put("etc/ssl/private/loose.key", key)
	leaf, key = w.pair("apache.example")
	w.put("etc/ssl/apache.crt", leaf)
	w.put("etc/ssl/private/apache.key", key)
	w.put("etc/ssl/apache-chain.crt", pemOf(w.ca.inter.Raw))
	w.put("etc/nginx/sites-available/shop", []byte("# ssl_certificate /no;\nserver { listen 443 ssl; ssl_certificate \"/etc/letsencrypt/live/shop.example/fullchain.pem\"; ssl_certificate_key /etc/letsencrypt/live/shop.example/privkey.pem; }\n"+
		"server { ssl_certificate ssl/acme.pem; ssl_certificate_key ssl/acme.key; }\n"))
	w.link("/etc/nginx/sites-available/shop", "etc/nginx/sites-enabled/shop") // absolute, as Debian's are
	w.put("etc/nginx/conf.d/loose.conf", []byte("server {\n\tssl_certificate\n\t\t/etc/ssl/loose.pem; ssl_certificate_key "+w.root+"/etc/ssl/private/loose.key;\n ssl_certificate /dev/$name.pem; ssl_certificate /etc/ssl/gone.pem; }"))
	w.put("etc/apache2/sites-enabled/a.conf", []byte("<VirtualHost *:443>\n\tsslCertificateFile \"/etc/ssl/apache.crt\"\nSSLCertificateKeyFile /etc/ssl/private/apache.key\nSSLCertificateChainFile /etc/ssl/apache-chain.crt\nSSLCertificateFile /etc/letsencrypt/live/shop.example/cert.pem\n</VirtualHost>\n"))
	w.must(syscall.Mkfifo(filepath.Join(w.root, "etc/nginx/conf.d/pipe.conf"), 0o600))
	w.link("loop.conf", "etc/nginx/conf.d/loop.conf")
	w.link("../../../../../../../../etc/passwd", "etc/nginx/conf.d/out.conf")
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	w.everything()
	w.served(w.params(1, listen(t, w.loaded, wire.ProtocolTLS)))
	w.put("etc/nginx/conf.d/ours.conf", []byte("server { ssl_certificate /etc/ostler/certificates/shop.example/live/fullchain.pem; }"))
	res, err := w.e.Look(t.Context(), wire.CertLookParams{Find: true})
	w.must(err)
	var got []string
	for _, f := range res.Found {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%s", f.Path, f.Renewer, f.Lineage, strings.Join(f.Names, ","), strings.Join(f.UsedBy, ",")))
		if f.Issuer != "Test Intermediate" || len(f.Leaf) != 64 || f.Serial == "" || f.NotAfter < f.NotBefore {
			t.Errorf("got %+v", f)
		}
	}
	want := []string{
		"/etc/letsencrypt/live/shop.example/fullchain.pem|certbot|shop.example|shop.example|/etc/nginx/sites-enabled/shop,/etc/apache2/sites-enabled/a.conf",
		"/etc/nginx/ssl/acme.pem|acme.sh|acme.example_ecc|acme.example|/etc/nginx/sites-enabled/shop",
		"/var/lib/lego/certificates/lego.example.crt|lego|lego.example|lego.example|",
		"/var/lib/caddy/.local/share/caddy/certificates/acme-v02/caddy.example/caddy.example.crt|caddy|caddy.example|caddy.example|",
		"/etc/ssl/loose.pem|||loose.example,192.0.2.9|/etc/nginx/conf.d/loose.conf",
		"/etc/ssl/apache.crt|||apache.example|/etc/apache2/sites-enabled/a.conf",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// snapshot is every file beneath the root but ours, with what it leads to or has.
func (w *world) snapshot() string {
	w.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(w.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(path, w.root)
		if rel == deploy.DefaultFolder {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case d.Type().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			content = fmt.Sprintf("%d %x", info.Sys().(*syscall.Stat_t).Ino, data)
		}
		if d.Type() != fs.ModeNamedPipe {
			fmt.Fprintf(&b, "%s %v %s\n", rel, info.Mode(), content)
		}
		return err
	})
	w.must(err)
	return b.String()
}

// takeover is a world in which ours is ready to take another's place.
func takeover(t testing.TB, w *world, names ...string) wire.CertTakeParams {
	t.Helper()
	w.everything()
	res, err := w.e.Request(t.Context(), ask(1, append([]string{name}, names...)...))
	w.must(err)
	p := wire.CertDeployParams{Certificate: crt, Folder: folder, Round: 1, Chain: w.ca.issue(res.CSR)}
	if _, err := w.deploy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return wire.CertTakeParams{Certificate: crt, Folder: folder, Path: "/etc/letsencrypt/live/shop.example/fullchain.pem", Renewer: "certbot", Lineage: "shop.example"}
}

func TestTakeOver(t *testing.T) {
	tests := []struct {
		name    string
		change  func(p *wire.CertTakeParams)
		covers  string
		leads   map[string]string // a file of theirs to the one of ours that it leads to
		stopped string            // the renewer's file, out of the way
	}{
		{"certbot", func(*wire.CertTakeParams) {}, "", map[string]string{
			"/etc/letsencrypt/live/shop.example/fullchain.pem": "fullchain.pem", "/etc/letsencrypt/live/shop.example/privkey.pem": "privkey.pem",
			"/etc/letsencrypt/live/shop.example/chain.pem": "chain.pem", "/etc/letsencrypt/live/shop.example/cert.pem": "cert.pem"},
			"/etc/letsencrypt/renewal/shop.example.conf"},
		{"acme.sh", func(p *wire.CertTakeParams) {
			p.Renewer, p.Lineage, p.Path = "acme.sh", "acme.example_ecc", "/etc/nginx/ssl/acme.pem"
		}, "acme.example", map[string]string{"/etc/nginx/ssl/acme.pem": "fullchain.pem", "/etc/nginx/ssl/acme.key": "privkey.pem", "/root/.acme.sh/acme.example_ecc/ca.cer": "chain.pem"},
			"/root/.acme.sh/acme.example_ecc/acme.example.conf"},
		{"lego", func(p *wire.CertTakeParams) {
			p.Renewer, p.Lineage, p.Path = "lego", "lego.example", "/var/lib/lego/certificates/lego.example.crt"
		}, "lego.example", map[string]string{"/var/lib/lego/certificates/lego.example.crt": "fullchain.pem", "/var/lib/lego/certificates/lego.example.key": "privkey.pem"},
			"/var/lib/lego/certificates/lego.example.json"},
		{"nobody known, nginx", func(p *wire.CertTakeParams) { p.Renewer, p.Lineage, p.Path = "", "", "/etc/ssl/loose.pem" }, "loose.example",
			map[string]string{"/etc/ssl/loose.pem": "fullchain.pem", "/etc/ssl/private/loose.key": "privkey.pem"}, ""},
		{"nobody known, Apache", func(p *wire.CertTakeParams) { p.Renewer, p.Lineage, p.Path = "", "", "/etc/ssl/apache.crt" }, "apache.example",
			map[string]string{"/etc/ssl/apache.crt": "cert.pem", "/etc/ssl/private/apache.key": "privkey.pem", "/etc/ssl/apache-chain.crt": "chain.pem"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			names := []string{"192.0.2.9"}
			if tt.covers != "" {
				names = append(names, tt.covers)
			}
			p := takeover(t, w, names...)
			tt.change(&p)
			before := w.snapshot()
			taken, err := w.e.Take(t.Context(), p, any1)
			if err != nil || len(taken.Changed) < 2 {
				t.Fatalf("got %+v, %v", taken, err)
			}
			for theirs, of := range tt.leads {
				a, err1 := os.ReadFile(filepath.Join(w.root, theirs))
				b, err2 := os.ReadFile(w.file("live/" + of))
				if err := errors.Join(err1, err2); err != nil || string(a) != string(b) {
					t.Errorf("%s does not lead to our %s: %v", theirs, of, err)
				}
			}
			if tt.stopped != "" {
				if _, err := os.Stat(filepath.Join(w.root, tt.stopped)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is still there: %v", tt.stopped, err)
				}
			}
			for _, f := range w.e.Find() {
				if f.Path == p.Path {
					t.Errorf("it is still found as another's: %+v", f)
				}
			}
			if _, err := w.e.Forget(t.Context(), wire.CertForgetParams{Certificate: crt, Folder: folder}); err == nil {
				t.Error("a certificate that another's files lead to was forgotten")
			}
			after := w.snapshot()
			if again, err := w.e.Take(t.Context(), p, any1); err != nil || len(again.Changed) != 0 || w.snapshot() != after {
				t.Errorf("again: got %+v, %v", again, err)
			}
			p.Undo = true
			if _, err := w.e.Take(t.Context(), p, any1); err != nil {
				t.Fatal(err)
			}
			if got := w.snapshot(); got != before {
				t.Errorf("undo: got\n%s\nwant\n%s", got, before)
			}
			if again, err := w.e.Take(t.Context(), p, any1); err != nil || len(again.Changed) != 0 {
				t.Errorf("undo again: got %+v, %v", again, err)
			}
		})
	}
}

func TestTakeOverRefuses(t *testing.T) {
	tests := []struct {
		name   string
		covers []string // of other names, ours covers these
		change func(w *world, p *wire.CertTakeParams)
		want   wire.Cause
	}{
		{"not found", nil, func(_ *world, p *wire.CertTakeParams) { p.Lineage = "other.example" }, wire.CauseRenewer},
		{"a file that nobody names", nil, func(_ *world, p *wire.CertTakeParams) {
			p.Path, p.Renewer, p.Lineage = "/etc/passwd", "", ""
		}, wire.CauseRenewer},
		{"names that ours does not cover", nil, func(_ *world, p *wire.CertTakeParams) {
			p.Path, p.Renewer, p.Lineage = "/etc/ssl/loose.pem", "", ""
		}, wire.CauseRenewer},
		{"Caddy", []string{"caddy.example"}, func(_ *world, p *wire.CertTakeParams) {
			p.Renewer, p.Lineage = "caddy", "caddy.example"
			p.Path = "/var/lib/caddy/.local/share/caddy/certificates/acme-v02/caddy.example/caddy.example.crt"
		}, wire.CauseRenewer},
		{"no key in the configuration", []string{"loose.example", "192.0.2.9"}, func(w *world, p *wire.CertTakeParams) {
			w.put("etc/ssl/private/loose.key", []byte("gone"))
			p.Path, p.Renewer, p.Lineage = "/etc/ssl/loose.pem", "", ""
		}, wire.CauseRenewer},
		{"their folder can be written by others", nil, func(w *world, _ *wire.CertTakeParams) {
			w.must(os.Chmod(filepath.Join(w.root, "etc/letsencrypt/live/shop.example"), 0o777))
		}, wire.CauseCertFolder},
		{"nothing of ours is installed", nil, func(w *world, _ *wire.CertTakeParams) { w.must(os.Remove(w.file("live"))) }, wire.CauseRenewer},
		{"no certificate of ours", nil, func(_ *world, p *wire.CertTakeParams) { p.Folder = "none" }, wire.CauseCertKey},
		{"one was put aside before", nil, func(w *world, _ *wire.CertTakeParams) {
			w.put("etc/letsencrypt/renewal/shop.example.conf.taken-by-ostler", []byte("x"))
		}, wire.CauseRenewer},
		{"something is where a file would be kept", []string{"lego.example"}, func(w *world, p *wire.CertTakeParams) {
			w.put("var/lib/lego/certificates/lego.example.key.before-ostler", []byte("the key of an earlier one"))
			p.Renewer, p.Lineage, p.Path = "lego", "lego.example", "/var/lib/lego/certificates/lego.example.crt"
		}, wire.CauseRenewer},
		{"a chain that is no chain", []string{"apache.example"}, func(w *world, p *wire.CertTakeParams) {
			w.put("etc/passwd", []byte("root:x:0:0"))
			conf, err := os.ReadFile(filepath.Join(w.root, "etc/apache2/sites-enabled/a.conf"))
			w.must(err)
			w.put("etc/apache2/sites-enabled/a.conf", []byte(strings.Replace(string(conf), "/etc/ssl/apache-chain.crt", "/etc/passwd", 1)))
			p.Path, p.Renewer, p.Lineage = "/etc/ssl/apache.crt", "", ""
		}, wire.CauseRenewer},
		{"a key that is no key", nil, func(w *world, _ *wire.CertTakeParams) {
			w.put("etc/letsencrypt/archive/shop.example/privkey3.pem", []byte("ssh-ed25519 AAAA"))
		}, wire.CauseRenewer},
		{"more names than are told", nil, func(w *world, p *wire.CertTakeParams) {
			names := slices.Repeat([]string{name}, 100)
			leaf, _ := w.pair(append(names, "other.example")...)
			w.put("etc/letsencrypt/archive/shop.example/fullchain3.pem", leaf)
		}, wire.CauseRenewer},
		{"a name in the subject alone", nil, func(w *world, _ *wire.CertTakeParams) { w.subject("other.example") }, wire.CauseRenewer},
		{"no name", nil, func(w *world, _ *wire.CertTakeParams) { w.subject("Mail server") }, wire.CauseRenewer},
		{"a folder in place of a file", nil, func(w *world, p *wire.CertTakeParams) {
			at := filepath.Join(w.root, "etc/letsencrypt/live/shop.example/chain.pem")
			w.must(errors.Join(os.Remove(at), os.Mkdir(at, 0o755)))
		}, wire.CauseCertFolder},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			p := takeover(t, w, tt.covers...)
			tt.change(w, &p)
			before := w.snapshot()
			_, err := w.e.Take(t.Context(), p, any1)
			wantCause(t, err, tt.want)
			if got := w.snapshot(); got != before {
				t.Errorf("got\n%s\nwant\n%s", got, before)
			}
		})
	}
	w := newWorld(t)
	p := takeover(t, w)
	_, err := w.e.Take(t.Context(), p, func(n string) bool { return n != name })
	wantCause(t, err, wire.CausePolicy)
}

// Killed anywhere, it can be gone on with, and undone exactly.
func TestKilledTakeOver(t *testing.T) {
	for _, undo := range []bool{false, true} {
		for _, loose := range []bool{false, true} {
			t.Run(fmt.Sprintf("undo %v loose %v", undo, loose), func(t *testing.T) {
				eachKill(t, 2, func(t *testing.T, w *world) (func(), func(*testing.T, string)) {
					p := takeover(t, w, "loose.example", "192.0.2.9")
					if loose {
						p.Path, p.Renewer, p.Lineage = "/etc/ssl/loose.pem", "", ""
					}
					before := w.snapshot()
					back := p
					back.Undo = true
					if undo {
						_, err := w.e.Take(t.Context(), p, any1)
						w.must(err)
					}
					kill := func() { _, _ = w.e.Take(t.Context(), p, any1) }
					if undo {
						kill = func() { _, _ = w.e.Take(t.Context(), back, any1) }
					}
					return kill, func(t *testing.T, point string) {
						if !undo {
							_, err := w.e.Take(t.Context(), p, any1)
							w.must(err)
							a, err1 := os.ReadFile(filepath.Join(w.root, p.Path))
							b, err2 := os.ReadFile(w.file("live/fullchain.pem"))
							if errors.Join(err1, err2) != nil || string(a) != string(b) {
								t.Errorf("after %s: not taken over", point)
							}
						}
						_, err := w.e.Take(t.Context(), back, any1)
						w.must(err)
						if got := w.snapshot(); got != before {
							t.Errorf("after %s: got\n%s\nwant\n%s", point, got, before)
						}
					}
				})
			})
		}
	}
}

func TestForget(t *testing.T) {
	w := newWorld(t)
	at := listen(t, w.loaded, wire.ProtocolTLS)
	for round := int64(1); round <= 4; round++ {
		w.served(w.params(round, at))
	}
	w.request(5)
	forget := func(keep ...int64) (wire.CertForgotten, error) {
		return w.e.Forget(t.Context(), wire.CertForgetParams{Certificate: crt, Folder: folder, Keep: keep})
	}
	got, err := forget(3, 5)
	w.must(err)
	if !slices.Equal(got.Rounds, []int64{1, 2}) || w.live() != "4" || w.shows(at) != "4" {
		t.Errorf("got %v, live %s: what is in use stays", got.Rounds, w.live())
	}
	w.put("etc/nginx/nginx.conf", []byte("http { ssl_certificate "+w.file("live/fullchain.pem")+"; }"))
	_, err = forget()
	wantCause(t, err, wire.CauseCertFolder)
	w.put("etc/nginx/nginx.conf", nil)
	w.e.SetAt(killAt("deleted", 1))
	if point := killpoint.Until(func() { _, _ = forget() }); point != "deleted" {
		t.Fatalf("killed at %q", point)
	}
	w.open()
	if got, err = forget(); err != nil || !slices.Equal(got.Rounds, []int64{4, 5}) {
		t.Errorf("got %v, %v", got.Rounds, err)
	}
	if _, err := os.Lstat(w.file("")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if got, err = forget(); err != nil || len(got.Rounds) != 0 {
		t.Errorf("again: got %v, %v", got.Rounds, err)
	}
}
