package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
	"ostler/controlplane/teleport"
)

// Enforcement returns how the cluster stands. Permission: access.read over all customers.
func (s *Service) Enforcement(ctx context.Context, scope policy.Scope) (out Enforcement, err error) {
	if err := overAll(scope); err != nil {
		return Enforcement{}, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error { out, err = s.enforcementIn(tx); return err })
	if err != nil {
		return Enforcement{}, wrap("enforcement", err)
	}
	return s.nameMode(ctx, out)
}

// nameMode puts the name where the id of who set the mode stands.
func (s *Service) nameMode(ctx context.Context, e Enforcement) (Enforcement, error) {
	if e.ModeBy == "" {
		return e, nil
	}
	names, err := s.identity.Names(ctx, []string{e.ModeBy})
	if err != nil {
		return Enforcement{}, wrap("enforcement", err)
	}
	e.ModeBy = names[e.ModeBy]
	return e, nil
}

func (s *Service) enforcementIn(tx *db.Tx) (Enforcement, error) {
	row, kept, err := s.clusterIn(tx)
	if err != nil {
		return Enforcement{}, err
	}
	at := controlplane.FromMillis
	out := Enforcement{
		Configured: s.cluster != nil, Mode: Mode(row.Mode), ModeSince: at(row.ModeSince), ModeBy: row.ModeBy, Cluster: kept.Cluster, Version: kept.Version,
		Fake: strings.Contains(strings.ToLower(kept.Cluster+" "+kept.Version), "fake"), LookedAt: at(row.LookedAt), TroubleSince: at(row.TroubleSince),
		IdentityExpires: at(row.Identity), LocksRefused: row.LocksRefused == 1, Foreign: kept.Foreign, Connector: kept.Connector, ConnectorMissing: kept.Missing,
	}
	out.Trouble, out.TroubleNext = troubleText(teleport.Trouble(row.Trouble), kept.Unread)
	if out.Mode != Observe {
		out.Planned = kept.Planned
	}
	return out, nil
}

// SetMode changes the mode, with why. Shadow comes between the others on the way
// there; the way back is one step from anywhere, and leaves the cluster as it
// is. Enforce is refused before the cluster was looked at, while it cannot be,
// and while persons with grants have no Teleport user. Permission: access.admin.
//
// Errors: invalid with fields, conflict, forbidden.
func (s *Service) SetMode(ctx context.Context, scope policy.Scope, m Mode, why string) (out Enforcement, err error) {
	if err := s.mayAdmin(ctx, scope); err != nil {
		return Enforcement{}, err
	}
	var c inputs
	if !m.Valid() {
		c.add("/mode", "Choose observe, shadow or enforce.")
	}
	why = c.line("/why", why, maxReason, "Say why: it stands in the ledger.")
	if err := c.err(); err != nil {
		return Enforcement{}, err
	}
	if s.cluster == nil {
		return Enforcement{}, noCluster()
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, kept, err := s.clusterIn(tx)
		if err != nil {
			return err
		}
		before := Mode(row.Mode)
		if before != m {
			if err := s.modeAllowed(tx, row, before, m); err != nil {
				return err
			}
			row.Mode, row.ModeSince, row.ModeBy = string(m), tx.NowMillis(), actorOf(ctx).ID
			if err := s.saveCluster(tx, row, kept); err != nil {
				return err
			}
			if _, err := s.ledger.Append(tx, ledger.Entry{Subject: sourceTeleport, Kind: "access.mode_changed", Data: map[string]any{"from": string(before), "to": string(m)}, Personal: map[string]string{"why": why}}); err != nil {
				return err
			}
			if _, err := s.enqueueObserve(tx, ""); err != nil {
				return err
			}
		}
		out, err = s.enforcementIn(tx)
		return err
	})
	if err != nil {
		return Enforcement{}, wrap("set mode", err)
	}
	return s.nameMode(ctx, out)
}

func (s *Service) mayAdmin(ctx context.Context, scope policy.Scope) error {
	if err := may(ctx, policy.AccessAdmin); err != nil {
		return err
	}
	if err := overAll(scope); err != nil {
		return err
	}
	return s.ready(ctx)
}

func noCluster() error {
	return conflict("Set teleport.addr and teleport.identity_file in the configuration, and restart.", "No Teleport is configured")
}

// modeAllowed refuses a step that would surprise somebody.
func (s *Service) modeAllowed(tx *db.Tx, row clusterRow, before, m Mode) error {
	switch {
	case m == Observe || m == Shadow && before == Enforce:
		return nil
	case row.LookedAt == 0 || row.Trouble != "":
		return conflict("See to what is wrong, and wait for the next look.", "The cluster was not looked at yet, or cannot be looked at now")
	case m == Shadow:
		return nil
	case before == Observe:
		return conflict("Choose shadow first, and read what enforcing would change.", "Nobody has seen yet what enforcing would change")
	}
	lines, err := listedLines(tx, "")
	if err != nil {
		return err
	}
	d, err := s.directoryIn(tx)
	if err != nil {
		return err
	}
	var nameless []string
	for _, l := range lines {
		p := d.people[l.PersonID]
		if l.Source == "grant" && len(p.TeleportUsers) == 0 && !slices.Contains(nameless, p.Name) {
			nameless = append(nameless, p.Name)
		}
	}
	if len(nameless) == 0 {
		return nil
	}
	slices.Sort(nameless)
	return conflict("Enter the Teleport user of each of them, or revoke their grants.", "These people have grants and no Teleport user: %s", strings.Join(nameless[:min(10, len(nameless))], ", "))
}

