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
	hits, next, err := p.Sessions.SearchCommands(v.ctx, scope, q)
	if err != nil {
		return v.invalid(page, err)
	}
	if err := v.hits(page, hits); err != nil {
		return err
	}
	page.Say = v.t("search.found", "n", len(hits), "number", capital(p.tx.Number(len(hits))), "words", PlainName([]byte(q.Text)))
	switch {
	case len(hits) == 0:
		page.Say = v.t("search.none", "words", PlainName([]byte(q.Text)))
		page.Sections = []Section{{ID: "none", Title: v.t("search.list"), Empty: v.t("search.empty")}}
	case next != "" || q.PageToken != "":
		page.Say = v.t("search.found_many", "words", PlainName([]byte(q.Text)))
	}
	keep := v.c.QueryParams()
	keep.Del("page")
	page.Pager = pagerFor("/sessions/commands", keep, q.PageToken, next)
	return v.render(page)
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
