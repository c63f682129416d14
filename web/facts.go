package web

import (
	"slices"
	"strings"

	"ostler/agents"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// facts gathers what is open for one reader from every slice. A slice that
// cannot be asked is an open fact itself. A page's headline and its list are
// made from the same facts, so that they agree.
type facts struct {
	v        *visit
	open     []opened
	findings []findings.Finding
	blind    bool            // findings could not be asked
	covered  map[string]bool // what findings say already, by kind and by server or subject
}

// opened is an open fact with what a list says of it.
type opened struct {
	OpenFact
	finding  *findings.Finding // nil where the page saw it itself
	customer string            // whose it is; "" for the company's own
	server   string            // on which it is; "" where on none
	cause    string
	action   Link
}

// gather begins with the record itself, and the findings that the reader sees.
func (v *visit) gather(f findings.Filter) *facts {
	g := &facts{v: v, covered: map[string]bool{}}
	if r, _, ok := v.p.checks.last(); ok && !r.OK() {
		g.add(opened{OpenFact: OpenFact{Kind: OpenBad, What: v.t("evidence.broken_fact"), Mine: v.staff()}, action: Link{v.t("evidence.title"), "/evidence"}})
	}
	f.Limit = 200
	scope, err := v.scope(policy.FindingRead)
	if err == nil {
		g.findings, _, err = v.p.Findings.List(v.ctx, scope, f)
	}
	for _, x := range g.findings {
		title, _, _ := v.sentence(x)
		g.add(opened{OpenFact: OpenFact{Kind: severityKinds[x.Severity], What: trimDot(title), Mine: v.mine(x)}, finding: &x, customer: x.Customer, server: x.Server})
		g.cover(x)
		if x.InGroup > 1 && err == nil { // its line stands for others too
			var others []findings.Finding
			others, _, err = v.p.Findings.List(v.ctx, scope, findings.Filter{Group: x.Group, Limit: 200})
			g.cover(others...)
		}
	}
	if err != nil {
		g.unread("slice.findings", err)
		g.blind = true
	}
	return g
}

var severityKinds = map[findings.Severity]OpenKind{findings.Bad: OpenBad, findings.Warn: OpenWarn, findings.Unknown: OpenUnknown}

// cover notes what findings say, so that no page says it twice.
func (g *facts) cover(xs ...findings.Finding) {
	for _, x := range xs {
		for _, id := range []string{x.Server, x.Subject} {
			g.covered[x.Kind+":"+id] = true
		}
	}
}

// family is the part of a finding's kind that says what it is about.
func family(kind string) string {
	head, _, _ := strings.Cut(kind, ".")
	return head
}

// mine reports whether the reader is who has to act on a finding.
func (v *visit) mine(x findings.Finding) bool { return (x.Owner == findings.Ops) == v.staff() }

// sentence is how a finding reads to this reader.
func (v *visit) sentence(x findings.Finding) (title, cause, next string) {
	audience := policy.Customers
	if v.staff() {
		audience = policy.Staff
	}
	return findings.SentenceFor(audience, v.p.tx.Lang, x)
}

func (g *facts) add(o opened) { g.open = append(g.open, o) }

// unread notes a slice that could not be asked.
func (g *facts) unread(slice string, err error) {
	g.v.p.log.ErrorContext(g.v.ctx, "web.slice", "slice", slice, "error", err)
	g.add(opened{OpenFact: OpenFact{Kind: OpenUnread, What: g.v.t(slice), Mine: g.v.staff()}})
}

// say adds an open fact, unless a finding of one of the kinds, about one of
// the ids, says it already.
func (g *facts) say(o opened, kinds []string, ids ...string) {
	for _, k := range kinds {
		for _, id := range ids {
			if g.covered[k+":"+id] {
				return
			}
		}
	}
	g.add(o)
}

// servers adds what is open about servers' agents.
func (g *facts) servers(servers []agents.Listed) {
	for _, s := range servers {
		if groupOf(s.State) == "connected" {
			continue
		}
		o := opened{OpenFact: OpenFact{Kind: OpenNever, What: s.Name, Mine: g.v.staff()}, server: s.Server, cause: g.v.t("need.never")}
		if g.v.staff() && g.v.can(policy.ServerEnrol) {
			o.action = Link{g.v.t("server.enrol"), "/servers/" + s.Server + "/enrol"}
		}
		switch s.State {
		case agents.Silent, agents.Frozen:
			o.Kind, o.cause, o.action = OpenSilent, g.v.t("need.silent"), Link{g.v.t("need.open_server"), "/servers/" + s.Server}
			g.say(o, []string{findings.ServerSilent, findings.AgentCloned}, s.Server)
		default: // not enrolled, never connected, or no answer: nothing is known of it
			g.say(o, []string{findings.ServerNeverSeen}, s.Server)
		}
	}
}

// roster adds what is open about all servers that the reader sees.
func (g *facts) roster() agents.Roster {
	scope, err := g.v.scope(policy.ServerRead)
	var r agents.Roster
	if err == nil {
		r, err = g.v.p.Agents.Roster(g.v.ctx, scope)
	}
	if err != nil {
		g.unread("slice.servers", err)
	}
	g.servers(r.Open)
	return r
}

// worst returns the ids that of picks of open facts, worst first.
func (g *facts) worst(of func(opened) string) []string {
	rank := map[string]int{}
	var ids []string
	for _, o := range g.open {
		id, at := of(o), slices.Index(openOrder, o.Kind)
		if id == "" {
			continue
		}
		if was, there := rank[id]; !there {
			ids, rank[id] = append(ids, id), at
		} else {
			rank[id] = min(was, at)
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return rank[a] - rank[b] })
	return ids
}

// facts are the open facts alone, for a headline.
func (g *facts) facts() []OpenFact {
	out := make([]OpenFact, 0, len(g.open))
	for _, o := range g.open {
		out = append(out, o.OpenFact)
	}
	return out
}

// needs are the open facts as a list, worst first.
func (g *facts) needs() []Need {
	ids := map[string]bool{}
	for _, o := range g.open {
		if o.customer != "" {
			ids[o.customer] = true
		}
	}
	names, err := g.v.customerNames(keysOf(ids))
	if err != nil {
		g.unread("slice.customers", err)
	}
	list := slices.Clone(g.open)
	slices.SortStableFunc(list, func(a, b opened) int {
		switch {
		case a.before(b.OpenFact):
			return -1
		case b.before(a.OpenFact):
			return 1
		}
		return 0
	})
	var out []Need
	for i, o := range list {
		n := g.need(o)
		n.Strong = i == 0
		if name := names[o.customer]; name != "" {
			n.Where = Link{name, "/customers/" + o.customer}
		}
		if n.Action.Href == g.v.c.Request().URL.Path { // it is this page
			n.Action = Link{}
		}
		out = append(out, n)
	}
	return out
}

// need is one open fact as a line of a list.
func (g *facts) need(o opened) Need {
	tone := o.Kind.Tone()
	n := Need{State: State{tone, g.v.t(toneTexts[tone])}, Cause: o.cause, Action: o.action}
	if o.finding == nil {
		n.Title = trimDot(openSentence(g.v.p.tx, o.OpenFact, 1))
		if !strings.HasPrefix(n.Title, o.What) { // a host name stays as it is written
			n.Title = capital(n.Title)
		}
		return n
	}
	x, next := *o.finding, ""
	n.Title, n.Cause, next = g.v.sentence(x)
	n.Since, n.Count, n.Also = x.OpenedAt, x.Count, g.v.caseOf(x, n.Title)
	if x.InGroup > 1 {
		n.Cause += " " + g.v.t("need.group", "n", x.InGroup-1)
	}
	if !g.v.staff() && family(x.Kind) == "session" && g.v.p.Sessions != nil && next != "" { // what staff open is not theirs
		n.Action = Link{next, "/connected"}
		return n
	}
	if g.v.mayFollow(x.Link) && (g.v.staff() || g.v.mine(x) || x.Kind == findings.BackupPartial || x.Kind == findings.RestoreAsked) {
		n.Action = Link{next, x.Link}
	} else if next != "" {
		n.Cause += " " + next + "."
	}
	return n
}

var toneTexts = map[Tone]string{ToneBad: "severity.bad", ToneWarn: "severity.warn", ToneUnknown: "severity.unknown"}

// mayFollow reports whether a finding's link leads this reader to a page.
func (v *visit) mayFollow(link string) bool {
	for _, prefix := range []string{"/jobs/", "/plans/", "/servers/", "/keys/", "/certificates/", "/access", "/sessions", "/connected", "/incidents", "/notices"} {
		if strings.HasPrefix(link, prefix) {
			return true
		}
	}
	return strings.HasPrefix(link, "/asks/") && (v.can(policy.RestoreAsk) || v.can(policy.RestoreAssist))
}

func keysOf[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// said is the sentence about all that is open.
func (g *facts) said(servers int) Said {
	return Headline(g.v.p.tx, HeadlineFacts{Servers: servers, Staff: g.v.staff(), Open: g.facts()})
}

// headline puts the worst open fact at the top of a page.
func (g *facts) headline(p *Page, servers int) {
	said := g.said(servers)
	p.Say, p.Tone = said.Sentence, said.Tone
}
