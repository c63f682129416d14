package world

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Browser is a headless Chromium with a fresh profile.
type Browser struct {
	T   testing.TB
	ctx context.Context
}

// NewBrowser starts Chromium; the test's end stops it.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(chromium(t)), chromedp.Headless, chromedp.NoSandbox,
		chromedp.NoFirstRun, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &Browser{T: t, ctx: ctx}
}

func chromium(t testing.TB) string {
	t.Helper()
	for _, p := range []string{"/usr/bin/chromium", "/usr/bin/chromium-browser"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Fatal("Chromium is not there: run “make deps-test”")
	return ""
}

// Tab is one page of a person: it shares no cookies with other tabs.
type Tab struct {
	T testing.TB
	// Strict has Check ask axe everything in every view.
	Strict bool
	ctx    context.Context
}

// View is how a page is looked at.
type View struct {
	Width, Height int64
	Dark          bool
}

// Views are the four that every page is checked in.
var Views = []View{{1280, 900, false}, {1280, 900, true}, {360, 800, false}, {360, 800, true}}

// String names a view in file names.
func (v View) String() string {
	theme := "light"
	if v.Dark {
		theme = "dark"
	}
	return fmt.Sprintf("%d-%s", v.Width, theme)
}

// Tab opens an empty tab.
func (b *Browser) Tab() *Tab {
	b.T.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	b.T.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 18*time.Minute) // go test ends at 20
	b.T.Cleanup(stop)
	t := &Tab{T: b.T, ctx: ctx}
	t.do("open a tab", chromedp.Navigate("about:blank"))
	// Violations of the security policy and errors of scripts are faults of the page.
	t.do("listen", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
			window.__faults = [];
			document.addEventListener("securitypolicyviolation", e => window.__faults.push("policy: " + e.violatedDirective + " " + e.blockedURI));
			window.addEventListener("error", e => window.__faults.push("script: " + e.message));`})
		return err
	}))
	return t
}

func (t *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	t.T.Helper()
	if err := chromedp.Do(t.ctx, steps...); err != nil {
		t.T.Fatalf("%s: %v", what, err)
	}
}

// Look sets the window's width and the theme.
func (t *Tab) Look(v View) {
	t.T.Helper()
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	t.do("look", chromedp.EmulateViewport(v.Width, v.Height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

// Goto opens an address and waits until the page is loaded.
func (t *Tab) Goto(url string) {
	t.T.Helper()
	t.do("go to "+url, chromedp.Navigate(url))
}

// Click clicks the first element of a CSS selector and waits for it to be there.
func (t *Tab) Click(selector string) {
	t.T.Helper()
	t.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// ClickText follows the link or presses the button with exactly this text, and
// waits for it to be there: text that stands above it shows while the page
// still loads.
func (t *Tab) ClickText(text string) {
	t.T.Helper()
	js := fmt.Sprintf(`(() => { const want = %q;
		const e = [...document.querySelectorAll("a, button, summary")].find(e => e.textContent.trim().replace(/\s+/g, " ") === want && e.checkVisibility());
		if (!e) return "none"; e.click(); return "ok" })()`, text)
	for end := time.Now().Add(2 * time.Minute); Eval[string](t, js) != "ok"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.T.Fatalf("no link or button “%s” on %s:\n%s", text, t.URL(), t.Text())
		}
	}
}

// WaitText waits until the page's text contains s.
func (t *Tab) WaitText(s string) {
	t.T.Helper()
	end := time.Now().Add(2 * time.Minute)
	for !strings.Contains(t.Text(), s) {
		if time.Now().After(end) {
			t.T.Fatalf("“%s” did not come on %s:\n%s", s, t.URL(), t.Text())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Text is what a reader sees of the page.
func (t *Tab) Text() string {
	t.T.Helper()
	return Eval[string](t, `document.body ? document.body.innerText : ""`)
}

// URL is the page's address.
func (t *Tab) URL() string {
	t.T.Helper()
	return Eval[string](t, `location.href`)
}

// Eval evaluates JavaScript in the page; a navigation in between is waited out.
func Eval[T any](t *Tab, js string) T {
	t.T.Helper()
	var v T
	var err error
	for range 20 {
		if v, err = chromedp.Run(t.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise)); err == nil {
			return v
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.T.Fatalf("evaluate: %v", err)
	return v
}

// Shot writes a picture of the whole page to a file.
func (t *Tab) Shot(file string) {
	t.T.Helper()
	png, err := chromedp.Run(t.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, png, 0o644)
	}
	if err != nil {
		t.T.Fatalf("screenshot: %v", err)
	}
}

// axe's rules: all of them, and those that a theme or a width can change.
const (
	allRules  = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]`
	viewRules = `{type: "rule", values: ["color-contrast", "target-size", "link-in-text-block", "scrollable-region-focusable"]}`
)

// Check looks at the page in every view: no violation of WCAG 2.2 AA by
// axe-core, no violation of the security policy, no script error, nothing that
// overflows the window. axe takes most of the time: unless the tab is strict, it
// sees each theme and each width once, and asks once only what neither is likely
// to change. Where OSTLERTEST_SHOTS names a folder, Check leaves pictures there.
func (t *Tab) Check(name string) {
	t.T.Helper()
	axe, err := os.ReadFile(filepath.Join(Root(), "e2e", "testdata", "axe.min.js"))
	if err != nil {
		t.T.Fatalf("axe-core is not there: run “make web”: %v", err)
	}
	if _, err := chromedp.Run(t.ctx, chromedp.Evaluate[chromedp.Void](string(axe)+"; undefined")); err != nil {
		t.T.Fatalf("axe: %v", err)
	}
	for i, v := range Views {
		t.Look(v)
		if w := Eval[int](t, `document.documentElement.scrollWidth - window.innerWidth`); w > 0 {
			t.T.Errorf("%s, %s: the page is %d px wider than the window", name, v, w)
		}
		if dir := os.Getenv("OSTLERTEST_SHOTS"); dir != "" {
			t.Shot(filepath.Join(dir, name+"-"+v.String()+".png"))
		}
		switch {
		case t.Strict || i == 0:
			t.axe(name+", "+v.String(), allRules)
		case i == len(Views)-1:
			t.axe(name+", "+v.String(), viewRules)
		}
	}
	for _, f := range Eval[[]string](t, `window.__faults || []`) {
		t.T.Errorf("%s: %s", name, f)
	}
}

// axe asks the rules of the page as it looks now.
func (t *Tab) axe(name, rules string) {
	t.T.Helper()
	report := Eval[string](t, `axe.run(document, {runOnly: `+rules+`, resultTypes: ["violations"]}).then(r => JSON.stringify(
		r.violations.map(v => v.id + ": " + v.help + " — " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + (n.any[0] || n.all[0] || n.none[0] || {}).message).join("; "))))`)
	var bad []string
	if err := json.Unmarshal([]byte(report), &bad); err != nil {
		t.T.Fatal(err)
	}
	for _, b := range bad {
		t.T.Errorf("%s: axe: %s", name, b)
	}
}
