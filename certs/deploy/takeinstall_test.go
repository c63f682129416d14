package deploy_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ostler/agents/wire"
)

// replaced is a world whose service reads certbot's files and has loaded them,
// and an installation that takes their place.
func replaced(t testing.TB, w *world) (p wire.CertDeployParams, reload []string) {
	t.Helper()
	w.certbot("shop.example", name)
	at := filepath.Join(w.root, "etc/letsencrypt/live/shop.example")
	w.must(os.Rename(copyOf(t, at), filepath.Join(w.loaded, "x")))
	w.must(errors.Join(os.Rename(filepath.Join(w.loaded, "x/fullchain.pem"), filepath.Join(w.loaded, "fullchain.pem")),
		os.Rename(filepath.Join(w.loaded, "x/privkey.pem"), filepath.Join(w.loaded, "privkey.pem"))))
	reload = []string{"cp", "-L", at + "/fullchain.pem", at + "/privkey.pem", w.loaded}
	w.set([]string{"true"}, reload)
	p = w.params(1, listen(t, w.loaded, wire.ProtocolTLS))
	p.Take = &wire.CertTakeParams{Certificate: crt, Folder: folder, Path: "/etc/letsencrypt/live/shop.example/fullchain.pem", Renewer: "certbot", Lineage: "shop.example"}
	return p, reload
}

// A first certificate can only be served where a service reads another's files
// once it has their place: both are one step, and come back together.
func TestTakesThePlaceAtOnce(t *testing.T) {
	w := newWorld(t)
	p, reload := replaced(t, w)
	before := w.snapshot()
	for _, broken := range [][2][]string{{{"false"}, reload}, {{"true"}, {"false"}}, {{"true"}, {"true"}}} {
		w.set(broken[0], broken[1])
		res, err := w.deploy(t.Context(), p)
		w.must(err)
		if !res.RolledBack || res.Round != 0 || res.Failure == nil || res.Taken != nil {
			t.Errorf("%v: got %+v %+v", broken, res, res.Failure)
		}
		if got := w.snapshot(); got != before {
			t.Errorf("%v: got\n%s\nwant\n%s", broken, got, before)
		}
	}
	w.set([]string{"true"}, reload)
	w.e.SetAt(func(string) {})
	if res, err := w.e.Deploy(t.Context(), p, func(string) bool { return false }); err != nil || res.Failure == nil || res.Failure.Cause != wire.CausePolicy || w.snapshot() != before {
		t.Errorf("names that the policy does not leave to us: got %+v, %v", res, err)
	}
	res, err := w.deploy(t.Context(), p)
	w.must(err)
	if res.Reached != wire.CertServed || res.Taken == nil || len(res.Taken.Changed) != 5 || w.shows(p.Endpoints[0]) != "1" {
		t.Errorf("got %+v %+v, shows %s", res, res.Failure, w.shows(p.Endpoints[0]))
	}
	next := w.params(2, p.Endpoints...)
	next.Take = p.Take
	w.set([]string{"false"}, reload)
	if res, err := w.deploy(t.Context(), next); err != nil || !res.RolledBack || res.Round != 1 {
		t.Errorf("a renewal that fails: got %+v, %v", res, err)
	}
	if _, err := os.Stat(filepath.Join(w.root, "etc/letsencrypt/renewal/shop.example.conf")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a renewal that fails gave the certificate back: %v", err)
	}

	w.set([]string{"true"}, reload)
	back := *p.Take
	back.Undo, back.Services = true, p.Services
	if _, err := w.e.Take(t.Context(), back, any1); err != nil {
		t.Fatal(err)
	}
	if got := w.snapshot(); got != before {
		t.Errorf("undo: got\n%s\nwant\n%s", got, before)
	}
	if got := w.shows(p.Endpoints[0]); got == "1" {
		t.Error("after undoing it the service was not told")
	}
	w.set([]string{"false"}, reload)
	back.Undo = false
	_, err = w.e.Take(t.Context(), back, any1)
	wantCause(t, err, wire.CauseServiceConfig)
	if got := w.snapshot(); got != before {
		t.Errorf("a take-over that the service refuses: got\n%s\nwant\n%s", got, before)
	}
}

// Killed anywhere, it ends served or as it was, as the service allows.
func TestKilledTakingThePlace(t *testing.T) {
	for _, works := range []bool{true, false} {
		eachKill(t, 15, func(t *testing.T, w *world) (func(), func(*testing.T, string)) {
			p, reload := replaced(t, w)
			before := w.snapshot()
			if !works { // the service takes up what it is told, and one address never changes
				p.Endpoints = append(p.Endpoints, listen(t, copyOf(t, w.loaded), wire.ProtocolTLS))
			}
			w.opts.Settle = 100 * time.Millisecond
			w.set([]string{"true"}, reload)
			return func() { _, _ = w.deploy(t.Context(), p) }, func(t *testing.T, point string) {
				if works {
					w.served(p)
					return
				}
				res, err := w.deploy(t.Context(), p)
				if err != nil || !res.RolledBack || w.snapshot() != before || w.shows(p.Endpoints[0]) == "1" {
					t.Errorf("after %s: got %+v %+v, %v, shows %s\n%s\nwant\n%s", point, res, res.Failure, err, w.shows(p.Endpoints[0]), w.snapshot(), before)
				}
			}
		})
	}
}
