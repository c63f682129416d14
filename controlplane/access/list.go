package access

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

// At selects a list's two times; zero is now.
type At struct{ At, KnownAt time.Time }

// List returns a customer's list as it was at one instant, as known at another.
// Permission: access.read. Errors: not found; invalid for an instant in the
// future of what is known.
func (s *Service) List(ctx context.Context, scope policy.Scope, customer string, at At) (out List, err error) {
	var by []string
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, customer)
		if err != nil {
			return err
		}
		if out, err = at.list(tx); err != nil {
			return err
		}
		out.Customer = c.ID
		by, err = s.fillList(tx, scope, &out)
		return err
	})
	if err != nil {
		return List{}, wrap("list", err)
	}
	return out, s.nameGranters(ctx, &out, by)
}

// list is the empty list of two instants, with now for those that are not given.
func (a At) list(tx *db.Tx) (List, error) {
	l := List{At: a.At, KnownAt: a.KnownAt}
	if l.KnownAt.IsZero() {
		l.KnownAt = tx.Now
	}
	if l.At.IsZero() {
		l.At = l.KnownAt
	}
	var c inputs
	if l.KnownAt.After(tx.Now) {
		c.add("/known_at", "This is in the future. Choose an instant until now.")
	}
	if l.At.After(l.KnownAt) {
		c.add("/at", "This is later than what was known then. Choose an earlier instant.")
	}
	return l, c.err()
}

// fillList reads the lines of a list. It returns who
// granted what, whose ids stand where their names are to be.
func (s *Service) fillList(tx *db.Tx, scope policy.Scope, l *List) ([]string, error) {
	rows, err := spansAt(tx, l.Customer, l.At.UnixMilli(), l.KnownAt.UnixMilli())
	if err != nil {
		return nil, err
	}
	b := listing{s: s, tx: tx, scope: scope, list: l, lines: map[lineKey]*entered{}}
	for _, r := range rows {
		b.add(r)
	}
	b.fold()
	for _, step := range []func() error{b.persons, b.places, b.attested, b.grounds, b.notified, b.used} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.finish()
}

// entered is a line while it is put together.
type entered struct {
	line  Line
	key   lineKey
	spans []spanRow
	by    string // who granted it
}

type listing struct {
	s     *Service
	tx    *db.Tx
	scope policy.Scope
	list  *List
	lines map[lineKey]*entered
}

// add puts a span into its column of its line.
func (b *listing) add(r spanRow) {
	k := r.line()
	k.column = ""
	e := b.lines[k]
	if e == nil {
		e = &entered{key: k, line: Line{Way: k.way, Role: k.role, Server: k.server}}
		b.lines[k] = e
	}
	e.spans = append(e.spans, r)
	into := e.line.column(Column(r.Col))
	*into = (*into).with(r)
	if Column(r.Col) == Listed && r.shared() {
		e.line.Shared = true
	}
}

// column is one of the three readings of a line.
func (l *Line) column(c Column) **Interval {
	switch c {
	case Listed:
		return &l.Listed
	case Enforced:
		return &l.Enforced
	}
	return &l.Could
}

// shared reports whether a grant of another customer is the ground.
func (r spanRow) shared() bool {
	return r.Source == sourceGrant && r.ServerID != "" && r.Ground == r.ServerID
}

// with is the interval that a further ground makes longer.
func (i *Interval) with(r spanRow) *Interval {
	at := Interval{Span: r.ID, From: millis(r.FromAt), Until: millis(r.UntilAt), KnownFrom: millis(r.KnownFrom)}
	if i == nil {
		return &at
	}
	if at.From.Before(i.From) {
		i.Span, i.From = at.Span, at.From
	}
	if i.Until.IsZero() || at.Until.IsZero() {
		i.Until = time.Time{}
	} else if at.Until.After(i.Until) {
		i.Until = at.Until
	}
	if at.KnownFrom.Before(i.KnownFrom) {
		i.KnownFrom = at.KnownFrom
	}
	return i
}

