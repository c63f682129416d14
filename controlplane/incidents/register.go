package incidents

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// Register is the register of breaches (Article 33(5) GDPR), newest first: of a
// year, 0 is all. It has every case that somebody was certain of, also those that
// nobody was told of, and those that customers were told of; no drills, and no
// suspicion that was a false alarm before anybody was certain or told. Cases stay
// for the years that Options.Keep says, from their end. Permission:
// incident.read, of staff.
func (s *Service) Register(ctx context.Context, scope policy.Scope, year int) (out []RegisterEntry, err error) {
	if !scope.All() {
		return nil, controlplane.NotFound("register")
	}
	var list []Case
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		list = nil
		rows, err := registered(tx, year, tx.Now.AddDate(-s.opts.Keep, 0, 0).UnixMilli())
		for _, r := range rows {
			c, cerr := s.caseIn(tx, scope, r.ID)
			if err = cerr; err != nil {
				break
			}
			list = append(list, c)
		}
		return err
	})
	if err != nil {
		return nil, wrap("register", err)
	}
	for _, c := range list {
		p, err := s.folderOf(ctx, scope, c)
		if err != nil {
			return nil, wrap("register", err)
		}
		if p.concerns() {
			out = append(out, s.registerEntry(p))
		}
	}
	return out, nil
}

// folder is a case with its notices: what papers are made of.
type folder struct {
	c       Case
	zone    *time.Location
	notices []Notice // those that went out or were handed in, the oldest first
	clocks  []Clock
	company Company
	names   map[string]string // of our own people, by id
}

// folderOf reads what papers about a case are made of.
func (s *Service) folderOf(ctx context.Context, scope policy.Scope, c Case) (f folder, err error) {
	f = folder{c: c, zone: zoneNamed(c.Zone)}
	if f.notices, _, err = s.noticesOf(ctx, scope, c.ID, false); err != nil {
		return f, err
	}
	if f.clocks, err = s.Clocks(ctx, scope, c.ID); err != nil {
		return f, err
	}
	if f.company, err = s.CompanyProfile(ctx, scope); err != nil {
		return f, err
	}
	ids := peopleOf(c)
	for _, n := range f.notices {
		for _, x := range n.Fields {
			if controlplane.ValidID(controlplane.PrefixStaff, x.Owner) {
				ids = append(ids, x.Owner)
			}
		}
	}
	f.names, err = s.identity.Names(ctx, distinct(ids))
	return f, err
}

// peopleOf are all of ours who did something in a case.
func peopleOf(c Case) []string {
	ids := []string{c.OpenedBy, c.Lead}
	for _, a := range c.Awareness {
		ids = append(ids, a.By, a.ConfirmedBy)
	}
	for _, a := range c.Actions {
		ids = append(ids, a.By)
	}
	for _, d := range c.Decisions {
		ids = append(ids, d.By)
	}
	for _, t := range c.Tasks {
		ids = append(ids, t.Owner, t.DoneBy)
	}
	for _, x := range c.Facts {
		ids = append(ids, x.Owner)
	}
	return slices.DeleteFunc(distinct(ids), func(id string) bool { return !controlplane.ValidID(controlplane.PrefixStaff, id) })
}

// who is a person of ours by name.
func (f folder) who(id string) string {
	switch name := f.names[id]; {
	case name != "":
		return name
	case controlplane.ValidID(controlplane.PrefixStaff, id):
		return "somebody who is not here any more"
	}
	return "Ostler"
}

// at is an instant as people of the case's zone read it, or that it is not known.
func (f folder) at(t time.Time) string {
	if t.IsZero() {
		return notKnown
	}
	return shown(t, f.zone)
}

const notKnown = "Not known yet."

// concerns reports whether a case belongs into the register.
func (f folder) concerns() bool {
	certain := slices.ContainsFunc(f.c.Awareness, func(a law.Assertion) bool { return a.Certainty == law.Certain && a.Customer != law.TheIncident })
	return certain || len(f.told()) > 0
}

// told are those of them that tell of a breach: that data is kept longer goes out
// from the first suspicion on, and tells of none.
func (f folder) told() []Notice {
	return slices.DeleteFunc(f.sent(), func(n Notice) bool { return n.Purpose == Freezing })
}

// sent are the notices that somebody was sent, or that were handed in.
func (f folder) sent() (out []Notice) {
	for _, n := range f.notices {
		if n.State != Discarded && n.State != Drilled && (!n.SentAt.IsZero() || !n.ToldAt.IsZero()) {
			out = append(out, n)
		}
	}
	return out
}

// field is what is known of a fact by the latest notice that says something of
// it: the authority's first, then our customers'.
func (f folder) field(key string) (x Field, ok bool) {
	for _, audience := range []Audience{ToAuthority, ToCSIRT, ToPeople, ToCustomer} {
		for _, n := range slices.Backward(f.notices) {
			if n.Audience != audience || n.State == Discarded {
				continue
			}
			for _, y := range n.Fields {
				if y.Key == key && y.Known != Empty {
					return y, true
				}
			}
		}
	}
	return Field{Key: key}, false
}

// fact is a field in words; "" where it is not known.
func (f folder) fact(key string) string {
	x, _ := f.field(key)
	switch x.Known {
	case IsKnown:
		return x.Value
	case IsRange:
		return strconv.FormatInt(x.Low, 10) + " to " + strconv.FormatInt(x.High, 10)
	}
	return ""
}

