package web

import (
	"errors"
	"net/url"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// access is a customer's list; for staff who name no customer, the overview.
func (p *Portal) access(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err != nil {
		return err
	}
	if c.ID == "" {
		return p.accessOverview(v, scope)
	}
	page, err := v.listPage(scope, c)
	if err != nil {
		return err
	}
	return v.render(page)
}

// listAt reads which list is asked for; what is no instant is marked.
func (v *visit) listAt(page *Access, customer string) access.At {
	var at access.At
	q := v.c.QueryParam
	a := &AsAt{On: q("on"), Time: q("at"), KnownOn: q("known_on"), KnownTime: q("known_at")}
	a.Known = a.KnownOn != ""
	read := func(day, clock, field string) time.Time {
		if day == "" {
			return time.Time{}
		}
		t, err := v.instantOf("/"+field, day, clock)
		if err != nil {
			page.Errors = append(page.Errors, FieldError{field, fieldMessage(err)})
			return time.Time{}
		}
		return t
	}
	at.At, at.KnownAt = read(a.On, a.Time, "on"), read(a.KnownOn, a.KnownTime, "known_on")
	keep := url.Values{}
	for name, value := range map[string]string{"on": a.On, "at": a.Time, "known_on": a.KnownOn, "known_at": a.KnownTime} {
		if value != "" {
			keep.Set(name, value)
		}
	}
	if v.staff() {
		a.Customer = customer
		keep.Set("customer", customer)
	}
	more := ""
	if len(keep) > 0 {
		more = "?" + keep.Encode()
	}
	a.CSV, a.PDF = "/access/list.csv"+more, "/access/list.pdf"+more
	if a.On != "" || a.Known {
		a.Now = v.ofCustomer("/access", customer)
	}
	page.AsAt = a
	return at
}

// fieldMessage is what is wrong with a field.
func fieldMessage(err error) string {
	var e *controlplane.Error
	if errors.As(err, &e) && len(e.Fields) > 0 {
		return e.Fields[0].Message
	}
	return err.Error()
}

// listPage is one customer's list with all that is said of it.
func (v *visit) listPage(scope policy.Scope, c customers.Customer) (*Access, error) {
	page := &Access{Page: v.page("access", v.t("access.title"), ""), Parts: v.accessParts(c.ID, "/access")}
	if v.staff() {
		page.Title, page.Crumbs = c.Name, []Link{{v.t("access.title"), "/access"}, {c.Name, "/customers/" + c.ID}}
	}
	at := v.listAt(page, c.ID)
	l, err := v.p.Access.List(v.ctx, scope, c.ID, at)
	if err != nil {
		return nil, err
	}
	now := at.At.IsZero() && at.KnownAt.IsZero()
	if err := v.saidOfList(page, c, l, now); err != nil {
		return nil, err
	}
	if now && v.actor.Customer != "" && !v.viewer.Auditor {
		since, err := v.sinceVisit(scope, c.ID)
		if err != nil {
			return nil, err
		}
		page.Sections = append(page.Sections, since...)
	}
	if now {
		waiting, err := v.waitingGrants(scope, c.ID)
		if err != nil {
			return nil, err
		}
		page.Sections = append(page.Sections, waiting...)
	}
	answers, err := v.answersFor(scope, l, now)
	if err != nil {
		return nil, err
	}
	page.Sections = append(page.Sections, v.listSections(l, now, answers)...)
	if now {
		own, err := v.letIn(scope, c.ID)
		if err != nil {
			return nil, err
		}
		page.Sections = append(page.Sections, own...)
	}
	page.Sections = append(page.Sections, v.attestedSection(l))
	if v.staff() {
		page.Acts = v.listActs(c.ID)
		if now {
			page.Live, page.Refresh = []string{bus.TopicCustomer(c.ID)}, 60
		}
	}
	return page, nil
}

// listActs are what staff can do to a customer's list.
func (v *visit) listActs(customer string) (out []Act) {
	if v.can(policy.AccessWrite) {
		out = append(out, Act{Label: v.t("grant.new"), Href: v.ofCustomer("/access/grants/new", customer), Strong: true},
			Act{Label: v.t("grant.break_glass"), Href: v.ofCustomer("/access/grants/new", customer) + "&kind=break_glass"},
			Act{Label: v.t("entries.new"), Href: v.ofCustomer("/access/entries/new", customer)},
			Act{Label: v.t("terms.title"), Href: v.ofCustomer("/access/terms", customer)})
	}
	return append(out, Act{Label: v.t("grants.of"), Href: v.ofCustomer("/access/grants", customer)})
}

// lineGrid is lines as a table: who, how, why, how long, and the three times.
func (v *visit) lineGrid(lines []access.Line, at time.Time) Grid {
	told := "access.you_told"
	if v.staff() {
		told = "access.told"
	}
	g := Grid{Even: true, Heads: []string{v.t("col.person"), v.t("access.how"), v.t("col.why"), v.t("access.span"), v.t("access.granted"), v.t("access.enforced"), v.t(told)}}
	for _, l := range lines {
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{v.lineWho(l), v.lineHow(l), v.lineWhy(l), v.lineSpan(l), v.lineGranted(l), v.lineEnforced(l, at), v.lineTold(l)}})
	}
	return g
}

