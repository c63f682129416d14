package access

import (
	"fmt"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// namesStaff reports whether a staff member is one of the persons, or answers
// for a service account that is one: whoever holds its keys is who comes in.
func (s *Service) namesStaff(tx *db.Tx, persons []personRow, staff string) (bool, error) {
	if staff == "" {
		return false, nil
	}
	humans, err := s.answerable(tx, persons)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(persons, func(p personRow) bool { return humans[p.ID].StaffID == staff }), nil
}

// ownPerson reports whether a person is the actor, or a service account of theirs.
func (s *Service) ownPerson(tx *db.Tx, p personRow) (bool, error) {
	a := actorOf(tx.Context())
	if a.Kind != controlplane.ActorStaff {
		return false, nil
	}
	return s.namesStaff(tx, []personRow{p}, a.ID)
}

// mayHandOver refuses to put a service account into other hands while a grant is
// in force that was given with somebody else in mind. Where its owner has left
// it must be handed over, but not to oneself.
func (s *Service) mayHandOver(tx *db.Tx, row personRow, owner string) error {
	if owner == row.OwnerID || PersonKind(row.Kind) != KindService {
		return nil
	}
	granted, err := grantedNow(tx, row.ID)
	if err != nil || !granted {
		return err
	}
	was, err := onePerson(tx, row.OwnerID)
	if err != nil {
		return err
	}
	next, err := onePerson(tx, owner)
	if err != nil {
		return err
	}
	own, err := s.ownPerson(tx, next)
	switch {
	case err != nil:
		return err
	case was.LeftAt == 0:
		return invalid("/owner", "This service account has access by a grant. Revoke it, hand the account over, then grant access to it anew.")
	case own:
		return invalid("/owner", "This service account has access by a grant. Ask a colleague to hand it over to you.")
	}
	return nil
}

// mayName refuses names in Teleport and on servers by which somebody would get
// the access of another: whoever changes their own, and whoever takes one that
// another person has, or gives theirs away. Others may share a user; it is found
// then, and enforced for neither.
func (s *Service) mayName(tx *db.Tx, c *inputs, row personRow, was, is Person) error {
	if slices.Equal(was.TeleportUsers, is.TeleportUsers) && slices.Equal(was.Logins, is.Logins) {
		return nil
	}
	own, err := s.ownPerson(tx, row)
	if err != nil {
		return err
	}
	if own && was.ID != "" {
		return controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to do it.", "Nobody changes the names by which they reach servers themselves")
	}
	if err := s.keepsUsers(tx, c, was, is); err != nil {
		return err
	}
	rows, err := peopleRows(tx, everybody)
	if err != nil {
		return err
	}
	for _, other := range rows {
		if other.ID == row.ID || len(other.TeleportUsers) == 0 {
			continue
		}
		theirs, err := s.ownPerson(tx, other)
		if err != nil {
			return err
		}
		if !own && !theirs {
			continue
		}
		p, err := s.person(other)
		if err != nil {
			return err
		}
		for _, name := range is.TeleportUsers {
			if slices.Contains(p.TeleportUsers, name) && !slices.Contains(was.TeleportUsers, name) {
				c.add("/teleport_users", "Another person has the Teleport user "+name+" already, and one of the two is you. Ask a colleague to do it.")
			}
		}
	}
	return nil
}

// keepsUsers refuses to take a Teleport user off a person while a grant of theirs
// is not over and the cluster follows the lists: whoever is locked out is locked
// out under each of their users.
func (s *Service) keepsUsers(tx *db.Tx, c *inputs, was, is Person) error {
	i := slices.IndexFunc(was.TeleportUsers, func(name string) bool { return !slices.Contains(is.TeleportUsers, name) })
	if i < 0 || s.cluster == nil {
		return nil
	}
	row, _, err := s.clusterIn(tx)
	if err != nil || Mode(row.Mode) != Enforce {
		return err
	}
	granted, err := grantedNow(tx, was.ID)
	if granted {
		c.add("/teleport_users", "They have access as "+was.TeleportUsers[i]+". Add the new name beside it, and take this one off once the access has ended.")
	}
	return err
}

// mayJoin refuses whoever is new in a team, or is in it for longer, where that
// gives access that needs more than being put in a team: to oneself, and to
// customers with whom an answer was agreed.
func (s *Service) mayJoin(tx *db.Tx, team string, members []memberRow) error {
	grants, err := openGrantsOfTeam(tx, team)
	if err != nil || len(grants) == 0 {
		return err
	}
	before, err := membersOf(tx, []string{team})
	if err != nil {
		return err
	}
	answered, err := s.answerNeeded(tx, grants)
	if err != nil {
		return err
	}
	var c inputs
	for i, m := range members {
		if m.UntilAt != 0 && m.UntilAt <= tx.NowMillis() || m.within(before[team], tx.NowMillis()) {
			continue
		}
		p, err := onePerson(tx, m.PersonID)
		if err != nil {
			return err
		}
		own, err := s.ownPerson(tx, p)
		if err != nil {
			return err
		}
		switch at := fmt.Sprintf("/members/%d", i); {
		case own:
			c.add(at, "This team has access by a grant. Ask a colleague to add you to it.")
		case answered:
			c.add(at, "This team has access to a customer who agreed with you that each grant needs an answer. Grant it to them themselves.")
		}
	}
	return c.err()
}

// answerNeeded reports whether one of the grants that are in force is to a
// customer with whom an answer to each was agreed.
func (s *Service) answerNeeded(tx *db.Tx, grants []grantRow) (bool, error) {
	for _, g := range grants {
		if GrantState(g.State) != GrantActive {
			continue
		}
		terms, err := s.termsIn(tx, g.CustomerID)
		if err != nil || terms.SecondPerson || terms.CustomerApproves {
			return err == nil, err
		}
	}
	return false, nil
}

// within reports whether one of the memberships before held for all of the time
// from now on that this one holds.
func (r memberRow) within(before []memberRow, now int64) bool {
	return slices.ContainsFunc(before, func(b memberRow) bool {
		return b.PersonID == r.PersonID && max(b.FromAt, now) <= max(r.FromAt, now) && later(b.UntilAt, r.UntilAt) == b.UntilAt
	})
}

// notForOneself refuses that somebody accepts a role that lets themselves in, or a
// service account of theirs, and answers for it alone.
func (s *Service) notForOneself(tx *db.Tx, foreign []ForeignRole, roles []string, owner string) error {
	answers, err := onePerson(tx, owner)
	if err != nil {
		return err
	}
	if own, err := s.ownPerson(tx, answers); err != nil || !own {
		return err
	}
	rows, err := peopleRows(tx, everybody)
	if err != nil {
		return err
	}
	mine := map[string]bool{} // users of the cluster
	for _, r := range rows {
		own, err := s.ownPerson(tx, r)
		if err != nil {
			return err
		}
		if !own {
			continue
		}
		p, err := s.person(r)
		if err != nil {
			return err
		}
		for _, u := range p.TeleportUsers {
			mine[u] = true
		}
	}
	for _, f := range foreign {
		if slices.Contains(roles, f.Role) && slices.ContainsFunc(f.Users, func(u string) bool { return mine[u] }) {
			return invalid("/owner", "The role "+f.Role+" lets you in yourself. Choose a colleague who answers for it, or ask one to accept it.")
		}
	}
	return nil
}

// twoPeople refuses emergency access that somebody gives themselves without saying
// that nobody else was there to do it. own says that whoever grants it is whom it
// reaches; of others nobody is alone.
func twoPeople(row *grantRow, own, alone bool) error {
	if GrantKind(row.Kind) != GrantBreakGlass || !own {
		return nil
	}
	if !alone {
		return invalid("/alone", "Emergency access takes two people. Ask a colleague to grant it to you, or say that you are alone and nobody else is awake.")
	}
	row.Alone = 1
	return nil
}

// betweenEmergencies is how long whoever gave themselves emergency access does
// not do so again.
const betweenEmergencies = 8 * time.Hour

// oneEmergency refuses emergency access that somebody gives themselves while the
// last one of theirs, to the same customer with the same role, was not reviewed or
// has just ended. own says that whoever grants it is whom it reaches.
func (s *Service) oneEmergency(tx *db.Tx, row grantRow, own bool) error {
	if GrantKind(row.Kind) != GrantBreakGlass || !own {
		return nil
	}
	rows, err := recentEmergencies(tx, row.CustomerID, row.Role, tx.Now.Add(-betweenEmergencies).UnixMilli())
	if err != nil {
		return err
	}
	for _, last := range rows {
		persons, err := s.personsOf(tx, last)
		if err != nil {
			return err
		}
		theirs, err := s.namesStaff(tx, persons, row.GrantedBy)
		if err != nil {
			return err
		}
		if theirs || last.GrantedBy == row.GrantedBy && last.TeamID != "" && last.TeamID == row.TeamID {
			return conflict("Ask a colleague to grant it, or to review the last one.", "Your last emergency access here is not reviewed yet, or ended less than eight hours ago")
		}
	}
	return nil
}
