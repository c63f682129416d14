package incidents

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// kit is all that the notices of a case, or of an advisory, are made of.
type kit struct {
	c        Case // its ID is "" with an advisory
	company  Company
	affected map[string]Affected // by customer
	terms    map[string]Terms
	zones    map[string]*time.Location // of customers
	names    *names
	heads    []noticeRow // of the case
	advisory *advisory
	known    time.Time // of the company itself
	from     int64     // Unix milliseconds: what was told before stops no clock
	zone     *time.Location
	own      []Clock // of the company itself
}

// kitIn reads what the notices of a case are made of. Only staff, and the plane.
func (s *Service) kitIn(tx *db.Tx, incident string) (*kit, error) {
	d, err := s.dossierIn(tx, everyone(), incident)
	if err != nil {
		return nil, err
	}
	k := &kit{company: d.company(), affected: map[string]Affected{}, terms: map[string]Terms{}, zones: map[string]*time.Location{}, zone: d.zone}
	if k.c, err = s.caseOf(tx, d); err != nil {
		return nil, err
	}
	for _, a := range k.c.Affected {
		k.affected[a.Customer] = a
	}
	for id, versions := range d.terms {
		if k.terms[id], err = versions[len(versions)-1].terms(); err != nil {
			return nil, err
		}
	}
	for id, c := range d.called {
		k.zones[id] = zoneNamed(cmp.Or(k.terms[id].Zone, c.Zone, d.row.Zone))
	}
	_, k.known = d.awareOf("")
	k.from = d.clockFrom()
	k.own = d.ownClocks()
	if k.heads, err = noticeHeads(tx, k.c.ID); err != nil {
		return nil, err
	}
	k.names, err = s.namesOf(tx)
	return k, err
}

// contact is whom to ask, as it stands in every notice.
func (k *kit) contact() string {
	var parts []string
	for _, p := range []string{k.company.Contact, k.company.ContactEmail, k.company.ContactPhone} {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "\n")
}

// regimeOf is the law that a customer is told under.
func (k *kit) regimeOf(customer string) string {
	if cmp.Or(k.terms[customer].Jurisdiction, k.company.Jurisdiction) == "UK" {
		return "uk-gdpr"
	}
	return "gdpr"
}

// facts are what a notice is made of: of the case, and of its recipient alone.
func (k *kit) facts(n Notice, now time.Time) facts {
	f := facts{number: k.c.Number, company: cmp.Or(k.company.Name, "Your hosting company"), contact: k.contact(), kinds: k.c.Kinds, detected: k.c.DetectedAt, occurred: k.c.OccurredFrom,
		contained: k.c.ContainedAt, known: k.known, certain: true, zone: k.zone, now: now}
	if k.advisory != nil {
		return k.advised(f, n)
	}
	if n.Customer == "" {
		for _, id := range k.c.Servers {
			f.servers = append(f.servers, k.names.servers[id])
		}
		for _, a := range k.c.Actions {
			if !a.Failed && !a.Open {
				f.actions = append(f.actions, a.Kind)
			}
		}
		return f
	}
	a := k.affected[n.Customer]
	f.zone = cmp.Or(k.zones[n.Customer], k.zone)
	f.certain, f.role, f.financial = a.State == Certain, a.Role, k.terms[n.Customer].Financial
	if f.certain {
		f.known = a.KnownAt
	} else {
		f.known = time.Time{} // of a suspicion, nothing is known
	}
	for _, id := range a.Servers {
		if name := k.names.servers[id]; name != "" && slices.Contains(k.names.home[id], n.Customer) {
			f.servers = append(f.servers, name)
		}
	}
	for _, x := range k.c.Actions {
		if !x.Failed && !x.Open && concerns(x, a.Servers) {
			f.actions = append(f.actions, x.Kind)
		}
	}
	for _, r := range k.heads {
		if r.CustomerID == n.Customer && r.ID != n.ID && r.SentAt > 0 && r.Audience == string(ToCustomer) && ofBreach(Purpose(r.Purpose)) {
			f.before = controlplane.FromMillis(r.SentAt)
		}
	}
	if n.Purpose == Freezing {
		f.until = k.c.FrozenUntil
	}
	return f
}

// ofBreach reports whether a purpose tells of what happened.
func ofBreach(p Purpose) bool { return p == First || p == Update || p == Final }

// over reports whether a notice of a breach says what does not hold any more: the
// case was a false alarm, or its customer is not in it.
func (k *kit) over(n Notice) bool {
	if !ofBreach(n.Purpose) || n.Audience != ToCustomer || k.c.ID == "" {
		return false
	}
	a, in := k.affected[n.Customer]
	return k.c.State == FalseAlarm || !in || a.State == Cleared
}

// concerns reports whether what was done was done for who lives on servers.
func concerns(a Action, servers []string) bool {
	switch {
	case strings.HasPrefix(a.Target, controlplane.PrefixServer):
		return slices.Contains(servers, a.Target)
	case a.Kind == ActRotate:
		return false // whose certificate it is, nobody says
	}
	return true
}

