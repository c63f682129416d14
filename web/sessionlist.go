package web

import (
	"net/url"
	"strings"
	"time"

	"ostler/controlplane/bus"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// sessionPage is how many sessions a page of a list shows.
const sessionPage = 50

// sessionChoices are what a list of sessions can be narrowed to, by the word in
// the address.
var sessionChoices = []struct {
	word, key string
	filter    sessions.Filter
}{
	{"", "sessions.any", sessions.Filter{}},
	{"live", "sessions.live", sessions.Filter{States: []sessions.State{sessions.Live}}},
	{"unrecorded", "sessions.unrecorded", sessions.Filter{States: []sessions.State{sessions.Missing, sessions.Unrecorded}}},
	{"ungrounded", "sessions.ungrounded", sessions.Filter{Ungrounded: true}},
	{"waiting", "sessions.waiting", sessions.Filter{Reviews: []sessions.ReviewState{sessions.Waiting, sessions.Claimed, sessions.Asked}}},
	{"reviewed", "sessions.reviewed", sessions.Filter{Reviews: []sessions.ReviewState{sessions.Reviewed}}},
}

// sifted reads what a list is narrowed to; path is the list's own address.
func (v *visit) sifted(page *Sessions, path string) (sessions.Filter, url.Values) {
	q := v.c.QueryParam
	var f sessions.Filter
	choices := make([]Choice, 0, len(sessionChoices))
	for _, c := range sessionChoices {
		if c.word == q("show") {
			f = c.filter
		}
		choices = append(choices, Choice{Value: c.word, Label: v.t(c.key)})
	}
	s := &Sift{Action: path, Do: v.t("access.show"), Fields: []FormField{{ID: "show", Label: v.t("sessions.show"), Options: chosen1(choices, q("show"))}}}
	keep := url.Values{}
	for _, id := range []string{"customer", "server", "person"} {
		if x := q(id); x != "" {
			s.Hidden = append(s.Hidden, Pair{Label: id, Value: x})
		}
	}
	f.Customer, f.Server, f.Person = q("customer"), q("server"), q("person")
	f.From, f.To = v.siftDays(page, s)
	for _, id := range []string{"customer", "server", "person", "show", "from", "to"} {
		if x := q(id); x != "" {
			keep.Set(id, x)
		}
	}
	if len(keep) > 0 {
		s.Clear = path
	}
	f.Limit, f.PageToken = sessionPage, q("page")
	page.Sift = s
	return f, keep
}

// siftDays reads the days between which a list is; to is the day's end.
func (v *visit) siftDays(page *Sessions, s *Sift) (from, to time.Time) {
	for _, id := range []string{"from", "to"} {
		said := v.c.QueryParam(id)
		s.Fields = append(s.Fields, FormField{ID: id, Label: v.t(map[string]string{"from": "sessions.since", "to": "sessions.until"}[id]), Value: said, Type: "date"})
		d, ok := v.day(said)
		switch {
		case said == "":
		case !ok:
			page.Errors = append(page.Errors, FieldError{id, v.t("activity.no_day")})
		case id == "from":
			from = d
		default:
			to = d.AddDate(0, 0, 1)
		}
	}
	return from, to
}

// pagerFor leads on through a list with what it is narrowed to.
func pagerFor(path string, keep url.Values, token, next string) (out Pager) {
	at := func(token string) string {
		q := url.Values{}
		for k, x := range keep {
			q[k] = x
		}
		if token != "" {
			q.Set("page", token)
		}
		if len(q) == 0 {
			return path
		}
		return path + "?" + q.Encode()
	}
	if token != "" {
		out.First = at("")
	}
	if next != "" {
		out.Next = at(next)
	}
	return out
}

// sessionList is every session, for staff.
func (p *Portal) sessionList(v *visit) error {
	scope, err := v.scope(policy.SessionRead)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/sessions", v.t("sessions.title"), "")
	f, keep := v.sifted(page, "/sessions")
	items, next, err := p.Sessions.List(v.ctx, scope, f)
	if err != nil {
		return err
	}
	g := v.gather(findings.Filter{Customer: f.Customer, Grouped: true})
	if err := v.feedSaid(page, scope); err != nil {
		return err
	}
	section := Section{ID: "sessions", Title: v.t("sessions.list"), Empty: v.t("sessions.empty")}
	if len(keep) > 0 {
		section.Empty = v.t("sessions.no_match")
	}
	if section.Grid, err = v.sessionGrid(items); err != nil {
		return err
	}
	section.Pager = pagerFor("/sessions", keep, f.PageToken, next)
	page.Sections = []Section{section}
	if f.Customer != "" {
		if err := v.sessionsOfCustomer(page, scope, f.Customer); err != nil {
			return err
		}
	}
	page.Needs = g.needsOf("session")
	page.Say, page.Tone = v.sessionsSaid(g, page.Truths, State{ToneGood, v.t("sessions.say")})
	if page.Tone == ToneGood {
		page.Say, page.Tone = v.saidOfItems(items, len(keep) > 0, f.PageToken != "" || next != "")
	}
	if len(items) > 0 && f.PageToken == "" && len(keep) == 0 {
		page.Sub = v.t("sessions.latest", "when", v.moment(items[0].StartedAt))
	}
	page.Live, page.Refresh = []string{bus.TopicFindings}, 60
	return v.render(page)
}

// saidOfItems is the sentence of a list where no finding says anything: calm only
// where nothing on it is amiss.
func (v *visit) saidOfItems(items []sessions.Session, chosen, more bool) (string, Tone) {
	amiss := 0
	for _, s := range items {
		if t := v.recordingState(s).Tone; t == ToneBad || t == ToneWarn || len(s.Ground.Lacks) > 0 {
			amiss++
		}
	}
	number := capital(v.p.tx.Number(len(items)))
	switch {
	case chosen && more:
		return v.t("sessions.say_many"), ""
	case chosen:
		return v.t("sessions.say_some", "n", len(items), "number", number), ""
	case amiss > 0:
		return v.t("sessions.say_open", "n", amiss, "number", capital(v.p.tx.Number(amiss))), ToneWarn
	case len(items) == 0 && !more:
		return v.t("sessions.say_none"), ToneUnknown
	}
	return v.t("sessions.say"), ToneGood
}

// sessionsOfCustomer adds what a list of one customer's sessions says first.
func (v *visit) sessionsOfCustomer(page *Sessions, scope policy.Scope, id string) error {
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, id)
	if err != nil {
		return err
	}
	covered, err := v.coverageOf(scope, c.ID)
	if err != nil {
		return err
	}
	page.Truths = append(page.Truths, covered)
	page.Title, page.Crumbs = c.Name, []Link{v.sessionHome(), {c.Name, "/customers/" + c.ID}}
	if v.can(policy.SessionAdmin) {
		page.Acts = []Act{{Label: v.t("sessionterms.title"), Href: v.ofCustomer("/sessions/terms", c.ID)}, {Label: v.t("holds.new"), Href: v.ofCustomer("/sessions/holds/new", c.ID)}}
	}
	page.Acts = append(page.Acts, Act{Label: v.t("logins.title"), Href: v.ofCustomer("/sessions/logins", c.ID)})
	return nil
}

