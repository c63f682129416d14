package incidents

import (
	"slices"

	"ostler/controlplane/incidents/law"
)

// era is a time of a case before it was reopened on new facts, in Unix milliseconds:
// what was said between From and Until started clocks of its own.
type era struct {
	From      int64 `json:"from"`
	Until     int64 `json:"until"`
	HandledAt int64 `json:"handled_at,omitempty"`
}

// whyBefore says what a clock is that was not met when a case was closed.
const whyBefore = "This clock is from before the case was reopened on new facts: nobody met it then, and it stays as it was."

// duty tells the clocks of a case apart.
type duty struct{ rule, customer string }

// clocksBefore are the clocks from before a case was reopened on new facts that
// nobody had met: reopening starts others and takes none of them away. A duty that
// was decided not to be due is one of them, for new facts are to be decided anew.
func (d *dossier) clocksBefore(now []Clock) (out []Clock) {
	for _, e := range d.data.Eras {
		unmet := map[duty]bool{}
		for _, c := range d.before(e, true).clocksNow() {
			if c.runs() {
				unmet[duty{c.Rule, c.Customer}] = true
			}
		}
		if len(unmet) == 0 {
			continue
		}
		for _, c := range d.before(e, false).clocksNow() {
			again := func(o Clock) bool {
				return o.Rule == c.Rule && o.Customer == c.Customer && o.Strict.Equal(c.Strict)
			}
			if !unmet[duty{c.Rule, c.Customer}] || slices.ContainsFunc(now, again) || slices.ContainsFunc(out, again) {
				continue
			}
			if c.Before = true; c.Why == "" {
				c.Why = whyBefore
			}
			out = append(out, c)
		}
	}
	return out
}

// before is a dossier as an era left it: by what was said in it, and by decisions that
// were made since. then is what it left unmet: by what was told in it alone, and whatever
// was decided. What was withdrawn later had been told.
func (d *dossier) before(e era, then bool) *dossier {
	x := *d
	x.by, x.data.Eras = nil, nil
	x.row.ClockFrom, x.row.HandledAt = e.From, e.HandledAt
	x.assertions = slices.DeleteFunc(slices.Clone(d.assertions), func(a law.Assertion) bool { return max(a.RecordedAt.UnixMilli(), d.brought[a.ID]) >= e.Until })
	x.affected = slices.DeleteFunc(slices.Clone(d.affected), func(r affectedRow) bool { return r.AddedAt >= e.Until })
	x.decisions = slices.DeleteFunc(slices.Clone(d.decisions), func(x Decision) bool { return then || x.At.UnixMilli() < e.Until })
	x.told = slices.DeleteFunc(slices.Clone(d.told), func(n told) bool {
		return n.Purpose == Withdrawal && n.SentAt < e.Until || then && n.ToldAt >= e.Until
	})
	return &x
}

// unmetSince is from when on what was said in a case counts still: from its earliest
// era where a clock from before runs.
func (d *dossier) unmetSince() int64 {
	since := d.clockFrom()
	for _, c := range d.clocks() {
		if !c.Before || !c.runs() {
			continue
		}
		for _, e := range d.data.Eras {
			since = min(since, e.From)
		}
	}
	return since
}