// phase is the number of the next notice to a recipient.
func (k *kit) phase(customer string, to Audience, regime string) int {
	n := 1
	for _, r := range k.heads {
		if r.CustomerID == customer && r.Audience == string(to) && r.State != string(Discarded) && ofBreach(Purpose(r.Purpose)) && (to == ToCustomer || r.Regime == regime) {
			n++
		}
	}
	return n
}

// told reports whether a notice of what happened went to a customer, since the case
// was opened on what it is about now, and was not withdrawn after.
func (k *kit) told(customer string) bool {
	return slices.ContainsFunc(k.heads, func(r noticeRow) bool {
		return r.CustomerID == customer && r.Audience == string(ToCustomer) && r.SentAt > 0 && r.SentAt >= k.from && ofBreach(Purpose(r.Purpose)) && !k.withdrawn(r)
	})
}

// withdrawn reports whether a notice was followed by word that nothing had happened.
func (k *kit) withdrawn(n noticeRow) bool {
	return slices.ContainsFunc(k.heads, func(r noticeRow) bool {
		return r.CustomerID == n.CustomerID && r.Audience == n.Audience && r.Purpose == string(Withdrawal) && r.SentAt > 0 && r.SentAt >= n.SentAt
	})
}

// open reports whether a customer has an open draft of what happened.
func (k *kit) open(customer string, p Purpose) bool {
	return slices.ContainsFunc(k.heads, func(r noticeRow) bool {
		return r.CustomerID == customer && r.Audience == string(ToCustomer) && (r.State == string(Draft) || r.State == string(Waiting)) && (r.Purpose == string(p) || ofBreach(p) && ofBreach(Purpose(r.Purpose)))
	})
}

// due is until when a notice is due; zero where no clock runs.
func (k *kit) due(n Notice) (at time.Time) {
	clocks := []Clock{k.affected[n.Customer].Clock}
	if n.Audience != ToCustomer {
		clocks = k.own
	}
	for _, c := range clocks {
		if !ofBreach(n.Purpose) || c.Rule == "" || c.Shadow || c.State != Running && c.State != Late || n.Audience != ToCustomer && !strings.HasPrefix(c.Rule, n.rule()) {
			continue
		}
		if !c.Strict.IsZero() && (at.IsZero() || c.Strict.Before(at)) {
			at = c.Strict
		}
	}
	return at
}

// rule is how the rules begin that a paper meets.
func (n Notice) rule() string {
	switch n.Audience {
	case ToAuthority:
		return n.Regime + "-33-1"
	case ToCSIRT:
		return n.Regime + "-23"
	}
	return n.Regime + "-34"
}

// write writes a notice in words, as it would be sent now.
func (k *kit) write(n Notice, d noticeData, now time.Time) (Notice, rendered, error) {
	f := k.facts(n, now)
	switch n.Purpose {
	case Withdrawal:
		f.why = d.Why
	case Freezing:
		f.ground = d.Why
	}
	if x := fieldOf(n.Fields, "measures"); x != nil && ofBreach(n.Purpose) {
		if err := n.measuresNow(x, f); err != nil {
			return n, rendered{}, fmt.Errorf("write notice: %w", err)
		}
	}
	out, err := n.render(f)
	if err != nil {
		return n, out, fmt.Errorf("write notice: %w", err)
	}
	n.Title, n.Text = out.title, out.text
	for i := range n.Fields {
		if n.Fields[i].Key == "contact" {
			n.Fields[i].Known, n.Fields[i].Value = IsKnown, f.contact
			if f.contact == "" {
				n.Fields[i].Known = Empty
			}
		}
	}
	return n, out, nil
}

// measuresNow has a field that nobody wrote say what is done by now.
func (n Notice) measuresNow(x *Field, f facts) error {
	itself := map[string]bool{} // what a case says by itself, in any language
	for _, lang := range noticeLanguages() {
		w, err := wordsFor(n.Regime, lang)
		if err != nil {
			return err
		}
		for _, k := range doneKinds() {
			itself[w.line("act."+string(k), nil)] = true
		}
	}
	for line := range strings.SplitSeq(x.Value, "\n") {
		if x.Known != Empty && (x.Known != IsKnown || !itself[line]) {
			return nil // somebody wrote it
		}
	}
	w, err := wordsFor(n.Regime, n.Lang)
	if err != nil {
		return err
	}
	if x.Known, x.Value = IsKnown, w.measures(f.actions); x.Value == "" {
		x.Known = Empty
	}
	return nil
}

// begin are the fields of a new notice: what the case says by itself, and what the
// notice before said.
func (k *kit) begin(n Notice, before []Field, now time.Time) ([]Field, error) {
	fields := fieldsFor(n.Audience)
	for i := range fields {
		if b := fieldOf(before, fields[i].Key); b != nil && b.Key != "delay" {
			fields[i] = *b
		}
	}
	w, err := wordsFor(n.Regime, n.Lang)
	if err != nil {
		return nil, err
	}
	f := k.facts(n, now)
	for key, value := range map[string]string{"nature": w.nature(f.kinds), "measures": w.measures(f.actions)} {
		if x := fieldOf(fields, key); x != nil && x.Known == Empty && value != "" {
			x.Known, x.Value = IsKnown, value
		}
	}
	if x := fieldOf(fields, "contact"); x != nil && f.contact != "" {
		x.Known, x.Value = IsKnown, f.contact
	}
	return fields, nil
}
