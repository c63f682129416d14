package web

import (
	"ostler/agents"
	"ostler/controlplane/policy"
)

// windowsShown is how many change windows a server's page shows.
const windowsShown = 10

// serverWindows adds when a server was changed on purpose, newest first.
func (v *visit) serverWindows(page *Server, server string) error {
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return err
	}
	items, _, err := v.p.Agents.Windows(v.ctx, scope, agents.WindowFilter{Server: server, Limit: windowsShown})
	if err != nil {
		return err
	}
	for _, w := range items {
		row := WindowRow{From: w.OpenedAt, Until: w.EndsAt, State: State{ToneWarn, v.t("window.open")}, Ticket: w.Ticket, Who: w.Who, What: w.What}
		if !w.Open() {
			row.Until, row.State = w.ClosedAt, State{"", v.t("window.closed")}
			if w.ClosedAt.Equal(w.EndsAt) {
				row.State = State{ToneUnknown, v.t("window.ended")}
			}
		}
		page.Windows = append(page.Windows, row)
	}
	return nil
}
