package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/teleport"
)

// How long before its end an identity is a finding: a short-lived one that is
// renewed by itself, and any other.
const (
	identityShort = 20 * time.Minute
	identityLong  = 14 * 24 * time.Hour
)

// judgeCluster raises and closes what a clean look shows to need a person.
func (s *Service) judgeCluster(tx *db.Tx, row *clusterRow, d *directory, state teleport.State, kept *seen, expiry time.Time) error {
	if row.Trouble != "" {
		data := map[string]any{"cause": row.Trouble, "since": controlplane.Instant(controlplane.FromMillis(row.TroubleSince))}
		if _, err := s.ledger.Append(tx, ledger.Entry{Subject: sourceTeleport, Kind: "access.cluster_found", Data: data}); err != nil {
			return err
		}
	}
	row.Trouble, row.TroubleSince = "", 0
	if err := s.findings.Close(tx, findings.AccessClusterUnreachable, "the cluster was looked at"); err != nil {
		return err
	}
	if err := s.judgeIdentity(tx, row, kept, expiry); err != nil {
		return err
	}
	if err := s.judgeForeign(tx, kept.Foreign); err != nil {
		return err
	}
	if err := s.judgeNames(tx, d); err != nil {
		return err
	}
	if !state.LocksRefused {
		return s.findings.Close(tx, findings.AccessLocksRefused, "the cluster takes locks")
	}
	if Mode(row.Mode) == Observe {
		return nil
	}
	return s.findings.Raise(tx, findings.Finding{Key: findings.AccessLocksRefused, Kind: findings.AccessLocksRefused, Severity: findings.Warn, Owner: findings.Ops,
		Subject: sourceTeleport, Link: linkCluster})
}

// judgeIdentity says in time that our identity ends.
func (s *Service) judgeIdentity(tx *db.Tx, row *clusterRow, kept *seen, expiry time.Time) error {
	until := controlplane.Millis(expiry)
	if row.Identity != 0 && row.Identity != until {
		kept.IdentityRenewed = tx.NowMillis()
	}
	row.Identity = until
	warn := identityLong
	if kept.IdentityRenewed > tx.Now.Add(-24*time.Hour).UnixMilli() {
		warn = identityShort
	}
	left := expiry.Sub(tx.Now)
	if until == 0 || left > warn {
		return s.findings.Close(tx, findings.AccessClusterIdentity, "the identity is good")
	}
	return s.findings.Raise(tx, findings.Finding{Key: findings.AccessClusterIdentity, Kind: findings.AccessClusterIdentity, Severity: findings.Warn, Owner: findings.Ops,
		Subject: sourceTeleport, Args: map[string]string{"for": findings.Ago("en", max(left, 0)), "because": "Make a new identity file, or see why tbot does not renew it"}, Link: linkCluster})
}

// foreignText says of a foreign role what it does.
func foreignText(f ForeignRole) string {
	held := "Nobody holds it now"
	if n := len(f.Users); n == 1 {
		held = "One user holds it"
	} else if n > 1 {
		held = fmt.Sprintf("%d users hold it", n)
	}
	what := map[string]string{
		"admin":      "whoever has it can give themselves access to every server",
		"wildcard":   "it matches every server",
		"expression": "what it reaches cannot be told from here: it matches by an expression, or joins others' sessions",
		"label":      "it names customers' servers",
	}[f.Why]
	return held + ", and " + what
}

// judgeForeign raises one finding for each foreign role that somebody holds and
// nobody answers for.
func (s *Service) judgeForeign(tx *db.Tx, roles []ForeignRole) error {
	open := map[string]bool{}
	for _, f := range roles {
		if len(f.Users) == 0 || f.AcceptedBy != "" {
			continue
		}
		x := findings.Finding{Key: findings.AccessForeignRole + ":" + f.Role, Group: findings.AccessForeignRole, Kind: findings.AccessForeignRole, Severity: findings.Warn, Owner: findings.Ops,
			Subject: sourceTeleport, Args: map[string]string{"role": controlplane.Line(f.Role, 100), "because": foreignText(f)}, Link: linkCluster}
		if slices.Contains(f.Reaches, "*") {
			x.Args["where"] = "every server"
		}
		open[x.Key] = true
		if err := s.findings.Raise(tx, x); err != nil {
			return err
		}
	}
	return s.closeOthers(tx, findings.AccessForeignRole, open, "the role reaches nobody's servers, or somebody answers for it")
}

