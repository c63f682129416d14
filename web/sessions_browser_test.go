package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// desk is somebody in a browser who has a keyboard and no mouse.
type desk struct {
	t   *testing.T
	ctx context.Context
	h   *house
}

// sits signs somebody in in a browser.
func (h *house) sits(id string) *desk {
	h.t.Helper()
	ctx := chromium(h.t)
	for _, c := range h.browser(id).cookies() {
		if _, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: h.url}); err != nil {
			h.t.Fatal(err)
		}
	}
	return &desk{h.t, ctx, h}
}

func (d *desk) open(path string) {
	d.t.Helper()
	if err := chromedp.Do(d.ctx, chromedp.Navigate(d.h.url+path)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) press(keys string) {
	d.t.Helper()
	if err := chromedp.Do(d.ctx, chromedp.KeyEvent(keys)); err != nil {
		d.t.Fatal(err)
	}
}

// until waits for something to be true on the page.
func (d *desk) until(what, expression string) {
	d.t.Helper()
	for range 1200 { // a question that a new page interrupts is asked again
		if yes, err := chromedp.Run(d.ctx, chromedp.Evaluate[bool](expression)); err == nil && yes {
			return
		}
		select {
		case <-d.ctx.Done():
			d.t.Fatal(d.ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	page, _ := chromedp.Run(d.ctx, chromedp.Evaluate[string](`location.pathname + " " + document.querySelector("main").innerText.slice(0, 600)`))
	d.t.Fatalf("%s did not come about\n%s", what, page)
}

func (d *desk) says(expression string) string {
	d.t.Helper()
	s, err := chromedp.Run(d.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// tabTo goes on with the tab key until something has the focus.
func (d *desk) tabTo(selector string) {
	d.t.Helper()
	for range 120 {
		there, err := chromedp.Run(d.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`document.activeElement?.matches(%q) ?? false`, selector)))
		if err != nil {
			d.t.Fatal(err)
		}
		if there {
			return
		}
		d.press(kb.Tab)
	}
	d.t.Fatalf("no tab leads to %s", selector)
}

// player waits until the player shows the recording.
func (d *desk) player() {
	d.t.Helper()
	d.until("the player", `!document.querySelector(".controls").hidden && document.querySelector(".ap-term") !== null && document.getElementById("loading").hidden`)
	bad, err := chromedp.Run(d.ctx, chromedp.Evaluate[[]string](`window.violations`))
	if err != nil || len(bad) > 0 {
		d.t.Errorf("the policy is broken: %v %v", bad, err)
	}
}

// A whole review without a mouse: watch, seek, remark, verdict; and the
// customer sees that it was watched.
func TestASessionIsReviewedByKeyboardAlone(t *testing.T) {
	h := newSQLite(t)
	h.onCrew("Ada Keller", h.admin.ID, "ada")
	id := h.sessionsThere()
	d := h.sits(h.admin.ID)
	d.open("/sessions/" + id)
	d.tabTo(`form[action$="/watch"] input:checked`)
	d.press(kb.ArrowUp) // to review it
	d.tabTo(`form[action$="/watch"] button`)
	d.press(kb.Enter)
	d.player()
	for _, k := range []struct{ key, expression string }{
		{"]", `Number(document.getElementById("range").value) > 250`}, {"]", `Number(document.getElementById("range").value) > 2000`}, {"[", `Number(document.getElementById("range").value) < 2000`},
		{kb.End, `document.getElementById("screen").textContent.includes("logout")`}, {kb.ArrowLeft, `document.getElementById("time").textContent.startsWith("0:0")`},
		{kb.Home, `document.getElementById("time").textContent.startsWith("0:00 / ")`}, {">", `document.getElementById("speed").textContent === "2 ×"`}, {"<", `document.getElementById("speed").textContent === "1 ×"`},
		{"i", `document.getElementById("skip").getAttribute("aria-pressed") === "true"`}, {"i", `document.getElementById("skip").getAttribute("aria-pressed") === "false"`},
		{" ", `Number(document.getElementById("range").value) > 300`}, {" ", `document.getElementById("play").textContent.includes("Play")`},
	} {
		d.press(k.key)
		d.until("after "+k.key, k.expression)
	}
	d.press("n")
	d.until("the remark has the focus", `document.activeElement === document.getElementById("text")`)
	d.press("why [here] <now>")
	d.tabTo(`#note button`)
	d.press(kb.Enter)
	d.until("the remark is there", `document.body.textContent.includes("The remark is added") && document.body.textContent.includes("why [here] <now>")`)
	d.player()
	d.press("v")
	d.until("the verdict has the focus", `document.activeElement?.name === "verdict"`)
	d.press(" ")
	d.tabTo(`#verdict .acts button`)
	d.press(kb.Enter)
	d.until("the verdict is given", `document.body.textContent.includes("Your verdict is given")`)
	if got := d.says(`document.querySelector("main").innerText`); !strings.Contains(got, "reviewed: fine") {
		t.Errorf("after the verdict: %s", got)
	}
	if seen := h.browser(h.owner.ID).page("/connected/viewings"); !strings.Contains(seen, "Ada Keller") || !strings.Contains(seen, "in the player") {
		t.Error("the customer does not see that it was watched")
	}
}

// An auditor's time ends while they watch: the player says so, and shows nothing
// any more.
func TestThePlayerStopsWhenTheRightEnds(t *testing.T) {
	h := newSQLite(t)
	id := h.sessionsThere()
	d := h.sits(h.auditorOf(h.maple, 2).ID)
	d.open("/sessions/" + id)
	d.tabTo(`form[action$="/watch"] button`)
	d.press(kb.Enter)
	d.player()
	d.press(" ")
	d.until("it plays", `Number(document.getElementById("range").value) > 300`)
	h.clock.Advance(3 * time.Hour)
	d.press(" ")
	d.until("it stopped", `!document.getElementById("stopped").hidden`)
	if got := d.says(`document.getElementById("stopped").textContent + "|" + document.getElementById("screen").textContent + "|" + document.querySelector(".transcript").textContent`); !strings.HasSuffix(got, "||") || !strings.Contains(got, "time") {
		t.Errorf("the player says %q", got)
	}
}
