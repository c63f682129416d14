package sessions

import (
	"context"
	"slices"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

// rematchFor is how far back sessions are matched anew.
const rematchFor = 30 * 24 * time.Hour

// rematch looks again at the sessions of the last days that lack a ground (a
// ticket was filled in since, say), and at those of names that are other
// persons' now.
func (s *Service) rematch(ctx context.Context) error {
	known := map[string]bool{}
	again := func(tx *db.Tx, rows []sessionRow) error {
		m := s.newMatcher(tx)
		for _, r := range rows {
			if err := s.rematchOne(tx, m, r.ID, known); err != nil {
				return err
			}
		}
		return nil
	}
	err := s.eachPage(ctx, unmatchedRows, again)
	if err != nil {
		return wrap("match again", err)
	}
	changed, err := s.changedNames(ctx)
	if err != nil {
		return wrap("match again", err)
	}
	for _, mark := range changed {
		of := func(tx *db.Tx, since int64, after string, limit int) ([]sessionRow, error) {
			return rowsOfName(tx, mark, since, after, limit)
		}
		if err := s.eachPage(ctx, of, again); err != nil {
			return wrap("match again", err)
		}
	}
	return wrap("match again", s.closeKnown(ctx, known))
}

// eachPage calls do with pages of what find finds of the last days.
func (s *Service) eachPage(ctx context.Context, find func(tx *db.Tx, since int64, after string, limit int) ([]sessionRow, error), do func(tx *db.Tx, rows []sessionRow) error) error {
	for after := ""; ; {
		var rows []sessionRow
		err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
			rows, err = find(tx, tx.Now.Add(-rematchFor).UnixMilli(), after, alarmsAtOnce)
			return err
		})
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			if err := s.db.Write(ctx, func(tx *db.Tx) error { return do(tx, rows) }); err != nil {
				return err
			}
		}
		if len(rows) < alarmsAtOnce {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// changedNames are the names at the cluster, as their marks, that are other
// persons' now than when sessions under them were matched.
func (s *Service) changedNames(ctx context.Context) (marks []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		marks = nil
		rows, err := namesSince(tx, tx.Now.Add(-rematchFor).UnixMilli())
		if err != nil {
			return err
		}
		was, one := map[string][]string{}, map[string]string{}
		for _, r := range rows {
			was[r.UserMark] = append(was[r.UserMark], r.PersonID)
			one[r.UserMark] = r.SessionID
		}
		for mark, session := range one {
			row, err := s.sessionIn(tx, ofFeed(), session)
			if err != nil {
				return err
			}
			d, err := s.dataOf(row)
			if err != nil {
				return err
			}
			for _, p := range d.Participants {
				if s.userMark(p.User) != mark {
					continue
				}
				who, err := s.lists.ByUser(tx, p.User)
				if err != nil {
					return err
				}
				var now []string
				for _, x := range who {
					now = append(now, x.ID)
				}
				if !slices.Equal(distinct(now), distinct(was[mark])) {
					marks = append(marks, mark)
				}
				break
			}
		}
		slices.Sort(marks)
		return nil
	})
	return marks, err
}

// rematchOne matches one session anew; known collects names that are somebody's.
func (s *Service) rematchOne(tx *db.Tx, m *matcher, id string, known map[string]bool) error {
	row, err := s.sessionIn(tx, ofFeed(), id)
	if err != nil {
		return err
	}
	f, err := s.factsOf(row)
	if err != nil || len(f.Participants) == 0 { // nobody is known to have taken part, or any more
		return err
	}
	found, err := m.match(f)
	if err != nil {
		return err
	}
	for user, who := range found.people {
		if len(who) > 0 {
			known[s.userMark(user)] = true
		}
	}
	before, on := f.Participants, found.lacks()
	f.PersonName, f.Participants = found.name, found.named(f.Participants)
	same := on == row.Lacks && found.server == row.ServerID && found.person == row.PersonID &&
		slices.EqualFunc(before, f.Participants, func(a, b Participant) bool { return slices.Equal(a.Persons, b.Persons) })
	if same {
		return nil
	}
	row.ServerID, row.PersonID, row.Lacks = found.server, found.person, on
	if err := s.sealData(&row, f.sessionData); err != nil {
		return err
	}
	if err := saveSession(tx, &row); err != nil {
		return err
	}
	if err := clearMatch(tx, row.ID); err != nil {
		return err
	}
	if err := s.keepMatch(tx, row, found); err != nil {
		return err
	}
	if err := m.judgeGround(row, f, found.on); err != nil {
		return err
	}
	return s.enter(tx, row, found.customerIDs(), "session.matched", map[string]any{"lacks": on, "person": row.PersonID}, facts{})
}

// closeKnown closes the findings about names that are somebody's now.
func (s *Service) closeKnown(ctx context.Context, known map[string]bool) error {
	if len(known) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for mark := range known {
			if err := s.findings.Close(tx, findings.SessionPersonUnknown+":"+mark, "it is somebody's now"); err != nil {
				return err
			}
		}
		return nil
	})
}

// NamesChanged says that who uses which name at the cluster may be another one
// now: verdicts are held against it at once, instead of within the hour.
func (s *Service) NamesChanged(tx *db.Tx) {
	tx.AfterCommit(func() {
		s.reviews.rechecked.Store(0)
		s.opts.Bus.Publish(TopicWatch)
	})
}