func (v *visit) lineWho(l access.Line) Cell {
	if l.Person.ID == "" {
		c := Cell{State: v.unnamed(l)}
		if !someoneElses(l) {
			c.Notes = []string{v.unknownWord(l.Unknown)}
		}
		return c
	}
	c := Cell{Link: Link{Label: l.Person.Name}, Strong: true}
	if v.staff() {
		c.Link.Href = "/access/persons/" + l.Person.ID
	}
	if l.Person.Kind != access.KindStaff {
		c.Notes = append(c.Notes, join(kindWord(v.p.tx, l.Person.Kind), l.Person.Company))
	}
	if l.Briefed {
		c.Notes = append(c.Notes, v.t("access.briefed"))
	}
	if !l.Trained.IsZero() {
		c.Notes = append(c.Notes, v.t("access.trained", "when", v.dayOf(l.Trained)))
	}
	return c
}

func (v *visit) lineHow(l access.Line) Cell {
	c := Cell{Link: Link{Label: wayWord(v.p.tx, l.Way)}}
	if l.Role != "" {
		c.Notes = append(c.Notes, v.roleTitle(l.Role))
	}
	switch {
	case l.Place != "":
		c.Notes = append(c.Notes, v.t("access.on_place", "place", l.Place))
	case l.Server == "" && !l.Way.ByHand():
		c.Notes = append(c.Notes, v.t("access.all_servers"))
	}
	return c
}

func (v *visit) lineWhy(l access.Line) Cell {
	c := v.ticket(l.Ticket)
	c.Notes = append(c.Notes, PlainName([]byte(l.Reason)))
	if l.Shared {
		c.Notes = append(c.Notes, v.t("access.shared"))
	}
	if l.By != "" {
		c.Notes = append(c.Notes, v.t("access.by", "name", l.By))
	}
	if l.LastUsed.IsZero() {
		if l.Way == access.WayTeleport {
			c.Notes = append(c.Notes, v.t("access.unused"))
		}
	} else {
		c.Notes = append(c.Notes, v.t("access.used", "when", v.moment(l.LastUsed)))
	}
	return c
}

func (v *visit) lineSpan(l access.Line) Cell {
	i := l.Listed
	if i == nil {
		i = l.Enforced
	}
	if i == nil {
		i = l.Could
	}
	if i == nil {
		return Cell{}
	}
	return Cell{At: i.From, Notes: []string{v.upTo(i.Until)}}
}

func (v *visit) lineGranted(l access.Line) Cell {
	if l.Listed == nil {
		return Cell{State: State{ToneWarn, v.t("access.not_listed")}}
	}
	return Cell{At: l.Listed.From}
}

// lineEnforced is what is in force, or why that is not known.
func (v *visit) lineEnforced(l access.Line, at time.Time) Cell {
	c := Cell{State: standingState(v.p.tx, l.Standing())}
	switch l.Standing() {
	case access.StandsEnforced:
		c = Cell{At: l.Enforced.From}
	case access.StandsUnconfirmed:
		c.Notes = []string{v.t("access.last_seen", "when", v.moment(l.Enforced.From))}
	case access.StandsOpen:
		c.Notes = []string{v.t("access.could_note")}
		if u := l.Could.Until; !u.IsZero() && u.After(at) {
			c.Notes = []string{v.t("access.could_until", "when", v.moment(u))}
		}
	}
	return c
}

func (v *visit) lineTold(l access.Line) Cell {
	switch {
	case l.Listed == nil:
		return Cell{State: State{ToneUnknown, v.t("access.never_told")}}
	case l.Notified.IsZero():
		return Cell{State: State{ToneBusy, v.t("access.not_told")}}
	}
	return Cell{At: l.Notified}
}

