package incidents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// level is how near a deadline is.
type level string

// The levels, in their order. levelAssess is of a suspicion, not of a rule.
const (
	levelHalf    level = "half"    // half of the time is over
	levelQuarter level = "quarter" // a quarter is left
	levelHour    level = "hour"    // an hour is left
	levelLate    level = "late"
	levelAssess  level = "assess"
)

// ruleAssess stands in for a rule where a suspicion is to be decided.
const ruleAssess = "assess"

// shadowRule goes before the rule of a deadline that hangs on what nobody has decided.
const shadowRule = "shadow:"

// mailAlarm is the template; args what, number, due, because.
const mailAlarm = "incident.alarm"

// deadline is what several clocks of one rule have in common.
type deadline struct {
	rule, title string
	start, due  time.Time
	customers   int // 0 is the company's own
	// shadow is on what it hangs that nobody has decided; "" is that it runs.
	shadow string
	levels []level
}

// at is when a level is reached; ok is false for one that makes no sense here.
func (d deadline) at(l level) (time.Time, bool) {
	span := d.due.Sub(d.start)
	switch l {
	case levelHalf:
		return d.due.Add(-span / 2), true
	case levelQuarter:
		return d.due.Add(-span / 4), true
	case levelHour:
		return d.due.Add(-time.Hour), span/4 > time.Hour
	}
	return d.due.Add(time.Millisecond), true // the instant itself is in time
}

// deadlines are those of a case that nobody may miss, the earliest first: of
// every rule, those who are due together are one.
func (d *dossier) deadlines(assess time.Duration) (out []deadline) {
	_, certain := d.caseAware()
	for _, c := range d.clocks() {
		// A case that is but suspected is to be decided as a whole.
		hangs := !certain.IsZero() && c.shadows()
		if !c.runs() && !hangs || State(d.row.State) != Open {
			continue
		}
		rule, shadow := c.Rule, ""
		if hangs {
			rule, shadow = shadowRule+c.Rule, c.hangsOn()
		}
		i := slices.IndexFunc(out, func(x deadline) bool { return x.rule == rule && x.due.Equal(c.Strict) })
		if i < 0 {
			out = append(out, deadline{rule: rule, title: c.Title, start: c.Trigger, due: c.Strict, shadow: shadow, levels: []level{levelHalf, levelQuarter, levelHour, levelLate}})
			i = len(out) - 1
		}
		if c.Customer != "" {
			out[i].customers++
		}
		if c.Trigger.Before(out[i].start) {
			out[i].start = c.Trigger
		}
	}
	if by := d.assessBy(assess); !by.IsZero() {
		out = append(out, deadline{rule: ruleAssess, start: by.Add(-assess), due: by, levels: []level{levelAssess}})
	}
	slices.SortStableFunc(out, func(a, b deadline) int { return a.due.Compare(b.due) })
	return out
}

// hangsOn is what nobody has decided, and a shadow hangs on.
func (c Clock) hangsOn() string {
	if c.oursUnsaid() {
		return "if our own data are touched"
	}
	return "if they are affected"
}

// recount writes down what runs in a case, and ends the alarms that nothing
// stands behind any more. Whoever changed what clocks are computed from calls it,
// last in the transaction.
func (s *Service) recount(tx *db.Tx, id string) error {
	d, err := s.dossierIn(tx, everyone(), id)
	if err != nil {
		return err
	}
	list := d.deadlines(s.opts.Assess)
	raised, err := alarmRows(tx, d.row.ID)
	if err != nil {
		return err
	}
	for _, r := range raised {
		if !slices.ContainsFunc(list, func(x deadline) bool { return x.rule == r.Rule && x.due.UnixMilli() == r.DueAt }) {
			if err := s.allClear(tx, d.row.ID, r, "It is done, or not due any more."); err != nil {
				return err
			}
		}
	}
	clocks := d.clocks()
	next, late := nextOf(clocks)
	shadow := shadowOf(clocks)
	wake := time.Time{}
	for _, x := range list {
		for _, l := range x.levels {
			if at, ok := x.at(l); ok && !isRaised(raised, x, l) {
				wake = earlier(wake, at)
			}
		}
	}
	if State(d.row.State) != Open {
		next, shadow, late, wake = time.Time{}, time.Time{}, false, time.Time{}
	}
	if !wake.IsZero() && !wake.After(tx.Now) {
		tx.AfterCommit(func() { s.opts.Bus.Publish(TopicWatch) })
	}
	return setDue(tx, d.row.ID, controlplane.Millis(next), controlplane.Millis(shadow), flag(late), controlplane.Millis(wake))
}

func isRaised(raised []alarmRow, x deadline, l level) bool {
	return slices.ContainsFunc(raised, func(r alarmRow) bool {
		return r.Rule == x.rule && r.DueAt == x.due.UnixMilli() && r.Level == string(l)
	})
}

// findingKeys are the keys of the findings of a deadline.
func findingKeys(incident, rule string, due int64) (near, late string) {
	if rule == ruleAssess {
		return findings.IncidentAssess + ":" + incident, ""
	}
	tail := ":" + incident + ":" + rule + ":" + strconv.FormatInt(due, 10)
	return findings.IncidentDue + tail, findings.IncidentLate + tail
}

// allClear ends an alarm.
func (s *Service) allClear(tx *db.Tx, incident string, r alarmRow, why string) error {
	near, late := findingKeys(incident, r.Rule, r.DueAt)
	for _, key := range []string{near, late} {
		if key == "" {
			continue
		}
		if err := s.findings.Close(tx, key, why); err != nil {
			return err
		}
	}
	return deleteAlarm(tx, r)
}

