package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"ostler/agents/wire"
	"ostler/web"
)

// proxied stands between a browser and the portal: act may answer a request
// itself, and says so.
func proxied(t *testing.T, h *house, act func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	portal := httputil.NewSingleHostReverseProxy(ok[*url.URL](t)(url.Parse(h.url)))
	portal.FlushInterval = -1
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !act(w, r) {
			portal.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// breakOff ends a connection in the middle of an answer: a browser asks by
// itself again where it got nothing at all.
func breakOff(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte("<html>"))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// see signs a person's browser in and opens a page.
func see(t *testing.T, ctx context.Context, p *person, base, path string) {
	t.Helper()
	for _, c := range p.cookies() {
		if _, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: base}); err != nil {
			t.Fatal(err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(base+path)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a server waits for its streams to end
		if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
}

// until waits for an expression of JavaScript to be true on the page, also on
// one that the browser goes to meanwhile.
func until(t *testing.T, ctx context.Context, what, js string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if got, err := chromedp.Run(ctx, chromedp.Evaluate[bool](js)); err == nil && got {
			return
		} else if time.Now().After(end) {
			html, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.outerHTML`))
			t.Fatalf("%s did not come: %v\n%s", what, err, html)
		}
	}
}

const hasInvoice = `document.querySelector("main").textContent.includes("invoice.ods")`

// A live page hears its end whatever goes wrong on the way: a script that
// comes late, a stream that cannot be opened at first or breaks off, and a
// question that gets no answer. What the page shows stays meanwhile.
func TestLivePageHearsItsEnd(t *testing.T) {
	ctx := chromium(t)
	isStream := func(r *http.Request) bool { return r.URL.Path == "/events" }
	isAgain := func(r *http.Request) bool {
		return r.Header.Get("HX-Request") != "" && !isStream(r)
	}
	for _, c := range []struct {
		name  string
		wrong func(r *http.Request) bool
		times int32
		act   func(w http.ResponseWriter)
	}{
		{name: "the extension's script comes late", times: 1,
			wrong: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "hx-sse.min.js") },
			act:   func(http.ResponseWriter) { time.Sleep(300 * time.Millisecond) }},
		{name: "the stream is refused", times: 2, wrong: isStream,
			act: func(w http.ResponseWriter) {
				http.Error(w, `<main id="main">a page of a proxy</main>`, http.StatusTooManyRequests)
			}},
		{name: "the stream's connection breaks", times: 2, wrong: isStream, act: breakOff},
		{name: "the stream ends", times: 1, wrong: isStream,
			act: func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/event-stream") }},
		{name: "the question fails", times: 2, wrong: isAgain,
			act: func(w http.ResponseWriter) {
				http.Error(w, `<html><body><main id="main">a page of a proxy</main></body></html>`, http.StatusBadGateway)
			}},
		{name: "the question's connection breaks", times: 2, wrong: isAgain, act: breakOff},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newSQLite(t)
			_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 2})
			var wrong atomic.Int32
			base := proxied(t, h, func(w http.ResponseWriter, r *http.Request) bool {
				if !c.wrong(r) || wrong.Add(1) > c.times {
					return false
				}
				c.act(w)
				return w.Header().Get("Content-Type") != ""
			})
			see(t, ctx, h.browser(h.owner.ID), base, "/snapshots/"+snap.ID+"?path=%2Fsrv")
			var p wire.ListParams
			h.finish(h.take(wire.ActionList, &p), wire.Listing{Found: true, Nodes: []wire.Node{{Name: []byte("invoice.ods"), Type: wire.NodeFile, Size: 7}}})
			until(t, ctx, "the end", hasInvoice)
			if got := wrong.Load(); got < c.times {
				t.Errorf("it went wrong %d times, want %d", got, c.times)
			}
			got, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.body.textContent.includes("a page of a proxy")`))
			if err != nil || got {
				t.Errorf("a failure's page came into the page: %v, %v", got, err)
			}
		})
	}
}

// Whoever is signed out while a live page is open is asked to sign in.
func TestLivePageOfSomebodySignedOut(t *testing.T) {
	ctx := chromium(t)
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 2})
	ines := h.browser(h.owner.ID)
	see(t, ctx, ines, h.url, "/snapshots/"+snap.ID+"?path=%2Fsrv")
	until(t, ctx, "the stream is open", `document.querySelector("body > div[hidden]")._htmx?.sse?.status === 200`)
	ines.post("/signout")
	var p wire.ListParams
	h.finish(h.take(wire.ActionList, &p), wire.Listing{Found: true})
	until(t, ctx, "the page to sign in", `location.pathname === "/signin"`)
}

// What a reader types stays, and so does the place they type at, while the
// page around it changes.
func TestLivePageLeavesAFormAlone(t *testing.T) {
	ctx := chromium(t)
	r := renderer(t)
	var said atomic.Value
	said.Store("First.")
	tell := make(chan string)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, req *http.Request) {
		a, _ := r.Asset(strings.TrimPrefix(req.URL.Path, "/static/"))
		w.Header().Set("Content-Type", a.ContentType)
		_, _ = w.Write(a.Body)
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-req.Context().Done():
				return
			case s := <-tell:
				said.Store(s)
				_, _ = w.Write([]byte("event: changed\ndata: job:1\n\n"))
			}
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		say := said.Load().(string)
		page := &web.RecoveryKey{Page: web.Page{Title: "Key", Say: say, Self: "/", Live: []string{"job:1"}, Done: say}, Step: web.KeyConfirm, Action: "/confirm"}
		if say != "First." {
			page.Owners = []web.PersonRow{{Name: "Ines Moreau"}}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := r.Render(w, page); err != nil {
			t.Error(err)
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	if err := chromedp.Do(ctx, chromedp.Navigate(s.URL), chromedp.Click(chromedp.CSS("#last_group")), chromedp.SendKeys(chromedp.CSS("#last_group"), "ABCDE")); err != nil {
		t.Fatal(err)
	}
	for _, say := range []string{"Second.", "Third."} {
		select {
		case tell <- say:
		case <-time.After(20 * time.Second):
			t.Fatal("no stream is open")
		}
		until(t, ctx, say, `document.querySelector("h1").textContent === "`+say+`"`)
		const typed = `(e => e.value + " " + (document.activeElement === e) + " " + e.selectionStart)(document.getElementById("last_group"))`
		if got, err := chromedp.Run(ctx, chromedp.Evaluate[string](typed)); err != nil || got != "ABCDE true 5" {
			t.Errorf("%s the field, whether it has the focus, and where: got %q, %v", say, got, err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
}
