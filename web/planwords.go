package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"ostler/backups"
)

// runTexts are how a run's state reads.
var runTexts = map[backups.RunState]struct {
	tone Tone
	key  string
}{
	backups.RunActive: {ToneBusy, "run.active"}, backups.RunComplete: {ToneGood, "run.complete"}, backups.RunPartial: {ToneWarn, "run.partial"},
	backups.RunFailed: {ToneBad, "run.failed"}, backups.RunInterrupted: {ToneBad, "run.interrupted"}, backups.RunMissed: {ToneBad, "run.missed"},
	backups.RunSkipped: {ToneUnknown, "run.skipped"}, backups.RunCancelled: {ToneUnknown, "run.cancelled"},
}

func (v *visit) runState(s backups.RunState) State {
	x, ok := runTexts[s]
	if !ok {
		return State{ToneUnknown, v.t("unknown")}
	}
	return State{x.tone, v.t(x.key)}
}

// repositoryTexts are how a repository reads that is not ready.
var repositoryTexts = map[backups.RepositoryState]struct {
	tone Tone
	key  string
}{
	backups.RepositoryChoosing: {ToneWarn, "repository.choosing"}, backups.RepositoryPreparing: {ToneBusy, "repository.preparing"},
	backups.RepositoryUnconfirmed: {ToneWarn, "repository.unconfirmed"}, backups.RepositoryRegistering: {ToneBusy, "repository.registering"},
	backups.RepositoryInitialising: {ToneBusy, "repository.initialising"}, backups.RepositoryFailed: {ToneBad, "repository.failed"},
}

// planState is how a plan stands: its repository until that is ready, then its
// newest run; and when.
func (v *visit) planState(p planState) (State, time.Time) {
	if x, ok := repositoryTexts[p.Repository.State]; ok {
		return State{x.tone, v.t(x.key)}, time.Time{}
	}
	if p.Repository.State != backups.RepositoryReady {
		return State{ToneUnknown, v.t("unknown")}, time.Time{}
	}
	if p.Latest.State == "" {
		if p.Copy != nil { // the newest run lies farther back than was asked for
			return State{ToneUnknown, v.t("backup.old")}, p.Copy.ArrivedAt
		}
		return State{ToneUnknown, v.t("backup.none_yet")}, time.Time{}
	}
	at := p.Latest.FinishedAt
	if at.IsZero() {
		at = p.Latest.DueAt
	}
	return v.runState(p.Latest.State), at
}

// nextRun is when a plan runs next; or in words why no time can be said: it is
// paused, or its repository is not ready.
func (v *visit) nextRun(p backups.Plan) (at time.Time, why string) {
	switch {
	case !p.Enabled:
		return at, v.t("plan.paused")
	case p.Repository.State == backups.RepositoryFailed:
		return at, v.t("plan.waits_mended")
	case p.Repository.State != backups.RepositoryReady && p.Repository.ConfirmedAt.IsZero():
		return at, v.t("plan.waits_key")
	case p.Repository.State != backups.RepositoryReady:
		return at, v.t("plan.waits_place")
	case len(p.NextRuns) == 0:
		return at, v.t("plan.no_run")
	}
	return p.NextRuns[0], ""
}

// keyState is who has a repository's key, and what the reader can do about it.
func (v *visit) keyState(r backups.Repository) (State, Link) {
	to := "/keys/" + r.ID
	who := "key.with_you"
	if v.staff() {
		who = "key.with_customer"
	}
	switch {
	case r.State == backups.RepositoryChoosing:
		return State{ToneWarn, v.t("key.not_chosen")}, Link{v.t("key.to_choose"), to}
	case r.State == backups.RepositoryUnconfirmed:
		return State{ToneWarn, v.t("key.not_confirmed")}, Link{v.t("key.to_confirm"), to}
	case r.ConfirmedAt.IsZero():
		return State{ToneBusy, v.t("key.in_making")}, Link{v.t("key.to_see"), to}
	case r.Custody == backups.CustodyEscrow:
		return State{ToneGood, v.t("key.with_us")}, Link{v.t("key.to_see"), to}
	}
	return State{ToneGood, v.t(who)}, Link{v.t("key.to_see"), to}
}