// casesDue raises what alarms have come due. Watch calls it.
func (s *Service) casesDue(ctx context.Context) error {
	ctx = asSystem(ctx)
	var ids []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { ids, err = wakeable(tx, tx.NowMillis()); return err })
	if err != nil || len(ids) == 0 {
		return wrap("look for deadlines", err)
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	people, err := s.identity.People(ctx, everyone(), identity.PeopleFilter{Kind: controlplane.ActorStaff})
	if err != nil {
		return wrap("look for deadlines", err)
	}
	var errs []error
	for _, id := range ids { // one that cannot be read keeps no other from ringing
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.alarm(tx, id, people) }); err != nil {
			errs = append(errs, fmt.Errorf("case %s: %w", id, err))
		}
	}
	return wrap("alarm", errors.Join(errs...))
}

// alarm raises, for each deadline of a case, the worst level that was reached:
// those before it are over.
func (s *Service) alarm(tx *db.Tx, id string, people []identity.Person) error {
	d, err := s.dossierIn(tx, everyone(), id)
	if err != nil {
		return err
	}
	raised, err := alarmRows(tx, d.row.ID)
	if err != nil {
		return err
	}
	for _, x := range d.deadlines(s.opts.Assess) {
		var worst level
		for _, l := range x.levels {
			if at, ok := x.at(l); !ok || at.After(tx.Now) || isRaised(raised, x, l) {
				continue
			}
			worst = l
			if err := db.Insert(tx, &alarmRow{CaseID: d.row.ID, Rule: x.rule, DueAt: x.due.UnixMilli(), Level: string(l), RaisedAt: tx.NowMillis()}); err != nil {
				return err
			}
		}
		if worst == "" {
			continue
		}
		if err := s.raise(tx, d, x, worst, people); err != nil {
			return err
		}
	}
	return s.recount(tx, d.row.ID)
}

// raise says one alarm: in the ledger and, unless it is a drill, as a finding and
// by mail.
func (s *Service) raise(tx *db.Tx, d *dossier, x deadline, l level, people []identity.Person) error {
	data := map[string]any{"rule": x.rule, "level": string(l), "due": controlplane.Instant(x.due), "drill": d.row.Drill == 1}
	if err := s.enter(tx, d.row.ID, "incident.alarm", data, nil); err != nil || d.row.Drill == 1 {
		return err
	}
	near, late := findingKeys(d.row.ID, x.rule, x.due.UnixMilli())
	f := findings.Finding{Key: near, Kind: findings.IncidentDue, Severity: findings.Warn, Subject: d.row.ID, Owner: findings.Ops, Link: "/incidents/" + d.row.ID,
		Args: map[string]string{"case": d.row.numberOf(), "at": instantWords(x.due, d.zone)}}
	switch l {
	case levelAssess:
		f.Kind, f.Args["for"] = findings.IncidentAssess, findings.Ago("en", tx.Now.Sub(x.start))
	case levelLate:
		if x.shadow != "" {
			f.Severity, f.Args["duty"], f.Args["over"] = findings.Bad, x.title, findings.Ago("en", tx.Now.Sub(x.due))
			break
		}
		if err := s.findings.Close(tx, near, "Its time has passed."); err != nil {
			return err
		}
		f.Key, f.Kind, f.Severity = late, findings.IncidentLate, findings.Bad
		f.Args["duty"], f.Args["for"] = x.title, findings.Ago("en", tx.Now.Sub(x.due))
	default:
		f.Args["duty"], f.Args["for"] = x.title, findings.Ago("en", x.due.Sub(tx.Now))
		if l != levelHalf {
			f.Severity = findings.Bad
		}
	}
	if x.shadow != "" {
		f.Args["shadow"] = x.shadow
	}
	if x.customers > 0 {
		f.Args["count"] = count(x.customers, "customer")
	}
	if err := s.findings.Raise(tx, f); err != nil {
		return err
	}
	return s.mailAlarm(tx, d, f, x, l, people)
}

// mailAlarm writes to the case's lead and, from a quarter of the time on or
// where the lead is nobody who is still here, to every admin.
func (s *Service) mailAlarm(tx *db.Tx, d *dossier, f findings.Finding, x deadline, l level, people []identity.Person) error {
	if s.deps.Mail == nil {
		return nil
	}
	title, because, _ := findings.Sentence("en", f)
	lead := slices.IndexFunc(people, func(p identity.Person) bool { return p.ID == d.row.Lead && p.Active })
	var to []identity.Person
	if lead >= 0 {
		to = append(to, people[lead])
	}
	for _, p := range people {
		if p.Role == policy.RoleAdmin && p.Active && (lead < 0 || l != levelHalf && p.ID != d.row.Lead) {
			to = append(to, p)
		}
	}
	for _, p := range to {
		_, err := s.deps.Mail.Enqueue(tx, Letter{Key: mailAlarm + ":" + f.Key + ":" + string(l) + ":" + strconv.FormatInt(tx.NowMillis(), 10) + ":" + p.ID, Person: p.ID, To: p.Email, Name: p.Name,
			Lang: p.Language, Template: mailAlarm, Path: "/incidents/" + d.row.ID, Subject: d.row.ID,
			Args: map[string]string{"what": title + ".", "number": d.row.numberOf(), "due": instantWords(x.due, d.zone), "because": because}})
		if err != nil {
			return err
		}
	}
	return nil
}

// instantWords is an instant as people read it, in a zone.
func instantWords(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("2 January 2006 15:04 MST")
}
