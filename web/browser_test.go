package web_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"ostler/agents/wire"
	"ostler/web"
	"ostler/web/sample"
)

// chromium starts a browser for one test. It talks to loopback only.
func chromium(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("make test runs the browser")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 18*time.Minute) // go test ends at 20
	t.Cleanup(cancel)
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `window.violations = []; document.addEventListener("securitypolicyviolation", e => window.violations.push(e.violatedDirective + " " + e.blockedURI));`})
	if err != nil {
		t.Fatalf("chromium (apt-get install chromium): %v", err)
	}
	return ctx
}

func look(t *testing.T, ctx context.Context, scheme string, width int64) {
	t.Helper()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err == nil {
		err = chromedp.Do(ctx, chromedp.EmulateViewport(width, 900))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// samplesOn serves every sample as the portal would.
func samplesOn(t *testing.T, r *web.Renderer, samples []sample.Sample) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, req *http.Request) {
		a, ok := r.Asset(strings.TrimPrefix(req.URL.Path, "/static/"))
		if !ok {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Content-Type", a.ContentType)
		_, _ = w.Write(a.Body)
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
	})
	mux.HandleFunc("GET /sample.cast", func(w http.ResponseWriter, req *http.Request) {
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(sample.Cast()))
	})
	mux.HandleFunc("POST /sample.watched", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	for _, s := range samples {
		mux.HandleFunc("GET /p/"+s.Name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", web.PolicyOf(s.View))
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if err := r.Render(w, s.View); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

const runAxe = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}).then(r =>
  r.violations.map(v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).join(" | ")))`

// A view is how a page is looked at.
type view struct {
	scheme string
	width  int64
}

// Every page in every state: no violation of WCAG 2.2 AA or of the policy, and
// no sideways scrolling. axe takes most of the time, so here each page is seen
// once, every other one in the dark and narrow;
// TestSlowEverySampleInEveryView asks everything in all four views.
func TestEverySampleIsAccessible(t *testing.T) {
	if os.Getenv("OSTLERTEST_SHOTS") != "" {
		checkSamples(t, everyView)
		return
	}
	checkSamples(t, func(i int) []view { return [][]view{{{"light", 1280}}, {{"dark", 360}}}[i%2] })
}

// everyView asks everything of every theme and width.
func everyView(int) []view {
	return []view{{"light", 1280}, {"light", 360}, {"dark", 1280}, {"dark", 360}}
}

// checkSamples looks at every sample in some views, by its place among them. Where OSTLERTEST_SHOTS names
// a folder, it leaves pictures there.
func checkSamples(t *testing.T, views func(i int) []view) {
	ctx := chromium(t)
	axe, err := os.ReadFile(filepath.Join("..", "e2e", "testdata", "axe.min.js"))
	if err != nil {
		t.Fatalf("make web copies axe: %v", err)
	}
	r := renderer(t)
	samples := sample.All(r.Text())
	base := samplesOn(t, r, samples)
	for i, s := range samples {
		if err := chromedp.Do(ctx, chromedp.Navigate(base+"/p/"+s.Name), chromedp.Evaluate[chromedp.Void](string(axe))); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		for _, v := range views(i) {
			checkView(t, ctx, s.Name, v)
		}
		bad, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`window.violations`))
		if err != nil || len(bad) > 0 {
			t.Errorf("%s: the policy is broken: %v %v", s.Name, bad, err)
		}
	}
}

// checkView looks at the page that is open.
func checkView(t *testing.T, ctx context.Context, name string, v view) {
	t.Helper()
	look(t, ctx, v.scheme, v.width)
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](runAxe, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: axe: %v", name, err)
	}
	for _, f := range found {
		t.Errorf("%s %s %d: %s", name, v.scheme, v.width, f)
	}
	wide, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || wide > 0 {
		t.Errorf("%s %s %d: %d px too wide, %v", name, v.scheme, v.width, wide, err)
	}
	if shots := os.Getenv("OSTLERTEST_SHOTS"); shots != "" {
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(shots, fmt.Sprintf("%s-%d-%s.png", name, v.width, v.scheme)), png, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// A page that waits shows the answer by itself, when the stream says so.
func TestLivePageInABrowser(t *testing.T) {
	ctx := chromium(t)
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 2})
	ines := h.browser(h.owner.ID)
	for _, c := range ines.cookies() {
		if _, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: h.url}); err != nil {
			t.Fatal(err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(h.url+"/snapshots/"+snap.ID+"?path=%2Fsrv")); err != nil {
		t.Fatal(err)
	}
	var p wire.ListParams
	h.finish(h.take(wire.ActionList, &p), wire.Listing{Found: true, Nodes: []wire.Node{{Name: []byte("invoice.ods"), Type: wire.NodeFile, Size: 7}}})
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.body.textContent.includes("invoice.ods")`, chromedp.WithPollingTimeout(20*time.Second))); err != nil {
		html, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main").outerHTML`))
		t.Fatalf("the answer did not come onto the page: %v\n%s", err, html)
	}
	bad, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`window.violations`))
	if err != nil || len(bad) > 0 {
		t.Errorf("the policy is broken: %v %v", bad, err)
	}
}
