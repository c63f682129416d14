package access

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

func (s *Service) isActive(tx *db.Tx, server string) (bool, error) {
	v, err := s.customers.ServerIn(tx, enforcing(), server)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		return false, nil
	}
	return err == nil && v.State == customers.ServerActive, err
}

// hostLater settles a host anew in a job of the plane: whoever says something
// of one way in may not see the lists of all who live there.
func (s *Service) hostLater(tx *db.Tx, server, customer string) error {
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobHost, Executor: jobs.Plane, Customer: customer, Resource: jobHost + ":" + server, Supersedes: jobHost + ":" + server,
		Subject: server, Params: struct{}{}, Title: "job.access_host"})
	return err
}

// hostTenancy has the columns of the ways into a server follow who lives there and
// where: also what each of them reads of what is not theirs.
func (s *Service) hostTenancy(tx *db.Tx, now customers.Tenancy) error {
	rows, err := foundOn(tx, now.Server)
	if err != nil || len(rows) == 0 {
		return err
	}
	return s.hostLater(tx, now.Server, "")
}

func (s *Service) runHost(ctx context.Context, job jobs.Job) (any, error) {
	if err := s.customersReady(ctx); err != nil {
		return nil, err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error { return s.settleHost(tx, job.Subject, false) })
	if err != nil {
		return nil, fmt.Errorf("access: settle host: %w", err)
	}
	return nil, nil
}

// settleHost makes the columns of everybody who lives on a server what is known
// of the ways into it, and raises what nobody answers for.
func (s *Service) settleHost(tx *db.Tx, server string, first bool) error {
	rows, err := foundOn(tx, server)
	if err != nil {
		return err
	}
	living, err := s.boundsOf(tx, server)
	if err != nil {
		return err
	}
	tenants := living.customers()
	w := hostWants{tenants: tenants, bounds: living, left: map[string]bool{}}
	for _, r := range rows {
		d, err := s.openFound(r)
		if err != nil {
			return err
		}
		if r.whose() != "" && !w.left[r.Person] {
			p, err := onePerson(tx, r.Person)
			if err != nil {
				return err
			}
			w.left[r.Person] = p.LeftAt > 0
		}
		w.add(r, d)
		if r.Kind != string(FoundLogin) || r.whose() == "" {
			continue
		}
		for _, c := range tenants {
			if r.ofCustomer() && c != r.Customer {
				continue
			}
			if err := s.noteUsed(tx, c, r.Person, WayLogin, server, r.SeenAt); err != nil {
				return err
			}
		}
	}
	for _, p := range []struct {
		column Column
		wants  []want
	}{{Listed, w.listed}, {Enforced, w.enforced}, {Could, w.could}} {
		if _, err := s.settle(tx, part{Column: p.column, Source: sourceHost, Servers: []string{server}, Why: "not on the server any more", Baseline: first}, p.wants); err != nil {
			return err
		}
	}
	if err := stampSeen(tx, sourceHost); err != nil {
		return err
	}
	return s.judgeFound(tx, server, rows)
}

// hostWants are the wants of one server.
type hostWants struct {
	tenants                 []string
	bounds                  bounds
	left                    map[string]bool // persons who are not here any more
	listed, enforced, could []want
}

// add puts a way in on the lists of all who live on the server, as each may read it.
func (w *hostWants) add(r foundRow, d foundData) {
	about := r.about(d, w.bounds)
	for _, c := range w.tenants {
		x := want{Customer: c, Person: r.whose(), Way: WayLogin, Role: roleFound(r, d), Server: r.Server, Ground: r.ID, From: controlplane.FromMillis(r.SinceAt), Why: "found on the server"}
		if x.Person == "" {
			x.Unknown = unknownFound(r, d)
		}
		if r.ofCustomer() {
			x.Way = WayCustomer
		}
		if others := about.readAs(policy.OneCustomer(c)); others != "" {
			x.Person, x.Unknown, x.Same, x.Role, x.Way = "", others, r.ID, "", WayLogin
		}
		w.addTo(x, r)
	}
}

func (w *hostWants) addTo(x want, r foundRow) {
	if r.Kind == string(FoundLogin) {
		w.could = append(w.could, x)
		return
	}
	w.enforced = append(w.enforced, x)
	if r.ofCustomer() || r.Baseline == 1 && r.Confirmed != saidNo && !w.left[r.whose()] {
		x.From, x.Why = time.Time{}, "accepted as it was found"
		switch {
		case x.Way == WayCustomer:
			x.Why = "let in by the customer"
		case r.ofCustomer():
			x.Why = whyShared
		}
		w.listed = append(w.listed, x)
	}
}