// fold puts what was found on one server, or comes by a shared one, into the line
// of all servers where that is listed: it says no more than the line does.
func (b *listing) fold() {
	for k, e := range b.lines {
		if k.server == "" || k.person == "" {
			continue
		}
		whole := k
		whole.server = ""
		w := b.lines[whole]
		if w == nil || w.line.Listed == nil || e.line.Listed != nil && !e.line.Shared {
			continue
		}
		for _, r := range e.spans {
			if Column(r.Col) != Listed {
				into := w.line.column(Column(r.Col))
				*into = (*into).with(r)
			}
		}
		w.spans = append(w.spans, e.spans...)
		delete(b.lines, k)
	}
	for _, e := range b.lines {
		if e.line.Could == nil && e.line.Enforced != nil {
			could := *e.line.Enforced
			e.line.Could = &could
		}
	}
}

// persons fills in who stands there, and what they have signed and learnt.
func (b *listing) persons() error {
	var ids []string
	for k := range b.lines {
		if k.person != "" {
			ids = append(ids, k.person)
		}
	}
	ids = unique(ids)
	rows, err := personRows(b.tx, ids)
	if err != nil {
		return err
	}
	papers, err := papersOf(b.tx, ids)
	if err != nil {
		return err
	}
	terms, err := b.s.termsIn(b.tx, b.list.Customer)
	if err != nil {
		return err
	}
	people := make(map[string]Person, len(rows))
	for _, r := range rows {
		p, err := b.s.person(r)
		if err != nil {
			return err
		}
		people[r.ID] = p.shown(b.scope)
	}
	names, err := b.s.callingsOf(b.tx, ids)
	if err != nil {
		return err
	}
	for k, e := range b.lines {
		if k.person == "" {
			if err := b.unknown(e); err != nil {
				return err
			}
			continue
		}
		if _, others := names.of(b.scope, k.person, k.server); others != "" {
			e.line.Unknown, e.line.Others = others, true
			continue
		}
		e.line.Person = people[k.person]
		b.papers(&e.line, papers[k.person], terms)
	}
	return nil
}

// unknown fills in what was found of somebody of whom nobody knows who it is. Our
// own people read what other tenants of the server do not.
func (b *listing) unknown(e *entered) (err error) {
	r := e.spans[0]
	if e.line.Unknown, err = b.s.open(b.list.Customer, "access_spans", "unknown", r.ID, r.Unknown); err != nil || !isOthers(e.line.Unknown) {
		return err
	}
	if e.line.Others = true; !b.scope.All() {
		return nil
	}
	found, d, err := b.s.foundByID(b.tx, r.Ground)
	if err == nil && found.ID != "" {
		e.line.Unknown, e.line.Role = unknownFound(found, d), roleFound(found, d)
	}
	return err
}

// papers fills in what held at the list's instant, as it was known.
func (b *listing) papers(line *Line, papers []paperRow, terms Terms) {
	at, known := b.list.At.UnixMilli(), b.list.KnownAt.UnixMilli()
	now := known == b.tx.NowMillis()
	for _, p := range papers {
		if p.RecordedAt > known || p.ReplacedAt != 0 && p.ReplacedAt <= known || !p.holds(at) {
			continue
		}
		switch {
		case PaperKind(p.Kind) == PaperTraining:
			line.Trained = millis(p.UntilAt)
		case PaperKind(p.Kind) == PaperBrief && p.CustomerID == b.list.Customer && (!now || p.Version == terms.BriefVersion):
			line.Briefed = true
		}
	}
}

// places fills in the names of servers.
func (b *listing) places() error {
	var ids []string
	for k := range b.lines {
		if k.server != "" {
			ids = append(ids, k.server)
		}
	}
	names, err := b.s.serverNames(b.tx, unique(ids))
	for k, e := range b.lines {
		e.line.Place = names[k.server]
	}
	return err
}

