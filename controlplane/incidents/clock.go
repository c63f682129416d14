package incidents

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents/law"
)

// clocks are all duties of a case as they stand at d.known: the company's own
// first, then those to customers and their own. It reads nothing but d.
func (d *dossier) clocks() []Clock {
	if State(d.row.State) == Merged {
		return nil
	}
	out := d.clocksNow()
	return append(out, d.clocksBefore(out)...)
}

// clocksNow are those of what was said since the case was reopened last on new facts.
func (d *dossier) clocksNow() []Clock {
	out := d.ownClocks()
	rows := slices.Clone(d.affected)
	slices.SortStableFunc(rows, func(a, b affectedRow) int {
		return strings.Compare(d.called[a.CustomerID].Name, d.called[b.CustomerID].Name)
	})
	for _, r := range rows {
		if c, ok := d.customerClock(r); ok {
			out = append(out, c)
		}
		out = append(out, d.theirs(r)...)
	}
	return out
}

// runs reports whether a clock is a deadline of ours that nobody may miss.
func (c Clock) runs() bool {
	return (c.State == Running || c.State == Late) && !c.Shadow && !c.Strict.IsZero() && c.Deadline.Rule.Recipient != law.Theirs
}

// shadows reports whether a clock is a deadline of ours as far as nobody has decided
// what it hangs on: were it so, nobody may miss it.
func (c Clock) shadows() bool {
	open := c.State == Running || c.State == Late || c.oursUnsaid()
	return open && c.Shadow && !c.Strict.IsZero() && c.Deadline.Rule.Recipient != law.Theirs
}

// oursUnsaid reports whether a clock hangs on whether our own data are touched, which
// nobody has said.
func (c Clock) oursUnsaid() bool {
	return c.State == Unknown && c.Shadow && c.Deadline.Rule.Trigger == law.ControllerAware
}

// shadowOf is the earliest deadline of what nobody has decided; it may have passed.
func shadowOf(clocks []Clock) (at time.Time) {
	for _, c := range clocks {
		if c.shadows() {
			at = earlier(at, c.Strict)
		}
	}
	return at
}

// nextOf is the earliest deadline that runs, and whether one has passed.
func nextOf(clocks []Clock) (next time.Time, late bool) {
	for _, c := range clocks {
		switch {
		case !c.runs():
		case c.State == Late:
			late = true
		case next.IsZero() || c.Strict.Before(next):
			next = c.Strict
		}
	}
	return next, late
}

// byCustomer is what of a dossier is one customer's, and what is made of names
// once: a case may have thousands of customers.
type byCustomer struct {
	said     map[string][]law.Assertion
	told     map[string][]told
	added    map[string]int64
	zones    map[string]*time.Location
	holidays map[string]law.Holidays
}

// sorted sorts what is one customer's; it is done once, when all is read.
func (d *dossier) sorted() *byCustomer {
	if d.by != nil {
		return d.by
	}
	x := &byCustomer{said: map[string][]law.Assertion{}, told: map[string][]told{}, added: map[string]int64{}, zones: map[string]*time.Location{}, holidays: map[string]law.Holidays{}}
	for _, a := range d.assertions {
		if max(a.RecordedAt.UnixMilli(), d.brought[a.ID]) >= d.clockFrom() {
			x.said[a.Customer] = append(x.said[a.Customer], a)
		}
	}
	for _, n := range d.told {
		x.told[n.Customer] = append(x.told[n.Customer], n)
	}
	for _, r := range d.affected {
		x.added[r.CustomerID] = r.AddedAt
	}
	d.by = x
	return x
}

// zoneOf is a zone by its name.
func (d *dossier) zoneOf(name string) *time.Location {
	x := d.sorted()
	if x.zones[name] == nil {
		x.zones[name] = zoneNamed(name)
	}
	return x.zones[name]
}

// clock is a rule's clock from a trigger; rules that were not in force have none.
func (d *dossier) clock(r law.Rule, trigger time.Time, shadow bool, zone *time.Location, country string) (Clock, bool) {
	x := d.sorted()
	holidays, ok := x.holidays[country]
	if !ok {
		holidays = holidaysOf(country)
		x.holidays[country] = holidays
	}
	deadline, err := law.Compute(r, trigger, zone, holidays, d.now)
	if err != nil {
		return Clock{}, false
	}
	return Clock{Rule: r.ID, Title: r.Title, Deadline: deadline, Shadow: shadow}, true
}

// settle says how a clock stands: met is when it was met, zero is not yet.
func (d *dossier) settle(c Clock, met time.Time) Clock {
	switch c.MetAt = met; {
	case !met.IsZero() && c.Deadline.Late(met):
		c.State = MetLate
	case !met.IsZero():
		c.State = Met
	case !c.Strict.IsZero() && d.known.After(c.Strict):
		c.State = Late
	default:
		c.State = Running
	}
	if c.State == Met || c.State == MetLate {
		c.Shadow = false
		return c
	}
	if State(d.row.State) == FalseAlarm {
		c.State, c.Why = NotDue, "It was a false alarm: "+d.data.ClosedWhy
	}
	return c
}

// holidaysOf are the public holidays of a country ("DE", "DE-BY"); nil where they
// are not known: then weekends alone are free, which makes a deadline earlier.
func holidaysOf(country string) law.Holidays {
	country, _, _ = strings.Cut(strings.ToUpper(country), "-")
	h, err := law.HolidaysOf(country)
	if err != nil {
		return nil
	}
	return h
}

// pack are the rules as they were known: of them, those count that were in force
// when a clock began.
func (d *dossier) pack() law.Pack { return packAsKnown(d.packs, d.known) }