// judgeNames raises one finding for each name that two persons use. Logins that
// roles give are shared by everybody who has the role.
func (s *Service) judgeNames(tx *db.Tx, d *directory) error {
	shared := func(login string) bool {
		return slices.ContainsFunc(s.opts.Roles, func(r Role) bool { return slices.Contains(r.Logins, login) })
	}
	open := map[string]bool{}
	for _, names := range []map[string][]string{sameNames(d.users, nil), sameNames(d.logins, shared)} {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			ids := slices.DeleteFunc(slices.Clone(names[name]), func(id string) bool { return !d.people[id].LeftAt.IsZero() })
			if len(ids) < 2 {
				continue
			}
			x := findings.Finding{Key: findings.AccessSameLogin + ":" + s.unknownIndex(name)[:16], Group: findings.AccessSameLogin, Kind: findings.AccessSameLogin, Severity: findings.Warn, Owner: findings.Ops,
				Subject: ids[0], Args: map[string]string{"what": name, "person": d.people[ids[0]].Name, "other": d.people[ids[1]].Name}, Link: "/access/persons/" + ids[0]}
			open[x.Key] = true
			if err := s.findings.Raise(tx, x); err != nil {
				return err
			}
		}
	}
	return s.closeOthers(tx, findings.AccessSameLogin, open, "each has a name of their own")
}

// judgeUsers notices roles that single sign-on gave again after they were taken
// off, and roles of those who left.
func (s *Service) judgeUsers(tx *db.Tx, d *directory, state teleport.State, kept *seen) error {
	users := map[string]seenUser{}
	open := map[string]bool{}
	for _, u := range state.Users {
		if u.Connector == "" {
			continue
		}
		before := kept.Users[u.Name]
		gone := slices.Clone(before.Gone)
		for _, r := range before.Roles {
			if !slices.Contains(u.Roles, r) && !slices.Contains(gone, r) {
				gone = append(gone, r)
			}
		}
		users[u.Name] = seenUser{Roles: u.Roles, Gone: gone[max(0, len(gone)-50):]}
		for _, r := range u.Roles {
			if !slices.Contains(gone, r) {
				continue
			}
			person := u.Name
			if ids := d.users[u.Name]; len(ids) > 0 {
				person = d.people[ids[0]].Name
			}
			x := findings.Finding{Key: findings.AccessRolePutBack + ":" + s.unknownIndex(u.Name)[:16] + ":" + r, Group: findings.AccessRolePutBack, Kind: findings.AccessRolePutBack,
				Severity: findings.Warn, Owner: findings.Ops, Subject: sourceTeleport, Args: map[string]string{"person": person, "role": controlplane.Line(r, 100),
					"because": "The connector " + controlplane.Line(u.Connector, 100) + " gives it at each login. Change its mapping, or it comes back"}, Link: linkCluster}
			open[x.Key] = true
			if err := s.findings.Raise(tx, x); err != nil {
				return err
			}
		}
	}
	kept.Users = users
	return s.closeOthers(tx, findings.AccessRolePutBack, open, "the user does not have the role any more")
}

// closeOthers closes the open findings of a kind whose keys are not among those.
func (s *Service) closeOthers(tx *db.Tx, kind string, open map[string]bool, cause string) error {
	keys, err := s.findings.OpenKeys(tx, kind)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if open[key] {
			continue
		}
		if err := s.findings.Close(tx, key, cause); err != nil {
			return err
		}
	}
	return nil
}

// maxDrift bounds the lines of one pass that are looked at for differences, and
// maxDriftFindings those that become findings of their own.
const (
	maxDrift         = 20000
	maxDriftFindings = 300
	// busyFor is how long an enforcement that is at work explains a difference.
	busyFor = 5 * time.Minute
)

// drift is one person on one customer's list whose columns differ.
type drift struct {
	key      string
	row      driftRow
	more     int
	enforced bool
}

