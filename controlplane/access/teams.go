package access

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// PutTeam makes or changes a team; whoever is taken out loses what it gave them,
// and whoever comes in needs the papers for it. Nobody puts themselves in a team
// that has access, or anybody where the customer is to be asked of each grant.
// Permission: access.write over all customers.
func (s *Service) PutTeam(ctx context.Context, scope policy.Scope, t Team) (out Team, err error) {
	if err := overAll(scope); err != nil {
		return Team{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, fresh, err := teamFor(tx, t)
		if err != nil {
			return err
		}
		members, err := s.checkTeam(tx, &t, row)
		if err != nil {
			return err
		}
		grants, err := grantsOfTeam(tx, row.ID)
		if err != nil {
			return err
		}
		if err := s.mayJoin(tx, row.ID, members); err != nil {
			return err
		}
		if err := s.gateTeam(tx, grants, members); err != nil {
			return err
		}
		row.Name, row.UpdatedAt = t.Name, tx.NowMillis()
		row.Version++
		if err := db.Upsert(tx, &row, "id"); err != nil {
			return err
		}
		if err := replaceMembers(tx, row.ID, members); err != nil {
			return err
		}
		if err := s.teamEntry(tx, row, members, fresh); err != nil {
			return err
		}
		ids := make([]string, len(grants))
		for i, g := range grants {
			ids[i] = g.ID
		}
		if _, err := s.settleGrants(tx, ids, WhyTeam); err != nil {
			return err
		}
		teams, err := s.teams(tx, []teamRow{row})
		if err == nil {
			out = teams[0]
		}
		return err
	})
	if db.IsDuplicate(err) {
		return Team{}, controlplane.Invalid(controlplane.Field{Pointer: "/name", Message: "Another team has this name. Choose a different one."})
	}
	return out, wrap("put team", err)
}

func teamFor(tx *db.Tx, t Team) (row teamRow, fresh bool, err error) {
	if t.ID == "" {
		return teamRow{ID: controlplane.NewID(controlplane.PrefixTeam), CreatedAt: tx.NowMillis()}, true, nil
	}
	if row, err = oneTeam(tx, t.ID); err != nil {
		return row, false, err
	}
	return row, false, changedSince(t.Version, row.Version)
}

func (s *Service) checkTeam(tx *db.Tx, t *Team, row teamRow) (members []memberRow, err error) {
	var c inputs
	t.Name = c.line("/name", t.Name, maxName, "Enter a name.")
	if len(t.Members) > maxTeam {
		c.add("/members", fmt.Sprintf("These are too many: at most %d.", maxTeam))
	}
	ids := make([]string, len(t.Members))
	for i, m := range t.Members {
		ids[i] = m.Person
	}
	persons, err := personRows(tx, unique(ids))
	if err != nil {
		return nil, err
	}
	before, err := membersOf(tx, []string{row.ID})
	if err != nil {
		return nil, err
	}
	for i, m := range t.Members {
		at := fmt.Sprintf("/members/%d", i)
		n := slices.IndexFunc(persons, func(p personRow) bool { return p.ID == m.Person })
		r := memberRow{TeamID: row.ID, PersonID: m.Person, FromAt: controlplane.Millis(m.From), UntilAt: controlplane.Millis(m.Until)}
		if r.FromAt == 0 {
			r.FromAt = tx.NowMillis()
			if old := slices.IndexFunc(before[row.ID], func(b memberRow) bool { return b.PersonID == m.Person }); old >= 0 {
				r.FromAt = before[row.ID][old].FromAt
			}
		}
		over := r.UntilAt != 0 && r.UntilAt <= tx.NowMillis()
		switch {
		case n < 0 || persons[n].CustomerID != "":
			c.add(at, "There is no such person.")
		case persons[n].LeftAt != 0 && !over:
			c.add(at, "This person has left.")
		case r.FromAt < tx.Now.Add(-longestBack).UnixMilli() && !slices.ContainsFunc(before[row.ID], func(b memberRow) bool { return b.PersonID == r.PersonID && b.FromAt == r.FromAt }):
			c.add(at, "A membership is entered seven days after it began at most.")
		case r.UntilAt != 0 && r.UntilAt <= r.FromAt:
			c.add(at, "A membership ends after it begins.")
		case slices.ContainsFunc(members, func(o memberRow) bool { return o.PersonID == r.PersonID && o.FromAt == r.FromAt }):
			c.add(at, "This person is named twice.")
		}
		members = append(members, r)
	}
	return members, c.err()
}

// gateTeam refuses members who lack a paper for what the team is granted already.
func (s *Service) gateTeam(tx *db.Tx, grants []grantRow, members []memberRow) error {
	var ids []string
	for _, m := range members {
		if m.UntilAt == 0 || m.UntilAt > tx.NowMillis() {
			ids = append(ids, m.PersonID)
		}
	}
	persons, err := personRows(tx, unique(ids))
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, g := range grants {
		if done[g.CustomerID] {
			continue
		}
		done[g.CustomerID] = true
		terms, err := s.termsIn(tx, g.CustomerID)
		if err != nil {
			return err
		}
		if err := s.gate(tx, "/members", persons, terms, tx.Now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) teamEntry(tx *db.Tx, row teamRow, members []memberRow, fresh bool) error {
	kind := "team.changed"
	if fresh {
		kind = "team.made"
	}
	list := []any{}
	for _, m := range members {
		list = append(list, map[string]any{"person": m.PersonID, "from": controlplane.Instant(millis(m.FromAt)), "until": controlplane.Instant(millis(m.UntilAt))})
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Subject: row.ID, Kind: kind, Data: map[string]any{"name": row.Name, "members": list}})
	return err
}

// Teams lists teams by name with their members. Permission: access.read over all customers.
func (s *Service) Teams(ctx context.Context, scope policy.Scope) (out []Team, err error) {
	if err := overAll(scope); err != nil {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := allTeams(tx)
		if err == nil {
			out, err = s.teams(tx, rows)
		}
		return err
	})
	slices.SortFunc(out, func(a, b Team) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out, wrap("teams", err)
}

func (s *Service) teams(tx *db.Tx, rows []teamRow) (out []Team, err error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	members, err := membersOf(tx, ids)
	if err != nil {
		return nil, err
	}
	var persons []string
	for _, all := range members {
		for _, m := range all {
			persons = append(persons, m.PersonID)
		}
	}
	names, err := s.namesIn(tx, unique(persons))
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		t := Team{ID: r.ID, Name: r.Name, Version: r.Version, CreatedAt: millis(r.CreatedAt)}
		for _, m := range members[r.ID] {
			t.Members = append(t.Members, Member{Person: m.PersonID, Name: names[m.PersonID], From: millis(m.FromAt), Until: millis(m.UntilAt)})
		}
		slices.SortFunc(t.Members, func(a, b Member) int {
			return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), a.From.Compare(b.From))
		})
		out = append(out, t)
	}
	return out, nil
}
