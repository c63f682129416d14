package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"ostler/agents"
	"ostler/backups"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// listPage is how many rows a page of servers or customers lists.
const listPage = 50

func (p *Portal) servers(v *visit) error {
	g := v.gather(findings.Filter{})
	l := &serverList{v: v, query: strings.ToLower(strings.TrimSpace(v.c.QueryParam("q"))), group: v.c.QueryParam("state"), roster: g.roster()}
	v.everywhere(g)
	page := &Servers{Page: v.page("servers", v.t("servers.title"), ""), Query: l.query, Group: l.group, None: l.roster.Total == 0}
	page.Say, page.Tone = v.t("servers.say", "n", l.roster.Total, "silent", l.roster.Silent()), g.said(l.roster.Total).Tone
	if page.None {
		said := g.said(0)
		page.Say, page.Tone = said.Sentence, said.Tone
		return v.render(page)
	}
	if err := l.read(g); err != nil {
		return err
	}
	shown, next, err := l.page(v.c.QueryParam("from"), v.c.QueryParam("after"))
	if err != nil {
		return err
	}
	if page.Filters, err = l.filters(); err != nil {
		return err
	}
	if len(l.first) > 0 && l.group == "" && l.query == "" {
		page.Sub = v.t("servers.order")
	}
	page.Pager = pagerOf(v, next)
	if page.Rows, err = v.serverRows(shown, g); err != nil {
		return err
	}
	return v.render(page)
}

// pagerOf leads to the next page, where there is one, and back to the start.
// A list's choices stay in the address.
func pagerOf(v *visit, next url.Values) (p Pager) {
	u := v.c.Request().URL
	address := func(place url.Values) string {
		q := u.Query()
		for _, name := range []string{"from", "after", "page", "done"} {
			q.Del(name)
		}
		for name := range place {
			q.Set(name, place.Get(name))
		}
		if len(q) == 0 {
			return u.Path
		}
		return u.Path + "?" + q.Encode()
	}
	if v.c.QueryParam("from")+v.c.QueryParam("after")+v.c.QueryParam("page") != "" {
		p.First = address(nil)
	}
	if next != nil {
		p.Next = address(next)
	}
	return p
}

// agentTexts are how an agent's state reads.
var agentTexts = map[agents.State]struct {
	tone Tone
	key  string
}{
	agents.Connected: {ToneGood, "agent.connected"}, agents.Disconnected: {ToneBusy, "agent.disconnected"}, agents.Silent: {ToneUnknown, "agent.silent"},
	agents.NeverConnected: {ToneUnknown, "agent.never"}, agents.NotEnrolled: {ToneUnknown, "agent.not_enrolled"}, agents.Frozen: {ToneBad, "agent.frozen"},
}

func (v *visit) agentState(s agents.State) State {
	a, ok := agentTexts[s]
	if !ok {
		return State{ToneUnknown, v.t("unknown")}
	}
	return State{a.tone, v.t(a.key)}
}

// serverRows fills the rows of one page of servers.
func (v *visit) serverRows(servers []agents.Listed, g *facts) ([]ServerRow, error) {
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return nil, err
	}
	on := make([]string, 0, len(servers))
	for _, s := range servers {
		on = append(on, s.Server)
	}
	tenancies, err := v.p.Customers.Tenancies(v.ctx, scope, customers.TenancyFilter{Servers: on, Short: true})
	if err != nil {
		return nil, err
	}
	copies, err := v.latestCopies(on)
	if err != nil {
		return nil, err
	}
	living, ids := map[string][]string{}, map[string]bool{}
	for _, t := range tenancies {
		living[t.Server] = append(living[t.Server], t.Customer)
		ids[t.Customer] = true
	}
	names, err := v.customerNames(keysOf(ids))
	if err != nil {
		return nil, err
	}
	var rows []ServerRow
	for _, s := range servers {
		row := ServerRow{Name: s.Name, Href: "/servers/" + s.Server, Location: s.Location, State: v.agentState(s.State), Seen: s.HeardAt}
		for _, id := range living[s.Server] {
			row.Customers = append(row.Customers, Link{names[id], "/customers/" + id})
		}
		v.rowBackup(&row, s.Server, copies, g)
		rows = append(rows, row)
	}
	return rows, nil
}

