package access

import (
	"fmt"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// itemLines says each change in a line, in the customer's own time; emergency is
// whether all of them are emergency access that was taken.
func (s *Service) itemLines(tx *db.Tx, c customers.Customer, rows []changeRow) (lines []string, emergency bool, err error) {
	changes, err := s.changesOf(tx, policy.OneCustomer(c.ID), rows)
	if err != nil {
		return nil, false, err
	}
	var grants []string
	servers := map[string]string{}
	for _, x := range changes {
		if x.Added {
			grants = append(grants, x.Ground)
		}
		if x.Server == "" || servers[x.Server] != "" {
			continue
		}
		v, err := s.customers.ServerIn(tx, everyone(), x.Server)
		if err != nil && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			return nil, false, err
		}
		servers[x.Server] = v.Name
	}
	urgent, err := breakGlassOf(tx, grants)
	if err != nil {
		return nil, false, err
	}
	emergency = len(changes) > 0
	for _, x := range changes {
		lines = append(lines, x.sentence(servers[x.Server], zoneOf(c)))
		emergency = emergency && x.Kind == Added && urgent[x.Ground]
	}
	return lines, emergency, nil
}

// changesOf are rows with their names and what is sealed in them, as a scope reads them.
func (s *Service) changesOf(tx *db.Tx, scope policy.Scope, rows []changeRow) ([]Change, error) {
	var persons []string
	for _, r := range rows {
		if r.PersonID != "" {
			persons = append(persons, r.PersonID)
		}
	}
	names, err := s.callingsOf(tx, persons)
	if err != nil {
		return nil, err
	}
	out := make([]Change, len(rows))
	for i, r := range rows {
		c := r.value()
		if c.Unknown, err = s.open(r.CustomerID, "access_changes", "unknown", r.ID, r.Unknown); err != nil {
			return nil, err
		}
		name, others := names.of(scope, r.PersonID, r.ServerID)
		if c.Name, c.Others = name, others != "" || isOthers(c.Unknown); others != "" {
			c.Person, c.Ground, c.Unknown = "", "", others
		}
		if c.Why, err = s.open(r.CustomerID, "access_changes", "why", r.ID, r.Why); err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// sentence says a change as a customer reads it; server is the name of the one
// it is about, "" for all of theirs.
func (c Change) sentence(server string, zone *time.Location) string {
	who, where := c.Name, server
	switch {
	case c.Others && c.Unknown != UnexplainedOnShare:
		who = strings.ToUpper(c.Unknown[:1]) + c.Unknown[1:]
	case who == "":
		who = "Somebody unknown (" + c.Unknown + ")"
	}
	if where == "" {
		where = "your servers"
	}
	can := c.can(where)
	var s string
	switch c.Kind {
	case Removed:
		s = fmt.Sprintf("%s can no longer %s, since %s", who, can, instantWords(c.At, zone))
	case Moved, Ground:
		s = fmt.Sprintf("%s can still %s%s, on another ground", who, can, untilWords(c.Until, zone))
		if c.Kind == Moved {
			s = fmt.Sprintf("%s can %s%s; before, it was to end at another time", who, can, untilWords(c.Until, zone))
		}
	default:
		if c.Baseline {
			s = fmt.Sprintf("%s can %s; it was so before we kept this list%s", who, can, untilWords(c.Until, zone))
			break
		}
		s = fmt.Sprintf("%s can %s, from %s%s", who, can, instantWords(c.At, zone), untilWords(c.Until, zone))
	}
	why, word := whyWords[c.Why]
	if !word {
		why = sentencePart(c.Why)
	}
	if why == "" {
		return s + "."
	}
	return s + ". Why: " + why + "."
}

// whyWords are the words of a change's Why as people read them.
var whyWords = map[string]string{
	WhyEnded:   "",
	WhyExpired: "its time was over",
	WhyLeft:    "they left the company",
	WhyTeam:    "they are not in the team any more",
	WhyTenancy: "no server is shared any more",
	WhyTicket:  "no ticket was filled in",
}

func untilWords(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return ", without an end yet"
	}
	return " until " + instantWords(at, zone)
}

// can is what somebody can do, after "can".
func (c Change) can(where string) string {
	as := ""
	if c.Role != "" {
		as = " (" + c.Role + ")"
	}
	switch c.Way {
	case WayTeleport:
		return "sign in to " + where + as
	case WayLogin:
		return "log in to " + where + " directly" + as
	case WayAdmin:
		return "give themselves access to " + where + as
	case WayBackupKey:
		return "read the backups of " + where + as
	case WayRestore:
		return "restore files of " + where + as
	case WayPhysical:
		return "stand before " + where + as
	case WayVisit:
		return "come to " + where + " with an escort" + as
	case WayService:
		return "reach " + where + " as a service account" + as
	case WayCustomer:
		return "reach " + where + ", let in by you" + as
	}
	return "reach " + where + as
}
