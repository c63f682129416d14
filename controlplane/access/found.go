package access

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// FoundFilter narrows ListFound; zero fields do not.
type FoundFilter struct {
	Customer, Server, Person string
	Unexplained              bool // neither a person's, nor the customer's, nor accepted
	Gone                     bool
	Limit                    int // 0 is 50, at most 200
	PageToken                string
}

// ListFound lists what scans found, the newest first. A customer sees what is on
// their servers; on a shared server, their own and ours. Permission: access.read.
func (s *Service) ListFound(ctx context.Context, scope policy.Scope, f FoundFilter) (items []Found, next string, err error) {
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	if f.PageToken != "" && !controlplane.ValidID(controlplane.PrefixFoundAccess, f.PageToken) {
		return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a page token of this list; leave it out to begin at the first page."})
	}
	customers, all := scope.Customers(), scope.All()
	if f.Customer != "" {
		if !scope.Allows(f.Customer) {
			return nil, "", controlplane.NotFound("customer")
		}
		customers, all = []string{f.Customer}, false
	}
	// Ours stand on the customer's servers and are nobody's rows: a contact's own
	// transaction does not see them.
	system := controlplane.System(ctx, "access")
	err = s.db.Read(system, func(tx *db.Tx) error {
		rows, err := listFound(tx, s.foundWithin(tx, customers, all), f, f.PageToken, limit+1)
		if err != nil {
			return err
		}
		next = ""
		if len(rows) > limit {
			rows = rows[:limit]
			next = rows[limit-1].ID
		}
		items, err = s.foundValues(tx, scope, rows)
		return err
	})
	return items, next, wrap("list found", err)
}

// foundValues opens rows, with names.
func (s *Service) foundValues(tx *db.Tx, scope policy.Scope, rows []foundRow) ([]Found, error) {
	var ids []string
	for _, r := range rows {
		if r.Person != "" {
			ids = append(ids, r.Person)
		}
	}
	names, err := s.namesIn(tx, ids)
	if err != nil {
		return nil, err
	}
	servers, living := map[string]string{}, map[string]bounds{}
	out := make([]Found, 0, len(rows))
	for _, r := range rows {
		d, err := s.openFound(r)
		if err != nil {
			return nil, err
		}
		if servers[r.Server] == "" {
			servers[r.Server] = s.serverName(tx, r.Server)
			if living[r.Server], err = s.boundsOf(tx, r.Server); err != nil {
				return nil, err
			}
		}
		f := foundValue(r, d)
		f.ServerName, f.PersonName = servers[r.Server], names[r.Person]
		if !scope.All() && !scope.Allows(r.Customer) {
			f.Comment, f.Owner = "", ""
		}
		if others := r.about(d, living[r.Server]).readAs(scope); others != "" {
			f = f.others(others)
		}
		out = append(out, f)
	}
	return out, nil
}

// Explain says whose a way in is: a person's, or (of the customer) the
// customer's; a key is theirs wherever it is found. With neither it is
// unexplained again. Permission: access.write.
//
// Errors: invalid with fields, not found, conflict where it is gone.
func (s *Service) Explain(ctx context.Context, scope policy.Scope, found, person, customer string) (out Found, err error) {
	if err := may(ctx, policy.AccessWrite); err != nil {
		return Found{}, err
	}
	if err := overAll(scope); err != nil {
		return Found{}, err
	}
	if err := s.customersReady(ctx); err != nil {
		return Found{}, wrap("explain", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[foundRow](tx, scope, "way in", found)
		if err != nil {
			return err
		}
		if r.GoneAt > 0 {
			return conflict("Look at what is on the server now.", "This way in is not there any more")
		}
		if err := s.checkExplained(tx, scope, r, person, customer); err != nil {
			return err
		}
		rows, err := samePrint(tx, r.Print)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			rows = []foundRow{r}
		}
		for _, x := range rows {
			if x.ID != r.ID && (x.Customer != "" || customer != "" && !s.livesOn(tx, customer, x.Server)) {
				continue
			}
			if err := s.explain(tx, x, person, customer); err != nil {
				return err
			}
		}
		if r, err = db.One[foundRow](tx, scope, "way in", found); err != nil {
			return err
		}
		list, err := s.foundValues(tx, scope, []foundRow{r})
		if err == nil {
			out = list[0]
		}
		return err
	})
	return out, wrap("explain", err)
}