// Look has the cluster, and where server is not "" that host, looked at now, and
// returns the job. Permission: access.write. Errors: not found, conflict.
func (s *Service) Look(ctx context.Context, scope policy.Scope, server string) (job string, err error) {
	if err := may(ctx, policy.AccessWrite); err != nil {
		return "", err
	}
	if err := overAll(scope); err != nil {
		return "", err
	}
	if server == "" && s.cluster == nil {
		return "", noCluster()
	}
	if err := s.customersReady(ctx); err != nil {
		return "", wrap("look", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if s.cluster != nil {
			j, err := s.enqueueObserve(tx, "")
			if err != nil {
				return err
			}
			job = j.ID
		}
		if server == "" {
			return nil
		}
		v, err := s.customers.ServerIn(tx, scope, server)
		if err != nil {
			return err
		}
		j, err := s.enqueueScan(tx, v.ID, "")
		job = j.ID
		return err
	})
	return job, wrap("look", err)
}

// acceptedLongest bounds how long somebody answers for what was found.
const acceptedLongest = 366 * 24 * time.Hour

// AcceptRole notes that a person answers for a foreign role until a date: whoever
// has it is listed till then. Permission: access.admin.
//
// Errors: invalid with fields, not found where the latest look shows no such role.
func (s *Service) AcceptRole(ctx context.Context, scope policy.Scope, role, owner string, until time.Time, reason string) error {
	if err := s.mayAdmin(ctx, scope); err != nil {
		return err
	}
	var c inputs
	reason = c.line("/reason", reason, maxReason, "Say why it stays.")
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		c := inputs{fields: slices.Clone(c.fields)}
		if err := s.checkAnswerable(tx, &c, owner, "/until", until); err != nil {
			return err
		}
		_, kept, err := s.clusterIn(tx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(kept.Foreign, func(f ForeignRole) bool { return f.Role == role }) {
			return controlplane.NotFound("role of others that reaches customers' servers")
		}
		if err := s.notForOneself(tx, kept.Foreign, []string{role}, owner); err != nil {
			return err
		}
		return s.acceptRoles(tx, []string{role}, owner, until, reason)
	})
	return wrap("accept role", err)
}

// checkAnswerable refuses an owner who cannot answer for something, and a date
// that nobody would look at.
func (s *Service) checkAnswerable(tx *db.Tx, c *inputs, owner, pointer string, until time.Time) error {
	p, err := onePerson(tx, owner)
	if err != nil {
		return err
	}
	if k := PersonKind(p.Kind); p.ID == "" || p.LeftAt > 0 || k != KindStaff && k != KindContractor {
		c.add("/owner", "Choose one of your people who is still here.")
	}
	if !until.After(tx.Now) || until.Sub(tx.Now) > acceptedLongest {
		c.add(pointer, "Choose a date within the next twelve months.")
	}
	return c.err()
}

// acceptRoles notes who answers for roles, and has the next look list them.
func (s *Service) acceptRoles(tx *db.Tx, roles []string, owner string, until time.Time, reason string) error {
	row, kept, err := s.clusterIn(tx)
	if err != nil {
		return err
	}
	names, err := s.namesIn(tx, []string{owner})
	if err != nil {
		return err
	}
	for _, role := range roles {
		sealed, err := s.keeper.Seal("", secrets.AD{Table: "access_cluster_accepted", Column: "reason", Row: role}, []byte(reason))
		if err != nil {
			return err
		}
		r := acceptedRow{Name: role, Owner: owner, Until: controlplane.Millis(until), Reason: sealed, AcceptedBy: actorOf(tx.Context()).ID, AcceptedAt: tx.NowMillis()}
		if err := db.Upsert(tx, &r, "name"); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Subject: sourceTeleport, Kind: "access.role_accepted", Data: map[string]any{"role": role, "owner": owner, "until": controlplane.Instant(until)}, Personal: map[string]string{"reason": reason}}); err != nil {
			return err
		}
		if err := s.findings.Close(tx, findings.AccessForeignRole+":"+role, "somebody answers for it"); err != nil {
			return err
		}
		for i, f := range kept.Foreign {
			if f.Role == role {
				kept.Foreign[i].AcceptedBy, kept.Foreign[i].Until = names[owner], until
			}
		}
	}
	row.WantsHash = ""
	if err := s.saveCluster(tx, row, kept); err != nil {
		return err
	}
	if s.cluster == nil {
		return nil
	}
	_, err = s.enqueueObserve(tx, "")
	return err
}

// acceptCluster accepts every foreign role that somebody holds and nobody
// answers for.
func (s *Service) acceptCluster(tx *db.Tx, owner string, review time.Time, reason string) (n int, err error) {
	row, kept, err := s.clusterIn(tx)
	if err != nil {
		return 0, err
	}
	if row.LookedAt == 0 {
		return 0, conflict("Wait for the first look at it.", "The cluster was not looked at yet")
	}
	var roles []string
	for _, f := range kept.Foreign {
		if len(f.Users) > 0 && (f.AcceptedBy == "" || !f.Until.After(tx.Now)) {
			roles = append(roles, f.Role)
		}
	}
	if len(roles) == 0 {
		return 0, nil
	}
	if err := s.notForOneself(tx, kept.Foreign, roles, owner); err != nil {
		return 0, err
	}
	if err := s.acceptRoles(tx, roles, owner, review, reason); err != nil {
		return 0, fmt.Errorf("accept roles: %w", err)
	}
	return len(roles), nil
}