// attestedSection says when each source was last asked.
func (v *visit) attestedSection(l access.List) Section {
	s := Section{ID: "confirmed", Title: v.t("access.confirmed"), Lead: v.t("access.confirmed_lead"), Empty: v.t("access.confirmed_empty"),
		Grid: Grid{Heads: []string{v.t("access.source"), v.t("access.confirmed_from"), v.t("access.confirmed_to"), v.t("col.state")}}}
	for _, a := range l.Attested {
		name := a.Name
		if a.Source == "teleport" {
			name = "Teleport"
		}
		state := State{ToneGood, v.t("access.attested")}
		if !a.Good {
			state = State{ToneUnknown, v.t("access.unattested")}
		}
		from, to := Cell{At: a.From}, Cell{At: a.To}
		if a.From.IsZero() {
			from, to = Cell{Link: Link{Label: v.t("access.never")}}, Cell{}
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: name}}, from, to, {State: state}}})
	}
	if len(s.Grid.Rows) > 0 {
		s.Notes = []string{v.t("access.could_what")}
	}
	return s
}

// listOpen is what is open about a list, worst first: an open finding of it, a
// way in that nobody answers for, a difference, what is not attested.
func (v *visit) listOpen(customer string, l access.List, now bool) (what string, tone Tone) {
	unknown, unattested := 0, 0
	for _, x := range l.Lines {
		if unanswered(x) {
			unknown++
		}
		if !x.Attested && !x.Way.ByHand() {
			unattested++
		}
	}
	var said string
	if now {
		said, tone = v.accessFinding(customer)
	}
	switch {
	case tone == ToneBad:
	case unknown > 0:
		return v.t("access.open_unknown", "n", unknown, "number", v.p.tx.Number(unknown)), ToneBad
	case tone == ToneWarn:
	case l.Differences > 0:
		return v.t("access.open_differ", "n", l.Differences, "number", v.p.tx.Number(l.Differences)), ToneWarn
	case unattested > 0 || slices.ContainsFunc(l.Attested, func(a access.Attestation) bool { return !a.Good }) || len(l.Attested) == 0:
		return v.t("access.open_unattested"), ToneUnknown
	}
	return said, tone
}

// accessFinding is the worst open finding about a customer's list.
func (v *visit) accessFinding(customer string) (said string, tone Tone) {
	g := v.gather(findings.Filter{Customer: customer})
	var worst *opened
	for i := range g.open {
		o := &g.open[i]
		if o.finding != nil && family(o.finding.Kind) != "access" {
			continue
		}
		if worst == nil || o.before(worst.OpenFact) {
			worst = o
		}
	}
	if worst == nil {
		return "", ToneGood
	}
	return capital(openSentence(v.p.tx, worst.OpenFact, 1)), worst.Kind.Tone()
}

// unnamedToo says that whoever holds keys without a name can come too, or could;
// "" where there are none.
func (v *visit) unnamedToo(n int, now bool) string {
	switch {
	case n == 0:
		return ""
	case now:
		return " " + v.t("access.unnamed_too", "n", n, "number", capital(v.p.tx.Number(n)))
	}
	return " " + v.t("access.unnamed_then", "n", n, "number", capital(v.p.tx.Number(n)))
}

// saidOfList is a list's sentence: how many can reach the servers, and the
// worst that is open.
func (v *visit) saidOfList(page *Access, c customers.Customer, l access.List, now bool) error {
	pairs := []any{"n", l.Persons, "number", capital(v.p.tx.Number(l.Persons)), "company", c.Name, "when", v.moment(l.At), "changed", v.dayOf(l.ChangedAt)}
	key := map[[2]bool]string{{true, false}: "access.say", {true, true}: "access.say_of", {false, false}: "access.said", {false, true}: "access.said_of"}[[2]bool{now, v.staff()}]
	page.Say = v.t(key, pairs...)
	if now && !l.ChangedAt.IsZero() {
		page.Say = trimDot(page.Say) + "; " + v.t("access.last_changed", pairs...)
	}
	page.Say += v.unnamedToo(l.Unnamed, now)
	what, tone := v.listOpen(c.ID, l, now)
	if page.Tone = tone; what != "" {
		page.Say += " " + what
	}
	page.Sub = v.t("access.as_of", "at", v.moment(l.At))
	if !now {
		page.Sub = v.t("access.as_of_known", "at", v.moment(l.At), "known", v.moment(l.KnownAt))
	}
	if l.CustomersOwn > 0 {
		page.Sub += " " + v.t("access.own_apart", "n", l.CustomersOwn)
	}
	return nil
}
