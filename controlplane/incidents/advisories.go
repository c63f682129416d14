package incidents

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// advisory is one with the grounds for each customer.
type advisory struct {
	AdvisoryNote
	grounds map[string][]ground
}

// advisoryID is the advisory that a kit is of; "" is a case.
func (k *kit) advisoryID() string {
	if k.advisory == nil {
		return ""
	}
	return k.advisory.ID
}

// What an advisory may hold, in characters.
const (
	maxSubject = 200
	maxPackage = 200
)

// check makes an advisory one that can be kept.
func (in NewAdvisory) check() (NewAdvisory, error) {
	var err error
	if in.Purpose != Advisory && in.Purpose != Change {
		return in, invalid("/purpose", "Say whether it is an advisory or a change of a service.")
	}
	if in.Title, err = textField("/title", controlplane.Line(in.Title, maxSubject+1), maxSubject, true); err != nil {
		return in, err
	}
	if in.Text, err = textField("/text", plainText(in.Text), maxWords, true); err != nil {
		return in, err
	}
	if in.Ground, err = textField("/ground", plainText(in.Ground), maxField, len(in.Customers) > 0); err != nil {
		return in, err
	}
	in.Software, in.Below = strings.TrimSpace(in.Software), strings.TrimSpace(in.Below)
	switch {
	case len(in.Software) > maxPackage || len(in.Below) > maxPackage || strings.ContainsAny(in.Software+in.Below, " \t\r\n"):
		return in, invalid("/software", "The name of a package and a version have no blanks in them.")
	case in.Below != "" && in.Software == "":
		return in, invalid("/software", "Say of which package the version is.")
	case in.Software == "" && len(in.Customers) == 0:
		return in, invalid("/software", "Say which software it is about, or which customers.")
	}
	return in, nil
}

// PlanAdvisory finds whom software or a change concerns, and drafts what they are
// told. Permission: incident.write. Errors: unavailable where no inventory can be asked.
func (s *Service) PlanAdvisory(ctx context.Context, scope policy.Scope, in NewAdvisory) (a AdvisoryNote, err error) {
	if !scope.All() {
		return a, notStaff()
	}
	if in, err = in.check(); err != nil {
		return a, err
	}
	a = AdvisoryNote{ID: controlplane.NewID(controlplane.PrefixAdvisory), NewAdvisory: in, By: actorOf(ctx).ID}
	var runs []Runs
	if in.Software != "" {
		if s.deps.Inventory == nil {
			return a, controlplane.Errorf(controlplane.CodeUnavailable, "Name the customers yourself.", "No inventory of software is kept here")
		}
		if runs, a.Silent, err = s.deps.Inventory.Runs(ctx, scope, in.Software, in.Below); err != nil {
			return a, wrap("plan advisory", err)
		}
	}
	langs, err := s.languages(ctx)
	if err != nil {
		return a, wrap("plan advisory", err)
	}
	var k *kit
	var whom []string
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		k, err = s.houseKit(tx)
		if err != nil {
			return err
		}
		if in.Customers, err = s.named(tx, in.Customers); err != nil {
			return err
		}
		a.Customers, a.MadeAt = in.Customers, tx.Now
		a.For, err = k.concerned(runs, a, tx.Now)
		return err
	})
	if err != nil {
		return a, wrap("plan advisory", err)
	}
	for _, r := range a.For {
		if !slices.Contains(whom, r.Customer) {
			whom = append(whom, r.Customer)
		}
	}
	if err := s.keepAdvisory(ctx, k, a, whom, langs); err != nil {
		return a, wrap("plan advisory", err)
	}
	return s.AdvisoryOf(ctx, scope, a.ID)
}

// houseKit is a kit without a case.
func (s *Service) houseKit(tx *db.Tx) (*kit, error) {
	k := &kit{affected: map[string]Affected{}, zones: nil, zone: s.opts.Zone}
	companies, err := s.companiesIn(tx)
	if err != nil {
		return nil, err
	}
	if len(companies) > 0 {
		k.company = companies[len(companies)-1].Company
		if k.company.Zone != "" {
			k.zone = zoneNamed(k.company.Zone)
		}
	}
	k.names, err = s.namesOf(tx)
	return k, err
}

// named are customers by id or slug, each once.
func (s *Service) named(tx *db.Tx, refs []string) (ids []string, err error) {
	for _, ref := range refs {
		c, err := s.customers.CustomerIn(tx, everyone(), ref)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return nil, invalid("/customers", "There is no such customer.")
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, c.ID)
	}
	return distinct(ids), nil
}

