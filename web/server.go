package web

import (
	"ostler/agents"
	"ostler/certs"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func (p *Portal) server(v *visit) error {
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return err
	}
	s, err := p.Customers.GetServer(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	status, err := p.Agents.Status(v.ctx, scope, s.ID)
	if err != nil {
		return err
	}
	plans, err := v.planStates(s.ID)
	if err != nil {
		return err
	}
	tenancies, err := p.Customers.TenanciesOf(v.ctx, scope, s.ID)
	if err != nil {
		return err
	}
	g := v.gather(findings.Filter{Server: s.ID})
	g.incidentsOn(s.Name)
	g.servers(listed([]customers.Server{s}, map[string]agents.Status{s.ID: status}))
	g.tenancies(tenancies, plans, func(string) string { return s.Name })
	g.certs(certs.Filter{Server: s.ID})
	connected := v.connectedOn(g, s.ID)
	page := &Server{Page: v.page("servers", s.Name, ""), Needs: g.needs(), Strip: v.serverStrip(status, plans), Disks: v.disks(status), Taken: status.InventoryAt, Connected: connected}
	if page.Tenancies, err = v.serverTenancies(tenancies, plans); err != nil {
		return err
	}
	page.Plans = v.planRows(plans, func(planState) string { return "" })
	if err := v.serverCerts(page, s.ID); err != nil {
		return err
	}
	if err := v.serverWindows(page, s.ID); err != nil {
		return err
	}
	page.Inventory, page.Simulated = v.inventory(status)
	events, next, err := v.events(ledger.Filter{Server: s.ID, Limit: 40, PageToken: v.c.QueryParam("older")})
	if err != nil {
		return err
	}
	page.Timeline = told(events)
	if next != "" {
		page.More = "/servers/" + s.ID + "?older=" + next
	}
	v.serverHead(page, s, status, g)
	return v.render(page)
}

// serverHead writes the sentence and what is around it.
func (v *visit) serverHead(page *Server, s customers.Server, status agents.Status, g *facts) {
	page.Live, page.Refresh = []string{bus.TopicServer(s.ID)}, 30
	if v.staff() {
		page.Crumbs = []Link{{v.t("servers.title"), "/servers"}}
		if (status.State == agents.NotEnrolled || status.State == agents.NeverConnected || status.State == agents.Frozen) && v.can(policy.ServerEnrol) {
			page.EnrolHref = "/servers/" + s.ID + "/enrol"
		}
	} else {
		page.Nav, page.Crumbs = "home", []Link{{v.t("home.title"), "/home"}}
	}
	page.Sub = s.Location
	if !status.EnrolledAt.IsZero() {
		if page.Sub != "" {
			page.Sub += " · "
		}
		page.Sub += v.t("server.enrolled", "when", v.moment(status.EnrolledAt))
	}
	if s.State == customers.ServerRetired {
		page.Say, page.Tone = v.t("server.retired", "server", s.Name), ToneUnknown
		return
	}
	if len(g.open) == 0 {
		page.Say, page.Tone = v.t("server.well", "server", s.Name), ToneGood
		if len(page.Tenancies) == 0 {
			page.Say, page.Tone = v.t("server.no_tenancy", "server", s.Name), ToneUnknown
		}
		return
	}
	said := g.said(1)
	page.Say, page.Tone = s.Name+": "+lower(said.Sentence), said.Tone
}

func (v *visit) serverStrip(st agents.Status, plans []planState) []Fact {
	connection := Fact{Label: v.t("strip.connection"), State: v.agentState(st.State), At: st.HeardAt}
	if st.Version != "" {
		connection.Note = v.t("strip.agent", "version", st.Version)
	}
	backup, at := v.worstBackup(plans)
	out := []Fact{connection, {Label: v.t("col.latest_backup"), State: backup, At: at}}
	clock := Fact{Label: v.t("strip.clock"), State: State{ToneUnknown, v.t("unknown")}}
	if st.State == agents.Connected {
		clock.State, clock.Note = State{ToneGood, span(v.p.tx, st.Skew.Abs())}, v.t("strip.skew")
		if st.SkewTooBig {
			clock.State.Tone = ToneBad
		}
	}
	disk := Fact{Label: v.t("strip.disk"), State: State{ToneUnknown, v.t("unknown")}}
	if st.DiskSize > 0 {
		free := int(st.DiskFree * 100 / st.DiskSize)
		disk.State, disk.Note = State{diskTone(free), v.t("strip.free", "percent", free)}, v.t("disk.free", "free", Bytes(st.DiskFree), "size", Bytes(st.DiskSize))
	}
	return append(out, clock, disk)
}

// diskTone is how a share of free disk looks.
func diskTone(free int) Tone {
	switch {
	case free < 3:
		return ToneBad
	case free < 10:
		return ToneWarn
	}
	return ToneGood
}

func (v *visit) disks(st agents.Status) []Disk {
	if st.Inventory == nil {
		return nil
	}
	var out []Disk
	for _, d := range st.Inventory.Disks {
		if d.SizeBytes <= 0 {
			continue
		}
		row := Disk{Mount: d.Mount, Size: d.SizeBytes, Free: d.FreeBytes, UsedPercent: int((d.SizeBytes - d.FreeBytes) * 100 / d.SizeBytes)}
		if tone := diskTone(100 - row.UsedPercent); tone != ToneGood {
			row.State = State{tone, v.t("disk.nearly_full")}
		}
		out = append(out, row)
	}
	return out
}

func (v *visit) inventory(st agents.Status) ([]Pair, []string) {
	in := st.Inventory
	if in == nil {
		return nil, nil
	}
	packages := v.t("unknown")
	if in.Packages >= 0 {
		packages = group(int64(in.Packages))
	}
	return []Pair{
		{Label: v.t("inventory.os"), Value: in.OS}, {Label: v.t("inventory.kernel"), Value: in.Kernel, Mono: true}, {Label: v.t("inventory.arch"), Value: in.Arch, Mono: true},
		{Label: v.t("inventory.memory"), Value: v.t("inventory.memory_cpus", "size", Bytes(in.MemoryBytes), "n", in.CPUs)},
		{Label: v.t("inventory.packages"), Value: packages}, {Label: "restic", Value: in.ResticVersion, Mono: true},
		{Label: v.t("inventory.boot"), Value: in.BootID, Mono: true},
	}, in.Simulated
}

// serverTenancies is who lives on a server, as far as the reader sees.
func (v *visit) serverTenancies(tenancies []customers.Tenancy, plans []planState) ([]TenancyRow, error) {
	names, err := v.customerNames(tenants(tenancies))
	if err != nil {
		return nil, err
	}
	var out []TenancyRow
	for _, t := range tenancies {
		row := v.tenancyRow(t, plans)
		if name := names[t.Customer]; name != "" {
			row.Customer = Link{name, "/customers/" + t.Customer}
		}
		out = append(out, row)
	}
	return out, nil
}

func (v *visit) tenancyRow(t customers.Tenancy, plans []planState) TenancyRow {
	row := TenancyRow{Paths: t.Paths, Sites: t.Sites}
	if v.p.Certs != nil && v.staff() && v.can(policy.CustomerWrite) {
		row.SitesSet = "/tenancies/" + t.ID + "/sites"
	}
	for _, p := range plans {
		if p.Tenancy == t.ID {
			row.PlanHref = "/plans/" + p.ID
		}
	}
	if row.PlanHref == "" && v.can(policy.PlanWrite) {
		row.NewPlan = "/tenancies/" + t.ID + "/plan"
	}
	return row
}

// planRows are plans as a table.
func (v *visit) planRows(plans []planState, server func(planState) string) []PlanRow {
	var out []PlanRow
	for _, p := range plans {
		state, _ := v.planState(p)
		row := PlanRow{Name: planName(server(p), p.Name, false), Href: "/plans/" + p.ID, State: state, Schedule: v.schedule(p.Cron, p.Zone)}
		if row.Name == "" {
			row.Name = v.t("plan.title")
		}
		if p.Copy != nil {
			row.Latest = p.Copy.ArrivedAt
		}
		row.Next, row.NextWhy = v.nextRun(p.Plan)
		out = append(out, row)
	}
	return out
}

// tenants are the customers of tenancies.
func tenants(ts []customers.Tenancy) []string {
	ids := make([]string, 0, len(ts))
	for _, t := range ts {
		ids = append(ids, t.Customer)
	}
	return ids
}