// latestCopies are the newest copies of servers.
func (v *visit) latestCopies(servers []string) (map[string]backups.Snapshot, error) {
	scope, err := v.scope(policy.SnapshotRead)
	if err != nil {
		return nil, err
	}
	return v.p.Backups.LatestSnapshots(v.ctx, scope, servers)
}

// rowBackup says how a server's backups stand: as badly as its worst finding
// about them, else as its newest copy.
func (v *visit) rowBackup(row *ServerRow, server string, copies map[string]backups.Snapshot, g *facts) {
	row.Backup = State{ToneUnknown, v.t("backup.none_yet")}
	if c, ok := copies[server]; ok {
		row.Backup, row.BackupAt = v.runState(c.Outcome), c.ArrivedAt
	}
	for _, x := range g.findings {
		if x.Server != server {
			continue
		}
		row.Findings++
		if f := family(x.Kind); f == "backup" || f == "key" || f == "repository" {
			if tone := severityKinds[x.Severity].Tone(); toneRank[tone] > toneRank[row.Backup.Tone] {
				row.Backup = State{tone, v.t(backupFindingTexts[x.Kind])}
			}
		}
	}
}

// backupFindingTexts are findings about backups in a word.
var backupFindingTexts = map[string]string{
	findings.BackupMissed: "run.missed", findings.BackupFailed: "run.failed", findings.BackupPartial: "run.partial", findings.KeyUnconfirmed: "repository.unconfirmed",
	findings.RepositoryDamaged: "repository.damaged", findings.RepositoryPassword: "repository.locked_out",
}

// worstBackup is how a server's backups stand: as badly as its worst plan.
func (v *visit) worstBackup(plans []planState) (State, time.Time) {
	worst, at := State{ToneUnknown, v.t("backup.no_plan")}, time.Time{}
	for i, p := range plans {
		s, t := v.planState(p)
		if i == 0 || toneRank[s.Tone] > toneRank[worst.Tone] {
			worst, at = s, t
		}
	}
	return worst, at
}

var toneRank = map[Tone]int{ToneGood: 0, ToneBusy: 1, ToneUnknown: 2, ToneWarn: 3, ToneBad: 4}

func (p *Portal) serverNew(v *visit) error {
	return v.render(p.newServerPage(v))
}

func (p *Portal) newServerPage(v *visit) *NewServer {
	page := &NewServer{Page: v.page("servers", v.t("newserver.title"), v.t("newserver.say")), Name: v.c.FormValue("name"), Location: v.c.FormValue("location"), Country: v.c.FormValue("country")}
	page.Crumbs = []Link{{v.t("servers.title"), "/servers"}}
	return page
}

func (p *Portal) serverCreate(v *visit) error {
	scope, err := v.scope(policy.ServerWrite)
	if err != nil {
		return err
	}
	page := p.newServerPage(v)
	s, err := p.Customers.CreateServer(v.ctx, scope, customers.NewServer{Name: page.Name, Location: page.Location, Country: page.Country})
	if err != nil {
		return v.invalid(page, err)
	}
	if !v.can(policy.ServerEnrol) {
		return v.redirect("/servers/"+s.ID, "created")
	}
	// The browser sends the form on, so that one press makes the command too.
	return v.c.Redirect(http.StatusTemporaryRedirect, "/servers/"+s.ID+"/enrol")
}

// planStates returns the plans of a server (all of the reader's where server
// is "") with what came of them.
func (v *visit) planStates(server string) ([]planState, error) {
	scope, err := v.scope(policy.PlanRead)
	if err != nil {
		return nil, err
	}
	plans, err := v.p.Backups.Plans(v.ctx, scope, server)
	if err != nil {
		return nil, err
	}
	out := make([]planState, 0, len(plans))
	for _, p := range plans {
		ps, err := v.fill(p)
		if err != nil {
			return nil, err
		}
		out = append(out, ps)
	}
	return out, nil
}

// fill adds what came of a plan: the newest run that is over, the newest copy.
func (v *visit) fill(p backups.Plan) (planState, error) {
	ps := planState{Plan: p}
	scope, err := v.scope(policy.PlanRead)
	if err != nil {
		return ps, err
	}
	runs, err := v.p.Backups.Runs(v.ctx, scope, p.ID, v.now.AddDate(0, 0, -35), 5)
	if err != nil {
		return ps, err
	}
	for _, r := range runs {
		if r.State != backups.RunActive {
			ps.Latest = r
			break
		}
	}
	ps.Copy, err = v.latestCopy(scope, p.ID)
	return ps, err
}