// toldAuthority reports whether an authority has it.
func (f folder) toldAuthority() bool {
	return slices.ContainsFunc(f.sent(), func(n Notice) bool { return n.Audience == ToAuthority })
}

func (s *Service) registerEntry(f folder) RegisterEntry {
	e := RegisterEntry{Case: f.c, Facts: f.facts(), Effects: f.effects(), Remedies: f.remedies(), Cause: or(f.fact("nature"), "Not recorded yet."), NotTold: f.notTold(), Delay: f.delay()}
	for _, n := range f.told() {
		e.Recipients = append(e.Recipients, Told{Notice: n.ID, To: f.whom(n), Audience: n.Audience, Phase: n.Phase, SentAt: n.SentAt, ToldAt: n.ToldAt})
	}
	end := f.c.ClosedAt
	if end.IsZero() {
		return e // it is kept from its end on
	}
	e.KeptUntil = end.AddDate(s.opts.Keep, 0, 0)
	return e
}

// aware is the earliest word that counts that somebody was certain, of the case
// or of any customer.
func (f folder) aware() (first law.Assertion, ok bool) {
	var last time.Time
	of := map[string][]law.Assertion{}
	for _, a := range f.c.Awareness {
		if a.Customer == law.TheIncident {
			continue // whatever data it touched
		}
		of[a.Customer] = append(of[a.Customer], a)
		last = later(last, later(a.RecordedAt, a.ConfirmedAt))
	}
	for _, list := range of {
		if a, found := law.Effective(list, law.Certain, last); found && (!ok || a.At.Before(first.At)) {
			first, ok = a, true
		}
	}
	return first, ok
}

// whom is to whom a notice went.
func (f folder) whom(n Notice) string {
	switch n.Audience {
	case ToAuthority:
		if len(f.company.Authorities) > 0 {
			return f.company.Authorities[0]
		}
		return "the authority"
	case ToCSIRT:
		return or(f.company.CSIRT, "the CSIRT")
	case ToPeople:
		return "the people concerned"
	}
	return nameOf(f.c, n.Customer)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// facts are what happened, to whom, and when it was known.
func (f folder) facts() string {
	parts := []string{sentence(f.c.Title), sentence(f.c.Summary)}
	if len(f.c.Kinds) > 0 {
		parts = append(parts, "What happened to data: "+strings.ReplaceAll(joined(f.c.Kinds), ",", ", ")+".")
	}
	parts = append(parts, "Began: "+sentence(f.at(f.c.OccurredFrom)), "Noticed: "+sentence(f.at(f.c.DetectedAt)))
	if a, ok := f.aware(); ok {
		parts = append(parts, "Aware: "+sentence(f.at(a.At)))
	}
	affected, possible := 0, 0
	for _, a := range f.c.Affected {
		affected += int(flag(a.State == Certain))
		possible += int(flag(a.State == Possible))
	}
	text := count(affected, "customer") + " affected"
	if possible > 0 {
		text += ", " + count(possible, "more customer") + " possibly"
	}
	parts = append(parts, text+".")
	if f.c.OurData == law.Yes {
		parts = append(parts, "Data of our own staff or billing is touched: we are controller too.")
	}
	for _, x := range f.c.Facts {
		if x.Known == IsKnown {
			parts = append(parts, caseFactNames[x.Key]+": "+sentence(x.Value))
		}
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

// effects are what it did, and may do, to people.
func (f folder) effects() string {
	var parts []string
	for _, x := range []struct{ key, word string }{{"categories", "People"}, {"people", "How many"}, {"record_categories", "Records"}, {"records", "How many records"}, {"consequences", "Consequences"}} {
		parts = append(parts, x.word+": "+sentence(or(f.fact(x.key), "not known yet")))
	}
	if d, ok := stands(f.c.Decisions); ok {
		parts = append(parts, "Risk: "+string(d.Risk)+" (likelihood "+string(d.Likelihood)+", severity "+string(d.Severity)+").")
	} else {
		parts = append(parts, "Nobody has assessed the risk yet.")
	}
	return strings.Join(parts, " ")
}

// remedies are what was done about it.
func (f folder) remedies() string {
	parts := []string{sentence(f.fact("measures"))}
	for _, a := range f.c.Actions {
		parts = append(parts, actionWords(a))
	}
	if f.c.ContainedAt.IsZero() {
		parts = append(parts, "Not contained yet: the data is exposed still, as far as is known.")
	} else {
		parts = append(parts, "Contained "+sentence(f.at(f.c.ContainedAt)))
	}
	if f.c.State == Merged {
		parts = append(parts, "It goes on in another case.")
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

// notTold is why the authority was not notified; "" where it was.
func (f folder) notTold() string {
	if f.toldAuthority() {
		return ""
	}
	d, ok := stands(f.c.Decisions)
	switch {
	case ok && !d.Authority:
		return d.Reasons
	case ok:
		return "It is to be told, and was not told yet."
	case f.c.OurData == law.Unknown:
		return oursUnsaid + "."
	case f.c.OurData == law.No:
		return "We are processor: each customer decides whether to tell their authority. Nobody has assessed the risk here."
	}
	return "Nobody has decided yet."
}

// delay is why something was told late, in the words of who told it.
func (f folder) delay() string {
	parts := []string{f.fact("delay")}
	for _, n := range f.sent() {
		if n.LateWhy != "" {
			parts = append(parts, f.whom(n)+": "+sentence(n.LateWhy))
		}
	}
	return strings.Join(distinct(slices.DeleteFunc(parts, func(p string) bool { return p == "" })), " ")
}