// packAsKnown is the latest pack that was loaded by an instant; the first is known
// from the beginning.
func packAsKnown(packs []packAt, known time.Time) law.Pack {
	var out law.Pack
	for i, p := range packs {
		if i == 0 || p.row.LoadedAt <= known.UnixMilli() {
			out = p.Pack
		}
	}
	return out
}

// company is who we were to the law, as far as it was known.
func (d *dossier) company() Company {
	var c Company
	for _, v := range d.companies {
		if v.recordedAt <= d.known.UnixMilli() {
			c = v.Company
		}
	}
	return c
}

// said are the assertions about a customer ("" is the case) that count for the
// clocks of now: not those from before it was reopened on new facts.
func (d *dossier) said(customer string) []law.Assertion { return d.sorted().said[customer] }

// effective is the assertion about a customer that counts.
func (d *dossier) effective(customer string, c law.Certainty) (law.Assertion, bool) {
	return law.Effective(d.said(customer), c, d.known)
}

// caseAware is when the case as a whole was suspected, and held to be certain;
// what is certain of one customer is certain of the case, and stays so where they
// are split off. Zero is not.
func (d *dossier) caseAware() (suspected, certain time.Time) {
	for who := range d.sorted().said {
		if who == law.TheIncident {
			continue
		}
		if a, ok := d.effective(who, law.Certain); ok {
			certain = earlier(certain, a.At)
		}
		if a, ok := d.effective(who, law.Suspected); ok {
			suspected = earlier(suspected, a.At)
		}
	}
	return earlier(suspected, certain), certain
}

// awareOf is since when a customer was held to be affected, and known to be;
// zero is not. Who was in a case from its beginning was held to be so as long as
// the case as a whole, whatever was said of them later.
func (d *dossier) awareOf(customer string) (suspected, known time.Time) {
	if a, ok := d.effective(customer, law.Certain); ok {
		known = a.At
	}
	a, ok := d.effective(customer, law.Suspected)
	if ok {
		suspected = a.At
	}
	if !ok && known.IsZero() || d.fromTheBeginning(customer) {
		for _, c := range []law.Certainty{law.Suspected, law.Certain} {
			if a, ok := d.effective("", c); ok {
				suspected = earlier(suspected, a.At)
			}
		}
	}
	return earlier(suspected, known), known
}

func (d *dossier) fromTheBeginning(customer string) bool {
	at, ok := d.sorted().added[customer]
	return ok && at <= d.row.OpenedAt
}

// earlier is the earlier of two instants; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// delivered are the notices to an audience that were delivered or handed in by
// d.known, the earliest first; of the clocks that run now. What was sent before a case
// was reopened on new facts says nothing of them, whenever somebody opens it.
func (d *dossier) delivered(to Audience, customer string, regimes ...string) (out []told) {
	for _, n := range d.sorted().told[customer] {
		if n.Audience != to || n.ToldAt == 0 || n.ToldAt > d.known.UnixMilli() || min(n.ToldAt, cmp.Or(n.SentAt, n.ToldAt)) < d.clockFrom() {
			continue
		}
		if !ofBreach(n.Purpose) || d.withdrawn(n) {
			continue
		}
		if len(regimes) == 0 || slices.Contains(regimes, n.Regime) {
			out = append(out, n)
		}
	}
	slices.SortStableFunc(out, func(a, b told) int { return cmp.Compare(a.ToldAt, b.ToldAt) })
	return out
}

// withdrawn reports whether whoever had a notice was told later that nothing was.
func (d *dossier) withdrawn(n told) bool {
	return slices.ContainsFunc(d.sorted().told[n.Customer], func(w told) bool {
		return w.Audience == n.Audience && w.Purpose == Withdrawal && w.SentAt >= cmp.Or(n.SentAt, n.ToldAt) && w.SentAt <= d.known.UnixMilli()
	})
}

// toldAt is when a customer was told first.
func (d *dossier) toldAt(customer string) time.Time { return nth(d.delivered(ToCustomer, customer), 0) }

// nth is when the n-th notice was delivered; zero is not yet.
func nth(list []told, n int) time.Time {
	if n >= len(list) {
		return time.Time{}
	}
	return controlplane.FromMillis(list[n].ToldAt)
}

// decided is the latest decision about a rule ("" is the risk) that was known: not
// one from before the case was reopened on new facts.
func (d *dossier) decided(rule string) (out Decision, ok bool) {
	for _, x := range d.decisions {
		if x.Rule == rule && !x.At.After(d.known) && x.At.UnixMilli() >= d.clockFrom() && (!ok || !x.At.Before(out.At)) {
			out, ok = x, true
		}
	}
	return out, ok
}

// assessBy is until when the oldest suspicion is to be decided: that of the case
// or, once it is certain, of the customers who may be affected and were not told.
// Zero where nothing is open.
func (d *dossier) assessBy(within time.Duration) (by time.Time) {
	if State(d.row.State) != Open {
		return by
	}
	suspected, certain := d.caseAware()
	if certain.IsZero() {
		if suspected.IsZero() {
			return by
		}
		return suspected.Add(within)
	}
	for _, r := range d.affected {
		if d.stateOf(r) != Possible || !d.toldAt(r.CustomerID).IsZero() {
			continue
		}
		if since, _ := d.awareOf(r.CustomerID); !since.IsZero() {
			by = earlier(by, since.Add(within))
		}
	}
	return by
}

// clockFrom is since when a case's clocks count, in Unix milliseconds.
func (d *dossier) clockFrom() int64 { return d.row.ClockFrom }
