package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// offset is a place in a recording: "0:12", "2:05:33".
func offset(d time.Duration) string {
	s := int(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// offsetOf reads a place in a recording as people write it: "12", "2:05",
// "1:02:05".
func offsetOf(s string) (d time.Duration, ok bool) {
	parts := strings.Split(strings.TrimSpace(s), ":")
	if len(parts) > 3 {
		return 0, false
	}
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return 0, false
		}
		d = d*60 + time.Duration(n)*time.Second
	}
	return d, true
}

var sessionKinds = map[sessions.Kind]string{
	sessions.Interactive: "session.kind_terminal", sessions.Exec: "session.kind_exec", sessions.SCP: "session.kind_scp", sessions.SFTP: "session.kind_sftp", sessions.Other: "session.kind_other",
}

// sessionKind is what a session was, in words.
func (v *visit) sessionKind(k sessions.Kind) string {
	if key, ok := sessionKinds[k]; ok {
		return v.t(key)
	}
	return string(k)
}

// recordingState is how the recording of a session stands, in words.
func (v *visit) recordingState(s sessions.Session) State {
	r := s.Recording
	switch {
	case r != nil && r.Integrity == sessions.Changed:
		return State{ToneBad, v.t("recording.changed")}
	case r != nil && !r.DeletedAt.IsZero():
		return State{ToneUnknown, v.t("recording.deleted", "when", v.dayOf(r.DeletedAt))}
	case r != nil && r.Integrity == sessions.Gone:
		return State{ToneBad, v.t("recording.gone")}
	case r != nil && r.Partial != "":
		return State{ToneWarn, v.t("recording.partial")}
	case r != nil && r.Playable():
		return State{ToneGood, v.t("recording.recorded")}
	}
	switch s.State {
	case sessions.Live:
		return State{ToneBusy, v.t("recording.live")}
	case sessions.Ended:
		return State{ToneBusy, v.t("recording.awaited")}
	case sessions.Uploaded:
		return State{ToneBusy, v.t("recording.fetched")}
	case sessions.Missing:
		return State{ToneBad, v.t("recording.missing")}
	case sessions.Unrecorded:
		return State{ToneWarn, v.t("recording.unrecorded")}
	}
	return State{ToneUnknown, v.t("recording.unknown")}
}

// reviewState is how a session's review stands, in words.
func (v *visit) reviewState(s sessions.Session) State {
	r := s.Review
	if r.Void != "" && r.State != sessions.Reviewed {
		return State{ToneWarn, v.t("review.void")}
	}
	switch r.State {
	case sessions.NotWanted, "":
		return State{"", v.t("review.not_wanted")}
	case sessions.Waiting:
		if !r.DueAt.IsZero() && r.DueAt.Before(v.now) {
			return State{ToneWarn, v.t("review.overdue")}
		}
		return State{ToneBusy, v.t("review.waiting")}
	case sessions.Claimed:
		return State{ToneBusy, v.t("review.claimed")}
	case sessions.Asked:
		return State{ToneWarn, v.t("review.asked")}
	case sessions.Unreviewable:
		tone := ToneUnknown
		if r.Answer == "" && (r.Closed == "deleted" || r.Closed == "changed" || r.Closed == "gone") {
			tone = ToneWarn
		}
		return State{tone, v.t("review.impossible")}
	case sessions.Reviewed:
		switch r.Verdict {
		case sessions.Fine:
			return State{ToneGood, v.t("review.fine")}
		case sessions.Violation:
			return State{ToneBad, v.t("review.violation")}
		}
		return State{ToneUnknown, v.t("review.judged")}
	}
	return State{ToneUnknown, string(r.State)}
}

var lackTexts = map[string]string{"person": "session.lack_person", "grant": "session.lack_grant", "ticket": "session.lack_ticket", "authorisation": "session.lack_authorisation"}

// lacks are the missing parts of a session's ground, in words: "no grant and no ticket".
func (v *visit) lacks(s sessions.Session) string {
	var words []string
	for _, l := range s.Ground.Lacks {
		if key, ok := lackTexts[l]; ok {
			words = append(words, v.t(key))
		} else {
			words = append(words, l)
		}
	}
	return v.p.tx.List(words)
}

// riskWords say why a session wants to be looked at.
func (v *visit) riskWords(r sessions.Risk) []string {
	var out []string
	for _, why := range r.Why {
		if said := sessions.RiskText(why); said != "" {
			out = append(out, said)
		}
	}
	return out
}

