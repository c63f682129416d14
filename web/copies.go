package web

import (
	"time"

	"ostler/backups"
	"ostler/controlplane/bus"
	"ostler/controlplane/policy"
)

// copies lists the copies of one plan, and what its last 90 days were like.
func (p *Portal) copies(v *visit) error {
	scope, err := v.scope(policy.SnapshotRead)
	if err != nil {
		return err
	}
	plan, err := p.Backups.Plan(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	snaps, next, err := p.Backups.Snapshots(v.ctx, scope, backups.SnapshotFilter{Plan: plan.ID, PageToken: v.c.QueryParam("page")})
	if err != nil {
		return err
	}
	days, err := p.Backups.Calendar(v.ctx, scope, plan, 90)
	if err != nil {
		return err
	}
	server := v.serverName(plan.Server)
	self := "/plans/" + plan.ID
	page := &Snapshots{Page: v.page("backups", v.t("snapshots.title"), v.t("snapshots.none", "server", server)), Calendar: v.calendar(server, days), PlanHref: self}
	page.Crumbs = []Link{{v.t("backups.title"), "/backups"}}
	if v.staff() {
		page.Nav, page.Crumbs = "servers", []Link{{v.t("servers.title"), "/servers"}, {server, "/servers/" + plan.Server}}
	}
	page.Live, page.Refresh = []string{bus.TopicServer(plan.Server)}, 60
	if v.can(policy.BackupRun) && plan.Repository.State == backups.RepositoryReady {
		page.RunHref = self + "/run"
	}
	for _, s := range snaps {
		page.Rows = append(page.Rows, v.snapshotRow(s))
	}
	if len(snaps) > 0 && v.c.QueryParam("page") == "" {
		page.Say = v.t("snapshots.say", "server", server, "when", v.moment(snaps[0].ArrivedAt))
	} else if len(snaps) > 0 {
		page.Say, page.Pager.First = v.t("snapshots.older", "server", server), self+"/copies"
	}
	if next != "" {
		page.Pager.Next = self + "/copies?page=" + next
	}
	return v.render(page)
}

// snapshotRow is one copy in a list; only those who may see file names can
// look into it.
func (v *visit) snapshotRow(s backups.Snapshot) SnapshotRow {
	row := SnapshotRow{At: s.ArrivedAt, State: v.runState(s.Outcome), Files: s.Files, Bytes: s.Bytes, Added: s.AddedBytes}
	if v.canOf(s.Customer, policy.FileRead) {
		row.Href = "/snapshots/" + s.ID
	}
	if s.UnreadCount > 0 {
		row.Note = v.t("run.left_out", "n", s.UnreadCount)
	}
	return row
}

// otherCopies lead to the same path in the copies of the plan before and after
// one. Copies are walked from the newest: who looks for a file begins there.
func (v *visit) otherCopies(snap backups.Snapshot, page string, full []byte, earlier, later string) (out OtherCopies, err error) {
	scope, err := v.scope(policy.SnapshotRead)
	if err != nil {
		return out, err
	}
	out.Action, out.Raw, out.On = "/snapshots/"+snap.ID+page, rawValue(full), snap.ArrivedAt.In(v.zone).Format(time.DateOnly)
	if said := v.c.QueryParam("on"); said != "" {
		out.On = said
	}
	link := func(s *backups.Snapshot, key string) Link {
		if s == nil {
			return Link{}
		}
		return Link{v.t(key, "when", v.moment(s.ArrivedAt)), "/snapshots/" + s.ID + page + "?" + pathQuery(full)}
	}
	var newer *backups.Snapshot
	found := false
	for token := ""; ; {
		snaps, next, err := v.p.Backups.Snapshots(v.ctx, scope, backups.SnapshotFilter{Plan: snap.Plan, Limit: 200, PageToken: token})
		if err != nil {
			return out, err
		}
		for i := range snaps {
			switch {
			case found:
				out.Earlier = link(&snaps[i], earlier)
				return out, nil
			case snaps[i].ID == snap.ID:
				found, out.Later = true, link(newer, later)
			default:
				newer = &snaps[i]
			}
		}
		if token = next; token == "" {
			return out, nil
		}
	}
}