// roleFound is what a way in gives.
func roleFound(r foundRow, d foundData) string {
	switch FoundKind(r.Kind) {
	case FoundSudo:
		return d.Rights
	case FoundAccount:
		return d.Account + " by password"
	case FoundCA:
		return "certificates"
	case FoundLogin:
		return "session as " + d.Account
	}
	return d.Account
}

// unknownFound is how a way in stands on a list of which nobody knows whose it is.
func unknownFound(r foundRow, d foundData) string {
	switch FoundKind(r.Kind) {
	case FoundKey, FoundCA:
		return d.Fingerprint
	case FoundLogin:
		return "session of " + d.Account + fromText(d.From)
	}
	return "account " + d.Account
}

// judgeFound raises what nobody answers for: all that was there when we first
// looked as one finding, what came later each at once.
func (s *Service) judgeFound(tx *db.Tx, server string, rows []foundRow) error {
	name := s.serverName(tx, server)
	at := 0
	for _, r := range rows {
		if !r.unexplained() {
			if err := s.findings.Close(tx, findings.AccessUnexplained+":"+r.ID, "somebody answers for it"); err != nil {
				return err
			}
			continue
		}
		if r.FirstScan == 1 {
			at++
			continue
		}
		d, err := s.openFound(r)
		if err != nil {
			return err
		}
		if err := s.findings.Raise(tx, findings.Finding{Key: findings.AccessUnexplained + ":" + r.ID, Group: findings.AccessUnexplained + ":" + server, Kind: findings.AccessUnexplained, Server: server,
			Subject: r.ID, Severity: findings.Bad, Owner: findings.Ops, Args: map[string]string{"what": whatFound(r, d), "where": name}, Link: linkFound(server)}); err != nil {
			return err
		}
	}
	key := findings.AccessUnexplained + ":" + server
	if at == 0 {
		return s.findings.Close(tx, key, "somebody answers for each")
	}
	args := map[string]string{"count": fmt.Sprintf("%d ways in", at), "where": name,
		"because": "They were there when we first looked. Say whose they are, or accept them as a baseline, with an owner"}
	if at == 1 {
		args = map[string]string{"what": "One way in", "where": name,
			"because": "It was there when we first looked. Say whose it is, or accept it as a baseline, with an owner"}
	}
	return s.findings.Raise(tx, findings.Finding{Key: key, Kind: findings.AccessUnexplained, Server: server, Subject: server, Severity: findings.Warn, Owner: findings.Ops,
		Args: args, Link: linkFound(server)})
}

func linkFound(server string) string { return "/access/found?server=" + server }

// whatFound is a way in as people read it.
func whatFound(r foundRow, d foundData) string {
	switch FoundKind(r.Kind) {
	case FoundKey:
		return "A key of " + d.Account + " (" + d.Fingerprint + ")"
	case FoundSudo:
		return "A right of " + d.Account + " (" + d.Rights + ")"
	case FoundAccount:
		return "A password sign-in of " + d.Account
	case FoundCA:
		return "An authority for sign-ins (" + d.Fingerprint + ")"
	}
	return "A session of " + d.Account
}

// dueBaselines raises baselines whose review is due, one for each server, owner and date.
func (s *Service) dueBaselines(ctx context.Context) error {
	ctx = controlplane.System(ctx, "access.watch")
	var rows []foundRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { rows, err = reviewsDue(tx, scansAtOnce); return err })
	if err != nil || len(rows) == 0 {
		return wrap("due reviews", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		open, err := s.findings.OpenKeys(tx, findings.AccessBaselineReview)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, k := range open {
			there[k] = true
		}
		for _, r := range rows {
			if err := s.baselineDue(tx, r, there); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("due reviews", err)
}

func baselineKey(server string) string { return findings.AccessBaselineReview + ":" + server }

func (s *Service) baselineDue(tx *db.Tx, r foundRow, there map[string]bool) error {
	key := baselineKey(r.Server)
	if there[key] {
		return nil
	}
	there[key] = true
	names, err := s.namesIn(tx, []string{r.Owner})
	if err != nil {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: key, Group: findings.AccessBaselineReview, Kind: findings.AccessBaselineReview, Server: r.Server, Subject: r.Server, Severity: findings.Warn, Owner: findings.Ops,
		Args: map[string]string{"where": s.serverName(tx, r.Server), "person": names[r.Owner], "by": day(controlplane.FromMillis(r.ReviewBy))}, Link: linkFound(r.Server)})
}
