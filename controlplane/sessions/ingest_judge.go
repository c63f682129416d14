package sessions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

func linkTo(session string) string { return linkSessions + "/" + session }

// findings raises what of a session needs a person.
func (in *intake) findings(o *opened, customers []string, found *matched) error {
	s, tx, f := in.s, in.tx, o.facts
	if found != nil {
		if err := in.m.judgeGround(o.row, f, found.on); err != nil {
			return err
		}
	}
	if f.Track.Off && !o.was.Track.Off {
		x := findings.Finding{Key: findings.SessionUnrecorded + ":" + o.row.ID, Kind: findings.SessionUnrecorded, Server: o.row.ServerID, Subject: o.row.ID, Severity: findings.Warn,
			Owner: findings.Ops, Link: linkTo(o.row.ID), Args: map[string]string{"person": f.PersonName, "where": f.Host, "what": "The role that let them in records nothing", "at": moment(controlplane.FromMillis(f.StartedAt))}}
		if err := s.raiseEach(tx, customers, x); err != nil {
			return err
		}
	}
	if f.State == Unrecorded && f.SID == "" && o.was.State != Unrecorded {
		in.days[grouped{o.row.ServerID, f.Host, dayOf(f.StartedAt)}] = true
	}
	if o.was.Endless && !f.Endless {
		return s.closeEach(tx, findings.SessionEndless+":"+o.row.ID, "its end came")
	}
	return nil
}

// raiseEach raises a finding for each customer, or the company's own where there
// is none, in one group.
func (s *Service) raiseEach(tx *db.Tx, customers []string, x findings.Finding) error {
	key := x.Key
	x.Group = cmp.Or(x.Group, key)
	for name, v := range x.Args {
		if v == "" {
			delete(x.Args, name)
		}
	}
	if len(customers) == 0 {
		return s.findings.Raise(tx, x)
	}
	for _, c := range customers {
		if s.erased(c) {
			continue
		}
		x.Key, x.Customer = key+":"+c, c
		if err := s.findings.Raise(tx, x); err != nil {
			return err
		}
	}
	return nil
}

