package world

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"ostler/controlplane/teleport/teleporttest"
)

// Teleport starts a cluster in the test's process until the test ends: the
// plane reaches it over mutual TLS and makes it follow the lists. config is what
// the plane's configuration has to say of it.
func Teleport(t testing.TB) (cluster *teleporttest.Cluster, config string) {
	t.Helper()
	cluster, err := teleporttest.New(teleporttest.Options{Name: "teleport.invalid"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	if err := cluster.Listen(); err != nil {
		t.Fatal(err)
	}
	file, err := cluster.IdentityFile(t.TempDir(), "ostler", 24*time.Hour, teleporttest.RoleReader, teleporttest.RoleEnforcer)
	if err != nil {
		t.Fatal(err)
	}
	return cluster, fmt.Sprintf("teleport:\n  addr: %q\n  identity_file: %q\naccess:\n  mode: enforce\n  gather_seconds: 1\n  look_minutes: 1\n", cluster.Addr(), filepath.Clean(file))
}

// Ada is the first member of staff, signed in; she administers Ostler.
func (w *World) Ada() *Portal {
	w.T.Helper()
	if w.ada == nil {
		w.ada = w.Accept(w.invitation)
	}
	return w.ada
}

// Tab opens a tab in which the same person is signed in.
func (b *Portal) Tab(browser *Browser) *Tab {
	b.w.T.Helper()
	at, err := url.Parse(b.w.URL)
	if err != nil {
		b.w.T.Fatal(err)
	}
	tab := browser.Tab()
	yes := true
	for _, k := range b.client.Jar.Cookies(at) {
		tab.do("set a cookie", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{Name: k.Name, Value: k.Value, URL: b.w.URL, Path: "/", HTTPOnly: &yes})
			return err
		}))
	}
	return tab
}

// Fill writes into the fields of the page's form, by their names: text, a
// choice, or one of several buttons.
func (t *Tab) Fill(fields ...string) {
	t.T.Helper()
	for i := 0; i+1 < len(fields); i += 2 {
		js := fmt.Sprintf(`(() => { const all = [...document.querySelectorAll("main form [name=" + %[1]q + "]")], value = %[2]q;
			const e = all.find(e => e.type !== "radio" || e.value === value);
			if (!e) return "there is none";
			if (e.type === "radio") { e.click(); return "" }
			e.value = value; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true}));
			return e.value === value ? "" : "it does not take it" })()`, fields[i], fields[i+1])
		if wrong := Eval[string](t, js); wrong != "" {
			t.T.Fatalf("the field %s on %s: %s\n%s", fields[i], t.URL(), wrong, t.Text())
		}
	}
}

// AccessLine is one person on a list, as the API shows it.
type AccessLine struct {
	Name, Way, Role         string
	Listed, Enforced, Could *struct{ From, Until string }
	Attested                bool
	NotifiedAt              string `json:"notified_at"`
}

// AccessList is who could reach a customer's servers at one instant, as it was
// known at another; the zero instant is now.
func (c *Customer) AccessList(at, known time.Time) []AccessLine {
	c.W.T.Helper()
	query := url.Values{}
	for name, instant := range map[string]time.Time{"at": at, "known_at": known} {
		if !instant.IsZero() {
			query.Set(name, instant.UTC().Format(time.RFC3339Nano))
		}
	}
	var out struct{ Lines []AccessLine }
	c.Must(&out, http.MethodGet, strings.TrimSuffix("/customers/"+c.ID+"/access?"+query.Encode(), "?"), nil)
	return out.Lines
}