// judgeDrift raises a finding for each person and customer whose columns differ,
// and closes those whose agree again: of one person, or of all where that is "".
// What was taken away just now and an enforcement is at work on in the cluster
// waits for a while: it raises nothing, and its finding stays open. What else the
// same person reaches is raised at once, however often something is taken away.
func (s *Service) judgeDrift(ctx context.Context, person string) error {
	var rows []driftRow
	var busy map[takenLine]bool
	var now time.Time
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		if rows, err = drifting(tx, person, maxDrift); err == nil {
			busy, err = justTaken(tx, rows, now.Add(-busyFor).UnixMilli())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("access: drift: %w", err)
	}
	var list []*drift
	byKey, waits := map[string]*drift{}, map[string]bool{}
	for _, r := range rows {
		if r.Source == sourceHost && r.PersonID == "" { // it has a finding of its own
			continue
		}
		key := findings.AccessDrift + ":" + r.CustomerID + ":" + r.PersonID + r.UnknownIndex[:min(16, len(r.UnknownIndex))]
		young := now.Sub(controlplane.FromMillis(r.KnownFrom)) < s.opts.Every
		if r.Source == sourceTeleport && busy[r.taken()] || r.Col == string(Listed) && young {
			waits[key] = true
			continue
		}
		if d := byKey[key]; d != nil {
			d.more++
			d.enforced = d.enforced || r.Col == string(Enforced)
			continue
		}
		d := &drift{key: key, row: r, enforced: r.Col == string(Enforced)}
		byKey[key] = d
		list = append(list, d)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { return s.raiseDrift(tx, list, waits, person) })
	if err != nil {
		return fmt.Errorf("access: drift: %w", err)
	}
	return nil
}

// raiseDrift raises what differs, and closes what does not and does not wait.
func (s *Service) raiseDrift(tx *db.Tx, list []*drift, waits map[string]bool, person string) error {
	ids := map[string]bool{}
	for _, x := range list {
		if x.row.PersonID != "" {
			ids[x.row.PersonID] = true
		}
	}
	names, err := s.callingsOf(tx, slices.Sorted(maps.Keys(ids)))
	if err != nil {
		return err
	}
	customers, err := s.called(tx)
	if err != nil {
		return err
	}
	called := map[string]string{}
	for _, c := range customers {
		called[c.ID] = c.Name
	}
	open := map[string]bool{}
	for i, x := range list {
		open[x.key] = true
		if i >= maxDriftFindings {
			continue
		}
		r := x.row
		subject := r.PersonID
		name, others := names.of(policy.OneCustomer(r.CustomerID), r.PersonID, r.ServerID) // the customer reads it
		if others != "" {
			name, subject = sentence(others), ""
		}
		if r.PersonID == "" {
			if name, err = s.open(r.CustomerID, "access_spans", "unknown", r.ID, r.Unknown); err != nil {
				return err
			}
		}
		because, severity := x.why()
		if err := s.findings.Raise(tx, findings.Finding{Key: x.key, Group: findings.AccessDrift + ":" + r.PersonID + r.UnknownIndex, Kind: findings.AccessDrift, Customer: r.CustomerID,
			Severity: severity, Owner: findings.Ops, Subject: subject, Args: map[string]string{"person": name, "where": called[r.CustomerID], "because": because},
			Link: "/access?customer=" + r.CustomerID}); err != nil {
			return err
		}
	}
	keys, err := s.findings.OpenKeys(tx, findings.AccessDrift)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if open[key] || waits[key] || person != "" && !strings.HasSuffix(key, ":"+person) {
			continue
		}
		if err := s.findings.Close(tx, key, "the columns agree again"); err != nil {
			return err
		}
	}
	return nil
}

// why is in what the columns differ, and how bad that is.
func (x drift) why() (because string, s findings.Severity) {
	if x.enforced {
		return "Nobody granted " + x.row.Role + ", and it has been so since " + day(controlplane.FromMillis(x.row.FromAt)) + " at the earliest", findings.Bad
	}
	return "It is granted, and Teleport does not let them in as " + x.row.Role, findings.Warn
}

// roleIn is the cluster's role of a ground.
func roleIn(ground string) string { return strings.TrimPrefix(ground, "role:") }