// closeEach closes what raiseEach raised under a key.
func (s *Service) closeEach(tx *db.Tx, key, cause string) error {
	kind, _, _ := strings.Cut(key, ":")
	open, err := s.findings.OpenKeys(tx, kind)
	if err != nil {
		return err
	}
	for _, k := range open {
		if k == key || strings.HasPrefix(k, key+":") {
			if err := s.findings.Close(tx, k, cause); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted is a part of a ground as people read it.
func wanted(lack string) string {
	switch lack {
	case lacksPerson:
		return "a person whom we know"
	case lacksGrant:
		return "a grant"
	case lacksTicket:
		return "a ticket"
	}
	return "an instruction of the customer"
}

// judgeGround raises that a session lacks a ground, for each customer of whose
// list it does, and that a name is nobody's; or closes it.
func (m *matcher) judgeGround(row sessionRow, f facts, on []customerRow) error {
	s, tx := m.s, m.tx
	for _, p := range f.Participants {
		if who, err := m.who(p.User); err != nil || len(who) > 0 {
			if err != nil {
				return err
			}
			continue
		}
		err := s.findings.Raise(tx, findings.Finding{Key: findings.SessionPersonUnknown + ":" + s.userMark(p.User), Kind: findings.SessionPersonUnknown, Subject: row.ID,
			Severity: findings.Warn, Owner: findings.Ops, Link: "/access/persons", Args: map[string]string{"what": p.User, "where": f.Host, "at": moment(controlplane.FromMillis(f.StartedAt))}})
		if err != nil {
			return err
		}
	}
	group := findings.SessionUngrounded + ":" + cmp.Or(row.PersonID, s.userMark(f.User))
	for _, c := range on {
		key := findings.SessionUngrounded + ":" + row.ID + ":" + c.CustomerID
		if c.Lacks == "" {
			if err := m.closeGround(key); err != nil {
				return err
			}
			continue
		}
		var parts []string
		for _, l := range split(c.Lacks) {
			parts = append(parts, wanted(l))
		}
		args := map[string]string{"person": f.PersonName, "where": f.Host, "at": moment(controlplane.FromMillis(f.StartedAt)), "what": joined(parts)}
		if f.PersonName == "" {
			delete(args, "person")
		}
		if err := s.findings.Raise(tx, findings.Finding{Key: key, Group: group, Customer: c.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: findings.SessionUngrounded,
			Severity: findings.Warn, Owner: findings.Ops, Link: linkTo(row.ID), Args: args}); err != nil {
			return err
		}
	}
	return nil
}

// closeGround closes a finding about a ground, where one is open.
func (m *matcher) closeGround(key string) error {
	if m.openKeys == nil {
		open, err := m.s.findings.OpenKeys(m.tx, findings.SessionUngrounded)
		if err != nil {
			return err
		}
		m.openKeys = map[string]bool{}
		for _, k := range open {
			m.openKeys[k] = true
		}
	}
	if !m.openKeys[key] {
		return nil
	}
	return m.s.findings.Close(m.tx, key, "it is there now")
}

// joined are parts as people say them: "a grant and a ticket".
func joined(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// judge raises what a page shows as a whole: commands that leave no recording,
// and clocks that are off.
func (in *intake) judge() error {
	for g := range in.days {
		if err := in.unrecorded(g); err != nil {
			return err
		}
	}
	return in.clocks()
}

// unrecorded raises the commands of one server and day that left no recording:
// one finding, however many they are.
func (in *intake) unrecorded(g grouped) error {
	n, last, err := unrecordedOn(in.tx, g)
	if err != nil {
		return err
	}
	on, err := in.m.customersAt(g.server, last)
	if err != nil {
		return err
	}
	count := "One command"
	if n > 1 {
		count = fmt.Sprintf("%d commands", n)
	}
	where := cmp.Or(g.server, g.host)
	return in.s.raiseEach(in.tx, on, findings.Finding{Key: fmt.Sprintf("%s:%s:%d", findings.SessionUnrecorded, where, g.day), Group: findings.SessionUnrecorded + ":" + where,
		Kind: findings.SessionUnrecorded, Server: g.server, Subject: g.server, Severity: findings.Warn, Owner: findings.Ops, Link: linkSessions,
		Args: map[string]string{"count": count, "where": cmp.Or(g.host, "a node without a name"), "what": "Teleport records nothing of a command that is run without a session", "at": moment(controlplane.FromMillis(last))}})
}

// clockLeeway is how far apart a node's clock and ours may be.
const clockLeeway = 10 * time.Minute

// clocks raises hosts whose events carry times that cannot be right: later than
// now, or from a time that was read to its end before they came.
func (in *intake) clocks() error {
	worst, good := map[string]int64{}, map[string]bool{}
	now := in.tx.NowMillis()
	for _, c := range in.p.events {
		h := c.said.Host
		if h == "" || c.said.Type == typeUpload {
			continue
		}
		off := c.row.At - now
		late := in.r.readTo > 0 && c.row.At < in.r.readTo-clockLeeway.Milliseconds() && c.row.At >= in.r.began
		switch {
		case off > clockLeeway.Milliseconds():
			worst[h] = max(worst[h], off)
		case late:
			worst[h] = min(worst[h], off)
		case now-c.row.At < clockLeeway.Milliseconds():
			good[h] = true
		}
	}
	open, err := in.s.findings.OpenKeys(in.tx, findings.SessionClockOff)
	if err != nil {
		return err
	}
	for h, off := range worst {
		if err := in.clockOff(h, time.Duration(off)*time.Millisecond); err != nil {
			return err
		}
	}
	for h := range good {
		if key := clockKey(h); worst[h] == 0 && slices.Contains(open, key) {
			if err := in.s.findings.Close(in.tx, key, "its events carry the right time again"); err != nil {
				return err
			}
		}
	}
	return nil
}

func clockKey(host string) string { return findings.SessionClockOff + ":" + host }

func (in *intake) clockOff(host string, by time.Duration) error {
	server, err := in.m.server(host)
	if err != nil {
		return err
	}
	what := "ahead"
	if by < 0 {
		what, by = "behind", -by
	}
	return in.s.findings.Raise(in.tx, findings.Finding{Key: clockKey(host), Kind: findings.SessionClockOff, Server: server, Subject: server, Severity: findings.Warn, Owner: findings.Ops,
		Link: "/servers/" + server, Args: map[string]string{"where": host, "for": findings.Ago("en", by), "what": what}})
}
