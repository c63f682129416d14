package incidents

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// Bounds of texts that people write in a case.
const (
	maxTask = 500
	maxNote = 4000
	maxWhy  = 2000
)

// AddTask puts a task into a case. Permission: incident.write.
func (s *Service) AddTask(ctx context.Context, scope policy.Scope, id string, in Task) (out Task, err error) {
	text, err := textField("/text", in.Text, maxTask, true)
	if err != nil {
		return Task{}, err
	}
	if err := s.ready(ctx); err != nil {
		return Task{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := openRow(tx, scope, id)
		if err != nil {
			return err
		}
		if err := s.isStaff(tx, "/owner", in.Owner); err != nil {
			return err
		}
		row := taskRow{ID: controlplane.NewID(controlplane.PrefixTask), CaseID: c.ID, OwnerID: in.Owner, DueAt: controlplane.Millis(in.DueAt), MadeAt: tx.NowMillis(), MadeBy: actorOf(ctx).ID}
		if row.Text, err = s.seal("", "incident_tasks", "text", row.ID, text); err != nil {
			return err
		}
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		if err := s.enter(tx, c.ID, "incident.task", map[string]any{"task": row.ID, "owner": row.OwnerID, "due": controlplane.Instant(in.DueAt)}, map[string]string{"text": text}); err != nil {
			return err
		}
		out, err = s.taskOf(tx, row, map[string]string{})
		return err
	})
	return out, wrap("add task", err)
}

// TaskDone ends a task; ending it again changes nothing. Permission: incident.write.
func (s *Service) TaskDone(ctx context.Context, scope policy.Scope, task, note string) (out Task, err error) {
	if note, err = textField("/note", note, maxWhy, false); err != nil {
		return Task{}, err
	}
	if err := s.ready(ctx); err != nil {
		return Task{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := oneByID[taskRow](tx, scope, "task", task)
		if err != nil {
			return err
		}
		if row.DoneAt == 0 {
			row.DoneAt, row.DoneBy = tx.NowMillis(), actorOf(ctx).ID
			if row.Note, err = s.seal("", "incident_tasks", "note", row.ID, note); err != nil {
				return err
			}
			if err := db.Save(tx, &row); err != nil {
				return err
			}
			if err := s.enter(tx, row.CaseID, "incident.task", map[string]any{"task": row.ID, "done": true}, map[string]string{"note": note}); err != nil {
				return err
			}
			if err := s.findings.Close(tx, taskFinding(row.ID), "it was done"); err != nil {
				return err
			}
		}
		out, err = s.taskOf(tx, row, map[string]string{})
		return err
	})
	return out, wrap("task done", err)
}

func taskFinding(id string) string { return findings.IncidentTaskLate + ":" + id }

// openRow finds a case that is open. Errors: not found, conflict.
func openRow(tx *db.Tx, scope policy.Scope, ref string) (caseRow, error) {
	row, err := caseRowIn(tx, scope, ref)
	if err == nil && State(row.State) != Open {
		return row, conflict("Reopen it first.", "Case %s is not open", row.numberOf())
	}
	return row, err
}

// isStaff refuses an id that is nobody of ours; "" is nobody, and allowed.
func (s *Service) isStaff(tx *db.Tx, pointer, id string) error {
	if id == "" {
		return nil
	}
	name, err := s.nameIn(tx, map[string]string{}, id)
	if err == nil && name == "" {
		return invalid(pointer, "Choose somebody of ours.")
	}
	return err
}

// Note writes a line into a case's timeline, at an instant. Permission: incident.write.
func (s *Service) Note(ctx context.Context, scope policy.Scope, id string, at At, text string) error {
	text, err := textField("/text", text, maxNote, true)
	if err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := caseRowIn(tx, scope, id)
		if err != nil {
			return err
		}
		when, err := s.when("/at", at, zoneNamed(c.Zone), tx.Now)
		if err != nil {
			return err
		}
		row := noteRow{ID: controlplane.NewID(controlplane.PrefixCaseEvent), CaseID: c.ID, At: when.UnixMilli(), ByID: actorOf(ctx).ID, RecordedAt: tx.NowMillis()}
		if row.Text, err = s.seal("", "incident_notes", "text", row.ID, text); err != nil {
			return err
		}
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		return s.enter(tx, c.ID, "incident.noted", map[string]any{"note": row.ID, "at": controlplane.Instant(when)}, map[string]string{"text": text})
	})
	return wrap("note", err)
}

// tasksDue raises the findings of tasks that are past their time.
func (s *Service) tasksDue(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return wrap("tasks due", s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
		rows, err := lateTasks(tx)
		names := map[string]string{}
		for _, r := range rows {
			if err == nil {
				err = s.taskLate(tx, r, names)
			}
		}
		return err
	}))
}

func (s *Service) taskLate(tx *db.Tx, r taskRow, names map[string]string) error {
	c, err := caseRowIn(tx, everyone(), r.CaseID)
	if err != nil {
		return err
	}
	t, err := s.taskOf(tx, r, names)
	if err != nil {
		return err
	}
	r.ToldAt = tx.NowMillis()
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: taskFinding(r.ID), Group: findings.IncidentTaskLate + ":" + c.ID, Subject: c.ID, Kind: findings.IncidentTaskLate, Severity: findings.Warn,
		Owner: findings.Ops, Link: casePath(c.ID), Args: map[string]string{"case": c.numberOf(), "what": controlplane.Line(t.Text, 120), "person": t.OwnerName, "at": shown(t.DueAt, zoneNamed(c.Zone))}})
}

// tasksClosed ends the findings of tasks of a case that was a false alarm. Those
// of any other one are to be done all the same.
func (s *Service) tasksClosed(tx *db.Tx, c Case) error {
	if c.State != FalseAlarm {
		return nil
	}
	rows, err := ofCase[taskRow](tx, c.ID, "id")
	for _, r := range rows {
		if err == nil && r.ToldAt > 0 && r.DoneAt == 0 {
			err = s.findings.Close(tx, taskFinding(r.ID), "it was a false alarm")
		}
	}
	return err
}

// casePath is the page of a case.
func casePath(id string) string { return "/incidents/" + id }

// shown is an instant as people of a zone read it.
func shown(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zone).Format("Mon 2 Jan 2006 15:04 MST")
}
