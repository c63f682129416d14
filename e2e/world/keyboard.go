package world

import (
	"context"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Scripts switches the pages' scripts on or off, from the next page on.
func (t *Tab) Scripts(on bool) {
	t.T.Helper()
	t.do("switch scripts", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

// Press presses keys one after the other: "\t" is Tab, "\r" is Enter.
func (t *Tab) Press(keys string) {
	t.T.Helper()
	t.do("press keys", chromedp.KeyEvent(keys))
}

// focused is what has the keyboard now, as a screen reader would name it.
const focused = `(() => { const e = document.activeElement; if (!e || e === document.body) return "";
	const label = e.getAttribute("aria-label") || (e.labels && e.labels[0] ? e.labels[0].textContent : "") || e.textContent || e.value || "";
	return label.trim().replace(/\s+/g, " ") })()`

// TabTo presses Tab until the control whose name begins with label has the
// keyboard. What has it must be seen: an outline.
func (t *Tab) TabTo(label string) {
	t.T.Helper()
	var met []string
	for range 250 {
		t.Press("\t")
		name := Eval[string](t, focused)
		if strings.HasPrefix(name, label) {
			if !Eval[bool](t, `(() => { const e = document.activeElement, s = getComputedStyle(e); return s.outlineStyle !== "none" || s.boxShadow !== "none" })()`) {
				t.T.Errorf("“%s” on %s has the keyboard, and nothing shows it", label, t.URL())
			}
			return
		}
		met = append(met, name)
	}
	t.T.Fatalf("Tab does not reach “%s” on %s; it went by %s", label, t.URL(), fmt.Sprintf("%.2000q", met))
}

// Type writes into what has the keyboard.
func (t *Tab) Type(text string) { t.T.Helper(); t.Press(text) }
