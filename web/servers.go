package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ostler/agents"
	"ostler/backups"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// serversPage is how many servers a page lists.
const serversPage = 50

func (p *Portal) servers(v *visit) error {
	g := v.gather(findings.Filter{})
	all, status := v.allServers(g)
	g.servers(all, status)
	v.everywhere(g, all)
	page := &Servers{Page: v.page("servers", v.t("servers.title"), ""), Query: strings.TrimSpace(v.c.QueryParam("q")), None: len(all) == 0}
	state := v.c.QueryParam("state")
	page.Filters = v.serverFilters(page.Query, state, all, status)
	shown := matching(all, status, page.Query, state)
	from, _ := strconv.Atoi(v.c.QueryParam("from")) // anything else is the start
	from = max(0, min(from, len(shown)))
	rest := shown[from:]
	if len(rest) > serversPage {
		rest = rest[:serversPage]
		page.Pager.Next = pagerAddress(v, from+serversPage)
	}
	if from > 0 {
		page.Pager.First = pagerAddress(v, 0)
	}
	rows, err := v.serverRows(rest, status, g)
	if err != nil {
		return err
	}
	page.Rows = rows
	page.Say = v.t("servers.say", "n", len(all), "silent", countServers(all, status, "silent"))
	page.Tone = g.said(len(all)).Tone
	if page.None {
		page.Say = v.t("headline.no_servers")
	}
	return v.render(page)
}

func pagerAddress(v *visit, from int) string {
	q := v.c.Request().URL.Query()
	q.Del("from")
	if from > 0 {
		q.Set("from", strconv.Itoa(from))
	}
	return "/servers?" + q.Encode()
}

// serverGroups are the choices above the list, by the word in the address.
var serverGroups = []struct{ word, key string }{{"", "servers.all"}, {"connected", "servers.connected"}, {"silent", "servers.silent"}, {"missing", "servers.missing"}}

func groupOf(s agents.State) string {
	switch s {
	case agents.Connected, agents.Disconnected:
		return "connected"
	case agents.Silent, agents.Frozen:
		return "silent"
	}
	return "missing"
}

func matching(all []customers.Server, status map[string]agents.Status, query, state string) []customers.Server {
	var out []customers.Server
	for _, s := range all {
		if (state == "" || groupOf(status[s.ID].State) == state) && strings.Contains(s.Name, strings.ToLower(query)) {
			out = append(out, s)
		}
	}
	return out
}

func countServers(all []customers.Server, status map[string]agents.Status, state string) int {
	return len(matching(all, status, "", state))
}

func (v *visit) serverFilters(query, state string, all []customers.Server, status map[string]agents.Status) []Filter {
	var out []Filter
	for _, g := range serverGroups {
		q := url.Values{}
		if query != "" {
			q.Set("q", query)
		}
		if g.word != "" {
			q.Set("state", g.word)
		}
		out = append(out, Filter{Label: v.t(g.key), Href: "/servers?" + q.Encode(), Current: g.word == state, Count: countServers(all, status, g.word)})
	}
	return out
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
func (v *visit) serverRows(servers []customers.Server, status map[string]agents.Status, g *facts) ([]ServerRow, error) {
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return nil, err
	}
	on := make([]string, 0, len(servers))
	for _, s := range servers {
		on = append(on, s.ID)
	}
	tenancies, err := v.p.Customers.Tenancies(v.ctx, scope, customers.TenancyFilter{Servers: on})
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
	}
	for _, s := range servers {
		for _, id := range living[s.ID] {
			ids[id] = true
		}
	}
	names, err := v.customerNames(keysOf(ids))
	if err != nil {
		return nil, err
	}
	var rows []ServerRow
	for _, s := range servers {
		row := ServerRow{Name: s.Name, Href: "/servers/" + s.ID, Location: s.Location, State: v.agentState(status[s.ID].State), Seen: status[s.ID].HeardAt}
		for _, id := range living[s.ID] {
			row.Customers = append(row.Customers, Link{names[id], "/customers/" + id})
		}
		v.rowBackup(&row, s.ID, copies, g)
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
