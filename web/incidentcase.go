package web

import (
	"cmp"
	"slices"

	"ostler/controlplane/bus"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// customersShown is how many customers and notices the page of a case shows.
const customersShown = 40

// incident is one case.
func (p *Portal) incident(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentRead)
	if err != nil {
		return err
	}
	page, err := v.casePage(scope, c)
	if err != nil {
		return err
	}
	return v.render(page)
}

// caseParts is a case with all that its page is made of.
type caseParts struct {
	c       incidents.Case
	clocks  []incidents.Clock
	notices []incidents.Notice
	names   map[string]string // of customers
	who     map[string]string // of staff
}

func (v *visit) partsOf(scope policy.Scope, c incidents.Case) (x caseParts, err error) {
	x.c = c
	if x.clocks, err = v.p.Incidents.Clocks(v.ctx, scope, c.ID); err != nil {
		return x, err
	}
	if x.notices, err = v.noticesOf(scope, c.ID); err != nil {
		return x, err
	}
	if x.names, err = v.namesOfCustomers(customersIn(c)); err != nil {
		return x, err
	}
	ids := []string{c.OpenedBy, c.Lead}
	for _, a := range c.Awareness {
		ids = append(ids, a.By, a.ConfirmedBy)
	}
	for _, a := range c.Asked {
		ids = append(ids, a.By, a.SettledBy)
	}
	for _, t := range c.Tasks {
		ids = append(ids, t.Owner, t.DoneBy)
	}
	for _, f := range c.Facts {
		ids = append(ids, f.Owner)
	}
	for _, a := range c.Actions {
		ids = append(ids, a.By)
	}
	for _, d := range c.Decisions {
		ids = append(ids, d.By)
	}
	for _, n := range x.notices {
		ids = append(ids, n.Author, n.Second)
	}
	x.who, err = v.staffNames(ids...)
	return x, err
}

// noticesOf are all notices of a case, newest first.
func (v *visit) noticesOf(scope policy.Scope, id string) (out []incidents.Notice, err error) {
	return v.noticesBy(scope, incidents.NoticeFilter{Case: id})
}

// noticesBy are all notices of a filter, newest first, without their texts.
func (v *visit) noticesBy(scope policy.Scope, f incidents.NoticeFilter) (out []incidents.Notice, err error) {
	f.Heads, f.Limit = true, 200
	for {
		items, next, err := v.p.Incidents.Notices(v.ctx, scope, f)
		if err != nil {
			return nil, err
		}
		if out, f.Token = append(out, items...), next; next == "" {
			return out, nil
		}
	}
}

// casePage is a case's page.
func (v *visit) casePage(scope policy.Scope, c incidents.Case) (*Incident, error) {
	x, err := v.partsOf(scope, c)
	if err != nil {
		return nil, err
	}
	page := &Incident{Page: v.page("incidents", v.t("inc.case", "number", c.Number), ""), Exercise: v.exercise(c.Drill)}
	page.Crumbs = []Link{{v.t("inc.title"), "/incidents"}}
	v.saidOfCase(page, x)
	page.Parts = v.placesOf(c)
	page.Needs = v.nextSteps(x)
	clocks := byUrgency(x.clocks)
	page.Clocks = v.clockCards(c, clocks[:min(len(clocks), clocksShown)], x.names)
	if n := len(clocks); n > clocksShown {
		page.AllOf = Link{v.t("inc.clocks_more", "n", n), "/incidents/" + c.ID + "/clocks"}
	}
	page.Words = plainText(c.Summary)
	if page.Known, err = v.knownPairs(c, x.who); err != nil {
		return nil, err
	}
	page.KnownDo = v.knownActs(c)
	page.Sections = []Section{v.awarenessSection(x), v.customersSection(x, customersShown), v.noticesSection(x, customersShown), v.decidingSection(x), v.doingSection(x), v.tasksSection(x), v.casePapers(c)}
	if len(c.Asked) > 0 {
		page.Sections = slices.Insert(page.Sections, 1, v.askedSection(x))
	}
	page.Ends = v.endActs(c)
	if c.State == incidents.Open {
		page.Live, page.Refresh = []string{bus.TopicFindings}, 60
	}
	return page, nil
}