// needsOf are the open facts of a family of findings, as a list.
func (g *facts) needsOf(family string) []Need {
	only := *g
	only.open = g.openOf(family)
	return only.needs()
}

// openOf are the open facts that findings of a family say, and what could not
// be asked.
func (g *facts) openOf(of string) (out []opened) {
	for _, o := range g.open {
		if o.finding != nil && family(o.finding.Kind) == of || o.finding == nil && o.Kind == OpenUnread {
			out = append(out, o)
		}
	}
	return out
}

// sessionsSaid is the sentence of a page about sessions: the worst that is open,
// or calm only where nothing is and everything is known.
func (v *visit) sessionsSaid(g *facts, truths []State, calm State) (string, Tone) {
	open := g.openOf("session")
	if len(open) == 0 {
		for _, s := range truths {
			if worse(s.Tone, calm.Tone) {
				calm = s
			}
		}
		return calm.Word, calm.Tone
	}
	worst := open[0]
	for _, o := range open {
		if o.before(worst.OpenFact) {
			worst = o
		}
	}
	said := capital(openSentence(v.p.tx, worst.OpenFact, 1))
	if len(open) > 1 {
		said += " " + v.t("sessions.others", "n", len(open)-1, "number", capital(v.p.tx.Number(len(open)-1)))
	}
	return said, worst.Kind.Tone()
}

