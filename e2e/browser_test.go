package e2e_test

import (
	"regexp"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// The links of a page whose address matches, as a script.
const links = `[...new Set([...document.querySelectorAll("main a[href]")].map(a => a.getAttribute("href")).filter(h => h.startsWith("/")))]`

func TestEveryPageOfTheDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a demo and a browser; make test runs it")
	}
	t.Parallel()
	tourDemo(t, false)
}

// tourDemo looks at every kind of page of a demo, as each audience.
func tourDemo(t *testing.T, strict bool) {
	d := world.StartDemo(t)
	b := world.NewBrowser(t)
	for _, tour := range []struct {
		audience string
		pages    []string // from these, every page that they link to is looked at too
		also     string   // addresses that count, as a pattern
	}{
		{"ops", []string{"/today", "/servers", "/customers", "/jobs", "/asks", "/staff", "/activity", "/evidence", "/account", "/servers/new", "/customers/new", "/staff/new"}, `^/(servers|customers|plans|jobs|tenancies|people|staff|activity)/|^/assist/`},
		{"customer", []string{"/home", "/find", "/find?q=invoice", "/basket", "/restores", "/ask", "/asks", "/backups", "/people", "/activity", "/evidence", "/account", "/people/new", "/account/password", "/account/codes"}, `^/(servers|plans|snapshots|jobs|keys|people|activity)/|^/files\?`},
		{"auditor", []string{"/evidence", "/activity", "/account"}, `^/activity/`},
	} {
		tab := b.Tab()
		tab.Strict = strict
		tab.Goto(d.Links[tour.audience])
		follow := regexp.MustCompile(tour.also)
		seen := map[string]bool{}
		for queue := tour.pages; len(queue) > 0; queue = queue[1:] {
			kind := ids.ReplaceAllString(queue[0], "ID")
			if strings.HasPrefix(queue[0], "/find?") {
				kind = "/found"
			}
			if seen[kind] {
				continue
			}
			seen[kind] = true
			tab.Goto(d.URL + queue[0])
			tab.Check(tour.audience + strings.ReplaceAll(kind, "/", "-"))
			for _, l := range world.Eval[[]string](tab, links) {
				if follow.MatchString(l) {
					queue = append(queue, l)
				}
			}
		}
		t.Logf("%s: %d kinds of page", tour.audience, len(seen))
	}
}

// ids are the parts of addresses that differ between pages of one kind.
var ids = regexp.MustCompile(`[a-z]+_[0-9a-z]{26}|\?.*`)
