package web

import (
	"strings"

	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// hitCommands is how many commands of one session a search shows.
const hitCommands = 8

// commands searches what was run across all recordings that the reader may watch.
func (p *Portal) commands(v *visit) error {
	scope, err := v.scope(policy.SessionWatch)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/sessions/commands", v.t("search.title"), v.t("search.say"))
	page.Sub = v.t("search.sub")
	q := sessions.CommandQuery{Text: strings.TrimSpace(v.c.QueryParam("q")), Person: v.c.QueryParam("person"), Customer: v.c.QueryParam("customer"), Limit: 20, PageToken: v.c.QueryParam("page")}
	s := &Sift{Action: "/sessions/commands", Do: v.t("find.do"), Search: "q", Fields: []FormField{{ID: "q", Label: v.t("search.words"), Value: q.Text, Type: "search"}}}
	for _, id := range []string{"person", "customer"} {
		if x := v.c.QueryParam(id); x != "" {
			s.Hidden = append(s.Hidden, Pair{Label: id, Value: x})
		}
	}
	q.From, q.To = v.siftDays(page, s)
	page.Sift = s
	if q.Text == "" {
		return v.render(page)
	}
	found, err := p.Sessions.SearchCommands(v.ctx, scope, q)
	if err != nil {
		return v.invalid(page, err)
	}
	if err := v.hits(page, found.Hits); err != nil {
		return err
	}
	v.saidOfSearch(page, q, found)
	keep := v.c.QueryParams()
	keep.Del("page")
	page.Pager = pagerFor("/sessions/commands", keep, q.PageToken, found.Next)
	return v.render(page)
}

// saidOfSearch is what a search came to: that nothing was found is said only where
// everything was looked through.
func (v *visit) saidOfSearch(page *Sessions, q sessions.CommandQuery, found sessions.Found) {
	n, words := len(found.Hits), PlainName([]byte(q.Text))
	page.Say = v.t("search.found", "n", n, "number", capital(v.p.tx.Number(n)), "words", words)
	switch {
	case found.Stopped && n == 0:
		page.Say, page.Tone = v.t("search.none_yet", "words", words), ToneUnknown
	case n == 0:
		page.Say = v.t("search.none", "words", words)
		page.Sections = []Section{{ID: "none", Title: v.t("search.list"), Empty: v.t("search.empty")}}
	case found.Next != "" || q.PageToken != "":
		page.Say = v.t("search.found_many", "words", words)
	}
	if found.Stopped {
		page.Truths = append(page.Truths, State{ToneUnknown, v.t("search.stopped", "looked", group(int64(found.Looked)), "of", group(int64(found.Of)))})
	}
	if found.Skipped > 0 {
		page.Truths = append(page.Truths, State{ToneUnknown, v.t("search.skipped", "n", found.Skipped)})
	}
}

// hits are sessions with the commands that were found.
func (v *visit) hits(page *Sessions, hits []sessions.CommandHit) error {
	items := make([]sessions.Session, 0, len(hits))
	for _, h := range hits {
		items = append(items, h.Session)
	}
	servers, err := v.serversOf(items)
	if err != nil {
		return err
	}
	for _, h := range hits {
		hit := SessionHit{Session: Link{v.t("search.hit", "who", v.sessionWho(h.Session), "where", v.sessionWhere(h.Session, servers).Label), "/sessions/" + h.Session.ID}, Who: v.sessionKind(h.Session.Kind), At: h.Session.StartedAt}
		for _, m := range h.Moments[:min(len(h.Moments), hitCommands)] {
			hit.Commands = append(hit.Commands, MomentRow{At: m.At, Text: PlainName([]byte(m.Text)), Note: v.readWord(m.Read), Href: replayAddress(h.Session.ID, m.At)})
		}
		hit.More = max(0, len(h.Moments)-hitCommands)
		page.Hits = append(page.Hits, hit)
	}
	return nil
}