// byUrgency orders clocks: what is late first, then what is due next.
func byUrgency(clocks []incidents.Clock) []incidents.Clock {
	out := slices.Clone(clocks)
	slices.SortStableFunc(out, func(a, b incidents.Clock) int {
		return cmp.Or(clockRank(a)-clockRank(b), a.Strict.Compare(b.Strict))
	})
	return out
}

// saidOfCase is the sentence: what it is, how many are affected and were told.
func (v *visit) saidOfCase(page *Incident, x caseParts) {
	c, tx := x.c, v.p.tx
	certain, possible, told := 0, 0, 0
	for _, a := range c.Affected {
		switch a.State {
		case incidents.Certain:
			certain++
		case incidents.Possible:
			possible++
		}
		if a.State != incidents.Cleared && !a.ToldAt.IsZero() {
			told++
		}
	}
	page.Say = trimDot(plain(c.Title)) + "."
	switch n := certain + possible; {
	case n == 0:
		page.Say += " " + v.t("inc.nobody_yet")
	case certain == 0:
		page.Say += " " + v.t("inc.may_be", "n", n, "number", capital(tx.Number(n))) + " " + v.toldSaid(told)
	default:
		page.Say += " " + v.t("inc.are", "n", certain, "number", capital(tx.Number(certain)))
		if possible > 0 {
			page.Say += " " + v.t("inc.and_may_be", "n", possible, "number", capital(tx.Number(possible)))
		}
		page.Say += " " + v.toldSaid(told)
	}
	page.Tone = ToneWarn
	switch {
	case c.State != incidents.Open:
		page.Tone = ToneUnknown
		page.Say += " " + v.t("inc.ended", "state", v.caseState(c).Word)
	case c.Late:
		page.Tone = ToneBad
	}
	page.Sub = join(v.t("inc.case", "number", c.Number), v.t("inc.opened_by", "who", x.who[c.OpenedBy], "when", v.moment(c.OpenedAt)), v.t("inc.led_by", "who", x.who[c.Lead]), v.t("inc.times_in", "zone", v.zone.String()))
}

// toldSaid is how many customers were told, as a sentence.
func (v *visit) toldSaid(n int) string {
	if n == 0 {
		return v.t("inc.told_none")
	}
	return v.t("inc.told_of", "n", n, "number", capital(v.p.tx.Number(n)))
}

// placesOf are the places of a case's page, and its own pages.
func (v *visit) placesOf(c incidents.Case) []Filter {
	at := "/incidents/" + c.ID
	var out []Filter
	for _, l := range []Link{{v.t("inc.clocks"), "#clocks"}, {v.t("inc.customers"), "#customers"}, {v.t("inc.notices"), "#notices"}, {v.t("inc.doing"), "#doing"}, {v.t("inc.timeline"), at + "/timeline"}, {v.t("inc.papers"), "#papers"}} {
		out = append(out, Filter{Label: l.Label, Href: l.Href, Count: -1})
	}
	return out
}