func (s *Service) livesOn(tx *db.Tx, customer, server string) bool {
	ids, err := s.customers.CustomersOfServer(tx, server)
	if err != nil {
		return false
	}
	for _, id := range ids {
		if id == customer {
			return true
		}
	}
	return false
}

// checkExplained refuses who cannot be behind it.
func (s *Service) checkExplained(tx *db.Tx, scope policy.Scope, r foundRow, person, customer string) error {
	var c inputs
	if customer != "" && !s.livesOn(tx, customer, r.Server) {
		c.add("/customer", "This customer does not live on the server.")
	}
	if person != "" {
		_, p, err := s.personFor(tx, scope, person)
		switch {
		case controlplane.ErrorCode(err) == controlplane.CodeNotFound:
			c.add("/person", "There is no such person.")
		case err != nil:
			return err
		case p.Kind == KindCustomer && p.Customer != customer:
			c.add("/person", "This is somebody of another customer. Choose that customer too, or somebody else.")
		}
	}
	return c.err()
}

// explain writes whose one way in is, and settles its server.
func (s *Service) explain(tx *db.Tx, r foundRow, person, customer string) error {
	if r.Person == person && r.Customer == customer {
		return nil
	}
	r.Person, r.Customer = person, customer
	r.Confirmed, r.ConfirmedBy, r.ConfirmedAt = "", "", 0
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	if err := s.findings.Close(tx, findings.AccessNotConfirmed+":"+r.ID, "somebody said whose it is"); err != nil {
		return err
	}
	if _, err := s.ledger.Append(tx, ledger.Entry{Customer: customer, Server: r.Server, Subject: r.ID, Kind: "access.way_explained", Data: map[string]any{"kind": r.Kind, "person": person}}); err != nil {
		return err
	}
	return s.settleHost(tx, r.Server, false)
}

// ConfirmFound is the customer's word that they let somebody in, with a name, or
// that they did not: then it becomes a finding at once. Permission: access.confirm.
//
// Errors: invalid with fields, not found, conflict where it is gone.
func (s *Service) ConfirmFound(ctx context.Context, scope policy.Scope, found string, yes bool, name string) (out Found, err error) {
	if err := may(ctx, policy.AccessConfirm); err != nil {
		return Found{}, err
	}
	var c inputs
	if yes {
		name = c.line("/name", name, maxName, "")
	}
	if err := c.err(); err != nil {
		return Found{}, err
	}
	if err := s.ready(ctx, scope.Customers()...); err != nil {
		return Found{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[foundRow](tx, scope, "way in", found)
		if err != nil {
			return err
		}
		if r.GoneAt > 0 {
			return conflict("Look at what is on your servers now.", "This way in is not there any more")
		}
		if err := s.confirm(tx, scope, &r, yes, name); err != nil {
			return err
		}
		list, err := s.foundValues(tx, scope, []foundRow{r})
		if err == nil {
			out = list[0]
		}
		return err
	})
	return out, wrap("confirm found", err)
}

