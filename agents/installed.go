package agents

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Installation is a package that a server's latest inventory lists.
type Installation struct {
	Server string
	wire.Package
	SeenAt time.Time
}

// Installed lists where a package is installed, by its own name or its source's, as
// the latest inventories say, and the servers whose packages are not known: never
// connected, with an agent that lists none, or without dpkg.
func (a *Agents) Installed(ctx context.Context, scope policy.Scope, name string) (out []Installation, unknown []string, err error) {
	err = a.DB.Read(ctx, func(tx *db.Tx) error {
		out, unknown = nil, nil
		rows, err := a.inventories(tx, scope, name)
		if err != nil {
			return err
		}
		for _, r := range rows {
			switch {
			case !strings.Contains(r.Data, listsPackages):
				unknown = append(unknown, r.Server)
				continue
			case !strings.Contains(r.Data, name): // most servers have not got it
				continue
			}
			var inv wire.InventoryAnswer
			if err := json.Unmarshal([]byte(r.Data), &inv); err != nil {
				return fmt.Errorf("read inventory of %s: %w", r.Server, err)
			}
			for _, p := range inv.Installed {
				if p.Name == name || p.Source == name {
					out = append(out, Installation{Server: r.Server, Package: p, SeenAt: controlplane.FromMillis(r.CollectedAt)})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("agents: installed: %w", err)
	}
	return out, unknown, nil
}
