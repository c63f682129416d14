package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/teleport"
)

// An identity that tbot renews lives for about an hour, and is renewed in good
// time before its end.
const identitySoon = 20 * time.Minute

// checkTeleport tries the cluster that a configuration names, and changes
// nothing there; nothing is said where none is named. One answer may take as
// long as patience.
func checkTeleport(ctx context.Context, path string, patience time.Duration, now time.Time) []checkup {
	if path == "" {
		if _, err := os.Stat(defaultConfigFile); err != nil {
			return nil
		}
	}
	c, err := loadConfig(path)
	if err != nil || c.Teleport.Addr == "" {
		return nil // what is wrong with the file, the check of mail says
	}
	t := c.Teleport
	cluster, err := teleport.Open(teleport.Options{Addr: t.Addr, Cluster: t.Cluster, IdentityFile: t.IdentityFile, DialTimeout: patience / 2, CallTimeout: patience})
	if err != nil {
		return []checkup{teleportTrouble("teleport", err)}
	}
	defer func() { _ = cluster.Close() }()
	ping, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	name, version, err := cluster.Ping(ping)
	if err != nil {
		return []checkup{teleportTrouble("teleport", err)}
	}
	out := []checkup{{Check: "teleport", State: "ok", Detail: fmt.Sprintf("%s answers, version %s", name, version)}, checkIdentity(cluster.Expiry(), now)}
	look, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	state, err := cluster.Observe(look)
	if err != nil {
		return append(out, teleportTrouble("  rights", err))
	}
	return append(out, checkRights(state)...)
}

// teleportTrouble says what is wrong with a cluster in the words of findings.
func teleportTrouble(check string, err error) checkup {
	sentence, next := access.ClusterTrouble(err)
	return checkup{check, "bad", sentence, next}
}

// checkIdentity looks at when our identity ends.
func checkIdentity(ends, now time.Time) checkup {
	if ends.IsZero() {
		return checkup{Check: "  identity", State: "unknown", Detail: "it does not say when it ends"}
	}
	v := checkup{Check: "  identity", State: "ok", Detail: "until " + when(controlplane.Instant(ends))}
	if ends.Sub(now) < identitySoon {
		v.State, v.Next = "warn", "It ends soon: see whether tbot runs and renews it, or make a new identity file."
	}
	return v
}

// checkRights looks at what our identity may read, and at locks.
func checkRights(s teleport.State) []checkup {
	read := checkup{Check: "  rights", State: "ok", Detail: "all can be read that lists are compared with"}
	if s.Skipped > 0 {
		read = checkup{"  rights", "warn", controlplane.Line("some of it could not be read: "+strings.Join(s.Unread, ", "), 300), "Give our identity's role what is missing."}
	}
	locks := checkup{Check: "  locks", State: "ok", Detail: "the cluster takes locks"}
	if s.LocksRefused {
		locks = checkup{"  locks", "warn", "the cluster takes no locks, or none of ours: a session that runs when somebody is taken off goes on until it ends",
			"Give our identity's role list, read, create, update and delete on locks. Without a licence for locks, end sessions by hand."}
	}
	return []checkup{read, locks}
}
