package web

import (
	"strings"

	"ostler/agents"
	"ostler/backups"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// facts gathers what is open for one reader from every slice. A slice that
// cannot be asked is an open fact itself.
type facts struct {
	v        *visit
	open     []OpenFact
	findings []findings.Finding
	blind    bool            // findings could not be asked
	covered  map[string]bool // kinds of open facts by server or subject, that a finding says already
}

// gather begins with the record itself, and the findings that the reader sees.
func (v *visit) gather(f findings.Filter) *facts {
	g := &facts{v: v, covered: map[string]bool{}}
	if r, _, ok := v.p.checks.last(); ok && !r.OK() {
		g.open = append(g.open, OpenFact{Kind: OpenBad, What: v.t("evidence.broken_fact"), Mine: v.staff()})
	}
	scope, err := v.scope(policy.FindingRead)
	if err == nil {
		f.Limit = 200
		g.findings, _, err = v.p.Findings.List(v.ctx, scope, f)
	}
	if err != nil {
		g.unread("slice.findings", err)
		g.blind = true
		return g
	}
	for _, x := range g.findings {
		title, _, _ := v.sentence(x)
		g.open = append(g.open, OpenFact{Kind: severityKinds[x.Severity], What: trimDot(title), Mine: v.mine(x)})
		for _, id := range []string{x.Server, x.Subject} {
			g.covered[family(x.Kind)+":"+id] = true
		}
	}
	return g
}

var severityKinds = map[findings.Severity]OpenKind{findings.Bad: OpenBad, findings.Warn: OpenWarn, findings.Unknown: OpenUnknown}

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

// unread notes a slice that could not be asked.
func (g *facts) unread(slice string, err error) {
	g.v.p.log.ErrorContext(g.v.ctx, "web.slice", "slice", slice, "error", err)
	g.open = append(g.open, OpenFact{Kind: OpenUnread, What: g.v.t(slice)})
}

// say adds an open fact, unless a finding of the family says it already.
func (g *facts) say(k OpenKind, what string, mine bool, families []string, ids ...string) {
	for _, f := range families {
		for _, id := range ids {
			if g.covered[f+":"+id] {
				return
			}
		}
	}
	g.open = append(g.open, OpenFact{Kind: k, What: what, Mine: mine})
}

// servers adds what is open about servers' agents.
func (g *facts) servers(servers []customers.Server, status map[string]agents.Status) {
	for _, s := range servers {
		if s.State == customers.ServerRetired {
			continue
		}
		switch status[s.ID].State {
		case agents.Connected, agents.Disconnected:
		case agents.Silent, agents.Frozen:
			g.say(OpenSilent, s.Name, g.v.staff(), []string{"server", "agent"}, s.ID)
		default: // not enrolled, never connected, or no answer: nothing is known of it
			g.say(OpenNever, s.Name, g.v.staff(), []string{"server", "agent", "enrolment"}, s.ID)
		}
	}
}

// planState is a plan with what came of it.
type planState struct {
	backups.Plan
	Latest backups.Run       // newest run that is over; zero where there is none
	Copy   *backups.Snapshot // newest copy; nil where there is none
}

// plans adds what is open about backups.
func (g *facts) plans(plans []planState, name func(server string) string) {
	families := []string{"backup", "store", "repository"}
	for _, p := range plans {
		what := name(p.Server)
		switch p.Repository.State {
		case backups.RepositoryUnconfirmed, backups.RepositoryChoosing:
			g.say(OpenKey, what, !g.v.staff(), []string{"key"}, p.Server, p.Repository.ID, p.ID)
			continue
		case backups.RepositoryFailed:
			g.say(OpenFailed, what, g.v.staff(), families, p.Server, p.Repository.ID, p.ID)
			continue
		case backups.RepositoryReady:
		default:
			g.say(OpenNoBackup, what, false, families, p.ID)
			continue
		}
		switch p.Latest.State {
		case backups.RunComplete, backups.RunCancelled, backups.RunSkipped, "":
			if p.Copy == nil {
				g.say(OpenNoBackup, what, false, families, p.ID, p.Server)
			}
		case backups.RunPartial:
			g.say(OpenPartial, what, false, families, p.ID, p.Server)
		default:
			g.say(OpenFailed, what, g.v.staff(), families, p.ID, p.Server)
		}
	}
}

// needs are the findings as a list, worst first.
func (g *facts) needs() []Need {
	var out []Need
	ids := map[string]bool{}
	for _, x := range g.findings {
		if x.Customer != "" {
			ids[x.Customer] = true
		}
	}
	names, err := g.v.customerNames(keysOf(ids))
	if err != nil {
		g.unread("slice.customers", err)
	}
	for i, x := range g.findings {
		title, cause, next := g.v.sentence(x)
		n := Need{State: State{severityKinds[x.Severity].Tone(), g.v.t(needTexts[x.Severity])}, Title: title, Cause: cause, Since: x.OpenedAt, Count: x.Count, Strong: i == 0}
		if name := names[x.Customer]; name != "" {
			n.Where = Link{name, "/customers/" + x.Customer}
		}
		if x.InGroup > 1 {
			n.Cause += " " + g.v.t("need.group", "n", x.InGroup-1)
		}
		if g.v.mayFollow(x.Link) && (g.v.staff() || g.v.mine(x) || x.Kind == findings.BackupPartial) {
			n.Action = Link{next, x.Link}
		} else if next != "" {
			n.Cause += " " + next + "."
		}
		out = append(out, n)
	}
	return out
}

var needTexts = map[findings.Severity]string{findings.Bad: "severity.bad", findings.Warn: "severity.warn", findings.Unknown: "severity.unknown"}

// mayFollow reports whether a finding's link leads this reader to a page.
func (v *visit) mayFollow(link string) bool {
	for _, prefix := range []string{"/jobs/", "/plans/", "/servers/", "/keys/"} {
		if strings.HasPrefix(link, prefix) {
			return true
		}
	}
	return false
}

func keysOf[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// headline puts the worst open fact at the top of a page.
func (g *facts) headline(p *Page, servers int) {
	said := Headline(g.v.p.tx, HeadlineFacts{Servers: servers, Open: g.open})
	p.Say, p.Tone = said.Sentence, said.Tone
}