// attested fills in what was confirmed at the list's instant.
func (b *listing) attested() error {
	servers, err := b.s.serversOf(b.tx, []string{b.list.Customer}, b.list.At)
	if err != nil {
		return err
	}
	living := servers[b.list.Customer]
	all := slices.Clone(living)
	for k := range b.lines {
		if k.server != "" {
			all = append(all, k.server)
		}
	}
	all = unique(all)
	good, err := b.s.attestations(b.tx, b.list.At, b.list.KnownAt, append([]string{sourceTeleport}, all...))
	if err != nil {
		return err
	}
	names, err := b.s.serverNames(b.tx, all)
	if err != nil {
		return err
	}
	names[sourceTeleport] = "Teleport"
	for _, source := range append([]string{sourceTeleport}, all...) {
		a := good[source]
		a.Name = names[source]
		b.list.Attested = append(b.list.Attested, a)
	}
	for k, e := range b.lines {
		e.line.Attested = attestedLine(k, good, living)
	}
	return nil
}

// attestedLine reports whether whoever can say what is enforced of a line said it.
func attestedLine(k lineKey, good map[string]Attestation, living []string) bool {
	switch k.way {
	case WayRestore:
		return true // our own doing
	case WayAdmin:
		return k.role == RoleOstler || good[sourceTeleport].Good
	case WayTeleport:
		return good[sourceTeleport].Good
	case WayPhysical, WayVisit, WayBackupKey:
		return false // nobody can measure it
	}
	if k.server != "" {
		return good[k.server].Good
	}
	for _, server := range living {
		if !good[server].Good {
			return false
		}
	}
	return len(living) > 0
}

// agrees reports whether the columns of a line say one thing, as far as they are
// measured and were confirmed.
func (l Line) agrees() bool {
	switch {
	case !l.Attested:
		return true
	case l.Way == WayAdmin && l.Role != RoleOstler && l.Enforced == nil && l.Could == nil,
		l.Way == WayService && l.Enforced == nil && l.Could == nil,
		l.Way == WayCustomer && l.Enforced == nil && l.Could == nil:
		return true // kept by hand
	}
	return (l.Listed != nil) == (l.Enforced != nil) && (l.Could == nil || l.Listed != nil)
}

// finish puts the lines into their order and counts.
func (b *listing) finish() (by []string, err error) {
	var persons, own counted
	for _, e := range b.lines {
		l := e.line
		if l.Way == WayCustomer || l.Person.Kind == KindCustomer {
			own.add(e.key)
		} else {
			persons.add(e.key)
		}
		if !l.agrees() {
			b.list.Differences++
		}
		if l.By = e.by; l.By != "" {
			by = append(by, l.By)
		}
		b.list.Lines = append(b.list.Lines, l)
	}
	b.list.Persons, b.list.CustomersOwn = len(persons.persons), len(own.persons)
	b.list.Unnamed, b.list.OwnUnnamed = len(persons.unnamed), len(own.unnamed)
	order := map[Way]int{}
	for i, w := range Ways() {
		order[w] = i
	}
	slices.SortFunc(b.list.Lines, func(x, y Line) int {
		return cmp.Or(cmp.Compare(order[x.Way], order[y.Way]), strings.Compare(strings.ToLower(x.Person.Name), strings.ToLower(y.Person.Name)),
			strings.Compare(x.Person.ID, y.Person.ID), strings.Compare(x.Unknown, y.Unknown), strings.Compare(x.Role, y.Role), strings.Compare(x.Place, y.Place), strings.Compare(x.Server, y.Server))
	})
	changed, err := lastChange(b.tx, b.list.Customer, b.list.KnownAt.UnixMilli())
	b.list.ChangedAt = controlplane.FromMillis(changed)
	return by, err
}

// nameGranters puts names where the ids of those who granted stand.
func (s *Service) nameGranters(ctx context.Context, l *List, by []string) error {
	if len(by) == 0 {
		return nil
	}
	names, err := s.identity.Names(ctx, unique(by))
	for i := range l.Lines {
		l.Lines[i].By = names[l.Lines[i].By]
	}
	return wrap("names", err)
}
