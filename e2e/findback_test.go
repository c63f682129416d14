package e2e_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"ostler/agents/wire"
	"ostler/e2e/world"
)

// hands are how somebody uses the portal: the keyboard alone, or forms and
// links in a browser without scripts.
type hands struct {
	*world.Tab
	keyboard bool
}

// follow uses the link or the button whose text begins so.
func (h hands) follow(label string) {
	h.T.Helper()
	if h.keyboard {
		h.TabTo(label)
		h.Press("\r")
		return
	}
	h.Click(world.Eval[string](h.Tab, `(() => { const want = `+string(must(json.Marshal(label)))+`;
		const all = [...document.querySelectorAll("a, button, summary")].filter(e => e.textContent.trim().replace(/\s+/g, " ").startsWith(want) && e.checkVisibility());
		document.querySelectorAll("[data-followed]").forEach(e => e.removeAttribute("data-followed"));
		if (all.length) all[0].setAttribute("data-followed", "");
		return all.length ? "[data-followed]" : "#nothing-is-called-so" })()`))
}

// choose ticks a radio button by the text of its label.
func (h hands) choose(label, value string) {
	h.T.Helper()
	if h.keyboard {
		for range 250 {
			h.Press("\t")
			if world.Eval[string](h.Tab, `document.activeElement.name || ""`) == label {
				break
			}
		}
		for range 5 {
			if world.Eval[string](h.Tab, `document.activeElement.value || ""`) == value {
				return
			}
			h.Press(kb.ArrowDown)
		}
		h.T.Fatalf("the arrows do not reach %s=%s", label, value)
	}
	h.Click(`input[name="` + label + `"][value="` + value + `"]`)
}

// search looks for a name, from the page that is open or from that of the search.
func (h hands) search(text string) {
	h.T.Helper()
	if !world.Eval[bool](h.Tab, `!!document.getElementById("q")`) {
		h.follow("Restore")
		h.WaitText("As it was on")
	}
	if h.keyboard {
		world.Eventually(h.T, "/ brings one to the search", 2*time.Minute, func() bool { // once the page's script runs
			h.Press("/")
			return world.Eval[string](h.Tab, `document.activeElement.id`) == "q"
		})
		h.Type(text + "\r")
		return
	}
	h.Click("#q")
	h.Type(text)
	h.follow("Search")
}

// The customer's moment of need: search, version, basket, then as a download
// and onto the server with undo; by the keyboard alone, and without scripts.
func TestFindItGetItBack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a demo and a browser; make test runs it")
	}
	t.Parallel()
	d := world.StartDemo(t, "--days", "3")
	b := world.NewBrowser(t)
	name := path.Base(d.LostFile)
	var place string
	for _, root := range d.Servers {
		_, folder := os.Stat(filepath.Join(root, path.Dir(d.LostFile)))
		if _, file := os.Stat(filepath.Join(root, d.LostFile)); folder == nil && file != nil {
			place = filepath.Join(root, d.LostFile)
		}
	}
	for who, h := range map[string]hands{"restorer": {b.Tab(), true}, "customer": {b.Tab(), false}} {
		h.Goto(d.Links[who])
		if !h.keyboard {
			h.Scripts(false)
		}
		h.Goto(d.URL + "/home")
		fileInFour(t, h, d, name)
		byBasket(t, h, d, name)
		onServer(t, h, d, name, place)
	}
}

// fileInFour gets one known file from Home, in four steps: search, version, and
// its download.
func fileInFour(t *testing.T, h hands, d *world.Demo, name string) {
	t.Helper()
	h.search(name) // one
	h.WaitText("missing from the backup of")
	h.follow("Choose a version") // two
	h.WaitText("choose the one you want back")
	h.follow("Download") // three
	h.WaitText("SHA-256")
	if got := world.Eval[string](h.Tab, `document.getElementById("sha256").textContent`); got != d.LostSum {
		t.Errorf("SHA-256 of the newest version: got %s, want %s", got, d.LostSum)
	}
	if save := world.Eval[string](h.Tab, `document.querySelector("main a[download]").href`); save == "" { // four
		t.Error("there is nothing to save")
	}
}

// byBasket collects the file and a folder and downloads both in one zip.
func byBasket(t *testing.T, h hands, d *world.Demo, name string) {
	t.Helper()
	h.search(name)
	h.WaitText("missing from the backup of")
	h.follow("Choose a version")
	h.WaitText("choose the one you want back")
	h.follow("Add to basket")
	h.WaitText("in your basket")
	h.search("templates")
	h.WaitText("templates/")
	h.follow("Choose a version")
	h.WaitText("Add to basket")
	h.follow("Add to basket")
	h.WaitText("2 items are in your basket")
	h.follow("Continue")
	h.WaitText("What you have chosen")
	h.follow("Prepare the download")
	h.WaitText("SHA-256")
	address := world.Eval[string](h.Tab, `document.querySelector("main a[download]").href`)
	h.Scripts(true) // the test's own fetch wants them
	h.Goto(h.URL())
	raw, err := base64.StdEncoding.DecodeString(world.Eval[string](h.Tab, `fetch("`+address+`").then(r => r.arrayBuffer()).then(b => { let s = ""; for (const c of new Uint8Array(b)) s += String.fromCharCode(c); return btoa(s) })`))
	if err != nil {
		t.Fatal(err)
	}
	h.Scripts(h.keyboard)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatalf("the zip does not open: %v", err)
	}
	var m wire.Manifest
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = sum(string(data))
		if f.Name == "ostler-manifest.json" {
			if err := json.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := false
	for _, e := range m.Entries {
		if e.SHA256 != "" && files[e.Name] != e.SHA256 {
			t.Errorf("%s: the zip has %s, its manifest says %s", e.Name, files[e.Name], e.SHA256)
		}
		found = found || strings.HasSuffix(e.Name, name) && e.SHA256 == d.LostSum
	}
	if !m.Complete || !found {
		t.Errorf("manifest: complete %v, the lost file in it %v, of %d entries", m.Complete, found, len(m.Entries))
	}
}

// onServer puts the file back where it was, sees first what would change, and
// takes it back again.
func onServer(t *testing.T, h hands, d *world.Demo, name, place string) {
	t.Helper()
	if _, err := os.Stat(place); err == nil {
		t.Fatalf("%s is there before", place)
	}
	h.search(name)
	h.WaitText("missing from the backup of")
	h.follow("Choose a version")
	h.WaitText("choose the one you want back")
	h.follow("Add to basket")
	h.WaitText("in your basket")
	h.follow("Continue")
	h.WaitText("What you have chosen")
	h.choose("conflict", "overwrite")
	h.follow("Show what would change")
	h.WaitText("Nothing is changed until you say so")
	if _, err := os.Stat(place); err == nil {
		t.Error("the preview put the file there")
	}
	h.Scripts(true)
	h.Check("customer-preview")
	h.Scripts(h.keyboard)
	h.follow("Put it on the server")
	h.WaitText("is back on")
	data, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	if got := sum(string(data)); got != d.LostSum {
		t.Errorf("on the server: SHA-256 %s, want %s", got, d.LostSum)
	}
	h.follow("Take it back")
	h.follow("Yes, take it back")
	h.WaitText("It was taken back")
	world.Eventually(t, "the file is gone again", 2*time.Minute, func() bool { _, err := os.Stat(place); return err != nil })
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
