package e2e_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

// The main job of the product, by hand: a customer signs in, finds yesterday's
// version of a file that is gone, gets it back in the browser and on the
// server, and sees both in the timeline.
func TestCustomerGetsALostFileBack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a demo and a browser; make test runs it")
	}
	t.Parallel()
	d := world.StartDemo(t, "--days", "3")
	demoCertificates(t, d)
	tab := world.NewBrowser(t).Tab()
	tab.Goto(d.Links["restorer"])
	tab.WaitText("Your servers")
	tab.ClickText("Backups")
	tab.WaitText("Newest copy you can restore")
	tab.ClickText("All copies")

	// The newest copy has lost the file; the one before has it.
	var copies []string
	world.Eventually(t, "two copies are listed", 2*time.Minute, func() bool {
		copies = world.Eval[[]string](tab, `[...document.querySelectorAll("main tbody tr")].map(r => r.querySelector("a[href^='/snapshots/']")?.getAttribute("href")).filter(h => h)`)
		return len(copies) >= 2
	})
	name := path.Base(d.LostFile)
	for i, want := range []bool{false, true} {
		tab.Goto(d.URL + copies[i])
		tab.WaitText("office/") // it opens where the plan's folder begins
		tab.ClickText("office/")
		tab.WaitText("invoice-2026-10.ods")
		world.Eventually(t, "the whole folder is there", 2*time.Minute, func() bool { return world.Eval[bool](tab, `document.readyState === "complete"`) })
		if got := strings.Contains(tab.Text(), name); got != want {
			t.Fatalf("copy %d has %s: %v, want %v\n%s", i, name, got, want, tab.Text())
		}
	}
	tab.ClickText(name)
	tab.WaitText("Put it back on")
	tab.Check("customer-file")
	file := tab.URL()

	tab.ClickText("Prepare the download")
	waitDownload(t, tab)
	if got := world.Eval[string](tab, `document.getElementById("sha256").textContent`); got != d.LostSum {
		t.Errorf("SHA-256 on the page %s, want %s", got, d.LostSum)
	}
	tab.Check("customer-download")
	got := world.Eval[string](tab, `fetch(document.querySelector("main a[download]").href).then(async r => {
		const sum = await crypto.subtle.digest("SHA-256", await r.arrayBuffer());
		return r.status + " " + r.headers.get("Content-Disposition") + " " + [...new Uint8Array(sum)].map(b => b.toString(16).padStart(2, "0")).join("") })`)
	if !strings.HasPrefix(got, "200 ") || !strings.Contains(got, name) || !strings.HasSuffix(got, d.LostSum) {
		t.Errorf("downloaded: %s, want %s", got, d.LostSum)
	}
	part := world.Eval[string](tab, `fetch(document.querySelector("main a[download]").href, {headers: {Range: "bytes=10-19"}}).then(async r => r.status + " " + r.headers.get("Content-Range") + " " + (await r.arrayBuffer()).byteLength)`)
	if !strings.HasPrefix(part, "206 bytes 10-19/") || !strings.HasSuffix(part, " 10") {
		t.Errorf("a part of it: %s", part)
	}

	tab.Goto(file)
	tab.ClickText("Put it back")
	tab.WaitText("is back on")
	var back string // under its own name: nothing is in its place
	world.Eventually(t, "the file is back on the server", 2*time.Minute, func() bool {
		for _, root := range d.Servers {
			file := filepath.Join(root, d.LostFile)
			if data, err := os.ReadFile(file); err == nil && sum(string(data)) == d.LostSum {
				back = file
				return true
			}
		}
		return false
	})
	data, err := os.ReadFile(back)
	if err != nil {
		t.Fatal(err)
	}
	if got := sum(string(data)); got != d.LostSum {
		t.Errorf("on the server: SHA-256 %s, want %s", got, d.LostSum)
	}
	tab.Check("customer-restore")

	tab.Goto(d.URL + "/activity")
	for _, want := range []string{name, "was put back on"} {
		if !strings.Contains(tab.Text(), want) {
			t.Errorf("the timeline does not tell of %s:\n%s", want, tab.Text())
		}
	}
	tab.Check("customer-activity-after")
}

// waitDownload waits until the page shows the file's sum: it changes by itself.
func waitDownload(t *testing.T, tab *world.Tab) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !world.Eval[bool](tab, `!!document.getElementById("sha256")`); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the download is not ready after a minute:\n%s", tab.Text())
		}
	}
}