// knownPairs are the facts of a case.
func (v *visit) knownPairs(c incidents.Case, who map[string]string) ([]Pair, error) {
	on, err := v.servers(c.Servers)
	if err != nil {
		return nil, err
	}
	var servers, kinds []string
	for _, id := range c.Servers {
		servers = append(servers, on[id].Name)
	}
	for _, k := range c.Kinds {
		kinds = append(kinds, wordOf(v, kindsOfBreach, k))
	}
	out := []Pair{{Label: v.t("col.servers"), Value: orWord(v.p.tx.List(servers), v.t("inc.no_servers"))}, {Label: v.t("inc.kinds"), Value: orWord(v.p.tx.List(kinds), v.t("unknown"))}}
	out = append(out, v.whenPair("inc.detected", c.DetectedAt, "unknown"), v.whenPair("inc.occurred", c.OccurredFrom, "unknown"), v.whenPair("inc.contained", c.ContainedAt, "inc.not_contained"))
	if !c.HandledAt.IsZero() {
		out = append(out, v.whenPair("inc.handled", c.HandledAt, "unknown"))
	}
	out = append(out, Pair{Label: v.t("inc.our_data"), Value: v.oursSaid(c.OurData)}, Pair{Label: v.t("inc.unsafe"), Value: v.channelSaid(c.ChannelUnsafe)}, v.significance(c.Significant))
	if len(c.PeopleIn) > 0 {
		out = append(out, Pair{Label: v.t("inc.people_in"), Value: v.p.tx.List(c.PeopleIn)})
	}
	out = append(out, v.askedPairs(c, who)...)
	if !c.FrozenUntil.IsZero() {
		out = append(out, Pair{Label: v.t("inc.frozen"), Value: join(v.until(c.FrozenUntil), plain(c.FrozenGround))})
	}
	if c.Source != "" {
		out = append(out, Pair{Label: v.t("inc.source"), Value: c.Source, Mono: true})
	}
	if c.State != incidents.Open {
		out = append(out, v.whenPair("inc.closed_at", c.ClosedAt, "unknown"), Pair{Label: v.t("inc.closed_why"), Value: orDashWord(plain(c.ClosedWhy))})
	}
	return out, nil
}

func orWord(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// oursSaid is whether data of our own is touched, in words.
func (v *visit) oursSaid(a law.Answer) string {
	return wordOf(v, map[law.Answer]string{law.Yes: "inc.yes", law.No: "inc.no", law.Unknown: "inc.our_data_unsaid"}, a)
}

// channelSaid is whether the usual channel may be compromised, in words.
func (v *visit) channelSaid(unsafe bool) string {
	if unsafe {
		return v.t("inc.unsafe_yes")
	}
	return v.t("inc.unsafe_no")
}

// significance is whether a case is significant for NIS2, and why.
func (v *visit) significance(s law.Significance) Pair {
	words := map[law.Answer]string{law.Yes: "inc.yes", law.No: "inc.no", law.Unknown: "unknown", "": "unknown"}
	out := Pair{Label: v.t("inc.significant"), Value: wordOf(v, words, s.Answer)}
	for _, w := range s.Why {
		out.Value += ". " + trimDot(capital(w))
	}
	return out
}

// knownActs change what is known.
func (v *visit) knownActs(c incidents.Case) []Act {
	if !v.mayAct() || c.State != incidents.Open {
		return nil
	}
	at := "/incidents/" + c.ID
	out := []Act{{Label: v.t("inc.edit"), Href: at + "/edit"}, {Label: v.t("inc.asked"), Href: at + "/facts"}, {Label: v.t("inc.contain"), Href: at + "/contain"}, {Label: v.t("inc.impact"), Href: at + "/impact"}}
	if !c.ContainedAt.IsZero() && c.HandledAt.IsZero() {
		out = append(out, Act{Label: v.t("inc.handle"), Href: at + "/handled"})
	}
	return append(out, Act{Label: v.t("inc.freeze"), Href: at + "/freeze"})
}

// endActs end a case, join it with another, or open it again.
func (v *visit) endActs(c incidents.Case) []Act {
	if !v.mayAct() {
		return nil
	}
	at := "/incidents/" + c.ID
	if c.State == incidents.Merged {
		return []Act{{Label: v.t("inc.goes_on"), Href: "/incidents/" + c.MergedInto}}
	}
	if c.State != incidents.Open {
		return []Act{{Label: v.t("inc.reopen"), Href: at + "/reopen"}}
	}
	return []Act{{Label: v.t("inc.close"), Href: at + "/close"}, {Label: v.t("inc.false_alarm"), Href: at + "/close?state=false_alarm"}, {Label: v.t("inc.merge"), Href: at + "/merge"}, {Label: v.t("inc.split"), Href: at + "/split"}}
}