// sessionWho is whose session it was: a name, or that nobody is known.
func (v *visit) sessionWho(s sessions.Session) string {
	switch {
	case s.PersonName != "":
		return s.PersonName
	case s.User != "" && v.staff():
		return v.t("session.who_user", "user", PlainName([]byte(s.User)))
	}
	return v.t("session.who_unknown")
}

// sessionLength is how long a session lasted, in words.
func (v *visit) sessionLength(s sessions.Session) string {
	switch {
	case s.Endless:
		return v.t("session.endless")
	case s.State == sessions.Live:
		return v.t("session.running", "span", span(v.p.tx, s.Length(v.now)))
	case s.EndedAt.IsZero():
		return ""
	}
	return span(v.p.tx, s.Length(v.now))
}

// sessionWhere is the server of a session, or the node that is none of ours.
func (v *visit) sessionWhere(s sessions.Session, servers map[string]string) Link {
	if name := servers[s.Server]; name != "" {
		return Link{name, "/servers/" + s.Server}
	}
	return Link{Label: PlainName([]byte(s.Host))}
}

// serversOf are the names of sessions' servers by id.
func (v *visit) serversOf(items []sessions.Session) (map[string]string, error) {
	ids := map[string]bool{}
	for _, s := range items {
		if s.Server != "" {
			ids[s.Server] = true
		}
	}
	return v.serverNames(keysOf(ids))
}

// customersOf are the names of sessions' customers by id, for who sees several.
func (v *visit) customersOf(items []sessions.Session) (map[string]string, error) {
	ids := map[string]bool{}
	for _, s := range items {
		for _, c := range s.Customers {
			ids[c] = true
		}
	}
	return v.namesOfCustomers(keysOf(ids))
}

// namesOfCustomers are customers' names by id, for staff and auditors.
func (v *visit) namesOfCustomers(ids []string) (map[string]string, error) {
	if !v.staff() && !v.viewer.Auditor || len(ids) == 0 {
		return nil, nil
	}
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return nil, err
	}
	return v.p.Customers.Names(v.ctx, scope, ids)
}

// coverageSaid is how much of what was seen on a customer's servers is recorded,
// as one sentence with its tone; what is not known is said so.
func (v *visit) coverageSaid(c sessions.Coverage, silent []string) State {
	days := max(1, int(c.To.Sub(c.From).Round(24*time.Hour)/(24*time.Hour)))
	count := v.t("coverage.sessions", "n", c.Sessions, "days", days)
	if c.Sessions == 0 {
		count = v.t("coverage.none", "days", days)
	}
	var more []string
	if c.Running > 0 {
		more = append(more, v.t("coverage.running", "n", c.Running))
	}
	missing := c.Sessions - c.Running - c.Recorded
	if missing > 0 {
		more = append(more, v.t("coverage.missing", "n", missing))
	}
	if c.Outside > 0 {
		more = append(more, v.t("coverage.outside", "n", c.Outside))
	}
	if c.Weak > 0 {
		more = append(more, v.t("coverage.weak", "n", c.Weak))
	}
	tail := ""
	if len(more) > 0 {
		tail = "; " + v.p.tx.List(more)
	}
	switch {
	case len(c.Silent) > 0:
		return State{ToneUnknown, count + tail + ". " + v.t("coverage.silent", "servers", v.p.tx.List(silent), "n", len(silent))}
	case missing > 0 || c.Outside > 0:
		return State{ToneWarn, count + tail + "."}
	case c.Sessions == 0:
		return State{"", count + v.t("coverage.nor_login")} // nothing was, or nothing was looked at
	case c.Recorded > 0 && c.Recorded == c.Sessions && tail == "":
		return State{ToneGood, count + v.t("coverage.all")}
	}
	return State{ToneGood, count + tail + "."}
}

// coverageOf is a customer's coverage of the last 30 days as a sentence.
func (v *visit) coverageOf(scope policy.Scope, customer string) (State, error) {
	c, err := v.p.Sessions.CoverageOf(v.ctx, scope, customer, time.Time{}, time.Time{})
	if err != nil {
		return State{}, err
	}
	names, err := v.serverNames(c.Silent)
	if err != nil {
		return State{}, err
	}
	var silent []string
	for _, id := range c.Silent {
		if names[id] != "" {
			silent = append(silent, names[id])
		} else {
			silent = append(silent, v.t("word.server"))
		}
	}
	return v.coverageSaid(c, silent), nil
}