// schedule says a cron line in words where it is a common one; else it is the
// line itself with its zone.
func (v *visit) schedule(cron, zone string) string {
	f := strings.Fields(cron)
	if len(f) != 5 {
		return v.t("schedule.cron", "cron", cron, "zone", zone)
	}
	minute, errM := strconv.Atoi(f[0])
	hour, errH := strconv.Atoi(f[1])
	var out string
	switch {
	case errM == nil && errH == nil && f[2] == "*" && f[3] == "*" && f[4] == "*":
		out = v.t("schedule.daily", "time", clockWord(hour, minute))
	case errM == nil && errH == nil && f[2] == "*" && f[3] == "*" && f[4] == "1-5":
		out = v.t("schedule.workdays", "time", clockWord(hour, minute))
	case errM == nil && errH == nil && f[2] == "*" && f[3] == "*" && len(f[4]) == 1 && f[4] >= "0" && f[4] <= "7":
		out = v.t("schedule.weekly", "day", strings.Split(v.t("day.weekdays"), " ")[int(f[4][0]-'0')%7], "time", clockWord(hour, minute))
	case errM == nil && f[1] == "*" && f[2] == "*" && f[3] == "*" && f[4] == "*":
		out = v.t("schedule.hourly", "minute", f[0])
	case errM == nil && strings.HasPrefix(f[1], "*/") && f[2] == "*" && f[3] == "*" && f[4] == "*":
		out = v.t("schedule.hours", "hours", f[1][2:])
	case strings.HasPrefix(f[0], "*/") && f[1] == "*" && f[2] == "*" && f[3] == "*" && f[4] == "*":
		out = v.t("schedule.minutes", "minutes", f[0][2:])
	default:
		return v.t("schedule.cron", "cron", cron, "zone", zone)
	}
	if zone != v.zone.String() {
		out += " (" + zone + ")"
	}
	return out
}

func clockWord(hour, minute int) string {
	return time.Date(0, 1, 1, hour, minute, 0, 0, time.UTC).Format("15:04")
}

// dayStates are the states of a plan's days on its calendar.
var dayStates = map[backups.RunState]DayState{
	backups.RunComplete: DayComplete, backups.RunPartial: DayPartial, backups.RunFailed: DayFailed, backups.RunInterrupted: DayFailed,
	backups.RunMissed: DayMissed, backups.RunSkipped: DayUnknown, backups.RunCancelled: DayUnknown, backups.RunActive: DayUnknown, "": DayNone,
}

// calendar is a plan's last 90 days.
func (v *visit) calendar(name string, days []backups.Day) Calendar {
	c := Calendar{Name: name, Until: v.now}
	for _, d := range days {
		s, ok := dayStates[d.State]
		if !ok {
			s = DayUnknown
		}
		c.Days = append(c.Days, s)
		c.Until = d.Date
	}
	return c
}

// planName is what a plan is called: its server, and its own name where that
// server has another plan.
func planName(server, name string, alone bool) string {
	switch {
	case server == "":
		return name
	case alone || name == "" || strings.EqualFold(name, server):
		return server
	}
	return server + ": " + name
}

// alone reports whether a plan is the only one of its server among plans.
func alone(plans []planState, p planState) bool {
	return !slices.ContainsFunc(plans, func(q planState) bool { return q.Server == p.Server && q.ID != p.ID })
}

// alonePlan is alone among plans of which no more is known.
func alonePlan(plans []backups.Plan, p backups.Plan) bool {
	return !slices.ContainsFunc(plans, func(q backups.Plan) bool { return q.Server == p.Server && q.ID != p.ID })
}
