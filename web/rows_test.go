package web_test

import (
	"strings"
	"testing"
	"time"

	"ostler/web"
)

// What is written without a template is escaped as a template does, and leads
// nowhere but to our own pages.
func TestRowsAreEscaped(t *testing.T) {
	const bad = `"><script>alert('x')</script>`
	link := web.Link{Label: bad, Href: "/x" + bad}
	page := web.Page{Title: "x", Say: "x", Now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	at := page.Now.Add(-time.Hour)
	state := web.State{Tone: web.Tone(bad), Word: bad}
	for name, v := range map[string]web.View{
		"servers":   &web.Servers{Page: page, Rows: []web.ServerRow{{Name: bad, Href: link.Href, Location: bad, State: state, Seen: at, Customers: []web.Link{link, {Label: bad}, {Label: "x", Href: "javascript:alert(1)"}}, Backup: state, BackupAt: at, Findings: 2}}},
		"customers": &web.Customers{Page: page, Rows: []web.CustomerRow{{Name: bad, Href: link.Href, Parent: link, State: state, Since: at}}},
		"today": &web.Today{Page: page, Needs: []web.Need{{State: state, Title: bad, Cause: bad, Where: link, Since: at, Count: 2, Action: link, Strong: true}, {Action: web.Link{Label: bad, Href: "//evil.example"}, Post: true}},
			LastHour: []web.Event{{At: at, Tone: web.Tone(bad), Text: bad, Detail: bad, Who: bad, Link: link, Href: link.Href, WhoHref: link.Href}, {At: at, Text: "x", Who: bad}}},
	} {
		var b strings.Builder
		if err := renderer(t).Render(&b, v); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"<script>alert", "javascript:", "//evil"} {
			if strings.Contains(b.String(), want) {
				t.Errorf("%s holds %s", name, want)
			}
		}
		if !strings.Contains(b.String(), "&lt;script&gt;alert") {
			t.Errorf("%s does not show the text", name)
		}
		checkPage(t, b.String())
	}
}