func (s *Service) confirm(tx *db.Tx, scope policy.Scope, r *foundRow, yes bool, name string) error {
	r.Confirmed, r.ConfirmedBy, r.ConfirmedAt = saidNo, actorOf(tx.Context()).ID, tx.NowMillis()
	if yes {
		r.Confirmed = saidYes
	}
	if yes && name != "" && r.Person == "" {
		p, err := s.addPerson(tx, scope, NewPerson{Kind: KindCustomer, Customer: r.Customer, Name: name})
		if err != nil {
			return err
		}
		r.Person = p.ID
	}
	if !yes {
		r.Person = ""
	}
	if err := db.Save(tx, r); err != nil {
		return err
	}
	if _, err := s.ledger.Append(tx, ledger.Entry{Customer: r.Customer, Server: r.Server, Subject: r.ID, Kind: "access.way_confirmed", Data: map[string]any{"kind": r.Kind, "ours": yes}}); err != nil {
		return err
	}
	key := findings.AccessNotConfirmed + ":" + r.ID
	if yes {
		if err := s.findings.Close(tx, key, "the customer let them in"); err != nil {
			return err
		}
		return s.hostLater(tx, r.Server, r.Customer)
	}
	d, err := s.openFound(*r)
	if err != nil {
		return err
	}
	if err := s.findings.Raise(tx, findings.Finding{Key: key, Kind: findings.AccessNotConfirmed, Customer: r.Customer, Server: r.Server, Subject: r.ID, Severity: findings.Bad, Owner: findings.Ops,
		Args: map[string]string{"what": lowered(whatFound(*r, d)), "where": "The customer"}, Link: linkFound(r.Server)}); err != nil {
		return err
	}
	return s.hostLater(tx, r.Server, r.Customer)
}

// AcceptBaseline accepts everything that no list explains on a server (or, with
// server "", what roles of others enforce in the cluster) as it was found, with
// an owner and a review date. Permission: access.admin.
//
// Errors: invalid with fields, not found, conflict before the first look.
func (s *Service) AcceptBaseline(ctx context.Context, scope policy.Scope, server, owner string, review time.Time, reason string) (n int, err error) {
	if err := s.mayAdmin(ctx, scope); err != nil {
		return 0, err
	}
	if err := s.customersReady(ctx); err != nil {
		return 0, wrap("accept baseline", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n = 0
		var c inputs
		reason := c.line("/reason", reason, maxReason, "Say why it stays.")
		if err := s.checkAnswerable(tx, &c, owner, "/review", review); err != nil {
			return err
		}
		if server == "" {
			n, err = s.acceptCluster(tx, owner, review, reason)
			return err
		}
		v, err := s.customers.ServerIn(tx, scope, server)
		if err != nil {
			return err
		}
		n, err = s.acceptHost(tx, v.ID, owner, review, reason)
		return err
	})
	return n, wrap("accept baseline", err)
}

func (s *Service) acceptHost(tx *db.Tx, server, owner string, review time.Time, reason string) (n int, err error) {
	h, err := hostOf(tx, server)
	if err != nil {
		return 0, err
	}
	if h.ScannedAt == 0 {
		return 0, conflict("Wait for the first look at it, or have it looked at now.", "This server was not looked at yet")
	}
	rows, err := foundOn(tx, server)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		due := r.Baseline == 1 && r.ReviewBy <= tx.NowMillis()
		if r.Kind == string(FoundLogin) || r.Customer != "" || r.Baseline == 1 && !due {
			continue
		}
		d, err := s.openFound(r)
		if err != nil {
			return 0, err
		}
		d.Reason = reason
		if err := s.sealFound(&r, d); err != nil {
			return 0, err
		}
		r.Baseline, r.Owner, r.ReviewBy = 1, owner, controlplane.Millis(review)
		if err := db.Save(tx, &r); err != nil {
			return 0, err
		}
		n++
	}
	if n == 0 {
		return 0, nil
	}
	if err := s.findings.Close(tx, baselineKey(server), "it was reviewed"); err != nil {
		return 0, err
	}
	if _, err := s.ledger.Append(tx, ledger.Entry{Server: server, Subject: server, Kind: "access.baseline_accepted", Data: map[string]any{"count": int64(n), "owner": owner, "review_by": controlplane.Instant(review)},
		Personal: map[string]string{"reason": reason}}); err != nil {
		return 0, err
	}
	return n, s.settleHost(tx, server, false)
}