// concerned are whom it concerns, and why: who lives on a server that runs it, and
// who was named.
func (k *kit) concerned(runs []Runs, a AdvisoryNote, now time.Time) (out []Runs, err error) {
	w, err := wordsFor("gdpr", "en")
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		whom := []string{r.Customer}
		if r.Customer == "" {
			whom = k.names.home[r.Server]
		}
		for _, c := range whom {
			r.Customer = c
			if r.Ground == "" {
				f := facts{zone: k.zone, grounds: []ground{{server: k.names.servers[r.Server], software: r.Package, version: r.Version, seen: r.SeenAt}}}
				r.Ground = w.grounds(f)
			}
			if !slices.ContainsFunc(out, func(x Runs) bool {
				return x.Customer == r.Customer && x.Server == r.Server && x.Package == r.Package && x.Version == r.Version
			}) {
				out = append(out, r)
			}
		}
	}
	for _, c := range a.Customers {
		out = append(out, Runs{Customer: c, SeenAt: now, Ground: a.Ground})
	}
	slices.SortStableFunc(out, func(x, y Runs) int {
		return cmp.Or(strings.Compare(k.names.clients[x.Customer], k.names.clients[y.Customer]), strings.Compare(k.names.servers[x.Server], k.names.servers[y.Server]))
	})
	return out, nil
}

// keepAdvisory stores it with its drafts. Where it ends between two of them, Watch
// goes on.
func (s *Service) keepAdvisory(ctx context.Context, k *kit, a AdvisoryNote, whom []string, langs map[string]string) error {
	left, err := s.readyEach(ctx, whom...)
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.insertAdvisory(tx, a, left); err != nil {
			return err
		}
		return s.enter(tx, a.ID, "incident.advisory", map[string]any{"purpose": string(a.Purpose), "software": a.Software, "below": a.Below, "customers": len(whom), "silent": len(a.Silent)},
			map[string]string{"title": a.Title})
	})
	if err != nil {
		return err
	}
	k.advisory = a.withGrounds(k.names)
	_, err = s.draftAdvised(ctx, k, langs)
	return err
}

// withGrounds puts together why each customer is told. A server of theirs that has
// told nothing is named, too.
func (a AdvisoryNote) withGrounds(n *names) *advisory {
	out := &advisory{AdvisoryNote: a, grounds: map[string][]ground{}}
	for _, r := range a.For {
		g := ground{server: n.servers[r.Server], software: r.Package, version: r.Version, seen: r.SeenAt}
		if r.Package == "" {
			g = ground{said: cmp.Or(r.Ground, a.Ground)}
		}
		out.grounds[r.Customer] = append(out.grounds[r.Customer], g)
	}
	for _, v := range a.Silent {
		for _, c := range n.home[v] {
			if len(out.grounds[c]) > 0 {
				out.grounds[c] = append(out.grounds[c], ground{server: n.servers[v]})
			}
		}
	}
	return out
}

// advised are the facts of a notice of an advisory.
func (k *kit) advised(f facts, n Notice) facts {
	f.number, f.certain = "", false
	f.subject, f.text, f.grounds = k.advisory.Title, k.advisory.Text, k.advisory.grounds[n.Customer]
	return f
}

// kitOfAdvisory reads what the notices of an advisory are made of.
func (s *Service) kitOfAdvisory(tx *db.Tx, id string) (*kit, error) {
	a, err := s.advisoryIn(tx, id)
	if err != nil {
		return nil, err
	}
	k, err := s.houseKit(tx)
	if err != nil {
		return nil, err
	}
	k.advisory = a.withGrounds(k.names)
	return k, nil
}

// Advisories lists them, newest first, without whom they concern. Permission:
// incident.read, of staff.
func (s *Service) Advisories(ctx context.Context, scope policy.Scope) (out []AdvisoryNote, err error) {
	if !scope.All() {
		return nil, controlplane.NotFound("page")
	}
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error { out, err = s.advisoriesIn(tx); return err })
	return out, wrap("advisories", err)
}

// AdvisoryOf returns one whole. Permission: incident.read, of staff.
func (s *Service) AdvisoryOf(ctx context.Context, scope policy.Scope, id string) (a AdvisoryNote, err error) {
	if !scope.All() {
		return a, controlplane.NotFound("advisory")
	}
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error { a, err = s.advisoryIn(tx, id); return err })
	return a, wrap("advisory", err)
}