// worse reports whether a tone is worse than another.
func worse(a, b Tone) bool {
	rank := map[Tone]int{ToneGood: 0, "": 0, ToneBusy: 1, ToneUnknown: 2, ToneWarn: 3, ToneBad: 4}
	return rank[a] > rank[b]
}

// sessionGrid is sessions as a table.
func (v *visit) sessionGrid(items []sessions.Session) (Grid, error) {
	servers, err := v.serversOf(items)
	if err != nil {
		return Grid{}, err
	}
	names, err := v.customersOf(items)
	if err != nil {
		return Grid{}, err
	}
	g := Grid{Heads: []string{v.t("col.person"), v.t("session.began"), v.t("col.server"), v.t("session.purpose_of"), v.t("session.what"), v.t("session.recording"), v.t("session.review")}}
	for _, s := range items {
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{v.cellWho(s), {At: s.StartedAt, Notes: []string{v.sessionLength(s)}}, v.cellWhere(s, servers, names), v.cellWhy(s), v.cellWhat(s), {State: v.recordingState(s)}, v.cellReview(s)}})
	}
	return g, nil
}

func (v *visit) cellWho(s sessions.Session) Cell {
	c := Cell{Link: Link{v.sessionWho(s), "/sessions/" + s.ID}, Strong: true}
	if v.staff() && s.Login != "" {
		c.Notes = append(c.Notes, v.t("session.as", "login", PlainName([]byte(s.Login))))
	}
	if n := len(s.Participants) - 1; n > 0 {
		c.Notes = append(c.Notes, v.t("session.others", "n", n))
	}
	return c
}

func (v *visit) cellWhere(s sessions.Session, servers, names map[string]string) Cell {
	c := Cell{Link: v.sessionWhere(s, servers)}
	var of []string
	for _, id := range s.Customers {
		if names[id] != "" {
			of = append(of, names[id])
		}
	}
	c.Notes = []string{strings.Join(of, ", ")}
	if s.Server == "" && v.staff() {
		c.Notes = append(c.Notes, v.t("session.no_server"))
	}
	return c
}

// cellWhy is for what somebody was there, or what of it is missing.
func (v *visit) cellWhy(s sessions.Session) Cell {
	c := Cell{}
	if s.Ground.Ticket != "" {
		c = v.ticketOf(s.Ground.Ticket)
	}
	if lacks := v.lacks(s); lacks != "" {
		c.State = State{ToneWarn, v.t("session.lacks", "what", lacks)}
	}
	c.Notes = append(c.Notes, PlainName([]byte(s.Ground.Reason)))
	if s.Ground.Kind == "break_glass" {
		c.Notes = append(c.Notes, v.t("session.break_glass"))
	}
	return c
}

// ticketOf leads to a ticket where the installation says how.
func (v *visit) ticketOf(ref string) Cell {
	if v.p.Access == nil {
		return Cell{Link: Link{Label: ref}}
	}
	return v.ticket(ref)
}

func (v *visit) cellWhat(s sessions.Session) Cell {
	c := Cell{Link: Link{Label: v.sessionKind(s.Kind)}}
	if s.Commands > 0 {
		c.Notes = append(c.Notes, v.t("session.commands", "n", s.Commands))
	}
	return c
}

func (v *visit) cellReview(s sessions.Session) Cell {
	st := v.reviewState(s)
	c := Cell{State: st}
	if st.Tone == "" {
		c = Cell{Notes: []string{st.Word}}
	}
	if v.staff() && s.Risk.Score > 0 {
		c.Notes = append(c.Notes, v.t("review.risk_of", "n", s.Risk.Score))
		if why := v.riskWords(s.Risk); len(why) > 0 {
			c.Notes = append(c.Notes, why[0])
		}
	}
	return c
}
